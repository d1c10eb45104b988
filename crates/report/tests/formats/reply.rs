//! What a service answers.

use crate::{
    sample::{SECRET, ran, report, report_of, seen, tool},
    schemas::check_sarif,
};
use assay_model::{AnalysisOutcome, Language, LanguageInfo, Report, Severity, ToolRun, ToolStatus};
use assay_report::{REPLY_BYTES_MAX, ReplyTerms, Shelf, write_reply};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn text(report: &Report, bytes_max: u64) -> String {
    let shelves = BTreeMap::from([
        (tool("bandit"), Shelf::Python),
        (tool("detect-secrets"), Shelf::Python),
        (tool("eslint"), Shelf::JavaScript),
        (tool("stylelint"), Shelf::Css),
    ]);
    let terms =
        ReplyTerms { model: "Acme/Demo", app: 7, configured: false, shelves: &shelves, bytes_max };
    let mut out = Vec::new();
    write_reply(report, &terms, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn reply(report: &Report) -> Value {
    serde_json::from_str(&text(report, REPLY_BYTES_MAX)).unwrap()
}

/// The type of a value as a client of another language knows it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// Each name with the type that clients of the first system expect.
#[track_caller]
fn check(value: &Value, names: &[(&str, &str)]) {
    for (name, expected) in names {
        assert_eq!(kind(&value[name]), *expected, "`{name}` in {value}");
    }
}

#[test]
fn names_and_types_are_those_of_the_first_system() {
    let reply = reply(&report());
    check(
        &reply,
        &[
            ("model_slug", "str"),
            ("app_number", "int"),
            ("analysis_time", "str"),
            ("status", "str"),
            ("configuration_applied", "bool"),
            ("tools_used", "list"),
            ("tool_results", "dict"),
            ("results", "dict"),
            ("summary", "dict"),
        ],
    );
    assert_eq!(reply["model_slug"], "Acme/Demo");
    assert_eq!(reply["analysis_time"], "2026-11-23T15:30:00.000000");
    check(
        &reply["summary"],
        &[
            ("total_findings", "int"),
            ("total_issues_found", "int"),
            ("tools_run_successfully", "int"),
            ("severity_breakdown", "dict"),
            ("analysis_status", "str"),
            ("configuration_preset", "str"),
        ],
    );
    let of_entry = [
        ("tool", "str"),
        ("executed", "bool"),
        ("status", "str"),
        ("issues", "list"),
        ("total_issues", "int"),
        ("issue_count", "int"),
        ("duration", "float"),
        ("exit_code", "int"),
        ("error", "null"),
        ("format", "str"),
        ("execution_record", "dict"),
    ];
    check(&reply["tool_results"]["bandit"], &of_entry);
    check(&reply["results"]["python"]["bandit"], &of_entry);
    check(&reply["results"]["python"]["bandit"], &[("sarif", "dict")]);
    let record = &reply["tool_results"]["bandit"]["execution_record"];
    check(record, &[("cmd", "list"), ("exit_code", "int"), ("duration", "float")]);
    let issue = &reply["tool_results"]["bandit"]["issues"][0];
    check(issue, &[("file", "str"), ("line", "int"), ("severity", "str"), ("rule", "str")]);
    assert_eq!(
        (&issue["file"], &issue["line"], &issue["rule"]),
        (&json!("app.py"), &json!(4), &json!("B608"))
    );
}

#[test]
fn every_tool_stands_once_by_name_and_once_by_language() {
    let report = report();
    let reply = reply(&report);
    let names: Vec<&str> = report.tools.iter().map(|run| run.tool.as_str()).collect();
    let by_name: Vec<&String> = reply["tool_results"].as_object().unwrap().keys().collect();
    assert_eq!(by_name, names);
    let shelves = reply["results"].as_object().unwrap();
    let names_of_shelves: Vec<&String> = shelves.keys().collect();
    assert_eq!(names_of_shelves, ["css", "html", "javascript", "python", "structure"]);
    let mut by_language: Vec<&str> = shelves
        .values()
        .flat_map(|shelf| shelf.as_object().unwrap())
        .filter(|(_, entry)| entry.is_object())
        .map(|(name, _)| name.as_str())
        .collect();
    by_language.sort_unstable();
    assert_eq!(by_language, names);
    assert_eq!(reply["results"]["html"]["status"], "no_files");
    // There is no file of that language, but the tool ran, and that is not hidden.
    assert_eq!(reply["results"]["javascript"]["eslint"]["status"], "success");
    assert_eq!(reply["results"]["structure"]["status"], "success");
}

#[test]
fn a_language_without_files_says_so_and_one_without_tools_is_empty() {
    let none = ToolRun::not_run(tool("stylelint"), ToolStatus::NoInputs, true);
    let tools = vec![ran("bandit", 0), none];
    let mut report = report_of(Vec::new(), tools, AnalysisOutcome::Complete);
    report.source.languages.insert(Language::TypeScript, LanguageInfo { files: 1, lines: 1 });
    let results = &reply(&report)["results"];
    assert_eq!(results["css"], json!({"status": "no_files", "message": "No CSS files found"}));
    assert_eq!(results["javascript"], json!({}));
    assert_eq!(results["python"]["bandit"]["status"], "no_issues");
}

#[test]
fn a_tool_that_did_not_do_its_work_never_looks_as_if_it_found_nothing() {
    let reply = reply(&report());
    let entry = |name: &str| &reply["tool_results"][name];
    assert_eq!(entry("checkov")["status"], "error");
    assert!(entry("checkov")["error"].as_str().unwrap().starts_with("exited with code 2"));
    assert_eq!(entry("gitleaks")["status"], "not_available");
    assert_eq!(entry("gitleaks")["executed"], false);
    assert_eq!(entry("gitleaks")["exit_code"], Value::Null);
    assert_eq!(entry("hadolint")["status"], "skipped");
    assert_eq!(entry("vulture")["status"], "no_issues");
    let gaps = reply["gaps"].as_array().unwrap();
    assert_eq!(gaps.len(), 2);
    assert_eq!(gaps[0]["tool"], "checkov");
    let used = reply["tools_used"].as_array().unwrap();
    assert!(used.contains(&json!("checkov")) && !used.contains(&json!("gitleaks")), "{used:?}");
}

#[test]
fn counts_are_of_what_nothing_suppresses() {
    let reply = reply(&report());
    let bandit = &reply["tool_results"]["bandit"];
    // It saw the injection, and an assertion under a comment.
    assert_eq!((&bandit["total_issues"], &bandit["suppressed_issues"]), (&json!(1), &json!(1)));
    assert_eq!(bandit["severity_breakdown"]["high"], 1);
    let summary = &reply["summary"];
    let counts = summary["severity_breakdown"].as_object().unwrap();
    assert_eq!(counts.len(), Severity::ALL.len());
    let sum: u64 = counts.values().filter_map(Value::as_u64).sum();
    assert_eq!(json!(sum), summary["total_findings"]);
    let issues = reply["tool_results"].as_object().unwrap().values();
    let sum: u64 = issues.filter_map(|entry| entry["total_issues"].as_u64()).sum();
    assert_eq!(json!(sum), summary["total_issues_found"]);
}

#[test]
fn a_reply_says_what_the_analysis_is_worth() {
    use AnalysisOutcome::*;
    let of = |outcome, tools| {
        let reply = reply(&report_of(Vec::new(), tools, outcome));
        (reply["status"].as_str().unwrap().to_owned(), reply["error"].is_string())
    };
    let failed = || ToolRun::not_run(tool("ruff"), ToolStatus::Failed, true);
    let expect = |word: &str, error| (word.to_owned(), error);
    assert_eq!(of(Complete, vec![ran("ruff", 0)]), expect("success", false));
    assert_eq!(of(Incomplete, vec![ran("a", 0), failed()]), expect("partial", false));
    assert_eq!(of(Incomplete, vec![failed()]), expect("error", true));
    assert_eq!(of(NothingToAnalyse, vec![]), expect("error", true));
    assert_eq!(of(TimedOut, vec![ran("a", 0)]), expect("timeout", true));
    assert_eq!(of(Terminated, vec![]), expect("cancelled", true));
    assert_eq!(of(Lost, vec![ran("a", 0)]), expect("error", true));
}

#[test]
fn the_sarif_of_every_tool_is_valid_and_holds_what_it_saw() {
    let reply = reply(&report());
    let mut seen = 0;
    for shelf in reply["results"].as_object().unwrap().values() {
        for entry in shelf.as_object().unwrap().values().filter(|entry| entry.is_object()) {
            check_sarif(entry["sarif"].to_string().as_bytes());
            let results = entry["sarif"]["runs"][0]["results"].as_array().unwrap().len() as u64;
            let said = entry["total_issues"].as_u64().unwrap();
            assert_eq!(results, said + entry["suppressed_issues"].as_u64().unwrap());
            assert_eq!(entry["sarif"]["runs"].as_array().unwrap().len(), 1);
            seen += 1;
        }
    }
    assert_eq!(seen, report().tools.len());
    assert!(reply["tool_results"]["bandit"].get("sarif").is_none());
}

#[test]
fn nothing_of_the_machine_and_no_secret_is_told() {
    let report = report();
    let text = text(&report, REPLY_BYTES_MAX);
    assert!(text.contains("\"snippet\""), "or the rest proves little");
    for secret in [report.app.path.as_str(), SECRET, "\u{1b}"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn what_does_not_fit_is_left_out_and_counted() {
    let many = (1..=3000).map(|line| seen("bandit", "B1", "bandit:B1", ("big.py", line)));
    let report = report_of(many.collect(), vec![ran("bandit", 3000)], AnalysisOutcome::Complete);
    let whole = text(&report, REPLY_BYTES_MAX);
    for bytes_max in [whole.len() as u64 / 2, 100_000, 20_000] {
        let text = text(&report, bytes_max);
        assert!(text.len() as u64 <= bytes_max, "{} of {bytes_max}", text.len());
        let reply: Value = serde_json::from_str(&text).unwrap();
        let entry = &reply["results"]["python"]["bandit"];
        assert_eq!(entry["total_issues"], 3000);
        assert_eq!(reply["summary"]["total_findings"], 3000);
        let listed = entry["issues"].as_array().unwrap().len() as u64;
        let left_out = entry["issues_left_out"].as_u64().unwrap_or(0);
        assert_eq!(listed + left_out, 3000);
        check_sarif(entry["sarif"].to_string().as_bytes());
    }
    let reply: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(reply["tool_results"]["bandit"]["issues"].as_array().unwrap().len(), 3000);
}
