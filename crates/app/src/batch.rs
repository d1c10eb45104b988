//! Many apps, one table.
//!
//! Owns which apps a batch is about, how they follow each other, and what comes of all together.
//! Keeps: every app that was asked for is told of, whatever became of it; one that fails stops no
//! other; at most one app hands out tools at a time (`analysis::Toolbox`).
//!
//! Does not: analyse one app (`task`), or decide what the same words of a tool about every app mean
//! (`report::sameness`).

mod board; // what is shown while it runs
mod choose; // the words of the user -> apps
mod earlier; // apps that an earlier run has analysed
mod expand; // patterns over folders
mod flight; // several apps under way at once
mod list; // the file with the apps
mod record; // what has ended, on disk
mod run; // one app after the other, overlapping
mod tables; // what came of all together, and where it is written

pub(crate) use board::Board;
pub(crate) use choose::{Choice, choose};
pub(crate) use earlier::{gone_on, name_of, take_up};
pub(crate) use record::Record;
pub(crate) use run::{Batch, at_once};
pub(crate) use tables::{Told, deliver, report};
