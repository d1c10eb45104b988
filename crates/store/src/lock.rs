//! Who writes a folder just now.
//!
//! Keeps: a folder has at most one writer; the system gives the lock back when its process ends,
//! however it ends, so a folder is never thought to be written by a process that is dead, nor by a
//! stranger that got its number.
//!
//! Readers look with a shared lock for a moment. A writer that meets one tries again.

use crate::{StoreError, disk::open_regular, names::LOCK};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    thread,
};

/// How often a writer gives way to readers. Each holds the lock for microseconds.
const TRIES_MAX: u32 = 10_000;

/// The sole right to write a folder. Given back when dropped, also by a process that dies.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

// === impl Lock ===

impl Lock {
    pub(crate) fn take(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(LOCK);
        let failed = |error| StoreError::io("locked", &path, error);
        // Never removed: who holds a removed lock and who makes it anew would both be alone.
        let mut options = OpenOptions::new();
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let file = options.open(&path).map_err(failed)?;
        if take_alone(&file).map_err(failed)? {
            return Ok(Self(file));
        }
        Err(StoreError::InUse { path: folder.to_owned() })
    }
}

/// Takes the sole lock of a file. Says `false` where another writer has it; readers are waited for.
pub(crate) fn take_alone(file: &File) -> io::Result<bool> {
    for _ in 0..TRIES_MAX {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
        // Beside a reader we may look too, and beside a writer we may not.
        match file.try_lock_shared() {
            Ok(()) => file.unlock()?,
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => break,
        }
        thread::yield_now();
    }
    Ok(false)
}

/// Whether a process that lives writes to `folder`.
pub(crate) fn is_written(folder: &Path) -> io::Result<bool> {
    let file = match open_regular(&folder.join(LOCK)) {
        Ok(file) => file,
        // A folder that was copied or unpacked by somebody.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_writer_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap();
        assert!(matches!(Lock::take(folder.path()), Err(StoreError::InUse { .. })));
        assert!(is_written(folder.path()).unwrap());
        drop(lock);
        assert!(!is_written(folder.path()).unwrap());
        Lock::take(folder.path()).unwrap();
    }

    #[test]
    fn readers_do_not_keep_a_writer_out() {
        let folder = tempfile::tempdir().unwrap();
        drop(Lock::take(folder.path()).unwrap());
        let stop = std::sync::atomic::AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    is_written(folder.path()).unwrap();
                }
            });
            let taken: Vec<_> = (0..500).map(|_| Lock::take(folder.path()).is_ok()).collect();
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(taken.iter().all(|ok| *ok));
        });
    }

    #[test]
    fn a_lock_that_is_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("victim");
        std::os::unix::fs::symlink(&target, folder.path().join(LOCK)).unwrap();
        assert!(Lock::take(folder.path()).is_err());
        assert!(!target.exists());
    }
}
