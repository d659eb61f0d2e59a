//! What the benchmarks have in common: numbers out of many, and the tables made of them.

pub mod document;
pub mod statistics;
