//! Locks, scratch folders and finished installations.
//!
//! Keeps: who holds the [`Lock`] of a target is alone in making it, among all processes; a folder
//! under `tools` with a marker is whole, since it was renamed there whole; a scratch folder whose
//! maker is dead is removed by the next who comes by.

use crate::error::ProvisionError;
use assay_model::Digest;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const MARKER: &str = ".assay-installation.json";

/// How often a lock that somebody holds is tried again. An installation takes seconds.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// The sole right to make one target. Given back when dropped, also by a process that dies.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

/// A folder for work that is not finished. Removed when dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// Locked: says to others that its maker lives.
    _alive: File,
}

/// A finished installation, as its marker tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub name: String,
    pub version: String,
    pub digest: Digest,
    /// Where it is; known from where the marker was found.
    #[serde(skip)]
    pub path: PathBuf,
}

// === impl Lock ===

impl Lock {
    /// Waits until nobody else makes `target`. `waiting` is called once if somebody does.
    pub(crate) async fn take(
        cache: &Path,
        target: &str,
        cancel: &CancellationToken,
        waiting: impl FnOnce(),
    ) -> Result<Self, ProvisionError> {
        let mut waiting = Some(waiting);
        loop {
            if let Some(lock) = Self::try_take(cache, target)? {
                return Ok(lock);
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(ProvisionError::Cancelled),
                () = sleep(LOCK_PAUSE) => {}
            }
        }
    }

    pub(crate) fn try_take(cache: &Path, target: &str) -> Result<Option<Self>, ProvisionError> {
        let folder = cache.join("locks");
        let path = folder.join(target);
        let failed = |error| ProvisionError::io(&path, error);
        fs::create_dir_all(&folder).map_err(failed)?;
        // Never removed: whoever held the removed file and whoever made it anew would both be alone.
        let file =
            File::options().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

// === impl Scratch ===

impl Scratch {
    pub(crate) fn new(cache: &Path) -> Result<Self, ProvisionError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = cache.join("tmp");
        let failed = |error| ProvisionError::io(&folder, error);
        fs::create_dir_all(&folder).map_err(failed)?;
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{}-{count}", process::id()));
            match fs::create_dir(&path) {
                // Left by a dead process that had our number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.map_err(failed)?,
            }
            // Somebody who sweeps may have been here between the two steps.
            let Ok(alive) = File::open(&path) else { continue };
            if alive.try_lock().is_ok() && path.is_dir() {
                return Ok(Self { path, _alive: alive });
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what dead processes left behind.
    pub(crate) fn sweep(cache: &Path) {
        let Ok(entries) = fs::read_dir(cache.join("tmp")) else { return };
        for entry in entries.filter_map(Result::ok) {
            let Ok(folder) = File::open(entry.path()) else { continue };
            if folder.try_lock().is_ok() {
                remove(&entry.path());
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// An installer that was just killed may still have written a file behind our back.
fn remove(path: &Path) {
    for _ in 0..3 {
        if fs::remove_dir_all(path).is_ok() {
            return;
        }
    }
}

// === impl Kept ===

impl Kept {
    /// The installation `target`, if it is whole.
    pub(crate) fn find(cache: &Path, target: &str) -> Option<Self> {
        Self::read(cache.join("tools").join(target))
    }

    fn read(path: PathBuf) -> Option<Self> {
        let text = fs::read(path.join(MARKER)).ok()?;
        let kept: Self = serde_json::from_slice(&text).ok()?;
        Some(Self { path, ..kept })
    }

    /// Every whole installation, by name.
    pub(crate) fn all(cache: &Path) -> Vec<Self> {
        let Ok(entries) = fs::read_dir(cache.join("tools")) else { return Vec::new() };
        let mut all: Vec<Self> =
            entries.filter_map(|entry| Self::read(entry.ok()?.path())).collect();
        all.sort_by(|a, b| (&a.name, &a.version, &a.path).cmp(&(&b.name, &b.version, &b.path)));
        all
    }

    /// Marks `made` as whole and puts it in its place. The caller holds the target's lock.
    pub(crate) fn publish(
        mut self,
        cache: &Path,
        target: &str,
        made: &Path,
    ) -> Result<Self, ProvisionError> {
        let failed = |error| ProvisionError::io(made, error);
        let text = serde_json::to_vec_pretty(&self).map_err(|error| failed(error.into()))?;
        fs::write(made.join(MARKER), text).map_err(failed)?;
        let tools = cache.join("tools");
        fs::create_dir_all(&tools).map_err(failed)?;
        let place = tools.join(target);
        if place.exists() {
            // It has no marker, or we would not be here: somebody took a part of it away.
            fs::remove_dir_all(&place).map_err(failed)?;
        }
        fs::rename(made, &place).map_err(failed)?;
        self.path = place;
        Ok(self)
    }

    /// Its folder's name, which is also the name of its lock.
    pub(crate) fn target(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Kept {
        let digest = Digest::new(&"0".repeat(64)).unwrap();
        Kept { name: "x".into(), version: "1".into(), digest, path: PathBuf::new() }
    }

    #[test]
    fn a_lock_is_held_by_one_and_given_back() {
        let cache = testkit::tempdir().unwrap();
        let first = Lock::try_take(cache.path(), "x").unwrap();
        assert!(first.is_some());
        assert!(Lock::try_take(cache.path(), "x").unwrap().is_none());
        drop(first);
        assert!(Lock::try_take(cache.path(), "x").unwrap().is_some());
    }

    #[test]
    fn only_the_scratch_of_the_dead_is_swept() {
        let cache = testkit::tempdir().unwrap();
        let alive = Scratch::new(cache.path()).unwrap();
        let dead = cache.path().join("tmp/1-0");
        fs::create_dir_all(dead.join("deep/er")).unwrap();
        Scratch::sweep(cache.path());
        assert!(alive.path().is_dir() && !dead.exists());
        let path = alive.path().to_owned();
        drop(alive);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_without_a_marker_is_no_installation_and_is_replaced() {
        let cache = testkit::tempdir().unwrap();
        let place = cache.path().join("tools/x-1");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("rest"), "").unwrap();
        assert_eq!(Kept::find(cache.path(), "x-1"), None);
        let made = cache.path().join("made");
        fs::create_dir(&made).unwrap();
        kept().publish(cache.path(), "x-1", &made).unwrap();
        assert!(!place.join("rest").exists());
        let found = Kept::find(cache.path(), "x-1").unwrap();
        assert_eq!((found.target(), Kept::all(cache.path())), ("x-1".to_owned(), vec![found]));
    }
}
