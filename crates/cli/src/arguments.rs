//! The CLI's own options, taken out of the words before the grammar sees them.

use std::ffi::OsString;

use qbo_api::grammar::Opt;

use crate::failure::Failure;

/// The options of the CLI itself, which may stand anywhere before `--`.
pub(crate) const OPTIONS: &[Opt] = &[
    Opt {
        short: Some('o'),
        long: "output",
        value: Some("FORMAT"),
        about: "json, yaml, wide, name or table (default: table on a terminal, otherwise one JSON message a line)",
    },
    Opt { short: None, long: "color", value: Some("WHEN"), about: "auto, always or never (default auto)" },
    Opt { short: Some('h'), long: "help", value: None, about: "Show help, also on the command before it" },
    Opt { short: Some('V'), long: "version", value: None, about: "Show the version of this program alone" },
];

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The messages as received, one a line.
    Json,
    /// The objects as YAML documents.
    Yaml,
    /// A table with all columns.
    Wide,
    /// `cluster/alex`, one object a line.
    Name,
    /// For people.
    Table,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Color {
    /// On terminals, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Also to pipes and files.
    Always,
    /// Nowhere.
    Never,
}

/// A command line of the CLI, with its own options taken out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// All other words.
    pub(crate) words: Vec<String>,
    pub(crate) output: Option<Format>,
    pub(crate) color: Color,
    pub(crate) help: bool,
    pub(crate) version: bool,
}

/// Values of the own options that take one, for reading and for completion.
pub(crate) const FORMATS: &[(&str, Format)] = &[
    ("json", Format::Json),
    ("yaml", Format::Yaml),
    ("wide", Format::Wide),
    ("name", Format::Name),
    ("table", Format::Table),
];
/// See [`FORMATS`].
pub(crate) const COLORS: &[(&str, Color)] =
    &[("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)];

impl Arguments {
    /// Reads the arguments of the process, without its name.
    pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let mut read = Self::default();
        let mut arguments = arguments.map(into_text);
        while let Some(argument) = arguments.next() {
            let argument = argument?;
            // What is being completed is data, whatever it looks like.
            if argument == "--" || read.words.first().is_some_and(|word| word == crate::task::COMPLETE) {
                read.words.extend((argument != "--").then_some(argument));
                read.words.append(&mut arguments.collect::<Result<_, _>>()?);
                break;
            }
            let Some((option, inline)) = recognise(&argument) else {
                read.words.push(argument);
                continue;
            };
            let mut value = || match &inline {
                Some(value) => Ok(value.clone()),
                None => arguments.next().unwrap_or_else(|| {
                    Err(Failure::user(
                        format!("'{argument}' needs a value"),
                        format!("write {option}: {}", option.about),
                    ))
                }),
            };
            match option.long {
                "output" => read.output = Some(choose("output format", FORMATS, &value()?)?),
                "color" => read.color = choose("choice for --color", COLORS, &value()?)?,
                "help" => read.help = true,
                "version" => read.version = true,
                other => unreachable!("--{other} is in the table but is not read"),
            }
        }
        Ok(read)
    }
}

fn into_text(argument: OsString) -> Result<String, Failure> {
    let refused = |argument: OsString| {
        Failure::user(format!("'{}' is not UTF-8", argument.to_string_lossy()), "all words of qbo are plain text")
    };
    argument.into_string().map_err(refused)
}

/// The own option this argument is, with the value written in it (`--output=json`, `-ojson`).
fn recognise(argument: &str) -> Option<(&'static Opt, Option<String>)> {
    let (option, value) = if let Some(long) = argument.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        (OPTIONS.iter().find(|option| option.long == name)?, value)
    } else {
        let mut letters = argument.strip_prefix('-')?.chars();
        let letter = letters.next()?;
        let rest = Some(letters.as_str()).filter(|rest| !rest.is_empty());
        let option = OPTIONS.iter().find(|option| option.short == Some(letter))?;
        (option, rest.map(|rest| rest.strip_prefix('=').unwrap_or(rest)))
    };
    // A flag with something behind it is not ours: the grammar says what is wrong with it.
    (option.value.is_some() || value.is_none()).then(|| (option, value.map(str::to_owned)))
}

fn choose<T: Copy>(what: &str, choices: &[(&str, T)], given: &str) -> Result<T, Failure> {
    choices.iter().find(|(name, _)| *name == given).map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        Failure::user(format!("'{given}' is no {what}"), format!("one of: {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Arguments, Failure> {
        Arguments::read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn own_options_stand_anywhere() {
        for line in [
            "-o json get nodes alex",
            "get -ojson nodes alex",
            "get nodes --output=json alex",
            "get nodes alex --output json",
        ] {
            let arguments = read(line).unwrap();
            assert_eq!(arguments.output, Some(Format::Json), "{line}");
            assert_eq!(arguments.words, ["get", "nodes", "alex"], "{line}");
        }
        assert!(read("add cluster --help").unwrap().help);
        assert_eq!(read("version --color never").unwrap().color, Color::Never);
    }

    #[test]
    fn other_options_are_left_to_the_grammar() {
        assert_eq!(read("get cluster -Ak --retain -n3").unwrap().words, ["get", "cluster", "-Ak", "--retain", "-n3"]);
        assert_eq!(read("get cluster -- -o json").unwrap().words, ["get", "cluster", "-o", "json"]);
        assert_eq!(read("get cluster --help=x").unwrap().words, ["get", "cluster", "--help=x"]);
    }

    #[test]
    fn what_is_completed_is_not_read() {
        let arguments = read("__complete -- get nodes -o").unwrap();
        assert_eq!(arguments.words, ["__complete", "get", "nodes", "-o"]);
    }

    #[test]
    fn wrong_values_name_the_right_ones() {
        let failure = read("get nodes -o xml").unwrap_err();
        assert_eq!(failure.problem, "'xml' is no output format");
        assert_eq!(failure.cure, "one of: json, yaml, wide, name, table");
        assert_eq!(read("get nodes -o").unwrap_err().problem, "'-o' needs a value");
    }
}
