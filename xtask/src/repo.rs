//! The files of the repository, in memory: what git tracks, and what it would track if added.
//!
//! Does not: read what git ignores, so a rule never speaks about build output or results.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Larger files are data that nobody reads line by line.
const TEXT_BYTES_MAX: u64 = 4 << 20;

/// All files of one tree. Rules read it; only `docs` writes, through [`Repo::root`].
#[derive(Clone, Debug, Default)]
pub struct Repo {
    root: PathBuf,
    /// Every file, also those that are no text.
    paths: BTreeSet<String>,
    files: Vec<File>,
}

/// One text file.
#[derive(Clone, Debug)]
pub struct File {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

// === impl Repo ===

impl Repo {
    /// Reads the tree that this program was built from.
    ///
    /// # Errors
    ///
    /// Where git cannot be asked.
    pub fn here() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self::read(root.parent().expect("xtask lies in the root of the repository"))
    }

    fn read(root: &Path) -> Result<Self, String> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|why| format!("`git ls-files` did not start: {why}; install git"))?;
        if !listed.status.success() {
            let said = String::from_utf8_lossy(&listed.stderr);
            return Err(format!("`git ls-files` failed: {}", said.trim()));
        }
        let mut repo = Self { root: root.to_owned(), ..Self::default() };
        for name in listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            repo.add(&String::from_utf8_lossy(name));
        }
        // Git lists new files apart; what is made from the tree must not change when they are added.
        repo.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(repo)
    }

    /// A tree that is not on disk, for tests of rules.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Self {
            root: PathBuf::new(),
            paths: files.iter().map(|(path, _)| (*path).to_owned()).collect(),
            files: files.iter().map(file).collect(),
        }
    }

    fn add(&mut self, path: &str) {
        let full = self.root.join(path);
        // Git still lists what was deleted and not yet committed.
        let Ok(about) = fs::symlink_metadata(&full) else { return };
        if !self.paths.insert(path.to_owned()) || !about.is_file() || about.len() > TEXT_BYTES_MAX {
            return;
        }
        let Ok(bytes) = fs::read(&full) else { return };
        if let Ok(text) = String::from_utf8(bytes) {
            self.files.push(File { path: path.to_owned(), text });
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    pub(crate) fn ending(&self, end: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.path.ends_with(end))
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether there is a file or a folder of this name.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.paths.contains(path)
            || self
                .paths
                .range(folder.clone()..)
                .next()
                .is_some_and(|next| next.starts_with(&folder))
    }
}

// === impl File ===

impl File {
    /// Returns every line with its number, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// Whether people wrote it to be read by us: not an app that is analysed, a captured output, or
    /// a snapshot.
    pub(crate) fn is_ours(&self) -> bool {
        let data = ["/golden/", "/snapshots/", "/locks/", "/fixtures/"];
        !self.path.starts_with("examples/") && !data.iter().any(|part| self.path.contains(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_is_read_without_its_build_output() {
        let repo = Repo::here().unwrap();
        assert!(repo.file("Cargo.toml").unwrap().text.contains("[workspace]"));
        assert!(repo.has("crates/model/src"));
        assert!(!repo.has("target"));
    }

    #[test]
    fn a_folder_is_there_when_a_file_lies_in_it() {
        let repo = Repo::of(&[("docs/a.md", ""), ("docs.txt", "")]);
        assert!(repo.has("docs"));
        assert!(!repo.has("doc"));
        assert!(!repo.has("docs/a"));
    }
}
