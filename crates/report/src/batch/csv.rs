//! A row an app, for spreadsheets (RFC 4180).
//!
//! Keeps: no cell is taken for a formula; an app without a result is a row too, and so is an alarm,
//! so that whoever counts rows of `app` counts all of them.

use crate::csv_format::{as_io, guarded};
use assay_model::{AppEnd, AppRef, AppResult, BatchApp, BatchReport, Severity};
use std::io::{self, Write};

const COLUMNS: [&str; 21] = [
    "record",
    "model",
    "app",
    "outcome",
    "exit_code",
    "findings",
    "critical",
    "high",
    "medium",
    "low",
    "info",
    "suppressed",
    "files",
    "lines",
    "findings_per_kloc",
    "duration_s",
    "gaps",
    "tool",
    "message",
    "digest",
    "results",
];

/// Writes the apps in their order, then the alarms. `record` is `app` or `alarm`.
pub fn write_batch_csv(batch: &BatchReport, out: &mut impl Write) -> io::Result<()> {
    let mut rows = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out);
    rows.write_record(COLUMNS).map_err(as_io)?;
    for app in &batch.apps {
        row(&mut rows, &app_cells(app))?;
    }
    for alarm in &batch.alarms {
        let cells = [
            ("record", "alarm".to_owned()),
            ("tool", alarm.tool.to_string()),
            ("message", alarm.said()),
        ];
        row(&mut rows, &cells)?;
    }
    rows.flush()
}

fn app_cells(app: &BatchApp) -> Vec<(&'static str, String)> {
    let (model, name) = match &app.app {
        AppRef::Path { path } => (String::new(), path.clone()),
        AppRef::ModelApp { model, number } => (model.as_str().to_owned(), format!("app{number}")),
    };
    let mut cells = vec![
        ("record", "app".to_owned()),
        ("model", model),
        ("app", name),
        ("outcome", app.end.word()),
    ];
    match &app.end {
        AppEnd::Analysed(result) => cells.extend(result_cells(result)),
        AppEnd::Failed { why, exit_code } => {
            cells.extend([("exit_code", exit_code.to_string()), ("message", why.clone())]);
        }
        AppEnd::NotRun => {}
    }
    cells
}

fn result_cells(result: &AppResult) -> Vec<(&'static str, String)> {
    let counts = &result.counts;
    let gaps: Vec<String> = result.gaps().map(|gap| gap.tool.to_string()).collect();
    let seconds = format!("{}.{:03}", result.duration_ms / 1000, result.duration_ms % 1000);
    let mut cells = vec![
        ("exit_code", result.exit_code.to_string()),
        ("findings", counts.total.to_string()),
        ("suppressed", counts.suppressed.to_string()),
        ("files", result.files.to_string()),
        ("lines", result.lines.to_string()),
        ("findings_per_kloc", result.per_kloc.map_or(String::new(), |rate| format!("{rate:.2}"))),
        ("duration_s", seconds),
        ("gaps", gaps.join(" ")),
        ("digest", result.digest.to_string()),
        ("results", result.results.clone()),
    ];
    cells.extend(Severity::ALL.iter().map(|severity| {
        (severity.as_str(), counts.by_severity.get(severity).copied().unwrap_or(0).to_string())
    }));
    cells
}

/// Writes the named cells in the order of [`COLUMNS`], the others empty.
fn row<W: Write>(rows: &mut ::csv::Writer<W>, cells: &[(&'static str, String)]) -> io::Result<()> {
    for column in COLUMNS {
        let cell = cells.iter().find(|(name, _)| *name == column).map_or("", |(_, text)| text);
        rows.write_field(guarded(cell).as_bytes()).map_err(as_io)?;
    }
    rows.write_record(None::<&[u8]>).map_err(as_io)
}
