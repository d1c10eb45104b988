//! Patterns over folders: `generated/apps/*/app*`.
//!
//! Keeps: no link is followed where a pattern and not a name leads to it, so that a tree of apps
//! cannot lead out of itself; what comes out is sorted as people count: app2 before app10.

use crate::target::number_of;
use globset::{GlobBuilder, GlobMatcher};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// One part of a pattern, between two slashes.
enum Part {
    Name(String),
    Pattern(GlobMatcher),
    /// `**`: any number of folders.
    AnyDepth,
}

/// Folders and other files that a pattern matches.
#[derive(Debug, Default)]
pub(crate) struct Expanded {
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) others: usize,
}

/// Expands a pattern below `base` (an absolute one wherever it says). Says why it is no pattern.
pub(crate) fn expand(pattern: &str, base: &Path) -> Result<Expanded, String> {
    let parts = parts(pattern)?;
    let start = if pattern.starts_with('/') { Path::new("/") } else { base };
    let mut expanded = Expanded::default();
    walk(start.to_owned(), &parts, &mut expanded);
    expanded.folders.sort_by_cached_key(|path| sorting(path));
    expanded.folders.dedup();
    Ok(expanded)
}

fn parts(pattern: &str) -> Result<Vec<Part>, String> {
    let part = |text: &str| {
        if text == "**" {
            return Ok(Part::AnyDepth);
        }
        if !text.contains(['*', '?', '[', '{', '\\']) {
            return Ok(Part::Name(text.to_owned()));
        }
        let glob = GlobBuilder::new(text).build();
        glob.map(|glob| Part::Pattern(glob.compile_matcher())).map_err(|error| error.to_string())
    };
    pattern.split('/').filter(|text| !text.is_empty()).map(part).collect()
}

fn walk(at: PathBuf, parts: &[Part], expanded: &mut Expanded) {
    match parts {
        [] if at.is_dir() => expanded.folders.push(at),
        [] => expanded.others += usize::from(at.exists()),
        [Part::Name(name), rest @ ..] => walk(at.join(name), rest, expanded),
        [Part::Pattern(glob), rest @ ..] => {
            for entry in entries(&at) {
                let matches = entry.file_name().is_some_and(|name| glob.is_match(name));
                if matches && (rest.is_empty() || entry.is_dir()) {
                    walk(entry, rest, expanded);
                }
            }
        }
        [Part::AnyDepth, rest @ ..] => {
            for entry in entries(&at).into_iter().filter(|entry| entry.is_dir()) {
                walk(entry, parts, expanded);
            }
            walk(at, rest, expanded);
        }
    }
}

/// Lists what a pattern may match: no links, and nothing hidden.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).into_iter().flatten().flatten();
    let real = all.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
    let is_shown = |path: &PathBuf| {
        let name = path.file_name().map(OsStr::as_encoded_bytes);
        name.is_some_and(|name| !name.starts_with(b"."))
    };
    real.map(|entry| entry.path()).filter(is_shown).collect()
}

fn sorting(path: &Path) -> (PathBuf, Option<u32>, PathBuf) {
    (path.parent().unwrap_or(path).to_owned(), number_of(path), path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for app in ["m/app10", "m/app2", "m/app2/app3", "n/flask/app1", ".git/app1", "n/docs"] {
            fs::create_dir_all(dir.path().join(app)).unwrap();
        }
        fs::write(dir.path().join("m/app.txt"), "").unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("m/app66")).unwrap();
        dir
    }

    #[track_caller]
    fn check(pattern: &str, expected: &[&str], others: usize) {
        let dir = tree();
        let expanded = expand(pattern, dir.path()).unwrap();
        let shown: Vec<String> = expanded
            .folders
            .iter()
            .map(|path| path.strip_prefix(dir.path()).unwrap().display().to_string())
            .collect();
        assert_eq!(shown, expected, "{pattern}");
        assert_eq!(expanded.others, others, "{pattern}");
    }

    #[test]
    fn patterns_match_folders_as_people_count() {
        check("m/app*", &["m/app2", "m/app10"], 1);
        check("*/app*", &["m/app2", "m/app10"], 1);
        check("**/app[13]", &["m/app2/app3", "n/flask/app1"], 0);
        check("{m,n}/app2", &["m/app2"], 0);
        check("m/app2/", &["m/app2"], 0);
        check("./m/app?", &["m/app2"], 0);
        check("none/*", &[], 0);
        check("m/*.txt", &[], 1);
    }

    #[test]
    fn what_is_no_pattern_is_said() {
        assert!(expand("m/[", Path::new("/")).is_err());
    }
}
