//! The book of a server, from outside.
#![allow(clippy::unwrap_used, reason = "a failed `unwrap` is a failed test")]

mod batches; // taken on whole, ended once
mod broken; // damage is told, and what can be read is saved
mod ends; // one end, with its result
mod keeping; // for how long, copied, looked over
mod kit; // tasks to remember
mod taken; // what was taken on is there
