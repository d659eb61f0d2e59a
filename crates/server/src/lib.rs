//! The API server of qbo. The way of a command: [`session`] (in) → [`access`] (may) → [`executor`] (do)
//! → drivers (the only outward I/O) → [`report`] and [`mirror`] (out); [`operations`] knows what runs. Beside that way
//! [`terminal`]s have one of their own.

pub mod access;
pub mod address;
pub mod cluster;
pub mod components;
pub mod config;
pub mod driver;
pub mod error;
pub mod execute;
pub mod executor;
pub mod fan_out;
pub mod files;
pub mod image;
pub mod instance;
pub mod journal;
pub mod kubeadm;
pub mod live;
pub mod metrics;
pub mod mirror;
pub mod operations;
pub mod provision;
pub mod recorded;
pub mod recovery;
pub mod registries;
pub mod report;
pub mod session;
pub mod terminal;
pub mod usage;
