//! A second tree of the snapshot's files, for a tool that must not see all of them as they are.
//!
//! Keeps: files of the copy are linked and never written, so a stage costs names and no bytes; a
//! stage is removed with its value, also where a tool took the right to write from its folders.

use crate::{
    removal::remove_tree,
    snapshot::{Snapshot, SourceFile},
};
use assay_model::SourcePath;
use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Mode, OFlags, linkat, open},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Threads that link. The kernel does the work, folder by folder, and two folders at a time.
const LINKERS: usize = 4;

/// What becomes of a file in a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Hidden,
    Renamed(SourcePath),
    Replaced(Vec<u8>),
}

/// A tree with the files of a snapshot, some of them changed. Dropping it removes it.
#[derive(Debug)]
pub struct Stage(PathBuf);

/// The open folders of the last file; the next one mostly lies in the same.
struct Folders<'a> {
    from: &'a Path,
    into: &'a Path,
    open: Option<(String, OwnedFd, OwnedFd)>,
}

// === impl Snapshot ===

impl Snapshot {
    /// Makes the tree in `into`, which must not be there; the folder around it must be.
    pub fn stage(&self, into: &Path, changes: &BTreeMap<SourcePath, Change>) -> io::Result<Stage> {
        fs::create_dir(into)?;
        let stage = Stage(into.to_owned());
        let folders = self.folders(changes);
        for folder in folders.iter().filter(|folder| !folder.is_empty()) {
            fs::create_dir(into.join(folder))?;
        }
        let files = self.files();
        let share = files.len().div_ceil(LINKERS).max(1);
        std::thread::scope(|scope| {
            let workers: Vec<_> = files
                .chunks(share)
                .map(|files| scope.spawn(|| link_all(self.root(), into, files, changes)))
                .collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().expect("`link_all` does not panic"))
        })?;
        for folder in folders {
            fs::set_permissions(into.join(folder), fs::Permissions::from_mode(0o555))?;
        }
        Ok(stage)
    }

    /// Lists the folders that hold something, the outer ones first.
    fn folders(&self, changes: &BTreeMap<SourcePath, Change>) -> BTreeSet<&str> {
        let mut folders = BTreeSet::from([""]);
        let mut last = "";
        let seen = |file: &&SourceFile| changes.get(&file.path) != Some(&Change::Hidden);
        for file in self.files().iter().filter(seen) {
            let mut folder = file.path.parent();
            if folder == last {
                continue;
            }
            last = folder;
            while folders.insert(folder) {
                folder = folder.rsplit_once('/').map_or("", |(outer, _)| outer);
            }
        }
        folders
    }
}

fn link_all(
    from: &Path,
    into: &Path,
    files: &[SourceFile],
    changes: &BTreeMap<SourcePath, Change>,
) -> io::Result<()> {
    let mut folders = Folders { from, into, open: None };
    for file in files {
        match changes.get(&file.path) {
            None => folders.link(&file.path, file.path.file_name())?,
            Some(Change::Hidden) => {}
            Some(Change::Renamed(name)) => folders.link(&file.path, name.file_name())?,
            Some(Change::Replaced(bytes)) => {
                let to = into.join(file.path.as_str());
                let options =
                    fs::OpenOptions::new().write(true).create_new(true).mode(0o444).open(to);
                options?.write_all(bytes)?;
            }
        }
    }
    Ok(())
}

// === impl Folders ===

impl Folders<'_> {
    fn link(&mut self, path: &SourcePath, name: &str) -> io::Result<()> {
        let folder = path.parent();
        let (_, from, into) = match &mut self.open {
            Some(open) if open.0 == folder => open,
            open => {
                let at = |root: &Path| {
                    let flags =
                        OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                    self::open(root.join(folder), flags, Mode::empty())
                };
                open.insert((folder.to_owned(), at(self.from)?, at(self.into)?))
            }
        };
        let linked = linkat(&*from, path.file_name(), &*into, name, AtFlags::empty());
        linked.or_else(|_| {
            // The file has as many names as the disk allows, or the disk knows no second name.
            let from = self.from.join(path.as_str());
            fs::copy(from, self.into.join(folder).join(name)).map(drop)
        })
    }
}

// === impl Stage ===

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left goes with the folder around it.
        remove_tree(&self.0, None).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, take};

    fn path(text: &str) -> SourcePath {
        SourcePath::new(text).unwrap()
    }

    fn tree(root: &Path) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        let mut open = vec![root.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    open.push(entry.path());
                } else {
                    let name = entry.path().strip_prefix(root).unwrap().display().to_string();
                    tree.insert(name, fs::read_to_string(entry.path()).unwrap());
                }
            }
        }
        tree
    }

    #[test]
    fn a_stage_holds_the_files_as_changed_and_goes_with_its_value() {
        let work = tempfile::tempdir().unwrap();
        let app = work.path().join("app");
        fs::create_dir_all(app.join("a/b")).unwrap();
        fs::create_dir_all(app.join("only")).unwrap();
        for name in ["a/b/x.py", "a/y.py", "a/z.toml", "only/hidden", "top"] {
            fs::write(app.join(name), name).unwrap();
        }
        let copy = work.path().join("copy");
        fs::create_dir(&copy).unwrap();
        let snapshot = take(&app, &copy, Options::default(), &|| false).unwrap();
        let changes = BTreeMap::from([
            (path("a/y.py"), Change::Renamed(path("a/n.py"))),
            (path("a/z.toml"), Change::Replaced(b"new".to_vec())),
            (path("only/hidden"), Change::Hidden),
        ]);
        let into = work.path().join("stage");
        let stage = snapshot.stage(&into, &changes).unwrap();
        let expected =
            [("a/b/x.py", "a/b/x.py"), ("a/n.py", "a/y.py"), ("a/z.toml", "new"), ("top", "top")];
        assert_eq!(tree(&into), expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        assert!(!into.join("only").exists(), "an empty folder tells what was in it");
        assert_eq!(
            fs::metadata(into.join("a/z.toml")).unwrap().permissions().mode() & 0o777,
            0o444
        );
        assert_eq!(fs::metadata(into.join("a")).unwrap().permissions().mode() & 0o777, 0o555);
        assert_eq!(snapshot.changed(), None);
        // What a tool does to a linked file is seen, since it is the copy's own.
        fs::set_permissions(into.join("top"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(into.join("top"), "other").unwrap();
        assert_eq!(snapshot.changed(), Some(&path("top")));
        drop(stage);
        assert!(!into.exists());
        assert_eq!(tree(&copy).len(), 5);
    }
}
