//! How long tools took and how much memory, learnt: `durations.json` in the cache.
//!
//! Keeps: the file is whole at every moment; two processes that save at once both leave their
//! tools in it. What is broken there counts as not learnt, never as an error.
//!
//! Does not: judge or average; `rules` does that.

use crate::{
    StoreError,
    disk::{make_folders, read_json, write_json},
};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

const DURATIONS_BYTES_MAX: u64 = 1 << 20;

/// How long a save waits for another one, which takes milliseconds.
const LOCK_TRIES_MAX: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The file with what was learnt about the tools' durations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurationsFile {
    path: PathBuf,
}

/// One tool, as written: seconds, and MiB once its memory was seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    pub fixed_s: f64,
    pub per_100k_lines_s: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_mib: Option<u64>,
}

// === impl DurationsFile ===

impl DurationsFile {
    /// The file under `cache_home` (see [`cache_home`](crate::cache_home)).
    pub fn in_cache(cache_home: &Path) -> Self {
        Self::at(cache_home.join("assay/durations.json"))
    }

    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what was learnt, by tool.
    pub fn load(&self) -> BTreeMap<String, Learnt> {
        let read: BTreeMap<String, serde_json::Value> =
            read_json(&self.path, DURATIONS_BYTES_MAX).unwrap_or_default();
        read.into_iter()
            .filter_map(|(tool, value)| {
                // One broken tool must not cost the others.
                let learnt: Learnt = serde_json::from_value(value).ok()?;
                Some((tool, learnt))
            })
            .filter(|(_, learnt)| is_sane(learnt))
            .collect()
    }

    /// Writes what was learnt about these tools. Others keep what stands in the file; values that
    /// are negative or no numbers are left out.
    pub fn save(&self, learnt: &BTreeMap<String, Learnt>) -> Result<(), StoreError> {
        let failed = |error| StoreError::io("written", &self.path, error);
        make_folders(self.path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        let _lock = self.lock()?;
        let mut all = self.load();
        let sane = learnt.iter().filter(|(_, learnt)| is_sane(learnt));
        all.extend(sane.map(|(tool, learnt)| (tool.clone(), *learnt)));
        write_json(&self.path, &all).map(drop)
    }

    /// Never removed, as every lock: see `lock`.
    fn lock(&self) -> Result<File, StoreError> {
        let path = self.path.with_extension("lock");
        let failed = |error| StoreError::io("locked", &path, error);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(&path).map_err(failed)?;
        for _ in 0..LOCK_TRIES_MAX {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            }
        }
        Err(StoreError::InUse { path: self.path.clone() })
    }
}

fn is_sane(learnt: &Learnt) -> bool {
    [learnt.fixed_s, learnt.per_100k_lines_s].iter().all(|value| value.is_finite() && *value >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(tool: &str, (fixed_s, per_100k_lines_s): (f64, f64)) -> BTreeMap<String, Learnt> {
        let peak_mib = (fixed_s > 2.0).then_some(300);
        [(tool.to_owned(), Learnt { fixed_s, per_100k_lines_s, peak_mib })].into()
    }

    #[test]
    fn what_was_saved_is_loaded_and_joined_with_what_was_there() {
        let cache = tempfile::tempdir().unwrap();
        let file = DurationsFile::in_cache(cache.path());
        assert!(file.load().is_empty());
        file.save(&one("ruff", (0.1, 0.4))).unwrap();
        file.save(&one("mypy", (2.5, 30.0))).unwrap();
        file.save(&one("ruff", (0.2, 0.4))).unwrap();
        let mut expected = one("mypy", (2.5, 30.0));
        expected.extend(one("ruff", (0.2, 0.4)));
        assert_eq!(file.load(), expected);
    }

    #[test]
    fn a_broken_file_is_an_empty_one_and_can_be_saved_over() {
        let cache = tempfile::tempdir().unwrap();
        let file = DurationsFile::at(cache.path().join("durations.json"));
        for broken in ["", "{", "[]", "{\"a\": 1}", "\u{0}"] {
            std::fs::write(file.path(), broken).unwrap();
            assert!(file.load().is_empty(), "{broken:?}");
        }
        file.save(&one("ruff", (0.1, 0.4))).unwrap();
        assert_eq!(file.load().len(), 1);
    }

    #[test]
    fn one_broken_tool_hides_no_other() {
        let cache = tempfile::tempdir().unwrap();
        let file = DurationsFile::at(cache.path().join("durations.json"));
        let text = r#"{"a": {"fixed_s": -1, "per_100k_lines_s": 0}, "b": 3,
                       "c": {"fixed_s": 1, "per_100k_lines_s": 2}}"#;
        std::fs::write(file.path(), text).unwrap();
        assert_eq!(file.load(), one("c", (1.0, 2.0)));
        file.save(&one("d", (f64::NAN, 0.0))).unwrap();
        assert_eq!(file.load(), one("c", (1.0, 2.0)));
    }

    #[test]
    fn many_who_save_at_once_all_find_their_tool_again() {
        let cache = tempfile::tempdir().unwrap();
        let file = DurationsFile::in_cache(cache.path());
        thread::scope(|scope| {
            for number in 0..12 {
                let file = &file;
                scope.spawn(move || file.save(&one(&format!("t{number}"), (1.0, 1.0))).unwrap());
            }
        });
        assert_eq!(file.load().len(), 12);
    }
}
