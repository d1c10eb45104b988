//! The numbers and gaps that the terminal and every format show alike.
//!
//! Owns the words for an analysis that is not whole. Keeps: whoever shows [`Summary::gaps`] and
//! [`Summary::trouble`] cannot make an incomplete analysis look like a clean one.

use assay_model::{
    AnalysisOutcome, Finding, Kind, Report, Severity, SkipCause, ToolId, ToolRun, ToolStatus,
};
use std::collections::HashMap;

/// A report in a page. Made by [`summary`]; borrows from the report.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    pub outcome: AnalysisOutcome,
    /// One sentence on why this is not a whole analysis; absent when it is.
    pub trouble: Option<String>,
    /// Every severity, worst first, zeros too.
    pub by_severity: Vec<(Severity, u64)>,
    /// Only kinds that were found, most first.
    pub by_kind: Vec<(Kind, u64)>,
    /// Every tool of the analysis, in the report's order.
    pub tools: Vec<ToolRow<'a>>,
    /// Files with most findings, most first, ten at most.
    pub files: Vec<(&'a str, u64)>,
    /// Tools that did not do their work, required ones first.
    pub gaps: Vec<Gap<'a>>,
    /// Files that a tool could not read, by tool.
    pub unread: Vec<(&'a ToolId, usize)>,
    pub skipped: Vec<(SkipCause, u64)>,
    pub expired_ignores: usize,
    pub total: u64,
    pub suppressed: u64,
}

/// One tool's line in a table.
#[derive(Clone, Debug)]
pub struct ToolRow<'a> {
    pub run: &'a ToolRun,
    /// Findings for which it speaks, suppressed ones not counted.
    pub speaks: u64,
    /// Findings that it saw, suppressed ones not counted.
    pub saw: u64,
}

/// A tool that did not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap<'a> {
    pub tool: &'a ToolId,
    pub status: ToolStatus,
    /// Whether the analysis is incomplete because of it.
    pub required: bool,
    pub reason: &'a str,
    pub mend: Option<&'a str>,
}

/// Returns the report in a page.
pub fn summary(report: &Report) -> Summary<'_> {
    let counts = &report.counts;
    let by_severity = Severity::ALL
        .iter()
        .rev()
        .map(|severity| (*severity, counts.by_severity.get(severity).copied().unwrap_or_default()));
    let mut by_kind: Vec<_> = counts.by_kind.iter().map(|(kind, count)| (*kind, *count)).collect();
    by_kind.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), *kind));
    let gaps = gaps(report);
    Summary {
        outcome: report.outcome,
        trouble: trouble(report.outcome, &gaps),
        by_severity: by_severity.collect(),
        by_kind,
        tools: tools(report),
        files: files(report),
        gaps,
        unread: report
            .tools
            .iter()
            .filter(|run| !run.files_failed.is_empty())
            .map(|run| (&run.tool, run.files_failed.len()))
            .collect(),
        skipped: report.source.skipped.iter().map(|(cause, left)| (*cause, left.count)).collect(),
        expired_ignores: report.ignores.iter().filter(|entry| entry.expired).count(),
        total: counts.total,
        suppressed: counts.suppressed,
    }
}

/// Returns findings that count: those that nothing suppresses.
pub(crate) fn open_findings(report: &Report) -> impl Iterator<Item = &Finding> {
    report.findings.iter().filter(|finding| finding.suppression.is_none())
}

fn gaps(report: &Report) -> Vec<Gap<'_>> {
    let undone = report.tools.iter().filter(|run| !run.status.did_its_work());
    let mut gaps: Vec<Gap<'_>> = undone
        .map(|run| Gap {
            tool: &run.tool,
            status: run.status,
            required: run.required,
            reason: run.reason.as_deref().unwrap_or("no reason is known"),
            mend: run.mend.as_deref(),
        })
        .collect();
    gaps.sort_by_key(|gap| (!gap.required, gap.tool));
    gaps
}

fn trouble(outcome: AnalysisOutcome, gaps: &[Gap<'_>]) -> Option<String> {
    let missing = gaps.iter().filter(|gap| gap.required).count();
    let what = match outcome {
        AnalysisOutcome::Complete => return None,
        AnalysisOutcome::Incomplete if missing == 1 => {
            "the analysis is incomplete: 1 required tool did not do its work".to_owned()
        }
        AnalysisOutcome::Incomplete => {
            format!("the analysis is incomplete: {missing} required tools did not do their work")
        }
        AnalysisOutcome::NothingToAnalyse => {
            "nothing was analysed: no tool could read any file".to_owned()
        }
        AnalysisOutcome::TimedOut => "the analysis ran out of time".to_owned(),
        AnalysisOutcome::Interrupted => "the analysis was interrupted".to_owned(),
        AnalysisOutcome::Terminated => "the analysis was terminated".to_owned(),
        AnalysisOutcome::Lost => "the analysis was lost: its process died".to_owned(),
    };
    Some(what)
}

fn tools(report: &Report) -> Vec<ToolRow<'_>> {
    let mut speaks: HashMap<&ToolId, u64> = HashMap::new();
    let mut saw: HashMap<&ToolId, u64> = HashMap::new();
    for finding in open_findings(report) {
        *speaks.entry(&finding.tool).or_default() += 1;
        let mut tools: Vec<&ToolId> = finding.sightings.iter().map(|it| &it.tool).collect();
        tools.sort_unstable();
        tools.dedup();
        for tool in tools {
            *saw.entry(tool).or_default() += 1;
        }
    }
    let count = |of: &HashMap<&ToolId, u64>, run: &ToolRun| of.get(&run.tool).copied().unwrap_or(0);
    report
        .tools
        .iter()
        .map(|run| ToolRow { run, speaks: count(&speaks, run), saw: count(&saw, run) })
        .collect()
}

fn files(report: &Report) -> Vec<(&str, u64)> {
    let mut by_file: HashMap<&str, u64> = HashMap::new();
    for location in open_findings(report).filter_map(|finding| finding.location.as_ref()) {
        *by_file.entry(location.path.as_str()).or_default() += 1;
    }
    let mut files: Vec<_> = by_file.into_iter().collect();
    files.sort_by_key(|(path, count)| (std::cmp::Reverse(*count), *path));
    files.truncate(10);
    files
}
