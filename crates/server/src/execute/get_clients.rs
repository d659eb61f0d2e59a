//! `get clients`

use qbo_api::command::{GetClients, Selection};
use qbo_api::message::{Code, Payload};
use qbo_api::name::ClientReference;

use super::Services;
use super::get::{keep_named, name_a_mirror, tell};
use crate::access::User;
use crate::error::Failure;
use crate::report::Reporter;

pub(super) fn run(services: &Services, user: &User, get: &GetClients, reporter: &Reporter) -> Result<(), Failure> {
    // Who is connected is known without the engine.
    let view = services.live.glance(&user.email);
    let mut clients = view.clients();
    if let Selection::Named(references) = &get.selection
        && !(get.watch && name_a_mirror(services, user, references.iter().map(ClientReference::as_str)))
    {
        keep_named(&mut clients, references, ClientReference::matches, |reference| {
            let cure = "see who is connected: qbo get clients";
            Failure::new(Code::NOT_FOUND, format!("nobody is connected as '{reference}'"), cure)
        })?;
    }
    tell(reporter, &view, Payload::Clients(clients));
    Ok(())
}
