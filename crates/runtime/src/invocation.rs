//! What an invocation of runc is about to read.
//!
//! runc's flags are those of Go's `flag` package: one dash or two, a value after `=` or in the next
//! argument, and the first argument that is no flag ends them. `man 8 runc` lists them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Flags before the command that take the next argument as their value.
const GLOBAL_WITH_VALUE: &[&str] = &["criu", "log", "log-format", "root", "rootless"];

/// Flags of `create`, `run` and `restore` that take the next argument as their value.
const CREATE_WITH_VALUE: &[&str] = &[
    "b",
    "bundle",
    "console-socket",
    "empty-ns",
    "image-path",
    "lsm-mount-context",
    "lsm-profile",
    "manage-cgroups-mode",
    "pid-file",
    "pidfd-socket",
    "preserve-fds",
    "work-path",
];

/// Flags of `exec` that take the next argument as their value.
const EXEC_WITH_VALUE: &[&str] = &[
    "additional-gids",
    "apparmor",
    "c",
    "cap",
    "cgroup",
    "console-socket",
    "cwd",
    "e",
    "env",
    "g",
    "p",
    "pid-file",
    "pidfd-socket",
    "preserve-fds",
    "process",
    "process-label",
    "u",
    "user",
];

/// The file with capabilities that runc will read for `arguments`, if this command reads one.
pub(crate) fn specification_file(arguments: &[OsString]) -> Option<PathBuf> {
    let mut global = Flags::new(arguments, GLOBAL_WITH_VALUE);
    global.by_ref().for_each(drop);
    let (command, arguments) = global.rest.split_first()?;

    match command.to_str()? {
        "create" | "run" | "restore" => {
            // Without a bundle runc reads its working directory.
            let bundle = last_value(arguments, CREATE_WITH_VALUE, &["b", "bundle"]).unwrap_or(OsStr::new(""));
            Some(Path::new(bundle).join("config.json"))
        }
        // Without a process file runc takes the container's own capabilities, cleaned at its creation.
        "exec" => last_value(arguments, EXEC_WITH_VALUE, &["p", "process"]).map(PathBuf::from),
        _ => None,
    }
}

/// The last of several wins, as it does in Go.
fn last_value<'a>(arguments: &'a [OsString], with_value: &'static [&'static str], names: &[&str]) -> Option<&'a OsStr> {
    Flags::new(arguments, with_value)
        .filter(|flag| names.iter().any(|name| flag.name == name.as_bytes()))
        .filter_map(|flag| flag.value)
        .last()
}

struct Flag<'a> {
    name: &'a [u8],
    value: Option<&'a OsStr>,
}

/// The flags at the head of `rest`; at the end of the iteration, `rest` is what follows them.
struct Flags<'a> {
    rest: &'a [OsString],
    with_value: &'static [&'static str],
    ended: bool,
}

impl<'a> Flags<'a> {
    fn new(arguments: &'a [OsString], with_value: &'static [&'static str]) -> Self {
        Self { rest: arguments, with_value, ended: false }
    }
}

impl<'a> Iterator for Flags<'a> {
    type Item = Flag<'a>;

    fn next(&mut self) -> Option<Flag<'a>> {
        let (argument, rest) = self.rest.split_first()?;
        let argument = argument.as_bytes();
        if self.ended || argument == b"-" || !argument.starts_with(b"-") {
            return None;
        }
        self.rest = rest;
        if argument == b"--" {
            self.ended = true;
            return None;
        }
        let name = argument.strip_prefix(b"--").unwrap_or(&argument[1..]);
        if let Some(equals) = name.iter().position(|byte| *byte == b'=') {
            return Some(Flag { name: &name[..equals], value: Some(OsStr::from_bytes(&name[equals + 1..])) });
        }
        let takes_value = self.with_value.iter().any(|known| name == known.as_bytes());
        let value = match self.rest.split_first() {
            Some((value, rest)) if takes_value => {
                self.rest = rest;
                Some(value.as_os_str())
            }
            _ => None,
        };
        Some(Flag { name, value })
    }
}

#[cfg(test)]
mod tests {
    use super::specification_file;
    use std::ffi::OsString;
    use std::path::PathBuf;

    fn file(line: &str) -> Option<PathBuf> {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        specification_file(&arguments)
    }

    #[test]
    fn create_as_containerd_calls_it() {
        assert_eq!(
            file(
                "--root /var/run/docker/runtime-runc/moby --log /run/x/log.json --log-format json \
                 --systemd-cgroup create --bundle /run/x --pid-file /run/x/init.pid 8c01"
            ),
            Some("/run/x/config.json".into())
        );
    }

    #[test]
    fn exec_as_containerd_calls_it() {
        assert_eq!(
            file(
                "--root /run/r --log /run/x/log.json --log-format json exec \
                 --process /tmp/runc-process1 --detach --pid-file /run/x/2.pid 8c01"
            ),
            Some("/tmp/runc-process1".into())
        );
    }

    #[test]
    fn every_spelling_of_a_bundle() {
        for line in [
            "run --bundle /b id",
            "run --bundle=/b id",
            "run -bundle /b id",
            "run -b /b id",
            "run -b=/b id",
            "--log=/l --debug run --detach -b /b id",
            "run -b /a --no-pivot -b /b id",
            "restore --image-path run --bundle /b id",
        ] {
            assert_eq!(file(line), Some("/b/config.json".into()), "{line}");
        }
    }

    #[test]
    fn a_value_is_not_taken_for_a_command_or_a_flag() {
        assert_eq!(file("--log create --root exec state id"), None);
        assert_eq!(file("create --pid-file --bundle id"), Some("config.json".into()));
        assert_eq!(file("exec --env --process=/no -p /yes id"), Some("/yes".into()));
    }

    #[test]
    fn without_a_bundle_the_working_directory_is_read() {
        assert_eq!(file("create id"), Some("config.json".into()));
    }

    #[test]
    fn flags_after_the_container_belong_to_its_process() {
        assert_eq!(file("exec id ls --process /tmp/p"), None);
        assert_eq!(file("exec -- id --process /tmp/p"), None);
        assert_eq!(file("create id --bundle /b"), Some("config.json".into()), "runc reads no flags there either");
    }

    #[test]
    fn everything_else_reads_no_capabilities() {
        for line in [
            "",
            "--version",
            "-v",
            "--",
            "-",
            "state id",
            "kill id 9",
            "delete --force id",
            "update --resources - id",
            "features",
            "--unknown flag create --bundle /b",
            "exec id true",
            "exec --process",
        ] {
            assert_eq!(file(line), None, "{line}");
        }
    }

    #[test]
    fn arguments_that_are_no_utf_8_pass() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(vec![0xff, b'-']);
        let arguments = ["--root".into(), odd.clone(), "exec".into(), odd];
        assert_eq!(specification_file(&arguments), None);
    }
}
