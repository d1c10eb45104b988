//! A summary for a comment on a pull request.
//!
//! Keeps: text from tools and apps is text (no markup, no link, nobody mentioned); what is not
//! whole is said first; the comment stays under GitHub's 65,536 characters.

use crate::{
    summary::{Summary, open_findings, summary},
    text::{cut, shown_line},
};
use assay_model::{AnalysisOutcome, Finding, Report};
use std::io::{self, Write};

/// The longest message shown; the report has it whole.
const MESSAGE_CHARS: usize = 200;

/// Bytes that the table of gaps and that of findings may take. Escaping makes six of one.
const GAPS_BYTES: usize = 20_000;
const FINDINGS_BYTES: usize = 40_000;

/// How much is written.
#[derive(Clone, Copy, Debug)]
pub struct MarkdownOptions {
    /// Findings listed; the rest is counted. Each takes up to about 1,000 characters.
    pub findings: usize,
}

/// Writes the summary.
pub fn write_markdown(
    report: &Report,
    options: MarkdownOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let summary = summary(report);
    headline(&summary, out)?;
    gaps(&summary, out)?;
    severities(&summary, out)?;
    findings(report, options, out)?;
    footer(report, &summary, out)
}

fn headline(summary: &Summary<'_>, out: &mut impl Write) -> io::Result<()> {
    let mark = match (&summary.trouble, summary.outcome) {
        (None, AnalysisOutcome::Complete) => "complete".to_owned(),
        (_, outcome) => format!("**{outcome}**"),
    };
    let findings = if summary.total == 1 { "finding" } else { "findings" };
    writeln!(out, "## Assay: {} {findings}, analysis {mark}\n", summary.total)?;
    match &summary.trouble {
        None => Ok(()),
        Some(trouble) => writeln!(
            out,
            "> [!WARNING]\n> {}. What was not found may not have been looked for.\n",
            escaped(&capitalised(trouble))
        ),
    }
}

fn gaps(summary: &Summary<'_>, out: &mut impl Write) -> io::Result<()> {
    if summary.gaps.is_empty() {
        return Ok(());
    }
    writeln!(out, "| Did not run | Status | Why | Mend |\n|---|---|---|---|")?;
    let rows = summary.gaps.iter().map(|gap| {
        let optional = if gap.required { "" } else { " (optional)" };
        let mend = gap.mend.map(code).unwrap_or_default();
        let why = escaped(&cut(&shown_line(gap.reason), MESSAGE_CHARS));
        format!("| {}{optional} | {} | {why} | {mend} |", escaped(gap.tool.as_str()), gap.status)
    });
    let rest = rows_within(rows, GAPS_BYTES, out)?;
    if rest > 0 {
        writeln!(out, "\nand {rest} more.")?;
    }
    writeln!(out)
}

fn severities(summary: &Summary<'_>, out: &mut impl Write) -> io::Result<()> {
    let names: Vec<&str> =
        summary.by_severity.iter().map(|(severity, _)| severity.as_str()).collect();
    let counts: Vec<String> =
        summary.by_severity.iter().map(|(_, count)| count.to_string()).collect();
    writeln!(out, "| {} | suppressed |", names.join(" | "))?;
    writeln!(out, "|{}--:|", "--:|".repeat(names.len()))?;
    writeln!(out, "| {} | {} |\n", counts.join(" | "), summary.suppressed)
}

fn findings(report: &Report, options: MarkdownOptions, out: &mut impl Write) -> io::Result<()> {
    let mut open = open_findings(report).peekable();
    if open.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "| Severity | Place | Finding | Seen by |\n|---|---|---|---|")?;
    let rows = open.by_ref().take(options.findings).map(row);
    let unwritten = rows_within(rows, FINDINGS_BYTES, out)?;
    let rest = unwritten + open.count();
    if rest > 0 { writeln!(out, "\n{rest} more are in the report.\n") } else { writeln!(out) }
}

/// Writes rows while they fit and returns how many did not.
pub(crate) fn rows_within(
    rows: impl Iterator<Item = String>,
    bytes_max: usize,
    out: &mut impl Write,
) -> io::Result<usize> {
    let (mut room, mut rest) = (bytes_max, 0);
    for row in rows {
        // Once one is left out, so are the milder ones after it.
        if rest > 0 || row.len() >= room {
            rest += 1;
            continue;
        }
        room -= row.len() + 1;
        writeln!(out, "{row}")?;
    }
    Ok(rest)
}

fn row(finding: &Finding) -> String {
    let place = match &finding.location {
        None => "the app".to_owned(),
        Some(location) => code(&location.shown()),
    };
    let mut tools: Vec<&str> = finding.sightings.iter().map(|it| it.tool.as_str()).collect();
    tools.dedup();
    let message = escaped(&cut(&shown_line(&finding.message), MESSAGE_CHARS));
    format!(
        "| {} | {place} | {message} <sub>{}</sub> | {} |",
        finding.severity,
        escaped(&cut(&shown_line(&finding.defect), 80)),
        tools.join(", "),
    )
}

fn footer(report: &Report, summary: &Summary<'_>, out: &mut impl Write) -> io::Result<()> {
    let done = report.tools.len() - summary.gaps.len();
    let total = report.tools.len();
    let source = &report.source;
    write!(
        out,
        "<sub>{done} of {total} tools did their work over {} files, {} lines.",
        source.files, source.lines
    )?;
    let ran = report.tools.iter().filter(|run| run.started_ms.is_some());
    if let Some(run) = ran.max_by_key(|run| run.usage.wall_ms) {
        let (ms, mib) = (run.usage.wall_ms, run.usage.peak_kib.div_ceil(1024));
        let peak = if mib > 0 { format!(", {mib} MiB") } else { String::new() };
        let took = format!("{}.{} s{peak}", ms / 1000, ms % 1000 / 100);
        write!(out, " {} took longest: {took}.", escaped(run.tool.as_str()))?;
    }
    for (tool, files) in &summary.unread {
        write!(out, " {tool} could not read {files} of them.")?;
    }
    if summary.expired_ignores > 0 {
        write!(out, " {} ignore entries have expired.", summary.expired_ignores)?;
    }
    writeln!(out, " Assay {}.</sub>", escaped(&report.environment.assay))
}

/// Writes text as code. An HTML element, since no run of backticks is safe from text that holds them.
pub(crate) fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(&cut(&shown_line(text), MESSAGE_CHARS)))
}

/// Escapes all that Markdown, GitHub or a table could take for more than text.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '`' | '*' | '_' | '~' | '[' | ']' | '|' | '\\' | '@' | '#' | '!'
            | '$' | ':' | '\'' | '"' => out.extend([format!("&#{};", u32::from(c))]),
            // `www.` becomes a link without any scheme.
            '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str("&#46;"),
            _ => out.push(c),
        }
    }
    out
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

// === impl MarkdownOptions ===

impl Default for MarkdownOptions {
    fn default() -> Self {
        Self { findings: 40 }
    }
}
