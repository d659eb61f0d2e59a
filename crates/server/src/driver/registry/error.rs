//! What goes wrong with a registry, and how it is told.

use std::time::Duration;

use qbo_api::message::Code;

use crate::error::Failure;

/// A registry, or the server of its tokens, that does not do what it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{whom} {fault}")]
pub(super) struct RegistryError {
    /// As `the registry registry.gitlab.com`.
    whom: String,
    fault: Fault,
}

/// What it does instead. No variant holds a secret, nor an address with a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// There is no way to it.
    #[error("does not answer: {0}")]
    Unreachable(String),
    /// It was waited for this long.
    #[error("did not answer in time: waited {} s for {what}", limit.as_secs())]
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// It has no such repository, or says so to those who may not see it.
    #[error("shows no repository '{0}'")]
    NoRepository(String),
    /// It wants credentials, and there are none.
    #[error("wants a login")]
    LoginWanted,
    /// It does not let this login in.
    #[error("refuses the login '{0}': its token is wrong, or may not pull")]
    LoginRefused(String),
    /// Credentials would go through the net for all to read.
    #[error("wants credentials sent to {0} without encryption")]
    InTheClear(String),
    /// Credentials would go to somebody that nobody named.
    #[error("wants credentials sent on to another address")]
    LedElsewhere,
    /// It wants credentials in a way that is not known here.
    #[error("wants a login of a kind that is not known here: {0}")]
    UnknownLogin(String),
    /// It was asked too often.
    #[error("was asked too often and wants to be left alone for a while")]
    TooOften,
    /// Another status that is no success.
    #[error("answered {0}")]
    Answered(u16),
    /// Not what it should answer.
    #[error("answered something that cannot be read: {0}")]
    Unreadable(String),
}

impl Fault {
    /// The fault as one of this server's.
    pub(super) fn of(self, whom: impl Into<String>) -> RegistryError {
        RegistryError { whom: whom.into(), fault: self }
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let (code, cure) = match &error.fault {
            Fault::Unreachable(_) => {
                (Code::BAD_GATEWAY, "check registry_hostname in api.json, and this host's way there")
            }
            Fault::TimedOut { .. } => (Code::TIMEOUT, "check this host's way there, or try again"),
            Fault::NoRepository(_) => (
                Code::NOT_FOUND,
                "check registry_user, registry_repo and registry_token in api.json: <user>/<repo>/node",
            ),
            Fault::LoginWanted => (Code::BAD_GATEWAY, "give registry_user and registry_token in api.json"),
            Fault::LoginRefused(_) => (
                Code::BAD_GATEWAY,
                "check registry_token in api.json, and whose it is: registry_login, or else registry_user",
            ),
            Fault::InTheClear(_) => (Code::BAD_GATEWAY, "let its token server have TLS, or use it without a token"),
            Fault::LedElsewhere => (
                Code::BAD_GATEWAY,
                "check registry_auth in api.json: it must be where logins are taken, not what leads there",
            ),
            Fault::UnknownLogin(_) => (Code::BAD_GATEWAY, "check registry_type in api.json: docker, gitlab or oci"),
            Fault::TooOften => (Code::TOO_MANY, "try again later, or give registry_token in api.json"),
            Fault::Answered(_) => (Code::BAD_GATEWAY, "look at the registry's own log"),
            Fault::Unreadable(_) => (
                Code::BAD_GATEWAY,
                "check registry_type and registry_hostname in api.json: there may be something else at that address",
            ),
        };
        Self::new(code, error.to_string(), cure)
    }
}
