//! Old results leave.
//!
//! Keeps: a running analysis is never removed, nor what cannot be read, nor anything behind a link;
//! without a plan nothing is removed.

use crate::{
    Entry, StoreError, TaskState, Unreadable, list,
    listing::{is_app_folder, is_task_folder},
    lock::Lock,
    names::{COMING, GOING, TASK},
};
use assay_model::AppRef;
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// What may leave: what every given condition allows. None given: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrunePlan {
    /// So many of the newest stay, of each app.
    pub keep_last: Option<usize>,
    /// What started at this time or later stays.
    pub older_than: Option<Timestamp>,
}

/// Whether it is done or only told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruning {
    DryRun,
    Remove,
}

/// What left, or would.
#[derive(Debug, Default)]
pub struct Pruned {
    pub removed: Vec<Entry>,
    pub bytes: u64,
    /// What should have left and did not.
    pub failed: Vec<Unreadable>,
}

// === impl PrunePlan ===

impl PrunePlan {
    /// Chooses from `entries`, newest first. A running analysis counts as one of the newest.
    fn choose(self, entries: Vec<Entry>) -> Vec<Entry> {
        if self == Self::default() {
            return Vec::new();
        }
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut leave = |entry: &Entry| {
            let of_app = seen.entry(app_key(&entry.app)).or_default();
            *of_app += 1;
            entry.state != TaskState::Running
                && self.keep_last.is_none_or(|keep| *of_app > keep)
                && self.older_than.is_none_or(|time| entry.started < time)
        };
        entries.into_iter().filter(|entry| leave(entry)).collect()
    }
}

/// A path could be spelt like a model's app.
fn app_key(app: &AppRef) -> String {
    match app {
        AppRef::Path { path } => format!("path {path}"),
        AppRef::ModelApp { .. } => format!("model {app}"),
    }
}

/// Removes old task folders under `roots`, and what dead processes left half made there.
pub fn prune(roots: &[PathBuf], plan: PrunePlan, pruning: Pruning) -> Pruned {
    let mut pruned = Pruned::default();
    for entry in plan.choose(list(roots).entries) {
        // A root that is a task folder was named by the user and may hold other things.
        if roots.contains(&entry.path) {
            continue;
        }
        let bytes = size_of(&entry.path);
        let done = match pruning {
            Pruning::DryRun => Ok(()),
            Pruning::Remove => remove(&entry.path),
        };
        match done {
            Ok(()) => {
                pruned.bytes += bytes;
                pruned.removed.push(entry);
            }
            Err(error) => {
                pruned.failed.push(Unreadable { path: entry.path, why: error.in_full() });
            }
        }
    }
    if pruning == Pruning::Remove {
        for root in roots {
            sweep(root);
        }
    }
    pruned
}

/// Takes a task folder out of sight in one step, and then apart.
fn remove(path: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| StoreError::io("removed", path, error);
    // An analysis may have begun to write here since we looked.
    let _lock = Lock::take(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let going = path.with_file_name(format!("{GOING}{name}"));
    fs::rename(path, &going).map_err(failed)?;
    // Does not follow links.
    fs::remove_dir_all(&going).map_err(failed)
}

/// Removes what dead processes left half made or half removed under a root.
fn sweep(root: &Path) {
    sweep_folder(root);
    for model in folders(root).filter(|path| !is_task_folder(path)) {
        folders(&model).filter(|path| is_app_folder(path)).for_each(|app| sweep_folder(&app));
    }
}

fn sweep_folder(folder: &Path) {
    for path in folders(folder) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Who makes a folder takes its lock before writing `task.json`. Without that file the
        // maker may live and not have come to the lock yet.
        let coming = name.starts_with(COMING) && path.join(TASK).exists();
        // Holding the lock until the end keeps two sweepers apart.
        if name.starts_with(GOING) || coming {
            let Ok(_lock) = Lock::take(&path) else { continue };
            fs::remove_dir_all(&path).ok();
        }
    }
}

/// The folders in `folder`, hidden ones too, links left out.
fn folders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
}

fn size_of(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.metadata().ok().map(|meta| (entry.path(), meta)))
        .map(|(path, meta)| if meta.is_dir() { size_of(&path) } else { meta.len() })
        .sum()
}
