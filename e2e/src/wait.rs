//! Waiting for what other programs do: asked for again and again, up to a limit that names what was waited for.

use std::time::{Duration, Instant};

const PACE: Duration = Duration::from_millis(100);

/// The value, as soon as there is one.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    until_ok(what, limit, || look().ok_or_else(String::new))
}

/// The same, where each look says what is still missing.
#[track_caller]
pub fn until_ok<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match look() {
            Ok(value) => return value,
            Err(missing) => {
                assert!(Instant::now() < deadline, "waited {} s in vain for {what} {missing}", limit.as_secs());
            }
        }
        std::thread::sleep(PACE);
    }
}
