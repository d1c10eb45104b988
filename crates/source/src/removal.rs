//! A tree that somebody hostile may have made, removed.
//!
//! Keeps: no link is followed; neither how deep the tree is, nor how long its paths are, nor rights
//! that were taken from its folders keep it from going, as long as it is the user's own.

use rustix::{
    fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
    fs::{
        AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, chmod, fstat, openat,
        renameat_with, unlinkat,
    },
    io::Errno,
};
use std::{
    ffi::{CStr, CString},
    io,
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

/// How a folder is called that was moved up on its way out.
const GOING: &str = "assay-going-";

/// A tree on its way out. Folders in folders are moved up beside their parents, so nothing is ever
/// deeper than two, and three open descriptors do for any tree.
struct Removal {
    root: OwnedFd,
    moved: u64,
}

/// Removes the folder `root` with all that it holds; what is called `last` in it, at the end.
/// What cannot be removed is left, and does not keep the rest from going.
///
/// # Errors
///
/// The first thing that could not be removed: it belongs to somebody else, or was made meanwhile.
pub fn remove_tree(root: &Path, last: Option<&CStr>) -> io::Result<()> {
    let path = CString::new(root.as_os_str().as_bytes())?;
    let mut removal = Removal { root: open_folder(CWD, &path)?, moved: 0 };
    while removal.round(last)? {}
    if let Some(last) = last {
        match unlinkat(&removal.root, last, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(unlinkat(CWD, &path, AtFlags::REMOVEDIR)?)
}

/// Whether something in a folder is called as only a removal that was cut off would call it.
pub fn is_going(name: &str) -> bool {
    name.starts_with(GOING)
}

// === impl Removal ===

impl Removal {
    /// Goes once over all that lies in the root. False where nothing did.
    fn round(&mut self, last: Option<&CStr>) -> io::Result<bool> {
        let (mut is_empty, mut failed) = (true, None);
        for entry in Dir::read_from(&self.root)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_dots(name) || Some(name) == last {
                continue;
            }
            is_empty = false;
            if let Err(error) = self.remove(name, entry.file_type()) {
                failed = failed.or(Some(error));
            }
        }
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(!is_empty),
        }
    }

    fn remove(&mut self, name: &CStr, kind: FileType) -> rustix::io::Result<()> {
        if remove_one(self.root.as_fd(), name, kind)? {
            return Ok(());
        }
        let folder = open_folder(self.root.as_fd(), name)?;
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let inner = entry.file_name();
            if !is_dots(inner) && !remove_one(folder.as_fd(), inner, entry.file_type())? {
                // Its own `..` changes, so it has to be writable too.
                drop(open_folder(folder.as_fd(), inner)?);
                self.move_up(folder.as_fd(), inner)?;
            }
        }
        unlinkat(&self.root, name, AtFlags::REMOVEDIR)
    }

    fn move_up(&mut self, from: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<()> {
        loop {
            let above = format!("{GOING}{}", self.moved);
            self.moved += 1;
            match renameat_with(from, name, &self.root, above.as_str(), RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => {}
                moved => return moved,
            }
        }
    }
}

/// Removes what is no folder, or an empty one. False where it is a folder that holds something.
fn remove_one(at: BorrowedFd<'_>, name: &CStr, kind: FileType) -> rustix::io::Result<bool> {
    if kind != FileType::Directory {
        match unlinkat(at, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(true),
            // Some disks do not tell what is a folder before they are asked to remove it.
            Err(Errno::ISDIR | Errno::PERM) if kind == FileType::Unknown => {}
            Err(error) => return Err(error),
        }
    }
    match unlinkat(at, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens a folder, having given its owner the rights to empty it.
fn open_folder(at: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<OwnedFd> {
    let folder = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = openat(at, name, folder | OFlags::PATH, Mode::empty())?;
    if !Mode::from_raw_mode(fstat(&found)?.st_mode).contains(Mode::RWXU) {
        // By the descriptor and not by the name, which may be a link by now.
        let same = format!("/proc/self/fd/{}", found.as_raw_fd());
        chmod(same.as_str(), Mode::RWXU)?;
    }
    openat(&found, c".", folder, Mode::empty())
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::{
        fs::mkdirat,
        process::{Resource, getrlimit},
    };
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    #[test]
    fn a_tree_without_rights_goes_and_what_its_links_name_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (root, other) = (dir.path().join("root"), dir.path().join("other"));
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(other.join("kept"), "").unwrap();
        symlink(&other, root.join("link")).unwrap();
        symlink(&other, root.join("a/b/link")).unwrap();
        fs::write(root.join("a/b/c/file"), "").unwrap();
        fs::create_dir_all(root.join("assay-going-0/x")).unwrap();
        for folder in ["a/b/c", "a/b", "a", ""] {
            fs::set_permissions(root.join(folder), fs::Permissions::from_mode(0o000)).unwrap();
        }
        remove_tree(&root, None).unwrap();
        assert!(!root.exists() && other.join("kept").exists());
        let rights = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_ne!(rights(&other), 0o700, "a link is not changed through");
        symlink(&other, &root).unwrap();
        assert!(remove_tree(&root, None).is_err() && other.join("kept").exists());
    }

    /// Rights are nothing to root, and the tests often are.
    #[test]
    fn an_ordinary_user_removes_them_too() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (tests, tmp) = (dir.path().join("tests"), dir.path().join("tmp"));
        fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
        fs::create_dir(&tmp).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&tmp, fs::Permissions::from_mode(0o777)).unwrap();
        let output = std::process::Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&tests)
            .arg("removal::tests::a_tree")
            .current_dir(&tmp)
            .env("TMPDIR", &tmp)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains(" 2 passed"), "{said}");
    }

    #[test]
    fn a_tree_deeper_than_descriptors_and_paths_reach_goes() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        // Where more descriptors are allowed than are usual, at least the longest path is passed.
        let most = getrlimit(Resource::Nofile).current.unwrap_or(1024).min(1024);
        let mut at = open_folder(CWD, &CString::new(root.as_os_str().as_bytes()).unwrap()).unwrap();
        for _ in 0..most + 100 {
            mkdirat(&at, c"deeper", Mode::RWXU).unwrap();
            at = open_folder(at.as_fd(), c"deeper").unwrap();
        }
        drop(at);
        remove_tree(&root, None).unwrap();
        assert!(!root.exists());
    }

    #[test]
    fn what_is_to_go_last_is_there_as_long_as_anything_is() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("lock"), "").unwrap();
        let mut removal = Removal {
            root: open_folder(CWD, &CString::new(root.as_os_str().as_bytes()).unwrap()).unwrap(),
            moved: 0,
        };
        while removal.round(Some(c"lock")).unwrap() {}
        let left: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(left.iter().map(fs::DirEntry::file_name).collect::<Vec<_>>(), ["lock"]);
        remove_tree(&root, Some(c"lock")).unwrap();
        assert!(!root.exists());
        assert_eq!(remove_tree(&root, None).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
