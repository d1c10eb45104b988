//! A draft to an observation, cleaned and counted.
//!
//! Owns what all formats share: rule notes, defect classes, severities, paths, caps.

use super::{ReadContext, Reading};
use crate::{
    paths::Paths,
    severity::{self, Said},
    tool::Tool,
};
use assay_model::{
    Confidence, Fix, Kind, Location, Observation, Region, RuleId, RuleNote, Severity, SourcePath,
    Suppression,
};
use std::{
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

/// Observations that are handed out for one call; the rest is counted, with a note.
const OBSERVATIONS_MAX: u64 = 100_000;

/// Characters of a message.
const MESSAGE_CHARS_MAX: usize = 4_000;

/// Files, complaints and notes that are kept by name.
const LIST_MAX: usize = 1_000;

/// One line of a report, in the tool's words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft<'a> {
    pub rule: &'a str,
    pub message: &'a str,
    pub place: Place,
    pub region: Option<Region>,
    /// What the tool says about this one; rule notes and defect classes know better.
    pub kind: Option<Kind>,
    pub security_severity: Option<f32>,
    /// The tool's words for severity, the most telling first.
    pub words: [Option<&'a str>; 3],
    pub confidence: Option<&'a str>,
    pub cwe: Vec<u32>,
    pub help: Option<&'a str>,
    pub suppression: Option<Suppression>,
    pub fix: Option<Fix>,
}

/// Whether a tool names a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// It names none.
    #[default]
    None,
    File(SourcePath),
    /// It names one that is no file of the app.
    Outside,
}

/// What is the same for every observation of a rule.
struct RuleFacts {
    id: RuleId,
    defect: String,
    kind: Option<Kind>,
    severity: Option<Severity>,
    security_severity: Option<f32>,
    confidence: Option<Confidence>,
    cwe: Vec<u32>,
    help: Option<String>,
    becomes: Becomes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Becomes {
    Observation,
    FailedFile,
    Nothing,
}

/// Takes drafts and hands out observations.
pub(crate) struct Collector<'a> {
    pub tool: &'a Tool,
    pub call_file: Option<&'a SourcePath>,
    /// What of its input the tool was not shown.
    left_out: &'a [String],
    pub paths: Paths<'a>,
    emit: &'a mut dyn FnMut(Observation),
    pub reading: Reading,
    failed: BTreeSet<SourcePath>,
    failed_more: u64,
    outside: u64,
    rules: HashMap<String, Rc<RuleFacts>>,
}

// === impl Collector ===

impl<'a> Collector<'a> {
    pub(crate) fn new(
        tool: &'a Tool,
        context: &ReadContext<'a>,
        emit: &'a mut dyn FnMut(Observation),
    ) -> Self {
        Self {
            tool,
            call_file: context.call.file.as_ref(),
            left_out: &context.call.left_out,
            paths: Paths::new(context.places, &context.call.cwd, context.is_file),
            emit,
            reading: Reading::default(),
            failed: BTreeSet::new(),
            failed_more: 0,
            outside: 0,
            rules: HashMap::new(),
        }
    }

    /// Takes one line of the report.
    pub(crate) fn take(&mut self, draft: Draft<'_>) {
        let facts = self.facts(draft.rule);
        match facts.becomes {
            Becomes::Nothing => self.reading.dropped += 1,
            Becomes::FailedFile => self.file_failed(&draft.place, draft.message),
            Becomes::Observation => self.observe(&facts, draft),
        }
    }

    fn observe(&mut self, facts: &RuleFacts, draft: Draft<'_>) {
        self.reading.observations += 1;
        if draft.suppression.is_some() {
            self.reading.suppressed += 1;
        }
        if draft.place == Place::Outside {
            self.outside += 1;
        }
        if self.reading.observations > OBSERVATIONS_MAX {
            return;
        }
        let observation = self.observation(facts, draft);
        (self.emit)(observation);
    }

    fn observation(&self, facts: &RuleFacts, draft: Draft<'_>) -> Observation {
        let kind = facts.kind.or(draft.kind).unwrap_or(self.tool.says.kind);
        let security_severity = facts.security_severity.or(draft.security_severity);
        let words = draft.words.into_iter().flatten();
        let said = Said {
            note: facts.severity,
            security_severity,
            mapped: words.clone().find_map(|word| self.mapped(word)),
            word: words.clone().find(|word| severity::of_word(word).is_some()),
        };
        let confidence = facts.confidence.or_else(|| {
            let word = draft.confidence?;
            let own = ignoring_case(&self.tool.says.confidences, word).copied();
            own.or_else(|| severity::confidence_of_word(word))
        });
        let mut cwe = if facts.cwe.is_empty() || !draft.cwe.is_empty() {
            draft.cwe
        } else {
            facts.cwe.clone()
        };
        cwe.sort_unstable();
        cwe.dedup();
        let message = cleaned(draft.message, MESSAGE_CHARS_MAX);
        let help = draft.help.filter(|help| is_page(help)).map(|help| cleaned(help, 500));
        Observation {
            tool: self.tool.id.clone(),
            rule: facts.id.clone(),
            defect: facts.defect.clone(),
            kind,
            severity: severity::severity(kind, said),
            security_severity: security_severity.filter(|n| severity::band(*n).is_some()),
            confidence,
            cwe,
            message: if message.is_empty() { facts.id.to_string() } else { message },
            help: help.or_else(|| facts.help.clone()),
            location: match draft.place {
                Place::File(path) => Some(Location { path, region: draft.region }),
                Place::None | Place::Outside => None,
            },
            suppression: draft.suppression,
            fix: draft.fix,
        }
    }

    fn mapped(&self, word: &str) -> Option<Severity> {
        ignoring_case(&self.tool.says.severities, word).copied()
    }

    /// Returns what is known about a rule; worked out once for each.
    fn facts(&mut self, rule: &str) -> Rc<RuleFacts> {
        if let Some(facts) = self.rules.get(rule) {
            return Rc::clone(facts);
        }
        let facts = Rc::new(RuleFacts::of(self.tool, rule));
        self.rules.insert(rule.to_owned(), Rc::clone(&facts));
        facts
    }

    /// Returns the place that a plain path names.
    pub(crate) fn place(&self, path: &str) -> Place {
        self.paths.file(path).map_or(Place::Outside, Place::File)
    }

    /// Notes a file that the tool could not read. One that the app does not hold is no file that
    /// failed, and a reason not to believe in nothing found all the same.
    pub(crate) fn file_failed(&mut self, place: &Place, why: &str) {
        match place {
            Place::File(path) if !self.paths.holds(path) => self.complain(why),
            Place::File(path) if self.failed.len() < LIST_MAX => {
                self.failed.insert(path.clone());
            }
            Place::File(path) if self.failed.contains(path) => {}
            Place::File(_) => self.failed_more += 1,
            Place::None | Place::Outside => self.complain(why),
        }
    }

    pub(crate) fn has_failed_files(&self) -> bool {
        !self.failed.is_empty()
    }

    pub(crate) fn complain(&mut self, why: &str) {
        let why = cleaned(why, 500);
        let complaints = &mut self.reading.complaints;
        if complaints.len() < LIST_MAX && !complaints.contains(&why) {
            complaints.push(why);
        }
    }

    pub(crate) fn note(&mut self, note: &str) {
        let note = cleaned(note, 500);
        let notes = &mut self.reading.notes;
        if !note.is_empty() && notes.len() < LIST_MAX && !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// Takes a line that names a file that the tool could not read; `false` for any other.
    pub(crate) fn take_failed_line(&mut self, line: &str) -> bool {
        let mut patterns = self.tool.file_failed_lines.iter();
        let Some(found) = patterns.find_map(|pattern| pattern.captures(line)) else { return false };
        let place = found.name("path").map_or(Place::None, |path| self.place(path.as_str().trim()));
        self.file_failed(&place, line);
        true
    }

    /// Ends the reading and tells what was cut.
    pub(crate) fn finish(mut self, other_stream: &str) -> Reading {
        for left_out in self.left_out {
            self.complain(left_out);
        }
        for line in other_stream.lines() {
            self.take_failed_line(line);
        }
        let observations = self.reading.observations;
        if observations > OBSERVATIONS_MAX {
            let all =
                format!("of {observations} findings only the first {OBSERVATIONS_MAX} are kept");
            self.note(&all);
        }
        if self.outside > 0 {
            let outside = format!(
                "{} findings name a place outside the app and are shown without one",
                self.outside
            );
            self.note(&outside);
        }
        if self.failed_more > 0 {
            let more = format!("{} more files could not be read", self.failed_more);
            self.complain(&more);
        }
        self.reading.files_failed = self.failed.into_iter().collect();
        // What the row says was measured; oxlint's SARIF says characters and counts bytes.
        self.reading.columns = self.tool.says.output.columns.unwrap_or(self.reading.columns);
        self.reading
    }
}

// === impl RuleFacts ===

impl RuleFacts {
    fn of(tool: &Tool, rule: &str) -> Self {
        let text = cleaned(rule, 150);
        let id = RuleId::new(&text).or_else(|_| RuleId::new("unnamed"));
        let id = id.expect("`cleaned` leaves no control character and keeps it short");
        let none = RuleNote::default();
        let note = tool.note(id.as_str()).unwrap_or(&none);
        let class = tool.defect_class(id.as_str());
        let cwe = match (note.cwe.as_slice(), class.and_then(|class| class.cwe)) {
            ([], Some(cwe)) => vec![cwe],
            (cwe, _) => cwe.to_vec(),
        };
        Self {
            defect: match (class, advisory(id.as_str())) {
                (Some(class), _) => class.name.clone(),
                (None, Some(advisory)) => advisory,
                (None, None) => format!("{}:{id}", tool.id),
            },
            kind: note.kind.or_else(|| class?.kind),
            severity: note.severity,
            security_severity: note.security_severity,
            confidence: note.confidence,
            cwe,
            help: note.help.as_ref().map(|help| help.replace("{rule}", id.as_str())),
            becomes: match (note.dropped, note.file_failed) {
                (true, _) => Becomes::Nothing,
                (false, true) => Becomes::FailedFile,
                (false, false) => Becomes::Observation,
            },
            id,
        }
    }
}

/// Two tools that name the same published vulnerability mean the same defect.
fn advisory(rule: &str) -> Option<String> {
    let lower = rule.to_ascii_lowercase();
    let number = lower.strip_prefix("cve-").or_else(|| lower.strip_prefix("ghsa-"))?;
    let plain = number.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (plain && number.len() >= 8).then_some(lower)
}

/// Returns text that can be shown: white space is one space, no control characters, none that turn
/// the direction of what follows, at most `limit` characters.
pub(crate) fn cleaned(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit * 4));
    let mut length = 0;
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() {
            gap = length > 0;
        } else if !c.is_control() && !is_direction(c) {
            if gap {
                out.push(' ');
                length += 1;
                gap = false;
            }
            if length >= limit {
                out.push('…');
                break;
            }
            out.push(c);
            length += 1;
        }
    }
    out
}

fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Links become clickable: a `javascript:` one must not.
fn is_page(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

fn ignoring_case<'m, V>(
    map: &'m std::collections::BTreeMap<String, V>,
    word: &str,
) -> Option<&'m V> {
    let exact = map.get(word);
    exact.or_else(|| map.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, v)| v))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_can_be_shown_whatever_it_was() {
        assert_eq!(cleaned("a\n\tb\u{1b}[31m\u{202e}c  ", 100), "a b[31mc");
        assert_eq!(cleaned("abcdef", 3), "abc…");
        assert_eq!(cleaned("\n", 3), "");
    }
}
