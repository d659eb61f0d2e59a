//! qbo on real Docker: what its tests and benchmarks have in common.
//!
//! The programs under test are built and run as users run them ([`programs`], [`server`], [`cli`]); Docker and
//! Kubernetes are looked at with their own clients ([`docker`], [`kubectl`]), never through code of the product.

pub mod programs;
pub mod server;
pub mod wait;
