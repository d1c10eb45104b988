//! The page of a batch: a table of apps, without any script.
//!
//! Keeps: what the page of one app keeps. Links lead to the pages of apps by relative paths, and
//! only where these are known.
//!
//! Does not: hold findings, or judge what an alarm is worth.

use super::{
    CSS,
    words::{counted, duration, grouped},
};
use crate::shown_line;
use askama::Template;
use assay_model::{
    AlarmGroup, AnalysisOutcome, AppEnd, AppResult, BatchApp, BatchReport, Severity,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    io::{self, Write},
    path::{Component, Path},
};

#[derive(Template)]
#[template(path = "html/batch.html")]
struct Page<'a> {
    policy: String,
    css: &'static str,
    title: String,
    facts: Vec<(&'static str, String)>,
    /// `good` or `bad`: the look of the banner.
    look: &'static str,
    headline: String,
    text: String,
    /// Name, value, note.
    tiles: Vec<(&'static str, String, String)>,
    groups: Vec<Group>,
    severities: Vec<&'static str>,
    rows: Vec<Row>,
    gaps: Vec<Gap<'a>>,
    warnings: Vec<String>,
    version: String,
}

struct Group {
    /// Tool and what it says.
    alarms: Vec<(String, String)>,
    meaning: &'static str,
    advice: &'static str,
    mend: String,
}

struct Row {
    name: String,
    link: Option<String>,
    outcome: String,
    why: String,
    counts: Vec<String>,
    rate: String,
    /// Severity, beginning and width of each piece of the bar, in percent.
    pieces: Vec<(&'static str, String, String)>,
    time: String,
}

struct Gap<'a> {
    tool: &'a str,
    optional: bool,
    apps: String,
    why: String,
    mend: Option<String>,
}

/// Writes the page. `folder` is where it will lie, absolute, if the pages of the apps are to be
/// linked.
pub fn write_batch(
    batch: &BatchReport,
    folder: Option<&Path>,
    out: &mut dyn Write,
) -> io::Result<()> {
    page(batch, folder).write_into(out)
}

fn page<'a>(batch: &'a BatchReport, folder: Option<&Path>) -> Page<'a> {
    let is_good = batch.outcome == AnalysisOutcome::Complete;
    let rates = batch.apps.iter().filter_map(|app| app.end.result()?.per_kloc);
    let densest = rates.fold(0.0, f64::max);
    Page {
        policy: policy(),
        css: CSS,
        title: counted(batch.apps.len() as u64, "app"),
        facts: vec![
            ("Started", batch.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
            ("Profile", batch.selection.profile.to_string()),
            ("Batch", batch.batch.to_string()),
        ],
        look: if is_good { "good" } else { "bad" },
        headline: format!("The batch is {}", batch.outcome),
        text: match unfinished(batch) {
            0 => "Every required tool did its work on every app.".to_owned(),
            1 => "1 app is not complete: what is not listed there may still be there.".to_owned(),
            many => format!(
                "{} apps are not complete: what is not listed there may still be there.",
                grouped(many)
            ),
        },
        tiles: tiles(batch),
        groups: AlarmGroup::of(&batch.alarms).iter().map(group).collect(),
        severities: Severity::ALL.iter().rev().map(|severity| severity.as_str()).collect(),
        rows: batch.apps.iter().map(|app| row(app, folder, densest)).collect(),
        gaps: gaps(batch),
        warnings: batch.warnings.iter().map(|text| shown_line(text).into_owned()).collect(),
        version: shown_line(&batch.environment.assay).into_owned(),
    }
}

/// Allows our own style by its digest, and nothing else from anywhere.
fn policy() -> String {
    let style = BASE64_STANDARD.encode(Sha256::digest(CSS));
    format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'")
}

fn unfinished(batch: &BatchReport) -> u64 {
    let complete = |app: &&BatchApp| {
        app.end.result().is_some_and(|result| result.outcome == AnalysisOutcome::Complete)
    };
    (batch.apps.len() - batch.apps.iter().filter(complete).count()) as u64
}

fn tiles(batch: &BatchReport) -> Vec<(&'static str, String, String)> {
    let apps = batch.apps.len() as u64;
    let lines: u64 = batch.apps.iter().filter_map(|app| app.end.result()).map(|r| r.lines).sum();
    let verdict = &batch.verdict;
    let fail_on = format!("--fail-on {}", shown_line(&verdict.fail_on));
    let jobs = format!("{} side by side", counted(batch.environment.jobs.into(), "tool"));
    vec![
        ("Complete", grouped(apps - unfinished(batch)), format!("of {}", counted(apps, "app"))),
        ("Findings", grouped(batch.counts.total), format!("in {}", counted(lines, "line"))),
        ("At the threshold or above", grouped(verdict.at_or_above), fail_on),
        ("Time", duration(batch.duration_ms), jobs),
    ]
}

fn group(group: &AlarmGroup<'_>) -> Group {
    let said = group
        .alarms
        .iter()
        .map(|alarm| (alarm.tool.to_string(), shown_line(&alarm.said()).into_owned()));
    Group {
        alarms: said.collect(),
        meaning: group.meaning(),
        advice: group.advice(),
        mend: group.mend(),
    }
}

fn row(app: &BatchApp, folder: Option<&Path>, densest: f64) -> Row {
    let mut row = Row {
        name: shown_line(&app.app.to_string()).into_owned(),
        link: None,
        outcome: app.end.word(),
        why: String::new(),
        counts: vec!["–".to_owned(); Severity::ALL.len()],
        rate: "–".to_owned(),
        pieces: Vec::new(),
        time: "–".to_owned(),
    };
    match &app.end {
        AppEnd::Analysed(result) => {
            let gaps: Vec<&str> = result.gaps().map(|gap| gap.tool.as_str()).collect();
            if !gaps.is_empty() {
                row.why = format!("without {}", gaps.join(", "));
            }
            let page = format!("{}/report.html", result.results);
            row.link = folder.and_then(|folder| relative(folder, Path::new(&page)));
            row.counts = severities(result).map(|(_, count)| grouped(count)).collect();
            if let Some(rate) = result.per_kloc {
                row.rate = format!("{rate:.1}");
            }
            row.pieces = pieces(result, densest);
            row.time = duration(result.duration_ms);
        }
        AppEnd::Failed { why, .. } => row.why = shown_line(why).into_owned(),
        AppEnd::NotRun => {}
    }
    row
}

/// The counts by severity, worst first.
fn severities(result: &AppResult) -> impl Iterator<Item = (Severity, u64)> {
    let all = Severity::ALL.iter().rev();
    all.map(|severity| (*severity, result.counts.by_severity.get(severity).copied().unwrap_or(0)))
}

/// Returns the bar of an app: as long as its rate beside the densest one, split by severity.
fn pieces(result: &AppResult, densest: f64) -> Vec<(&'static str, String, String)> {
    #[expect(clippy::cast_precision_loss, reason = "counts of an app are far below 2^52")]
    let share = |count: u64| count as f64 / result.counts.total.max(1) as f64;
    let whole = result.per_kloc.map_or(0.0, |rate| rate / densest.max(f64::MIN_POSITIVE) * 100.0);
    let (mut from, mut pieces) = (0.0, Vec::new());
    for (severity, count) in severities(result).filter(|(_, count)| *count > 0) {
        let width = whole * share(count);
        pieces.push((severity.as_str(), format!("{from:.2}%"), format!("{width:.2}%")));
        from += width;
    }
    pieces
}

fn gaps(batch: &BatchReport) -> Vec<Gap<'_>> {
    let all = batch.tools.iter().flat_map(|tool| tool.gaps.iter().map(move |gap| (tool, gap)));
    let mut gaps: Vec<Gap<'_>> = all
        .map(|(tool, gap)| Gap {
            tool: tool.tool.as_str(),
            optional: !gap.required,
            apps: grouped(gap.apps),
            why: format!("{}: {}", gap.status.in_words(), shown_line(&gap.reason)),
            mend: gap.mend.as_deref().map(|mend| shown_line(mend).into_owned()),
        })
        .collect();
    gaps.sort_by_key(|gap| gap.optional);
    gaps
}

/// Returns the way from a folder to a file as a reference of a page.
fn relative(folder: &Path, file: &Path) -> Option<String> {
    let (from, to): (Vec<_>, Vec<_>) = (folder.components().collect(), file.components().collect());
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = (common..from.len()).map(|_| Some("..".to_owned()));
    let down = to[common..].iter().map(|part| match part {
        Component::Normal(name) => name.to_str().map(encoded),
        _ => None,
    });
    let parts: Option<Vec<String>> = up.chain(down).collect();
    // With a dot in front no name can be taken for a scheme.
    parts.map(|parts| format!("./{}", parts.join("/")))
}

fn encoded(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a string takes all we write");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_finds_the_pages_of_its_apps() {
        for (folder, file, expected) in [
            ("/r/batch_1", "/r/m/app1/report.html", Some("./../m/app1/report.html")),
            ("/r", "/r/m/app1/report.html", Some("./m/app1/report.html")),
            ("/x/y", "/r/javascript:a b/r.html", Some("./../../r/javascript%3Aa%20b/r.html")),
            ("/r", "/r/../etc", None),
        ] {
            let way = relative(Path::new(folder), Path::new(file));
            assert_eq!(way.as_deref(), expected);
        }
    }
}
