//! Rows for spreadsheets (RFC 4180).
//!
//! Keeps: no cell is taken for a formula; a tool that did not do its work is a row of its own, so
//! that the file of an incomplete analysis is never just short.

use crate::{summary::summary, text::shown};
use assay_model::{Finding, Report};
use std::{
    borrow::Cow,
    io::{self, Write},
};

const COLUMNS: &[&str] = &[
    "record",
    "severity",
    "kind",
    "defect",
    "tool",
    "rule",
    "path",
    "line",
    "column",
    "message",
    "cwe",
    "owasp",
    "confidence",
    "security_severity",
    "seen_by",
    "suppressed",
    "help",
    "fingerprint",
    "occurrence",
];

/// Writes one row a finding, after the rows of what is missing.
///
/// `record` is `finding`, `gap` (a tool that did not do its work) or `analysis` (why the analysis
/// is not whole).
pub fn write_csv(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let mut rows = ::csv::WriterBuilder::new()
        .terminator(::csv::Terminator::CRLF)
        .flexible(false)
        .from_writer(out);
    rows.write_record(COLUMNS).map_err(as_io)?;
    let summary = summary(report);
    if let Some(trouble) = &summary.trouble {
        row(&mut rows, &[("record", "analysis"), ("message", trouble)])?;
    }
    for gap in &summary.gaps {
        let mend = gap.mend.unwrap_or("");
        let said = format!("{}: {} {mend}", gap.status, gap.reason);
        let tool = gap.tool.as_str();
        row(&mut rows, &[("record", "gap"), ("tool", tool), ("message", said.trim_end())])?;
    }
    for finding in &report.findings {
        finding_row(&mut rows, finding)?;
    }
    rows.flush()
}

fn finding_row<W: Write>(rows: &mut ::csv::Writer<W>, finding: &Finding) -> io::Result<()> {
    let region = finding.location.as_ref().and_then(|location| location.region);
    let list = |items: Vec<String>| items.join(" ");
    let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut seen_by: Vec<&str> = Vec::new();
    for sighting in &finding.sightings {
        if !seen_by.contains(&sighting.tool.as_str()) {
            seen_by.push(sighting.tool.as_str());
        }
    }
    let confidence = finding.confidence.map(|it| format!("{it:?}").to_lowercase());
    row(
        rows,
        &[
            ("record", "finding"),
            ("severity", finding.severity.as_str()),
            ("kind", finding.kind.as_str()),
            ("defect", &finding.defect),
            ("tool", finding.tool.as_str()),
            ("rule", finding.rule.as_str()),
            ("path", finding.location.as_ref().map_or("", |it| it.path.as_str())),
            ("line", &number(region.map(|it| it.line))),
            ("column", &number(region.and_then(|it| it.column))),
            ("message", &finding.message),
            ("cwe", &list(finding.cwe.iter().map(|it| format!("CWE-{it}")).collect())),
            ("owasp", &list(finding.owasp.clone())),
            ("confidence", confidence.as_deref().unwrap_or("")),
            (
                "security_severity",
                &finding.security_severity.map_or(String::new(), |it| format!("{it:.1}")),
            ),
            ("seen_by", &seen_by.join(" ")),
            ("suppressed", finding.suppression.as_ref().map_or("", |it| it.reason.as_str())),
            ("help", finding.help.as_deref().unwrap_or("")),
            ("fingerprint", finding.fingerprint.as_str()),
            ("occurrence", &finding.occurrence.to_string()),
        ],
    )
}

/// Writes the named cells in the order of [`COLUMNS`], the others empty.
fn row<W: Write>(rows: &mut ::csv::Writer<W>, cells: &[(&str, &str)]) -> io::Result<()> {
    for column in COLUMNS {
        let cell = cells.iter().find(|(name, _)| name == column).map_or("", |(_, text)| *text);
        rows.write_field(guarded(cell).as_bytes()).map_err(as_io)?;
    }
    rows.write_record(None::<&[u8]>).map_err(as_io)
}

/// Keeps the kind of the error: a reader that has gone away is no fault of ours.
pub(crate) fn as_io(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A spreadsheet runs what starts like a formula, with the reader's rights.
pub(crate) fn guarded(cell: &str) -> Cow<'_, str> {
    let cell = shown(cell);
    if cell.starts_with(['=', '+', '-', '@', '\t', '\n']) {
        format!("'{cell}").into()
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for start in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r\n=1"] {
            assert!(
                guarded(start).starts_with('\'') || guarded(start).starts_with('\\'),
                "{start:?}"
            );
        }
        assert_eq!(guarded("a=1"), "a=1");
    }
}
