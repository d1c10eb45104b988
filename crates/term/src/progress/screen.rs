//! The lines below the cursor, while tools run on a terminal. Pure.

use super::{cancel_words, phase_word};
use crate::{
    Style,
    layout::{counted, cut, duration, pad},
    sanitise,
    style::Role,
};
use assay_model::{RunView, ToolPhase, ToolView};

/// Cells of a terminal and the moment that is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    pub width: usize,
    pub rows: usize,
    pub now_ms: u64,
}

/// Rows left for what was printed before and for the shell's prompt.
const ROWS_KEPT: usize = 4;

/// Milliseconds for which one picture of the spinner is shown.
const SPIN_MS: u64 = 100;

/// Draws the tools that work, as many as there are rows for, and one line for all the others.
pub fn screen(view: &RunView, at: Screen, style: &Style) -> Vec<String> {
    if view.outcome.is_some() {
        return Vec::new();
    }
    let alive = view.tools.iter().filter(|tool| tool.run.is_none());
    let (waiting, mut busy): (Vec<_>, Vec<_>) =
        alive.partition(|tool| tool.phase == ToolPhase::Waiting);
    // The longest at work first: it is what the reader waits for.
    busy.sort_by_key(|tool| tool.since_ms);
    let rows = at.rows.saturating_sub(ROWS_KEPT).max(1);
    let shown = busy.len().min(rows);
    let names = view.tools.iter().map(|tool| tool.tool.as_str().len()).max().unwrap_or(0);
    let mut lines: Vec<_> =
        busy[..shown].iter().map(|tool| line(tool, names.min(24), at, *style)).collect();
    lines.push(total(view, [busy.len() - shown, waiting.len()], at, *style));
    lines
}

pub(super) fn spinner(now_ms: u64, style: Style) -> &'static str {
    const DOTS: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
    const DASHES: [&str; 4] = ["-", "\\", "|", "/"];
    let pictures: &[&'static str] = if style.unicode { &DOTS } else { &DASHES };
    let turn = usize::try_from(now_ms / SPIN_MS).unwrap_or(0);
    pictures[turn % pictures.len()]
}

fn line(tool: &ToolView, names: usize, at: Screen, style: Style) -> String {
    let elapsed = duration(at.now_ms.saturating_sub(tool.since_ms));
    let found = match tool.observations {
        0 => String::new(),
        count => counted(count, "finding"),
    };
    let name = pad(&cut(tool.tool.as_str(), names, style), names);
    let rest = format!("{}  {elapsed:>6}  {found}", pad(phase_word(tool.phase), 15));
    // The text is cut before it is painted: half a colour sequence would stain what follows.
    let room = at.width.saturating_sub(names + 5);
    let sign = style.paint(Role::Place, spinner(at.now_ms, style));
    let name = style.paint(Role::Strong, &name);
    format!("{sign} {name}  {}", cut(rest.trim_end(), room, style))
}

fn total(view: &RunView, [hidden, waiting]: [usize; 2], at: Screen, style: Style) -> String {
    let mut parts = Vec::new();
    if let Some(reason) = view.cancel {
        parts.push(cancel_words(reason).to_owned());
    }
    if view.tools.is_empty() {
        let app = view.app.as_ref().map_or_else(String::new, ToString::to_string);
        parts.push(format!("reading {}", sanitise(&app)));
    } else {
        if hidden > 0 {
            parts.push(format!("{hidden} more at work"));
        }
        parts.push(format!("{waiting} waiting"));
        parts.push(format!("{} done", view.ended()));
        let found = view.observations();
        parts.push(format!("{} so far", counted(found, "finding")));
    }
    let text = format!("{:>6}  {}", duration(at.now_ms), parts.join(", "));
    let role = if view.cancel.is_some() { Role::Caution } else { Role::Faint };
    style.paint(role, &cut(&text, at.width.saturating_sub(1), style))
}
