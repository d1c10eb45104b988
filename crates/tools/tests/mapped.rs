//! JSON, JSON lines, CSV, text and CycloneDX through a mapping.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

mod common;

use assay_model::{Confidence, Severity};
use assay_tools::{OutputError, ReadContext, Reading};
use common::{own, read, refused, sound};
use proptest::prelude::*;

const JSON: &str = r#"
confidences = { sure = "high" }
[output]
format = "json"
[output.map]
items = "results.*"
rule = "id"
message = "{text} in {name}"
path = "file"
line = "at.line"
column = "at.column"
columns-from-zero = true
severity = "level"
confidence = "conf"
cwe = "cwe"
files-scanned = "results"
files-failed = "errors"
notes = "hints"
version = "meta.version"
required = ["results", "errors"]
"#;

#[test]
fn items_are_read_as_the_mapping_says() {
    let text = r#"{"name":"around","meta":{"version":"7"},
        "results":[{"id":"X1","text":"bad","file":"/snap/app/a.py","at":{"line":"3","column":0},
                    "level":"HIGH","conf":"SURE","cwe":["CWE-79","89"]},
                   {"id":2,"text":"worse","name":"own","cwe":{"id":5}}],
        "hints":["data is old"],
        "errors":[{"file":"b.py","text":"syntax"},"c.py",{"text":"no file"}]}"#;
    let (reading, seen) = sound(&own(JSON), text);
    assert_eq!(seen[0].message, "bad in around");
    assert_eq!(seen[0].location.as_ref().unwrap().shown(), "a.py:3:1");
    assert_eq!((seen[0].severity, seen[0].confidence), (Severity::High, Some(Confidence::High)));
    assert_eq!(seen[0].cwe, [79, 89]);
    assert_eq!((seen[1].rule.as_str(), seen[1].message.as_str()), ("2", "worse in own"));
    let failed: Vec<_> = reading.files_failed.iter().map(assay_model::SourcePath::as_str).collect();
    assert_eq!(failed, ["b.py", "c.py"]);
    assert_eq!(reading.complaints.len(), 1);
    assert_eq!((reading.files_scanned, reading.version.as_deref()), (Some(2), Some("7")));
    assert_eq!(reading.notes, ["data is old"]);
}

#[test]
fn another_tools_json_is_refused() {
    let tool = own(JSON);
    sound(&tool, r#"{"results":[],"errors":[]}"#);
    for text in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"results":[]}"#,
        r#"{"results":{},"errors":[]} x"#,
        r#"{"results":"none","errors":[]}"#,
        r#"{"results":[{"id":"X"}],"errors":[]}"#.replace("\"id\"", "\"code\"").as_str(),
        r#"{"results":[NaN],"errors":[]}"#,
        r#"{"results":[{"id":"X1","text":"t"}],"errors":[]"#,
    ] {
        refused(&tool, text.as_bytes());
    }
    let deep = format!(r#"{{"results":[{}{}],"errors":[]}}"#, "[".repeat(300), "]".repeat(300));
    assert!(refused(&tool, deep.as_bytes()).contains("nested deeper"));
}

#[test]
fn json_that_is_cut_anywhere_is_refused() {
    let text = r#"{"results":[{"id":"X1","text":"bäd","file":"a.py"}],"errors":["b.py"]}"#;
    for end in 0..text.len() {
        assert!(read(&own(JSON), &text.as_bytes()[..end]).0.is_err(), "cut at {end}");
    }
}

#[test]
fn keys_of_objects_name_files() {
    let tool = own(r#"
[output]
format = "json"
[output.map]
items = "*.*"
rule = "kind | =complex"
message = "`{name}` has {complexity}"
path = "$key"
line = "lineno"
above = { complexity = 10 }
files-failed = "*.error?"
files-scanned = "*"
"#);
    let text = r#"{"a.py":[{"name":"f","complexity":11,"lineno":4},{"name":"g","complexity":10}],
        "b.py":{"error":"invalid syntax"}}"#;
    let (reading, seen) = sound(&tool, text);
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].rule.as_str(), seen[0].location.as_ref().unwrap().shown().as_str()),
        ("complex", "a.py:4")
    );
    assert_eq!(reading.files_failed[0].as_str(), "b.py");
    assert_eq!(reading.files_scanned, Some(2));
    // A measure under another name would make every list look fine.
    refused(&tool, br#"{"a.py":[{"name":"f","cc":99}]}"#);
}

#[test]
fn lists_in_lists_are_passed_and_what_is_around_is_seen() {
    let tool = own(r#"
[output]
format = "json"
[output.map]
items = "*.messages.*"
rule = "ruleId"
message = "message"
path = "filePath"
files-scanned = ""
only = { severity = ["2"] }
"#);
    let text = r#"[{"messages":[{"ruleId":"a","message":"m","severity":2},{"ruleId":"b","message":"n","severity":1}],
        "filePath":"/snap/app/x.js"},{"filePath":"y.js","messages":null}]"#;
    let (reading, seen) = sound(&tool, text);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].location.as_ref().unwrap().shown(), "x.js");
    assert_eq!((reading.files_scanned, reading.dropped), (Some(2), 1));
}

const LINES: &str = r#"
[output]
format = "json-lines"
empty-is-clean = true
failure-lines = ["^fatal"]
[output.map]
rule = "code | =note"
message = "message"
path = "file"
line = "line"
required = ["message"]
ignore-lines = ["^Success"]
"#;

#[test]
fn json_lines_are_read_one_by_one() {
    let tool = own(LINES);
    let text = "{\"code\":\"E1\",\"message\":\"m\",\"file\":\"a.py\",\"line\":2}\n\n{\"code\":null,\"message\":\"n\"}\nSuccess!\n";
    let (_, seen) = sound(&tool, text);
    assert_eq!((seen[0].rule.as_str(), seen[1].rule.as_str()), ("E1", "note"));
    sound(&tool, "");
    assert!(refused(&tool, b"fatal: out of memory\n").contains("complains"));
    assert!(refused(&tool, b"{\"code\":\"E1\"}\n").contains("`message` is missing"));
    assert!(refused(&tool, b"Traceback\n").contains("line 1"));
    let line = "{\"code\":\"E1\",\"message\":\"m\"}";
    for end in 1..line.len() {
        assert!(read(&tool, &line.as_bytes()[..end]).0.is_err(), "cut at {end}");
    }
}

const TEXT: &str = r#"
[output]
format = "text"
empty-is-clean = true
file-failed-lines = ["^(?P<path>[^:]+): cannot be parsed"]
[output.map]
pattern = '^(?P<path>.+?):(?P<line>\d+): (?P<message>.+) \((?P<confidence>\d+)%\)$'
rule = "=unused"
message = "message"
path = "path"
line = "line"
ignore-lines = ["^Checked"]
"#;

#[test]
fn a_line_that_is_not_understood_makes_the_report_invalid() {
    let tool = own(TEXT);
    let (reading, seen) =
        sound(&tool, "a.py:3: unused x (60%)\r\nb.py: cannot be parsed\nChecked 2 files\n");
    assert_eq!(seen[0].location.as_ref().unwrap().shown(), "a.py:3");
    assert_eq!(reading.files_failed[0].as_str(), "b.py");
    assert!(refused(&tool, b"Traceback (most recent call last):\n").contains("line 1"));
    let line = "a.py:3: unused x (60%)";
    for end in 1..=line.len() {
        assert!(read(&tool, &line.as_bytes()[..end]).0.is_err(), "cut at {end}");
    }
    let (_, seen) = sound(&tool, "a.py:3: un\u{7}used (60%)\n");
    assert_eq!(seen[0].message, "unused");
}

/// Reads an empty report of a tool that need not write one, and these words beside it.
fn silent(rest: &str, words: &str) -> Result<Reading, OutputError> {
    let tool = own(rest);
    let places = common::places();
    let call = common::call(&tool, &places);
    let context =
        ReadContext { places: &places, call: &call, is_file: &|_| true, other_stream: words };
    tool.read(&mut std::io::empty(), &context, &mut |_| panic!("nothing is reported"))
}

#[test]
fn silence_is_a_report_only_where_nothing_is_said_elsewhere() {
    for (rest, line) in [
        (LINES, r#"{"code":"F401","message":"unused","file":"/project/a.py"}"#),
        (TEXT, "a.py:3: unused function (60%)"),
        (CSV, "5,17,184,1,19,\"grade\",\"/project/a.py\",\"grade\",\"grade ( a )\",1,19"),
    ] {
        let rest = rest.replace("empty-is-clean = true\n", "");
        let rest = rest.replace("[output.map]", "empty-is-clean = true\n[output.map]");
        let reading = silent(&rest, "\n  \n").unwrap();
        assert_eq!(reading, Reading { columns: reading.columns, ..Reading::default() });
        let reading = silent(&rest, "\nit is too hot\nhere\n").unwrap();
        assert_eq!(reading.complaints, ["it is too hot"]);
        let error = silent(&rest, &format!("{line}\n")).unwrap_err();
        assert!(matches!(error, OutputError::Elsewhere), "{error}");
    }
}

const CSV: &str = r#"
[output]
format = "csv"
[output.map]
rule = "=complex"
message = "`{7}` has {1}"
path = "6"
line = "9"
above = { 1 = 10 }
"#;

#[test]
fn csv_is_read_by_column() {
    let tool = own(CSV);
    let row = "5,12,40,2,9,\"f@3-9@a.py\",\"/snap/app/a.py\",\"f,\"\"q\"\"\",\"f( a, b )\",3,9";
    let (_, seen) = sound(&tool, &format!("{row}\n{}\n", row.replace(",12,", ",3,")));
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].message, "`f,\"q\"` has 12");
    assert_eq!(seen[0].location.as_ref().unwrap().shown(), "a.py:3");
    refused(&tool, b"");
    refused(&tool, b"hello\n");
    refused(&tool, b"usage: lizard, options\n");
    for end in 0..=row.len() {
        assert!(read(&tool, &row.as_bytes()[..end]).0.is_err(), "cut at {end}");
    }
}

#[test]
fn a_bill_of_materials_is_checked_and_counted() {
    let tool = own("output = { format = \"cyclonedx\" }");
    let text = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{},
        "components":[{"type":"library","name":"flask","components":[{"name":"inner"}]},{"name":"b"}]}"#;
    assert_eq!(sound(&tool, text).0.components, Some(3));
    for (from, to) in [
        ("CycloneDX", "SPDX"),
        ("1.6", "9.9"),
        ("components", "parts"),
        ("\"name\":\"b\"", "\"x\":1"),
    ] {
        refused(&tool, text.replace(from, to).as_bytes());
    }
    for end in 0..text.len() {
        assert!(read(&tool, &text.as_bytes()[..end]).0.is_err(), "cut at {end}");
    }
}

proptest! {
    #[test]
    fn garbage_is_refused_by_every_reader(bytes in prop::collection::vec(any::<u8>(), 1..300)) {
        // A stream of blank lines says nothing wrong; any other garbage is no report.
        prop_assume!(bytes.iter().any(|byte| !byte.is_ascii_whitespace()));
        for rest in [JSON, LINES, TEXT, CSV, "output = { format = \"cyclonedx\" }"] {
            prop_assert!(read(&own(rest), &bytes).0.is_err());
        }
    }
}

const LISTED: &str = r#"
network = true
[output]
format = "json"
unreachable-lines = ["^no server"]
[output.map]
items = "packages.*.found.*"
rule = "id"
aliases = "names"
message = "{id}"
skipped = "packages.*.skip"
failure = "message | error.summary"
required = ["packages"]
"#;

#[test]
fn a_vulnerability_is_called_by_its_public_number() {
    let text = r#"{"packages":[
        {"found":[{"id":"PYSEC-1","names":["GHSA-aaaa-bbbb-cccc","CVE-2020-2222","CVE-2019-1111"]},
                  {"id":"CVE-2021-3333","names":[]},
                  {"id":"7","names":"https://example.org/GHSA-dddd-eeee-ffff/x"},
                  {"id":"own","names":["CVE-"]}, {"id":"bare"}]},
        {"skip":"why not"}]}"#;
    let (reading, seen) = sound(&own(LISTED), text);
    let rules: Vec<_> = seen.iter().map(|seen| seen.rule.as_str()).collect();
    assert_eq!(rules, ["CVE-2019-1111", "CVE-2021-3333", "GHSA-dddd-eeee-ffff", "own", "bare"]);
    assert_eq!(seen[0].defect, "cve-2019-1111");
    assert_eq!((reading.looked_at, reading.complaints), (Some(1), vec!["why not".to_owned()]));
}

#[test]
fn a_document_may_say_why_there_is_no_report() {
    let tool = own(LISTED);
    for text in [
        r#"{"message":"it broke","error":{"summary":""}}"#,
        r#"{"error":{"summary":"it broke"}}"#,
        r#"{"packages":[],"message":"it broke"}"#,
    ] {
        assert_eq!(refused(&tool, text.as_bytes()), "it says that it failed: it broke");
    }
    assert!(refused(&tool, br#"{"message":""}"#).contains("`packages` is missing"));
    assert_eq!(sound(&tool, r#"{"packages":[],"message":" "}"#).0.looked_at, Some(0));
}
