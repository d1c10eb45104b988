//! What came out of many apps, as a person reads it at the end of a batch.
//!
//! Keeps: every app has a row; a batch that is not complete is never headed like one that is; no
//! line is wider than asked but where a path or a command must stay whole to be copied.

mod table; // a row an app
mod trouble; // what is not complete, which tools did not do their work, which say the same of all

use crate::{
    Style, WrittenReport,
    layout::{counted, duration, grouped},
    sanitise,
    style::{Role, Sign},
    summary::{Page, reports},
};
use assay_model::{AnalysisOutcome, AppResult, BatchApp, BatchReport, Severity};

/// Apps that are told as the worst.
const WORST_MAX: usize = 5;

type BatchPage<'a> = Page<'a, BatchReport>;

/// Writes the summary of a batch. `width` is that of the terminal ([`crate::stdout_width`]).
pub fn batch_summary(
    batch: &BatchReport,
    written: &[WrittenReport],
    style: &Style,
    width: usize,
) -> String {
    let mut page = Page::new(batch, *style, width);
    headline(&mut page);
    table::table(&mut page);
    worst(&mut page);
    trouble::not_complete(&mut page);
    trouble::gaps(&mut page);
    trouble::alarms(&mut page);
    for warning in &batch.warnings {
        let text = format!("warning: {}", sanitise(warning));
        page.line("");
        page.paragraph(2, Some(Role::Caution), &text);
    }
    reports(&mut page, written);
    page.into_text()
}

fn is_complete(app: &BatchApp) -> bool {
    app.end.result().is_some_and(|result| result.outcome == AnalysisOutcome::Complete)
}

/// Says how a batch ended.
const fn outcome_words(outcome: AnalysisOutcome) -> &'static str {
    match outcome {
        AnalysisOutcome::Complete => "batch complete",
        AnalysisOutcome::Incomplete | AnalysisOutcome::Lost => "batch incomplete",
        AnalysisOutcome::NothingToAnalyse => "nothing to analyse",
        AnalysisOutcome::TimedOut => "batch incomplete: an app timed out",
        AnalysisOutcome::Interrupted => "batch interrupted",
        AnalysisOutcome::Terminated => "batch terminated",
    }
}

fn headline(page: &mut BatchPage<'_>) {
    let batch = page.report;
    let (sign, role) = match batch.outcome {
        AnalysisOutcome::Complete => (Sign::Good, Role::Good),
        AnalysisOutcome::Incomplete
        | AnalysisOutcome::NothingToAnalyse
        | AnalysisOutcome::TimedOut
        | AnalysisOutcome::Interrupted
        | AnalysisOutcome::Terminated
        | AnalysisOutcome::Lost => (Sign::Bad, Role::Bad),
    };
    let sign = page.style.paint(role, page.style.sign(sign));
    let apps = page.style.paint(Role::Strong, &counted(batch.apps.len() as u64, "app"));
    let outcome = page.style.paint(role, outcome_words(batch.outcome));
    page.line(&format!("{sign} {apps}: {outcome}"));
    let lines: u64 = batch.apps.iter().filter_map(|app| app.end.result()).map(|r| r.lines).sum();
    let mut parts = vec![format!(
        "{} in {}, in {}",
        counted(batch.counts.total, "finding"),
        counted(lines, "line"),
        duration(batch.duration_ms)
    )];
    let troubled = batch.apps.iter().filter(|app| !is_complete(app)).count() as u64;
    if troubled > 0 {
        let few = if troubled == 1 { "is" } else { "are" };
        let text = format!(
            "{} of {} {few} not complete, so what is not listed there may still be there",
            grouped(troubled),
            counted(batch.apps.len() as u64, "app"),
        );
        parts.insert(0, text);
    }
    let verdict = &batch.verdict;
    if verdict.fail_on != "none" {
        let fail_on = sanitise(&verdict.fail_on);
        parts.push(format!("{} at or above `{fail_on}`", grouped(verdict.at_or_above)));
    }
    page.paragraph(2, None, &parts.join("; "));
}

fn worst(page: &mut BatchPage<'_>) {
    let batch = page.report;
    let results = batch.apps.iter().filter_map(|app| Some((app, app.end.result()?)));
    let mut found: Vec<_> = results.filter(|(_, result)| result.counts.total > 0).collect();
    // The table says it all where there are few.
    if found.len() <= WORST_MAX {
        return;
    }
    let by_severity = |result: &AppResult| -> Vec<u64> {
        let all = Severity::ALL.iter().rev();
        all.map(|severity| count(result, *severity)).collect()
    };
    found.sort_by_cached_key(|(_, result)| std::cmp::Reverse(by_severity(result)));
    page.title("Worst apps");
    for (app, result) in found.into_iter().take(WORST_MAX) {
        let counts = Severity::ALL.iter().rev().filter_map(|severity| {
            let count = count(result, *severity);
            (count > 0).then(|| format!("{} {severity}", grouped(count)))
        });
        let counts: Vec<String> = counts.take(3).collect();
        let name = sanitise(&app.app.to_string()).into_owned();
        let name = page.style.paint(Role::Strong, &name);
        page.line(&format!("  {name}  {}", counts.join(", ")));
        let path = format!("{}/report.html", result.results);
        let place = page.style.paint(Role::Place, &sanitise(&path));
        let place = page.style.link(&path, &place);
        page.line(&format!("    {place}"));
    }
}

fn count(result: &AppResult, severity: Severity) -> u64 {
    result.counts.by_severity.get(&severity).copied().unwrap_or(0)
}

#[cfg(test)]
pub(crate) mod tests;
