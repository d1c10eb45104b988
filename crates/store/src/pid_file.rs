//! Who serves just now: a file with a process number, held by a lock.
//!
//! Keeps: at most one process holds the file; a number that a dead process left is never taken for
//! a living one, nor is a stranger that got the same number: what counts is the lock, which the
//! system gives back when its process ends, however it ends.

use crate::{
    StoreError,
    disk::{make_folders, open_limited},
    lock::take_alone,
};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
};

/// The file of the process that serves. Removed when dropped; what a killed process leaves is
/// taken over by the next.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    /// Held for its lock.
    file: File,
}

/// Who holds a pid file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody: there is no file.
    Nobody,
    /// Nobody: the process that wrote it is dead.
    Dead { pid: Option<u32> },
    /// It lives. Its number is absent in the moment between its start and its first word.
    Alive { pid: Option<u32> },
}

// === impl PidFile ===

impl PidFile {
    /// Takes the file for this process. Refuses where a living one holds it.
    pub fn take(path: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::io("written", path, error);
        if let Some(above) = path.parent() {
            make_folders(above).map_err(failed)?;
        }
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o644);
            let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
            let mut file = options.custom_flags(flags).open(path).map_err(failed)?;
            if !take_alone(&file).map_err(failed)? {
                let pid = read_pid(path).ok().flatten();
                return Err(StoreError::Served { path: path.to_owned(), pid });
            }
            // Its holder may have removed it between our opening and our locking it. Then another
            // process could make it anew, and both would be alone.
            if !is_at(&file, path).map_err(failed)? {
                continue;
            }
            write_pid(&mut file).map_err(failed)?;
            return Ok(Self { path: path.to_owned(), file });
        }
    }

    /// Says who holds the file at `path`.
    pub fn holder(path: &Path) -> Result<Holder, StoreError> {
        let failed = |error| StoreError::io("read", path, error);
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Holder::Nobody),
            Err(error) => return Err(failed(error)),
        };
        // Readers lock it shared, and for a moment only: they do not take each other for a holder.
        let is_free = match file.try_lock_shared() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        };
        let pid = read_pid(path)?;
        Ok(if is_free { Holder::Dead { pid } } else { Holder::Alive { pid } })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // While the lock is held, so that it is ours that goes.
        if is_at(&self.file, &self.path).unwrap_or(false) {
            fs::remove_file(&self.path).ok();
        }
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(found.ino() == file.metadata()?.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", process::id())
}

fn read_pid(path: &Path) -> Result<Option<u32>, StoreError> {
    /// A number and its line end.
    const PID_BYTES_MAX: u64 = 64;
    let mut text = String::new();
    let mut file = open_limited(path, PID_BYTES_MAX)?;
    file.read_to_string(&mut text).map_err(|error| StoreError::unreadable(path, error))?;
    Ok(text.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_held_until_it_is_dropped_and_then_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/assay.pid");
        assert_eq!(PidFile::holder(&path).unwrap(), Holder::Nobody);
        let held = PidFile::take(&path).unwrap();
        let ours = Some(process::id());
        assert_eq!(PidFile::holder(&path).unwrap(), Holder::Alive { pid: ours });
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", process::id()));
        let error = PidFile::take(&path).unwrap_err();
        assert!(matches!(error, StoreError::Served { pid, .. } if pid == ours), "{error:?}");
        assert!(error.hint().unwrap().contains("assay stop"));
        drop(held);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_process_left_is_recognised_and_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assay.pid");
        // The number of a process that lives, and that never held the file.
        for (left, pid) in [("1\n", Some(1)), ("", None), ("x\n", None), ("99999999999\n", None)] {
            fs::write(&path, left).unwrap();
            assert_eq!(PidFile::holder(&path).unwrap(), Holder::Dead { pid }, "{left:?}");
            drop(PidFile::take(&path).unwrap());
            assert!(!path.exists());
        }
        fs::write(&path, "1".repeat(1000)).unwrap();
        assert!(PidFile::holder(&path).is_err());
    }

    #[test]
    fn a_file_that_somebody_else_made_meanwhile_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assay.pid");
        let held = PidFile::take(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = PidFile::take(&path).unwrap();
        drop(held);
        assert_eq!(PidFile::holder(&path).unwrap(), Holder::Alive { pid: Some(process::id()) });
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn of_many_that_begin_and_end_at_once_one_holds_it_at_a_time() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assay.pid");
        let (holders, taken) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let Ok(held) = PidFile::take(&path) else { continue };
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                        taken.fetch_add(1, Ordering::SeqCst);
                        PidFile::holder(&path).unwrap();
                        assert_eq!(holders.fetch_sub(1, Ordering::SeqCst), 1);
                        drop(held);
                    }
                });
            }
        });
        assert!(taken.into_inner() > 0);
        assert_eq!(PidFile::holder(&path).unwrap(), Holder::Nobody);
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("assay.pid"), folder.path().join("victim"));
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert!(PidFile::take(&path).is_err());
        assert!(!victim.exists());
    }
}
