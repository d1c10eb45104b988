//! What of the app one tool does not see as it is, and the way back.
//!
//! Keeps: what a tool says about a file that it saw under another name is about the file's own name;
//! whatever was kept from a tool is told.

use super::tool::Done;
use assay_model::{SourcePath, ToolRun, Treatment};
use assay_source::{Change, Snapshot, Stage};
use assay_tools::{CallResult, NEUTRAL_NAME, Rest, Tool};
use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::Path,
    sync::Arc,
};

/// Names that a note tells; the rest is counted.
const NAMES_MAX: usize = 3;

/// The files by which the app could steer one tool, and what became of each.
#[derive(Debug)]
pub(crate) struct Staging {
    snapshot: Arc<Snapshot>,
    changes: BTreeMap<SourcePath, Change>,
    /// From the name that the tool sees to the file's own.
    own_names: HashMap<SourcePath, SourcePath>,
    /// Files that the tool would have read, were they not hidden.
    missed: u64,
}

// === impl Staging ===

impl Staging {
    /// Looks for files that could steer the tool; `None` where it sees the app as it is.
    pub(crate) fn of(tool: &Tool, snapshot: &Arc<Snapshot>) -> Option<Self> {
        let mut staging = Self {
            snapshot: Arc::clone(snapshot),
            changes: BTreeMap::new(),
            own_names: HashMap::new(),
            missed: 0,
        };
        for file in snapshot.files() {
            let change = match tool.treatment(&file.path) {
                None => continue,
                Some(Treatment::Hide) => Some(Change::Hidden),
                Some(Treatment::Rename) => Some(Change::Renamed(staging.neutral(&file.path))),
                Some(Treatment::Sections) => staging.rest_of(tool, &file.path),
            };
            let Some(change) = change else { continue };
            let would_read = tool.matches(&file.path, file.language, file.is_text());
            match &change {
                Change::Hidden => staging.missed += u64::from(would_read),
                Change::Renamed(name) => {
                    staging.own_names.insert(name.clone(), file.path.clone());
                }
                Change::Replaced(_) => {}
            }
            staging.changes.insert(file.path.clone(), change);
        }
        (!staging.changes.is_empty()).then_some(staging)
    }

    fn rest_of(&self, tool: &Tool, path: &SourcePath) -> Option<Change> {
        // What cannot be read is not shown.
        let bytes = fs::read(self.snapshot.root().join(path.as_str())).unwrap_or_default();
        match tool.rest_of(path, &bytes) {
            Rest::All => None,
            Rest::Without(rest) => Some(Change::Replaced(rest)),
            Rest::Unknown => Some(Change::Hidden),
        }
    }

    /// Finds a name beside the file that nothing else has. Only the ending is kept, since that says
    /// what kind of file it is.
    fn neutral(&self, path: &SourcePath) -> SourcePath {
        let (folder, name) = (path.parent(), path.file_name());
        let ending = name.rfind('.').filter(|dot| *dot > 0).map_or("", |dot| &name[dot..]);
        let mut number = self.own_names.len() + 1;
        loop {
            let name = format!("{folder}/{NEUTRAL_NAME}{number}{ending}");
            let name = SourcePath::new(name.trim_start_matches('/'))
                .expect("a folder of a `SourcePath` and a plain name are one");
            if !self.own_names.contains_key(&name) && !self.snapshot.holds(&name) {
                return name;
            }
            number += 1;
        }
    }

    /// Returns the files under the names that the tool sees, without those that it does not see.
    pub(crate) fn as_seen(&self, files: Vec<SourcePath>) -> Vec<SourcePath> {
        let seen = files.into_iter().filter_map(|file| match self.changes.get(&file) {
            Some(Change::Hidden) => None,
            Some(Change::Renamed(name)) => Some(name.clone()),
            Some(Change::Replaced(_)) | None => Some(file),
        });
        seen.collect()
    }

    /// Whether the tool sees a file of that name.
    pub(crate) fn shows(&self, name: &SourcePath) -> bool {
        match self.changes.get(name) {
            Some(Change::Hidden | Change::Renamed(_)) => false,
            Some(Change::Replaced(_)) => true,
            None => self.own_names.contains_key(name) || self.snapshot.holds(name),
        }
    }

    /// Makes the tool's tree in `into`. Blocks.
    pub(crate) fn make(&self, into: &Path) -> io::Result<Stage> {
        self.snapshot.stage(into, &self.changes)
    }

    /// Gives every file its own name back in what the tool said.
    pub(crate) fn restore(&self, done: &mut Done) {
        if self.own_names.is_empty() {
            return;
        }
        for observation in &mut done.observations {
            self.restore_text(&mut observation.message);
            if let Some(location) = &mut observation.location {
                self.restore_path(&mut location.path);
            }
        }
        for CallResult { reading, stderr_tail, .. } in &mut done.calls {
            self.restore_text(stderr_tail);
            let Ok(reading) = reading else { continue };
            reading.files_failed.iter_mut().for_each(|path| self.restore_path(path));
            reading.files_failed.sort();
            for text in reading.complaints.iter_mut().chain(&mut reading.notes) {
                self.restore_text(text);
            }
        }
    }

    fn restore_path(&self, path: &mut SourcePath) {
        if let Some(own) = self.own_names.get(path) {
            own.clone_into(path);
        }
    }

    fn restore_text(&self, text: &mut String) {
        if !text.contains(NEUTRAL_NAME) {
            return;
        }
        // Longer names first: the beginning of one may be another.
        let mut names: Vec<_> = self.own_names.iter().collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.file_name().len()));
        for (name, own) in names {
            *text = text.replace(name.file_name(), own.file_name());
        }
    }

    /// Says what was kept from the tool.
    pub(crate) fn tell(&self, run: &mut ToolRun) {
        let of = |wanted: fn(&Change) -> bool| {
            let paths = self.changes.iter().filter(|(_, change)| wanted(change));
            paths.map(|(path, _)| path).collect::<Vec<_>>()
        };
        let kinds: [(Vec<&SourcePath>, &str); 3] = [
            (of(|change| *change == Change::Hidden), "hidden from it"),
            (of(|change| matches!(change, Change::Renamed(_))), "shown to it under another name"),
            (
                of(|change| matches!(change, Change::Replaced(_))),
                "shown to it without its sections",
            ),
        ];
        for (paths, what) in kinds {
            run.notes.extend(note(&paths, what));
        }
        if self.missed > 0 && run.clean {
            run.clean = false;
            run.notes.push(format!("{} of the hidden files it would have read", self.missed));
        }
    }
}

fn note(paths: &[&SourcePath], what: &str) -> Option<String> {
    let (files, were) = match paths.len() {
        0 => return None,
        1 => ("file", "was"),
        _ => ("files", "were"),
    };
    let names: Vec<_> = paths.iter().take(NAMES_MAX).map(|path| format!("`{path}`")).collect();
    let more = if paths.len() > NAMES_MAX { ", …" } else { "" };
    Some(format!(
        "{} {files} of the app that could steer it {were} {what}: {}{more}",
        paths.len(),
        names.join(", ")
    ))
}
