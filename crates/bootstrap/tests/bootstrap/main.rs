//! What the crate gives for a whole cluster.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod certificates;
mod golden;
mod sample;
