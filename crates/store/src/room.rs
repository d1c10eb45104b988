//! What is left on a disk.

use rustix::fs::statvfs;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Bytes of a disk, as they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// What is free for who writes there.
    pub free: u64,
    /// All of the disk.
    pub size: u64,
}

// === impl Room ===

impl Room {
    /// Looks at the disk of a folder; of one that is not made yet, at the disk that it will be on.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// As the system has it: the disk cannot be asked.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let folder = std::path::absolute(folder)?;
        let made = folder.ancestors().find(|folder| folder.exists()).map(Path::to_path_buf);
        let disk = statvfs(made.unwrap_or_else(|| PathBuf::from("/")))?;
        Ok(Self {
            free: disk.f_bavail.saturating_mul(disk.f_frsize),
            size: disk.f_blocks.saturating_mul(disk.f_frsize),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_made_yet_is_on_the_disk_of_what_is_above_it() {
        let dir = tempfile::tempdir().unwrap();
        let made = Room::of(dir.path()).unwrap();
        let room = Room::of(&dir.path().join("a/b/c")).unwrap();
        assert_eq!(made.size, room.size);
        assert!(room.size > 0 && room.free <= room.size);
    }
}
