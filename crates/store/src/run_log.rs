//! The events of one analysis, appended and read back: `events.ndjson`.
//!
//! Keeps: one event a line; a log has exactly one last event, nothing follows it, and a log that
//! is dropped without one says `lost`. What a failed append wrote is taken back, so that the next
//! one does not continue a broken line.

use crate::{StoreError, disk::open_limited};
use assay_model::{AnalysisOutcome, Event, EventKind};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The most that is read of a log. Tools by the dozen and their phases stay below a megabyte.
const EVENTS_BYTES_MAX: u64 = 256 << 20;

/// The writer of one log.
///
/// Made with its task folder, and given back to it at the end.
#[derive(Debug)]
pub struct RunLog {
    path: PathBuf,
    file: File,
    /// Up to here all lines are whole.
    length: u64,
    next_seq: u32,
    at_ms: u64,
    ended: bool,
}

/// What a log tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    pub events: Vec<Event>,
    /// The last line was cut short: its writer was stopped, or is about to write the rest.
    pub cut: bool,
    /// The numbers of lines, from 1, that are no events.
    pub broken: Vec<u64>,
}

// === impl RunLog ===

impl RunLog {
    pub(crate) fn create(path: &Path) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        let file = options
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| StoreError::io("made", path, error))?;
        Ok(Self { path: path.to_owned(), file, length: 0, next_seq: 0, at_ms: 0, ended: false })
    }

    /// Appends an event; a reader can see it when this returns.
    pub fn append(&mut self, event: &Event) -> Result<(), StoreError> {
        if self.ended {
            return Err(StoreError::AfterEnd);
        }
        let mut line = serde_json::to_vec(event)
            .map_err(|error| StoreError::io("written", &self.path, error.into()))?;
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            self.file.set_len(self.length).ok();
            return Err(StoreError::io("written", &self.path, error));
        }
        self.length += line.len() as u64;
        self.next_seq = event.seq.saturating_add(1);
        self.at_ms = self.at_ms.max(event.at_ms);
        self.ended = matches!(event.kind, EventKind::Ended { .. });
        Ok(())
    }

    /// Ends the log, unless the last event is there already.
    pub(crate) fn end(mut self, at_ms: u64, outcome: AnalysisOutcome) -> Result<(), StoreError> {
        if !self.ended {
            self.at_ms = self.at_ms.max(at_ms);
            self.append_end(outcome)?;
        }
        self.file.sync_all().map_err(|error| StoreError::io("synced", &self.path, error))
    }

    fn append_end(&mut self, outcome: AnalysisOutcome) -> Result<(), StoreError> {
        let kind = EventKind::Ended { outcome };
        self.append(&Event { seq: self.next_seq, at_ms: self.at_ms, kind })
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        if !self.ended {
            // Without it the folder still reads as lost: it has no manifest.
            self.append_end(AnalysisOutcome::Lost).ok();
        }
    }
}

// === impl Replay ===

impl Replay {
    /// Reads a log, also one that is being written.
    pub(crate) fn read(path: &Path) -> Result<Self, StoreError> {
        let unreadable = |error: io::Error| StoreError::unreadable(path, error);
        let mut lines = open_limited(path, EVENTS_BYTES_MAX)?;
        let (mut replay, mut line) = (Self::default(), Vec::new());
        for number in 1_u64.. {
            line.clear();
            if lines.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
                break;
            }
            if !line.ends_with(b"\n") {
                replay.cut = true;
                break;
            }
            match serde_json::from_slice(&line) {
                Ok(event) => replay.events.push(event),
                Err(_) => replay.broken.push(number),
            }
        }
        Ok(replay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(seq: u32) -> Event {
        Event { seq, at_ms: 5, kind: EventKind::Warned { message: "a\nb".to_owned() } }
    }

    fn new_log() -> (tempfile::TempDir, PathBuf, RunLog) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.ndjson");
        let log = RunLog::create(&path).unwrap();
        (folder, path, log)
    }

    #[test]
    fn an_event_is_there_as_soon_as_it_is_appended() {
        let (_folder, path, mut log) = new_log();
        log.append(&warned(0)).unwrap();
        assert_eq!(Replay::read(&path).unwrap().events, [warned(0)]);
    }

    #[test]
    fn a_log_has_one_last_event_and_nothing_follows() {
        let (_folder, path, mut log) = new_log();
        let kind = EventKind::Ended { outcome: AnalysisOutcome::Complete };
        let last = Event { seq: 0, at_ms: 9, kind };
        log.append(&last).unwrap();
        assert!(matches!(log.append(&warned(1)), Err(StoreError::AfterEnd)));
        log.end(10, AnalysisOutcome::Lost).unwrap();
        assert_eq!(Replay::read(&path).unwrap().events, [last]);
    }

    #[test]
    fn a_dropped_log_says_that_the_analysis_is_lost() {
        let (_folder, path, mut log) = new_log();
        log.append(&warned(7)).unwrap();
        drop(log);
        let kind = EventKind::Ended { outcome: AnalysisOutcome::Lost };
        assert_eq!(Replay::read(&path).unwrap().events[1], Event { seq: 8, at_ms: 5, kind });
    }

    #[test]
    fn a_cut_last_line_and_a_broken_one_hide_no_other() {
        let (_folder, path, mut log) = new_log();
        log.append(&warned(0)).unwrap();
        let mut text = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
        text = format!("{text}\u{0}nonsense\n{text}{}", text.trim_end());
        std::fs::write(&path, text).unwrap();
        let replay = Replay::read(&path).unwrap();
        assert_eq!(replay.events.len(), 2);
        assert_eq!(replay.broken, [2]);
        assert!(replay.cut);
    }
}
