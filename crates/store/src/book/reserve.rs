//! Room that is kept for the time when the disk is full.
//!
//! New work is refused then. But what runs must be able to end, old work to be removed, and the
//! book to be opened, and each of them writes a little first. For them a file is given up that
//! was made for nothing else. It is best effort: some file systems promise no room to a file.

use super::home::Home;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt,
};

/// Enough for the log of some hundred ends, or of one step of a pruning.
const RESERVE: u64 = 1 << 20;

/// So many times the reserve has to be free before it is made: it must not be what fills the disk.
const FREE_MIN: u64 = 3;

// === impl Home ===

impl Home {
    /// Makes the reserve, if it is not there and there is room for it.
    pub(super) fn keep_reserve(&self) {
        let path = self.reserve();
        let free =
            statvfs(&self.folder).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        if path.exists() || free < FREE_MIN * RESERVE {
            return;
        }
        let mut options = OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(&path);
        let filled = made.map(|file| fallocate(&file, FallocateFlags::empty(), 0, RESERVE));
        if !matches!(filled, Ok(Ok(()))) {
            // Half a reserve would be taken for a whole one.
            fs::remove_file(&path).ok();
        }
    }

    /// Gives the reserve up. Says whether there was one.
    pub(super) fn spend_reserve(&self) -> bool {
        fs::remove_file(self.reserve()).is_ok()
    }
}
