//! One JSON document, value by value.
//!
//! Finds where values begin and end and hands the text of one at a time to `serde_json`, so that a
//! report of any size is read with the memory of its largest item, and at the speed of a slice.
//! (`serde_json::from_reader` goes byte by byte and is several times slower.)
//!
//! Keeps: at most [`VALUE_BYTES_MAX`] bytes are held; nesting is limited here, before anything is
//! parsed, and once more by `serde_json`.

use super::OutputError;
use std::io::BufRead;

/// The largest value that is held at once: a rule table of thousands of rules has 5 MB.
const VALUE_BYTES_MAX: usize = 64 << 20;

/// Deeper than any report is. Below `serde_json`'s own limit of 128, so that it is told by name.
const DEPTH_MAX: usize = 100;

/// Bytes that are read ahead.
const AHEAD: usize = 128 << 10;

/// A place in a stream of JSON.
pub(crate) struct Scanner<'r> {
    input: &'r mut dyn BufRead,
    buffer: Vec<u8>,
    /// The next byte in `buffer`.
    at: usize,
    /// Bytes of the stream before `buffer`.
    before: u64,
    ended: bool,
}

/// What a value is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Object,
    Array,
    Scalar,
}

// === impl Scanner ===

impl<'r> Scanner<'r> {
    /// Opens a document; a byte order mark before it is passed over.
    pub(crate) fn new(input: &'r mut dyn BufRead) -> Result<Self, OutputError> {
        let mut scanner = Self { input, buffer: Vec::new(), at: 0, before: 0, ended: false };
        scanner.fill()?;
        if scanner.buffer.starts_with(b"\xef\xbb\xbf") {
            scanner.at = 3;
        }
        match scanner.peek()? {
            Some(_) => Ok(scanner),
            None => Err(OutputError::Empty),
        }
    }

    /// Returns the shape of the next value.
    pub(crate) fn shape(&mut self) -> Result<Shape, OutputError> {
        match self.peek()? {
            Some(b'{') => Ok(Shape::Object),
            Some(b'[') => Ok(Shape::Array),
            Some(_) => Ok(Shape::Scalar),
            None => Err(self.truncated()),
        }
    }

    /// Enters an object or array.
    pub(crate) fn enter(&mut self) {
        debug_assert!(matches!(self.buffer[self.at], b'{' | b'['), "`shape` has been asked");
        self.at += 1;
    }

    /// Returns the next key of the object that was entered; `None` at its end.
    pub(crate) fn key(&mut self, count: u64) -> Result<Option<String>, OutputError> {
        if !self.another(count, b'}')? {
            return Ok(None);
        }
        if self.peek()? != Some(b'"') {
            return Err(self.unexpected("a key"));
        }
        let key = self.value::<String>()?;
        match self.peek()? {
            Some(b':') => {
                self.at += 1;
                Ok(Some(key))
            }
            Some(_) => Err(self.unexpected("a `:`")),
            None => Err(self.truncated()),
        }
    }

    /// Whether the array that was entered has another element.
    pub(crate) fn element(&mut self, count: u64) -> Result<bool, OutputError> {
        self.another(count, b']')
    }

    fn another(&mut self, count: u64, close: u8) -> Result<bool, OutputError> {
        match self.peek()? {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if count > 0 => {
                self.at += 1;
                match self.peek()? {
                    Some(byte) if byte == close => Err(self.unexpected("a value")),
                    Some(_) => Ok(true),
                    None => Err(self.truncated()),
                }
            }
            Some(_) if count == 0 => Ok(true),
            Some(_) => Err(self.unexpected("a `,`")),
            None => Err(self.truncated()),
        }
    }

    /// Reads the next value.
    pub(crate) fn value<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, OutputError> {
        self.with_text(|text| serde_json::from_str(text))
    }

    /// Passes over the next value; it still has to be JSON.
    pub(crate) fn skip(&mut self) -> Result<(), OutputError> {
        self.with_text(|text| serde_json::from_str(text).map(|serde::de::IgnoredAny| ()))
    }

    /// Hands the text of the next value to a parser that may borrow from it.
    pub(crate) fn with_text<T>(
        &mut self,
        parse: impl FnOnce(&str) -> Result<T, serde_json::Error>,
    ) -> Result<T, OutputError> {
        let length = self.value_length()?;
        let start = self.before + self.at as u64;
        let bytes = &self.buffer[self.at..self.at + length];
        let text = str::from_utf8(bytes)
            .map_err(|error| OutputError::NotUtf8 { at: start + error.valid_up_to() as u64 })?;
        let parsed = parse(text).map_err(|error| {
            let text = error.to_string();
            let why = text.rsplit_once(" at line ").map_or(text.as_str(), |(why, _)| why);
            OutputError::Malformed { at: start, why: super::collector::cleaned(why, 200) }
        })?;
        self.at += length;
        Ok(parsed)
    }

    /// Makes sure that nothing follows the document.
    pub(crate) fn end(&mut self) -> Result<(), OutputError> {
        match self.peek()? {
            None => Ok(()),
            Some(_) => Err(OutputError::Trailing { at: self.position() }),
        }
    }

    /// Returns the next byte that is no white space.
    fn peek(&mut self) -> Result<Option<u8>, OutputError> {
        loop {
            match self.buffer.get(self.at).copied() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(byte) => return Ok(Some(byte)),
                None if self.fill()? => {}
                None => return Ok(None),
            }
        }
    }

    /// Returns how long the next value is; it is in the buffer afterwards.
    fn value_length(&mut self) -> Result<usize, OutputError> {
        match self.peek()? {
            Some(b'"') => self.string_end(1),
            Some(b'{' | b'[') => self.nested_length(),
            Some(b',' | b':' | b'}' | b']') => Err(self.unexpected("a value")),
            Some(_) => self.scalar_length(),
            None => Err(self.truncated()),
        }
    }

    /// Returns where a string ends whose inside begins `from` bytes after `at`.
    fn string_end(&mut self, mut from: usize) -> Result<usize, OutputError> {
        loop {
            match memchr::memchr2(b'"', b'\\', &self.buffer[self.at + from..]) {
                Some(found) if self.buffer[self.at + from + found] == b'"' => {
                    return Ok(from + found + 1);
                }
                Some(found) => {
                    from += found + 2;
                    while self.at + from > self.buffer.len() {
                        self.more()?;
                    }
                }
                None => {
                    from = self.buffer.len() - self.at;
                    self.more()?;
                }
            }
        }
    }

    fn nested_length(&mut self) -> Result<usize, OutputError> {
        let (mut from, mut depth) = (0, 0);
        loop {
            let rest = &self.buffer[self.at + from..];
            let Some(found) = rest.iter().position(|byte| STRUCTURAL[usize::from(*byte)]) else {
                from = self.buffer.len() - self.at;
                self.more()?;
                continue;
            };
            let byte = rest[found];
            from += found + 1;
            match byte {
                b'"' => from = self.string_end(from)?,
                b'{' | b'[' => {
                    depth += 1;
                    if depth > DEPTH_MAX {
                        return Err(OutputError::TooDeep { limit: DEPTH_MAX });
                    }
                }
                _ => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(from);
                    }
                }
            }
        }
    }

    /// A number or word ends before the next separator, or with the stream.
    fn scalar_length(&mut self) -> Result<usize, OutputError> {
        let mut from = 0;
        loop {
            let rest = &self.buffer[self.at + from..];
            let ends =
                |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
            if let Some(found) = rest.iter().position(ends) {
                return Ok(from + found);
            }
            from = self.buffer.len() - self.at;
            if !self.fill()? {
                return Ok(from);
            }
        }
    }

    fn more(&mut self) -> Result<(), OutputError> {
        if self.fill()? { Ok(()) } else { Err(self.truncated()) }
    }

    /// Reads on; what has been used is let go. `false` at the end of the stream.
    fn fill(&mut self) -> Result<bool, OutputError> {
        if self.ended {
            return Ok(false);
        }
        if self.buffer.len() - self.at > VALUE_BYTES_MAX {
            return Err(OutputError::TooLarge { limit_bytes: VALUE_BYTES_MAX });
        }
        self.before += self.at as u64;
        self.buffer.drain(..self.at);
        self.at = 0;
        let wanted = self.buffer.len() + AHEAD;
        while self.buffer.len() < wanted {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if chunk.is_empty() {
                self.ended = true;
                break;
            }
            let length = chunk.len().min(wanted - self.buffer.len());
            self.buffer.extend_from_slice(&chunk[..length]);
            self.input.consume(length);
        }
        Ok(self.buffer.len() > wanted - AHEAD)
    }

    fn position(&self) -> u64 {
        self.before + self.at as u64
    }

    fn truncated(&self) -> OutputError {
        OutputError::Truncated { at: self.before + self.buffer.len() as u64 }
    }

    fn unexpected(&self, expected: &str) -> OutputError {
        OutputError::Malformed { at: self.position(), why: format!("{expected} was expected") }
    }
}

/// The bytes outside strings at which something begins or ends.
const STRUCTURAL: [bool; 256] = {
    let mut table = [false; 256];
    table[b'"' as usize] = true;
    table[b'{' as usize] = true;
    table[b'}' as usize] = true;
    table[b'[' as usize] = true;
    table[b']' as usize] = true;
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn whole(text: &[u8], chunk: usize) -> Result<Vec<String>, OutputError> {
        let mut input = BufReader::with_capacity(chunk, text);
        let mut scanner = Scanner::new(&mut input)?;
        let mut found = Vec::new();
        if scanner.shape()? == Shape::Array {
            scanner.enter();
            while scanner.element(found.len() as u64)? {
                found.push(scanner.value::<serde_json::Value>()?.to_string());
            }
        }
        scanner.end()?;
        Ok(found)
    }

    #[test]
    fn values_are_found_wherever_the_chunks_end() {
        let text = br#"[ {"a":"}\"]\\"}, "x,\"y", 12, [[],{}] ,null ]"#;
        let expected = [r#"{"a":"}\"]\\"}"#, r#""x,\"y""#, "12", "[[],{}]", "null"];
        for chunk in 1..text.len() {
            assert_eq!(whole(text, chunk).unwrap(), expected, "chunks of {chunk}");
        }
    }

    #[test]
    fn a_document_that_is_cut_anywhere_is_refused() {
        let text = br#"[{"a":"}\"]\\"},12]"#;
        for end in 0..text.len() {
            assert!(whole(&text[..end], 7).is_err(), "{end}");
        }
    }

    #[test]
    fn commas_and_depth_are_checked_like_json() {
        for bad in ["[1,]", "[,1]", "[1 2]", "[1]x", "[1}", "[1]]", "[{]}]"] {
            assert!(whole(bad.as_bytes(), 64).is_err(), "{bad}");
        }
        let deep = format!("[{}{}]", "[".repeat(50_000), "]".repeat(50_000));
        assert!(matches!(whole(deep.as_bytes(), 64), Err(OutputError::TooDeep { .. })));
    }
}
