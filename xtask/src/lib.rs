//! Chores of the repository: what must hold of its files, and documents that are made from them.
//!
//! Nothing here is part of the product. A rule or a page is a row in a table ([`tidy::RULES`],
//! [`docs::PARTS`]); the program `xtask` and the tests in `tests/` both read these tables.
#![forbid(unsafe_code)]

pub mod docs; // parts of documents that are made from the tree
mod fault; // what is wrong, where, and how to mend it
pub mod licences; // whether every dependency may be given away
mod manifest; // `Cargo.toml` files, by line
mod repo; // the files of the repository, in memory
mod rust; // what a Rust file is: root, code, tests
pub mod tidy; // what must hold of the files

pub use fault::Fault;
pub use repo::{File, Repo};
