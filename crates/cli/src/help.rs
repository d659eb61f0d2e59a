//! Help texts at every level, made from the grammar's table.

use std::fmt::Write as _;

use qbo_api::grammar::{Argument, FORMS, Form, Opt, VERBS};

use crate::arguments::OPTIONS;
use crate::failure::Failure;

/// What the CLI answers itself: words, and one line for help texts.
pub(crate) const OWN: &[(&str, &str)] = &[
    ("completion bash|zsh|fish", "Print the completion script of a shell"),
    ("man", "Print the manual page"),
    ("help [COMMAND]", "Show help, as --help does"),
];

/// Help on a command, on a verb, or on everything.
pub(crate) fn text(words: &[&str]) -> Result<String, Failure> {
    let Some(word) = words.first() else { return Ok(everything()) };
    if let Some((usage, about)) = OWN.iter().find(|(usage, _)| usage.split(' ').next() == Some(word)) {
        return Ok(format!("{about}\n\nUsage: qbo {usage}\n"));
    }
    let verb = VERBS.iter().find(|verb| verb.names.contains(word)).ok_or_else(|| {
        Failure::user(format!("there is no command '{word}' to help with"), "'qbo --help' lists all commands")
    })?;
    let forms: Vec<&Form> = FORMS.iter().filter(|form| form.verb == verb.names[0]).collect();
    let named = |form: &&&Form| match (form.subject, words.get(1)) {
        (Some(subject), Some(word)) => subject.names.contains(word),
        (subject, _) => subject.is_none(),
    };
    if let Some(form) = forms.iter().find(named) {
        return Ok(of_form(form));
    }
    Ok(format!(
        "{}\n\nUsage:\n{}\nMore on each: qbo {} {} --help\n{}",
        verb.about,
        rows(forms.iter().map(|form| (format!("qbo {}", form.usage()), form.about.to_owned()))),
        verb.names[0],
        forms.first().and_then(|form| form.subject).map_or("", |subject| subject.names[0]),
        section("Options everywhere", OPTIONS),
    ))
}

fn everything() -> String {
    let commands = FORMS.iter().map(|form| {
        let argument = match form.argument {
            Argument::None => String::new(),
            Argument::Some(name) | Argument::SomeOrFile(name) | Argument::SomeOrAll(name) => format!(" {name}…"),
            Argument::AnyOrAll(name) | Argument::Any(name) => format!(" [{name}…]"),
        };
        (format!("{}{argument}", form.name()), form.about.to_owned())
    });
    let own = OWN.iter().map(|(usage, about)| ((*usage).to_owned(), (*about).to_owned()));
    format!(
        "\
qbo {version}: Kubernetes clusters out of Docker containers

Usage: qbo COMMAND [OPTIONS]

Commands:
{commands}
More on each: qbo add cluster --help
{options}
Examples:
  qbo add cluster alex
  qbo get nodes alex
  qbo get nodes alex | jq .nodes[]?
  qbo delete cluster alex

The server is at 127.0.0.1:9601 unless QBO_HOST and QBO_PORT, or qbo_host and qbo_port in ~/.qbo/cli.json, say otherwise.
",
        version = env!("CARGO_PKG_VERSION"),
        commands = rows(commands.chain(own)),
        options = section("Options", OPTIONS),
    )
}

fn of_form(form: &Form) -> String {
    let mut text = format!("{}\n\nUsage: qbo {}\n", form.about, form.usage());
    if let Some(subject) = form.subject.filter(|subject| subject.names.len() > 1) {
        let spellings = subject.names[1..].join(", ");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "Also written: {spellings}");
    }
    text.push_str(&section("Options", form.options));
    text.push_str(&section("Options everywhere", OPTIONS));
    text.push_str("\nExamples:\n");
    for example in form.examples {
        let _ = writeln!(text, "  qbo {example}");
    }
    text
}

fn section(title: &str, options: &[Opt]) -> String {
    if options.is_empty() {
        return String::new();
    }
    format!("\n{title}:\n{}", rows(options.iter().map(|option| (spelling(option), option.about.to_owned()))))
}

/// An option in both spellings, as in `-i, --image IMAGE`.
pub(crate) fn spelling(option: &Opt) -> String {
    let short = option.short.map_or("    ".to_owned(), |short| format!("-{short}, "));
    let value = option.value.map_or(String::new(), |value| format!(" {value}"));
    format!("{short}--{}{value}", option.long)
}

/// Two columns.
fn rows(rows: impl Iterator<Item = (String, String)>) -> String {
    let rows: Vec<_> = rows.collect();
    let width = rows.iter().map(|(left, _)| left.chars().count()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |text, (left, right)| text + &format!("  {left:<width$}   {right}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_the_overview_and_has_help_of_its_own() {
        let overview = text(&[]).unwrap();
        for form in FORMS {
            assert!(overview.contains(&form.name()), "{}", form.name());
            let name = form.name();
            let words: Vec<_> = name.split(' ').collect();
            let help = text(&words).unwrap();
            assert!(help.contains(&format!("Usage: qbo {}\n", form.usage())), "{help}");
            for option in form.options {
                assert!(help.contains(&spelling(option)), "{help}");
            }
        }
    }

    #[test]
    fn a_verb_lists_its_commands() {
        let help = text(&["add"]).unwrap();
        assert!(help.contains("qbo add cluster NAME…") && help.contains("qbo add image IMAGE…"), "{help}");
        assert_eq!(text(&["del", "clusters"]).unwrap(), text(&["delete", "cluster"]).unwrap());
        assert_eq!(text(&["add", "nothing"]).unwrap(), help, "the nearest that there is");
    }

    #[test]
    fn a_command_with_options() {
        assert_eq!(
            text(&["get", "nodes"]).unwrap(),
            "\
List nodes

Usage: qbo get nodes [CLUSTER|NODE…] [-A] [-w]
Also written: node

Options:
  -A, --all     All that you have
  -w, --watch   Go on with what changes, until Ctrl-C

Options everywhere:
  -o, --output FORMAT   json, yaml, wide, name or table (default: table on a terminal, otherwise one JSON message a line)
      --color WHEN      auto, always or never (default auto)
  -h, --help            Show help, also on the command before it
  -V, --version         Show the version of this program alone

Examples:
  qbo get nodes alex
  qbo get nodes -A
  qbo get nodes -w 43706dd0
"
        );
    }

    #[test]
    fn unknown_words_are_told() {
        assert_eq!(text(&["frobnicate"]).unwrap_err().problem, "there is no command 'frobnicate' to help with");
        assert!(text(&["man"]).unwrap().contains("Usage: qbo man"));
    }
}
