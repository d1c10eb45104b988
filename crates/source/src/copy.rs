//! The files that were found, copied folder by folder.
//!
//! Keeps: what is hashed is what was written; a file is shared with the app's own where the disk can
//! share and then part them again, and never otherwise.

use crate::{
    FILE_BYTES_MAX, Options,
    language::language_of,
    skip,
    snapshot::{SourceError, SourceFile, Stamp, count_lines},
    walk::{Found, Opened, open_folder, open_in},
};
use assay_model::{Language, SkipCause, SourcePath};
use rustix::{
    fd::{AsFd as _, OwnedFd},
    fs::{AtFlags, Mode, OFlags, ioctl_ficlone, open, openat, unlinkat},
};
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// Threads that copy. More do not help: the work is mostly the kernel's.
const COPIERS: usize = 4;

/// Files of one folder that a thread takes at a time. Two that write into one folder wait for each
/// other, so a folder is split only where the others would have nothing to do.
const RUN_FILES: usize = 256;

/// From this size on sharing the blocks of a file costs less than writing them.
const SHARED_BYTES_MIN: u64 = 64 << 10;

pub(crate) type Copied = (SourcePath, Result<SourceFile, SkipCause>);

/// What the copiers share.
struct Work<'a> {
    root: &'a OwnedFd,
    into: &'a Path,
    options: Options,
    stop: &'a (dyn Fn() -> bool + Sync),
    runs: Vec<&'a [Found]>,
    next: AtomicUsize,
    /// Whether the disk could share blocks until now.
    shares: AtomicBool,
    results: Mutex<Vec<Copied>>,
}

/// The two folders of a run, open.
struct Folders {
    from: OwnedFd,
    to: OwnedFd,
}

/// Copies all files into the folder `into`, and takes the right to write from its folders.
pub(crate) fn copy_all(
    root: &OwnedFd,
    found: &[Found],
    into: &Path,
    (options, stop): (Options, &(dyn Fn() -> bool + Sync)),
) -> Result<Vec<Copied>, SourceError> {
    let not_written = |source| SourceError::NotWritten { path: into.display().to_string(), source };
    let folders = make_folders(found, into).map_err(not_written)?;
    let in_one_folder = |a: &Found, b: &Found| raw_parts(&a.raw).0 == raw_parts(&b.raw).0;
    let runs = found.chunk_by(in_one_folder).flat_map(|run| run.chunks(RUN_FILES)).collect();
    let (next, shares) = (AtomicUsize::new(0), AtomicBool::new(true));
    let results = Mutex::new(Vec::with_capacity(found.len()));
    let work = Work { root, into, options, stop, runs, next, shares, results };
    std::thread::scope(|scope| {
        let copiers = COPIERS.min(work.runs.len());
        let workers: Vec<_> = (0..copiers).map(|_| scope.spawn(|| work.copy_some())).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("`copy_some` does not panic"))
    })
    .map_err(not_written)?;
    for folder in folders {
        // A tool that leaves its cache beside the code would change what the next tool sees.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).map_err(not_written)?;
    }
    Ok(work.results.into_inner().expect("no copier panics while it holds the results"))
}

/// Makes all folders of the copy and returns them, the innermost first.
fn make_folders(found: &[Found], into: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = BTreeSet::from([String::new()]);
    for file in found {
        let mut folder = file.path.parent();
        // Once a folder is known, so are those around it.
        while folders.insert(folder.to_owned()) {
            folder = folder.rsplit_once('/').map_or("", |(outer, _)| outer);
        }
    }
    // The outer ones come first: a name sorts before what it is the beginning of.
    let mut made = Vec::with_capacity(folders.len());
    for folder in &folders {
        let path = into.join(folder);
        match fs::create_dir_all(&path) {
            Ok(()) => made.push(path),
            // The files in it are skipped by name, one by one.
            Err(error) if is_of_the_name(&error) => {}
            Err(error) => return Err(error),
        }
    }
    made.reverse();
    Ok(made)
}

/// The folder and the name in it.
pub(crate) fn raw_parts(raw: &OsStr) -> (&OsStr, &OsStr) {
    let raw = raw.as_bytes();
    let (folder, name) = match memchr::memrchr(b'/', raw) {
        Some(slash) => (&raw[..slash], &raw[slash + 1..]),
        None => (&raw[..0], raw),
    };
    (OsStr::from_bytes(folder), OsStr::from_bytes(name))
}

// === impl Work ===

impl Work<'_> {
    fn copy_some(&self) -> io::Result<()> {
        let (mut buffer, mut mine) = (Vec::new(), Vec::new());
        while let Some(run) = self.runs.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let folders = self.open(&run[0])?;
            for file in *run {
                if (self.stop)() {
                    break;
                }
                let outcome = match &folders {
                    Ok(folders) => self.copy(file, folders, &mut buffer)?,
                    Err(cause) => Err(*cause),
                };
                mine.push((file.path.clone(), outcome));
            }
        }
        self.results.lock().expect("no copier panics while it holds the results").append(&mut mine);
        Ok(())
    }

    /// Opens the folders of a file. The outer error is ours (a full disk); the inner is a cause to
    /// skip what is in it.
    fn open(&self, file: &Found) -> io::Result<Result<Folders, SkipCause>> {
        let from = match open_folder(self.root.as_fd(), raw_parts(&file.raw).0) {
            Ok(from) => from,
            Err(cause) => return Ok(Err(cause)),
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match open(self.into.join(file.path.parent()), flags, Mode::empty()) {
            Ok(to) => Ok(Ok(Folders { from, to })),
            Err(error) if is_of_the_name(&error.into()) => Ok(Err(SkipCause::Name)),
            Err(error) => Err(error.into()),
        }
    }

    /// Copies one file. The errors are those of [`open`](Self::open).
    fn copy(
        &self,
        file: &Found,
        folders: &Folders,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Result<SourceFile, SkipCause>> {
        let Opened { file: mut source, bytes } =
            match open_in(&folders.from, raw_parts(&file.raw).1) {
                Ok(opened) => opened,
                Err(cause) => return Ok(Err(cause)),
            };
        let (mut target, mut is_shared) = (None, false);
        if bytes >= SHARED_BYTES_MIN && self.shares.load(Ordering::Relaxed) {
            let Some(made) = create(file, folders)? else { return Ok(Err(SkipCause::Name)) };
            is_shared = ioctl_ficlone(&made, &source).is_ok();
            if is_shared {
                // What is hashed has to be what was shared, also if the file changes now.
                source = made.try_clone()?;
            } else {
                self.shares.store(false, Ordering::Relaxed);
            }
            target = Some(made);
        }
        let taken = self.read(file, source, bytes, buffer);
        if let Err(cause) = taken {
            if target.is_some() {
                unlinkat(&folders.to, file.path.file_name(), AtFlags::empty())?;
            }
            return Ok(Err(cause));
        }
        let mut target = match target {
            Some(target) => target,
            None => match create(file, folders)? {
                Some(target) => target,
                None => return Ok(Err(SkipCause::Name)),
            },
        };
        if !is_shared {
            target.write_all(buffer)?;
        }
        let stamp = Stamp::of(&target.metadata()?);
        let language = language_of(&file.path, buffer);
        let lines = if language == Language::Binary { 0 } else { count_lines(buffer) };
        let digest = blake3::hash(buffer);
        let bytes = buffer.len() as u64;
        Ok(Ok(SourceFile { path: file.path.clone(), language, bytes, lines, digest, stamp }))
    }

    /// Reads a file whole, and says why it is left out.
    fn read(
        &self,
        file: &Found,
        source: File,
        bytes: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<(), SkipCause> {
        buffer.clear();
        // With room to spare the end is found by the next read and not by a longer search.
        buffer.reserve(usize::try_from(bytes).unwrap_or(0) + 64);
        // A file that grows while we read it must not fill the memory.
        if source.take(FILE_BYTES_MAX + 1).read_to_end(buffer).is_err() {
            return Err(SkipCause::Unreadable);
        }
        if buffer.len() as u64 > FILE_BYTES_MAX {
            return Err(SkipCause::TooLarge);
        }
        // Where nothing of the app decides what is looked at, a comment in it does not either.
        let by_content =
            || skip::content_cause(&file.path, buffer).filter(|_| !self.options.no_ignore);
        skip::name_cause(&file.path).or_else(by_content).map_or(Ok(()), Err)
    }
}

/// Makes the copy's file; `None` where the disk does not take its name.
fn create(file: &Found, folders: &Folders) -> io::Result<Option<File>> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::RGRP | Mode::ROTH;
    match openat(&folders.to, file.path.file_name(), flags, mode).map_err(io::Error::from) {
        Ok(made) => Ok(Some(File::from(made))),
        Err(error) if is_of_the_name(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it is the name that the disk does not take: too long once it is made displayable, or
/// that of a folder. Everything else is the disk's own trouble.
fn is_of_the_name(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidFilename
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            // Its folder could not be made, for the same reasons.
            | io::ErrorKind::NotFound
    )
}
