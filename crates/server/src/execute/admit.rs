//! `admit user`

use qbo_api::command::AdmitUser;

use super::Services;
use crate::access::User;
use crate::error::Failure;

pub(super) fn run(services: &Services, user: &User, admit: &AdmitUser) -> Result<(), Failure> {
    let users: Vec<String> = admit.users.iter().map(ToString::to_string).collect();
    Ok(services.live.mirrors().admit(user, admit.mirror, &users)?)
}
