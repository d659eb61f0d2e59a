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
pub fn until_ok<T>(what: &str, limit: Duration, look: impl FnMut() -> Result<T, String>) -> T {
    match within(limit, look) {
        Ok(value) => value,
        Err(missing) => panic!("waited {} s in vain for {what} {missing}", limit.as_secs()),
    }
}

/// The same, for who goes on without it: otherwise what is still missing at the end.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let deadline = Instant::now() + limit;
    loop {
        match look() {
            Err(_) if Instant::now() < deadline => std::thread::sleep(PACE),
            looked => return looked,
        }
    }
}
