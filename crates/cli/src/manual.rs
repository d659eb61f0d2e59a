//! The manual page, made from the grammar's table in the language of man(7).

use std::fmt::Write as _;

use qbo_api::grammar::{FORMS, Opt};

use crate::arguments::OPTIONS;
use crate::help::{OWN, spelling};

const HEAD: &str = "\
.SH NAME
qbo \\- Kubernetes clusters out of Docker containers
.SH SYNOPSIS
.B qbo
.I COMMAND
.RI [ OPTIONS ]
.SH DESCRIPTION
qbo sends one command to its API server, qbo\\-api, and prints every message of that command.
On a terminal it prints for people: tables, and long work as it goes.
To a pipe or a file it prints one JSON message a line.
.PP
Ctrl\\-C during an add or a delete asks whether to cancel it; a second one leaves it running.
A qbo that goes away does not stop what it asked for.
";

const TAIL: &str = "\
.SH ENVIRONMENT
Each value is looked for here first, then in the files below.
.TP
.BR QBO_HOST \", \" QBO_PORT
Where the API server is (127.0.0.1, 9601).
.TP
.BR QBO_UID \", \" QBO_AUX
The token of a login, and its auxiliary token.
.TP
.B NO_COLOR
No colours, whatever its value, unless that is empty.
.SH FILES
.TP
.I ~/.qbo/cli.json
qbo_host, qbo_port, qbo_uid, qbo_aux as JSON.
.TP
.I ~/.qbo/.cli.db
The same, read after it.
.TP
.I ~/.qbo/CLUSTER.conf
The kubeconfig of a cluster, written by a server on this host.
.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
The user can mend it: a wrong command, a wrong name, a cancelled command.
.TP
.B 2
A failure of qbo or of the host; also no server, or one lost half\\-way.
.TP
.B 130
Left by Ctrl\\-C.
.TP
.B 141
The reader of the output has gone.
.SH SEE ALSO
.BR kubectl (1),
.BR docker (1),
.BR jq (1)
";

/// The page.
pub(crate) fn page() -> String {
    let mut page = format!(".TH QBO 1 \"\" \"qbo {}\" \"User Commands\"\n{HEAD}", env!("CARGO_PKG_VERSION"));
    page.push_str(".SH COMMANDS\n");
    for form in FORMS {
        entry(&mut page, &form.usage(), form.about);
        if !form.options.is_empty() {
            page.push_str(".RS\n");
            options(&mut page, form.options);
            page.push_str(".RE\n");
        }
    }
    for (usage, about) in OWN {
        entry(&mut page, usage, about);
    }
    page.push_str(".SH OPTIONS\n");
    options(&mut page, OPTIONS);
    page.push_str(".SH EXAMPLES\n.nf\n");
    for example in FORMS.iter().flat_map(|form| form.examples) {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "qbo {}", escape(example));
    }
    page.push_str(".fi\n");
    page.push_str(TAIL);
    page
}

fn options(page: &mut String, options: &[Opt]) {
    for option in options {
        entry(page, spelling(option).trim_start(), option.about);
    }
}

fn entry(page: &mut String, term: &str, about: &str) {
    let _ = writeln!(page, ".TP\n.B {}\n{}", escape(term), escape(about));
}

/// Dashes as they are typed, and nothing that roff would read as its own.
fn escape(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('…', "...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_option_is_in_it() {
        let page = page();
        assert!(page.starts_with(".TH QBO 1"));
        for form in FORMS {
            assert!(page.contains(&escape(&form.usage())), "{}", form.usage());
        }
        assert!(page.contains("\\-n, \\-\\-nodes NODES"));
        assert!(page.lines().all(|line| !line.starts_with('\'')), "an apostrophe would begin a request");
    }
}
