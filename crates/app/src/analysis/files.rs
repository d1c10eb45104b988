//! Files that a tool wrote. It may be hostile, or have been made so by the app it read.
//!
//! Keeps: no link is followed, at the end of a path or on the way; no pipe or device is waited for;
//! reading ends when the analysis does.

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, open, openat, openat2},
    io::Errno,
};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt as _},
    path::{Component, Path},
};
use tokio_util::sync::CancellationToken;

/// Bytes read at a time. Reports are large, and read once.
const READ_BUFFER: usize = 256 << 10;

/// Opens a file whose folder is nobody's but ours.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    regular(OpenOptions::new().read(true).custom_flags(flags).open(path)?)
}

/// Opens a file that a tool wrote. A tool may have put a link in place of any folder above it, so
/// the path must be absolute and lead through none.
pub(crate) fn open_written(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = open_unlinked(path, flags).map_err(|error| match error {
        Errno::LOOP => io::Error::other("it is a link, or lies behind one"),
        error => error.into(),
    });
    regular(File::from(opened?))
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no regular file"))
    }
}

fn open_unlinked(path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let never = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(CWD, path, flags, Mode::empty(), never) {
        // A kernel before 5.6, or a filter that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => walk(path, flags),
        opened => opened,
    }
}

/// Opens folder by folder, each only if it is one.
fn walk(path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = open("/", folder, Mode::empty())?;
    let mut parts = path.strip_prefix("/").map_err(|_| Errno::INVAL)?.components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else { return Err(Errno::INVAL) };
        let flags = if parts.peek().is_some() { folder } else { flags };
        at = openat(&at, name, flags, Mode::empty()).map_err(|error| match error {
            // What is no folder although a folder must be there is a link, or as good as one.
            Errno::NOTDIR => Errno::LOOP,
            error => error,
        })?;
    }
    Ok(at)
}

/// Makes an empty folder for a call where an earlier call of the same tool may have been. Whatever
/// lies there would be written through, so an empty folder is all that may.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let parent = open_unlinked(parent, OFlags::PATH | OFlags::DIRECTORY)?;
    match mkdirat(&parent, name, Mode::RWXU) {
        Err(Errno::EXIST) => {}
        made => return Ok(made?),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(&parent, name, flags, Mode::empty())?;
    let is_entry = |name: &[u8]| name != b"." && name != b"..";
    for entry in rustix::fs::Dir::new(folder)? {
        if is_entry(entry?.file_name().to_bytes()) {
            return Err(io::Error::other("an earlier call left something there"));
        }
    }
    Ok(())
}

/// Opens a report. One that was never written reads as an empty one.
pub(crate) fn open_report(path: &Path, cancel: CancellationToken) -> io::Result<Box<dyn BufRead>> {
    match open_written(path) {
        Ok(file) => {
            let input = BufReader::with_capacity(READ_BUFFER, file);
            Ok(Box::new(Stoppable { input, cancel }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Box::new(io::empty())),
        Err(error) => Err(error),
    }
}

/// Reads the beginning of a file, as text. What cannot be read says nothing.
pub(crate) fn beginning(path: &Path, bytes_max: u64) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = open_written(path) {
        file.take(bytes_max).read_to_end(&mut bytes).ok();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Copies a file that a tool made for the reader.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = open_written(from)?;
    let (Some(folder), Some(name)) = (to.parent(), to.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = open_unlinked(folder, OFlags::PATH | OFlags::DIRECTORY)?;
    let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
    let mut to = File::from(openat(&folder, name, new, mode)?);
    io::copy(&mut from, &mut to).map(drop)
}

/// Cuts a log of ours. One that cannot be cut stays as it is.
pub(crate) fn cut(path: &Path, bytes: u64) {
    if let Ok(file) = open_unlinked(path, OFlags::WRONLY | OFlags::NONBLOCK) {
        File::from(file).set_len(bytes).ok();
    }
}

/// A reader that fails once the analysis is over: a report of gigabytes must not outlive it.
struct Stoppable {
    input: BufReader<File>,
    cancel: CancellationToken,
}

// === impl Stoppable ===

impl Stoppable {
    fn check(&self) -> io::Result<()> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("the analysis was stopped while it was read"));
        }
        Ok(())
    }
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.input.read(buffer)
    }
}

impl BufRead for Stoppable {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.input.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink, process::Command};

    /// Both ways to open say the same of `path`.
    fn opened(path: &Path) -> io::Result<String> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let walked = walk(path, flags).map_err(io::Error::from).and_then(|fd| regular(fd.into()));
        let opened = open_written(path);
        assert_eq!(walked.is_ok(), opened.is_ok(), "{walked:?}, {opened:?}");
        let mut text = String::new();
        opened?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn no_link_is_followed_on_the_way_to_a_report() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("real/deep")).unwrap();
        fs::write(root.join("real/deep/report"), "{}").unwrap();
        assert_eq!(opened(&root.join("real/deep/report")).unwrap(), "{}");
        symlink("/etc", root.join("out")).unwrap();
        symlink("real", root.join("inside")).unwrap();
        symlink("report", root.join("real/deep/same")).unwrap();
        for path in ["out/passwd", "inside/deep/report", "real/deep/same", "real/../out/passwd"] {
            assert!(opened(&root.join(path)).is_err(), "{path}");
        }
        let gone = opened(&root.join("real/none/report")).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        assert!(opened(&root.join("real/deep")).is_err(), "a folder");
        assert!(opened(Path::new("relative")).is_err());
        let said = open_written(&root.join("out/passwd")).unwrap_err().to_string();
        assert_eq!(said, "it is a link, or lies behind one");
    }

    #[test]
    fn a_folder_for_a_call_is_empty_and_where_it_should_be() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let scratch = root.join("scratch");
        make_folder(&scratch).unwrap();
        make_folder(&scratch).unwrap();
        make_folder(&scratch.join("0")).unwrap();
        fs::create_dir(scratch.join("1")).unwrap();
        symlink("/etc/passwd", scratch.join("1/requirements.txt")).unwrap();
        symlink(&root, scratch.join("2")).unwrap();
        symlink(&root, root.join("link")).unwrap();
        for name in ["scratch/1", "scratch/2", "link/made"] {
            assert!(make_folder(&root.join(name)).is_err(), "{name}");
        }
        assert!(!root.join("made").exists());
    }

    #[test]
    fn a_pipe_or_a_link_in_place_of_a_report_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, link) = (dir.path().join("pipe"), dir.path().join("link"));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        symlink("/etc/passwd", &link).unwrap();
        for path in [&pipe, &link] {
            assert!(open_report(path, CancellationToken::new()).is_err(), "{}", path.display());
            assert!(copy(path, &dir.path().join("copy")).is_err());
            assert_eq!(beginning(path, 100), "");
        }
    }

    #[test]
    fn reading_ends_with_the_analysis() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report");
        fs::write(&path, "{}").unwrap();
        let cancel = CancellationToken::new();
        let mut report = open_report(&path, cancel.clone()).unwrap();
        cancel.cancel();
        assert!(report.fill_buf().is_err());
    }
}
