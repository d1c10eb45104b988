//! Comments that silence a finding.
//!
//! The rule for `suppressed-by`, exactly:
//!
//! - A pattern is tried on the finding's first line and, where the region spans several, on its
//!   last: tools accept the comment at either end of a statement.
//! - A pattern that begins with `^`, or that holds `next-line` or `nextline`, is about a comment
//!   that has a line for itself; it is tried on the line above the first line, and only there.
//! - A group named `rules` that takes part limits the comment to what it names: words between
//!   commas or spaces, each a rule's name or the beginning of one. A comment that names other
//!   rules suppresses nothing.
//!
//! And for `suppressed-blocks`: what begins before the finding and is not ended before it silences
//! it, and so does a comment about the whole file, wherever it stands (`reach = "file"`) or only
//! where nothing but comments and blank lines is above it (`reach = "top"`).
//!
//! Does not: follow a comment that goes on over several lines.

use assay_model::SuppressionReach;
use regex::{Captures, Regex};

/// Characters of a line that are looked at: a minified file has lines of megabytes.
const LINE_CHARS_MAX: usize = 4_000;

/// Marks of one file that are kept: more are no comments that people wrote.
const MARKS_MAX: usize = 10_000;

/// What a comment's first characters are, in the languages that have comments about a whole file.
const COMMENTS: [&str; 6] = ["#", "//", "/*", "*", "<!--", "--"];

/// One pattern of `suppressed-by`.
#[derive(Debug)]
pub(crate) struct Suppressor {
    regex: Regex,
    on: Line,
}

/// Where a comment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Itself,
    Above,
}

/// One entry of `suppressed-blocks`.
#[derive(Debug)]
pub(crate) struct Block {
    pub from: Regex,
    pub until: Option<Regex>,
    pub reach: SuppressionReach,
}

/// The lines that a finding touches.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lines<'t> {
    pub first: Option<&'t str>,
    /// Where the region spans several.
    pub last: Option<&'t str>,
    pub above: Option<&'t str>,
}

/// Where blocks begin and end in one file.
#[derive(Debug, Default)]
pub(crate) struct Marks(Vec<Mark>);

/// A comment that begins or ends a block.
#[derive(Debug)]
struct Mark {
    block: usize,
    begins: bool,
    /// The whole file is meant, also what stands before it.
    everywhere: bool,
    /// Both from 0; the column behind the comment, in characters.
    line: usize,
    end: usize,
    /// Names of rules; `None` means all.
    names: Option<String>,
    reason: String,
}

// === impl Suppressor ===

impl Suppressor {
    pub(crate) fn new(regex: Regex) -> Self {
        let text = regex.as_str();
        let above = text.trim_start_matches("(?i)").starts_with('^')
            || text.contains("next-line")
            || text.contains("nextline");
        let on = if above { Line::Above } else { Line::Itself };
        Self { regex, on }
    }

    /// Returns the comment on one of the lines that silences the rule.
    pub(crate) fn on(&self, lines: Lines<'_>, rule: &str) -> Option<String> {
        match self.on {
            Line::Itself => {
                [lines.first, lines.last].into_iter().flatten().find_map(|l| self.silences(l, rule))
            }
            Line::Above => lines.above.and_then(|line| self.silences(line, rule)),
        }
    }

    /// Returns the comment if it silences the rule.
    fn silences(&self, line: &str, rule: &str) -> Option<String> {
        let found = self.regex.captures(looked_at(line))?;
        is_meant(names(&found), rule).then(|| found[0].trim().to_owned())
    }
}

// === impl Marks ===

impl Marks {
    /// Finds the marks of all blocks in a file's lines.
    pub(crate) fn of<'t>(blocks: &[Block], lines: impl Iterator<Item = &'t str>) -> Self {
        let mut marks = Self::default();
        if blocks.is_empty() {
            return marks;
        }
        let mut at_top = true;
        for (number, line) in lines.enumerate() {
            let line = looked_at(line);
            let start = line.trim_start();
            at_top &= start.is_empty() || COMMENTS.iter().any(|sign| start.starts_with(sign));
            for (block, pattern) in blocks.iter().enumerate() {
                if pattern.reach == SuppressionReach::Top && !at_top {
                    continue;
                }
                marks.take((block, pattern, true), &pattern.from, (number, line));
                if let Some(until) = &pattern.until {
                    marks.take((block, pattern, false), until, (number, line));
                }
            }
            if marks.0.len() > MARKS_MAX {
                break;
            }
        }
        marks.0.sort_by_key(|mark| (mark.line, mark.end));
        marks
    }

    fn take(
        &mut self,
        (block, pattern, begins): (usize, &Block, bool),
        regex: &Regex,
        (number, line): (usize, &str),
    ) {
        self.0.extend(regex.captures_iter(line).map(|found| {
            let whole = found.get_match();
            Mark {
                block,
                begins,
                everywhere: pattern.reach != SuppressionReach::Rest,
                line: number,
                end: line[..whole.end()].chars().count(),
                names: names(&found).map(str::to_owned),
                reason: whole.as_str().trim().to_owned(),
            }
        }));
    }

    /// Returns the comment that silences a rule at a place; line and column count from 0.
    pub(crate) fn silence(&self, rule: &str, line: usize, column: usize) -> Option<String> {
        let mut open: Vec<(usize, &str)> = Vec::new();
        for mark in self.0.iter().filter(|mark| is_meant(mark.names.as_deref(), rule)) {
            if mark.everywhere && mark.begins {
                return Some(mark.reason.clone());
            }
            if (mark.line, mark.end) > (line, column) {
                continue;
            }
            open.retain(|(block, _)| *block != mark.block);
            if mark.begins {
                open.push((mark.block, &mark.reason));
            }
        }
        open.first().map(|(_, reason)| (*reason).to_owned())
    }
}

fn looked_at(line: &str) -> &str {
    match line.char_indices().nth(LINE_CHARS_MAX) {
        Some((end, _)) => &line[..end],
        None => line,
    }
}

fn names<'t>(found: &Captures<'t>) -> Option<&'t str> {
    let named = found.name("rules").map(|rules| rules.as_str().trim());
    named.filter(|names| !names.is_empty())
}

/// Whether a comment with these names is about the rule.
fn is_meant(names: Option<&str>, rule: &str) -> bool {
    names.is_none_or(|names| {
        let mut names = names.split([',', ' ', '\t']).filter(|name| !name.is_empty());
        names.any(|name| starts_with_ignoring_case(rule, name))
    })
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, line: &str, rule: &str, expected: Option<&str>) {
        let suppressor = Suppressor::new(Regex::new(pattern).unwrap());
        assert_eq!(suppressor.silences(line, rule).as_deref(), expected, "{line}");
    }

    const NOSEC: &str = r"#\s*nosec\b:?\s*(?P<rules>[A-Z]\d+(?:[,\s]+[A-Z]\d+)*)?";

    #[test]
    fn a_comment_silences_what_it_names_and_no_more() {
        check(NOSEC, "x = eval(y)  # nosec", "B307", Some("# nosec"));
        check(NOSEC, "x = eval(y)  # nosec B307", "B307", Some("# nosec B307"));
        check(NOSEC, "x = eval(y)  # nosec B101, B307", "B307", Some("# nosec B101, B307"));
        check(NOSEC, "x = eval(y)  # nosec B101", "B307", None);
        check(NOSEC, "x = eval(y)  # no second thoughts", "B307", None);
    }

    #[test]
    fn the_shape_of_a_pattern_tells_where_the_comment_stands() {
        let on = |pattern: &str| Suppressor::new(Regex::new(pattern).unwrap()).on;
        assert_eq!(on(NOSEC), Line::Itself);
        assert_eq!(on("eslint-disable-next-line"), Line::Above);
        assert_eq!(on(r"^\s*# shellcheck disable="), Line::Above);
    }

    #[track_caller]
    fn check_block(reach: SuppressionReach, text: &str, (line, column): (usize, usize), is: bool) {
        let regex = |text: &str| Regex::new(text).unwrap();
        let from = regex(r"/\*off(?P<rules>(?: [a-z,]+)?)\*/");
        let until = Some(regex(r"/\*on(?P<rules>(?: [a-z,]+)?)\*/"));
        let marks = Marks::of(&[Block { from, until, reach }], text.lines());
        assert_eq!(marks.silence("eval", line, column).is_some(), is, "{text} at {line}:{column}");
    }

    #[test]
    fn a_block_silences_from_where_it_begins_to_where_it_ends() {
        let rest = |text, place, is| check_block(SuppressionReach::Rest, text, place, is);
        rest("a\n/*off*/\nb\n", (2, 0), true);
        rest("a\n/*off*/\nb\n", (0, 0), false);
        rest("/*off*/\na\n/*on*/\nb", (3, 0), false);
        rest("/*off*/\na\n/*on*/\nb", (1, 0), true);
        rest("é /*off*/ a /*on*/ b", (0, 0), false);
        rest("é /*off*/ a /*on*/ b", (0, 10), true);
        rest("é /*off*/ a /*on*/ b", (0, 19), false);
        rest("/*off eval,other*/\na", (1, 0), true);
        rest("/*off other*/\na", (1, 0), false);
        rest("/*off*/\n/*on other*/\na", (2, 0), true);
        rest("/*off*/\n/*on eval*/\na", (2, 0), false);
    }

    #[test]
    fn a_comment_about_the_whole_file_silences_also_what_is_before_it() {
        check_block(SuppressionReach::File, "a\n/*off*/", (0, 0), true);
        check_block(SuppressionReach::File, "a\n/*off other*/", (0, 0), false);
        check_block(SuppressionReach::Top, "// a\n\n/*off*/\nb", (3, 0), true);
        check_block(SuppressionReach::Top, "a\n/*off*/\nb", (2, 0), false);
    }
}
