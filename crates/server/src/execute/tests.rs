//! Commands over fake drivers: what they answer, and that whatever is wrong changes nothing.

mod add;
mod bad_input;
mod control_planes;
mod export;
mod get;
mod images;
mod nodes;
mod options;
mod patches;
mod registries;
mod together;
mod usage;
