//! What can go wrong with what is remembered, and the one step that mends it.

use crate::{TaskState, book::BOOK_VERSION};
use assay_model::TaskId;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why something could not be kept, found or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("`{path}` could not be {doing}", path = .path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("no space is left for `{path}`", path = .path.display())]
    DiskFull { path: PathBuf },
    #[error("`{path}` grew beyond the largest file that this process may write", path = .path.display())]
    FileLimit { path: PathBuf },
    #[error("`{path}` is not a folder", path = .path.display())]
    NotAFolder { path: PathBuf },
    #[error("`{path}` is not empty and holds no results of Assay", path = .path.display())]
    NotOurs { path: PathBuf },
    #[error("another analysis writes to `{path}` just now", path = .path.display())]
    InUse { path: PathBuf },
    #[error("`{path}` is there already", path = .path.display())]
    Exists { path: PathBuf },
    #[error("results can go neither to `{path}` ({why}) nor elsewhere: {elsewhere}", path = .path.display())]
    Nowhere { path: PathBuf, why: String, elsewhere: String },
    #[error("`{name}` cannot be the name of a result: {why}")]
    BadName { name: String, why: &'static str },
    #[error("`{path}` cannot be read: {why}", path = .path.display())]
    Unreadable { path: PathBuf, why: String },
    #[error("`{path}` has {bytes} bytes, and at most {limit} are read", path = .path.display())]
    TooLarge { path: PathBuf, bytes: u64, limit: u64 },
    #[error("`{path}` has version {found}, and this Assay reads {known}", path = .path.display())]
    OtherVersion { path: PathBuf, found: String, known: &'static str },
    #[error("task `{task}` has no report: {}", of_state(*state))]
    NoReport { task: TaskId, state: TaskState },
    #[error("there are no results yet")]
    NoTasks,
    #[error("no task is called `{asked}`")]
    NoTask { asked: String, near: Vec<String> },
    #[error("`{asked}` could be any of {count} tasks", count = .matches.len())]
    Ambiguous { asked: String, matches: Vec<String> },
    #[error("the last event is written already, and nothing follows it")]
    AfterEnd,
    #[error("{} serves already: it holds `{path}`", process(*pid), path = .path.display())]
    Served { path: PathBuf, pid: Option<u32> },
    #[error("there is no book at `{path}`", path = .path.display())]
    NoBook { path: PathBuf },
    #[error("`{path}` is a database of something else", path = .path.display())]
    NotABook { path: PathBuf },
    #[error("another process writes the book in `{path}`", path = .path.display())]
    BookInUse { path: PathBuf },
    #[error("the book in `{path}` is closed", path = .path.display())]
    BookClosed { path: PathBuf },
    #[error("what was asked of the book in `{path}` broke off: the program ends, or has a bug", path = .path.display())]
    BookBrokeOff { path: PathBuf },
    #[error("`{path}` has version {found}, and this Assay writes {BOOK_VERSION}", path = .path.display())]
    BookVersion { path: PathBuf, found: u32 },
    #[error("no space is left for the book `{path}`", path = .path.display())]
    BookFull { path: PathBuf },
    #[error("the book `{path}` is damaged: {why}", path = .path.display())]
    BookBroken { path: PathBuf, why: String },
    #[error("the book `{path}` could not be used", path = .path.display())]
    Book { path: PathBuf, source: rusqlite::Error },
    #[error("the book knows no task `{task}`")]
    TaskUnknown { task: TaskId },
    #[error("task `{task}` is in the book already")]
    TaskTaken { task: TaskId },
    #[error("task `{task}` has ended, and nothing follows")]
    TaskEnded { task: TaskId },
    #[error("the book knows no batch `{batch}`")]
    BatchUnknown { batch: String },
    #[error("batch `{batch}` is in the book already")]
    BatchTaken { batch: String },
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"))
}

fn of_state(state: TaskState) -> String {
    match state {
        TaskState::Running => "it still runs".to_owned(),
        TaskState::Finished(outcome) => format!("it ended as {outcome}"),
        TaskState::Lost => "its process died before it was written".to_owned(),
    }
}

// === impl StoreError ===

impl StoreError {
    /// Sorts what the system said about `path` while it was being `doing` (a participle).
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            io::ErrorKind::FileTooLarge => Self::FileLimit { path },
            _ => Self::Io { doing, path, source },
        }
    }

    pub(crate) fn unreadable(path: &Path, why: impl ToString) -> Self {
        Self::Unreadable { path: path.to_owned(), why: why.to_string() }
    }

    /// Whether it is room on a disk that is missing.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::BookFull { .. })
    }

    /// The error with its cause, in one line.
    pub fn in_full(&self) -> String {
        match self {
            Self::Io { source, .. } => format!("{self}: {source}"),
            Self::Book { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }

    /// The one step that mends it, where one is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::DiskFull { .. } => {
                "free some space, or write elsewhere with `--output DIR`".into()
            }
            Self::FileLimit { .. } => "raise the limit with `ulimit -f`".into(),
            Self::NotAFolder { .. } | Self::NotOurs { .. } => {
                "name an empty or a new folder with `--output DIR`".into()
            }
            Self::NoReport { .. } => "analyse it again: assay analyze PATH".into(),
            Self::InUse { .. } => "wait for it, or name another folder with `--output DIR`".into(),
            Self::Nowhere { .. } => {
                "name a folder that you may write to with `--output DIR`".into()
            }
            Self::OtherVersion { .. } => "read it with the Assay that wrote it".into(),
            Self::NoTasks => "make some with `assay analyze PATH`".into(),
            Self::NoTask { near, .. } if near.is_empty() => {
                "`assay results list` shows them all".into()
            }
            Self::NoTask { near, .. } => format!("there is {}", quoted(near)),
            Self::Ambiguous { matches, .. } => format!("there is {}", quoted(matches)),
            Self::Served { .. } => "`assay status` asks it, `assay stop` stops it".into(),
            Self::NoBook { .. } => "`assay serve` begins one".into(),
            Self::NotABook { .. } => "name another folder, or move that file away".into(),
            Self::BookInUse { .. } => "stop it with `assay stop`, or name another folder".into(),
            Self::BookVersion { found, .. } if *found > BOOK_VERSION => {
                "use the Assay that wrote it, or a newer one".into()
            }
            Self::BookVersion { .. } => "`assay serve` brings it to this version".into(),
            Self::BookFull { .. } => {
                "free some space on its disk; what was kept is kept, and the next write goes on"
                    .into()
            }
            Self::BookBroken { .. } => {
                "start `assay serve` again: it moves the damaged file aside and saves what it can"
                    .into()
            }
            Self::Io { .. }
            | Self::BookClosed { .. }
            | Self::BookBrokeOff { .. }
            | Self::Book { .. }
            | Self::TaskUnknown { .. }
            | Self::TaskTaken { .. }
            | Self::TaskEnded { .. }
            | Self::BatchUnknown { .. }
            | Self::BatchTaken { .. }
            | Self::Exists { .. }
            | Self::BadName { .. }
            | Self::Unreadable { .. }
            | Self::TooLarge { .. }
            | Self::AfterEnd => return None,
        };
        Some(hint)
    }
}

fn quoted(names: &[String]) -> String {
    /// More do not help to choose.
    const SHOWN_MAX: usize = 5;
    let mut text =
        names.iter().take(SHOWN_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN_MAX {
        text += " and more";
    }
    text
}
