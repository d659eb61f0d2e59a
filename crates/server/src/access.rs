//! Who may what: the only place that makes a [`Permitted`] command, and execution takes nothing else.

use qbo_api::command::Command;
use qbo_api::terminal::OpenRequest;
use uuid::Uuid;

use crate::error::Failure;

/// The name space of users' own mirrors, a random one; it never changes, so that a user's mirror stays the same.
const MIRRORS: Uuid = Uuid::from_u128(0x7be1_4f0c_93d2_4a55_8c1e_26d0_b7a9_e8f3);

/// Somebody commands run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The e-mail address, which identifies the user.
    pub email: String,
}

/// A command that this user may run.
#[derive(Debug, Clone)]
pub struct Permitted {
    user: User,
    command: Command,
}

/// A terminal that this user may open.
#[derive(Debug, Clone)]
pub struct Opening {
    user: User,
    request: OpenRequest,
}

impl User {
    /// The one user of a server that listens on loopback only: whoever reaches it has the host's Docker anyway.
    pub fn local() -> Self {
        Self { email: "local@localhost".into() }
    }

    /// The user's own mirror, which every connection of theirs is in.
    pub fn mirror(&self) -> Uuid {
        Uuid::new_v5(&MIRRORS, self.email.as_bytes())
    }
}

impl Permitted {
    /// Whose command it is.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// What is to be done.
    pub fn command(&self) -> &Command {
        &self.command
    }
}

impl Opening {
    /// Whose terminal it is.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// What is to be opened.
    pub fn request(&self) -> &OpenRequest {
        &self.request
    }
}

/// Lets a user open a terminal, or says why not. The local user may open all that is that user's own.
pub fn may_open(user: &User, request: OpenRequest) -> Result<Opening, Failure> {
    Ok(Opening { user: user.clone(), request })
}

/// Lets a user's command through, or says why not. The local user may all there is; every command is about that
/// user's own objects, which execution sees to by asking [`Permitted::user`].
pub fn permit(user: &User, command: Command) -> Result<Permitted, Failure> {
    Ok(Permitted { user: user.clone(), command })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_always_the_same_mirror_and_nobody_elses() {
        let alex = User { email: "alex@example.com".into() };
        assert_eq!(alex.mirror().to_string(), "ade9db72-d92d-5995-89e7-f69231cbc3bb");
        assert_ne!(alex.mirror(), User::local().mirror());
    }
}
