//! qbo on real Docker: what its tests and benchmarks have in common.
//!
//! The programs under test are built and run as users run them ([`programs`], [`server`], [`cli`], [`socket`]);
//! what they talk to is real as well ([`registry`]);
//! Docker and Kubernetes are looked at with their own clients ([`docker`], [`kubectl`]), never through code of the
//! product: even its messages are read as plain JSON.

mod cgroups;
pub mod cli;
pub mod docker;
pub mod kubectl;
pub mod namespace;
pub mod programs;
pub mod registry;
pub mod server;
pub mod socket;
pub mod terminal;
pub mod wait;
