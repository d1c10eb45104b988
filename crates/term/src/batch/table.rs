//! A row an app.

use super::{BatchPage, count, is_complete};
use crate::{
    layout::{cut_start, duration, grouped, pad, pad_start, width_of},
    sanitise,
    style::{Role, Sign},
};
use assay_model::{AppResult, Severity};

/// Severities as headers, worst first.
const HEADERS: [(&str, Severity); 5] = [
    ("crit", Severity::Critical),
    ("high", Severity::High),
    ("med", Severity::Medium),
    ("low", Severity::Low),
    ("info", Severity::Info),
];

/// Cells that the name of an app keeps, however narrow the terminal.
const NAME_MIN: usize = 12;

/// One row before it is laid out.
struct Row {
    is_complete: bool,
    name: String,
    outcome: String,
    /// Counts, rate, time; a dash where there is no result.
    numbers: Vec<String>,
}

pub(super) fn table(page: &mut BatchPage<'_>) {
    let dash = page.style.sign(Sign::Nothing);
    let batch = page.report;
    let rows: Vec<Row> = batch
        .apps
        .iter()
        .map(|app| Row {
            is_complete: is_complete(app),
            name: sanitise(&app.app.to_string()).into_owned(),
            outcome: app.end.word(),
            numbers: app
                .end
                .result()
                .map_or_else(|| vec![dash.to_owned(); 7], |r| numbers(r, dash)),
        })
        .collect();
    let mut headers: Vec<&str> = HEADERS.iter().map(|(name, _)| *name).collect();
    headers.extend(["/kLOC", "time"]);
    let widths: Vec<usize> = headers
        .iter()
        .enumerate()
        .map(|(column, header)| widest(header, rows.iter().map(|row| &row.numbers[column])))
        .collect();
    let used = 4 + widths.iter().map(|width| width + 2).sum::<usize>();
    let room = page.width.saturating_sub(used).max(NAME_MIN);
    let names = widest("app", rows.iter().map(|row| &row.name));
    let outcomes = widest("outcome", rows.iter().map(|row| &row.outcome)) + 2;
    // A sign stands before each row, so the word may go where it has no room.
    let with_outcome = names + outcomes <= room;
    let names = names.min(room);
    page.line("");
    let head = Row {
        is_complete: true,
        name: "app".to_owned(),
        outcome: "outcome".to_owned(),
        numbers: headers.into_iter().map(str::to_owned).collect(),
    };
    let outcomes = if with_outcome { outcomes } else { 0 };
    let head = head.text(page, (names, outcomes), &widths);
    let head = page.style.paint(Role::Faint, &format!("    {head}").to_uppercase());
    page.line(&head.replace("/KLOC", "/kLOC"));
    for row in &rows {
        let (sign, role) =
            if row.is_complete { (Sign::Good, Role::Good) } else { (Sign::Bad, Role::Bad) };
        let sign = page.style.paint(role, page.style.sign(sign));
        let text = row.text(page, (names, outcomes), &widths);
        page.line(&format!("  {sign} {text}"));
    }
}

fn widest<'a>(header: &str, cells: impl Iterator<Item = &'a String>) -> usize {
    cells.map(|cell| width_of(cell)).max().unwrap_or(0).max(header.len())
}

fn numbers(result: &AppResult, dash: &str) -> Vec<String> {
    let counts = HEADERS.iter().map(|(_, severity)| grouped(count(result, *severity)));
    let rate = result.per_kloc.map_or(dash.to_owned(), |rate| format!("{rate:.1}"));
    counts.chain([rate, duration(result.duration_ms)]).collect()
}

// === impl Row ===

impl Row {
    fn text(
        &self,
        page: &BatchPage<'_>,
        (names, outcomes): (usize, usize),
        widths: &[usize],
    ) -> String {
        let style = page.style;
        let mut cells = vec![pad(&cut_start(&self.name, names, style), names)];
        if outcomes > 0 {
            let outcome = pad(&self.outcome, outcomes - 2);
            let outcome = if self.is_complete { outcome } else { style.paint(Role::Bad, &outcome) };
            cells.push(outcome);
        }
        for (column, (cell, width)) in self.numbers.iter().zip(widths).enumerate() {
            let cell = pad_start(cell, *width);
            let severity = HEADERS.get(column).map(|(_, severity)| *severity);
            let is_bad = matches!(severity, Some(Severity::Critical | Severity::High));
            let is_count = cell.trim().bytes().any(|byte| (b'1'..=b'9').contains(&byte));
            let cell = match severity {
                Some(severity) if is_bad && is_count => {
                    style.paint(Role::Severity(severity), &cell)
                }
                _ => cell,
            };
            cells.push(cell);
        }
        cells.join("  ")
    }
}
