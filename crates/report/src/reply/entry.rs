//! What is said of one tool.

use super::{Scale, seconds};
use crate::{
    sarif::{Share, Word},
    text::shown,
};
use assay_model::{
    Confidence, Fingerprint, Kind, Severity, SourcePath, ToolEnd, ToolRun, ToolStatus,
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::{borrow::Cow, collections::BTreeMap};

/// All tools, by name.
#[derive(Clone)]
pub(super) struct Entries<'a> {
    pub(super) all: Vec<Entry<'a>>,
}

#[derive(Clone, Serialize)]
pub(super) struct Entry<'a> {
    pub(super) tool: &'a str,
    pub(super) executed: bool,
    pub(super) status: &'static str,
    issues: Issues<'a>,
    pub(super) total_issues: u64,
    /// The same, under the name that some entries of the first system had.
    issue_count: u64,
    suppressed_issues: u64,
    #[serde(skip_serializing_if = "is_zero")]
    issues_left_out: usize,
    severity_breakdown: BTreeMap<Severity, u64>,
    /// Seconds.
    duration: f64,
    exit_code: Option<i32>,
    error: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    required: bool,
    clean: bool,
    files_matched: u64,
    files_scanned: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    files_failed: &'a [SourcePath],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_record: Option<ExecutionRecord<'a>>,
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sarif: Option<Sarif<'a>>,
}

/// How its process ran.
#[derive(Clone, Serialize)]
struct ExecutionRecord<'a> {
    tool: &'a str,
    /// The command lines, one for each call.
    cmd: &'a [String],
    exit_code: Option<i32>,
    duration: f64,
    stderr: &'a str,
}

/// What it found and nothing suppresses, each made when it is written.
#[derive(Clone, Copy)]
struct Issues<'a> {
    words: &'a [Word<'a>],
    tool: &'a str,
}

#[derive(Serialize)]
struct Issue<'a> {
    tool: &'a str,
    rule: &'a str,
    severity: Severity,
    message: Cow<'a, str>,
    /// Relative to the app; absent for what is true of all of it.
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<u32>,
    kind: Kind,
    defect: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<Confidence>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    cwe: &'a [u32],
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    fingerprint: &'a Fingerprint,
    occurrence: u32,
}

/// The tool's own SARIF, made when it is written.
#[derive(Clone, Copy)]
struct Sarif<'a> {
    share: &'a Share<'a>,
    scale: Scale,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Says how a tool ended, as the wire does. One that found something did its work.
pub const fn tool_word(status: ToolStatus, observations: u64) -> &'static str {
    match status {
        ToolStatus::Ok if observations == 0 => "no_issues",
        ToolStatus::Ok => "success",
        ToolStatus::NoInputs => "skipped",
        ToolStatus::Unavailable => "not_available",
        ToolStatus::Failed | ToolStatus::OutputInvalid | ToolStatus::Untrusted => "error",
        ToolStatus::TimedOut => "timeout",
        ToolStatus::Cancelled => "cancelled",
    }
}

/// Counts with a zero for every severity of which there is none.
pub(super) fn breakdown(counts: &BTreeMap<Severity, u64>) -> BTreeMap<Severity, u64> {
    let count = |severity: &Severity| counts.get(severity).copied().unwrap_or(0);
    Severity::ALL.iter().map(|severity| (*severity, count(severity))).collect()
}

fn is_open(word: &Word<'_>) -> bool {
    word.finding.suppression.is_none()
}

// === impl Entries ===

impl<'a> Entries<'a> {
    pub(super) fn of(shares: &'a [Share<'a>], scale: Scale) -> Self {
        let listed = shares.iter().filter_map(|share| Some((share, share.run()?)));
        Self { all: listed.map(|(share, run)| Entry::of(share, run, scale)).collect() }
    }

    pub(super) fn without_sarif(mut self) -> Self {
        for entry in &mut self.all {
            entry.sarif = None;
        }
        self
    }
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.all.len()))?;
        for entry in &self.all {
            map.serialize_entry(entry.tool, entry)?;
        }
        map.end()
    }
}

// === impl Entry ===

impl<'a> Entry<'a> {
    fn of(share: &'a Share<'a>, run: &'a ToolRun, scale: Scale) -> Self {
        // Suppressed ones are last.
        let (open, suppressed) = share.words().split_at(share.words().partition_point(is_open));
        let listed = &open[..open.len().min(scale.issues)];
        let mut counts = BTreeMap::new();
        for word in open {
            *counts.entry(word.finding.severity).or_default() += 1;
        }
        let total = open.len() as u64;
        let exit_code = match run.end {
            Some(ToolEnd::Exited { code }) => Some(code),
            _ => None,
        };
        let executed = !matches!(run.end, None | Some(ToolEnd::NotStarted { .. }));
        let duration = seconds(run.usage.wall_ms);
        let record = ExecutionRecord {
            tool: run.tool.as_str(),
            cmd: &run.commands,
            exit_code,
            duration,
            stderr: run.stderr_tail.as_deref().unwrap_or_default(),
        };
        Self {
            tool: run.tool.as_str(),
            executed,
            status: tool_word(run.status, run.observations.max(total)),
            issues: Issues { words: listed, tool: run.tool.as_str() },
            total_issues: total,
            issue_count: total,
            suppressed_issues: suppressed.len() as u64,
            issues_left_out: open.len() - listed.len(),
            severity_breakdown: breakdown(&counts),
            duration,
            exit_code,
            error: error_of(run),
            suggestion: run.mend.as_deref(),
            version: run.version.as_deref(),
            required: run.required,
            clean: run.clean,
            files_matched: run.files_matched,
            files_scanned: run.files_scanned,
            files_failed: &run.files_failed,
            notes: &run.notes,
            execution_record: executed.then_some(record),
            format: "sarif",
            sarif: Some(Sarif { share, scale }),
        }
    }
}

/// What went wrong, where something did.
fn error_of(run: &ToolRun) -> Option<Cow<'_, str>> {
    let said = || run.reason.as_deref().map_or(run.status.in_words().into(), shown);
    (!run.status.did_its_work()).then(said)
}

// === impl Issues ===

impl Serialize for Issues<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.words.iter().map(|word| Issue::of(self.tool, word)))
    }
}

impl<'a> Issue<'a> {
    fn of(tool: &'a str, word: &Word<'a>) -> Self {
        let finding = word.finding;
        let place = finding.location.as_ref();
        let region = place.and_then(|place| place.region);
        Self {
            tool,
            rule: word.rule.as_str(),
            severity: finding.severity,
            message: shown(word.message),
            file: place.map(|place| place.path.as_str()),
            line: region.map(|region| region.line),
            column: region.and_then(|region| region.column),
            end_line: region.and_then(|region| region.end_line),
            end_column: region.and_then(|region| region.end_column),
            kind: finding.kind,
            defect: &finding.defect,
            confidence: finding.confidence,
            cwe: &finding.cwe,
            help: finding.help.as_deref(),
            fingerprint: &finding.fingerprint,
            occurrence: finding.occurrence,
        }
    }
}

// === impl Sarif ===

impl Serialize for Sarif<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.share.log(self.scale.sarif).serialize(to)
    }
}
