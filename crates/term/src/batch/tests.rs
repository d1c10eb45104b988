//! The summary of a batch as a person reads it, at several widths.

use super::*;
use assay_model::{AppEnd, AppRef, Sameness, SamenessAlarm, ToolId};
use serde_json::{Value, json};

/// An app of a model that had no turn.
pub(crate) fn app(number: u32) -> BatchApp {
    let app = AppRef::model_app("openai/gpt-4.1-mini", &number.to_string()).unwrap();
    BatchApp { app, path: format!("/apps/openai_gpt-4.1-mini/app{number}"), end: AppEnd::NotRun }
}

fn result(number: u32, findings: u64, tools: &Value) -> AppEnd {
    let outcome = match tools.as_array().unwrap().len() {
        0 => "complete",
        _ => "incomplete",
    };
    let lines = 900 + u64::from(number) * 10;
    let result = json!({
        "task": "20261127-120000-abcdef", "started": "2026-11-27T12:00:00Z",
        "results": format!("/home/me/results/openai_gpt-4.1-mini/app{number}/task_20261127-120000-abcdef"),
        "duration_ms": 3_000 + number * 700, "outcome": outcome, "exit_code": 0,
        "digest": format!("{number:064x}"), "files": 20, "lines": lines,
        "counts": {
            "total": findings, "suppressed": 0, "by_kind": {},
            "by_severity": {
                "critical": findings / 9, "high": findings / 4, "low": 1,
                "medium": findings - findings / 9 - findings / 4 - 1,
            },
        },
        "per_kloc": f64::from(u32::try_from(findings).unwrap()) + 0.25, "tools": tools,
    });
    AppEnd::Analysed(Box::new(serde_json::from_value(result).unwrap()))
}

/// A complete app with so many findings.
pub(crate) fn analysed(number: u32, findings: u64) -> BatchApp {
    BatchApp { end: result(number, findings, &json!([])), ..app(number) }
}

fn gap(tool: &str, status: &str, reason: &str) -> Value {
    json!({ "tool": tool, "status": status, "clean": false, "required": true, "observations": 0,
            "wall_ms": 1, "reason": reason })
}

fn batch() -> BatchReport {
    let mut apps: Vec<BatchApp> =
        (1..=7).map(|number| analysed(number, 4 + u64::from(number * 13 % 17))).collect();
    let gaps = json!([
        gap("semgrep", "timed_out", "it did not end in time (300 s)"),
        gap("mypy", "failed", "it exited with code 2"),
    ]);
    apps.push(BatchApp { end: result(8, 12, &gaps), ..app(8) });
    let why = "the app cannot be read: \u{1b}[2Jpermission denied".to_owned();
    apps.push(BatchApp { end: AppEnd::Failed { why, exit_code: 2 }, ..app(9) });
    apps.push(app(10));
    let alarm = |tool: &str, sameness| SamenessAlarm {
        tool: ToolId::new(tool).unwrap(),
        apps: 230,
        sameness,
    };
    let by = vec![ToolId::new("semgrep").unwrap(), ToolId::new("gitleaks").unwrap()];
    let report = json!({
        "batch_version": "1.0", "batch": "20261127-120000-fedcba", "started": "2026-11-27T12:00:00Z",
        "duration_ms": 65_000, "outcome": "interrupted",
        "verdict": { "fail_on": "high", "at_or_above": 30, "exit_code": 130 },
        "selection": { "analyses": ["static"], "profile": "standard" },
        "environment": { "assay": "0.1.0", "os": "linux", "cpus": 2, "jobs": 2, "isolation": [] },
        "counts": { "total": 91, "suppressed": 0, "by_severity": {}, "by_kind": {} },
        "apps": apps,
        "tools": [
            { "tool": "semgrep", "ok": 7, "no_inputs": 0, "observations": 9, "wall_ms": 1, "gaps": [
                { "status": "timed_out", "required": true, "reason": "it did not end in time (300 s)",
                  "mend": "give it more time: --set settings.semgrep.timeout=10m", "apps": 1,
                  "example": { "by": "model-app", "model": "openai_gpt-4.1-mini", "number": 8 } } ] },
            { "tool": "npm-audit", "ok": 0, "no_inputs": 0, "observations": 0, "wall_ms": 1, "gaps": [
                { "status": "unavailable", "required": false, "reason": "its server does not answer",
                  "apps": 8,
                  "example": { "by": "model-app", "model": "openai_gpt-4.1-mini", "number": 1 } } ] },
        ],
        "alarms": [
            alarm("detect-secrets", Sameness::ZeroAgainstOthers {
                defect: "aws-key".to_owned(), seen_in: 23, seen_by: by }),
            alarm("safety-db", Sameness::SameCount { count: 9, same_findings: true }),
        ],
        "warnings": ["1 app is named more than once and will run once: m/app1 by entry 1 and by entry 5"],
    });
    serde_json::from_value(report).expect("a batch as the model has it")
}

fn shown(batch: &BatchReport, style: Style, width: usize) -> String {
    let written = ["csv", "markdown", "json"].map(|what| WrittenReport {
        what: what.to_owned(),
        path: format!("/home/me/results/batch_20261127-120000-fedcba/batch.{what}"),
    });
    batch_summary(batch, &written, &style, width)
}

#[test]
fn a_batch_fits_60_columns() {
    let text = shown(&batch(), Style::default(), 60);
    insta::assert_snapshot!(text);
    // What is there to be copied stays whole.
    let whole = |line: &str| line.contains('/') || line.contains("mend:");
    let too_wide = |line: &&str| crate::layout::width_of(line) > 60 && !whole(line);
    assert_eq!(text.lines().find(too_wide), None);
}

#[test]
fn a_batch_fits_120_columns() {
    insta::assert_snapshot!(shown(&batch(), Style { unicode: true, ..Style::default() }, 120));
}

#[test]
fn a_batch_in_colour_is_the_same_text() {
    let style = Style { color: true, ..Style::default() };
    let text = shown(&batch(), style, 80);
    assert!(text.contains("\u{1b}["));
    assert_eq!(console::strip_ansi_codes(&text), shown(&batch(), Style::default(), 80));
}

#[test]
fn a_batch_that_is_whole_is_short() {
    let mut batch = batch();
    batch.apps.truncate(3);
    batch.outcome = AnalysisOutcome::Complete;
    batch.tools.clear();
    batch.alarms.clear();
    batch.warnings.clear();
    insta::assert_snapshot!(shown(&batch, Style::default(), 80));
}

#[test]
fn no_outcome_but_complete_is_headed_with_the_good_sign() {
    let mut batch = batch();
    for outcome in [
        AnalysisOutcome::Incomplete,
        AnalysisOutcome::NothingToAnalyse,
        AnalysisOutcome::TimedOut,
        AnalysisOutcome::Interrupted,
        AnalysisOutcome::Terminated,
        AnalysisOutcome::Lost,
    ] {
        batch.outcome = outcome;
        let text = shown(&batch, Style::default(), 80);
        assert!(text.starts_with("x ") && !text.contains("batch complete"), "{text}");
    }
}
