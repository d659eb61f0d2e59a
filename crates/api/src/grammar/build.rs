//! From sorted words to typed values: every value is checked here, with the word at fault at hand.

use std::fmt::Display;
use std::str::FromStr;

use super::error::GrammarError;
use super::parse::Words;
use crate::command::{
    AddCluster, AddImage, Cancel, Command, DeleteCluster, GetCluster, GetImages, GetNodes, NodeCount, Selection,
};

pub(super) fn build(words: &Words<'_>) -> Result<Command, GrammarError> {
    let subject = words.form.subject.map_or("", |subject| subject.names[0]);
    Ok(match (words.form.verb, subject) {
        ("add", "cluster") => Command::AddCluster(AddCluster {
            names: words.distinct()?,
            image: words.value("image")?,
            nodes: words.node_count()?,
            domain: words.value("domain")?.unwrap_or_default(),
            retain: words.flag("retain"),
        }),
        ("add", "image") => Command::AddImage(AddImage { images: words.distinct()? }),
        ("get", "cluster") => {
            Command::GetCluster(GetCluster { selection: words.selection()?, kubeconfig: words.flag("kubeconfig") })
        }
        ("get", "nodes") => Command::GetNodes(GetNodes { selection: words.selection()? }),
        ("get", "images") => Command::GetImages(GetImages { all: words.flag("all") }),
        ("delete", "cluster") => Command::DeleteCluster(DeleteCluster { selection: words.selection()? }),
        ("test", "host") => Command::TestHost,
        ("cancel", "command") => Command::Cancel(Cancel { commands: words.distinct()? }),
        ("version", _) => Command::Version,
        (verb, subject) => unreachable!("the table has a form '{verb} {subject}' that is not built"),
    })
}

impl Words<'_> {
    fn flag(&self, long: &str) -> bool {
        self.options.iter().any(|(option, ..)| option.long == long)
    }

    fn value<T: FromStr<Err: Display>>(&self, long: &str) -> Result<Option<T>, GrammarError> {
        let Some((option, index, value)) = self.options.iter().find(|(option, ..)| option.long == long) else {
            return Ok(None);
        };
        let wrong = |error: T::Err| {
            GrammarError::at(self.all, *index, error.to_string(), format!("{option}: {}", option.about))
        };
        value.parse().map(Some).map_err(wrong)
    }

    fn node_count(&self) -> Result<NodeCount, GrammarError> {
        let Some((_, index, value)) = self.options.iter().find(|(option, ..)| option.long == "nodes") else {
            return Ok(NodeCount::default());
        };
        value.parse().ok().and_then(NodeCount::new).ok_or_else(|| {
            let problem = format!("'{value}' is no number of nodes for a cluster");
            GrammarError::at(self.all, *index, problem, format!("-n takes 1 to {}", NodeCount::LIMIT))
        })
    }

    fn selection(&self) -> Result<Selection, GrammarError> {
        Ok(if self.arguments.is_empty() { Selection::All } else { Selection::Named(self.distinct()?) })
    }

    /// The arguments, each of them once.
    fn distinct<T: FromStr<Err: Display> + PartialEq>(&self) -> Result<Vec<T>, GrammarError> {
        let mut values = Vec::new();
        for (index, word) in &self.arguments {
            let value = word.parse::<T>().map_err(|error| {
                GrammarError::at(self.all, *index, error.to_string(), format!("write: {}", self.form.usage()))
            })?;
            if values.contains(&value) {
                return Err(GrammarError::at(self.all, *index, format!("'{word}' is named twice"), "once is enough"));
            }
            values.push(value);
        }
        Ok(values)
    }
}
