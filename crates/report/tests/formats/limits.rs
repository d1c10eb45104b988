//! More than anyone takes: too many results, runs, bytes.

use crate::{
    sample::{ran, report_of, seen, tool},
    schemas::check_sarif,
};
use assay_model::{AnalysisOutcome, Observation, Report, Severity, ToolRun, ToolStatus};
use assay_report::{MarkdownOptions, SarifLimits, write_markdown, write_sarif};
use serde_json::Value;

fn sarif(report: &Report, limits: SarifLimits) -> (usize, Value) {
    let mut out = Vec::new();
    write_sarif(report, limits, &mut out).unwrap();
    (out.len(), serde_json::from_slice(&out).unwrap())
}

fn notices(run: &Value) -> Vec<String> {
    let all = run["invocations"].as_array().unwrap().iter();
    all.flat_map(|it| it["toolExecutionNotifications"].as_array().cloned().unwrap_or_default())
        .map(|it| it["message"]["text"].as_str().unwrap().to_owned())
        .collect()
}

fn many(count: u32) -> Vec<Observation> {
    let one = |index: u32| {
        let path = format!("src/file{}.py", index % 300);
        let mut one = seen("semgrep", "rule", "semgrep:rule", (&path, index / 300 + 1));
        // Few bad ones, spread over all.
        one.severity = if index % 100 == 7 { Severity::High } else { Severity::Low };
        one
    };
    (0..count).map(one).collect()
}

#[test]
fn of_sixty_thousand_results_the_worst_five_thousand_are_kept() {
    let report = report_of(many(60_000), vec![ran("semgrep", 60_000)], AnalysisOutcome::Complete);
    assert_eq!(report.findings.len(), 60_000);
    let (_, value) = sarif(&report, SarifLimits::default());
    let run = &value["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 5000);
    let bad = results.iter().filter(|it| it["level"] == "error").count();
    assert_eq!(bad, 600, "every bad one is among the kept");
    assert!(notices(run)[0].starts_with("55000 results are left out"), "{:?}", notices(run));
}

#[test]
fn a_comment_fits_whatever_is_in_it() {
    let mut observations = many(100);
    for one in &mut observations {
        one.message = "<".repeat(1000);
    }
    let gap = |number: u32| {
        let mut gap = ToolRun::not_run(tool(&format!("t{number}")), ToolStatus::Failed, true);
        gap.reason = Some("*".repeat(1000));
        gap.mend = Some("`".repeat(1000));
        gap
    };
    let report = report_of(observations, (0..100).map(gap).collect(), AnalysisOutcome::Incomplete);
    let mut out = Vec::new();
    write_markdown(&report, MarkdownOptions { findings: 100 }, &mut out).unwrap();
    assert!((30_000..65_536).contains(&out.len()), "{}", out.len());
    let text = String::from_utf8(out).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| low | <code>src")).count();
    let rows = rows + text.lines().filter(|line| line.starts_with("| high | <code>src")).count();
    assert!(text.contains(&format!("\n{} more are in the report", 100 - rows)), "{rows}");
}

#[test]
fn a_file_that_is_too_large_loses_excerpts_and_then_its_mildest() {
    let mut observations = many(2000);
    for (index, one) in observations.iter_mut().enumerate() {
        // Text that gzip cannot shrink.
        one.message = noise(index);
    }
    let report = report_of(observations, vec![ran("semgrep", 2000)], AnalysisOutcome::Complete);
    let limits = SarifLimits { gzip_bytes: 100_000, ..SarifLimits::default() };
    let (_, value) = sarif(&report, limits);
    let run = &value["runs"][0];
    let kept = run["results"].as_array().unwrap().len();
    assert!((100..2000).contains(&kept), "{kept}");
    assert_eq!(run["results"][0]["level"], "error");
    let said = notices(run);
    assert!(
        said.iter().any(|it| it.contains(&format!("{} results are left out", 2000 - kept))),
        "{said:?}"
    );
    assert!(said.iter().any(|it| it.contains("excerpts are left out")), "{said:?}");
    check_sarif(&serde_json::to_vec(&value).unwrap());
}

/// Digits without a pattern, from multiplication.
fn noise(index: usize) -> String {
    let mut state = index as u64 + 1;
    let mut text = String::new();
    for _ in 0..16 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.extend([format!("{state:x} ")]);
    }
    text
}

#[test]
fn more_tools_than_runs_share_the_last() {
    let names: Vec<String> = (10..40).map(|number| format!("tool-{number}")).collect();
    let mut observations = Vec::new();
    for (index, name) in names.iter().enumerate() {
        for line in 0..index {
            let line = u32::try_from(line).unwrap() + 1;
            observations.push(seen(
                name,
                "same-rule",
                &format!("{name}:same-rule"),
                ("app.py", line),
            ));
        }
    }
    let tools = names.iter().enumerate().map(|(index, name)| ran(name, index as u64)).collect();
    let report = report_of(observations, tools, AnalysisOutcome::Complete);
    let (_, value) = sarif(&report, SarifLimits::default());
    check_sarif(&serde_json::to_vec(&value).unwrap());
    let runs = value["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 20);
    let results: usize = runs.iter().map(|run| run["results"].as_array().unwrap().len()).sum();
    assert_eq!(results, report.findings.len(), "sharing a run loses nothing");
    let mut ids: Vec<_> =
        runs.iter().map(|run| run["automationDetails"]["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20, "GitHub refuses two runs of one category");
    let shared = runs.iter().find(|run| run["tool"]["driver"]["name"] == "assay").unwrap();
    assert_eq!(shared["invocations"].as_array().unwrap().len(), 11);
    for result in shared["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(shared["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
}
