//! What only the source can tell about a finding: in which column it really stands, and which
//! comment silences it.
//!
//! Keeps: after it, columns count characters, whatever the tool counted, and none lies behind the
//! end of its line.
//!
//! Does not: move a finding to another line, or drop one.

use crate::{
    suppress::{Lines, Marks},
    tool::Tool,
    verdict::CallResult,
};
use assay_model::{
    ColumnUnit, Observation, Region, SourcePath, SourceText, Suppression, SuppressionKind,
};
use std::{collections::HashMap, fmt, sync::Arc};

/// Files whose lines are remembered: findings come file by file, mostly.
const FILES_MAX: usize = 64;

/// Settles the findings of one tool.
pub struct Settler<'a> {
    tool: &'a Tool,
    source: &'a dyn SourceText,
    columns: ColumnUnit,
    /// `None` for what is no text.
    files: HashMap<SourcePath, Option<FileFacts>>,
}

/// What is worked out once for a file.
struct FileFacts {
    text: Arc<str>,
    /// Where each line begins.
    starts: Vec<usize>,
    marks: Marks,
}

// === impl Tool ===

impl Tool {
    /// Returns what settles the findings that came out of these calls.
    pub fn settler<'a>(&'a self, source: &'a dyn SourceText, calls: &[CallResult]) -> Settler<'a> {
        let readings = calls.iter().filter_map(|call| call.reading.as_ref().ok());
        let columns = readings.map(|reading| reading.columns).max().unwrap_or_default();
        Settler { tool: self, source, columns, files: HashMap::new() }
    }

    /// Returns the comment that silences an observation, if there is one.
    pub fn suppression_of(
        &self,
        observation: &Observation,
        source: &dyn SourceText,
    ) -> Option<Suppression> {
        self.settler(source, &[]).suppression(observation)
    }
}

// === impl Settler ===

impl Settler<'_> {
    /// Makes its columns count characters, and notes the comment that silences it.
    pub fn settle(&mut self, observation: &mut Observation) {
        let Some(location) = &mut observation.location else { return };
        let columns = self.columns;
        if let Some(facts) = self.facts(&location.path) {
            location.region = location.region.and_then(|region| facts.settled(region, columns));
            for edit in observation.fix.iter_mut().flat_map(|fix| &mut fix.edits) {
                edit.region = facts.settled(edit.region, columns).unwrap_or(edit.region);
            }
        }
        if observation.suppression.is_none() {
            observation.suppression = self.suppression(observation);
        }
    }

    /// Returns the comment that silences an observation whose columns count characters.
    fn suppression(&mut self, observation: &Observation) -> Option<Suppression> {
        let tool = self.tool;
        let location = observation.location.as_ref()?;
        let region = location.region?;
        let facts = self.facts(&location.path)?;
        let first = usize::try_from(region.line).ok()?.checked_sub(1)?;
        let column = region.column.and_then(|column| usize::try_from(column).ok()?.checked_sub(1));
        let last = region.end_line.and_then(|end| usize::try_from(end).ok()?.checked_sub(1));
        let lines = Lines {
            first: facts.line(first),
            last: last.filter(|last| *last != first).and_then(|last| facts.line(last)),
            above: first.checked_sub(1).and_then(|above| facts.line(above)),
        };
        let rule = observation.rule.as_str();
        let by_line = tool.suppressors.iter().find_map(|suppressor| suppressor.on(lines, rule));
        let reason = by_line.or_else(|| facts.marks.silence(rule, first, column.unwrap_or(0)))?;
        Some(Suppression { kind: SuppressionKind::InSource, reason })
    }

    fn facts(&mut self, path: &SourcePath) -> Option<&FileFacts> {
        if self.files.len() >= FILES_MAX && !self.files.contains_key(path) {
            self.files.clear();
        }
        let (tool, source) = (self.tool, self.source);
        let facts = self
            .files
            .entry(path.clone())
            .or_insert_with(|| source.text(path).map(|text| FileFacts::of(tool, text)));
        facts.as_ref()
    }
}

impl fmt::Debug for Settler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Settler");
        shown.field("tool", &self.tool.id).field("columns", &self.columns).finish_non_exhaustive()
    }
}

// === impl FileFacts ===

impl FileFacts {
    fn of(tool: &Tool, text: Arc<str>) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(ends).collect();
        let marks = Marks::of(&tool.blocks, text.lines());
        Self { text, starts, marks }
    }

    /// Returns a line, counted from 0, without its end.
    fn line(&self, number: usize) -> Option<&str> {
        let start = *self.starts.get(number)?;
        let end = self.starts.get(number + 1).map_or(self.text.len(), |next| next - 1);
        let line = &self.text[start..end];
        Some(line.strip_suffix('\r').unwrap_or(line))
    }

    fn settled(&self, region: Region, columns: ColumnUnit) -> Option<Region> {
        let settled = |line: u32, column: Option<u32>| {
            let line = usize::try_from(line).ok().and_then(|line| line.checked_sub(1));
            let line = line.and_then(|line| self.line(line)).unwrap_or_default();
            column.map(|column| in_characters(line, column, columns))
        };
        Region::checked(
            Some(region.line),
            settled(region.line, region.column),
            region.end_line,
            settled(region.end_line.unwrap_or(region.line), region.end_column),
        )
    }
}

/// Turns a column, from 1, into one that counts characters and lies in its line or just behind it.
/// One within a character is the one where that character begins.
fn in_characters(line: &str, column: u32, unit: ColumnUnit) -> u32 {
    let before = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    let characters = if line.is_ascii() {
        before.min(line.len())
    } else {
        let mut units = 0;
        let fits = line.chars().take_while(|c| {
            units += match unit {
                ColumnUnit::Characters => 1,
                ColumnUnit::Utf16 => c.len_utf16(),
                ColumnUnit::Bytes => c.len_utf8(),
            };
            units <= before
        });
        fits.count()
    };
    u32::try_from(characters).map_or(u32::MAX, |characters| characters.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, column: u32, unit: ColumnUnit, expected: u32) {
        assert_eq!(in_characters(line, column, unit), expected, "{line} {column} {unit:?}");
    }

    #[test]
    fn a_column_counts_characters_whatever_the_tool_counted() {
        // é: two bytes, one unit; 😀: four bytes, two units.
        let line = "é😀x";
        check(line, 3, ColumnUnit::Characters, 3);
        check(line, 4, ColumnUnit::Utf16, 3);
        check(line, 7, ColumnUnit::Bytes, 3);
        check(line, 1, ColumnUnit::Bytes, 1);
        // Within the second character.
        check(line, 3, ColumnUnit::Utf16, 2);
        check(line, 5, ColumnUnit::Bytes, 2);
    }

    #[test]
    fn no_column_lies_behind_the_end_of_its_line() {
        for unit in [ColumnUnit::Characters, ColumnUnit::Utf16, ColumnUnit::Bytes] {
            check("é😀x", 900, unit, 4);
            check("abc", 900, unit, 4);
            check("abc", 4, unit, 4);
            check("", 7, unit, 1);
            check("abc", u32::MAX, unit, 4);
        }
    }
}
