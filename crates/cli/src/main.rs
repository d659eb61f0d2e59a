//! `qbo`, the command line: a line is read by the grammar of `qbo-api`, sent to the API server over a WebSocket,
//! and every message of that command is printed.
//!
//! The way of an invocation: [`arguments`] takes the CLI's own options out, [`task`] tells what is asked for,
//! [`file`] reads what the line names, [`config`] where the server is, [`connect`] opens the channel, [`run`] sends and receives, [`interrupt`] hears
//! Ctrl-C, [`render`] prints; a [`terminal`] has a channel of its own. The first thing that goes wrong ends it as a [`failure::Failure`].

mod arguments;
mod completion;
mod config;
mod connect;
mod failure;
mod file;
mod follow;
mod help;
mod interrupt;
mod keep;
mod kubeconfig;
mod local;
mod logs;
mod manual;
mod render;
mod run;
mod task;
mod terminal;

use std::io::Write;
use std::process::ExitCode;

use arguments::Arguments;
use failure::{Exit, Failure};
use render::Look;
use task::Task;

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(failure) => return failure.tell(Look::default()).into(),
    };
    let look = Look::choose(arguments.output, arguments.color);
    start(&arguments, look).unwrap_or_else(|failure| failure.tell(look)).into()
}

fn start(arguments: &Arguments, look: Look) -> Result<Exit, Failure> {
    match Task::choose(arguments)? {
        Task::Print(text) => print(&text),
        Task::Complete(words) => print(&completion::complete(&words)),
        Task::Command(command) => {
            let (command, file) = file::attach(command)?;
            run::run(&command, file.as_deref(), look)
        }
    }
}

fn print(text: &str) -> Result<Exit, Failure> {
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Success)
}
