//! `pyproject.toml`: tables and dotted keys.
//!
//! The text is cut into statements by a scan that knows no more of TOML than where strings, brackets
//! and comments end. Whether the result is right the parser says: without the sections, and equal in
//! everything else.

use super::{Section, blank};
use std::ops::Range;
use toml::{Table, Value};

/// A header, or a key with its value.
struct Statement {
    /// The dotted path: of the header, or of the key below the last header.
    path: Vec<String>,
    span: Range<usize>,
}

/// Returns the text without the sections; `None` where it is no TOML, or a section stands in a value
/// that holds more.
pub(super) fn without(text: &str, sections: &[Section]) -> Option<String> {
    let mut expected: Table = text.parse().ok()?;
    let mut rest = text.as_bytes().to_vec();
    for statement in statements(text)? {
        if sections.iter().any(|section| statement.path.starts_with(&section.path)) {
            blank(&mut rest, statement.span);
        }
    }
    for section in sections {
        remove(&mut expected, &section.path);
    }
    let rest = String::from_utf8(rest).ok()?;
    let mut left: Table = rest.parse().ok()?;
    prune(&mut expected);
    prune(&mut left);
    // A NaN is unlike itself, and then the file is hidden: nobody's manifest holds one.
    (left == expected).then_some(rest)
}

fn statements(text: &str) -> Option<Vec<Statement>> {
    let bytes = text.as_bytes();
    let (mut statements, mut header) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'#' => at = end_of_line(bytes, at),
            byte if byte.is_ascii_whitespace() => at += 1,
            b'[' => {
                let open = at + text[at..].bytes().take_while(|byte| *byte == b'[').count();
                let close = key_end(bytes, open, b']')?;
                header = key_path(&text[open..close])?;
                let end = end_of_line(bytes, close);
                statements.push(Statement { path: header.clone(), span: at..end });
                at = end;
            }
            _ => {
                let equals = key_end(bytes, at, b'=')?;
                let path = [header.clone(), key_path(&text[at..equals])?].concat();
                let end = value_end(bytes, equals + 1)?;
                statements.push(Statement { path, span: at..end });
                at = end;
            }
        }
    }
    Some(statements)
}

/// Parses a dotted key by letting the parser do it.
fn key_path(key: &str) -> Option<Vec<String>> {
    let mut table: Table = format!("{key} = 0").parse().ok()?;
    let mut path = Vec::new();
    loop {
        let (name, value) = table.into_iter().next()?;
        path.push(name);
        match value {
            Value::Table(inner) => table = inner,
            _ => return Some(path),
        }
    }
}

/// Returns where a key ends: at `end`, outside of quotes.
fn key_end(bytes: &[u8], mut at: usize, end: u8) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' | b'\'' => at = string_end(bytes, at)?,
            b'\n' => return None,
            byte if *byte == end => return Some(at),
            _ => at += 1,
        }
    }
}

/// Returns where a value ends: at the end of a line, outside of strings and brackets.
fn value_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match bytes.get(at) {
            None => return (depth == 0).then_some(at),
            Some(b'"' | b'\'') => {
                at = string_end(bytes, at)?;
                continue;
            }
            Some(b'#') => {
                at = end_of_line(bytes, at);
                continue;
            }
            Some(b'[' | b'{') => depth += 1,
            Some(b']' | b'}') => depth = depth.checked_sub(1)?,
            Some(b'\n') if depth == 0 => return Some(at),
            Some(_) => {}
        }
        at += 1;
    }
}

fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let quote = bytes[start];
    let is_long = bytes[start..].starts_with(&[quote; 3]);
    let mut at = start + if is_long { 3 } else { 1 };
    loop {
        let byte = *bytes.get(at)?;
        if byte == b'\\' && quote == b'"' {
            at += 2;
        } else if is_long && bytes[at..].starts_with(&[quote; 3]) {
            // One or two quotes may stand before the three that end it.
            let quotes = bytes[at..].iter().take_while(|byte| **byte == quote).count();
            return Some(at + quotes.min(5));
        } else if !is_long && byte == quote {
            return Some(at + 1);
        } else {
            at += 1;
        }
    }
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length)
}

fn remove(table: &mut Table, path: &[String]) {
    match path {
        [] => {}
        [last] => drop(table.remove(last)),
        [first, inner @ ..] => {
            if let Some(Value::Table(table)) = table.get_mut(first) {
                remove(table, inner);
            }
        }
    }
}

/// Takes out empty tables: a header that is gone may have been all that there was of one.
fn prune(table: &mut Table) {
    table.retain(|_, value| match value {
        Value::Table(inner) => {
            prune(inner);
            !inner.is_empty()
        }
        _ => true,
    });
}
