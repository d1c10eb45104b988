//! JSON lines, CSV, text: one item a line.

use super::{
    OutputError,
    collector::{Collector, cleaned},
    mapped::mapping,
    mapped_item::take_item,
};
use crate::{
    lookup::{Scope, at},
    mapping::CompiledMapping,
};
use serde_json::{Map, Value};
use std::io::{self, BufRead, Read};

/// The longest line that is held. A longer one is no line of a report.
const LINE_BYTES_MAX: usize = 4 << 20;

/// Reads `format = "json-lines"`.
pub(super) fn read_json(
    input: &mut dyn BufRead,
    collector: &mut Collector<'_>,
) -> Result<(), OutputError> {
    let mapping = mapping(collector);
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next()? {
        if line.text.trim().is_empty() || mapping.ignore_lines.is_match(&line.text) {
            continue;
        }
        if collector.tool.is_failure_line(&line.text) {
            return Err(OutputError::FailureLine { line: cleaned(&line.text, 300) });
        }
        if collector.take_failed_line(&line.text) {
            continue;
        }
        let value: Value = serde_json::from_str(&line.text).map_err(|error| {
            if line.ended {
                line.unknown()
            } else {
                OutputError::Malformed { at: lines.bytes, why: error.to_string() }
            }
        })?;
        for required in &mapping.required {
            if at(&value, required).is_none() {
                return Err(OutputError::NotIts { missing: format!("`{}`", required.join(".")) });
            }
        }
        let scope = Scope { value: &value, key: None, outer: None };
        crate::lookup::walk(&scope, &mapping.items.0, &mut |item| {
            take_item(mapping, collector, item)
        })?;
    }
    lines.not_empty()
}

/// Reads `format = "text"`.
pub(super) fn read_text(
    input: &mut dyn BufRead,
    collector: &mut Collector<'_>,
) -> Result<(), OutputError> {
    let mapping = mapping(collector);
    let pattern = mapping.pattern.as_ref().expect("`check` requires one for this format");
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next()? {
        if line.text.trim().is_empty() {
            continue;
        }
        if collector.tool.is_failure_line(&line.text) {
            return Err(OutputError::FailureLine { line: cleaned(&line.text, 300) });
        }
        if collector.take_failed_line(&line.text) {
            continue;
        }
        // A line that was cut may still match and say something else than it meant.
        if !line.ended {
            return Err(OutputError::Truncated { at: lines.bytes });
        }
        if let Some(groups) = pattern.captures(&line.text) {
            let mut members = Map::new();
            for name in pattern.capture_names().flatten() {
                if let Some(group) = groups.name(name) {
                    members.insert(name.to_owned(), group.as_str().into());
                }
            }
            take(mapping, collector, Value::Object(members))?;
        } else if !mapping.ignore_lines.is_match(&line.text) {
            return Err(line.unknown());
        }
    }
    lines.not_empty()
}

/// Reads `format = "csv"`.
pub(super) fn read_csv(
    input: &mut dyn BufRead,
    collector: &mut Collector<'_>,
) -> Result<(), OutputError> {
    let mapping = mapping(collector);
    let mut tail = Tail { input, last: None, bytes: 0 };
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&mut tail);
    let mut row = csv::ByteRecord::new();
    let mut header: Option<Vec<String>> = None;
    let mut number = 0;
    while reader.read_byte_record(&mut row).map_err(csv_error)? {
        number += 1;
        let cells = row.iter().map(|cell| String::from_utf8_lossy(cell).into_owned());
        if mapping.header && header.is_none() {
            header = Some(cells.collect());
            continue;
        }
        let names = header.as_deref().unwrap_or_default();
        let name = |at: usize| names.get(at).cloned().unwrap_or_else(|| at.to_string());
        let members: Map<_, _> =
            cells.enumerate().map(|(at, cell)| (name(at), cell.into())).collect();
        take(mapping, collector, Value::Object(members)).map_err(|_| OutputError::Line {
            number,
            line: cleaned(&String::from_utf8_lossy(row.as_slice()), 300),
        })?;
    }
    drop(reader);
    for required in &mapping.required {
        if !header.as_deref().unwrap_or_default().contains(&required.join(".")) {
            return Err(OutputError::NotIts {
                missing: format!("column `{}`", required.join(".")),
            });
        }
    }
    match tail.last {
        None => Err(OutputError::Empty),
        Some(b'\n') => Ok(()),
        Some(_) => Err(OutputError::Truncated { at: tail.bytes }),
    }
}

fn take(
    mapping: &CompiledMapping,
    collector: &mut Collector<'_>,
    value: Value,
) -> Result<(), OutputError> {
    take_item(mapping, collector, &Scope { value: &value, key: None, outer: None })
}

fn csv_error(error: csv::Error) -> OutputError {
    let why = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => OutputError::Io { source },
        _ => OutputError::Malformed { at: 0, why },
    }
}

/// One line, with what is not UTF-8 replaced.
struct Line {
    text: String,
    number: u64,
    /// It ends in a newline.
    ended: bool,
}

/// Lines of a stream, each of bounded length.
struct Lines<'r> {
    input: &'r mut dyn BufRead,
    number: u64,
    bytes: u64,
}

/// Passes bytes on and remembers the last one; a record that is too long ends the stream.
struct Tail<'r> {
    input: &'r mut dyn BufRead,
    last: Option<u8>,
    bytes: u64,
}

// === impl Lines ===

impl<'r> Lines<'r> {
    fn new(input: &'r mut dyn BufRead) -> Self {
        Self { input, number: 0, bytes: 0 }
    }

    fn next(&mut self) -> Result<Option<Line>, OutputError> {
        let mut bytes = Vec::new();
        let limit = LINE_BYTES_MAX as u64 + 1;
        let read = (&mut *self.input).take(limit).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += read as u64;
        if read > LINE_BYTES_MAX {
            return Err(OutputError::TooLarge { limit_bytes: LINE_BYTES_MAX });
        }
        let ended = bytes.pop_if(|byte| *byte == b'\n').is_some();
        bytes.pop_if(|byte| *byte == b'\r');
        let text = String::from_utf8_lossy(&bytes);
        let text = text.strip_prefix('\u{feff}').filter(|_| self.number == 1).unwrap_or(&text);
        Ok(Some(Line { text: text.to_owned(), number: self.number, ended }))
    }

    /// An empty stream is told apart from one of empty lines only by the row.
    fn not_empty(&self) -> Result<(), OutputError> {
        if self.bytes == 0 { Err(OutputError::Empty) } else { Ok(()) }
    }
}

impl Line {
    fn unknown(&self) -> OutputError {
        OutputError::Line { number: self.number, line: cleaned(&self.text, 300) }
    }
}

// === impl Tail ===

impl Read for Tail<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.last = buffer[..read].last().copied().or(self.last);
        self.bytes += read as u64;
        Ok(read)
    }
}
