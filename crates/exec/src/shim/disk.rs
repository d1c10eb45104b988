//! How many bytes lie in some folders.
//!
//! Keeps: a look is bounded, so that a tool that makes a million files does not keep us from looking
//! at its memory; the next one goes on where the last one ended, however deep that is.

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat},
};
use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    rc::Rc,
};

/// Paths below a folder that is open. Longer ones begin at a deeper folder: the kernel takes 4,096.
const PATH_BYTES_MAX: usize = 2048;

/// A count that is made in parts, over and over.
#[derive(Debug, Default)]
pub(super) struct DiskCount {
    /// Folders that are still to be read.
    waiting: Vec<Place>,
    reading: Option<(Place, Dir)>,
    bytes: u64,
}

/// A folder: one that is open, and a path below it.
#[derive(Clone, Debug)]
struct Place {
    above: Option<Rc<OwnedFd>>,
    below: PathBuf,
}

// === impl DiskCount ===

impl DiskCount {
    /// Goes on counting, and returns what was seen in this round over the folders so far; all of it,
    /// where they hold no more than `entries_max` entries that were not seen yet.
    pub(super) fn look(&mut self, folders: &[PathBuf], entries_max: usize) -> u64 {
        if self.waiting.is_empty() && self.reading.is_none() {
            self.bytes = 0;
            let place = |folder: &PathBuf| Place { above: None, below: folder.clone() };
            self.waiting = folders.iter().map(place).collect();
        }
        for _ in 0..entries_max {
            if self.reading.is_none() {
                let Some(place) = self.waiting.pop() else { break };
                // One that is gone meanwhile holds nothing.
                self.reading = place.open();
            }
            self.count_one();
        }
        self.bytes
    }

    fn count_one(&mut self) {
        let Some((place, dir)) = &mut self.reading else { return };
        let Some(Ok(entry)) = dir.next() else {
            self.reading = None;
            return;
        };
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            return;
        }
        let stat = dir.fd().and_then(|fd| statat(fd, name, AtFlags::SYMLINK_NOFOLLOW));
        let Ok(stat) = stat else { return };
        self.bytes += u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let below = place.below.join(OsStr::from_bytes(name.to_bytes()));
            self.waiting.push(Place { above: place.above.clone(), below });
        }
    }
}

// === impl Place ===

impl Place {
    fn open(self) -> Option<(Self, Dir)> {
        let open = |at: rustix::fd::BorrowedFd<'_>, path: &Path| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            openat(at, path, flags, Mode::empty()).ok()
        };
        let above = self.above.as_ref().map_or(CWD, |above| above.as_fd());
        let folder = open(above, &self.below)?;
        if self.below.as_os_str().len() < PATH_BYTES_MAX {
            return Some((self, Dir::new(folder).ok()?));
        }
        let dir = Dir::new(open(folder.as_fd(), Path::new("."))?).ok()?;
        Some((Self { above: Some(Rc::new(folder)), below: PathBuf::new() }, dir))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::mkdirat;
    use std::fs;

    #[test]
    fn a_folder_with_too_many_entries_does_not_hold_us_and_is_counted_in_the_end() {
        let dir = testkit::tempdir().unwrap();
        fs::create_dir(dir.path().join("more")).unwrap();
        for number in 0..20 {
            fs::write(dir.path().join(format!("more/{number}")), [1; 5000]).unwrap();
        }
        let (folders, mut count) = ([dir.path().to_owned()], DiskCount::default());
        assert!(count.look(&folders, 10) <= 10 * 8192);
        let most = (0..10).map(|_| count.look(&folders, 10)).max().unwrap();
        assert!(most >= 20 * 5000, "{most}");
        let mut whole = DiskCount::default();
        let all = whole.look(&folders, 1000);
        assert_eq!((all, whole.look(&folders, 1000)), (most, most), "every round says the same");
    }

    #[test]
    fn what_lies_deeper_than_a_path_reaches_is_counted() {
        let dir = testkit::tempdir().unwrap();
        let name = "x".repeat(200);
        let place = Place { above: None, below: dir.path().to_owned() };
        let mut at = place.open().unwrap().1.fd().unwrap().try_clone_to_owned().unwrap();
        for _ in 0..40 {
            mkdirat(&at, name.as_str(), Mode::RWXU).unwrap();
            at = openat(&at, name.as_str(), OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        let file = openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
        rustix::io::write(&file, &vec![1; 100_000]).unwrap();
        let bytes = DiskCount::default().look(&[dir.path().to_owned()], 1000);
        assert!(bytes >= 100_000, "{bytes}");
    }
}
