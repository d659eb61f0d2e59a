//! What a command leaves on the client's host: kubeconfigs that are merged, and logs that are written. What is kept is not
//! printed.

use qbo_api::command::{Command, ExportLogs};
use qbo_api::message::{Message, Output, Payload};
use qbo_api::model::Cluster;

use crate::connect::Received;
use crate::failure::{Failure, note};
use crate::kubeconfig;
use crate::logs::Directory;

/// What is kept of a command's messages.
#[derive(Debug)]
pub(crate) enum Keeper {
    /// Nothing.
    Nothing,
    /// Kubeconfigs, in the user's own.
    Kubeconfigs,
    /// Logs, in a directory.
    Logs(Directory),
    /// Whom to forget at the end.
    Deleted(Vec<Cluster>),
}

impl Keeper {
    /// What is to be kept of this command's; what cannot be is told before anything is asked for.
    pub(crate) fn of(command: &Command) -> Result<Self, Failure> {
        Ok(match command {
            Command::ExportKubeconfig(_) => Self::Kubeconfigs,
            Command::ExportLogs(export) => Self::Logs(Directory::prepare(export)?),
            Command::DeleteCluster(_) => Self::Deleted(Vec::new()),
            _ => Self::Nothing,
        })
    }

    /// Takes a message of the command; tells whether it is kept whole, so that it is not printed.
    pub(crate) fn take(&mut self, received: &Received) -> Result<bool, Failure> {
        if matches!(self, Self::Nothing) {
            return Ok(false);
        }
        let Ok(Message { payload, .. }) = serde_json::from_str(&received.text) else { return Ok(false) };
        match (self, payload) {
            (Self::Kubeconfigs, Payload::Output(rows)) => {
                let mut kept = false;
                for row in rows {
                    if let Output::Kubeconfig { kubeconfig } = row {
                        kubeconfig::merge(&kubeconfig)?;
                        kept = true;
                    }
                }
                Ok(kept)
            }
            (Self::Logs(directory), Payload::Output(rows)) => {
                let mut kept = false;
                for row in rows {
                    if let Output::Piece { file, text } = row {
                        directory.write(&file, &text)?;
                        kept = true;
                    }
                }
                Ok(kept)
            }
            (Self::Deleted(clusters), Payload::Clusters(rows)) => {
                clusters.extend(rows.into_iter().filter(|row| !row.address.is_empty()));
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    /// Nothing more is heard of the command, which may have failed or go on without us.
    pub(crate) fn end(&self, success: bool) {
        match self {
            // Also of an export that failed in parts.
            Self::Logs(directory) if success || directory.files() > 0 => {
                note(&format!("{} files in {}", directory.files(), directory.shown()));
            }
            Self::Nothing | Self::Kubeconfigs | Self::Logs(_) => {}
            // A cluster is told once its deletion cannot be kept from its end, whatever becomes of others or of the command.
            Self::Deleted(clusters) => kubeconfig::forget(clusters),
        }
    }
}

/// A command as the server is told: where logs are written is none of its business.
pub(crate) fn line(command: &Command) -> String {
    match command {
        Command::ExportLogs(export) => {
            Command::ExportLogs(ExportLogs { directory: None, ..export.clone() }).to_string()
        }
        command => command.to_string(),
    }
}
