//! Whatever bytes a tool writes, it is clean only where its whole report said so.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

mod common;

use assay_model::{Format, Kind, SourcePath, ToolEnd, ToolStatus};
use assay_tools::{CallResult, Catalogue, ReadContext, Tool, Verdict, verdict};
use common::{call, own, places};
use proptest::prelude::*;
use std::{fs, path::Path, sync::LazyLock};

/// What one tool wrote when it found nothing.
struct Written {
    tool: String,
    bytes: Vec<u8>,
    code: i32,
}

static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::shipped().unwrap_or_else(|error| panic!("{error}")));

/// Every captured report, and the exit code that came with it.
static WRITTEN: LazyLock<Vec<Written>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut written = Vec::new();
    for tool in CATALOGUE.iter().map(|tool| tool.id().to_string()) {
        for case in ["clean", "findings", "failure"] {
            let file = root.join(&tool).join(case);
            let code = fs::read_to_string(file.with_extension("code"));
            if let (Ok(bytes), Ok(code)) = (fs::read(file.with_extension("out")), code) {
                let code = code.trim().parse().unwrap();
                written.push(Written { tool: tool.clone(), bytes, code });
            }
        }
    }
    assert!(written.len() > 60, "{} captured reports", written.len());
    written
});

fn judged(tool: &Tool, bytes: &[u8], code: i32) -> Verdict {
    let places = places();
    let call = call(tool, &places);
    let context =
        ReadContext { places: &places, call: &call, is_file: &|_| true, other_stream: "" };
    let reading = tool.read(&mut &*bytes, &context, &mut |_| {});
    let end = ToolEnd::Exited { code };
    verdict(tool, 1, &[CallResult { end, reading, stderr_tail: String::new() }])
}

/// Asked of another parser than ours: whether these bytes are a whole report of that format.
fn is_whole(tool: &Tool, bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
    let output = &tool.declaration().output;
    let nothing = bytes.is_empty() && output.empty_is_clean;
    nothing
        || match output.format {
            Format::Sarif | Format::Json | Format::Cyclonedx => {
                str::from_utf8(bytes).is_ok() && is_json(text)
            }
            Format::JsonLines => text.lines().filter(|line| !line.trim().is_empty()).all(is_json),
            Format::Csv | Format::Text => text.ends_with('\n'),
        }
}

#[derive(Clone, Debug)]
enum Harm {
    Cut(prop::sample::Index),
    Drop(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    Flip(prop::sample::Index, u8),
    Twice,
}

fn any_harm() -> impl Strategy<Value = Harm> {
    let noise = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..20),
        "[\\[\\]{}\",:0-9a-z \n]{1,20}".prop_map(String::into_bytes),
    ];
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Harm::Cut),
        (any::<prop::sample::Index>(), 1usize..400).prop_map(|(at, count)| Harm::Drop(at, count)),
        (any::<prop::sample::Index>(), noise).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Harm::Flip(at, byte)),
        Just(Harm::Twice),
    ]
}

fn harmed(bytes: &[u8], harm: &Harm) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let place = |at: &prop::sample::Index| at.index(bytes.len() + 1);
    match harm {
        Harm::Cut(at) => bytes.truncate(place(at)),
        Harm::Drop(at, count) => {
            let at = place(at);
            let end = bytes.len().min(at + count);
            bytes.drain(at..end);
        }
        Harm::Insert(at, noise) => {
            let at = place(at);
            bytes.splice(at..at, noise.iter().copied());
        }
        Harm::Flip(at, byte) => {
            let at = place(at);
            if let Some(old) = bytes.get_mut(at) {
                *old = *byte;
            }
        }
        Harm::Twice => bytes.extend_from_within(..),
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_harmed_report_is_clean_only_where_it_is_whole(
        which in any::<prop::sample::Index>(),
        harm in any_harm(),
        declared in any::<bool>(),
        other in -2i32..40,
    ) {
        let written = which.get(&WRITTEN);
        let tool = CATALOGUE.get(&written.tool).unwrap();
        let bytes = harmed(&written.bytes, &harm);
        let code = if declared { written.code } else { other };
        let verdict = judged(tool, &bytes, code);
        if verdict.clean {
            let run = &tool.declaration().run;
            prop_assert!(run.clean_codes.contains(&code) || run.finding_codes.contains(&code));
            prop_assert!(is_whole(tool, &bytes), "{}: {}", written.tool, String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn noise_is_never_clean(
        which in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        prop_assume!(bytes.iter().any(|byte| !byte.is_ascii_whitespace()));
        let written = which.get(&WRITTEN);
        let verdict = judged(CATALOGUE.get(&written.tool).unwrap(), &bytes, 0);
        prop_assert!(!verdict.clean, "{}: {}", written.tool, String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn a_file_that_the_app_does_not_hold_is_a_complaint_and_no_failed_file() {
    let tool =
        own("output = { format = \"sarif\", file-failed-lines = ['cannot read (?P<path>.+)'] }");
    let report = br#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[]}]}"#;
    let read = |line: &str| {
        let places = places();
        let call = call(&tool, &places);
        let is_file = |path: &SourcePath| path.as_str() == "app.py";
        let context =
            ReadContext { places: &places, call: &call, is_file: &is_file, other_stream: line };
        let reading = tool.read(&mut &report[..], &context, &mut |_| {}).unwrap();
        let failed = reading.files_failed.len();
        let complaints = reading.complaints.len();
        let end = ToolEnd::Exited { code: 0 };
        let call = CallResult { end, reading: Ok(reading), stderr_tail: String::new() };
        let verdict = verdict(&tool, 9, &[call]);
        (failed, complaints, verdict.status, verdict.clean)
    };
    assert_eq!(read("all is well"), (0, 0, ToolStatus::Ok, true));
    assert_eq!(read("cannot read app.py"), (1, 0, ToolStatus::Ok, false));
    assert_eq!(read("cannot read three of its keys"), (0, 1, ToolStatus::Ok, false));
}

#[test]
fn an_error_without_a_file_is_a_complaint() {
    check_errors("semgrep", r#""results":[],"paths":{"scanned":["/snap/app/app.py"]}"#);
    check_errors("njsscan", r#""nodejs":{},"njsscan_version":"1.0.2""#);
}

#[track_caller]
fn check_errors(tool: &str, rest: &str) {
    let tool = CATALOGUE.get(tool).unwrap();
    let report = |errors: &str| format!(r#"{{"errors":[{errors}],{rest}}}"#);
    assert!(judged(tool, report("").as_bytes(), 0).clean);
    let lost = r#"{"code":2,"level":"error","type":"RuleParseError","message":"a rule is broken"}"#;
    let verdict = judged(tool, report(lost).as_bytes(), 0);
    assert!(!verdict.clean);
    assert_eq!(verdict.notes, ["it complains: a rule is broken"]);
    let found = r#"{"code":3,"level":"warn","message":"Syntax error","path":"/snap/app/app.py"}"#;
    let failed = judged(tool, report(found).as_bytes(), 0).files_failed;
    assert_eq!(failed.iter().map(SourcePath::as_str).collect::<Vec<_>>(), ["app.py"]);
}

#[test]
fn a_bill_of_materials_says_nothing_about_defects() {
    let tool = own("output = { format = \"cyclonedx\" }");
    let text = br#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}"#;
    let verdict = judged(&tool, text, 0);
    assert_eq!((verdict.status, verdict.clean), (ToolStatus::Ok, false));
}

#[test]
fn an_item_says_its_own_kind_and_how_bad_it_is_in_numbers() {
    let tool = CATALOGUE.get("semgrep").unwrap();
    let item = |category: &str, number: &str| {
        let text = format!(
            r#"{{"errors":[],"paths":{{"scanned":[]}},"results":[{{"check_id":"own.rule","path":"app.py",
            "extra":{{"message":"m","severity":"INFO","metadata":{{"category":{category},"security-severity":{number}}}}}}}]}}"#
        );
        common::sound(tool, &text).1.remove(0)
    };
    let seen = item("\"correctness\"", "\"9.1\"");
    assert_eq!((seen.kind, seen.security_severity), (Kind::Correctness, Some(9.1)));
    assert_eq!(seen.severity, assay_model::Severity::Critical);
    let seen = item("\"secret\"", "4.0");
    assert_eq!((seen.kind, seen.security_severity), (Kind::Secret, Some(4.0)));
    // A word that is no kind of ours, and a number that is none.
    let seen = item("\"best-practice\"", "\"high\"");
    assert_eq!((seen.kind, seen.security_severity), (Kind::Security, None));
    assert_eq!(item("null", "77").security_severity, None);
}
