//! Our rules beside the crates that a user would pick instead.
//!
//! Owns what the comparison is written in and what is measured. `tests/` asks each crate for each
//! property and writes `docs/comparison.md`; `benches/` and the program `steps` measure the same
//! steps in time and in instructions.
//!
//! Does not: belong to the product. It is a workspace of its own, and nobody else builds it.

pub mod steps; // what is measured: one step of ours and of each other crate
pub mod table; // property × crate, and how it is written
