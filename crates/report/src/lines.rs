//! A file as lines, and the little structure that identity needs of it.
//!
//! Owns the three readings of a line: folded (what is left when layout is taken away), its
//! statement (with the lines that a bracket or backslash ties to it), and the definition around
//! it. Heuristics over indentation, not a parser: they hold for every language alike, and a wrong
//! guess is still the same guess tomorrow.
//!
//! Keeps: one pass over the file, however many findings ask.

mod definition; // whether a line opens a definition, and its name

use assay_model::SourcePath;
use definition::{Style, definition};
use std::{cell::OnceCell, sync::Arc};

/// Longer lines are machine-made: they open no definition, and identity looks at a part only.
pub(crate) const LONG_LINE: usize = 500;

/// How far a statement is followed over open brackets and backslashes.
const STATEMENT_LINES: usize = 3;

/// The text of one file, cut into lines.
pub(crate) struct Lines {
    text: Arc<str>,
    /// Byte offsets at which lines start.
    starts: Vec<usize>,
    style: Style,
    definitions: OnceCell<Definitions>,
}

/// Which definition each line stands in.
struct Definitions {
    names: Vec<String>,
    /// For each line: index into `names` of the innermost definition around it.
    around: Vec<Option<u32>>,
    /// For each line that opens a definition: index into `names` of that one.
    opened: Vec<Option<u32>>,
}

/// An indentation level that is open while the lines are passed.
struct Level {
    indent: usize,
    name: Option<u32>,
}

// === impl Lines ===

impl Lines {
    pub(crate) fn new(path: &SourcePath, text: Arc<str>) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { text, starts, style: Style::of(path), definitions: OnceCell::new() }
    }

    pub(crate) fn count(&self) -> usize {
        // A final line feed ends the last line and begins none.
        self.starts.len() - usize::from(self.text.is_empty() || self.text.ends_with('\n'))
    }

    /// Returns a line, counted from 1, without its end.
    pub(crate) fn get(&self, line: usize) -> Option<&str> {
        if line == 0 || line > self.count() {
            return None;
        }
        let start = self.starts[line - 1];
        let end = self.starts.get(line).map_or(self.text.len(), |next| next - 1);
        let text = &self.text[start..end];
        Some(text.strip_suffix('\r').unwrap_or(text))
    }

    /// Returns the first and last line of the statement that holds `line`, as far as open round
    /// brackets and backslashes at line ends tell.
    ///
    /// Tools disagree on whether `execute(\n  query)` is at its first or second line.
    pub(crate) fn statement(&self, line: usize) -> (usize, usize) {
        let mut first = line;
        while first > 1 && line - first < STATEMENT_LINES && self.continues(first - 1) {
            first -= 1;
        }
        let mut last = first;
        while last - first < STATEMENT_LINES && last < self.count() && self.continues(last) {
            last += 1;
        }
        (first, last.max(line))
    }

    /// Returns the name of the innermost definition around a line; a line that opens one stands
    /// in the one around that.
    pub(crate) fn around(&self, line: usize) -> Option<&str> {
        let definitions = self.definitions();
        let index = (*definitions.around.get(line.checked_sub(1)?)?)?;
        definitions.names.get(index as usize).map(String::as_str)
    }

    /// Returns the line and name of the definition that a measure at `line` is about: opened on
    /// it, or, for a decorator, just below it.
    pub(crate) fn measured(&self, line: usize) -> Option<(usize, &str)> {
        let definitions = self.definitions();
        let mut at = line;
        while self.get(at)?.trim_start().starts_with('@') && at - line < 20 {
            at += 1;
        }
        let index = (*definitions.opened.get(at.checked_sub(1)?)?)?;
        Some((at, definitions.names.get(index as usize)?))
    }

    fn continues(&self, line: usize) -> bool {
        self.get(line)
            .is_some_and(|text| text.len() < LONG_LINE && text.trim_end().ends_with(['(', '\\']))
    }

    fn definitions(&self) -> &Definitions {
        self.definitions.get_or_init(|| Definitions::of(self))
    }
}

// === impl Definitions ===

impl Definitions {
    fn of(lines: &Lines) -> Self {
        let count = lines.count();
        let mut found = Self {
            names: Vec::new(),
            around: Vec::with_capacity(count),
            opened: Vec::with_capacity(count),
        };
        let mut levels: Vec<Level> = Vec::new();
        for text in (1..=count).filter_map(|line| lines.get(line)) {
            found.pass(text, lines.style, &mut levels);
        }
        found
    }

    fn pass(&mut self, text: &str, style: Style, levels: &mut Vec<Level>) {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            self.around.push(levels.last().and_then(|level| level.name));
            self.opened.push(None);
            return;
        }
        let indent = indent(text);
        // A closing bracket ends what its opener began, so `) -> int:` must not end its own `def f(`.
        let closes = trimmed.starts_with([')', ']', '}']);
        while levels
            .last()
            .is_some_and(|level| level.indent > indent || (!closes && level.indent == indent))
        {
            levels.pop();
        }
        let around = levels.last().and_then(|level| level.name);
        self.around.push(around);
        let name = (text.len() < LONG_LINE).then(|| definition(trimmed, style)).flatten();
        let opened = name.map(|name| {
            self.names.push(name);
            u32::try_from(self.names.len() - 1).unwrap_or(u32::MAX)
        });
        self.opened.push(opened);
        if !closes {
            levels.push(Level { indent, name: opened.or(around) });
        }
    }
}

/// Returns how far a line is indented; a tab counts as four.
fn indent(text: &str) -> usize {
    let mut width = 0;
    for byte in text.bytes() {
        match byte {
            b' ' => width += 1,
            b'\t' => width = width / 4 * 4 + 4,
            _ => break,
        }
    }
    width
}

/// Returns the text without layout: no space but between two words, no trailing comment.
///
/// A formatter, or a `# nosec` that is added, must not make a new defect of an old one.
pub(crate) fn fold(text: &str) -> String {
    let code = without_comment(text.trim());
    let code = if code.is_empty() { text.trim() } else { code };
    let mut folded = String::with_capacity(code.len());
    let mut gap = false;
    for c in code.chars() {
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        if gap && is_word(c) && folded.chars().next_back().is_some_and(is_word) {
            folded.push(' ');
        }
        gap = false;
        folded.push(c);
    }
    folded
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Cuts ` # …` and ` // …` off, unless inside quotes.
fn without_comment(text: &str) -> &str {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let spaced = at == 0 || bytes[at - 1].is_ascii_whitespace();
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(open), _) if byte == open => quote = None,
            (None, b'"' | b'\'' | b'`') => quote = Some(byte),
            (None, b'#') if spaced && bytes.get(at + 1).is_none_or(|next| *next == b' ') => {
                return text[..at].trim_end();
            }
            (None, b'/') if spaced && bytes.get(at + 1) == Some(&b'/') => {
                return text[..at].trim_end();
            }
            _ => {}
        }
        at += 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(name: &str, text: &str) -> Lines {
        Lines::new(&SourcePath::new(name).unwrap(), text.into())
    }

    #[test]
    fn lines_are_counted_as_editors_do() {
        let file = lines("a.py", "one\r\ntwo\n\nfour");
        assert_eq!((file.count(), file.get(1), file.get(4)), (4, Some("one"), Some("four")));
        assert_eq!((file.get(0), file.get(5)), (None, None));
        assert_eq!(lines("a.py", "one\n").count(), 1);
        assert_eq!(lines("a.py", "").count(), 0);
    }

    #[test]
    fn layout_and_comments_fold_away() {
        assert_eq!(fold("  f( a ,b )  # nosec"), "f(a,b)");
        assert_eq!(fold("return  x // why"), "return x");
        assert_eq!(fold("u = 'a # b'"), "u='a # b'".replace(" # ", "#"));
        assert_eq!(fold("get('http://x')"), "get('http://x')");
        assert_eq!(fold("# TODO: x"), "#TODO:x");
    }

    #[test]
    fn the_innermost_definition_is_found_by_indentation() {
        let file = lines(
            "a.py",
            "class A:\n    def f(\n        self,\n    ) -> int:\n        if x:\n            y()\n        return 1\nz()\n",
        );
        assert_eq!(file.around(6), Some("f"));
        assert_eq!(file.around(7), Some("f"));
        assert_eq!(file.around(2), Some("A"));
        assert_eq!(file.around(8), None);
    }

    #[test]
    fn a_measure_at_a_decorator_is_about_the_function_below() {
        let file = lines("a.py", "@app.get('/')\n@cached\ndef home():\n    pass\n");
        assert_eq!(file.measured(1), Some((3, "home")));
        assert_eq!(file.measured(3), Some((3, "home")));
        assert_eq!(file.measured(4), None);
    }

    #[test]
    fn a_statement_is_followed_over_open_brackets() {
        let file = lines("a.py", "execute(\n    query,\n    more)\nx()\n");
        assert_eq!(file.statement(1), (1, 2));
        assert_eq!(file.statement(2), (1, 2));
        assert_eq!(file.statement(3), (3, 3));
    }
}
