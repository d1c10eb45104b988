//! A few lines of source, the place marked.
//!
//! Keeps: a line on which a secret was found is never shown from the source, whoever reports it,
//! and what looks like one is masked. The snippets in the report are masked already.

use crate::{secrets::mask_suspects, shown, text::cut};
use assay_model::{Finding, Kind, Region, Report, Snippet, SourcePath, SourceText};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// Lines shown before and after the place, where the report holds no snippet.
const AROUND: u32 = 2;

/// Lines of one excerpt. A function of a thousand lines may be one finding ("too complex").
const LINES_MAX: usize = 14;

/// Characters of a line.
const CHARS_MAX: usize = 300;

/// What stands in place of a line with a secret.
const MASKED: &str = "(this line holds a secret and is not shown)";

/// Makes excerpts for the findings of one report.
pub(super) struct Excerpts<'a> {
    source: &'a dyn SourceText,
    secret_lines: HashMap<&'a SourcePath, HashSet<u32>>,
}

#[derive(Serialize)]
pub(super) struct Excerpt {
    #[serde(rename = "n")]
    pub(super) lines: Vec<Line>,
}

/// A line in three parts, so that the marked one can be told apart without counting characters
/// again in a language that counts them otherwise.
#[derive(Serialize)]
pub(super) struct Line {
    #[serde(rename = "n")]
    pub(super) number: u32,
    #[serde(rename = "h")]
    pub(super) hit: bool,
    #[serde(rename = "a", skip_serializing_if = "String::is_empty")]
    pub(super) before: String,
    #[serde(rename = "m", skip_serializing_if = "String::is_empty")]
    pub(super) marked: String,
    #[serde(rename = "z", skip_serializing_if = "String::is_empty")]
    pub(super) after: String,
}

// === impl Excerpts ===

impl<'a> Excerpts<'a> {
    pub(super) fn new(report: &'a Report, source: &'a dyn SourceText) -> Self {
        let mut secret_lines = HashMap::<_, HashSet<u32>>::new();
        for finding in report.findings.iter().filter(|finding| finding.kind == Kind::Secret) {
            let Some(location) = &finding.location else { continue };
            let Some(region) = location.region else { continue };
            let lines = region.line..=last_line(region);
            secret_lines.entry(&location.path).or_default().extend(lines.take(1000));
        }
        Self { source, secret_lines }
    }

    pub(super) fn of(&self, finding: &Finding) -> Option<Excerpt> {
        let location = finding.location.as_ref()?;
        let region = location.region?;
        let snippet = match &finding.snippet {
            Some(snippet) => snippet.clone(),
            None => self.read(&location.path, region)?,
        };
        let lines = (snippet.first_line..=u32::MAX)
            .zip(&snippet.lines)
            .take(LINES_MAX)
            .map(|(number, text)| line(number, text, region))
            .collect();
        Some(Excerpt { lines })
    }

    fn read(&self, path: &SourcePath, region: Region) -> Option<Snippet> {
        let text = self.source.text(path)?;
        let secrets = self.secret_lines.get(path);
        let first_line = region.line.saturating_sub(AROUND).max(1);
        let last = last_line(region).saturating_add(AROUND);
        let lines = (first_line..=last)
            .zip(text.lines().skip((first_line as usize).saturating_sub(1)))
            .take(LINES_MAX)
            .map(|(number, line)| match secrets {
                Some(secrets) if secrets.contains(&number) => MASKED.to_owned(),
                _ => mask_suspects(line),
            })
            .collect::<Vec<_>>();
        (!lines.is_empty()).then_some(Snippet { first_line, lines })
    }
}

fn last_line(region: Region) -> u32 {
    region.end_line.unwrap_or(region.line).max(region.line)
}

fn line(number: u32, text: &str, region: Region) -> Line {
    let hit = (region.line..=last_line(region)).contains(&number);
    let (start, end) = if hit { columns(number, region) } else { (0, 0) };
    let byte = |column: usize| text.char_indices().nth(column).map_or(text.len(), |(at, _)| at);
    let (start, end) = (byte(start), byte(end));
    let part = |text: &str| cut(&shown(text), CHARS_MAX).into_owned();
    Line {
        number,
        hit,
        before: part(&text[..start]),
        marked: part(&text[start..end.max(start)]),
        after: part(&text[end.max(start)..]),
    }
}

/// Returns which characters of a line are meant, counted from 0, the end excluded. Without a
/// column nothing is: the whole line is marked already.
fn columns(number: u32, region: Region) -> (usize, usize) {
    let (Some(column), Some(end_column)) = (region.column, region.end_column) else {
        return (0, 0);
    };
    let start = if number == region.line { (column as usize).saturating_sub(1) } else { 0 };
    let end = if number == last_line(region) {
        (end_column as usize).saturating_sub(1)
    } else {
        usize::MAX
    };
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(number: u32, text: &str, region: Option<Region>) -> [String; 3] {
        let line = line(number, text, region.unwrap());
        [line.before, line.marked, line.after]
    }

    #[test]
    fn columns_count_characters_and_not_what_they_are_shown_as() {
        let region = Region::checked(Some(1), Some(3), None, Some(5));
        assert_eq!(parts(1, "é\u{202e}ab;", region), ["é\\u{202e}", "ab", ";"]);
    }

    #[test]
    fn a_region_over_lines_is_marked_to_the_end_of_each() {
        let region = Region::checked(Some(1), Some(3), Some(2), Some(2));
        assert_eq!(parts(1, "a(b,", region), ["a(", "b,", ""]);
        assert_eq!(parts(2, "c)", region), ["", "c", ")"]);
    }

    #[test]
    fn columns_beyond_the_line_mark_nothing_and_do_not_panic() {
        let region = Region::checked(Some(1), Some(900), None, Some(901));
        assert_eq!(parts(1, "short", region), ["short", "", ""]);
    }
}
