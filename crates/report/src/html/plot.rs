//! Bars and the timeline: numbers become lengths in percent. The template draws them as SVG that
//! fits any width, and sets the words as text that can be read, selected and spoken.

use super::words::{bytes_in_words, counted, duration, grouped, how_it_ended, look, mebibytes};
use crate::shown_line;
use assay_model::{Finding, Report, Severity, ToolRun, ToolStatus};
use std::collections::BTreeMap;

/// Files in the plot of the worst files.
const FILES_MAX: usize = 15;

/// Marks on the time axis, at most.
const TICKS_MAX: u64 = 5;

/// A plot of bars, each split by severity.
pub(super) struct Bars {
    pub(super) title: &'static str,
    /// What a click on a bar filters by.
    pub(super) filter: &'static str,
    pub(super) rows: Vec<Bar>,
    pub(super) note: String,
}

pub(super) struct Bar {
    pub(super) label: String,
    /// The look of the label's dot, where the row is one severity.
    pub(super) look: &'static str,
    pub(super) total: String,
    pub(super) pieces: Vec<Piece>,
}

pub(super) struct Piece {
    pub(super) look: &'static str,
    pub(super) from: String,
    pub(super) width: String,
    pub(super) title: String,
}

/// What ran when, and what did not.
pub(super) struct Timeline {
    pub(super) ticks: Vec<Tick>,
    pub(super) rows: Vec<Lane>,
    /// Names of tools that had nothing to read.
    pub(super) idle: Vec<String>,
    /// The same in figures, with what the plot has no room for.
    pub(super) figures: Vec<Figures>,
}

pub(super) struct Tick {
    pub(super) at: String,
    pub(super) label: String,
}

pub(super) struct Lane {
    pub(super) tool: String,
    pub(super) look: &'static str,
    /// Absent when it never ran.
    pub(super) bar: Option<LaneBar>,
    /// Its peak of memory, as a share of the highest one; absent where it is not known.
    pub(super) memory: Option<(String, String)>,
    pub(super) note: String,
    pub(super) title: String,
}

/// The time of a tool: from where to where, and how much of it its processes computed.
pub(super) struct LaneBar {
    pub(super) from: String,
    pub(super) width: String,
    /// Never longer than `width`, also of a tool with many threads.
    pub(super) busy: String,
}

/// A row of the table beneath the plot.
pub(super) struct Figures {
    pub(super) tool: String,
    pub(super) started: String,
    pub(super) wall: String,
    pub(super) user: String,
    pub(super) system: String,
    pub(super) memory: String,
    pub(super) read: String,
    pub(super) written: String,
    pub(super) ended: String,
}

type BySeverity = BTreeMap<Severity, u64>;

pub(super) fn bars(report: &Report) -> Vec<Bars> {
    let open: Vec<_> = report.findings.iter().filter(|one| one.suppression.is_none()).collect();
    if open.is_empty() {
        return Vec::new();
    }
    vec![by_severity(&open), by_kind(&open), by_file(&open)]
}

fn by_severity(open: &[&Finding]) -> Bars {
    let mut counts = BySeverity::new();
    for finding in open {
        *counts.entry(finding.severity).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or(1);
    let rows = Severity::ALL.iter().rev().map(|severity| {
        let count = counts.get(severity).copied().unwrap_or(0);
        let only = BySeverity::from([(*severity, count)]);
        Bar { look: severity.as_str(), ..bar(severity.to_string(), &only, most) }
    });
    Bars { title: "By severity", filter: "severity", rows: rows.collect(), note: String::new() }
}

fn by_kind(open: &[&Finding]) -> Bars {
    let groups = grouped_by(open, |finding| finding.kind.to_string());
    let most = groups.first().map_or(1, |(_, counts)| counts.values().sum());
    let rows = groups.into_iter().map(|(kind, counts)| bar(kind, &counts, most)).collect();
    Bars { title: "By kind", filter: "kind", rows, note: String::new() }
}

fn by_file(open: &[&Finding]) -> Bars {
    let placed: Vec<_> = open.iter().copied().filter(|one| one.location.is_some()).collect();
    let mut groups = grouped_by(&placed, |finding| {
        finding
            .location
            .as_ref()
            .map_or_else(String::new, |at| shown_line(at.path.as_str()).into_owned())
    });
    // The worst files, not the longest lists: ten misspelt words weigh less than one injection.
    groups.sort_by_key(|(_, counts)| std::cmp::Reverse(weight(counts)));
    let files = groups.len();
    groups.truncate(FILES_MAX);
    let most = groups.iter().map(|(_, counts)| counts.values().sum()).max().unwrap_or(1);
    let rows = groups.into_iter().map(|(path, counts)| bar(path, &counts, most)).collect();
    let note = match files.saturating_sub(FILES_MAX) {
        0 => String::new(),
        more => format!("and {} more", counted(more as u64, "file")),
    };
    Bars { title: "Worst files", filter: "file", rows, note }
}

/// Returns the counts of each group, the largest group first.
fn grouped_by(
    findings: &[&Finding],
    key: impl Fn(&Finding) -> String,
) -> Vec<(String, BySeverity)> {
    let mut groups = BTreeMap::<String, BySeverity>::new();
    for finding in findings {
        *groups.entry(key(finding)).or_default().entry(finding.severity).or_default() += 1;
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.values().sum::<u64>()));
    groups
}

/// Orders files: by their critical findings, then by their high ones, and so on.
fn weight(counts: &BySeverity) -> Vec<u64> {
    Severity::ALL.iter().rev().map(|severity| counts.get(severity).copied().unwrap_or(0)).collect()
}

fn bar(label: String, counts: &BySeverity, most: u64) -> Bar {
    let mut pieces = Vec::new();
    let mut before = 0;
    for (severity, count) in counts.iter().rev().filter(|(_, count)| **count > 0) {
        pieces.push(Piece {
            look: severity.as_str(),
            from: percent(before, most),
            width: percent(*count, most),
            title: format!("{} {severity}", grouped(*count)),
        });
        before += count;
    }
    Bar { label, look: "", total: grouped(before), pieces }
}

pub(super) fn timeline(report: &Report) -> Timeline {
    let ends = report.tools.iter().map(|run| run.started_ms.unwrap_or(0) + run.usage.wall_ms);
    let whole = ends.max().unwrap_or(0).max(report.duration_ms).max(1);
    let mut runs: Vec<_> =
        report.tools.iter().filter(|run| run.status != ToolStatus::NoInputs).collect();
    // What never started has no time and stands last, where it is not lost among the others.
    runs.sort_by_key(|run| (run.started_ms.is_none(), run.started_ms));
    let idle = report.tools.iter().filter(|run| run.status == ToolStatus::NoInputs);
    let scale =
        Scale { whole, highest: runs.iter().map(|run| run.usage.peak_kib).max().unwrap_or(0) };
    Timeline {
        ticks: ticks(whole),
        figures: runs
            .iter()
            .filter(|run| run.started_ms.is_some())
            .map(|run| figures(run))
            .collect(),
        rows: runs.into_iter().map(|run| lane(run, &scale)).collect(),
        idle: idle.map(|run| run.tool.to_string()).collect(),
    }
}

/// What a full bar stands for.
struct Scale {
    /// Milliseconds.
    whole: u64,
    /// KiB.
    highest: u64,
}

fn lane(run: &ToolRun, scale: &Scale) -> Lane {
    let words = run.status.in_words();
    let (usage, whole) = (&run.usage, scale.whole);
    let took = duration(usage.wall_ms);
    let computed = usage.user_ms + usage.system_ms;
    let bar = run.started_ms.map(|start| {
        let width = usage.wall_ms.min(whole - start.min(whole));
        LaneBar {
            from: percent(start.min(whole), whole),
            width: percent(width, whole),
            busy: percent(computed.min(width), whole),
        }
    });
    let known = usage.peak_kib > 0 && run.started_ms.is_some();
    let memory = known.then(|| (percent(usage.peak_kib, scale.highest), mebibytes(usage.peak_kib)));
    let note = match (&bar, run.status) {
        (Some(_), ToolStatus::Ok) => took.clone(),
        (Some(_), _) => format!("{words}, {took}"),
        (None, _) if run.required => words.to_owned(),
        (None, _) => format!("{words}, not required"),
    };
    let found = counted(run.observations, "observation");
    let peak = memory.as_ref().map_or_else(String::new, |(_, peak)| format!(", {peak} at most"));
    Lane {
        tool: run.tool.to_string(),
        look: look(run),
        title: match run.started_ms {
            Some(start) => {
                format!(
                    "{}: {words}, {found}, from {} for {took}, computed {}{peak}",
                    run.tool,
                    duration(start),
                    duration(computed)
                )
            }
            None => format!("{}: {words}, never ran", run.tool),
        },
        bar,
        memory,
        note,
    }
}

fn figures(run: &ToolRun) -> Figures {
    let usage = &run.usage;
    let counted = |bytes: Option<u64>| bytes.map_or_else(|| "–".to_owned(), bytes_in_words);
    Figures {
        tool: run.tool.to_string(),
        started: duration(run.started_ms.unwrap_or(0)),
        wall: duration(usage.wall_ms),
        user: duration(usage.user_ms),
        system: duration(usage.system_ms),
        memory: if usage.peak_kib > 0 { mebibytes(usage.peak_kib) } else { "–".to_owned() },
        read: counted(usage.read_bytes),
        written: counted(usage.written_bytes),
        ended: how_it_ended(run),
    }
}

/// Returns marks at round times: 1, 2 or 5 times a power of ten, or of a minute.
fn ticks(whole_ms: u64) -> Vec<Tick> {
    const STEPS: &[u64] = &[
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000,
        120_000, 300_000, 600_000, 1_200_000, 1_800_000, 3_600_000,
    ];
    let step = STEPS.iter().copied().find(|step| whole_ms / step <= TICKS_MAX).unwrap_or(whole_ms);
    (0..=whole_ms / step)
        .map(|n| Tick { at: percent(n * step, whole_ms), label: axis_label(n * step) })
        .collect()
}

fn axis_label(ms: u64) -> String {
    match ms {
        0 => "0".to_owned(),
        1..1000 => format!("{ms} ms"),
        _ if ms.is_multiple_of(60_000) => format!("{} min", ms / 60_000),
        1000..60_000 => format!("{} s", ms / 1000),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// Returns a share with two decimals, enough for a screen ten thousand points wide.
fn percent(part: u64, whole: u64) -> String {
    let hundredths = u128::from(part) * 10_000 / u128::from(whole.max(1));
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_has_few_round_marks() {
        let labels = |ms| ticks(ms).into_iter().map(|tick| tick.label).collect::<Vec<_>>();
        assert_eq!(labels(12_345), ["0", "5 s", "10 s"]);
        assert_eq!(labels(90_000), ["0", "20 s", "40 s", "1 min", "1 min 20 s"]);
        assert_eq!(labels(1), ["0", "1 ms"]);
        for ms in [1, 7, 999, 54_321, 10_000_000] {
            assert!(ticks(ms).len() as u64 <= TICKS_MAX + 1, "{ms}");
        }
    }

    #[test]
    fn a_tool_with_many_threads_computes_no_longer_than_its_bar() {
        let scale = Scale { whole: 10_000, highest: 2_048 };
        let mut run =
            ToolRun::not_run(assay_model::ToolId::new("x").unwrap(), ToolStatus::Ok, true);
        run.started_ms = Some(9_000);
        run.usage.wall_ms = 2_000;
        run.usage.user_ms = 5_000;
        run.usage.peak_kib = 1_024;
        let lane = lane(&run, &scale);
        let bar = lane.bar.unwrap();
        assert_eq!([bar.from, bar.width, bar.busy], ["90.00%", "10.00%", "10.00%"]);
        assert_eq!(lane.memory, Some(("50.00%".to_owned(), "1 MiB".to_owned())));
        assert!(lane.title.ends_with("for 2.0 s, computed 5.0 s, 1 MiB at most"), "{}", lane.title);
    }

    #[test]
    fn shares_never_leave_the_plot() {
        assert_eq!(percent(1, 3), "33.33%");
        assert_eq!(percent(0, 0), "0.00%");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.00%");
    }

    #[test]
    fn one_critical_finding_outweighs_many_mild_ones() {
        let one = BySeverity::from([(Severity::Critical, 1)]);
        let many = BySeverity::from([(Severity::Info, 900)]);
        assert!(weight(&one) > weight(&many));
    }
}
