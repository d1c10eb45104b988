//! Counts by severity and the worst findings.

use super::Page;
use crate::{
    layout::{counted, cut, grouped, pad, width_of, wrap},
    sanitise,
    style::{Role, Sign},
};
use assay_model::{AppRef, Finding, Location, Report, Severity};

/// Findings that are shown; the others are in the reports.
const WORST_MAX: usize = 10;

/// Lines of one message.
const MESSAGE_LINES_MAX: usize = 2;

/// Where the numbers of the bars end.
const BAR_AT: usize = 20;

pub(super) fn severities(page: &mut Page<'_>) {
    let counts = &page.report.counts;
    page.title("Findings");
    if counts.total == 0 {
        page.line("  none");
    }
    let most = counts.by_severity.values().copied().max().unwrap_or(0).max(1);
    let room = (page.width.saturating_sub(BAR_AT + 2)).min(40) as u64;
    for severity in Severity::ALL.iter().rev() {
        let Some(count) = counts.by_severity.get(severity).copied().filter(|count| *count > 0)
        else {
            continue;
        };
        // At least one cell: a single critical finding beside a thousand others must be seen.
        let cells = usize::try_from((count * room).div_ceil(most)).unwrap_or(0);
        let bar = page.style.sign(Sign::Bar).repeat(cells);
        let word = page.style.paint(Role::Severity(*severity), &pad(severity.as_str(), 8));
        let bar = page.style.paint(Role::Severity(*severity), &bar);
        page.line(&format!("  {word}  {:>7}  {bar}", grouped(count)));
    }
    let mut total = Vec::new();
    if counts.total > 0 {
        total.push(counted(counts.total, "finding"));
    }
    if counts.suppressed > 0 {
        total.push(format!("{} suppressed, not counted", grouped(counts.suppressed)));
    }
    let verdict = &page.report.verdict;
    if verdict.fail_on != "none" {
        let fail_on = sanitise(&verdict.fail_on);
        total.push(format!("{} at or above `{fail_on}`", grouped(verdict.at_or_above)));
    }
    page.paragraph(2, Some(Role::Faint), &total.join("; "));
}

pub(super) fn worst(page: &mut Page<'_>) {
    let report = page.report;
    let open = || report.findings.iter().filter(|finding| finding.suppression.is_none());
    let total = open().count();
    if total == 0 {
        return;
    }
    page.title("Worst findings");
    for finding in open().take(WORST_MAX) {
        one(page, finding);
    }
    if total > WORST_MAX {
        let more = counted((total - WORST_MAX) as u64, "more finding");
        page.paragraph(2, Some(Role::Faint), &format!("and {more} in the reports"));
    }
}

fn one(page: &mut Page<'_>, finding: &Finding) {
    const INDENT: usize = 12;
    let style = page.style;
    let word = style.paint(Role::Severity(finding.severity), &pad(finding.severity.as_str(), 8));
    let place = match &finding.location {
        Some(location) => {
            let shown = style.paint(Role::Place, &sanitise(&location.shown()));
            style.link(&on_disk(page.report, location), &shown)
        }
        None => style.paint(Role::Faint, "the whole app"),
    };
    // The tools stand behind the place where there is room for them.
    let seen = seen_by(finding);
    let bare = finding.location.as_ref().map_or(13, |at| width_of(&sanitise(&at.shown())));
    let fits = INDENT + bare + 2 + width_of(&seen) <= page.width;
    let behind = if fits { style.paint(Role::Faint, &seen) } else { String::new() };
    page.line(&format!("  {word}  {place}  {behind}"));
    let room = page.width.saturating_sub(INDENT);
    let mut lines = wrap(&sanitise(&finding.message), room);
    if lines.len() > MESSAGE_LINES_MAX {
        lines.truncate(MESSAGE_LINES_MAX);
        if let Some(last) = lines.last_mut() {
            // Longer than the room by intent: `cut` then puts its sign.
            *last = cut(&pad(&format!("{last} "), room + 1), room.min(width_of(last) + 3), style);
        }
    }
    for line in lines {
        page.line(&format!("{}{line}", " ".repeat(INDENT)));
    }
    if !fits {
        page.paragraph(INDENT, Some(Role::Faint), &seen);
    }
}

/// Says who saw it: `bandit B608, also semgrep and ruff`.
fn seen_by(finding: &Finding) -> String {
    let mut text = format!("{} {}", finding.tool, sanitise(finding.rule.as_str()));
    let mut others: Vec<_> = finding
        .sightings
        .iter()
        .map(|sighting| sighting.tool.as_str())
        .filter(|tool| *tool != finding.tool.as_str())
        .collect();
    others.dedup();
    if let Some((last, first)) = others.split_last() {
        let and =
            if first.is_empty() { String::new() } else { format!("{} and ", first.join(", ")) };
        text.push_str(", also ");
        text.push_str(&and);
        text.push_str(last);
    }
    text
}

/// Returns where the file of a location is on this machine.
fn on_disk(report: &Report, location: &Location) -> String {
    let root = report.app.path.trim_end_matches('/');
    let file = location.path.as_str();
    // A single file is an app of that one file: its own path is the root already.
    let is_the_file = matches!(report.app.app, AppRef::Path { .. })
        && root.rsplit('/').next() == Some(file)
        && report.source.files == 1;
    if is_the_file { root.to_owned() } else { format!("{root}/{file}") }
}
