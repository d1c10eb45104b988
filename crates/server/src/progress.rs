//! An event, as clients are told it: in the first system's words, and whole for those who fold it.

use assay_model::{Event, EventKind, RunView, TaskId, ToolPhase};
use assay_wire::Progress as Told;

/// Folds the events of one run, so that each can be told with how far the run is.
#[derive(Debug)]
pub(crate) struct Progress {
    task: TaskId,
    view: RunView,
}

// === impl Progress ===

impl Progress {
    pub(crate) fn new(task: TaskId) -> Self {
        Self { task, view: RunView::default() }
    }

    /// Takes one event in, and says it.
    pub(crate) fn of(&mut self, event: &Event) -> Told {
        self.view.apply(event);
        let view = &self.view;
        let (stage, message, tool) = words(&event.kind);
        let ended = view.ended();
        let told = Told {
            analysis_id: self.task.to_string(),
            stage: stage.to_owned(),
            progress: share(ended, view.tools.len(), view.outcome.is_some()),
            message,
            current_file: String::new(),
            files_processed: 0,
            total_files: view.files,
            issues_found: view.observations(),
            tool,
            event: None,
        };
        told.with_event(event)
    }
}

/// What share of the tools has ended, 0 to 1; 1 only when the run has.
fn share(ended: usize, planned: usize, is_over: bool) -> f64 {
    if is_over {
        return 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few dozen tools")]
    let share = |part: usize, whole: usize| part as f64 / whole as f64;
    if planned == 0 { 0.0 } else { share(ended, planned + 1) }
}

/// The word for what happens, the sentence, and the tool that it is about.
fn words(kind: &EventKind) -> (&str, String, Option<String>) {
    match kind {
        EventKind::Stage { stage, message } => (stage, message.clone(), None),
        EventKind::Accepted { app } => ("started", format!("{app} is analysed"), None),
        EventKind::SourceRead { files, lines, .. } => {
            ("source_read", format!("{files} files with {lines} lines"), None)
        }
        EventKind::ToolPlanned { tool } => {
            ("planned", format!("{tool} is planned"), Some(tool.to_string()))
        }
        EventKind::ToolPhase { tool, phase } => {
            let word = match phase {
                ToolPhase::Waiting => "waiting",
                ToolPhase::Installing => "installing",
                ToolPhase::Checking => "checking",
                ToolPhase::Running => "running",
                ToolPhase::Parsing => "parsing",
            };
            (word, format!("{tool}: {word}"), Some(tool.to_string()))
        }
        EventKind::ToolProgress { tool, observations } => {
            ("progress", format!("{tool}: {observations} so far"), Some(tool.to_string()))
        }
        EventKind::ToolEnded { run } => {
            let message = format!("{}: {:?}, {} found", run.tool, run.status, run.observations);
            ("tool_completed", message.to_lowercase(), Some(run.tool.to_string()))
        }
        EventKind::Warned { message } => ("warning", message.clone(), None),
        EventKind::CancelAsked { .. } => ("cancelling", "it is being stopped".to_owned(), None),
        EventKind::Ended { .. } => ("completed", "it has ended".to_owned(), None),
    }
}
