//! The API server of qbo. The way of a command: [`session`] (in) → [`access`] (may) → [`executor`] (do)
//! → drivers (the only outward I/O) → [`report`] and [`mirror`] (out); [`operations`] knows what runs.

pub mod access;
pub mod address;
pub mod cluster;
pub mod config;
pub mod driver;
pub mod error;
pub mod execute;
pub mod executor;
pub mod image;
pub mod instance;
pub mod kubeadm;
pub mod mirror;
pub mod operations;
pub mod provision;
pub mod recovery;
pub mod report;
pub mod session;
