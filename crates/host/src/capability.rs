//! Capabilities: nodes are privileged containers, which Docker gives all of them.

use crate::docker::Facts;
use crate::{Check, Host};
use qbo_runtime::capability::missing;

/// The file name of the runtime that does without the missing ones.
const RUNTIME: &str = "qbo-runc";

pub(crate) fn check(host: &Host, docker: Option<&Facts>) -> Check {
    let status = host.read(&format!("{}/status", host.daemon())).unwrap_or_default();
    let last = host.read("/proc/sys/kernel/cap_last_cap").unwrap_or_default();
    let missing = missing(&status, &last);
    if missing.is_empty() {
        return Check::good("capabilities", "all");
    }

    let found = format!("all but {}", missing.join(", "));
    let spared = docker
        .and_then(|docker| docker.default_runtime.as_ref())
        .is_some_and(|runtime| runtime.file_name().is_some_and(|name| name == RUNTIME));
    if spared {
        return Check::good("capabilities", format!("{found}, which Docker's runtime {RUNTIME} leaves out"));
    }
    Check::bad(
        "capabilities",
        found,
        format!("run ./setup.sh as root: it makes {RUNTIME}, which leaves them out, Docker's default runtime"),
    )
}
