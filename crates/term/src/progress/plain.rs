//! A line per event worth telling, for logs and pipes.

use super::{cancel_words, outcome_words, phase_word, result_words};
use crate::{
    layout::{counted, duration},
    sanitise,
};
use assay_model::{Event, EventKind, RunView, ToolPhase, ToolRun};

/// Silence that is broken by a heartbeat. CI systems kill jobs that say nothing for long, and a
/// reader who sees nothing cannot tell a slow tool from a hang.
pub const HEARTBEAT_MS: u64 = 30_000;

/// Running tools that a heartbeat names; the others are counted.
const NAMED_MAX: usize = 4;

/// What was told so far. Made before the first event, fed until the last.
#[derive(Clone, Debug, Default)]
pub struct Plain {
    view: RunView,
    said_ms: u64,
    told_plan: bool,
}

// === impl Plain ===

impl Plain {
    /// Takes one event in and returns the lines that tell it.
    pub fn event(&mut self, event: &Event) -> Vec<String> {
        self.view.apply(event);
        let mut lines = Vec::new();
        if !self.told_plan && !self.view.tools.is_empty() && begins_work(&event.kind) {
            self.told_plan = true;
            lines.push(format!("{} planned", counted(self.view.tools.len() as u64, "tool")));
        }
        lines.extend(told(&event.kind));
        if !lines.is_empty() {
            self.said_ms = event.at_ms;
        }
        lines.into_iter().map(|line| format!("{} {line}", duration(event.at_ms))).collect()
    }

    /// Returns a heartbeat if nothing was said for [`HEARTBEAT_MS`]. `now_ms` counts from the same
    /// beginning as the events.
    pub fn tick(&mut self, now_ms: u64) -> Option<String> {
        if self.view.outcome.is_some() || now_ms.saturating_sub(self.said_ms) < HEARTBEAT_MS {
            return None;
        }
        self.said_ms = now_ms;
        Some(format!("{} {}", duration(now_ms), heartbeat(&self.view, now_ms)))
    }
}

fn begins_work(kind: &EventKind) -> bool {
    matches!(kind, EventKind::ToolPhase { .. } | EventKind::ToolEnded { .. })
}

fn told(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::Accepted { app } => Some(format!("analysing {}", sanitise(&app.to_string()))),
        EventKind::SourceRead { files, lines, skipped, .. } => {
            let skipped = match skipped {
                0 => String::new(),
                count => format!(", {} skipped", counted(*count, "file")),
            };
            Some(format!("read {}, {}{skipped}", counted(*files, "file"), counted(*lines, "line")))
        }
        EventKind::ToolPhase { tool, phase: ToolPhase::Installing } => {
            Some(format!("{tool}: {}", phase_word(ToolPhase::Installing)))
        }
        EventKind::ToolEnded { run } => Some(ended(run)),
        EventKind::Stage { stage, message } => {
            Some(format!("{}: {}", sanitise(stage), sanitise(message)))
        }
        EventKind::Warned { message } => Some(format!("warning: {}", sanitise(message))),
        EventKind::CancelAsked { reason } => Some(cancel_words(*reason).to_owned()),
        EventKind::Ended { outcome } => Some(outcome_words(*outcome).to_owned()),
        EventKind::ToolPlanned { .. }
        | EventKind::ToolPhase { .. }
        | EventKind::ToolProgress { .. } => None,
    }
}

fn ended(run: &ToolRun) -> String {
    let result = result_words(run);
    let comma = if result.is_empty() { "" } else { ", " };
    let took = match run.started_ms {
        Some(_) => format!(" ({})", duration(run.usage.wall_ms)),
        None => String::new(),
    };
    format!("{}: {}{comma}{result}{took}", run.tool, run.status.in_words())
}

fn heartbeat(view: &RunView, now_ms: u64) -> String {
    let alive = view.tools.iter().filter(|tool| tool.run.is_none());
    let (waiting, busy): (Vec<_>, Vec<_>) =
        alive.partition(|tool| tool.phase == ToolPhase::Waiting);
    let named: Vec<_> = busy
        .iter()
        .take(NAMED_MAX)
        .map(|tool| {
            let phase = phase_word(tool.phase);
            format!("{} {phase} {}", tool.tool, duration(now_ms.saturating_sub(tool.since_ms)))
        })
        .collect();
    let more = match busy.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let busy = if named.is_empty() { "nothing runs".to_owned() } else { named.join(", ") };
    format!("still at work: {busy}{more}; {} waiting, {} done", waiting.len(), view.ended())
}
