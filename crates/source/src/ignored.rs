//! `.gitignore` and `.assayignore`: what the app's owner does not want looked at.

use crate::git::Repository;
use assay_model::SkipCause;
use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// An ignore file above this is not one a person wrote, and is not read.
const IGNORE_FILE_BYTES_MAX: usize = 1 << 20;

/// Each rule is compiled and tried on every path. Beyond this they hide nothing any more, so more is
/// analysed and not less.
const ALL_IGNORE_FILES_BYTES_MAX: usize = 1 << 20;

/// The two kinds of ignore file, in the order in which they are asked.
const NAMES: [(&str, SkipCause); 2] =
    [(".assayignore", SkipCause::AssayIgnore), (".gitignore", SkipCause::GitIgnore)];

/// The rules in force in one folder: its own and those of the folders around it.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// Outermost first; each with the cause that it stands for.
    stack: Vec<(usize, SkipCause, Gitignore)>,
    /// Tracked files are never hidden by `.gitignore`.
    tracked: Tracked,
    /// Bytes of ignore files that were read.
    read: usize,
}

#[derive(Debug, Default)]
struct Tracked {
    /// The root of the walk, relative to the repository's top.
    prefix: Vec<u8>,
    paths: BTreeSet<Vec<u8>>,
}

// === impl Rules ===

impl Rules {
    /// Gathers what the repository around `root` says about it.
    pub(crate) fn around(root: &Path, repository: Option<&Repository>) -> Self {
        let mut rules = Self::default();
        let Some(repository) = repository else { return rules };
        let Ok(inner) = root.strip_prefix(&repository.top) else { return rules };
        let mut folder = repository.top.clone();
        rules.add_file(&folder, &folder.join(".git/info/exclude"), SkipCause::GitIgnore);
        for part in inner.components() {
            for (name, cause) in NAMES {
                rules.add_file(&folder, &folder.join(name), cause);
            }
            folder.push(part);
        }
        let paths = repository.tracked().unwrap_or_default();
        rules.tracked = Tracked { prefix: inner.as_os_str().as_bytes().to_vec(), paths };
        rules
    }

    /// Takes in the ignore files of a folder of the walk. `text` reads one of its files.
    pub(crate) fn enter(
        &mut self,
        folder: &Path,
        depth: usize,
        mut text: impl FnMut(&str) -> Option<Vec<u8>>,
    ) {
        for (name, cause) in NAMES {
            let Some(bytes) = text(name) else { continue };
            self.read = self.read.saturating_add(bytes.len());
            if self.read > ALL_IGNORE_FILES_BYTES_MAX {
                continue;
            }
            let mut builder = GitignoreBuilder::new(folder);
            for line in String::from_utf8_lossy(&bytes).lines() {
                // A line that is no glob hides nothing; the others still hold.
                builder.add_line(None, line).ok();
            }
            if let Ok(matcher) = builder.build() {
                self.stack.push((depth, cause, matcher));
            }
        }
    }

    /// Forgets the rules of folders deeper than `depth`.
    pub(crate) fn leave_to(&mut self, depth: usize) {
        self.stack.retain(|(at, ..)| *at < depth);
    }

    /// Tells whether `path` (absolute) is hidden, and by which kind of file. The innermost file
    /// that speaks wins, as in git.
    pub(crate) fn hidden(
        &self,
        path: &Path,
        relative: &OsStr,
        is_folder: bool,
    ) -> Option<SkipCause> {
        NAMES.into_iter().find_map(|(_, cause)| {
            let verdict = self
                .stack
                .iter()
                .rev()
                .filter(|(_, of, _)| *of == cause)
                .map(|(_, _, matcher)| matcher.matched_path_or_any_parents(path, is_folder))
                .find(|verdict| !verdict.is_none());
            let hidden = matches!(verdict, Some(Match::Ignore(_)));
            let kept = cause == SkipCause::GitIgnore && self.tracked.holds(relative, is_folder);
            (hidden && !kept).then_some(cause)
        })
    }

    fn add_file(&mut self, folder: &Path, file: &PathBuf, cause: SkipCause) {
        let mut builder = GitignoreBuilder::new(folder);
        let small = std::fs::metadata(file)
            .is_ok_and(|kind| kind.is_file() && kind.len() <= IGNORE_FILE_BYTES_MAX as u64);
        if small
            && builder.add(file).is_none()
            && let Ok(matcher) = builder.build()
        {
            self.stack.push((0, cause, matcher));
        }
    }
}

impl Tracked {
    fn holds(&self, relative: &OsStr, is_folder: bool) -> bool {
        let mut full = self.prefix.clone();
        if !full.is_empty() {
            full.push(b'/');
        }
        full.extend_from_slice(relative.as_bytes());
        if !is_folder {
            return self.paths.contains(&full);
        }
        full.push(b'/');
        self.paths.range(full.clone()..).next().is_some_and(|next| next.starts_with(&full))
    }
}
