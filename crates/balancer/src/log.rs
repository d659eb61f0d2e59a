//! What happens, one line each on standard output; the container engine stamps it with the time.

use std::fmt::Arguments;
use std::io::{Write, stdout};

pub(crate) fn line(message: Arguments<'_>) {
    // Nobody reads any more: connections matter more than words about them.
    let _ = writeln!(stdout(), "{message}");
}
