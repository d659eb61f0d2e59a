//! `get clients`

use qbo_api::message::Payload;

use super::Services;
use super::get::tell;
use crate::access::User;
use crate::report::Reporter;

pub(super) fn run(services: &Services, user: &User, reporter: &Reporter) {
    // Who is connected is known without the engine.
    let view = services.live.glance(&user.email);
    tell(reporter, &view, Payload::Clients(view.clients()));
}
