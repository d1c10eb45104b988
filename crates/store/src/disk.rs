//! One file: written whole or not at all, read without surprise.
//!
//! Keeps: a file appears under its name only when all its bytes are on disk; what is read is a
//! regular file, not a link, not a pipe that would block, and no longer than expected.

use crate::StoreError;
use assay_model::Digest;
use rustix::fs::OFlags;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// What the names of unfinished files begin with.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// A file that is not finished. Removed when dropped, unless it got its name.
struct Temporary {
    path: PathBuf,
    named: bool,
}

/// What was written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) bytes: u64,
    pub(crate) blake3: Digest,
}

/// Counts and hashes on the way to the file.
struct Counted<'a> {
    file: BufWriter<&'a File>,
    hasher: blake3::Hasher,
    bytes: u64,
}

// === impl Temporary ===

impl Temporary {
    fn create(folder: &Path) -> io::Result<(Self, File)> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{TEMPORARY}{}-{count}", process::id()));
            let mut options = OpenOptions::new();
            match options.write(true).create_new(true).mode(0o600).open(&path) {
                // Left by a dead process that had our number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => return opened.map(|file| (Self { path, named: false }, file)),
            }
        }
    }

    fn name(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.named = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.named {
            // If this fails too, the file stays under a name that no reader looks at.
            fs::remove_file(&self.path).ok();
        }
    }
}

// === impl Counted ===

impl Write for Counted<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let taken = self.file.write(buffer)?;
        self.hasher.update(&buffer[..taken]);
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

// === writing ===

/// Writes `target` so that a reader sees the old file or the new one, whole.
pub(crate) fn write_whole(
    target: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Written, StoreError> {
    let folder = target.parent().unwrap_or(Path::new("."));
    let failed = |error| StoreError::io("written", target, error);
    let (temporary, file) = Temporary::create(folder).map_err(failed)?;
    let mut out = Counted { file: BufWriter::new(&file), hasher: blake3::Hasher::new(), bytes: 0 };
    fill(&mut out).and_then(|()| out.flush()).map_err(failed)?;
    let written = Written { bytes: out.bytes, blake3: digest(&out.hasher) };
    drop(out);
    // Some file systems rename before they write: after a power cut the name would hold nothing.
    file.sync_all().map_err(failed)?;
    temporary.name(target).map_err(failed)?;
    Ok(written)
}

pub(crate) fn write_json(target: &Path, value: &impl Serialize) -> Result<Written, StoreError> {
    write_whole(target, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

/// Makes names in `folder` survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| StoreError::io("synced", folder, error))
}

/// Makes a folder and those above it, for nobody but us: reports hold source.
pub(crate) fn make_folders(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

// === reading ===

/// Opens a regular file. A link is refused, and a pipe does not block.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path).map_err(
        |error| match error.raw_os_error() {
            Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => {
                io::Error::other("it is a link")
            }
            _ => error,
        },
    )?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file")) }
}

/// Opens a regular file of at most `limit` bytes. What a writer adds meanwhile is not read.
pub(crate) fn open_limited(
    path: &Path,
    limit: u64,
) -> Result<BufReader<io::Take<File>>, StoreError> {
    let unreadable = |error: io::Error| StoreError::unreadable(path, error);
    let file = open_regular(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    if bytes > limit {
        return Err(StoreError::TooLarge { path: path.to_owned(), bytes, limit });
    }
    Ok(BufReader::with_capacity(1 << 16, file.take(limit)))
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, limit: u64) -> Result<T, StoreError> {
    serde_json::from_reader(open_limited(path, limit)?)
        .map_err(|error| StoreError::unreadable(path, error))
}

pub(crate) fn digest_of(path: &Path) -> Result<Written, StoreError> {
    let unreadable = |error: io::Error| StoreError::unreadable(path, error);
    let mut hasher = blake3::Hasher::new();
    let mut file = open_regular(path).map_err(unreadable)?;
    let bytes = io::copy(&mut file, &mut hasher).map_err(unreadable)?;
    Ok(Written { bytes, blake3: digest(&hasher) })
}

/// Whether `path` is a folder and not a link to one.
pub(crate) fn is_real_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

fn digest(hasher: &blake3::Hasher) -> Digest {
    Digest::new(hasher.finalize().to_hex().as_str()).expect("BLAKE3 gives 64 lower-case hex digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("report.json");
        write_whole(&target, |out| out.write_all(b"old")).unwrap();
        let error = write_whole(&target, |out| {
            out.write_all(&vec![b'x'; 100_000])?;
            OpenOptions::new().write(true).open("/dev/full")?.write_all(b"x")
        })
        .unwrap_err();
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn size_and_digest_are_those_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("x");
        let written = write_whole(&target, |out| {
            (0..10_000).try_for_each(|line| writeln!(out, "line {line}"))
        })
        .unwrap();
        let content = fs::read(&target).unwrap();
        assert_eq!(written.bytes, content.len() as u64);
        assert_eq!(written.blake3.as_str(), blake3::hash(&content).to_hex().as_str());
        assert_eq!(digest_of(&target).unwrap().blake3, written.blake3);
    }

    #[test]
    fn a_link_and_a_pipe_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (link, pipe) = (folder.path().join("link"), folder.path().join("pipe"));
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        assert_eq!(open_regular(&link).unwrap_err().to_string(), "it is a link");
        assert_eq!(open_regular(&pipe).unwrap_err().to_string(), "it is no file");
    }
}
