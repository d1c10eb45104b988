//! Many reports become one table.
//!
//! Owns what a batch tells of an app and of a tool, and how it is written: JSON, CSV, Markdown.
//! Keeps: a batch is complete only if every app is; a tool that did not do its work is a gap with
//! its reason, counted by apps.
//!
//! Does not: hold findings; these are in the apps' own reports.

mod csv; // a row an app
mod markdown; // a comment or a page of a wiki

pub use csv::write_batch_csv;
pub use markdown::write_batch_markdown;

use assay_model::{
    AnalysisOutcome, AppEnd, AppResult, AppTool, BatchApp, BatchGap, BatchReport, BatchTool,
    Counts, Report, ToolId, ToolRun,
};
use serde_json::Value;
use std::{
    cmp::Reverse,
    collections::BTreeMap,
    io::{self, Write},
};

/// Returns one app's result in short. `results` is the folder of its reports.
pub fn app_result(report: &Report, results: String) -> AppResult {
    let source = &report.source;
    AppResult {
        task: report.task.clone(),
        results,
        started: report.started,
        duration_ms: report.duration_ms,
        outcome: report.outcome,
        exit_code: report.verdict.exit_code,
        digest: source.digest.clone(),
        files: source.files,
        lines: source.lines,
        counts: report.counts.clone(),
        per_kloc: per_kloc(report.counts.total, source.lines),
        tools: report.tools.iter().map(app_tool).collect(),
    }
}

/// Returns findings in 1,000 lines, to two decimals: more would pretend to know more.
fn per_kloc(findings: u64, lines: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "counts of an app are far below 2^52")]
    let rate = |findings: u64, lines: u64| findings as f64 * 1000.0 / lines as f64;
    (lines > 0).then(|| (rate(findings, lines) * 100.0).round() / 100.0)
}

fn app_tool(run: &ToolRun) -> AppTool {
    AppTool {
        tool: run.tool.clone(),
        status: run.status,
        clean: run.clean,
        required: run.required,
        observations: run.observations,
        wall_ms: run.usage.wall_ms,
        reason: run.reason.clone(),
        mend: run.mend.clone(),
    }
}

/// Returns what the batch as a whole is worth: the gravest of its apps.
pub fn batch_outcome(apps: &[BatchApp]) -> AnalysisOutcome {
    let nothing = !apps.is_empty()
        && apps.iter().all(|app| outcome_of(&app.end) == AnalysisOutcome::NothingToAnalyse);
    if nothing {
        return AnalysisOutcome::NothingToAnalyse;
    }
    let all = apps.iter().map(|app| match outcome_of(&app.end) {
        // One app that is empty or lost leaves a hole in the table like one with a gap.
        AnalysisOutcome::NothingToAnalyse | AnalysisOutcome::Lost => AnalysisOutcome::Incomplete,
        other => other,
    });
    all.max_by_key(|outcome| gravity(*outcome)).unwrap_or(AnalysisOutcome::NothingToAnalyse)
}

fn outcome_of(end: &AppEnd) -> AnalysisOutcome {
    match end {
        AppEnd::Analysed(result) => result.outcome,
        AppEnd::Failed { .. } => AnalysisOutcome::Incomplete,
        AppEnd::NotRun => AnalysisOutcome::Interrupted,
    }
}

/// The order of the exit codes.
const fn gravity(outcome: AnalysisOutcome) -> u8 {
    match outcome {
        AnalysisOutcome::Complete => 0,
        AnalysisOutcome::NothingToAnalyse => 1,
        AnalysisOutcome::Incomplete => 2,
        AnalysisOutcome::Lost => 3,
        AnalysisOutcome::TimedOut => 4,
        AnalysisOutcome::Interrupted => 5,
        AnalysisOutcome::Terminated => 6,
    }
}

/// Returns the findings of all apps together.
pub(crate) fn add_counts(sum: &mut Counts, more: &Counts) {
    sum.total += more.total;
    sum.suppressed += more.suppressed;
    for (severity, count) in &more.by_severity {
        *sum.by_severity.entry(*severity).or_default() += count;
    }
    for (kind, count) in &more.by_kind {
        *sum.by_kind.entry(*kind).or_default() += count;
    }
}

/// Returns the findings of all apps together.
pub fn batch_counts(apps: &[BatchApp]) -> Counts {
    let mut sum = Counts::default();
    for result in apps.iter().filter_map(|app| app.end.result()) {
        add_counts(&mut sum, &result.counts);
    }
    sum
}

/// Returns every tool over all apps, by name.
pub fn batch_tools(apps: &[BatchApp]) -> Vec<BatchTool> {
    let mut tools: BTreeMap<&ToolId, BatchTool> = BTreeMap::new();
    for app in apps {
        for part in app.end.result().into_iter().flat_map(|result| &result.tools) {
            let tool = tools.entry(&part.tool).or_insert_with(|| BatchTool {
                tool: part.tool.clone(),
                ok: 0,
                no_inputs: 0,
                observations: 0,
                wall_ms: 0,
                gaps: Vec::new(),
            });
            take(tool, part, app);
        }
    }
    let mut tools: Vec<BatchTool> = tools.into_values().collect();
    for tool in &mut tools {
        tool.gaps.sort_by_key(|gap| (Reverse(gap.apps), gap.status));
    }
    tools
}

fn take(tool: &mut BatchTool, part: &AppTool, app: &BatchApp) {
    tool.observations += part.observations;
    tool.wall_ms += part.wall_ms;
    if part.status == assay_model::ToolStatus::Ok {
        tool.ok += 1;
    } else if part.status.did_its_work() {
        tool.no_inputs += 1;
    } else {
        let reason = part.reason.as_deref().unwrap_or("no reason is known");
        let same = |gap: &&mut BatchGap| {
            gap.status == part.status && gap.required == part.required && gap.reason == reason
        };
        match tool.gaps.iter_mut().find(same) {
            Some(gap) => gap.apps += 1,
            None => tool.gaps.push(BatchGap {
                status: part.status,
                required: part.required,
                reason: reason.to_owned(),
                mend: part.mend.clone(),
                apps: 1,
                example: app.app.clone(),
            }),
        }
    }
}

/// Writes the batch as indented JSON.
pub fn write_batch_json(batch: &BatchReport, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, batch)?;
    out.write_all(b"\n")
}

/// Returns the JSON Schema of `batch.json`, which lies in `docs/schema/batch.schema.json`.
pub fn batch_schema() -> Value {
    schemars::schema_for!(BatchReport).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_model::AppRef;

    fn app(end: AppEnd) -> BatchApp {
        BatchApp { app: AppRef::model_app("m", "1").unwrap(), path: "/m/app1".to_owned(), end }
    }

    fn failed() -> AppEnd {
        AppEnd::Failed { why: "gone".to_owned(), exit_code: 2 }
    }

    #[track_caller]
    fn check(ends: Vec<AppEnd>, expected: AnalysisOutcome) {
        let apps: Vec<BatchApp> = ends.into_iter().map(app).collect();
        assert_eq!(batch_outcome(&apps), expected);
    }

    #[test]
    fn a_batch_is_as_good_as_its_worst_app() {
        check(vec![failed()], AnalysisOutcome::Incomplete);
        check(vec![failed(), AppEnd::NotRun], AnalysisOutcome::Interrupted);
        check(Vec::new(), AnalysisOutcome::NothingToAnalyse);
    }

    #[test]
    fn a_rate_needs_lines() {
        assert_eq!(per_kloc(3, 0), None);
        assert_eq!(per_kloc(1, 3000), Some(0.33));
        assert_eq!(per_kloc(153, 3042), Some(50.3));
    }
}
