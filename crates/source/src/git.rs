//! Commit, branch and tracked files, read from the files of a repository.
//!
//! Git itself is never run: a hostile repository names programs (`core.fsmonitor`, hooks) that git
//! would start. What cannot be read is absent, never an error: it only enriches a report.
//!
//! Formats: gitformat-index(5), gitrepository-layout(5).

use assay_model::GitInfo;
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// A repository's own files are read only up to this size: they may be hostile.
const INDEX_BYTES_MAX: u64 = 256 << 20;
const SMALL_BYTES_MAX: u64 = 4 << 20;

/// Linux has no longer paths. Version 4 stores only how a name differs from the one before, so
/// without these a small index could name more than any memory holds.
const PATH_BYTES_MAX: usize = 4096;
const ALL_PATHS_BYTES_MAX: usize = 128 << 20;

/// The repository that holds an app.
#[derive(Debug)]
pub(crate) struct Repository {
    /// The folder that holds `.git`.
    pub(crate) top: PathBuf,
    git_dir: PathBuf,
    /// Where shared refs are: differs from `git_dir` in a linked work tree.
    common_dir: PathBuf,
}

// === impl Repository ===

impl Repository {
    /// Looks for the repository from `start` upward.
    pub(crate) fn around(start: &Path) -> Option<Self> {
        start.ancestors().find_map(|top| {
            let dot_git = top.join(".git");
            let kind = fs::symlink_metadata(&dot_git).ok()?;
            let git_dir = if kind.is_dir() {
                dot_git
            } else {
                let text = read_small(&dot_git)?;
                let git_dir = top.join(text.strip_prefix("gitdir:")?.trim());
                // Git writes the way back into a linked work tree's folder. Without it the app
                // could name any repository of this machine as its own.
                let back = read_small(&git_dir.join("gitdir"))?;
                let same =
                    fs::canonicalize(back.trim()).ok()? == fs::canonicalize(&dot_git).ok()?;
                same.then_some(git_dir)?
            };
            let common_dir = read_small(&git_dir.join("commondir"))
                .map_or_else(|| git_dir.clone(), |text| git_dir.join(text.trim()));
            git_dir.join("HEAD").is_file().then_some(Self {
                top: top.to_owned(),
                git_dir,
                common_dir,
            })
        })
    }

    /// Returns the commit that is checked out, if there is one yet.
    pub(crate) fn info(&self) -> Option<GitInfo> {
        let head = read_small(&self.git_dir.join("HEAD"))?;
        let head = head.trim();
        let Some(reference) = head.strip_prefix("ref: ") else {
            return is_commit(head).then(|| GitInfo { commit: head.to_owned(), branch: None });
        };
        let tame = reference.starts_with("refs/") && !reference.split('/').any(|part| part == "..");
        let commit = tame.then(|| self.resolve(reference)).flatten()?;
        let branch = reference.strip_prefix("refs/heads/").map(str::to_owned);
        Some(GitInfo { commit, branch })
    }

    fn resolve(&self, reference: &str) -> Option<String> {
        let loose = [&self.git_dir, &self.common_dir]
            .into_iter()
            .find_map(|dir| read_small(&dir.join(reference)));
        if let Some(commit) = loose.map(|text| text.trim().to_owned()).filter(|t| is_commit(t)) {
            return Some(commit);
        }
        let packed = read_small(&self.common_dir.join("packed-refs"))?;
        packed.lines().find_map(|line| {
            let (commit, name) = line.split_once(' ')?;
            (name == reference && is_commit(commit)).then(|| commit.to_owned())
        })
    }

    /// Returns the tracked paths, relative to `top`, as bytes; `None` if the index cannot be read.
    pub(crate) fn tracked(&self) -> Option<BTreeSet<Vec<u8>>> {
        let path = self.git_dir.join("index");
        let index = read_bounded(&path, INDEX_BYTES_MAX).ok()?;
        parse_index(&index)
    }
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn read_small(path: &Path) -> Option<String> {
    String::from_utf8(read_bounded(path, SMALL_BYTES_MAX).ok()?).ok()
}

fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?;
    // A FIFO named `HEAD` would hold us for ever.
    if !kind.is_file() || kind.len() > limit {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    fs::read(path)
}

/// Reads the paths of an index of version 2, 3 or 4 with SHA-1 names.
fn parse_index(index: &[u8]) -> Option<BTreeSet<Vec<u8>>> {
    let number = |at: usize| -> Option<u32> {
        Some(u32::from_be_bytes(index.get(at..at + 4)?.try_into().ok()?))
    };
    let version = (index.get(..4)? == b"DIRC").then(|| number(4)).flatten()?;
    if !(2..=4).contains(&version) {
        return None;
    }
    let mut paths = BTreeSet::new();
    let mut previous = Vec::new();
    let (mut at, mut held) = (12, 0);
    for _ in 0..number(8)? {
        let start = at;
        let flags = u16::from_be_bytes(index.get(start + 60..start + 62)?.try_into().ok()?);
        let extended = flags & 0x4000 != 0;
        at = start + if extended { 64 } else { 62 };
        if version == 4 {
            let (cut, used) = offset_varint(index.get(at..)?)?;
            at += used;
            previous.truncate(previous.len().checked_sub(cut)?);
        } else {
            previous.clear();
        }
        let length = index.get(at..)?.iter().position(|byte| *byte == 0)?;
        previous.extend_from_slice(&index[at..at + length]);
        at += length + 1;
        if version < 4 {
            // Entries are padded to a multiple of eight bytes, with at least the one NUL.
            at = start + (at - 1 - start + 8) / 8 * 8;
        }
        held += previous.len();
        if previous.len() > PATH_BYTES_MAX || held > ALL_PATHS_BYTES_MAX {
            return None;
        }
        paths.insert(previous.clone());
    }
    Some(paths)
}

/// Reads the variable-width integer of gitformat-pack(5), "offset encoding".
fn offset_varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = usize::from(bytes.first()? & 0x7f);
    let mut used = 1;
    while bytes[used - 1] & 0x80 != 0 {
        let byte = *bytes.get(used)?;
        value = value.checked_add(1)?.checked_mul(128)? + usize::from(byte & 0x7f);
        used += 1;
    }
    Some((value, used))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn git(at: &Path, args: &[&str]) -> String {
        let out = Command::new("git")
            .current_dir(at)
            .args(["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=trunk"])
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git is on this machine");
        assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    fn repository_with(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "-q"]);
        for file in files {
            fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
            fs::write(dir.path().join(file), file).unwrap();
        }
        git(dir.path(), &["add", "-A"]);
        git(dir.path(), &["commit", "-q", "-m", "x"]);
        dir
    }

    #[test]
    fn tracked_files_are_read_from_every_version_of_the_index() {
        let files = ["a.py", "deep/er/b.py", "deep/er/bc.py", "z"];
        let dir = repository_with(&files);
        for version in ["2", "4"] {
            git(dir.path(), &["update-index", "--index-version", version]);
            let tracked = Repository::around(dir.path()).unwrap().tracked().unwrap();
            let expected: BTreeSet<Vec<u8>> = files.iter().map(|f| f.as_bytes().to_vec()).collect();
            assert_eq!(tracked, expected, "version {version}");
        }
    }

    #[test]
    fn commit_and_branch_are_read_loose_packed_and_in_a_linked_work_tree() {
        let dir = repository_with(&["a"]);
        let commit = git(dir.path(), &["rev-parse", "HEAD"]);
        let expected = GitInfo { commit: commit.clone(), branch: Some("trunk".to_owned()) };
        let sub = dir.path().join("sub");
        fs::create_dir(&sub).unwrap();
        assert_eq!(Repository::around(&sub).unwrap().info(), Some(expected.clone()));
        git(dir.path(), &["pack-refs", "--all"]);
        assert_eq!(Repository::around(&sub).unwrap().info(), Some(expected));
        let linked = tempfile::tempdir().unwrap();
        let at = linked.path().join("w");
        git(dir.path(), &["worktree", "add", "-q", "-b", "side", at.to_str().unwrap()]);
        let info = Repository::around(&at).unwrap().info().unwrap();
        assert_eq!(info, GitInfo { commit, branch: Some("side".to_owned()) });
    }

    #[test]
    fn a_cut_or_mangled_index_is_no_index_and_no_panic() {
        let dir = repository_with(&["a.py", "b/c.py"]);
        git(dir.path(), &["update-index", "--index-version", "4"]);
        let index = fs::read(dir.path().join(".git/index")).unwrap();
        for cut in 0..index.len().min(200) {
            parse_index(&index[..cut]);
        }
        for at in 0..index.len() {
            let mut mangled = index.clone();
            mangled[at] ^= 0xff;
            parse_index(&mangled);
        }
    }

    #[test]
    fn an_index_that_unfolds_into_gigabytes_is_no_index() {
        let mut index = b"DIRC\0\0\0\x04\0\x10\0\0".to_vec();
        for entry in 0..200_000_u32 {
            index.extend([0; 62]);
            // Cut nothing from the last name and add one byte to it.
            index.push(0);
            if entry == 0 {
                index.extend(vec![b'x'; 4000]);
            }
            index.extend(b"y\0");
        }
        assert!(parse_index(&index).is_none());
    }

    #[test]
    fn a_file_that_names_a_strangers_repository_is_not_followed() {
        let stranger = repository_with(&["secret"]);
        let app = tempfile::tempdir().unwrap();
        let text = format!("gitdir: {}/.git\n", stranger.path().display());
        fs::write(app.path().join(".git"), text).unwrap();
        assert!(Repository::around(app.path()).is_none_or(|found| found.top != app.path()));
    }

    #[test]
    fn a_reference_that_climbs_is_not_followed() {
        let dir = repository_with(&["a"]);
        fs::write(dir.path().join(".git/HEAD"), "ref: refs/../../secret").unwrap();
        assert_eq!(Repository::around(dir.path()).unwrap().info(), None);
    }
}
