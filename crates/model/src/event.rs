//! One thing that happened to one analysis, and the view that folds them.
//!
//! Terminal, files and (later) the wire read the same events; nobody keeps a second truth.

use crate::{AnalysisOutcome, AppRef, CancelReason, Digest, ToolId, ToolRun};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that happened. What every event has is here; what only some have is in its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    pub seq: u32,
    /// Milliseconds since the analysis was accepted.
    pub at_ms: u64,
    pub kind: EventKind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", rename_all_fields = "snake_case", tag = "event")]
pub enum EventKind {
    Accepted {
        app: AppRef,
    },
    /// The app was copied and counted.
    SourceRead {
        files: u64,
        lines: u64,
        bytes: u64,
        skipped: u64,
        digest: Digest,
    },
    /// The tool is part of this analysis. All are planned before the first starts.
    ToolPlanned {
        tool: ToolId,
    },
    ToolPhase {
        tool: ToolId,
        phase: ToolPhase,
    },
    /// Observations so far; a newer one replaces an older one.
    ToolProgress {
        tool: ToolId,
        observations: u64,
    },
    ToolEnded {
        run: Box<ToolRun>,
    },
    /// How far a service is that tells no events, in its own words; newer ones replace older ones.
    Stage {
        stage: String,
        message: String,
    },
    /// Something that the reader should know and that stops nothing.
    Warned {
        message: String,
    },
    CancelAsked {
        reason: CancelReason,
    },
    /// The last event.
    Ended {
        outcome: AnalysisOutcome,
    },
}

/// Where a planned tool is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ToolPhase {
    Waiting,
    Installing,
    /// Its self-test runs.
    Checking,
    Running,
    Parsing,
}

/// An analysis as it stands, folded from its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunView {
    pub app: Option<AppRef>,
    pub files: u64,
    pub tools: Vec<ToolView>,
    pub warnings: Vec<String>,
    pub cancel: Option<CancelReason>,
    pub outcome: Option<AnalysisOutcome>,
    pub at_ms: u64,
}

/// One tool of a [`RunView`].
#[derive(Clone, Debug, PartialEq)]
pub struct ToolView {
    pub tool: ToolId,
    pub phase: ToolPhase,
    /// When the phase began, in milliseconds since the analysis was accepted.
    pub since_ms: u64,
    pub observations: u64,
    /// Present once it ended.
    pub run: Option<ToolRun>,
}

// === impl RunView ===

impl RunView {
    /// Takes one event in. Events of tools that were never planned change nothing.
    pub fn apply(&mut self, event: &Event) {
        self.at_ms = self.at_ms.max(event.at_ms);
        match &event.kind {
            EventKind::Accepted { app } => self.app = Some(app.clone()),
            EventKind::SourceRead { files, .. } => self.files = *files,
            EventKind::ToolPlanned { tool } => self.tools.push(ToolView {
                tool: tool.clone(),
                phase: ToolPhase::Waiting,
                since_ms: event.at_ms,
                observations: 0,
                run: None,
            }),
            EventKind::ToolPhase { tool, phase } => {
                if let Some(view) = self.tool_mut(tool) {
                    view.phase = *phase;
                    view.since_ms = event.at_ms;
                }
            }
            EventKind::ToolProgress { tool, observations } => {
                if let Some(view) = self.tool_mut(tool) {
                    view.observations = *observations;
                }
            }
            EventKind::ToolEnded { run } => {
                if let Some(view) = self.tool_mut(&run.tool) {
                    view.observations = run.observations;
                    view.run = Some((**run).clone());
                }
            }
            EventKind::Stage { .. } => {}
            EventKind::Warned { message } => self.warnings.push(message.clone()),
            EventKind::CancelAsked { reason } => self.cancel = self.cancel.max(Some(*reason)),
            EventKind::Ended { outcome } => self.outcome = Some(*outcome),
        }
    }

    /// Counts the tools that have ended.
    pub fn ended(&self) -> usize {
        self.tools.iter().filter(|tool| tool.run.is_some()).count()
    }

    /// Counts what all tools have found so far. What a server tells may be anything, so the sum does not
    /// overflow.
    pub fn observations(&self) -> u64 {
        self.tools.iter().fold(0, |all, tool| all.saturating_add(tool.observations))
    }

    fn tool_mut(&mut self, tool: &ToolId) -> Option<&mut ToolView> {
        self.tools.iter_mut().find(|view| view.tool == *tool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ToolStatus;

    #[test]
    fn the_view_follows_a_tool_to_its_end() {
        let tool = ToolId::new("ruff").unwrap();
        let run = ToolRun::not_run(tool.clone(), ToolStatus::Ok, true);
        let mut view = RunView::default();
        let kinds = [
            EventKind::ToolPlanned { tool: tool.clone() },
            EventKind::ToolPhase { tool, phase: ToolPhase::Running },
            EventKind::ToolEnded { run: Box::new(run) },
        ];
        for (seq, kind) in (0u32..).zip(kinds) {
            view.apply(&Event { seq, at_ms: u64::from(seq) * 10, kind });
        }
        assert_eq!(view.ended(), 1);
        assert_eq!(view.tools[0].since_ms, 10);
    }

    #[test]
    fn a_cancel_reason_only_gets_graver() {
        let mut view = RunView::default();
        for reason in [CancelReason::ShuttingDown, CancelReason::Requested] {
            view.apply(&Event { seq: 0, at_ms: 0, kind: EventKind::CancelAsked { reason } });
        }
        assert_eq!(view.cancel, Some(CancelReason::ShuttingDown));
    }
}
