//! Waiting for what other programs do: asked for again and again, up to a limit that names what was waited for.

use std::time::{Duration, Instant};

const PACE: Duration = Duration::from_millis(100);

/// The value, as soon as there is one.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain for {what}", limit.as_secs());
        std::thread::sleep(PACE);
    }
}
