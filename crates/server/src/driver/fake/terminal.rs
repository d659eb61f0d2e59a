//! Programs on terminals that only tests write to and read from.

use std::sync::PoisonError;

use async_trait::async_trait;
use qbo_api::terminal::Size;
use tokio::io::{DuplexStream, duplex, split};

use super::FakeEngine;
use crate::driver::engine::{EngineError, EngineFault};
use crate::driver::terminal::{Attached, NewShell, Program, TerminalEngine};

/// A program as its test has it.
pub(crate) struct FakeProgram {
    pub(crate) program: Program,
    /// What the program reads and writes; dropped, it has ended.
    _stream: DuplexStream,
}

#[async_trait]
impl TerminalEngine for FakeEngine {
    async fn attach(&self, program: &Program) -> Result<Attached, EngineError> {
        if !self.is_running(&program.container) {
            let cause = EngineFault::Refused { status: 409, message: "container is not running".into() };
            return Err(EngineError { operation: "attach", subject: program.container.clone(), cause });
        }
        let (theirs, ours) = duplex(64 * 1024);
        let (output, input) = split(ours);
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        programs.push(FakeProgram { program: program.clone(), _stream: theirs });
        Ok(Attached { execution: programs.len().to_string(), output: Box::pin(output), input: Box::pin(input) })
    }

    async fn resize(&self, _execution: &str, _size: Size) -> Result<(), EngineError> {
        Ok(())
    }

    async fn exit_code(&self, _execution: &str) -> Result<Option<i64>, EngineError> {
        Ok(Some(0))
    }

    async fn create_shell(&self, shell: &NewShell) -> Result<String, EngineError> {
        self.make_shell(shell).await
    }
}

impl FakeEngine {
    /// The programs that were started since this was last asked.
    pub(crate) fn programs(&self) -> Vec<FakeProgram> {
        std::mem::take(&mut self.programs.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
