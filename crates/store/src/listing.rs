//! All task folders under some roots.
//!
//! Keeps: a folder that cannot be read is named with the reason and hides no other; what is not
//! ours is passed over; no link below a root is followed.

use crate::{
    Entry, StoreError,
    disk::is_real_folder,
    names::{MANIFEST, TASK, looks_like_task},
};
use std::{
    cmp::Reverse,
    fs,
    path::{Path, PathBuf},
};

/// What is there, newest first.
#[derive(Debug, Default)]
pub struct Listing {
    pub entries: Vec<Entry>,
    /// Task folders of which nothing can be told.
    pub unreadable: Vec<Unreadable>,
}

/// A task folder of which nothing can be told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unreadable {
    pub path: PathBuf,
    pub why: String,
}

/// Lists the task folders under `roots`, those of running analyses included. A root that is itself
/// a task folder counts as one; a root that is not there holds none.
pub fn list(roots: &[PathBuf]) -> Listing {
    let mut listing = Listing::default();
    for root in roots {
        if is_task_folder(root) {
            listing.take(root);
        } else {
            listing.visit_root(root);
        }
    }
    listing.entries.sort_by_cached_key(|entry| {
        Reverse((entry.started, entry.task.clone(), entry.path.clone()))
    });
    listing.entries.dedup_by(|one, other| one.path == other.path);
    listing.unreadable.sort();
    listing.unreadable.dedup();
    listing
}

/// Finds one task: by its name, by the beginning of it, as `latest` (the newest that does not run
/// any more, however it ended), or by the path of its folder.
pub fn find(roots: &[PathBuf], asked: &str) -> Result<Entry, StoreError> {
    if asked.contains('/') {
        let path = Path::new(asked);
        return if is_task_folder(path) {
            Entry::open(path)
        } else {
            Err(StoreError::NoTask { asked: asked.to_owned(), near: Vec::new() })
        };
    }
    list(roots).find(asked).cloned()
}

// === impl Listing ===

impl Listing {
    /// Finds one of the entries, as [`find`] does.
    pub fn find(&self, asked: &str) -> Result<&Entry, StoreError> {
        if asked == "latest" {
            let ended = |entry: &&Entry| entry.state != crate::TaskState::Running;
            return self.entries.iter().find(ended).ok_or(StoreError::NoTasks);
        }
        let name = asked.strip_prefix("task_").unwrap_or(asked);
        let matching = |test: &dyn Fn(&str) -> bool| -> Vec<&Entry> {
            self.entries.iter().filter(|entry| test(entry.task.as_str())).collect()
        };
        // A whole name is not made ambiguous by a longer one.
        let mut matches = matching(&|task| task == name);
        if matches.is_empty() && !name.is_empty() {
            matches = matching(&|task| task.starts_with(name));
        }
        match matches[..] {
            [one] => Ok(one),
            [] => match self.unreadable_named(name) {
                Some(broken) => Err(StoreError::unreadable(&broken.path, &broken.why)),
                None => Err(StoreError::NoTask { asked: asked.to_owned(), near: self.near(name) }),
            },
            _ => Err(StoreError::Ambiguous {
                asked: asked.to_owned(),
                matches: matches.iter().map(|entry| self.distinct_name(entry)).collect(),
            }),
        }
    }

    /// Somebody who asks for a broken task wants to hear what is wrong with it.
    fn unreadable_named(&self, name: &str) -> Option<&Unreadable> {
        let is_it = |broken: &&Unreadable| {
            let folder = broken.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let folder = folder.strip_prefix("task_").unwrap_or(folder);
            !name.is_empty() && folder.starts_with(name)
        };
        self.unreadable.iter().find(is_it)
    }

    /// The task's name, or its path where the name alone would not tell it from a copy.
    fn distinct_name(&self, entry: &Entry) -> String {
        let copies = self.entries.iter().filter(|other| other.task == entry.task).count();
        if copies == 1 { entry.task.to_string() } else { entry.path.display().to_string() }
    }

    fn near(&self, name: &str) -> Vec<String> {
        /// Beyond this a name is no slip of the fingers.
        const SLIPS_MAX: usize = 4;
        let mut near: Vec<_> = self
            .entries
            .iter()
            .map(|entry| (strsim::damerau_levenshtein(entry.task.as_str(), name), entry))
            .filter(|(slips, _)| *slips <= SLIPS_MAX)
            .collect();
        near.sort_by_key(|(slips, _)| *slips);
        near.iter().take(3).map(|(_, entry)| entry.task.to_string()).collect()
    }

    fn take(&mut self, path: &Path) {
        match Entry::open(path) {
            Ok(entry) => self.entries.push(entry),
            // Removed by somebody while we looked.
            Err(_) if !path.exists() => {}
            Err(error) => self.refuse(path, error.to_string()),
        }
    }

    fn refuse(&mut self, path: &Path, why: String) {
        self.unreadable.push(Unreadable { path: path.to_owned(), why });
    }

    /// Visits `<task>/` and `<model>/app<N>/task_<id>/`.
    fn visit_root(&mut self, root: &Path) {
        for path in self.folders(root) {
            if is_task_folder(&path) {
                self.take(&path);
                continue;
            }
            for app in self.folders(&path) {
                if is_app_folder(&app) {
                    for task in self.folders(&app) {
                        if is_task_folder(&task) {
                            self.take(&task);
                        }
                    }
                }
            }
        }
    }

    /// The folders in `path`, links and hidden ones left out.
    fn folders(&mut self, path: &Path) -> Vec<PathBuf> {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(_) if !is_real_folder(path) => return Vec::new(),
            Err(error) => {
                self.refuse(path, error.to_string());
                return Vec::new();
            }
        };
        let mut folders = Vec::new();
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_symlink() && looks_like_task(&name) {
                self.refuse(&entry.path(), "it is a link, and links are not followed".to_owned());
            }
            if kind.is_dir() && !name.starts_with('.') {
                folders.push(entry.path());
            }
        }
        folders
    }
}

/// Whether a folder claims to be that of a task, by its name or by what is in it.
pub(crate) fn is_task_folder(path: &Path) -> bool {
    let named = path.file_name().and_then(|name| name.to_str()).is_some_and(looks_like_task);
    let marked = |name| fs::symlink_metadata(path.join(name)).is_ok();
    path.is_dir() && (named || marked(TASK) || (marked(MANIFEST) && crate::output::is_ours(path)))
}

pub(crate) fn is_app_folder(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix("app").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}
