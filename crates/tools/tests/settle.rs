//! What the source says about findings: columns in characters, comments that silence.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

mod common;

use assay_model::{
    Edit, Fix, Kind, Location, Observation, Region, RuleId, Severity, SourcePath, SourceText,
    ToolDeclaration, ToolEnd,
};
use assay_tools::{CallResult, Catalogue, Reading, Tool};
use common::{HEAD, own, read};
use proptest::prelude::*;
use std::sync::Arc;

struct One(String);

impl SourceText for One {
    fn text(&self, path: &SourcePath) -> Option<Arc<str>> {
        (path.as_str() == "a.py").then(|| self.0.as_str().into())
    }
}

fn observation(tool: &Tool, rule: &str, region: Option<Region>) -> Observation {
    Observation {
        tool: tool.id().clone(),
        rule: RuleId::new(rule).unwrap(),
        defect: rule.to_owned(),
        kind: Kind::Style,
        severity: Severity::Low,
        security_severity: None,
        confidence: None,
        cwe: Vec::new(),
        message: "m".to_owned(),
        help: None,
        location: Some(Location { path: SourcePath::new("a.py").unwrap(), region }),
        suppression: None,
        fix: None,
    }
}

fn at(line: u32, column: Option<u32>) -> Option<Region> {
    Region::checked(Some(line), column, None, None)
}

fn ended(reading: Reading) -> CallResult {
    CallResult {
        end: ToolEnd::Exited { code: 0 },
        reading: Ok(reading),
        stderr_tail: String::new(),
    }
}

/// Returns the comment that silences a rule of a shipped tool on a line.
fn comment(tool: &str, rule: &str, source: &str, line: u32) -> Option<String> {
    let catalogue = Catalogue::shipped().unwrap_or_else(|error| panic!("{error}"));
    let tool = catalogue.get(tool).unwrap();
    let mut seen = observation(tool, rule, at(line, None));
    let source = One(source.to_owned());
    tool.settler(&source, &[]).settle(&mut seen);
    seen.suppression.map(|suppression| suppression.reason)
}

#[track_caller]
fn check(tool: &str, rule: &str, (source, line): (&str, u32), expected: Option<&str>) {
    assert_eq!(comment(tool, rule, source, line).as_deref(), expected, "{tool} {rule}: {source}");
}

#[test]
fn a_block_comment_silences_what_stands_in_it() {
    let js =
        "/* eslint-disable no-eval -- old code */\neval(x)\n/* eslint-enable no-eval */\neval(x)";
    let begins = Some("/* eslint-disable no-eval -- old code */");
    check("eslint", "no-eval", (js, 2), begins);
    check("eslint", "no-eval", (js, 4), None);
    check("eslint", "no-empty", (js, 2), None);
    let all = "eval(x)\n/* eslint-disable */\neval(x)\n/* eslint-enable */\neval(x)";
    for (line, expected) in [(1, None), (3, Some("/* eslint-disable */")), (5, None)] {
        check("eslint", "no-eval", (all, line), expected);
    }
    check("eslint", "no-eval", ("/* eslint-disable-line */\neval(x)", 2), None);
    let css = "/* stylelint-disable block-no-empty, color-no-invalid-hex */\na {}\n/* stylelint-enable */\na {}";
    let begins = Some("/* stylelint-disable block-no-empty, color-no-invalid-hex */");
    check("stylelint", "block-no-empty", (css, 2), begins);
    check("stylelint", "block-no-empty", (css, 4), None);
    check("stylelint", "no-empty-source", (css, 2), None);
    let line = "a {} /* stylelint-disable-line color-no-invalid-hex */";
    check("stylelint", "block-no-empty", (line, 1), None);
    let py = "# ruff: disable[F401]\nimport os\n# ruff: enable[F401]\nimport sys";
    check("ruff", "F401", (py, 2), Some("# ruff: disable[F401]"));
    check("ruff", "F401", (py, 4), None);
    let sql = "-- noqa: disable=all\nSELECT 1\n-- noqa: enable=all\nSELECT 2";
    check("sqlfluff", "CV05", (sql, 2), Some("-- noqa: disable=all"));
    check("sqlfluff", "CV05", (sql, 4), None);
}

#[test]
fn a_comment_about_the_file_silences_all_of_it() {
    check("ruff", "F401", ("import os\n\n# ruff: noqa\n", 1), Some("# ruff: noqa"));
    check("ruff", "F401", ("# flake8: noqa\nimport os", 2), Some("# flake8: noqa"));
    check("ruff", "F401", ("# ruff: noqa: E501\nimport os", 2), None);
    check("ruff", "E501", ("# ruff: noqa: E501\nimport os", 2), Some("# ruff: noqa: E501"));
    check("ty", "io", ("#!/bin/python\n# type: ignore\nx = 1", 3), Some("# type: ignore"));
    check("ty", "io", ("import a\n# type: ignore\nx = 1", 3), None);
    let docker = "FROM a\n# hadolint global ignore=DL3006\nRUN b";
    check("hadolint", "DL3006", (docker, 1), Some("# hadolint global ignore=DL3006"));
    check("hadolint", "DL3007", (docker, 1), None);
}

#[test]
fn a_block_that_makes_no_sense_is_told() {
    for (block, expected) in [
        ("from = '('", "unclosed group"),
        ("from = 'a'\nuntil = '('", "unclosed group"),
        ("from = 'a'\nuntil = 'b'\nreach = \"file\"", "does not end"),
    ] {
        let text =
            format!("{HEAD}output = {{ format = \"sarif\" }}\n[[suppressed-blocks]]\n{block}");
        let says: ToolDeclaration = toml::from_str(&text).unwrap();
        let error = Catalogue::default().add("own", says).unwrap_err().to_string();
        assert!(error.contains("suppressed-blocks") && error.contains(expected), "{error}");
    }
}

/// A tool that says where it found `x` and what its columns count.
fn counting(unit: &str) -> (Arc<Tool>, String) {
    let rest = match unit {
        "bytes" => "output = { format = \"sarif\", columns = \"bytes\" }",
        _ => "output = { format = \"sarif\" }",
    };
    let said = if unit == "utf16" { "utf16CodeUnits" } else { "unicodeCodePoints" };
    (own(rest), said.to_owned())
}

#[track_caller]
fn check_columns(unit: &str, said: (u32, u32), expected: (u32, u32)) {
    let (tool, kind) = counting(unit);
    let text = format!(
        r#"{{"version":"2.1.0","runs":[{{"columnKind":"{kind}","tool":{{"driver":{{"name":"x"}}}},
        "results":[{{"ruleId":"B1","message":{{"text":"x"}},"locations":[{{"physicalLocation":{{
        "artifactLocation":{{"uri":"a.py"}},"region":{{"startLine":2,"startColumn":{},"endColumn":{}}}}}}}]}}]}}]}}"#,
        said.0, said.1
    );
    let (reading, mut seen) = read(&tool, text.as_bytes());
    let source = One("# first\r\n\"é😀\"; x\r\nlast".to_owned());
    let calls = [ended(Reading::default()), ended(reading.unwrap())];
    let mut observation = seen.remove(0);
    let region = observation.location.as_ref().unwrap().region.unwrap();
    let edits = vec![Edit { region, text: "y".to_owned() }];
    observation.fix = Some(Fix { description: "d".to_owned(), edits });
    tool.settler(&source, &calls).settle(&mut observation);
    let region = observation.location.unwrap().region.unwrap();
    assert_eq!((region.column, region.end_column), (Some(expected.0), Some(expected.1)), "{unit}");
    assert_eq!(observation.fix.unwrap().edits[0].region, region, "a fix moves with its finding");
}

#[test]
fn columns_count_characters_whatever_the_tool_counts() {
    check_columns("characters", (7, 8), (7, 8));
    check_columns("utf16", (8, 9), (7, 8));
    // The row knows better than a SARIF that says `unicodeCodePoints`.
    check_columns("bytes", (11, 12), (7, 8));
    check_columns("characters", (7, 700), (7, 8));
    check_columns("utf16", (80, 90), (8, 8));
}

#[test]
fn what_has_no_source_stays_as_it_was_said() {
    let tool = own("output = { format = \"sarif\", columns = \"bytes\" }");
    let calls = [ended(Reading { columns: assay_model::ColumnUnit::Bytes, ..Reading::default() })];
    let mut elsewhere = observation(&tool, "B1", at(2, Some(9)));
    elsewhere.location.as_mut().unwrap().path = SourcePath::new("b.bin").unwrap();
    let before = elsewhere.clone();
    let source = One("x".to_owned());
    tool.settler(&source, &calls).settle(&mut elsewhere);
    assert_eq!(elsewhere, before);
}

proptest! {
    #[test]
    fn no_settled_region_leaves_its_lines(
        text in "[a-cé😀\r\n]{0,40}",
        numbers in prop::array::uniform4(prop::option::of(0u32..60)),
        unit in prop::sample::select(vec!["characters", "utf16", "bytes"]),
    ) {
        let (tool, _) = counting(unit);
        let columns = match unit {
            "utf16" => assay_model::ColumnUnit::Utf16,
            "bytes" => assay_model::ColumnUnit::Bytes,
            _ => assay_model::ColumnUnit::Characters,
        };
        let calls = [ended(Reading { columns, ..Reading::default() })];
        let [line, column, end_line, end_column] = numbers;
        let region = Region::checked(line, column, end_line, end_column);
        let mut seen = observation(&tool, "B1", region);
        let source = One(text.clone());
        tool.settler(&source, &calls).settle(&mut seen);
        let settled = seen.location.unwrap().region;
        prop_assert_eq!(settled.map(|r| (r.line, r.end_line)), region.map(|r| (r.line, r.end_line)));
        if let Some(settled) = settled {
            let line = text.split('\n').nth(settled.line as usize - 1).unwrap_or_default();
            let line = line.strip_suffix('\r').unwrap_or(line);
            let behind = u32::try_from(line.chars().count()).unwrap() + 1;
            prop_assert!(settled.column.is_none_or(|column| (1..=behind).contains(&column)));
        }
    }
}
