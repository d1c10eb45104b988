//! What is analysed: the files of an app, found, counted and copied.
//!
//! Owns the walk over a tree that may be hostile. Keeps: the app's own files are only ever opened
//! for reading; no link is followed; nothing outside the root is opened, even if a folder is
//! swapped for a link while we walk; every file that is left out is counted by its cause; the
//! digest names the copied bytes and nothing else.
//!
//! Does not: run git (a hostile repository configures programs that git would start), or decide which
//! tool reads what.

mod copy; // the files that were found, copied folder by folder
mod framework; // which frameworks the manifests name
mod git; // commit, branch and tracked files, read without git
mod ignored; // `.gitignore` and `.assayignore`
mod language; // which language a file is in
mod memory; // the digest of an app without a copy of it
mod removal; // a tree that somebody hostile may have made, removed
mod skip; // what is left out, and the count of it
mod snapshot; // the copy and its digest
mod stage; // a second tree of the copy, for one tool
mod text; // source text for reports
mod walk; // the tree, folder by folder

pub use language::language_of;
pub use memory::SourceMemory;
pub use removal::{is_going, remove_tree};
pub use snapshot::{Options, Snapshot, SourceError, SourceFile, digest_of, take};
pub use stage::{Change, Stage};

/// Files above this are left out and counted: generated data, not code that a person reviews.
pub const FILE_BYTES_MAX: u64 = 5 << 20;
