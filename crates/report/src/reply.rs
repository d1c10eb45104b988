//! What a service answers: the `analysis` object of its reply, as clients of the first system read it.
//!
//! Owns its names and types. Keeps: a tool that did not do its work never looks as if it had found
//! nothing; counts are of everything, also where not all of it is listed; the whole fits into a
//! message; of our machine it holds no more than the report's own texts do.
//!
//! Does not: say what a request was called on the wire. A tool's entry stands twice, by tool and by
//! language; its SARIF, which is most of it, only by language, where those clients look for it.

mod entry; // what is said of one tool
mod shelf; // which language a tool is told under

pub use entry::tool_word;
pub use shelf::Shelf;

use crate::{
    sarif::{Counter, Detail, SarifLimits, Share, shares},
    summary::{Gap, summary},
};
use assay_model::{AnalysisOutcome, Report, Severity, SourceInfo, ToolId, ToolStatus};
use entry::{Entries, breakdown};
use serde::Serialize;
use shelf::Shelves;
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

/// Bytes of a reply's `analysis`: with what stands around it well below the 100 MiB that a message
/// may have.
pub const REPLY_BYTES_MAX: u64 = 64 << 20;

/// What a reply needs beside the report.
#[derive(Clone, Copy, Debug)]
pub struct ReplyTerms<'a> {
    /// As the request named it.
    pub model: &'a str,
    pub app: u32,
    /// Whether settings of the request were in force.
    pub configured: bool,
    /// Under which language a tool is told; one that is absent belongs to the structure.
    pub shelves: &'a BTreeMap<ToolId, Shelf>,
    /// Bytes that it may have. What is too much is left out, and counted.
    pub bytes_max: u64,
}

/// How much is listed, so that the whole fits.
#[derive(Clone, Copy)]
struct Scale {
    /// Issues of a tool.
    issues: usize,
    sarif: Detail,
}

#[derive(Serialize)]
struct Reply<'a> {
    model_slug: &'a str,
    app_number: u32,
    analysis_time: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    configuration_applied: bool,
    tools_used: Vec<&'a str>,
    tool_results: Entries<'a>,
    results: Shelves<'a>,
    summary: Numbers,
    /// What the analysis does not cover since a tool did not do its work.
    gaps: Vec<Missing<'a>>,
    source: &'a SourceInfo,
    warnings: &'a [String],
}

/// The reply's `summary`.
#[derive(Serialize)]
struct Numbers {
    /// Defects, each counted once however many tools saw it; suppressed ones not counted.
    total_findings: u64,
    /// What the tools said, counted by tool.
    total_issues_found: u64,
    suppressed_findings: u64,
    /// Of `total_findings`.
    severity_breakdown: BTreeMap<Severity, u64>,
    tools_executed: usize,
    tools_run_successfully: usize,
    tools_failed: usize,
    analysis_status: &'static str,
    configuration_preset: &'static str,
    duration: f64,
}

#[derive(Serialize)]
struct Missing<'a> {
    tool: &'a str,
    status: &'static str,
    required: bool,
    reason: &'a str,
    mend: Option<&'a str>,
}

/// Writes the `analysis` of a reply, as one line of JSON.
pub fn write_reply(
    report: &Report,
    terms: &ReplyTerms<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    let shares = shares(report);
    let most = shares.iter().map(|share| share.words().len()).max().unwrap_or(0);
    let sarif = Detail { snippets: true, results: SarifLimits::default().results };
    let mut scale = Scale { issues: most, sarif };
    loop {
        let reply = Reply::new(report, &shares, terms, scale);
        let mut size = Counter::default();
        serde_json::to_writer(&mut size, &reply)?;
        match scale.smaller().filter(|_| size.0 > terms.bytes_max) {
            Some(smaller) => scale = smaller,
            None => return Ok(serde_json::to_writer(&mut *out, &reply)?),
        }
    }
}

/// Says how an analysis ended, as the wire does.
pub fn reply_status(report: &Report) -> &'static str {
    let some_did = report.tools.iter().any(|run| run.status == ToolStatus::Ok);
    match report.outcome {
        AnalysisOutcome::Complete => "success",
        AnalysisOutcome::Incomplete if some_did => "partial",
        AnalysisOutcome::TimedOut => "timeout",
        AnalysisOutcome::Interrupted | AnalysisOutcome::Terminated => "cancelled",
        AnalysisOutcome::Incomplete | AnalysisOutcome::NothingToAnalyse | AnalysisOutcome::Lost => {
            "error"
        }
    }
}

fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}

// === impl Scale ===

impl Scale {
    /// The next smaller one; `None` below one issue of a tool.
    fn smaller(self) -> Option<Self> {
        if self.sarif.snippets {
            return Some(Self { sarif: Detail { snippets: false, ..self.sarif }, ..self });
        }
        let most = self.issues.max(self.sarif.results);
        let half = |number: usize| number.min(most / 2);
        let sarif = Detail { results: half(self.sarif.results), ..self.sarif };
        (most > 1).then_some(Self { issues: half(self.issues), sarif })
    }
}

// === impl Reply ===

impl<'a> Reply<'a> {
    fn new(
        report: &'a Report,
        shares: &'a [Share<'a>],
        terms: &ReplyTerms<'a>,
        scale: Scale,
    ) -> Self {
        let summary = summary(report);
        let status = reply_status(report);
        let entries = Entries::of(shares, scale);
        let used = entries.all.iter().filter(|entry| entry.executed);
        Self {
            model_slug: terms.model,
            app_number: terms.app,
            analysis_time: report.started.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
            status,
            error: summary.trouble.filter(|_| !matches!(status, "success" | "partial")),
            configuration_applied: terms.configured,
            tools_used: used.map(|entry| entry.tool).collect(),
            summary: Numbers::of(report, &entries, (status, terms.configured)),
            results: Shelves::of(report, &entries, terms.shelves),
            tool_results: entries.without_sarif(),
            gaps: summary.gaps.iter().map(Missing::of).collect(),
            source: &report.source,
            warnings: &report.warnings,
        }
    }
}

impl Numbers {
    fn of(
        report: &Report,
        entries: &Entries<'_>,
        (status, configured): (&'static str, bool),
    ) -> Self {
        let count =
            |did: fn(ToolStatus) -> bool| report.tools.iter().filter(|run| did(run.status)).count();
        Self {
            total_findings: report.counts.total,
            total_issues_found: entries.all.iter().map(|entry| entry.total_issues).sum(),
            suppressed_findings: report.counts.suppressed,
            severity_breakdown: breakdown(&report.counts.by_severity),
            tools_executed: entries.all.iter().filter(|entry| entry.executed).count(),
            tools_run_successfully: count(|status| status == ToolStatus::Ok),
            tools_failed: count(|status| !status.did_its_work()),
            analysis_status: if status == "success" { "completed" } else { status },
            configuration_preset: if configured { "custom" } else { "default" },
            duration: seconds(report.duration_ms),
        }
    }
}

impl<'a> Missing<'a> {
    fn of(gap: &Gap<'a>) -> Self {
        let Gap { tool, status, required, reason, mend } = *gap;
        Self { tool: tool.as_str(), status: tool_word(status, 0), required, reason, mend }
    }
}
