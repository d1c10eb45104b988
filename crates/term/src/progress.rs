//! What runs now.
//!
//! Owns the lines that are shown while an analysis is under way. Three readers of the same events:
//! [`screen`] for a terminal (pure), [`Plain`] off a terminal (pure), and [`Progress`], which owns
//! the stream and hands the work to one of the two.
//!
//! Does not: know the clock. Whoever drives it calls `tick` about ten times a second.

mod batch; // many apps
mod draw; // the part that touches the terminal
mod plain; // a line per event worth telling
mod screen; // the lines below the cursor

pub use batch::{BatchProgress, BatchView, Came, Landed, batch_screen};
pub use draw::{Progress, ProgressMode};
pub use plain::{HEARTBEAT_MS, Plain};
pub use screen::{Screen, screen};

use crate::{
    Style,
    layout::{counted, duration},
    sanitise,
    style::{Role, Sign},
};
use assay_model::{AnalysisOutcome, CancelReason, ToolPhase, ToolRun, ToolStatus};

/// Says what a phase is, in a word.
pub(crate) const fn phase_word(phase: ToolPhase) -> &'static str {
    match phase {
        ToolPhase::Waiting => "waiting",
        ToolPhase::Installing => "installing",
        ToolPhase::Checking => "self-test",
        ToolPhase::Running => "running",
        ToolPhase::Parsing => "reading results",
    }
}

/// Says why work stops.
pub(crate) const fn cancel_words(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::NobodyWaits => "stopping: nobody waits for the result",
        CancelReason::Requested => "stopping: you asked for it; what is there will be reported",
        CancelReason::DeadlinePassed => "stopping: the time for this analysis has passed",
        CancelReason::ShuttingDown => "stopping: this process was told to end",
    }
}

/// Says how an analysis ended.
pub(crate) const fn outcome_words(outcome: AnalysisOutcome) -> &'static str {
    match outcome {
        AnalysisOutcome::Complete => "analysis complete",
        AnalysisOutcome::Incomplete => "analysis incomplete",
        AnalysisOutcome::NothingToAnalyse => "nothing to analyse",
        AnalysisOutcome::TimedOut => "analysis timed out",
        AnalysisOutcome::Interrupted => "analysis interrupted",
        AnalysisOutcome::Terminated => "analysis terminated",
        AnalysisOutcome::Lost => "analysis lost",
    }
}

/// Says what a tool's work came to: `14 findings` or why there are none.
fn result_words(run: &ToolRun) -> String {
    match (run.status, &run.reason) {
        // A self-test has a reason also where all is well: what it found is no finding.
        (_, Some(reason)) => sanitise(reason).into_owned(),
        (ToolStatus::Ok, None) => counted(run.observations, "finding"),
        (ToolStatus::NoInputs, None) => "nothing for it to read".to_owned(),
        (_, None) => {
            run.end.as_ref().map_or_else(String::new, |end| sanitise(&end.to_string()).into_owned())
        }
    }
}

/// Cells for what came of a tool, so that its line stays one line on most terminals.
const RESULT_WIDTH: usize = 80;

/// Writes the line into which an ended tool collapses.
pub(crate) fn ended_line(run: &ToolRun, style: Style) -> String {
    let (sign, role) = style.status_sign(run.status);
    let version = run.version.as_deref().map(sanitise).unwrap_or_default();
    let name = format!("{} {version}", run.tool);
    let status = match run.status {
        ToolStatus::Ok | ToolStatus::NoInputs => String::new(),
        status => format!("{}: ", style.paint(role, status.in_words())),
    };
    let took = match run.started_ms {
        Some(_) => format!(" {} {}", style.sign(Sign::Dot), duration(run.usage.wall_ms)),
        None => String::new(),
    };
    format!(
        "{} {} {status}{}{}",
        style.paint(role, sign),
        crate::layout::pad(name.trim_end(), 22),
        // A reason may be long; it stands whole in the summary.
        crate::layout::cut(&result_words(run), RESULT_WIDTH, style),
        style.paint(Role::Faint, &took),
    )
}

#[cfg(test)]
mod tests;
