//! Commands over fake drivers: what they answer, and that whatever is wrong changes nothing.

mod add;
mod bad_input;
mod get;
mod together;
