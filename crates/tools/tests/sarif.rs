//! SARIF as tools write it, as the standard allows it, and as nobody should.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

mod common;

use assay_model::{ColumnUnit, Kind, Severity, SuppressionKind};
use common::{own, read, refused, sarif, sound};
use proptest::prelude::*;

/// A document with one run of one rule, whose results and further members are given.
fn document(results: &str, more: &str) -> String {
    format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"own","version":"3.1","rules":[
        {{"id":"R1","helpUri":"https://example.org/R1","shortDescription":{{"text":"described"}},
          "defaultConfiguration":{{"level":"error"}},
          "messageStrings":{{"m":{{"text":"it is {{0}}"}}}},
          "properties":{{"tags":["security","external/cwe/cwe-079"],"security-severity":"9.1"}}}},
        {{"id":"R2","properties":{{"tags":["CWE-89: Improper Neutralization"]}}}}]}}}},
        "results":[{results}]{more}}}]}}"#
    )
}

fn at(uri: &str) -> String {
    format!(
        r#""locations":[{{"physicalLocation":{{"artifactLocation":{{"uri":"{uri}"}},"region":{{"startLine":3,"startColumn":5,"endColumn":9}}}}}}]"#
    )
}

#[test]
fn a_result_takes_from_its_rule_what_it_does_not_say() {
    let results = [
        format!(
            r#"{{"ruleId":"R1","message":{{"text":"bad"}},{}}}"#,
            at("file:///snap/app/a%20b.py")
        ),
        format!(r#"{{"ruleIndex":1,"message":{{"text":"x"}},"level":"note",{}}}"#, at("b.py")),
        r#"{"rule":{"index":0},"message":{"id":"m","arguments":["wrong"]}}"#.to_owned(),
        r#"{"ruleId":"R1/sub","message":{}}"#.to_owned(),
        r#"{"ruleId":"R9","message":{"text":"unknown rule"}}"#.to_owned(),
    ]
    .join(",");
    let (reading, seen) = sound(&sarif(), &document(&results, ""));
    assert_eq!((reading.observations, reading.version.as_deref()), (5, Some("3.1")));
    let first = &seen[0];
    assert_eq!(first.location.as_ref().unwrap().shown(), "a b.py:3:5");
    assert_eq!((first.severity, first.security_severity), (Severity::Critical, Some(9.1)));
    assert_eq!(
        (first.cwe.as_slice(), first.help.as_deref()),
        (&[79][..], Some("https://example.org/R1"))
    );
    assert_eq!((seen[1].rule.as_str(), seen[1].severity), ("R2", Severity::Low));
    assert_eq!(seen[1].cwe, [89]);
    assert_eq!((seen[2].message.as_str(), &seen[2].location), ("it is wrong", &None));
    assert_eq!((seen[3].message.as_str(), seen[3].severity), ("described", Severity::Critical));
    assert_eq!((seen[4].severity, seen[4].kind), (Severity::Medium, Kind::Security));
}

#[test]
fn rules_may_come_after_the_results_that_need_them() {
    let text = r#"{"runs":[{"artifacts":[{"location":{"uri":"z.py"}}],
        "results":[{"ruleId":"a.b.R","ruleIndex":0,"message":{"text":"x"},
            "locations":[{"physicalLocation":{"artifactLocation":{"uri":"x.py","uriBaseId":"B"}}}]},
            {"ruleIndex":0,"message":{"text":"y"},"locations":[{"physicalLocation":{"artifactLocation":{"index":0}}}]}],
        "originalUriBaseIds":{"A":{"uri":"file:///snap/app/"},"B":{"uri":"sub/","uriBaseId":"A"}},
        "tool":{"driver":{"name":"own","rules":[{"id":"a.b.R","properties":{"security-severity":7.5}}]}}}],
        "version":"2.1.0"}"#;
    let (reading, seen) = sound(&sarif(), text);
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|observation| observation.severity == Severity::High));
    assert_eq!(seen[0].location.as_ref().unwrap().shown(), "sub/x.py");
    assert_eq!(seen[1].location.as_ref().unwrap().shown(), "z.py");
    // The one artifact is the one with a result: it says nothing of the others.
    assert_eq!(reading.files_scanned, None);
}

#[test]
fn what_passed_or_is_gone_is_no_finding() {
    let results = r#"{"ruleId":"R1","kind":"pass","message":{"text":"x"}},
        {"ruleId":"R1","baselineState":"absent","message":{"text":"x"}},
        {"ruleId":"R2","kind":"informational","message":{"text":"x"}}"#;
    let (reading, seen) = sound(&sarif(), &document(results, ""));
    assert_eq!((reading.observations, reading.dropped), (1, 2));
    assert_eq!(seen[0].severity, Severity::Info);
}

#[test]
fn suppressions_count_unless_they_were_rejected() {
    let suppressed = |inner: &str| {
        format!(r#"{{"ruleId":"R1","message":{{"text":"x"}},"suppressions":[{inner}]}}"#)
    };
    let results = [
        suppressed(r#"{"kind":"inSource","justification":"known"}"#),
        suppressed(r#"{"kind":"external","status":"rejected"}"#),
        suppressed(""),
    ]
    .join(",");
    let (reading, seen) = sound(&sarif(), &document(&results, ""));
    assert_eq!(reading.suppressed, 1);
    let suppression = seen[0].suppression.as_ref().unwrap();
    assert_eq!(
        (suppression.kind, suppression.reason.as_str()),
        (SuppressionKind::InSource, "known")
    );
    assert!(seen[1].suppression.is_none() && seen[2].suppression.is_none());
}

#[test]
fn a_fix_is_kept_where_it_is_about_the_findings_own_file() {
    let fix = |uri: &str| {
        format!(
            r#"{{"ruleId":"R1","message":{{"text":"x"}},{},"fixes":[{{"description":{{"text":"do"}},"artifactChanges":[
            {{"artifactLocation":{{"uri":"{uri}"}},"replacements":[{{"deletedRegion":{{"startLine":3}},"insertedContent":{{"text":"y"}}}}]}}]}}]}}"#,
            at("a.py")
        )
    };
    let (_, seen) = sound(&sarif(), &document(&format!("{},{}", fix("a.py"), fix("b.py")), ""));
    assert_eq!(seen[0].fix.as_ref().unwrap().edits[0].text, "y");
    assert!(seen[1].fix.is_none());
}

#[test]
fn a_tool_that_says_it_failed_is_believed() {
    let more = |invocation: &str| format!(r#","invocations":[{invocation}]"#);
    let failed = r#"{"executionSuccessful":false,"toolExecutionNotifications":[{"level":"error","message":{"text":"no memory"}}]}"#;
    let why = refused(&sarif(), document("", &more(failed)).as_bytes());
    assert_eq!(why, "it says that it failed: no memory");

    let located = format!(
        r#"{{"executionSuccessful":false,"toolExecutionNotifications":[{{"level":"error","message":{{"text":"syntax"}},{}}}]}}"#,
        at("broken.py")
    );
    let (reading, _) = sound(&sarif(), &document("", &more(&located)));
    assert_eq!(reading.files_failed[0].as_str(), "broken.py");

    let complaint = r#"{"executionSuccessful":true,"toolExecutionNotifications":[{"level":"error","message":{"text":"a rule crashed"}}]}"#;
    let (reading, _) = sound(&sarif(), &document("", &more(complaint)));
    assert_eq!(reading.complaints, ["a rule crashed"]);
}

#[test]
fn hostile_places_and_texts_are_cleaned() {
    let results = [
        format!(r#"{{"ruleId":"R1","message":{{"text":"\u001b[31mred\nline\u202e"}},{}}}"#, at("../../../etc/passwd")),
        format!(r#"{{"ruleId":"\u0007","message":{{"text":"{}"}}}}"#, "x".repeat(10_000)),
        r#"{"ruleId":"R1","message":{"text":"x"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a.py"},
            "region":{"startLine":-4,"startColumn":1e400,"endLine":99999999999999,"endColumn":"no"}}}]}"#
            .replace("1e400", "1e300"),
    ]
    .join(",");
    let (reading, seen) = sound(&sarif(), &document(&results, ""));
    assert_eq!((seen[0].message.as_str(), &seen[0].location), ("[31mred line", &None));
    assert!(reading.notes[0].contains("outside the app"), "{:?}", reading.notes);
    assert_eq!((seen[1].rule.as_str(), seen[1].message.chars().count()), ("unnamed", 4_001));
    assert_eq!(seen[2].location.as_ref().unwrap().region, None);
}

#[test]
fn a_report_of_another_tool_is_not_this_ones_zero() {
    let tool = own("output = { format = \"sarif\", driver = \"own\" }");
    sound(&tool, &document("", ""));
    let other = document("", "").replace("\"name\":\"own\"", "\"name\":\"other\"");
    let why = refused(&tool, other.as_bytes());
    assert!(why.contains("is of `other`, not of `own`"), "{why}");
    sound(&sarif(), &other);
}

#[test]
fn what_is_no_sarif_of_this_version_is_refused() {
    let good = document("", "");
    sound(&sarif(), &good);
    for (text, expected) in [
        (String::new(), "it wrote no report"),
        (" \n".to_owned(), "it wrote no report"),
        (good.replace("2.1.0", "2.0.0"), "`2.0.0`"),
        (good.replace("\"version\":\"2.1.0\",", ""), "`version` is missing"),
        (format!("{good}{{}}"), "something follows"),
        (format!("{good}Traceback"), "something follows"),
        (format!("warning: {good}"), "`runs` is missing"),
        (r#"{"version":"2.1.0","runs":[]}"#.to_owned(), "a run is missing"),
        (r#"{"version":"2.1.0"}"#.to_owned(), "`runs` is missing"),
        (r#"{"version":"2.1.0","runs":[{"results":[]}]}"#.to_owned(), "`tool.driver`"),
        (r#"{"version":"2.1.0","runs":[{"tool":{},"results":[]}]}"#.to_owned(), "`tool.driver`"),
        (good.replace("\"results\":[]", "\"results\":null"), "list of results"),
        (good.replace("\"results\":[]", "\"results\":{}"), "list of results"),
        (r#"{"results":[],"errors":[],"metrics":{}}"#.to_owned(), "`version`"),
        ("[]".to_owned(), "`runs` is missing"),
        (document(&format!("{}{}", "[".repeat(200), "]".repeat(200)), ""), "nested deeper"),
    ] {
        let why = refused(&sarif(), text.as_bytes());
        assert!(why.contains(expected), "{why} for {text}");
    }
    assert!(refused(&sarif(), b"{\"version\":\"2.1.0\",\"x\":\"\xff\"}").contains("UTF-8"));
}

#[test]
fn a_report_that_is_cut_anywhere_is_refused() {
    let results = format!(r#"{{"ruleId":"R1","message":{{"text":"bäd \u00e9"}},{}}}"#, at("a.py"));
    let text = document(&results, r#","columnKind":"utf16CodeUnits""#);
    for end in 0..text.len() {
        assert!(read(&sarif(), &text.as_bytes()[..end]).0.is_err(), "cut at {end}");
    }
    assert_eq!(sound(&sarif(), &text).0.columns, ColumnUnit::Utf16);
}

#[test]
fn findings_beyond_the_cap_are_counted_and_told() {
    let one = r#"{"ruleId":"R1","message":{"text":"x"}}"#;
    let results = vec![one; 100_003].join(",");
    let (reading, seen) = sound(&sarif(), &document(&results, ""));
    assert_eq!((seen.len(), reading.observations), (100_000, 100_003));
    assert!(reading.notes[0].contains("100003"), "{:?}", reading.notes);
}

proptest! {
    #[test]
    fn garbage_is_never_a_report_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&sarif(), &bytes).0.is_err());
    }

    #[test]
    fn a_flipped_byte_never_panics(at in 0usize..600, byte in any::<u8>()) {
        let mut text = document(r#"{"ruleId":"R1","message":{"text":"x"}}"#, "").into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let _ = read(&sarif(), &text);
    }
}
