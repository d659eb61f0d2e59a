//! qbo on real Docker, with the real node image: every test starts a qbo-api of its own, drives it through the real
//! CLI, and compares what Docker holds before and after, to the last volume.
//!
//! Run them one after the other, `cargo test -p qbo-e2e -- --test-threads=1`: each asks much of the host, and what
//! another makes meanwhile looks like something left behind. The node image must be there (`images/node/build`);
//! `QBO_NODE_IMAGE` names another one. Where something is missing they fail.

mod behind;
mod compatibility;
mod failure;
mod high_availability;
mod images;
mod interruption;
mod life;
mod mirrors;
mod observed;
mod options;
mod recipes;
mod refusal;
mod registry;
mod scaling;
mod scene;
mod terminal;
mod workload;
