//! A comment or a page of a wiki.
//!
//! Keeps: text from apps and tools is text; what is not whole is said first; the whole stays under
//! GitHub's 65,536 characters.

use crate::{
    markdown::{code, escaped, rows_within},
    text::{cut, shown_line},
};
use assay_model::{AlarmGroup, AnalysisOutcome, AppEnd, BatchApp, BatchReport, Severity};
use std::io::{self, Write};

/// The longest reason shown; the report has it whole.
const REASON_CHARS: usize = 200;

/// Bytes that each table may take.
const APPS_BYTES: usize = 40_000;
const GAPS_BYTES: usize = 12_000;

/// Writes the tables.
pub fn write_batch_markdown(batch: &BatchReport, out: &mut impl Write) -> io::Result<()> {
    let apps = batch.apps.len();
    let noun = if apps == 1 { "app" } else { "apps" };
    let mark = match batch.outcome {
        AnalysisOutcome::Complete => "complete".to_owned(),
        other => format!("**{other}**"),
    };
    writeln!(out, "## Assay: {apps} {noun}, batch {mark}\n")?;
    let whole = batch.apps.iter().filter(|app| is_complete(app)).count();
    if whole < apps {
        let few = if apps == 1 { "is" } else { "are" };
        writeln!(
            out,
            "> [!WARNING]\n> {} of {apps} {noun} {few} not complete. What was not found there may \
             not have been looked for.\n",
            apps - whole
        )?;
    }
    alarms(batch, out)?;
    table(batch, out)?;
    gaps(batch, out)?;
    writeln!(out, "<sub>Assay {}.</sub>", escaped(&batch.environment.assay))
}

fn is_complete(app: &BatchApp) -> bool {
    app.end.result().is_some_and(|result| result.outcome == AnalysisOutcome::Complete)
}

fn alarms(batch: &BatchReport, out: &mut impl Write) -> io::Result<()> {
    if batch.alarms.is_empty() {
        return Ok(());
    }
    writeln!(out, "### Tools that say the same of every app\n")?;
    for group in AlarmGroup::of(&batch.alarms) {
        for alarm in &group.alarms {
            writeln!(out, "- **{}**: {}", escaped(alarm.tool.as_str()), escaped(&alarm.said()))?;
        }
        let (meaning, advice) = (group.meaning(), escaped(group.advice()));
        writeln!(out, "\n{meaning} {advice} Mend: {}\n", code(&group.mend()))?;
    }
    Ok(())
}

fn table(batch: &BatchReport, out: &mut impl Write) -> io::Result<()> {
    let severities = || Severity::ALL.iter().rev();
    let names: Vec<&str> = severities().map(|severity| severity.as_str()).collect();
    writeln!(out, "| App | Outcome | {} | per kLOC | Time |", names.join(" | "))?;
    writeln!(out, "|---|---|{}--:|--:|", "--:|".repeat(names.len()))?;
    let rows = batch.apps.iter().map(|app| {
        let name = code(&app.app.to_string());
        let outcome = app.end.word();
        match &app.end {
            AppEnd::Analysed(result) => {
                let count = |severity| result.counts.by_severity.get(severity).copied();
                let counts: Vec<String> =
                    severities().map(|s| count(s).unwrap_or(0).to_string()).collect();
                let rate = result.per_kloc.map_or("–".to_owned(), |rate| format!("{rate:.1}"));
                let seconds = result.duration_ms / 1000;
                let tenths = result.duration_ms % 1000 / 100;
                let counts = counts.join(" | ");
                format!("| {name} | {outcome} | {counts} | {rate} | {seconds}.{tenths} s |")
            }
            AppEnd::Failed { why, .. } => {
                let why = escaped(&cut(&shown_line(why), REASON_CHARS));
                format!("| {name} | {outcome}: {why} |{}", " – |".repeat(names.len() + 2))
            }
            AppEnd::NotRun => format!("| {name} | {outcome} |{}", " – |".repeat(names.len() + 2)),
        }
    });
    let rest = rows_within(rows, APPS_BYTES, out)?;
    if rest > 0 { writeln!(out, "\n{rest} more are in `batch.csv`.\n") } else { writeln!(out) }
}

fn gaps(batch: &BatchReport, out: &mut impl Write) -> io::Result<()> {
    if batch.tools.iter().all(|tool| tool.gaps.is_empty()) {
        return Ok(());
    }
    writeln!(out, "| Tool | Apps without it | Why | Mend |\n|---|--:|---|---|")?;
    let all = batch.tools.iter().flat_map(|tool| tool.gaps.iter().map(move |gap| (tool, gap)));
    let rows = all.map(|(tool, gap)| {
        let optional = if gap.required { "" } else { " (optional)" };
        let why = escaped(&cut(&shown_line(&gap.reason), REASON_CHARS));
        let mend = gap.mend.as_deref().map(code).unwrap_or_default();
        let (name, status) = (escaped(tool.tool.as_str()), gap.status.in_words());
        format!("| {name}{optional} | {} | {status}: {why} | {mend} |", gap.apps)
    });
    let rest = rows_within(rows, GAPS_BYTES, out)?;
    if rest > 0 { writeln!(out, "\nand {rest} more.\n") } else { writeln!(out) }
}
