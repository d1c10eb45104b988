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
        self.folder.join("book.sqlite3")
    }

    pub(super) fn results(&self) -> PathBuf {
        self.folder.join("results")
    }
}
