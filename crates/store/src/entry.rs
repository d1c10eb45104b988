//! One task folder, as a reader finds it.
//!
//! Keeps: a folder is *running* while the process that writes it lives, *finished* once it has a
//! manifest, and *lost* in every other case. The lock is looked at first, so a folder that is
//! being written anew is not taken for the older analysis that it held.

use crate::{
    Manifest, Replay, StoreError, TaskInfo,
    disk::{open_limited, read_json},
    lock::is_written,
    manifest::{MANIFEST_BYTES_MAX, MANIFEST_VERSION, Marker, same_major},
    names::{EVENTS, MANIFEST, REPORT, TASK, is_result},
};
use assay_model::{AnalysisOutcome, AppRef, Counts, REPORT_VERSION, Report, TaskId};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// The most that is read of a report. One with 100,000 findings has about 100 MiB.
pub const REPORT_BYTES_MAX: u64 = 512 << 20;

/// Whether an analysis still runs, and how it ended if not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    Running,
    Finished(AnalysisOutcome),
    /// Its process died, or gave it up.
    Lost,
}

/// One analysis that left a folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub task: TaskId,
    pub app: AppRef,
    pub started: Timestamp,
    pub state: TaskState,
    /// Present once it is finished.
    pub counts: Option<Counts>,
    /// Present once it is finished.
    pub duration_ms: Option<u64>,
    /// The task folder.
    pub path: PathBuf,
}

/// A file of a task folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredFile {
    /// Relative to the task folder: `sarif/consolidated.sarif.json`.
    pub name: String,
    pub bytes: u64,
}

/// The part of a report that says how to read the rest.
#[derive(Deserialize)]
struct ReportHead {
    report_version: String,
}

// === impl TaskState ===

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.pad("running"),
            Self::Finished(outcome) => outcome.fmt(f),
            Self::Lost => f.pad("lost"),
        }
    }
}

// === impl Entry ===

impl Entry {
    /// Reads the head of a task folder.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let running = is_written(path).map_err(|error| StoreError::unreadable(path, error))?;
        let manifest = path.join(MANIFEST);
        if !running && fs::symlink_metadata(&manifest).is_ok() {
            return Ok(Self::finished(path, read_versioned(&manifest)?));
        }
        let task = path.join(TASK);
        if fs::symlink_metadata(&task).is_err() {
            return Err(StoreError::unreadable(path, format!("it has no `{TASK}`")));
        }
        let info: TaskInfo = read_versioned(&task)?;
        let state = if running { TaskState::Running } else { TaskState::Lost };
        Ok(Self {
            task: info.task,
            app: info.app,
            started: info.started,
            state,
            counts: None,
            duration_ms: None,
            path: path.to_owned(),
        })
    }

    fn finished(path: &Path, manifest: Manifest) -> Self {
        Self {
            task: manifest.task,
            app: manifest.app,
            started: manifest.started,
            state: TaskState::Finished(manifest.outcome),
            counts: Some(manifest.counts),
            duration_ms: Some(manifest.duration_ms),
            path: path.to_owned(),
        }
    }

    /// Reads the manifest, which only a finished analysis has.
    pub fn load_manifest(&self) -> Result<Manifest, StoreError> {
        self.must_be_finished()?;
        read_versioned(&self.path.join(MANIFEST))
    }

    /// Reads the report, which only a finished analysis has; at most [`REPORT_BYTES_MAX`] of it.
    pub fn load_report(&self) -> Result<Report, StoreError> {
        self.load_report_up_to(REPORT_BYTES_MAX)
    }

    /// Reads the report if it has at most `limit` bytes.
    pub fn load_report_up_to(&self, limit: u64) -> Result<Report, StoreError> {
        self.must_be_finished()?;
        let path = self.path.join(REPORT);
        let head: ReportHead = read_json(&path, limit)?;
        // A report of another shape may well parse, and then say something else.
        if !same_major(&head.report_version, REPORT_VERSION) {
            let found = head.report_version;
            return Err(StoreError::OtherVersion { path, found, known: REPORT_VERSION });
        }
        read_json(&path, limit)
    }

    /// Reads what happened, also while it happens.
    pub fn load_events(&self) -> Result<Replay, StoreError> {
        Replay::read(&self.path.join(EVENTS))
    }

    /// Opens one of its files, of at most `limit` bytes.
    pub fn open_file(&self, name: &str, limit: u64) -> Result<impl io::Read + use<>, StoreError> {
        is_result(name).map_err(|why| StoreError::BadName { name: name.to_owned(), why })?;
        if let Some((below, _)) = name.split_once('/')
            && !crate::disk::is_real_folder(&self.path.join(below))
        {
            return Err(StoreError::unreadable(&self.path.join(name), "it lies in no folder"));
        }
        open_limited(&self.path.join(name), limit)
    }

    /// Lists its files by name. Links, unfinished files and what lies deeper are left out.
    pub fn files(&self) -> Result<Vec<StoredFile>, StoreError> {
        let mut files = Vec::new();
        collect(&self.path, "", &mut files)?;
        files.sort();
        Ok(files)
    }

    fn must_be_finished(&self) -> Result<(), StoreError> {
        match self.state {
            TaskState::Finished(_) => Ok(()),
            state @ (TaskState::Running | TaskState::Lost) => {
                Err(StoreError::NoReport { task: self.task.clone(), state })
            }
        }
    }
}

/// Lists the files of one folder, and of those in it if it is the task folder itself.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<StoredFile>) -> Result<(), StoreError> {
    let failed = |error| StoreError::io("listed", folder, error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Some(name) = entry.file_name().to_str().map(|name| format!("{prefix}{name}")) else {
            continue;
        };
        // Does not follow links.
        let meta = entry.metadata().map_err(failed)?;
        if is_result(&name).is_err() {
            continue;
        }
        if meta.is_file() {
            files.push(StoredFile { name, bytes: meta.len() });
        } else if meta.is_dir() && prefix.is_empty() {
            collect(&entry.path(), &format!("{name}/"), files)?;
        }
    }
    Ok(())
}

/// Reads a manifest or task file if this Assay knows its shape.
fn read_versioned<T: DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    let marker: Marker = read_json(path, MANIFEST_BYTES_MAX)?;
    if !same_major(&marker.manifest_version, MANIFEST_VERSION) {
        let (path, found) = (path.to_owned(), marker.manifest_version);
        return Err(StoreError::OtherVersion { path, found, known: MANIFEST_VERSION });
    }
    read_json(path, MANIFEST_BYTES_MAX)
}
