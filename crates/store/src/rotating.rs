//! The log of a server: one file that is never longer than it may be, and some older ones.
//!
//! Keeps: a record that was written whole is in one file whole; `log` is the newest, `log.1` the
//! one before it; a file that another program moved away or removed is made again; a full disk is
//! told once, and again after it had room, and stops nobody who logs.
//!
//! Does not: say what stands in a record, or when to log.

use crate::StoreError;
use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    mem,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How long a log may grow, and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogTerms {
    /// The bytes of one file. A single longer record gets a file of its own.
    pub bytes_max: u64,
    /// The files in all, the newest one too; at least 1.
    pub files_max: u32,
}

/// A log that rotates. Clones write to the same one; each call of [`write`](Write::write) is one
/// record, as `tracing-subscriber` writes them.
///
/// It is never an error to write to it: what the disk does not take is counted, and told once.
#[derive(Clone)]
pub struct RotatingLog(Arc<Mutex<Inner>>);

struct Inner {
    path: PathBuf,
    terms: LogTerms,
    /// Absent after it could not be opened.
    file: Option<Open>,
    /// Records that found no room since the last one that did.
    lost: u64,
    tell: Box<dyn FnMut(LogTrouble<'_>) + Send>,
}

struct Open {
    file: File,
    length: u64,
    inode: u64,
}

/// What is told about a log, beside it.
#[derive(Debug)]
pub enum LogTrouble<'a> {
    /// From now on records are lost. Told once, until one is written again.
    Began { path: &'a Path, error: &'a io::Error },
    /// There is room again; so many records were lost.
    Ended { path: &'a Path, lost: u64 },
}

// === impl LogTerms ===

impl Default for LogTerms {
    fn default() -> Self {
        Self { bytes_max: 10 << 20, files_max: 5 }
    }
}

// === impl RotatingLog ===

impl RotatingLog {
    /// Opens the log at `path` and appends to what is there. `tell` hears when records begin to be
    /// lost and when that is over, on the thread that logs; it must not log itself.
    pub fn open(
        path: &Path,
        terms: LogTerms,
        tell: impl FnMut(LogTrouble<'_>) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let file = Open::at(path).map_err(|error| StoreError::io("opened", path, error))?;
        let terms = LogTerms { files_max: terms.files_max.max(1), ..terms };
        let (path, tell) = (path.to_owned(), Box::new(tell));
        let inner = Inner { path, terms, file: Some(file), lost: 0, tell };
        Ok(Self(Arc::new(Mutex::new(inner))))
    }

    /// Records that found no room since the last one that did.
    pub fn lost(&self) -> u64 {
        self.inner().lost
    }

    /// Opens the file again, as after another program has moved it away.
    pub fn reopen(&self) {
        self.inner().file = None;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for RotatingLog {
    /// Writes one record. What the disk does not take is lost, told, and no error: whoever logs
    /// could only log about it.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        self.inner().record(record);
        Ok(record.len())
    }

    /// Does nothing: there is no buffer.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for RotatingLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner();
        let mut shown = f.debug_struct("RotatingLog");
        shown.field("path", &inner.path).field("terms", &inner.terms).field("lost", &inner.lost);
        shown.finish_non_exhaustive()
    }
}

// === impl Inner ===

impl Inner {
    fn record(&mut self, record: &[u8]) {
        match self.try_record(record) {
            Ok(()) => {
                let lost = mem::take(&mut self.lost);
                if lost > 0 {
                    (self.tell)(LogTrouble::Ended { path: &self.path, lost });
                }
            }
            Err(error) => {
                self.lost += 1;
                if self.lost == 1 {
                    (self.tell)(LogTrouble::Began { path: &self.path, error: &error });
                }
            }
        }
    }

    fn try_record(&mut self, record: &[u8]) -> io::Result<()> {
        let wanted = record.len() as u64;
        let (path, terms) = (&self.path, self.terms);
        let is_ours = |open: &Open| fs::metadata(path).is_ok_and(|meta| meta.ino() == open.inode);
        let mut open = match self.file.take().filter(is_ours) {
            Some(open) => open,
            None => Open::at(path)?,
        };
        if open.length > 0 && open.length + wanted > terms.bytes_max {
            rotate(path, terms.files_max)?;
            open = Open::at(path)?;
        }
        let written = open.append(record);
        self.file = Some(open);
        written
    }
}

/// Moves each file one number on. The oldest goes.
fn rotate(path: &Path, files_max: u32) -> io::Result<()> {
    if files_max == 1 {
        return fs::remove_file(path);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let numbered = |number: u32| {
        let older = path.with_file_name(format!("{name}.{number}"));
        if number == 0 { path.to_owned() } else { older }
    };
    for number in (0..files_max - 1).rev() {
        match fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

// === impl Open ===

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        // Logs name apps and clients.
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let meta = file.metadata()?;
        Ok(Self { file, length: meta.len(), inode: meta.ino() })
    }

    /// Appends a record whole. What was written of one that does not fit is taken back, so that the
    /// next one begins a line.
    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        match self.file.write_all(record) {
            Ok(()) => {
                self.length += record.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.file.set_len(self.length).ok();
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, bytes_max: u64, files_max: u32) -> RotatingLog {
        let tell = |trouble: LogTrouble<'_>| panic!("{trouble:?}");
        RotatingLog::open(path, LogTerms { bytes_max, files_max }, tell).unwrap()
    }

    fn read(path: &Path, end: &str) -> Option<String> {
        fs::read_to_string(format!("{}{end}", path.display())).ok()
    }

    #[test]
    fn no_file_grows_beyond_its_bound_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assay.log");
        let mut log = open(&path, 20, 3);
        for n in 0..10 {
            writeln!(log, "record {n}").unwrap();
        }
        // Two of nine bytes fit into twenty.
        assert_eq!(read(&path, "").unwrap(), "record 8\nrecord 9\n");
        assert_eq!(read(&path, ".1").unwrap(), "record 6\nrecord 7\n");
        assert_eq!(read(&path, ".2").unwrap(), "record 4\nrecord 5\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_record_longer_than_a_file_is_written_whole_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assay.log");
        let mut log = open(&path, 20, 9);
        let long = "x".repeat(100);
        for record in ["a\n", &long, "b\n"] {
            log.write_all(record.as_bytes()).unwrap();
        }
        assert_eq!(read(&path, "").unwrap(), "b\n");
        assert_eq!(read(&path, ".1").unwrap(), long);
        assert_eq!(read(&path, ".2").unwrap(), "a\n");
    }

    #[test]
    fn a_log_goes_on_where_the_last_process_stopped_and_a_single_file_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assay.log");
        open(&path, 20, 1).write_all(b"before\n").unwrap();
        let mut log = open(&path, 20, 1);
        log.write_all(b"after\n").unwrap();
        assert_eq!(read(&path, "").unwrap(), "before\nafter\n");
        log.write_all(b"more than fits\n").unwrap();
        assert_eq!(read(&path, "").unwrap(), "more than fits\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_was_moved_away_or_removed_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assay.log");
        let mut log = open(&path, 1000, 3);
        log.write_all(b"one\n").unwrap();
        fs::rename(&path, folder.path().join("theirs")).unwrap();
        log.write_all(b"two\n").unwrap();
        assert_eq!(read(&path, "").unwrap(), "two\n");
        fs::remove_file(&path).unwrap();
        log.reopen();
        log.write_all(b"three\n").unwrap();
        assert_eq!(read(&path, "").unwrap(), "three\n");
        assert_eq!(fs::read_to_string(folder.path().join("theirs")).unwrap(), "one\n");
    }

    #[test]
    fn records_of_many_threads_are_whole_and_all_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assay.log");
        let log = open(&path, 3000, 100);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let mut log = log.clone();
                scope.spawn(move || {
                    for n in 0..100 {
                        log.write_all(format!("thread {thread} record {n}\n").as_bytes()).unwrap();
                    }
                });
            }
        });
        let mut lines = Vec::new();
        for file in fs::read_dir(folder.path()).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(text.len() <= 3000 && text.ends_with('\n'));
            lines.extend(text.lines().map(str::to_owned));
        }
        lines.sort();
        lines.dedup();
        assert_eq!(lines.len(), 800);
        assert!(lines.iter().all(|line| line.split(' ').count() == 4), "a line is torn");
    }

    #[test]
    fn a_folder_that_is_gone_is_told_once_and_the_log_comes_back_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/assay.log");
        fs::create_dir(folder.path().join("logs")).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&told);
        let tell = move |trouble: LogTrouble<'_>| {
            let word = match trouble {
                LogTrouble::Began { error, .. } => format!("began: {:?}", error.kind()),
                LogTrouble::Ended { lost, .. } => format!("ended: {lost}"),
            };
            hear.lock().unwrap().push(word);
        };
        let mut log = RotatingLog::open(&path, LogTerms::default(), tell).unwrap();
        fs::remove_dir_all(folder.path().join("logs")).unwrap();
        for _ in 0..5 {
            log.write_all(b"lost\n").unwrap();
        }
        assert_eq!(log.lost(), 5);
        fs::create_dir(folder.path().join("logs")).unwrap();
        log.write_all(b"there\n").unwrap();
        assert_eq!(*told.lock().unwrap(), ["began: NotFound", "ended: 5"]);
        assert_eq!(read(&path, "").unwrap(), "there\n");
    }
}
