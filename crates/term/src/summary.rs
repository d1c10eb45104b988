//! What came out: the report, as a person reads it at the end of a run.
//!
//! Keeps: an incomplete analysis is never headed like a clean one, and no line is wider than asked
//! but where a path or a command must stay whole to be copied.

mod findings; // counts and the worst ones
mod gaps; // what did not run, and what mends it
mod scope; // what was and was not looked at

use crate::{
    Style,
    layout::{counted, wrap},
    progress::outcome_words,
    sanitise,
    style::{Role, Sign},
};
use assay_model::{AnalysisOutcome, Report, ToolRun, ToolStatus};

/// A report file that was written, for the last lines of the summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenReport {
    /// What it is, in a word: `html`, `sarif`.
    pub what: String,
    /// Its path, as the user can open it.
    pub path: String,
}

/// Lines below which text is squeezed no further.
const WIDTH_MIN: usize = 40;

/// Lines above which text is hard to read.
const WIDTH_MAX: usize = 120;

/// A page under construction: every part appends its lines.
pub(crate) struct Page<'a, R = Report> {
    pub(crate) report: &'a R,
    pub(crate) style: Style,
    pub(crate) width: usize,
    text: String,
}

/// Writes the summary of a report. `width` is that of the terminal ([`crate::stdout_width`]).
pub fn summary(report: &Report, written: &[WrittenReport], style: &Style, width: usize) -> String {
    let mut page = Page::new(report, *style, width);
    headline(&mut page);
    findings::severities(&mut page);
    findings::worst(&mut page);
    gaps::gaps(&mut page);
    scope::scope(&mut page);
    reports(&mut page, written);
    page.into_text()
}

// === impl Page ===

impl<'a, R> Page<'a, R> {
    pub(crate) fn new(report: &'a R, style: Style, width: usize) -> Self {
        Self { report, style, width: width.clamp(WIDTH_MIN, WIDTH_MAX), text: String::new() }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(crate) fn title(&mut self, title: &str) {
        let title = self.style.paint(Role::Strong, title);
        self.line("");
        self.line(&title);
    }

    /// Writes a text from an indent on, wrapped, every line painted on its own.
    pub(crate) fn paragraph(&mut self, indent: usize, role: Option<Role>, text: &str) {
        for line in wrap(text, self.width.saturating_sub(indent)) {
            let line = role.map_or_else(|| line.clone(), |role| self.style.paint(role, &line));
            self.line(&format!("{}{line}", " ".repeat(indent)));
        }
    }
}

fn headline(page: &mut Page<'_>) {
    let report = page.report;
    let gaps = report.tools.iter().filter(|run| run.leaves_a_gap()).count() as u64;
    let required = report.tools.iter().filter(|run| run.required).count() as u64;
    let (sign, role) = match report.outcome {
        AnalysisOutcome::Complete => (Sign::Good, Role::Good),
        AnalysisOutcome::Incomplete
        | AnalysisOutcome::NothingToAnalyse
        | AnalysisOutcome::TimedOut
        | AnalysisOutcome::Interrupted
        | AnalysisOutcome::Terminated
        | AnalysisOutcome::Lost => (Sign::Bad, Role::Bad),
    };
    let sign = page.style.paint(role, page.style.sign(sign));
    let app = page.style.paint(Role::Strong, &sanitise(&report.app.app.to_string()));
    let outcome = page.style.paint(role, outcome_words(report.outcome));
    page.line(&format!("{sign} {app}: {outcome}"));
    let ran = report.tools.iter().filter(|run| run.status == ToolStatus::Ok).count() as u64;
    let mut text = format!(
        "{} in {}",
        counted(ran, "tool") + " did their work",
        crate::layout::duration(report.duration_ms)
    );
    if ran == 1 {
        text = text.replace("their work", "its work");
    }
    if let Some(run) = longest(report) {
        let took = crate::layout::duration(run.usage.wall_ms);
        text = format!("{text}; {} took longest, {took}{}", run.tool, peak(run));
    }
    if gaps > 0 {
        let whose = if gaps == 1 { "its" } else { "their" };
        text = format!(
            "{gaps} of {} did not do {whose} work, so what is not listed below may still be there; {text}",
            counted(required, "required tool"),
        );
    }
    if report.outcome == AnalysisOutcome::NothingToAnalyse {
        text = match report.source.files {
            0 => "there is no file in it that is not skipped".to_owned(),
            files => format!("{}, and none that the chosen tools read", counted(files, "file")),
        };
    }
    page.paragraph(2, None, &text);
}

/// An analysis that is shorter than this leaves nobody asking where its time went.
const LONG_MS: u64 = 10_000;

/// The tool that a long analysis waited for, where there were several.
fn longest(report: &Report) -> Option<&ToolRun> {
    let ran = || report.tools.iter().filter(|run| run.started_ms.is_some());
    let is_asked = report.duration_ms >= LONG_MS && ran().count() > 1;
    ran().max_by_key(|run| run.usage.wall_ms).filter(|_| is_asked)
}

fn peak(run: &ToolRun) -> String {
    match run.usage.peak_kib.div_ceil(1024) {
        0 => String::new(),
        mib => format!(" and {mib} MiB"),
    }
}

pub(crate) fn reports<R>(page: &mut Page<'_, R>, written: &[WrittenReport]) {
    if written.is_empty() {
        return;
    }
    page.title("Reports");
    let widest = written.iter().map(|one| one.what.len()).max().unwrap_or(0);
    for one in written {
        let safe = sanitise(&one.path);
        let place = page.style.link(&one.path, &page.style.paint(Role::Place, &safe));
        let what = crate::layout::pad(&sanitise(&one.what), widest);
        page.line(&format!("  {what}  {place}"));
    }
}

#[cfg(test)]
mod tests;
