//! Which finding of an older report is which of a newer one.

use crate::sample::{report_of, seen};
use assay_model::{AnalysisOutcome, Observation, Report};
use assay_report::match_findings;

fn report(observations: Vec<Observation>) -> Report {
    report_of(observations, Vec::new(), AnalysisOutcome::Complete)
}

/// A finding whose fingerprint is that of its class: the files of these paths have no text.
fn found(defect: &str, path: &str, line: u32) -> Observation {
    let mut one = seen("semgrep", "r", defect, (path, line));
    "m".clone_into(&mut one.message);
    one
}

fn place(report: &Report, index: usize) -> String {
    report.findings[index].location.as_ref().unwrap().shown()
}

#[track_caller]
fn check(old: Vec<Observation>, new: Vec<Observation>, expected: &[&str]) {
    let (old, new) = (report(old), report(new));
    let matched = match_findings(&old, &new);
    let mut shown: Vec<String> = matched
        .persisted
        .iter()
        .map(|pair| format!("{} = {}", place(&old, pair.old), place(&new, pair.new)))
        .chain(matched.fixed.iter().map(|index| format!("fixed {}", place(&old, *index))))
        .chain(matched.new.iter().map(|index| format!("new {}", place(&new, *index))))
        .collect();
    shown.sort();
    assert_eq!(shown, expected);
    let total = matched.persisted.len() * 2 + matched.fixed.len() + matched.new.len();
    assert_eq!(total, old.findings.len() + new.findings.len(), "each is in one list");
}

#[test]
fn the_nearest_of_equals_are_one() {
    check(
        vec![found("a", "x.py", 10), found("a", "x.py", 50)],
        vec![found("a", "x.py", 49)],
        &["fixed x.py:10", "x.py:50 = x.py:49"],
    );
}

#[test]
fn a_shift_that_other_findings_show_is_heeded() {
    check(
        vec![found("a", "x.py", 10), found("a", "x.py", 25), found("b", "x.py", 40)],
        vec![found("a", "x.py", 40), found("b", "x.py", 55)],
        &["fixed x.py:10", "x.py:25 = x.py:40", "x.py:40 = x.py:55"],
    );
}

#[test]
fn the_same_path_comes_before_a_rename() {
    check(
        vec![found("a", "x.py", 1), found("a", "y.py", 1)],
        vec![found("a", "y.py", 9), found("a", "z.py", 1)],
        &["x.py:1 = z.py:1", "y.py:1 = y.py:9"],
    );
}

#[test]
fn a_file_goes_where_most_of_its_findings_went() {
    check(
        vec![found("a", "x.py", 1), found("b", "x.py", 2), found("c", "x.py", 3)],
        vec![
            found("a", "p.py", 1),
            found("a", "q.py", 1),
            found("b", "q.py", 2),
            found("c", "q.py", 3),
        ],
        &["new p.py:1", "x.py:1 = q.py:1", "x.py:2 = q.py:2", "x.py:3 = q.py:3"],
    );
}

#[test]
fn an_edited_line_is_matched_only_when_near() {
    // `app.py` has text, so each line has a fingerprint of its own.
    check(vec![found("a", "app.py", 1)], vec![found("a", "app.py", 4)], &["app.py:1 = app.py:4"]);
    check(
        vec![found("a", "app.py", 1)],
        vec![found("a", "app.py", 8)],
        &["fixed app.py:1", "new app.py:8"],
    );
}

#[test]
fn ten_thousand_equals_are_matched_in_order() {
    let all = |count| (1..=count).map(|line| found("a", "x.py", line)).collect::<Vec<_>>();
    let matched = match_findings(&report(all(10_000)), &report(all(9_000)));
    assert_eq!((matched.persisted.len(), matched.fixed.len(), matched.new.len()), (9000, 1000, 0));
}
