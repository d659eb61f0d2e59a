//! `qbo-runc`: an OCI runtime in front of runc, for hosts that lack a capability.
//!
//! Docker asks for every capability it knows when a container is privileged, and runc refuses to start
//! it where the host cannot grant one ("unable to apply caps: operation not permitted"). This program
//! takes what the host does not have out of the files runc is about to read, and then becomes runc.
//!
//! The way of an invocation: [`invocation`] finds the file, [`qbo_runtime::capability`] tells what is missing,
//! [`specification`] takes it out. It stands on the path of each `docker exec`, hence no dependency
//! beyond JSON, and no work at all on a host that has everything.

mod invocation;
mod specification;

use qbo_runtime::capability;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Err(error) = remove_missing_capabilities(&arguments) {
        return fail(&error);
    }
    // Returns only if runc could not be started.
    let error = Command::new("runc").args(&arguments).exec();
    fail(&format!("cannot start runc: {error}"))
}

fn remove_missing_capabilities(arguments: &[OsString]) -> Result<(), String> {
    let Some(file) = invocation::specification_file(arguments) else {
        return Ok(());
    };
    let missing = capability::missing(&read("/proc/self/status")?, &read("/proc/sys/kernel/cap_last_cap")?);
    if missing.is_empty() {
        return Ok(());
    }
    specification::remove_capabilities(&file, &missing)
        .map_err(|error| format!("cannot rewrite {}: {error}", file.display()))
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))
}

/// containerd shows what a runtime leaves on standard error.
fn fail(message: &str) -> ExitCode {
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(io::stderr(), "qbo-runc: {message}");
    ExitCode::FAILURE
}
