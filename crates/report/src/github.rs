//! GitHub annotations: workflow commands on stdout.
//!
//! Keeps: GitHub's limits (ten a level in one step, the rest it drops in silence; here a line says
//! how many); the first error of an incomplete analysis says so; nothing from an app or a tool
//! can start a command of its own.

use crate::{
    summary::{open_findings, summary},
    text::{cut, shown},
};
use assay_model::{Finding, Region, Report, Severity};
use std::io::{self, Write};

/// What GitHub shows of one level in one step.
const PER_LEVEL: usize = 10;

/// GitHub cuts what is longer.
const MESSAGE_CHARS: usize = 1000;

const LEVELS: [Level; 3] = [Level::Error, Level::Warning, Level::Notice];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Notice,
}

/// Writes annotations, worst first, and one plain line for what does not fit.
pub fn write_github(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let summary = summary(report);
    let mut room = PER_LEVEL;
    if let Some(trouble) = &summary.trouble {
        let mut said = trouble.clone();
        for gap in summary.gaps.iter().filter(|gap| gap.required) {
            let mend = gap.mend.map(|mend| format!(" ({mend})")).unwrap_or_default();
            said.extend([format!("\n{}: {}: {}{mend}", gap.tool, gap.status, gap.reason)]);
        }
        let title = property("Assay: not a whole analysis");
        writeln!(out, "::error title={title}::{}", data(&said))?;
        room -= 1;
    }
    for level in LEVELS {
        let cap = if level == Level::Error { room } else { PER_LEVEL };
        let mut findings = open_findings(report).filter(|it| Level::of(it.severity) == level);
        for finding in findings.by_ref().take(cap) {
            annotation(finding, level, out)?;
        }
        let rest = findings.count();
        if rest > 0 {
            // A plain line: it shows in the log and takes no annotation's room.
            writeln!(out, "assay: {rest} more of level {} are in the report", level.as_str())?;
        }
    }
    for gap in summary.gaps.iter().filter(|gap| !gap.required) {
        let said = format!("optional tool {}: {}: {}", gap.tool, gap.status, gap.reason);
        // Escaped like a command, since a line that starts with `::` would be one.
        writeln!(out, "assay: {}", data(&said))?;
    }
    Ok(())
}

fn annotation(finding: &Finding, level: Level, out: &mut impl Write) -> io::Result<()> {
    let mut properties = Vec::new();
    if let Some(location) = &finding.location {
        properties.push(format!("file={}", property(location.path.as_str())));
        properties.extend(location.region.map(place));
    }
    let title = format!("{} ({}:{})", finding.defect, finding.tool, finding.rule);
    properties.push(format!("title={}", property(&title)));
    writeln!(out, "::{} {}::{}", level.as_str(), properties.join(","), data(&finding.message))
}

fn place(region: Region) -> String {
    let end_line = region.end_line.unwrap_or(region.line);
    let mut text = format!("line={},endLine={end_line}", region.line);
    // GitHub refuses columns where the lines differ.
    if let (Some(column), true) = (region.column, end_line == region.line) {
        text.extend([format!(",col={column},endColumn={}", region.end_column.unwrap_or(column))]);
    }
    text
}

/// Escapes a command's message.
fn data(text: &str) -> String {
    let text = shown(text);
    cut(&text, MESSAGE_CHARS).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

// === impl Level ===

impl Level {
    const fn of(severity: Severity) -> Self {
        match severity {
            Severity::Critical | Severity::High => Self::Error,
            Severity::Medium => Self::Warning,
            Severity::Low | Severity::Info => Self::Notice,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_start_a_command_of_its_own() {
        assert_eq!(data("a\n::set-env name=x::y\r%"), "a%0A::set-env name=x::y\\u{d}%25");
        assert_eq!(property("a:b,c%"), "a%3Ab%2Cc%25");
    }
}
