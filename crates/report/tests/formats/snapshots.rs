//! Every format as it is written, and what no format may do.

use crate::sample::{HOSTILE, SECRET, ran, report, report_of, tool};
use assay_model::{AnalysisOutcome, Report, ToolRun, ToolStatus};
use assay_report::{
    MarkdownOptions, SarifLimits, summary, write_csv, write_github, write_gitlab, write_json,
    write_junit, write_markdown, write_sarif, write_tool_sarif,
};

fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Every format by name.
fn formats(report: &Report) -> Vec<(&'static str, String)> {
    let limits = SarifLimits::default();
    vec![
        ("json", text(|out| write_json(report, out))),
        ("sarif", text(|out| write_sarif(report, limits, out))),
        ("junit", text(|out| write_junit(report, out))),
        ("gitlab", text(|out| write_gitlab(report, out))),
        ("github", text(|out| write_github(report, out))),
        ("markdown", text(|out| write_markdown(report, MarkdownOptions::default(), out))),
        ("csv", text(|out| write_csv(report, out))),
    ]
}

#[test]
fn every_format_is_as_it_was() {
    for (name, text) in formats(&report()) {
        let text = if name == "sarif" {
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            serde_json::to_string_pretty(&value).unwrap()
        } else {
            text
        };
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn one_tool_alone_tells_all_that_it_saw() {
    let report = report();
    let of = |name: &str| -> serde_json::Value {
        let text = text(|out| write_tool_sarif(&report, &tool(name), SarifLimits::default(), out));
        serde_json::from_str(&text).unwrap()
    };
    let results = |value: &serde_json::Value| value["runs"][0]["results"].as_array().unwrap().len();
    // bandit speaks for the injection, and semgrep saw it too.
    assert_eq!(results(&of("bandit")), 2);
    assert_eq!(results(&of("semgrep")), 2);
    let failed = of("checkov");
    assert_eq!(results(&failed), 0);
    assert_eq!(failed["runs"][0]["invocations"][0]["executionSuccessful"], false);
}

#[test]
fn no_format_shows_a_secret_or_a_raw_escape() {
    for (name, text) in formats(&report()) {
        assert!(!text.contains(SECRET), "{name}");
        // JSON spells control characters out by itself.
        assert!(!text.contains('\u{1b}'), "{name}");
        if !matches!(name, "json") {
            assert!(!text.contains('\u{202e}'), "{name}");
        }
    }
}

#[test]
fn markup_formats_escape_markup() {
    for (name, text) in formats(&report()) {
        if matches!(name, "junit" | "markdown") {
            assert!(!text.contains("<script"), "{name}");
        }
    }
    let markdown = text(|out| write_markdown(&report(), MarkdownOptions::default(), out));
    assert!(!markdown.contains("@team") && !markdown.contains("](http"), "{markdown}");
    assert!(HOSTILE.contains("@team"), "or the line above proves nothing");
}

#[test]
fn a_workflow_command_starts_only_where_we_start_one() {
    let text = text(|out| write_github(&report(), out));
    for line in text.lines() {
        let ours = ["::error file=", "::error title=", "::warning ", "::notice ", "assay: "];
        assert!(ours.iter().any(|start| line.starts_with(start)), "{line}");
        assert!(!line.starts_with("::error::"), "{line}");
    }
}

#[test]
fn junit_is_xml_and_its_sums_are_right() {
    let text = text(|out| write_junit(&report(), out));
    let mut reader = quick_xml::Reader::from_str(&text);
    let mut counts = std::collections::BTreeMap::new();
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                let name = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
                *counts.entry(name).or_insert(0) += 1;
            }
            _ => {}
        }
    }
    let all = text.lines().find(|line| line.contains("<testsuites")).unwrap();
    for (attribute, element) in [
        ("tests", "testcase"),
        ("failures", "failure"),
        ("errors", "error"),
        ("skipped", "skipped"),
    ] {
        let sum = format!("{attribute}=\"{}\"", counts[element]);
        assert!(all.contains(&sum), "{sum} in {all}");
    }
}

#[test]
fn an_incomplete_analysis_without_findings_looks_clean_in_no_format() {
    let mut failed = ToolRun::not_run(tool("bandit"), ToolStatus::TimedOut, true);
    failed.reason = Some("its 300 s passed".to_owned());
    let tools = vec![failed, ran("ruff", 0)];
    let report = report_of(Vec::new(), tools, AnalysisOutcome::Incomplete);
    for (name, text) in formats(&report) {
        assert!(text.contains("incomplete"), "{name}: {text}");
        assert!(text.contains("timed_out") && text.contains("bandit"), "{name}: {text}");
    }
    let whole = report_of(Vec::new(), vec![ran("ruff", 0)], AnalysisOutcome::Complete);
    for (name, text) in formats(&whole) {
        assert!(!text.contains("incomplete"), "{name}: {text}");
    }
}

#[test]
fn nothing_to_analyse_is_said_in_every_format() {
    let report = report_of(Vec::new(), Vec::new(), AnalysisOutcome::NothingToAnalyse);
    for (name, text) in formats(&report) {
        let said = text.contains("nothing was analysed") || text.contains("nothing_to_analyse");
        assert!(said || text.contains("Nothing was analysed"), "{name}: {text}");
    }
}

#[test]
fn the_summary_counts_what_stands_open() {
    let report = report();
    let summary = summary(&report);
    assert_eq!(summary.by_severity.iter().map(|(_, count)| count).sum::<u64>(), summary.total);
    let bandit = summary.tools.iter().find(|row| row.run.tool.as_str() == "bandit").unwrap();
    assert_eq!((bandit.speaks, bandit.saw), (1, 1));
    assert_eq!(summary.suppressed, 2);
    assert_eq!(summary.expired_ignores, 1);
    let gaps: Vec<_> = summary.gaps.iter().map(|gap| (gap.tool.as_str(), gap.required)).collect();
    assert_eq!(gaps, [("checkov", true), ("gitleaks", false)]);
}

#[test]
fn code_quality_fingerprints_are_unique() {
    let text = text(|out| write_gitlab(&report(), out));
    let issues: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut all: Vec<_> = issues.iter().map(|it| it["fingerprint"].as_str().unwrap()).collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}
