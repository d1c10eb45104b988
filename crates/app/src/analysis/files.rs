//! Files that a tool wrote. It may be hostile, or have been made so by the app it read.
//!
//! Keeps: no link is followed, no pipe or device is waited for, and reading ends when the analysis
//! does.

use rustix::fs::OFlags;
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};
use tokio_util::sync::CancellationToken;

/// Bytes read at a time. Reports are large, and read once.
const READ_BUFFER: usize = 256 << 10;

/// Opens a file that a tool wrote.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no regular file"))
    }
}

/// Opens a report. One that was never written reads as an empty one.
pub(crate) fn open_report(path: &Path, cancel: CancellationToken) -> io::Result<Box<dyn BufRead>> {
    match open_regular(path) {
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
    if let Ok(file) = open_regular(path) {
        file.take(bytes_max).read_to_end(&mut bytes).ok();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Copies a file that a tool made for the reader.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = open_regular(from)?;
    let mut to = OpenOptions::new().write(true).create_new(true).open(to)?;
    io::copy(&mut from, &mut to).map(drop)
}

/// Cuts a log of ours. One that cannot be cut stays as it is.
pub(crate) fn cut(path: &Path, bytes: u64) {
    if let Ok(file) = OpenOptions::new().write(true).open(path) {
        file.set_len(bytes).ok();
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
