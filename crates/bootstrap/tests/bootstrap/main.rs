//! What the crate gives for a whole cluster.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod blueprint;
mod certificates;
mod endpoint;
mod golden;
mod join;
mod node;
mod sample;
