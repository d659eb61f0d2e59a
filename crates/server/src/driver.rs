//! The only outward I/O: Docker ([`engine`], [`terminal`], [`docker`]), Kubernetes ([`kubernetes`]), what the kernel counts
//! ([`meter`]), registries and the image builder. Drivers return domain types; nothing of the wire's messages is known here, and nothing above knows bollard or kube.

pub mod builder;
pub mod docker;
pub mod engine;
#[cfg(test)]
pub(crate) mod fake;
pub mod host_network;
pub mod kubernetes;
pub mod meter;
pub mod registry;
pub mod terminal;
pub mod transfer;

/// Whom a driver tells how far it is: a line, or a name.
pub type Progress<'a> = &'a (dyn for<'line> Fn(&'line str) + Send + Sync);
