//! The writer of one task folder.
//!
//! Keeps: a file appears under its name when it is whole; `manifest.json` comes last and lists the
//! others; a writer that is dropped, or whose process dies, leaves a folder that reads as lost.

use crate::{
    Manifest, ManifestFile, Place, RunLog, StoreError, TaskInfo,
    disk::{
        Written, digest_of, is_real_folder, make_folder, open_regular, sync_folder, write_json,
        write_whole,
    },
    lock::Lock,
    names::{COMING, EVENTS, FOLDERS, MANIFEST, TASK, check_result},
    output::take_over,
};
use assay_model::{AnalysisOutcome, Report};
use std::{
    collections::BTreeMap,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// The results of one analysis while it runs.
///
/// Made by [`ResultsRoot::create`](crate::ResultsRoot::create). May be shared: files can be
/// written from several threads at once. [`finish`](Self::finish) ends it.
#[derive(Debug)]
pub struct TaskFolder {
    place: Place,
    info: TaskInfo,
    files: Mutex<BTreeMap<String, Written>>,
    _lock: Lock,
}

// === impl TaskFolder ===

impl TaskFolder {
    /// Makes a folder that is not there yet. Nobody sees it before it says whose it is.
    pub(crate) fn create_new(dir: PathBuf, info: &TaskInfo) -> Result<(Self, RunLog), StoreError> {
        let failed = |error| StoreError::io("made", &dir, error);
        if fs::symlink_metadata(&dir).is_ok() {
            return Err(StoreError::Exists { path: dir });
        }
        let staged = dir.with_file_name(format!("{COMING}{}", info.task));
        make_folder(&staged).map_err(failed)?;
        let made = Lock::take(&staged).and_then(|lock| {
            furnish(&staged, info)?;
            // A task folder is never empty, so this cannot replace one that came meanwhile.
            fs::rename(&staged, &dir).map_err(|error| match error.kind() {
                io::ErrorKind::DirectoryNotEmpty => StoreError::Exists { path: dir.clone() },
                _ => failed(error),
            })?;
            Ok(lock)
        });
        let lock = made.inspect_err(|_| {
            fs::remove_dir_all(&staged).ok();
        })?;
        if let Some(parent) = dir.parent() {
            sync_folder(parent).ok();
        }
        Self::open(dir, info, lock)
    }

    /// Takes over a folder that the user named, which is empty or holds older results.
    pub(crate) fn create_in(dir: &Path, info: &TaskInfo) -> Result<(Self, RunLog), StoreError> {
        let (dir, lock) = take_over(dir)?;
        furnish(&dir, info)?;
        Self::open(dir, info, lock)
    }

    fn open(dir: PathBuf, info: &TaskInfo, lock: Lock) -> Result<(Self, RunLog), StoreError> {
        let log = RunLog::create(&dir.join(EVENTS))?;
        let files = Mutex::default();
        let place = Place { dir, fell_back: None };
        Ok((Self { place, info: info.clone(), files, _lock: lock }, log))
    }

    pub(crate) fn fell_back(&mut self, reason: String) {
        self.place.fell_back = Some(reason);
    }

    /// Where the results are, and why they are not where they should be.
    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn dir(&self) -> &Path {
        &self.place.dir
    }

    pub fn info(&self) -> &TaskInfo {
        &self.info
    }

    /// Writes one result: `report.json`, `sarif/static_ruff.sarif.json`. It appears when it is
    /// whole, and replaces an older one of that name. If `fill` fails, nothing changes.
    pub fn write(
        &self,
        name: &str,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        check_result(name)?;
        let target = self.place.dir.join(name);
        if let Some((below, _)) = name.split_once('/') {
            self.ensure_below(below)?;
        }
        let written = write_whole(&target, fill)?;
        self.files
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(name.to_owned(), written);
        Ok(())
    }

    /// Takes a copy of a file that was written elsewhere: the output of a tool.
    pub fn copy_in(&self, name: &str, from: &Path) -> Result<(), StoreError> {
        let mut file = open_regular(from).map_err(|error| StoreError::unreadable(from, error))?;
        self.write(name, |out| io::copy(&mut file, out).map(drop))
    }

    /// Ends the analysis: closes its log, lists the files and writes the manifest. If the log has
    /// no last event, it gets one with the report's outcome.
    pub fn finish(self, log: RunLog, report: &Report) -> Result<Manifest, StoreError> {
        log.end(report.duration_ms, report.outcome)?;
        let dir = &self.place.dir;
        let mut files = self.files.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        for name in streams(dir) {
            if !files.contains_key(&name) {
                files.insert(name.clone(), digest_of(&dir.join(&name))?);
            }
        }
        for name in [EVENTS, TASK] {
            files.insert(name.to_owned(), digest_of(&dir.join(name))?);
        }
        let files = files.into_iter().map(|(name, Written { bytes, blake3 })| ManifestFile {
            name,
            bytes,
            blake3,
        });
        let manifest = Manifest::of(report, files.collect());
        for name in FOLDERS {
            sync_folder(&dir.join(name))?;
        }
        sync_folder(dir)?;
        write_json(&dir.join(MANIFEST), &manifest)?;
        sync_folder(dir)?;
        Ok(manifest)
    }

    /// Gives the folder up, on purpose: it reads as lost from now on.
    pub fn abandon(self, log: RunLog) -> Result<(), StoreError> {
        log.end(0, AnalysisOutcome::Lost)
    }

    fn ensure_below(&self, name: &str) -> Result<(), StoreError> {
        let below = self.place.dir.join(name);
        if is_real_folder(&below) {
            return Ok(());
        }
        match make_folder(&below) {
            // Two threads may write the first two files of it.
            Err(_) if is_real_folder(&below) => Ok(()),
            made => made.map_err(|error| StoreError::io("made", &below, error)),
        }
    }
}

/// Lists what tools wrote straight into `logs/`.
fn streams(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir.join("logs")).into_iter().flatten().flatten();
    let regular = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let names = regular.filter_map(|entry| entry.file_name().into_string().ok());
    names.map(|name| format!("logs/{name}")).filter(|name| check_result(name).is_ok()).collect()
}

/// Makes what every task folder has. `task.json` comes first: by it the folder is known as ours.
fn furnish(dir: &Path, info: &TaskInfo) -> Result<(), StoreError> {
    write_json(&dir.join(TASK), info)?;
    for name in FOLDERS {
        let below = dir.join(name);
        if !is_real_folder(&below) {
            make_folder(&below).map_err(|error| StoreError::io("made", &below, error))?;
        }
    }
    Ok(())
}
