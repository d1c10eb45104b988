//! What a book takes of its disk, and what is left of that: for metrics and alerts.

use super::{BookReader, home::Home};
use crate::StoreError;
use rustix::fs::statvfs;
use std::{fs, path::Path};

/// Bytes, as they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub database: u64,
    /// What was committed and is not yet in the database itself.
    pub log: u64,
    /// Results that are files of their own.
    pub results: u64,
    /// What is free on the disk for who writes the book.
    pub free: u64,
    /// All of that disk.
    pub disk: u64,
}

// === impl BookReader ===

impl BookReader {
    /// Says what the book takes. Looks at the files alone, so it answers while the book is busy.
    pub async fn usage(&self) -> Result<Usage, StoreError> {
        let home = self.home().clone();
        let look = tokio::task::spawn_blocking(move || look(&home));
        look.await.unwrap_or_else(|_| Err(self.broke_off()))
    }
}

fn look(home: &Home) -> Result<Usage, StoreError> {
    let disk = statvfs(&home.folder)
        .map_err(|error| StoreError::io("looked at", &home.folder, error.into()))?;
    let length = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
    let results = fs::read_dir(home.results()).into_iter().flatten().flatten();
    Ok(Usage {
        database: length(&home.database()),
        log: length(&home.beside("-wal")),
        results: results.filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum(),
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        disk: disk.f_blocks.saturating_mul(disk.f_frsize),
    })
}
