//! The book of a server, from outside.
#![allow(clippy::unwrap_used, reason = "a failed `unwrap` is a failed test")]

mod batches; // taken on whole, ended once
mod broken; // damage is told, and what can be read is saved
mod dying; // killed at any moment
mod ends; // one end, with its result
mod fixtures; // of every version that ever was
mod full; // a disk without room
mod keeping; // for how long, copied, looked over
mod kit; // tasks to remember
mod model; // beside a plain map
#[path = "../common/roles.rs"]
mod roles; // this program again, as a process that may die
mod synced; // a sync before each answer
mod taken; // what was taken on is there
