//! A batch in every format.

use crate::sample::{self, HOSTILE};
use assay_model::{
    AnalysisOutcome, AppEnd, AppRef, BATCH_VERSION, BatchApp, BatchReport, Report, Sameness,
    SamenessAlarm, TaskId, ToolId, Verdict,
};
use assay_report::{
    Sample, app_result, batch_counts, batch_outcome, batch_tools, html, write_batch_csv,
    write_batch_markdown,
};

fn app(number: u32, end: AppEnd) -> BatchApp {
    let app = AppRef::model_app("open\u{202e}ai/gpt|4", &number.to_string()).unwrap();
    BatchApp { app, path: format!("/apps/gpt/app{number}"), end }
}

fn whole() -> Report {
    let mut report = sample::report();
    report.outcome = AnalysisOutcome::Complete;
    report.tools.retain(|run| run.status.did_its_work());
    report
}

fn analysed(report: &Report, number: u32) -> BatchApp {
    let results = format!("/results/gpt/app{number}/task_1");
    app(number, AppEnd::Analysed(Box::new(app_result(report, results))))
}

/// One whole app, one with gaps, one that could not be read, one that had no turn.
pub(crate) fn batch() -> BatchReport {
    let report = sample::report();
    let why = "the app cannot be read: =cmd()\u{1b}[2J".to_owned();
    let apps = vec![
        analysed(&whole(), 1),
        analysed(&report, 2),
        analysed(&report, 3),
        app(4, AppEnd::Failed { why, exit_code: 2 }),
        app(5, AppEnd::NotRun),
    ];
    let alarm = |tool: &str, sameness| SamenessAlarm {
        tool: ToolId::new(tool).unwrap(),
        apps: 230,
        sameness,
    };
    BatchReport {
        batch_version: BATCH_VERSION.to_owned(),
        batch: TaskId::new("20261127-1").unwrap(),
        started: report.started,
        duration_ms: 61_000,
        outcome: batch_outcome(&apps),
        verdict: Verdict { fail_on: "high".to_owned(), at_or_above: 3, exit_code: 130 },
        selection: report.selection,
        environment: report.environment,
        counts: batch_counts(&apps),
        tools: batch_tools(&apps),
        apps,
        alarms: vec![
            alarm("safety-db", Sameness::SameCount { count: 9, same_findings: true }),
            alarm("stylelint", Sameness::ZeroAlone),
        ],
        warnings: Vec::new(),
    }
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_batch_as_markdown() {
    insta::assert_snapshot!(text(|out| write_batch_markdown(&batch(), out)));
}

#[test]
fn a_batch_as_rows() {
    insta::assert_snapshot!(text(|out| write_batch_csv(&batch(), out)));
}

fn page(batch: &BatchReport, folder: Option<&str>) -> String {
    text(|out| html::write_batch(batch, folder.map(std::path::Path::new), out))
}

/// The page without our own style.
fn markup(page: &str) -> String {
    let (before, rest) = page.split_once("<style>").unwrap();
    format!("{before}{}", rest.split_once("</style>").unwrap().1)
}

#[test]
fn a_page_links_to_its_apps_where_it_knows_the_way() {
    let batch = batch();
    let here = markup(&page(&batch, Some("/results/batch_1")));
    assert_eq!(here.matches("<a href=\"./../gpt/app").count(), 3, "{here}");
    assert!(here.contains("./../gpt/app2/task_1/report.html"), "{here}");
    assert_eq!(markup(&page(&batch, None)).matches("<a href=\"./").count(), 0);
}

#[test]
fn the_page_is_inert_whatever_it_tells() {
    let mut batch = batch();
    batch.warnings.push(HOSTILE.to_owned());
    batch.apps[3].end = AppEnd::Failed { why: HOSTILE.to_owned(), exit_code: 2 };
    let page = markup(&page(&batch, Some("/results/batch_1")));
    assert!(!page.contains("<script") && !page.contains(" style=") && !page.contains(" onload"));
    for hidden in ['\u{1b}', '\u{202e}', '\u{7}'] {
        assert!(!page.contains(hidden), "{hidden:?}");
    }
    let others =
        page.match_indices("http").filter(|(at, _)| !page[*at..].starts_with("http-equiv"));
    for (at, _) in others {
        let before = page[..at].chars().next_back();
        assert!(!matches!(before, Some('"' | '\'' | '=')), "it asks another host");
    }
    assert!(
        page.contains("default-src &#39;none&#39;") || page.contains("default-src &apos;none"),
        "{page}"
    );
}

#[test]
fn the_page_looks_good_only_where_all_is_whole() {
    let mut batch = batch();
    assert!(page(&batch, None).contains("class=\"banner bad\""));
    batch.apps.truncate(1);
    batch.outcome = batch_outcome(&batch.apps);
    assert!(page(&batch, None).contains("class=\"banner good\""));
}

#[test]
fn every_app_has_a_row_whatever_became_of_it() {
    let batch = batch();
    let csv = text(|out| write_batch_csv(&batch, out));
    let rows = csv.lines().filter(|line| line.starts_with("app,")).count();
    assert_eq!(rows, batch.apps.len());
    let markdown = text(|out| write_batch_markdown(&batch, out));
    assert_eq!(page(&batch, None).matches("<th scope=\"row\">").count() - 2, batch.apps.len());
    for app in &batch.apps {
        let AppRef::ModelApp { number, .. } = &app.app else { panic!("all are of a model") };
        assert!(markdown.contains(&format!("/app{number}</code>")), "{markdown}");
    }
}

#[test]
fn no_outcome_but_complete_looks_whole() {
    let mut batch = batch();
    batch.apps.truncate(1);
    batch.outcome = batch_outcome(&batch.apps);
    assert_eq!(batch.outcome, AnalysisOutcome::Complete);
    assert!(!text(|out| write_batch_markdown(&batch, out)).contains("WARNING"));
    for more in [AppEnd::NotRun, AppEnd::Failed { why: "x".to_owned(), exit_code: 2 }] {
        batch.apps.truncate(1);
        batch.apps.push(app(2, more));
        batch.outcome = batch_outcome(&batch.apps);
        assert_ne!(batch.outcome, AnalysisOutcome::Complete);
        assert!(text(|out| write_batch_markdown(&batch, out)).contains("> [!WARNING]\n> 1 of 2"));
    }
}

#[test]
fn a_thousand_apps_fit_into_a_comment() {
    let mut batch = batch();
    let one = batch.apps[1].clone();
    batch.apps = vec![one; 1_000];
    let markdown = text(|out| write_batch_markdown(&batch, out));
    assert!(markdown.len() < 65_536, "{}", markdown.len());
    assert!(markdown.contains("more are in `batch.csv`"), "the rest is counted");
}

#[test]
fn gaps_are_counted_by_apps_and_reason() {
    let batch = batch();
    for tool in &batch.tools {
        let gaps: u64 = tool.gaps.iter().map(|gap| gap.apps).sum();
        assert_eq!(tool.ok + tool.no_inputs + gaps, if gaps > 0 { 2 } else { 3 }, "{tool:?}");
    }
    assert!(batch.tools.iter().any(|tool| tool.gaps.iter().any(|gap| gap.apps == 2)));
}

#[test]
fn a_sample_holds_the_tools_that_did_their_work() {
    let report = sample::report();
    let sample = Sample::of(&report);
    for run in &report.tools {
        let ok = run.status == assay_model::ToolStatus::Ok;
        assert_eq!(sample.tools.contains_key(&run.tool), ok, "{}", run.tool);
    }
    let seen: usize = sample.tools.values().map(|said| said.findings.len()).sum();
    assert!(seen > 0, "the sample has findings");
}
