//! One page that a person opens: self-contained, offline, in light and dark.
//!
//! Owns the page's shape; the looks are in `templates/html`. Keeps: nothing on the page asks any
//! other host for anything, and no text of a tool or an app ever becomes markup or script. Three
//! things hold that, each enough by itself: the templates escape, the script builds elements and
//! sets their text, and the policy in the head allows no script but ours.
//!
//! Does not: decide what is a finding, or how bad.

mod about; // files, ignores, machine
mod batch; // the page of many apps
mod data; // the findings as the page's script reads them
mod excerpt; // a few lines of source, the place marked
mod plot; // bars and the timeline
mod tools; // what ran, and what did not
mod words; // numbers and lengths of time as people write them

pub use batch::write_batch;

use crate::shown_line;
use about::About;
use askama::Template;
use assay_model::{AnalysisOutcome, Report, SourceText};
use base64::{Engine, prelude::BASE64_STANDARD};
use data::{FINDINGS_MAX, Row};
use excerpt::Excerpts;
use plot::{Bars, Timeline};
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use tools::{Gap, ToolRow};
use words::{counted, duration, grouped};

const CSS: &str = include_str!("../templates/html/report.css");
const EARLY_SCRIPT: &str = include_str!("../templates/html/early.js");
const SCRIPT: &str = include_str!("../templates/html/report.js");

/// Findings that can be read with JavaScript off: the worst ones.
const STATIC_FINDINGS: usize = 25;

#[derive(Template)]
#[template(path = "html/page.html")]
struct Page<'a> {
    policy: String,
    css: &'static str,
    early_script: &'static str,
    app: String,
    facts: Vec<(&'static str, String)>,
    banner: Banner,
    tiles: Vec<Tile>,
    bars: Vec<Bars>,
    timeline: Timeline,
    rows: Vec<Row<'a>>,
    open: u64,
    suppressed: u64,
    left_out: usize,
    tools: Vec<ToolRow<'a>>,
    about: About,
    version: String,
}

/// What the analysis as a whole is worth, in a sentence nobody can overlook.
struct Banner {
    /// `good`, `bad` or `plain`: the look.
    look: &'static str,
    title: String,
    text: String,
    gaps: Vec<Gap>,
    optional: Vec<Gap>,
}

struct Tile {
    name: &'static str,
    value: String,
    note: String,
}

/// Writes the page.
pub fn write(report: &Report, source: &dyn SourceText, out: &mut dyn Write) -> io::Result<()> {
    let excerpts = Excerpts::new(report, source);
    page(report, &excerpts).write_into(out)?;
    out.write_all(b"<script type=\"application/json\" id=\"data\">")?;
    data::write(report, &excerpts, out)?;
    write!(out, "</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n")
}

fn page<'a>(report: &'a Report, excerpts: &Excerpts<'a>) -> Page<'a> {
    let open = report.findings.iter().filter(|finding| finding.suppression.is_none());
    Page {
        policy: policy(),
        css: CSS,
        early_script: EARLY_SCRIPT,
        app: shown_line(&report.app.app.to_string()).into_owned(),
        facts: about::facts(report),
        banner: banner(report),
        tiles: tiles(report),
        bars: plot::bars(report),
        timeline: plot::timeline(report),
        rows: open.take(STATIC_FINDINGS).map(|finding| Row::new(finding, excerpts)).collect(),
        open: report.counts.total,
        suppressed: report.counts.suppressed,
        left_out: report.findings.len().saturating_sub(FINDINGS_MAX),
        tools: tools::rows(report),
        about: About::new(report),
        version: shown_line(&report.environment.assay).into_owned(),
    }
}

/// Returns the content security policy: our own style and scripts by their digests, and nothing
/// else from anywhere. Browsers that know trusted types refuse text as markup, too.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; style-src {}; script-src {} {}; img-src data:; base-uri 'none'; \
         form-action 'none'; require-trusted-types-for 'script'",
        hash(CSS),
        hash(EARLY_SCRIPT),
        hash(SCRIPT)
    )
}

fn banner(report: &Report) -> Banner {
    let gaps = tools::gaps(report, tools::Need::Required);
    let optional = tools::gaps(report, tools::Need::Optional);
    let count = gaps.len() as u64;
    let (look, title) = match report.outcome {
        AnalysisOutcome::Complete if report.counts.total == 0 => {
            ("good", "Complete, and nothing found")
        }
        AnalysisOutcome::Complete => ("plain", "The analysis is complete"),
        AnalysisOutcome::Incomplete => ("bad", "This analysis is incomplete"),
        AnalysisOutcome::NothingToAnalyse => ("bad", "There was nothing to analyse"),
        AnalysisOutcome::TimedOut => ("bad", "This analysis ran out of time"),
        AnalysisOutcome::Interrupted => ("bad", "This analysis was interrupted"),
        AnalysisOutcome::Terminated => ("bad", "This analysis was terminated"),
        AnalysisOutcome::Lost => ("bad", "This analysis was lost"),
    };
    let text = match report.outcome {
        AnalysisOutcome::Complete => "Every required tool did its work.".to_owned(),
        AnalysisOutcome::NothingToAnalyse => "No tool found a file that it reads.".to_owned(),
        AnalysisOutcome::Incomplete
        | AnalysisOutcome::TimedOut
        | AnalysisOutcome::Interrupted
        | AnalysisOutcome::Terminated
        | AnalysisOutcome::Lost
            if count > 0 =>
        {
            format!(
                "{} did not do {} work. What {} would have found is not on this page: no finding here \
             does not mean no defect there.",
                counted(count, "required tool"),
                if count == 1 { "its" } else { "their" },
                if count == 1 { "it" } else { "they" },
            )
        }
        _ => "What is not listed here may still be there.".to_owned(),
    };
    Banner { look, title: title.to_owned(), text, gaps, optional }
}

fn tiles(report: &Report) -> Vec<Tile> {
    let counts = &report.counts;
    let done = report.tools.iter().filter(|run| run.status.did_its_work()).count();
    let idle = report.tools.len() - done;
    let worst = counts.by_severity.iter().rev().find(|(_, count)| **count > 0);
    let verdict = &report.verdict;
    let threshold = match verdict.fail_on.as_str() {
        "none" => "no threshold set".to_owned(),
        fail_on => {
            format!("{} at or above “{}”", grouped(verdict.at_or_above), shown_line(fail_on))
        }
    };
    vec![
        Tile {
            name: "Findings",
            value: grouped(counts.total),
            note: format!("{} suppressed, not counted", grouped(counts.suppressed)),
        },
        Tile {
            name: "Worst",
            value: worst.map_or("none".to_owned(), |(severity, _)| severity.to_string()),
            note: worst.map_or_else(String::new, |(_, count)| counted(*count, "finding")),
        },
        Tile {
            name: "Tools",
            value: format!("{done} of {}", report.tools.len()),
            note: if idle == 0 {
                "did their work".into()
            } else {
                format!("{idle} did not do their work")
            },
        },
        Tile {
            name: "Looked at",
            value: counted(report.source.files, "file"),
            note: counted(report.source.lines, "line"),
        },
        Tile { name: "Exit code", value: verdict.exit_code.to_string(), note: threshold },
        Tile {
            name: "Took",
            value: duration(report.duration_ms),
            note: report.selection.profile.to_string() + " profile",
        },
    ]
}
