//! The tree, folder by folder.
//!
//! Every step opens a name relative to an open folder and refuses links, so a tree that is changed
//! while we walk can change what we see but never lead us out.

use crate::{
    FILE_BYTES_MAX,
    ignored::Rules,
    skip::{Tally, folder_cause},
};
use assay_model::{SkipCause, SourcePath};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{Dir, FileType, Mode, OFlags, fstat, openat},
    io::Errno,
};
use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fmt::Write as _,
    fs::File,
    io::Read as _,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// Folders inside folders that we enter. Every one of them costs an open descriptor.
const DEPTH_MAX: usize = 128;

/// A file that is to be copied.
#[derive(Debug)]
pub(crate) struct Found {
    /// As it is on disk.
    pub(crate) raw: OsString,
    /// As it is called from here on.
    pub(crate) path: SourcePath,
}

/// A walk under way, and then what it found.
pub(crate) struct Walk<'a> {
    root: &'a Path,
    rules: Option<Rules>,
    names: HashSet<SourcePath>,
    pub(crate) found: Vec<Found>,
    pub(crate) tally: Tally,
    stop: &'a dyn Fn() -> bool,
}

/// An open folder of the tree.
struct Folder<'a> {
    fd: OwnedFd,
    /// Relative to the root; empty for the root itself.
    raw: &'a [u8],
    depth: usize,
}

// === impl Walk ===

impl<'a> Walk<'a> {
    pub(crate) fn new(root: &'a Path, rules: Option<Rules>, stop: &'a dyn Fn() -> bool) -> Self {
        let (names, found, tally) = (HashSet::new(), Vec::new(), Tally::default());
        Self { root, rules, names, found, tally, stop }
    }

    /// Walks the folder `fd`. Ends early, with less found, once `stop` says so.
    pub(crate) fn run(&mut self, fd: OwnedFd) {
        self.folder(&Folder { fd, raw: b"", depth: 1 });
        self.found.sort_by(|a, b| a.path.cmp(&b.path));
    }

    /// Takes in one file by its name: the app is a single file.
    pub(crate) fn single(&mut self, name: &OsStr) {
        self.keep(name.as_bytes().to_vec());
    }

    fn folder(&mut self, folder: &Folder<'_>) {
        let Ok(mut entries) = entries_of(&folder.fd) else {
            return self.tally.add(SkipCause::Unreadable, &shown(folder.raw));
        };
        // The order on disk differs from machine to machine; reports must not.
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        if let Some(rules) = &mut self.rules {
            let at = self.root.join(OsStr::from_bytes(folder.raw));
            rules.enter(&at, folder.depth, |name| read_small(&folder.fd, name));
        }
        for (name, kind) in entries {
            if (self.stop)() {
                return;
            }
            self.entry(folder, &name, kind);
        }
        if let Some(rules) = &mut self.rules {
            rules.leave_to(folder.depth);
        }
    }

    fn entry(&mut self, folder: &Folder<'_>, name: &[u8], kind: FileType) {
        let raw =
            if folder.raw.is_empty() { name.to_vec() } else { [folder.raw, b"/", name].concat() };
        match kind {
            FileType::Directory => self.subfolder(folder, name, &raw),
            FileType::RegularFile => match self.hidden(&raw, false) {
                Some(cause) => self.tally.add(cause, &shown(&raw)),
                None => self.keep(raw),
            },
            FileType::Symlink => self.tally.add(SkipCause::Link, &shown(&raw)),
            _ => self.tally.add(SkipCause::Special, &shown(&raw)),
        }
    }

    fn subfolder(&mut self, folder: &Folder<'_>, name: &[u8], raw: &[u8]) {
        let cause = folder_cause(&String::from_utf8_lossy(name))
            .or_else(|| self.hidden(raw, true))
            .or_else(|| (folder.depth >= DEPTH_MAX).then_some(SkipCause::TooDeep));
        if let Some(cause) = cause {
            return self.tally.add(cause, &shown(raw));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&folder.fd, OsStr::from_bytes(name), flags, Mode::empty()) {
            Ok(fd) => self.folder(&Folder { fd, raw, depth: folder.depth + 1 }),
            // It was a folder a moment ago.
            Err(Errno::LOOP | Errno::NOTDIR) => self.tally.add(SkipCause::Link, &shown(raw)),
            Err(_) => self.tally.add(SkipCause::Unreadable, &shown(raw)),
        }
    }

    fn hidden(&self, raw: &[u8], is_folder: bool) -> Option<SkipCause> {
        let relative = OsStr::from_bytes(raw);
        let rules = self.rules.as_ref()?;
        rules.hidden(&self.root.join(relative), relative, is_folder)
    }

    fn keep(&mut self, raw: Vec<u8>) {
        let name = shown(&raw);
        match SourcePath::new(&name) {
            Ok(path) if self.names.insert(path.clone()) => {
                self.found.push(Found { raw: OsString::from_vec(raw), path });
            }
            _ => self.tally.add(SkipCause::Name, &name),
        }
    }
}

/// A regular file, open for reading.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) bytes: u64,
}

/// Opens a folder of the tree; an empty path is the root itself. Refuses links.
pub(crate) fn open_folder(root: BorrowedFd<'_>, raw: &OsStr) -> Result<OwnedFd, SkipCause> {
    let mut folder = None;
    let parts = if raw.is_empty() { &b"."[..] } else { raw.as_bytes() };
    for part in parts.split(|byte| *byte == b'/') {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::DIRECTORY;
        let at = folder.as_ref().map_or(root, OwnedFd::as_fd);
        folder = Some(openat(at, OsStr::from_bytes(part), flags, Mode::empty()).map_err(cause)?);
    }
    folder.ok_or(SkipCause::Unreadable)
}

/// Opens a file in a folder of the tree for reading. Refuses links and everything that is not a
/// regular file.
pub(crate) fn open_in(folder: impl AsFd, name: &OsStr) -> Result<Opened, SkipCause> {
    // Non-blocking: a FIFO that took the file's place must not hold us.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = openat(folder, name, flags, Mode::empty()).map_err(cause)?;
    let stat = fstat(&fd).map_err(|_| SkipCause::Unreadable)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(SkipCause::Special);
    }
    let bytes = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    if bytes > FILE_BYTES_MAX {
        return Err(SkipCause::TooLarge);
    }
    Ok(Opened { file: File::from(fd), bytes })
}

fn cause(error: Errno) -> SkipCause {
    match error {
        Errno::LOOP | Errno::NOTDIR => SkipCause::Link,
        Errno::NXIO => SkipCause::Special,
        _ => SkipCause::Unreadable,
    }
}

fn entries_of(fd: &OwnedFd) -> rustix::io::Result<Vec<(Vec<u8>, FileType)>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(fd)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not say; ask, without following.
            FileType::Unknown => {
                rustix::fs::statat(fd, entry.file_name(), rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
                    .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
            }
            known => known,
        };
        entries.push((name.to_vec(), kind));
    }
    Ok(entries)
}

fn read_small(folder: &OwnedFd, name: &str) -> Option<Vec<u8>> {
    let mut file = open_in(folder, OsStr::new(name)).ok()?.file;
    let mut text = Vec::new();
    file.read_to_end(&mut text).ok()?;
    Some(text)
}

/// Makes a name displayable: bytes that are not UTF-8, control characters and `\` become `%XX`.
pub(crate) fn shown(raw: &[u8]) -> String {
    let mut text = String::with_capacity(raw.len());
    let escape = |text: &mut String, bytes: &[u8]| {
        for byte in bytes {
            write!(text, "%{byte:02X}").expect("a String takes everything");
        }
    };
    for chunk in raw.utf8_chunks() {
        for c in chunk.valid().chars() {
            // Tools of the JavaScript world take `\` for a separator, also where it is a letter.
            if c.is_control() || c == '\\' {
                escape(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(c);
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

/// Opens the root itself: the one place where a link is followed, since the user named it.
pub(crate) fn open_root(root: &PathBuf) -> std::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(root, flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_text_is_shown_byte_by_byte() {
        assert_eq!(shown(b"caf\xc3\xa9 \xff.py"), "café %FF.py");
        assert_eq!(shown(b"a\nb\x1b[31m"), "a%0Ab%1B[31m");
        assert_eq!(shown(b"back\\slash"), "back%5Cslash");
    }
}
