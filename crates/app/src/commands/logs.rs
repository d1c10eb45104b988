//! `assay logs`: what a server in the background has logged.

use super::background::service;
use crate::{
    cli::Logs,
    exit::Exit,
    failure::{Failure, Outcome},
    serving::Papers,
    session,
};
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::Duration,
};

/// How often it is looked for more.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Bytes from the end of the log in which its last lines are looked for.
const TAIL_BYTES: u64 = 4 << 20;

/// A log, read on from where it was left.
struct Reading {
    file: File,
    inode: u64,
    at: u64,
    /// The beginning of a line whose end is to come.
    begun: Vec<u8>,
    /// The first line that is read has no beginning.
    is_cut: bool,
}

pub(crate) fn run(words: &Logs) -> Outcome {
    let papers = Papers::of(service(words.service.as_deref())?)?;
    let path = papers.log();
    let mut reading = Reading::open(&path, TAIL_BYTES).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::usage(format!("there is no log of the {}", papers.name)).hint(format!(
                "only a server that `assay start` began keeps one, in {}; one in the foreground \
                 logs to its standard error",
                papers.folder().display()
            ))
        }
        _ => Failure::usage(format!("`{}` cannot be read", path.display())).because(error),
    })?;
    let unread = |error: io::Error| {
        Failure::usage(format!("`{}` cannot be read", path.display())).because(error)
    };
    let lines = reading.more().map_err(unread)?;
    let skipped = lines.len().saturating_sub(words.lines);
    show(&lines[skipped..], words.json)?;
    if !words.follow {
        return Ok(Exit::Done);
    }
    session::block_on(async |interrupt| {
        loop {
            tokio::select! {
                biased;
                reason = interrupt.asked() => return Ok(Failure::stopped(Some(reason)).exit()),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            show(&reading.more().map_err(unread)?, words.json)?;
            // It has rotated when another file has its name; what was left in it is shown.
            if let Ok(next) = Reading::open(&path, u64::MAX)
                && next.inode != reading.inode
            {
                show(&reading.more().map_err(unread)?, words.json)?;
                reading = next;
            }
        }
    })
}

fn show(lines: &[String], as_json: bool) -> Result<(), Failure> {
    let mut text = String::new();
    for line in lines {
        if as_json {
            text.push_str(line);
        } else {
            text.push_str(&assay_term::sanitise(&told(line)));
        }
        text.push('\n');
    }
    session::print(&text)
}

/// Says a line as a person reads it: time, level, message, fields.
fn told(line: &str) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(line) else { return line.to_owned() };
    let mut word = |key: &str| match fields.remove(key) {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let (time, level, message) = (word("timestamp"), word("level"), word("message"));
    word("target");
    let mut text = format!("{time} {level:5} {message}");
    for (name, value) in fields {
        // Text takes all.
        let _ = match value {
            Value::String(value) => write!(text, " {name}={value}"),
            value => write!(text, " {name}={value}"),
        };
    }
    text
}

// === impl Reading ===

impl Reading {
    /// Opens a log, to read its last bytes and what comes.
    fn open(path: &Path, tail: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let at = metadata.len().saturating_sub(tail);
        file.seek(SeekFrom::Start(at))?;
        Ok(Self { file, inode: metadata.ino(), at, begun: Vec::new(), is_cut: at > 0 })
    }

    /// All whole lines that have come.
    fn more(&mut self) -> io::Result<Vec<String>> {
        if self.file.metadata()?.len() < self.at {
            // Somebody has emptied it.
            self.at = self.file.seek(SeekFrom::Start(0))?;
            self.begun.clear();
        }
        let read = self.file.read_to_end(&mut self.begun)?;
        self.at += u64::try_from(read).unwrap_or(0);
        let whole = self.begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.begun.drain(..whole).collect();
        let cut = usize::from(self.is_cut && !lines.is_empty());
        self.is_cut &= lines.is_empty();
        Ok(String::from_utf8_lossy(&lines).lines().skip(cut).map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_line_is_told_as_a_person_reads_it() {
        let line =
            r#"{"timestamp":"T","level":"WARN","message":"it is late","task":"a","target":"x"}"#;
        assert_eq!(told(line), "T WARN  it is late task=a");
        assert_eq!(told("no JSON"), "no JSON");
    }

    #[test]
    fn lines_are_read_whole_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut file = File::create(&path).unwrap();
        write!(file, "one\ntw").unwrap();
        let mut reading = Reading::open(&path, TAIL_BYTES).unwrap();
        assert_eq!(reading.more().unwrap(), ["one"]);
        writeln!(file, "o").unwrap();
        assert_eq!(reading.more().unwrap(), ["two"]);
        assert_eq!(reading.more().unwrap(), [""; 0]);
        // From the middle of a line the next whole one is the first.
        assert_eq!(Reading::open(&path, 6).unwrap().more().unwrap(), ["two"]);
    }
}
