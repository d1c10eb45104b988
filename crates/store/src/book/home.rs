//! Where a book lies: one folder with its database, its lock, and the results that are too big
//! for the database.

use std::path::{Path, PathBuf};

/// The folder of a book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) folder: PathBuf,
}

// === impl Home ===

impl Home {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub(super) fn database(&self) -> PathBuf {
        self.beside("")
    }

    /// What SQLite keeps beside the database: `-wal`, `-shm`; or the database itself.
    pub(super) fn beside(&self, end: &str) -> PathBuf {
        self.folder.join(format!("book.sqlite3{end}"))
    }

    /// A database that was saved from a damaged one, whole, and is to take its place.
    pub(super) fn saved(&self) -> PathBuf {
        self.folder.join("book.saved.sqlite3")
    }

    /// Where a damaged database goes.
    pub(super) fn aside(&self, count: u32) -> PathBuf {
        self.folder.join(format!("damaged-{count}"))
    }

    pub(super) fn results(&self) -> PathBuf {
        self.folder.join("results")
    }
}
