//! The summary as a person reads it, at several widths.

use super::*;
use serde_json::{Value, json};

fn finding(severity: &str, path: &str, line: u32, message: &str) -> Value {
    json!({
        "fingerprint": "0".repeat(32), "occurrence": 0, "tool": "bandit", "rule": "B608",
        "defect": "sql-injection", "kind": "security", "severity": severity, "message": message,
        "location": { "path": path, "region": { "line": line, "column": 5 } },
        "sightings": [
            { "tool": "bandit", "rule": "B608", "severity": severity, "message": message },
            { "tool": "semgrep", "rule": "sqli", "severity": severity, "message": message },
        ],
    })
}

fn tool(name: &str, status: &str, extra: &Value) -> Value {
    let mut run = json!({
        "tool": name, "status": status, "clean": false, "required": true, "files_matched": 3,
        "observations": 0, "usage": { "wall_ms": 900, "user_ms": 1, "system_ms": 1, "peak_kib": 1 },
    });
    let fields = extra.as_object().expect("the test gives an object");
    run.as_object_mut().expect("made above").extend(fields.clone());
    run
}

fn rich() -> Report {
    let long = "The query is put together from what the user sent, so that whoever sends it decides \
                what the database does; use parameters instead of string formatting everywhere.";
    let mut findings = vec![
        finding("critical", "src/app.py", 12, long),
        finding("high", "src/ev\u{202e}il.py", 3, "\u{1b}[31mred\u{1b}[0m \u{1b}[2Jmessage"),
    ];
    findings.extend((1..=11).map(|line| finding("medium", "a.py", line, "assert used")));
    let mut hidden = finding("high", "a.py", 99, "hidden");
    hidden["suppression"] = json!({ "kind": "in-source", "reason": "# nosec" });
    findings.push(hidden);
    let mut report = json!({
        "report_version": "1.0", "task": "t1", "started": "2026-11-23T15:00:00Z",
        "app": { "ref": { "by": "path", "path": "examples/notes" }, "path": "/home/me/notes" },
        "duration_ms": 12_345, "outcome": "incomplete",
        "verdict": { "fail_on": "high", "at_or_above": 2, "exit_code": 3 },
        "selection": { "analyses": ["static"], "profile": "standard" },
        "source": {
            "digest": "a".repeat(64), "files": 34, "bytes": 9999, "lines": 2310,
            "languages": { "python": { "files": 9, "lines": 1800 }, "css": { "files": 2, "lines": 510 } },
            "skipped": { "vendored": { "count": 1200, "examples": ["node_modules"] },
                         "too-large": { "count": 1, "examples": ["dump.sql"] } },
        },
        "environment": { "assay": "0.1.0", "os": "linux", "cpus": 2, "jobs": 2, "isolation": [] },
        "tools": [
            tool("ruff", "ok", &json!({})), tool("bandit", "ok", &json!({ "files_failed": ["bad.py"] })),
            tool("mypy", "no_inputs", &json!({})),
            tool("semgrep", "failed", &json!({ "reason": "it exited with code 2, which it declares as \
                a failure: invalid rule file", "mend": "assay tools install semgrep" })),
            tool("npm-audit", "unavailable", &json!({ "required": false, "reason": "the advisory \
                server cannot be reached", "mend": "run without --offline" })),
        ],
        "counts": { "total": 0, "suppressed": 0, "by_severity": {}, "by_kind": {} },
        "findings": findings,
        "ignores": [
            { "rule": "B101", "path": "tests/**", "reason": "asserts", "expired": false, "matched": 2 },
            { "rule": "F401", "reason": "soon", "until": "2026-01-31", "expired": true, "matched": 0 },
        ],
        "warnings": ["the clock went backwards"],
    });
    let findings: Vec<assay_model::Finding> =
        serde_json::from_value(report["findings"].clone()).expect("findings as the model has them");
    report["counts"] = json!(assay_model::Counts::of(&findings));
    serde_json::from_value(report).expect("a report as the model has it")
}

fn clean() -> Report {
    let mut report = rich();
    report.outcome = AnalysisOutcome::Complete;
    report.tools.retain(|run| run.status == ToolStatus::Ok);
    report.tools.truncate(1);
    report.findings.clear();
    report.counts = assay_model::Counts::default();
    report.verdict.fail_on = "none".into();
    report.source.skipped.clear();
    report.ignores.clear();
    report.warnings.clear();
    report
}

fn written() -> Vec<WrittenReport> {
    [
        ("json", "/home/me/.assay/results/t1/report.json"),
        ("html", "/home/me/.assay/results/t1/report.html"),
    ]
    .map(|(what, path)| WrittenReport { what: what.into(), path: path.into() })
    .into()
}

const PLAIN: Style = Style { color: false, links: false, unicode: false };
const SIGNS: Style = Style { unicode: true, ..PLAIN };
const FULL: Style = Style { color: true, links: true, unicode: true };

#[test]
fn the_summary_fits_60_columns() {
    insta::assert_snapshot!(summary(&rich(), &written(), &SIGNS, 60));
}

#[test]
fn the_summary_fits_80_columns() {
    insta::assert_snapshot!(summary(&rich(), &written(), &SIGNS, 80));
}

#[test]
fn the_summary_fits_140_columns() {
    insta::assert_snapshot!(summary(&rich(), &written(), &SIGNS, 140));
}

#[test]
fn the_summary_in_colour_with_links() {
    insta::assert_snapshot!(summary(&rich(), &written(), &FULL, 80).replace('\u{1b}', "␛"));
}

#[test]
fn a_clean_summary_is_short() {
    insta::assert_snapshot!(summary(&clean(), &written(), &SIGNS, 80));
}

#[test]
fn colour_changes_no_word() {
    for width in [60, 80, 140] {
        let painted = summary(&rich(), &written(), &FULL, width);
        let bare = console::strip_ansi_codes(&painted).into_owned();
        assert_eq!(bare, summary(&rich(), &written(), &SIGNS, width));
    }
}

#[test]
fn without_colour_and_unicode_every_byte_is_printable_ascii() {
    let text = summary(&rich(), &written(), &PLAIN, 80);
    let odd: Vec<_> = text.chars().filter(|c| !matches!(c, '\n' | ' '..='~')).collect();
    assert_eq!(odd, Vec::<char>::new());
}

#[test]
fn only_what_must_be_copied_whole_is_wider_than_the_terminal() {
    for width in [60, 80, 140] {
        for line in summary(&rich(), &written(), &SIGNS, width).lines() {
            let whole = line.contains("mend:") || line.contains('/');
            assert!(whole || crate::layout::width_of(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn no_outcome_but_complete_is_headed_with_the_good_sign() {
    use AnalysisOutcome as O;
    for outcome in
        [O::Incomplete, O::NothingToAnalyse, O::TimedOut, O::Interrupted, O::Terminated, O::Lost]
    {
        let text = summary(&Report { outcome, ..clean() }, &[], &SIGNS, 80);
        assert!(text.starts_with('✗'), "{text}");
    }
    assert!(summary(&clean(), &[], &SIGNS, 80).starts_with('✓'));
}

#[test]
fn of_a_long_analysis_it_is_told_what_took_longest() {
    let report = |duration_ms, times: &[u64]| {
        let run = rich().tools.remove(0);
        let ran = |wall_ms: &u64| {
            let mut run = run.clone();
            run.started_ms = Some(5);
            (run.usage.wall_ms, run.usage.peak_kib) = (*wall_ms, wall_ms * 20);
            run
        };
        Report { duration_ms, tools: times.iter().map(ran).collect(), ..clean() }
    };
    let told = |report: &Report| summary(report, &[], &SIGNS, 120).contains("took longest");
    let long = report(12_000, &[900, 11_000]);
    let text = summary(&long, &[], &SIGNS, 120);
    let name = long.tools[0].tool.as_str();
    assert!(text.contains(&format!("; {name} took longest, 11.0s and 215 MiB")), "{text}");
    assert!(!told(&report(9_000, &[900, 8_000])), "nobody asks");
    assert!(!told(&report(12_000, &[11_000])), "there is no other");
}
