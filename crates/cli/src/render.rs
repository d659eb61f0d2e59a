//! From messages to what is printed: [`json`] as received, [`objects`] as YAML or names, [`people`] for people, out
//! of [`table`], [`steps`] and [`checks`].

mod checks;
mod json;
mod objects;
mod people;
mod screen;
mod steps;
pub(crate) mod style;
mod table;

use std::io::{self, IsTerminal};

use qbo_api::command::Command;
use qbo_api::message::{Change, Code, Message, Payload};

use crate::arguments::{Color, Format};
use json::Json;
use objects::Objects;
use people::People;
use screen::Screen;
use style::Paint;
#[cfg(test)]
pub(crate) use table::samples;

/// Prints the messages of one command.
pub(crate) trait Printer {
    /// Rows, wherever they are from.
    fn payload(&mut self, payload: &Payload) -> io::Result<()>;

    /// A message of the server.
    fn received(&mut self, text: &str, code: Code) -> io::Result<()> {
        match serde_json::from_str::<Message>(text) {
            // What the last message says is for machines (the thread and its time) or told as the failure.
            Ok(Message { payload: Payload::Output(_), .. }) if code.is_final() => Ok(()),
            Ok(message) => self.payload(&message.payload),
            // Of a newer server: better raw than lost.
            Err(_) => json::line(text),
        }
    }

    /// Rows that changed, in a watch; `text` is the message.
    fn changed(&mut self, _change: Change, rows: &Payload, _text: &str) -> io::Result<()> {
        self.payload(rows)
    }

    /// All is listed: from here on come changes.
    fn follow(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// No message follows.
    fn end(&mut self, _success: bool) -> io::Result<()> {
        Ok(())
    }

    /// Whether there is a picture that changes with time, or is out of date.
    fn is_live(&self) -> bool {
        false
    }

    /// Draws that picture.
    fn tick(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Takes that picture off the screen, which is used otherwise for a while.
    fn pause(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How output looks, chosen once from the options and the terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    format: Format,
    live: bool,
    output: Paint,
    /// For what goes to standard error.
    pub(crate) errors: Paint,
}

impl Look {
    /// The look of an invocation.
    pub(crate) fn choose(format: Option<Format>, color: Color) -> Self {
        let terminal = io::stdout().is_terminal();
        // A terminal that cannot move its cursor (as in an editor's shell) says so by this name.
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let plain = dumb || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let paint = |terminal| {
            Paint(match color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => terminal && !plain,
            })
        };
        Self {
            format: format.unwrap_or(if terminal { Format::Table } else { Format::Json }),
            live: terminal && !dumb,
            output: paint(terminal),
            errors: paint(io::stderr().is_terminal()),
        }
    }

    /// The printer for a command.
    pub(crate) fn printer(self, command: &Command) -> Box<dyn Printer> {
        match self.format {
            Format::Json => Box::new(Json),
            Format::Yaml => Box::new(Objects::yaml()),
            Format::Name => Box::new(Objects::names()),
            Format::Table | Format::Wide => {
                let screen = Screen::new(io::stdout(), self.live);
                Box::new(People::new(command, screen, self.output, self.format == Format::Wide))
            }
        }
    }
}

/// Plain, as before anything is known.
impl Default for Look {
    fn default() -> Self {
        Self { format: Format::Json, live: false, output: Paint(false), errors: Paint(false) }
    }
}
