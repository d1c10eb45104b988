//! Where a book lies: one folder with its database, its lock, and the results that are too big
//! for the database.

use crate::StoreError;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

const SUSPECT: &str = "suspect";

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

    /// Room for the time when the disk is full.
    pub(super) fn reserve(&self) -> PathBuf {
        self.folder.join("reserve")
    }

    pub(super) fn results(&self) -> PathBuf {
        self.folder.join("results")
    }

    /// Notes that damage was met, so that the next opening looks over the whole book.
    pub(super) fn suspect(&self) {
        File::create(self.folder.join(SUSPECT)).ok();
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.folder.join(SUSPECT).exists()
    }

    pub(super) fn trust(&self) {
        fs::remove_file(self.folder.join(SUSPECT)).ok();
    }

    /// The right to remove files of results, unless somebody copies them just now.
    pub(super) fn files_alone(&self) -> Result<Option<File>, StoreError> {
        let (path, file) = self.files_lock()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(StoreError::io("locked", &path, error)),
        }
    }

    /// Waits until nobody removes files of results. As long as the file is held none are.
    pub(super) fn files_stay(&self) -> Result<File, StoreError> {
        let (path, file) = self.files_lock()?;
        file.lock_shared().map_err(|error| StoreError::io("locked", &path, error))?;
        Ok(file)
    }

    fn files_lock(&self) -> Result<(PathBuf, File), StoreError> {
        let path = self.folder.join(".results-lock");
        let mut options = OpenOptions::new();
        let opened = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = opened.map_err(|error| StoreError::io("locked", &path, error))?;
        Ok((path, file))
    }
}
