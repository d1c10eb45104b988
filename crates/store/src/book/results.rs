//! Results, compressed: small ones inside the book, big ones as files beside it.
//!
//! Keeps: a file is whole and on disk before a row names it; a file that no row names is litter.

use super::{
    fault::Fault,
    home::Home,
    rows::{self, Kept, ResultRow},
};
use crate::{
    StoreError,
    disk::{make_folders, open_regular, sync_folder, write_whole},
};
use assay_model::TaskId;
use bytes::Bytes;
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use rusqlite::Connection;
use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read, Write},
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

/// A result that is kept. Its file goes again when no row came to name it.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) row: ResultRow,
    /// Whether a row names it, or would if its transaction had come through: then a file without
    /// a row stays, until the next pruning finds it.
    pub(super) named: bool,
    file: Option<PathBuf>,
}

// === impl Pending ===

impl Pending {
    /// Compresses `result` and, if it is longer than `big`, writes it to a file of its own.
    pub(super) fn keep(
        home: &Home,
        task: &TaskId,
        result: &[u8],
        big: usize,
    ) -> Result<Self, StoreError> {
        let bytes = result.len() as u64;
        if result.len() <= big {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            let kept = encoder
                .write_all(result)
                .and_then(|()| encoder.finish())
                .map_err(|error| StoreError::io("compressed", &home.folder, error))?;
            return Ok(Self {
                row: ResultRow { bytes, kept: Kept::Inside(kept) },
                named: false,
                file: None,
            });
        }
        let folder = home.results();
        make_folders(&folder).map_err(|error| StoreError::io("made", &folder, error))?;
        let name = new_name(task);
        let path = folder.join(&name);
        let written = write_whole(&path, |out| {
            let mut encoder = ZlibEncoder::new(out, Compression::fast());
            encoder.write_all(result)?;
            encoder.finish().map(drop)
        })?;
        let pending = Self {
            row: ResultRow { bytes, kept: Kept::File { name, kept: written.bytes } },
            named: false,
            file: Some(path),
        };
        sync_folder(&folder)?;
        Ok(pending)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(path) = self.file.as_ref().filter(|_| !self.named) {
            // If this fails, the next pruning finds it.
            fs::remove_file(path).ok();
        }
    }
}

/// Two ends of one task may be written at once, and only one of them will count.
fn new_name(task: &TaskId) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{task}.{:x}-{count:x}.z", std::process::id())
}

/// Reads the result of a task, if it has one.
pub(super) fn load(db: &Connection, home: &Home, task: &TaskId) -> Result<Option<Bytes>, Fault> {
    let Some(ResultRow { bytes, kept }) = rows::result(db, task)? else { return Ok(None) };
    let unpacked = match kept {
        Kept::Inside(data) => unpack(&*data, bytes).map_err(|error| {
            let why = format!("the result of task `{task}`: {error}");
            StoreError::Unreadable { path: home.database(), why }
        }),
        Kept::File { name, .. } => {
            let path = home.results().join(name);
            open_regular(&path)
                .and_then(|file| unpack(file, bytes))
                .map_err(|error| StoreError::unreadable(&path, error))
        }
    };
    Ok(Some(Bytes::from(unpacked?)))
}

/// The files that rows name.
pub(super) fn file_names(db: &Connection) -> Result<BTreeSet<String>, Fault> {
    let mut names = db.prepare("SELECT file FROM results WHERE file IS NOT NULL")?;
    Ok(names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Unpacks exactly so many bytes. No more are made of a file that somebody blew up.
pub(super) fn unpack(packed: impl Read, bytes: u64) -> io::Result<Vec<u8>> {
    let wanted = usize::try_from(bytes).map_err(io::Error::other)?;
    let mut unpacked = Vec::new();
    unpacked.try_reserve_exact(wanted)?;
    let mut limited = ZlibDecoder::new(packed).take(bytes.saturating_add(1));
    limited.read_to_end(&mut unpacked)?;
    if unpacked.len() != wanted {
        let found = unpacked.len();
        return Err(io::Error::other(format!("{found} bytes of {wanted} are there")));
    }
    Ok(unpacked)
}
