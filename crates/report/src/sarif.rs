//! SARIF 2.1.0, within the limits of who takes it.
//!
//! Owns which results go into which run, and what is left out when it does not fit. GitHub refuses
//! a file of more than 20 runs, 25,000 results a run or 10 MB gzipped, and shows the worst 5,000
//! results of a run; so the worst 5,000 are kept and a notification counts the rest.
//!
//! Keeps: a tool that did not do its work has a run that says so; each finding is in one run, that
//! of the tool that speaks for it. The structs are our own: `serde-sarif` copies every text into a
//! tree of some 2 KiB a result, where these borrow from the report and are written as they are made.

mod invocation; // how a tool ran
mod log; // the file's shape
mod place; // locations and URIs
mod rule; // what a run says about its rules once

use assay_model::{Finding, Report, RuleId, ToolId, ToolRun};
use flate2::{Compression, write::GzEncoder};
use log::Log;
use rule::RuleTable;
use serde::Serialize;
use std::{
    cmp::Reverse,
    collections::BTreeMap,
    io::{self, Write},
    slice,
};

/// What whoever takes the file accepts.
#[derive(Clone, Copy, Debug)]
pub struct SarifLimits {
    /// Runs in a file. With more tools, the smallest share one run named `assay`.
    pub runs: usize,
    /// Results in a run.
    pub results: usize,
    /// Bytes of the file after gzip.
    pub gzip_bytes: u64,
}

/// One tool's word on one finding: a result to be.
#[derive(Clone, Copy)]
pub(crate) struct Word<'a> {
    pub(crate) finding: &'a Finding,
    tool: &'a ToolId,
    pub(crate) rule: &'a RuleId,
    pub(crate) message: &'a str,
}

/// What one tool has to say.
struct Part<'a> {
    tool: &'a ToolId,
    /// Absent only for a tool that the report has findings of and does not list.
    run: Option<&'a ToolRun>,
    /// Worst first, suppressed ones last.
    words: Vec<Word<'a>>,
}

/// One run of the file: of one tool, or of several that share it.
struct Plan<'a> {
    shared: bool,
    parts: Vec<Part<'a>>,
}

/// How much is told, so that the file fits.
#[derive(Clone, Copy)]
pub(crate) struct Detail {
    pub(crate) snippets: bool,
    /// Results in a run.
    pub(crate) results: usize,
}

/// All that one tool of a report saw, whoever speaks for it.
pub(crate) struct Share<'a> {
    report: &'a Report,
    plan: Plan<'a>,
}

/// Counts bytes and keeps none.
#[derive(Default)]
pub(crate) struct Counter(pub(crate) u64);

/// Writes all findings, one run a tool.
pub fn write_sarif(report: &Report, limits: SarifLimits, out: &mut impl Write) -> io::Result<()> {
    let parts = parts(report, |finding| {
        let (tool, rule) = (&finding.tool, &finding.rule);
        vec![Word { finding, tool, rule, message: &finding.message }]
    });
    write_fitting(report, &plans(parts, limits), limits, out)
}

/// Writes what one tool saw, whoever speaks for it: one run, also for a tool that did nothing.
pub fn write_tool_sarif(
    report: &Report,
    tool: &ToolId,
    limits: SarifLimits,
    out: &mut impl Write,
) -> io::Result<()> {
    let own = all_that_tools_saw(report).into_iter().filter(|part| part.tool == tool);
    let plans: Vec<Plan<'_>> = own.map(Plan::of_one).collect();
    write_fitting(report, &plans, limits, out)
}

/// Parts a report by tool. Tools that saw nothing are there too.
pub(crate) fn shares(report: &Report) -> Vec<Share<'_>> {
    let parts = all_that_tools_saw(report).into_iter();
    parts.map(|part| Share { report, plan: Plan::of_one(part) }).collect()
}

fn all_that_tools_saw(report: &Report) -> Vec<Part<'_>> {
    parts(report, |finding| {
        let all = finding.sightings.iter();
        all.map(|it| Word { finding, tool: &it.tool, rule: &it.rule, message: &it.message })
            .collect()
    })
}

/// Sorts the words by tool. Tools without any word are there too.
fn parts<'a>(report: &'a Report, words: impl Fn(&'a Finding) -> Vec<Word<'a>>) -> Vec<Part<'a>> {
    let mut parts: BTreeMap<&ToolId, Part<'a>> = BTreeMap::new();
    for run in &report.tools {
        parts.insert(&run.tool, Part { tool: &run.tool, run: Some(run), words: Vec::new() });
    }
    let suppressed = |finding: &&Finding| finding.suppression.is_some();
    let open = report.findings.iter().filter(|finding| !suppressed(finding));
    for finding in open.chain(report.findings.iter().filter(suppressed)) {
        for word in words(finding) {
            parts
                .entry(word.tool)
                .or_insert_with(|| Part { tool: word.tool, run: None, words: Vec::new() })
                .words
                .push(word);
        }
    }
    parts.into_values().collect()
}

/// Gives each tool a run, and the smallest a common one when there are too many.
fn plans(mut parts: Vec<Part<'_>>, limits: SarifLimits) -> Vec<Plan<'_>> {
    if parts.is_empty() {
        // Valid SARIF may have no run at all, but that would look like a clean file.
        return vec![Plan { shared: true, parts }];
    }
    if parts.len() <= limits.runs {
        return parts.into_iter().map(Plan::of_one).collect();
    }
    parts.sort_by_key(|part| (Reverse(part.words.len()), part.tool));
    let mut rest = parts.split_off(limits.runs.saturating_sub(1));
    rest.sort_by_key(|part| part.tool);
    parts.sort_by_key(|part| part.tool);
    let mut plans: Vec<Plan<'_>> = parts.into_iter().map(Plan::of_one).collect();
    plans.push(Plan { shared: true, parts: rest });
    plans
}

fn write_fitting(
    report: &Report,
    plans: &[Plan<'_>],
    limits: SarifLimits,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut detail = Detail { snippets: true, results: limits.results };
    loop {
        let log = Log::new(report, plans, detail);
        if detail.results <= 1 || fits(&log, limits.gzip_bytes)? {
            serde_json::to_writer(&mut *out, &log)?;
            return out.write_all(b"\n");
        }
        if detail.snippets {
            detail.snippets = false;
        } else {
            detail.results /= 2;
        }
    }
}

fn fits(log: &Log<'_>, gzip_bytes: u64) -> io::Result<bool> {
    let mut plain = Counter::default();
    serde_json::to_writer(&mut plain, log)?;
    if plain.0 <= gzip_bytes {
        return Ok(true);
    }
    let mut packed = GzEncoder::new(Counter::default(), Compression::default());
    serde_json::to_writer(&mut packed, log)?;
    Ok(packed.finish()?.0 <= gzip_bytes)
}

// === impl SarifLimits ===

impl Default for SarifLimits {
    /// GitHub's, with room for the difference between one gzip and another.
    fn default() -> Self {
        Self { runs: 20, results: 5000, gzip_bytes: 9_500_000 }
    }
}

// === impl Share ===

impl<'a> Share<'a> {
    /// The tool and how it ran; `None` only for one that has findings and is not listed.
    pub(crate) fn run(&self) -> Option<&'a ToolRun> {
        self.part().run
    }

    /// Worst first, suppressed ones last.
    pub(crate) fn words(&self) -> &[Word<'a>] {
        &self.part().words
    }

    /// The tool's own file.
    pub(crate) fn log(&self, detail: Detail) -> impl Serialize + '_ {
        Log::new(self.report, slice::from_ref(&self.plan), detail)
    }

    fn part(&self) -> &Part<'a> {
        self.plan.parts.first().expect("`shares` makes plans of one part")
    }
}

// === impl Plan ===

impl<'a> Plan<'a> {
    fn of_one(part: Part<'a>) -> Self {
        Self { shared: false, parts: vec![part] }
    }

    fn name(&self) -> &str {
        match self.parts.first() {
            Some(part) if !self.shared => part.tool.as_str(),
            _ => "assay",
        }
    }

    /// Returns the results to be written, and how many are not.
    fn kept(&self, detail: Detail) -> (Vec<Word<'a>>, usize) {
        let mut words: Vec<Word<'a>> =
            self.parts.iter().flat_map(|part| part.words.iter().copied()).collect();
        if self.parts.len() > 1 {
            // Stable, so each tool's own order stays.
            words.sort_by_key(|word| {
                (word.finding.suppression.is_some(), Reverse(word.finding.severity))
            });
        }
        let left_out = words.len().saturating_sub(detail.results);
        words.truncate(detail.results);
        (words, left_out)
    }

    fn rules(&self, words: &[Word<'a>]) -> RuleTable<'a> {
        RuleTable::of(words, self.shared)
    }
}

// === impl Counter ===

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
