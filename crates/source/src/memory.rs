//! The digest of an app without a copy of it: what a server asks before it decides whether work is new.
//!
//! Owns what is remembered of files that were read. Keeps: of a tree that nobody changed no file is
//! read again; a file that could still change without showing it is never remembered; files are kept
//! up to a bound.
//!
//! Does not: agree with the digest of a snapshot, which leaves out files by their content too.

use crate::{
    FILE_BYTES_MAX, Options, SourceError,
    copy::raw_parts,
    git::Repository,
    ignored::Rules,
    snapshot::as_digest,
    walk::{Found, Opened, Walk, open_folder, open_in, open_root},
};
use assay_model::{Digest, SkipCause};
use rustix::{
    fd::{AsFd as _, OwnedFd},
    fs::{AtFlags, FileType, Stat, statat},
};
use std::{
    collections::{HashMap, VecDeque},
    ffi::{OsStr, OsString},
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// Files that are remembered, of all apps together: some 100 bytes each.
const FILES_MAX: usize = 200_000;

/// A file that changed so short a time ago may change again within the same tick of its clock, and
/// look the same. The coarsest clocks of file systems in use tick every two seconds (FAT).
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// What is known of the files of apps.
#[derive(Debug, Default)]
pub struct SourceMemory {
    trees: Mutex<Trees>,
}

#[derive(Debug, Default)]
struct Trees {
    known: HashMap<PathBuf, Arc<Tree>>,
    /// Who was asked for, longest ago first.
    order: VecDeque<PathBuf>,
    files: usize,
}

/// The files of one app, by their names on disk.
type Tree = HashMap<OsString, Known>;

#[derive(Clone, Copy, Debug)]
struct Known {
    stamp: Stamp,
    digest: blake3::Hash,
}

/// What of a file changes when somebody changes the file. The last is the system's own, which no
/// program sets back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// One look at one app.
struct Look<'a> {
    root: OwnedFd,
    before: Option<Arc<Tree>>,
    now: SystemTime,
    /// The folder of the file before, which is mostly that of the next.
    folder: Option<(&'a OsStr, OwnedFd)>,
    tree: Tree,
    buffer: Vec<u8>,
}

// === impl SourceMemory ===

impl SourceMemory {
    /// Names the state of the app at `path`: names and contents of its files. What the walk skips by
    /// name or by an ignore file is not a part of it.
    ///
    /// Blocks: it walks, and reads what it does not know. `stop` is asked between files.
    ///
    /// # Errors
    ///
    /// As with [`take`](crate::take), but for those of the copy.
    pub fn digest(
        &self,
        path: &Path,
        options: Options,
        stop: &dyn Fn() -> bool,
    ) -> Result<Digest, SourceError> {
        let shown = || path.display().to_string();
        let unreadable = |source| SourceError::Unreadable { path: shown(), source };
        let full = path.canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => SourceError::Missing { path: shown() },
            _ => unreadable(error),
        })?;
        let kind = fs::metadata(&full).map_err(unreadable)?;
        let (root, single) = match (kind.is_dir(), kind.is_file(), full.parent()) {
            (true, ..) => (full.clone(), None),
            (_, true, Some(parent)) => (parent.to_owned(), full.file_name()),
            _ => return Err(SourceError::NotAnApp { path: shown() }),
        };
        let repository = (!options.no_ignore).then(|| Repository::around(&root)).flatten();
        let rules = (!options.no_ignore).then(|| Rules::around(&root, repository.as_ref()));
        let mut walk = Walk::new(&root, rules, stop);
        match single {
            Some(name) => walk.single(name),
            None => walk.run(open_root(&root).map_err(unreadable)?),
        }
        let Walk { found, .. } = walk;
        let mut look = Look::new(open_root(&root).map_err(unreadable)?, self.recall(&full));
        let mut hasher = blake3::Hasher::new_derive_key("assay work source digest v1");
        for file in &found {
            if stop() {
                return Err(SourceError::Stopped);
            }
            look.add(file, &mut hasher);
        }
        // A walk that was stopped has found less than there is.
        if stop() {
            return Err(SourceError::Stopped);
        }
        self.remember(full, look.tree);
        Ok(as_digest(hasher.finalize()))
    }

    fn recall(&self, app: &Path) -> Option<Arc<Tree>> {
        let trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        trees.known.get(app).map(Arc::clone)
    }

    fn remember(&self, app: PathBuf, tree: Tree) {
        self.trees.lock().unwrap_or_else(PoisonError::into_inner).put(app, tree, FILES_MAX);
    }
}

// === impl Trees ===

impl Trees {
    /// Keeps the newest look at an app, and forgets others that were not asked for as long as there
    /// is too much.
    fn put(&mut self, app: PathBuf, tree: Tree, files_max: usize) {
        self.forget(&app);
        if tree.len() > files_max {
            return;
        }
        self.files += tree.len();
        self.known.insert(app.clone(), Arc::new(tree));
        self.order.push_back(app);
        while self.files > files_max
            && let Some(oldest) = self.order.front().cloned()
        {
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, app: &Path) {
        if let Some(tree) = self.known.remove(app) {
            self.files -= tree.len();
            self.order.retain(|known| known != app);
        }
    }
}

// === impl Look ===

impl<'a> Look<'a> {
    fn new(root: OwnedFd, before: Option<Arc<Tree>>) -> Self {
        let (tree, buffer) = (Tree::new(), Vec::new());
        Self { root, before, now: SystemTime::now(), folder: None, tree, buffer }
    }

    /// Adds a file to the digest. One that cannot be read counts by its name and cause.
    fn add(&mut self, file: &'a Found, hasher: &mut blake3::Hasher) {
        let name = file.path.as_str().as_bytes();
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name);
        match self.digest_of(file) {
            Ok(digest) => hasher.update(b"+").update(digest.as_bytes()),
            Err(cause) => hasher.update(b"-").update(&[cause as u8]),
        };
    }

    fn digest_of(&mut self, file: &'a Found) -> Result<blake3::Hash, SkipCause> {
        let (folder, name) = raw_parts(&file.raw);
        if self.folder.as_ref().is_none_or(|(known, _)| *known != folder) {
            self.folder = Some((folder, open_folder(self.root.as_fd(), folder)?));
        }
        let (_, folder) = self.folder.as_ref().ok_or(SkipCause::Unreadable)?;
        let stat =
            statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|_| SkipCause::Unreadable)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(SkipCause::Special);
        }
        let stamp = Stamp::of(&stat);
        let known = self.before.as_ref().and_then(|tree| tree.get(&file.raw));
        if let Some(known) = known.filter(|known| known.stamp == stamp) {
            self.tree.insert(file.raw.clone(), *known);
            return Ok(known.digest);
        }
        let Opened { file: open, .. } = open_in(folder, name)?;
        self.buffer.clear();
        let read = open.take(FILE_BYTES_MAX + 1).read_to_end(&mut self.buffer);
        read.map_err(|_| SkipCause::Unreadable)?;
        if self.buffer.len() as u64 > FILE_BYTES_MAX {
            return Err(SkipCause::TooLarge);
        }
        let digest = blake3::hash(&self.buffer);
        if stamp.is_settled(self.now) {
            self.tree.insert(file.raw.clone(), Known { stamp, digest });
        }
        Ok(digest)
    }
}

// === impl Stamp ===

impl Stamp {
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            bytes: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
            modified: (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
            changed: (stat.st_ctime, i64::try_from(stat.st_ctime_nsec).unwrap_or(0)),
        }
    }

    /// Whether a later change would show. A time that is still to come says nothing.
    fn is_settled(&self, now: SystemTime) -> bool {
        let newest = self.modified.max(self.changed).0;
        let newest = SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(u64::try_from(newest).unwrap_or(0).saturating_add(1)));
        let age = newest.and_then(|newest| now.duration_since(newest).ok());
        age.is_some_and(|age| age >= SETTLED_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: usize) -> Tree {
        let stamp = Stamp { device: 1, inode: 1, bytes: 1, modified: (1, 0), changed: (1, 0) };
        let digest = blake3::hash(b"");
        (0..files).map(|at| (OsString::from(at.to_string()), Known { stamp, digest })).collect()
    }

    #[test]
    fn what_was_not_asked_for_longest_is_forgotten_first() {
        let mut trees = Trees::default();
        trees.put("a".into(), tree(4), 10);
        trees.put("b".into(), tree(4), 10);
        trees.put("a".into(), tree(5), 10);
        assert_eq!(trees.files, 9);
        trees.put("c".into(), tree(3), 10);
        let mut known: Vec<_> = trees.known.keys().collect();
        known.sort();
        assert_eq!(known, [Path::new("a"), Path::new("c")]);
        trees.put("huge".into(), tree(11), 10);
        assert_eq!((trees.files, trees.known.len(), trees.order.len()), (8, 2, 2));
    }

    #[test]
    fn a_file_that_changed_just_now_is_not_settled() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let stamp = |modified, changed| Stamp {
            device: 1,
            inode: 1,
            bytes: 1,
            modified: (modified, 0),
            changed: (changed, 0),
        };
        assert!(stamp(100, 100).is_settled(at(103)));
        assert!(!stamp(100, 100).is_settled(at(102)));
        assert!(!stamp(1, 102).is_settled(at(103)), "it was set back");
        assert!(!stamp(900, 100).is_settled(at(103)), "it is still to come");
    }

    #[test]
    fn of_an_unchanged_tree_nothing_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.py"), "x = 1\n").unwrap();
        let memory = SourceMemory::default();
        let options = Options { no_ignore: true };
        let digest = || memory.digest(dir.path(), options, &|| false).unwrap();
        let first = digest();
        // What is remembered counts: a wrong memory would give a wrong digest.
        let app = dir.path().canonicalize().unwrap();
        let file = OsStr::new("a.py");
        let stat = rustix::fs::stat(app.join(file)).unwrap();
        let digest_of_other = blake3::hash(b"other");
        let known = Known { stamp: Stamp::of(&stat), digest: digest_of_other };
        memory.remember(app, Tree::from([(file.to_owned(), known)]));
        assert_ne!(digest(), first);
        fs::write(dir.path().join("a.py"), "x = 12\n").unwrap();
        let changed = digest();
        fs::write(dir.path().join("a.py"), "x = 1\n").unwrap();
        assert_eq!(digest(), first);
        assert_ne!(changed, first);
    }
}
