//! Reports that are broken in one way.

use super::rows::Row;
use regex::Regex;
use serde_json::{Value, json};

/// Half of the report, never ending between two lines or items.
pub(crate) fn cut(row: &Row) -> String {
    let report = row.findings.report.trim_end();
    let mut at = report.len() / 2;
    let bytes = report.as_bytes();
    while !report.is_char_boundary(at) || matches!(bytes[at], b'\n') || bytes[at - 1] == b'\n' {
        at += 1;
    }
    report[..at].to_owned()
}

/// A JSON document that some tool might have written, and none of ours.
pub(crate) fn foreign(row: &Row) -> String {
    let items = json!([{ "file": "a.py", "line": 3, "message": "something is wrong" }]);
    let document = json!({ "tool": "another", "issues": items, "summary": { "count": 1 } });
    match row.format() {
        "json" | "sarif" | "cyclonedx" => document.to_string(),
        _ => format!("{document}\n"),
    }
}

/// A whole report without results, by the tool of this name.
pub(crate) fn empty_sarif(driver: &str) -> String {
    let tool = json!({ "driver": { "name": driver } });
    json!({ "version": "2.1.0", "runs": [{ "tool": tool, "results": [] }] }).to_string() + "\n"
}

pub(crate) fn unsuccessful(row: &Row) -> String {
    json!({ "version": "2.1.0", "runs": [{
        "tool": { "driver": { "name": row.says["output"]["driver"] } }, "results": [],
        "invocations": [{ "executionSuccessful": false, "toolExecutionNotifications": [
            { "level": "error", "message": { "text": "no rules could be loaded" } } ] }],
    }]})
    .to_string()
        + "\n"
}

/// The fake program makes a byte that is no text of the character.
pub(crate) fn not_utf8(row: &Row) -> String {
    each_sentence(row, "\u{fffd}")
}

pub(crate) fn escapes(row: &Row) -> String {
    each_sentence(row, "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}")
}

/// The report with `what` in everything that looks like words for people.
fn each_sentence(row: &Row, what: &str) -> String {
    let report = &row.findings.report;
    if let Ok(mut document) = serde_json::from_str::<Value>(report) {
        in_sentences(&mut document, what);
        return document.to_string();
    }
    let lines = report.lines().map(|line| match serde_json::from_str::<Value>(line) {
        Ok(mut document) => {
            in_sentences(&mut document, what);
            document.to_string()
        }
        Err(_) => match line.rfind(' ') {
            Some(at) => format!("{}{what}{}", &line[..at], &line[at..]),
            None => format!("{line}{what}"),
        },
    });
    lines.map(|line| line + "\n").collect()
}

fn in_sentences(value: &mut Value, what: &str) {
    match value {
        Value::String(text) if text.contains(' ') => text.push_str(what),
        Value::Array(items) => items.iter_mut().for_each(|item| in_sentences(item, what)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| in_sentences(member, what));
        }
        _ => {}
    }
}

pub(crate) fn deep() -> String {
    format!("{{\"version\":\"2.1.0\",\"runs\":{}{}}}\n", "[".repeat(10_000), "]".repeat(10_000))
}

/// Every number becomes none.
pub(crate) fn no_numbers(row: &Row) -> String {
    let member = Regex::new(r"([:,]\s*)-?[0-9]+(\.[0-9]+)?([,:\s}\]])").unwrap();
    member.replace_all(&row.findings.report, "${1}NaN${3}").into_owned()
}

/// Every path leads out of the app.
pub(crate) fn outside(row: &Row) -> String {
    let report = &row.findings.report;
    if report.contains("{project}/") {
        return report.replace("{project}/", "{project}/../../../etc/").replacen(
            "{project}/../../../",
            "/",
            1,
        );
    }
    let relative =
        Regex::new(r#"(^|["\n])([\w-]+\.(?:py|js|ts|css|html|sh|sql|yml|txt|json|svelte))"#)
            .unwrap();
    relative.replace_all(report, "${1}../../etc/${2}").into_owned()
}
