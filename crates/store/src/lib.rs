//! What is remembered: task folders, written atomically, listed and read back.
//!
//! Owns the shape of the results on disk. One analysis is one task folder:
//!
//! | name | holds |
//! |---|---|
//! | `.lock` | held by the process that writes the folder, as long as it lives |
//! | `task.json` | what is analysed, written first ([`TaskInfo`]) |
//! | `events.ndjson` | what happened, one event a line, appended as it happens |
//! | any other file, `sarif/`, `services/`, `logs/` | results, each written whole |
//! | `manifest.json` | what ran and which files there are, written last ([`Manifest`]) |
//!
//! Keeps: under its name a file is whole or absent; a folder without a manifest is never taken for
//! a finished analysis; no link inside the results is followed.
//!
//! A server keeps a [`Book`] beside them: what it has taken on, on disk before anybody hears so.
//!
//! Does not: decide what is run, render a report, or decide what is kept for how long.

#![forbid(unsafe_code)]

mod batch; // the folder of one batch
mod book; // what a server has taken on, and how it ended
mod disk; // one file: written whole or not at all, read without surprise
mod durations; // how long tools took, learnt
mod entry; // one task folder, as a reader finds it
mod error; // what can go wrong with what is remembered, and the mend
mod folder; // the writer of one task folder
mod listing; // all task folders under some roots
mod lock; // who writes a folder just now
mod manifest; // what stands in `task.json` and `manifest.json`
mod names; // which names a result may have, and how a task gets its own
mod output; // a folder that the user named: empty, ours, or neither
mod pid_file; // who serves just now
mod place; // where results go
mod prune; // old results leave
mod room; // what is left on a disk
mod rotating; // the log of a server
mod run_log; // the events of one analysis, appended and read back

pub use batch::{BATCH_JSON, BatchFolder};
pub use book::{
    BOOK_VERSION, BackedUp, BatchEnd, BatchRecord, Book, BookReader, BookTerms, Checked, EndRecord,
    EndState, NewBatch, NewTask, OpenTask, Opened, Removed, Retention, Saved, StateFilter,
    StoredEvent, TASKS_PER_PAGE, TaskEnd, TaskQuery, TaskRecord, Usage, WorkState,
};
pub use durations::{DurationsFile, Learnt};
pub use entry::{Entry, REPORT_BYTES_MAX, StoredFile, TaskState};
pub use error::StoreError;
pub use folder::TaskFolder;
pub use listing::{Listing, Unreadable, find, list};
pub use manifest::{MANIFEST_VERSION, Manifest, ManifestFile, ManifestTool, TaskInfo};
pub use names::make_task_id;
pub use pid_file::{Holder, PidFile};
pub use place::{Place, ResultsRoot, cache_home, state_home};
pub use prune::{PrunePlan, Pruned, Pruning, prune};
pub use room::Room;
pub use rotating::{LogTerms, LogTrouble, RotatingLog};
pub use run_log::{Replay, RunLog};
