//! What a run is worth: a zero is a zero only where everything says so.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

mod common;

use assay_model::{Limit, SourcePath, ToolEnd, ToolStatus};
use assay_tools::{CallResult, OutputError, Reading, verdict};
use common::{own, sarif};
use proptest::prelude::*;

fn exited(code: i32, reading: Reading) -> CallResult {
    CallResult { end: ToolEnd::Exited { code }, reading: Ok(reading), stderr_tail: String::new() }
}

fn ended(end: ToolEnd) -> CallResult {
    CallResult { end, reading: Ok(Reading::default()), stderr_tail: String::new() }
}

fn found(observations: u64) -> Reading {
    Reading { observations, ..Reading::default() }
}

#[track_caller]
fn check(calls: &[CallResult], matched: u64, expected: (ToolStatus, bool)) {
    let verdict = verdict(&sarif(), matched, calls);
    assert_eq!((verdict.status, verdict.clean), expected, "{verdict:?}");
    assert_eq!(verdict.status == ToolStatus::Ok, verdict.reason.is_none() && matched > 0);
}

#[test]
fn code_and_report_have_to_agree() {
    check(&[exited(0, found(0))], 3, (ToolStatus::Ok, true));
    check(&[exited(1, found(2))], 3, (ToolStatus::Ok, false));
    check(&[exited(1, found(0))], 3, (ToolStatus::OutputInvalid, false));
    check(&[exited(0, found(2))], 3, (ToolStatus::OutputInvalid, false));
    check(&[exited(2, found(0))], 3, (ToolStatus::Failed, false));
    check(&[exited(-9, found(0))], 3, (ToolStatus::Failed, false));
    let dropped = Reading { dropped: 1, ..Reading::default() };
    check(&[exited(1, dropped)], 3, (ToolStatus::Ok, true));
    let suppressed = Reading { observations: 1, suppressed: 1, ..Reading::default() };
    check(&[exited(0, suppressed)], 3, (ToolStatus::Ok, false));
}

#[test]
fn a_tool_that_read_nothing_is_not_clean() {
    let scanned = |files| Reading { files_scanned: Some(files), ..Reading::default() };
    check(&[exited(0, scanned(0))], 3, (ToolStatus::Failed, false));
    check(&[exited(0, scanned(3))], 3, (ToolStatus::Ok, true));
    check(&[], 0, (ToolStatus::NoInputs, false));
    check(&[], 3, (ToolStatus::Failed, false));
}

#[test]
fn files_that_failed_are_a_gap_and_all_of_them_a_failure() {
    let failed = |names: &[&str]| Reading {
        files_failed: names.iter().map(|name| SourcePath::new(name).unwrap()).collect(),
        ..Reading::default()
    };
    check(&[exited(0, failed(&["a.py"]))], 3, (ToolStatus::Ok, false));
    check(&[exited(1, failed(&["a.py"]))], 3, (ToolStatus::Ok, false));
    check(&[exited(0, failed(&["a.py", "b.py"]))], 2, (ToolStatus::Failed, false));
    let complains = Reading { complaints: vec!["a rule crashed".to_owned()], ..Reading::default() };
    check(&[exited(0, complains)], 2, (ToolStatus::Ok, false));
}

#[test]
fn the_worst_call_speaks_for_all_and_what_the_others_found_is_kept() {
    let calls = [exited(1, found(2)), ended(ToolEnd::TimedOut), exited(0, found(0))];
    let verdict = verdict(&sarif(), 3, &calls);
    assert_eq!((verdict.status, verdict.observations), (ToolStatus::TimedOut, 2));
    assert_eq!(verdict.end, Some(ToolEnd::TimedOut));
}

#[test]
fn a_complaint_on_the_other_stream_is_a_failure_whatever_the_code() {
    let tool = own(
        "output = { format = \"sarif\", failure-lines = [\"^Error\"], file-failed-lines = [\"^Error: (?P<path>.+) is binary\"] }",
    );
    let call = |tail: &str| CallResult { stderr_tail: tail.to_owned(), ..exited(0, found(0)) };
    let failed = verdict(&tool, 1, &[call("hello\nError: \u{1b}[31mbad config\n")]);
    assert_eq!(failed.status, ToolStatus::Failed);
    assert_eq!(failed.reason.as_deref(), Some("it complains: Error: [31mbad config"));
    assert_eq!(failed.mend.as_deref(), Some("assay tools check own"));
    let told = verdict(&tool, 1, &[call("Error: x.bin is binary\n")]);
    assert_eq!(told.status, ToolStatus::Ok);
}

#[test]
fn findings_may_come_with_a_clean_code_where_the_row_says_so() {
    let always_zero = own("output = { format = \"sarif\" }");
    let mut says = always_zero.declaration().clone();
    says.run.finding_codes = Vec::new();
    let mut catalogue = assay_tools::Catalogue::default();
    catalogue.add("zero", says).unwrap();
    let tool = catalogue.get("zero").unwrap();
    assert_eq!(verdict(tool, 1, &[exited(0, found(4))]).status, ToolStatus::Ok);
}

/// The rows of the catalogue, whatever they say about codes: a tool that was stopped at a limit did
/// not do its work, even if what it had written by then is whole.
#[test]
fn no_tool_that_reached_a_limit_is_ever_more_than_failed() {
    let catalogue = assay_tools::Catalogue::shipped().unwrap();
    for tool in catalogue.iter() {
        for &limit in Limit::ALL {
            for reading in [Ok(found(0)), Ok(found(3)), Err(OutputError::Empty)] {
                let end = ToolEnd::LimitReached { limit, most: 2 << 30 };
                let call = CallResult { end: end.clone(), reading, stderr_tail: "a: b".to_owned() };
                let verdict = verdict(tool, 3, &[call]);
                assert_eq!((verdict.status, verdict.clean), (ToolStatus::Failed, false));
                assert_eq!(verdict.end, Some(end));
                let reason = verdict.reason.unwrap();
                assert!(reason.contains("than it may"), "{reason}");
                assert_eq!(reason.contains("out of memory"), limit == Limit::Memory, "{reason}");
            }
        }
    }
}

#[test]
fn a_tool_that_ran_out_of_memory_says_so_however_its_runtime_puts_it() {
    for (tail, words) in [
        (
            "<--- Last GCs --->\nFATAL ERROR: x - JavaScript heap out of memory\n----- trace\n 1: 0xb",
            "heap",
        ),
        ("Traceback\n  File \"a.py\"\nMemoryError\n", "MemoryError"),
        ("memory allocation of 77 bytes failed\nstack", "77 bytes"),
    ] {
        let end = ToolEnd::Signalled { signal: 6 };
        let call = CallResult { stderr_tail: tail.to_owned(), ..ended(end) };
        let reason = verdict(&sarif(), 1, &[call]).reason.unwrap();
        assert!(reason.starts_with("it ran out of memory: ") && reason.contains(words), "{reason}");
        assert!(reason.ends_with("it was ended by signal 6"), "{reason}");
    }
}

/// A tool that asks a server.
const ASKS: &str = r#"
network = true
options = { registry = { summary = "", args = ["{value}"], server = true } }
[output]
format = "sarif"
failure-lines = ["^Error"]
unreachable-lines = ["no answer from (?P<why>.+)", "down"]
"#;

#[test]
fn a_server_that_does_not_answer_is_told_with_its_mend() {
    let tool = own(ASKS);
    let call =
        |code, tail: &str| CallResult { stderr_tail: tail.to_owned(), ..exited(code, found(0)) };
    for code in [0, 1, 2, -9] {
        let verdict =
            verdict(&tool, 1, &[call(code, "Error: x\ndown\nno answer from \u{1b}http://a\n")]);
        assert_eq!((verdict.status, verdict.clean), (ToolStatus::Unavailable, false));
        assert_eq!(
            verdict.reason.as_deref(),
            Some("the server that it asks does not answer as it should: http://a")
        );
        let mend = "run with --offline to leave it out, or set `settings.own.options.registry` to a server that answers";
        assert_eq!(verdict.mend.as_deref(), Some(mend));
    }
    let in_report = |why: &str| CallResult {
        reading: Err(OutputError::SaysFailed { why: why.to_owned() }),
        ..exited(1, found(0))
    };
    assert_eq!(verdict(&tool, 1, &[in_report("it is down")]).status, ToolStatus::Unavailable);
    assert_eq!(verdict(&tool, 1, &[in_report("no lock file")]).status, ToolStatus::Failed);
    assert_eq!(verdict(&tool, 1, &[call(1, "Error: x")]).status, ToolStatus::Failed);
    // What one file's server found is kept.
    let both = verdict(&tool, 2, &[exited(1, found(2)), call(1, "down")]);
    assert_eq!((both.status, both.observations), (ToolStatus::Unavailable, 2));
}

#[test]
fn a_tool_that_skipped_everything_did_nothing() {
    let tool = own(ASKS);
    let skipping = |looked_at, why: &[&str]| {
        let complaints = why.iter().map(|&why| why.to_owned()).collect();
        exited(0, Reading { looked_at: Some(looked_at), complaints, ..Reading::default() })
    };
    let judged = |calls: &[CallResult]| {
        let verdict = verdict(&tool, 1, calls);
        (verdict.status, verdict.clean)
    };
    assert_eq!(judged(&[skipping(0, &["unknown"])]), (ToolStatus::Failed, false));
    assert_eq!(judged(&[skipping(0, &["x", "it is down"])]), (ToolStatus::Unavailable, false));
    assert_eq!(judged(&[skipping(1, &["it is down"])]), (ToolStatus::Ok, false));
    assert_eq!(judged(&[skipping(0, &["x"]), skipping(2, &[])]), (ToolStatus::Ok, false));
    assert_eq!(judged(&[skipping(1, &[])]), (ToolStatus::Ok, true));
    assert_eq!(judged(&[skipping(0, &[])]), (ToolStatus::Ok, true), "an empty list is looked at");
}

fn any_end() -> impl Strategy<Value = ToolEnd> {
    prop_oneof![
        any::<i32>().prop_map(|code| ToolEnd::Exited { code }),
        (-3i32..4).prop_map(|code| ToolEnd::Exited { code }),
        (1i32..32).prop_map(|signal| ToolEnd::Signalled { signal }),
        Just(ToolEnd::TimedOut),
        Just(ToolEnd::Cancelled),
        prop::sample::select(Limit::ALL).prop_map(|limit| ToolEnd::LimitReached { limit, most: 1 }),
        Just(ToolEnd::NotStarted { why: "gone".to_owned() }),
        Just(ToolEnd::Lost { why: "gone".to_owned() }),
    ]
}

fn any_call() -> impl Strategy<Value = CallResult> {
    let reading = (0u64..3, prop::option::of(0u64..3), 0u64..2, any::<bool>(), any::<bool>());
    (any_end(), reading).prop_map(
        |(end, (observations, files_scanned, failed, complains, broken))| {
            let files_failed = (0..failed).map(|n| SourcePath::new(&format!("{n}.py")).unwrap());
            let reading = Reading {
                observations,
                files_scanned,
                files_failed: files_failed.collect(),
                complaints: complains.then(|| "x".to_owned()).into_iter().collect(),
                ..Reading::default()
            };
            let reading = if broken { Err(OutputError::Empty) } else { Ok(reading) };
            CallResult { end, reading, stderr_tail: String::new() }
        },
    )
}

proptest! {
    #[test]
    fn whoever_says_that_the_server_is_gone_is_never_ok(
        calls in prop::collection::vec(any_call(), 1..4),
        at in any::<prop::sample::Index>(),
        around in "[a-z \n]{0,20}",
    ) {
        let mut calls = calls;
        let at = at.index(calls.len());
        let silent = matches!(calls[at].end, ToolEnd::Exited { .. });
        calls[at].stderr_tail = format!("{around}\nno answer from it\n{around}");
        let verdict = verdict(&own(ASKS), 3, &calls);
        prop_assert!(!verdict.clean && verdict.status != ToolStatus::Ok);
        if silent && calls.len() == 1 {
            prop_assert_eq!(verdict.status, ToolStatus::Unavailable);
        }
    }

    #[test]
    fn no_end_that_is_not_declared_is_ever_ok(
        calls in prop::collection::vec(any_call(), 0..4),
        matched in 0u64..4,
    ) {
        let verdict = verdict(&sarif(), matched, &calls);
        let declared = |call: &CallResult| matches!(call.end, ToolEnd::Exited { code: 0 | 1 });
        if verdict.status == ToolStatus::Ok {
            prop_assert!(!calls.is_empty());
            prop_assert!(calls.iter().all(|call| declared(call) && call.reading.is_ok()));
        }
        if verdict.clean {
            prop_assert_eq!(verdict.status, ToolStatus::Ok);
            prop_assert!(matched > 0 && verdict.observations == 0 && verdict.files_failed.is_empty());
            prop_assert!(verdict.files_scanned != Some(0));
            for reading in calls.iter().filter_map(|call| call.reading.as_ref().ok()) {
                prop_assert!(reading.complaints.is_empty());
            }
        }
    }
}
