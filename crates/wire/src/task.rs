//! What is said about one task, in both dialects.

use crate::{payload::Payload, words::words};
use assay_model::{AnalysisOutcome, Event, TaskId, ToolStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

words! {
    /// Where a task is, or what became of a wish to cancel it.
    TaskState, "task state" {
        /// Accepted, and waiting for its turn.
        Queued = "queued",
        /// Its tools run.
        Running = "running",
        /// It ended; `status` and `result` say how.
        Finished = "finished",
        /// It was cancelled, and everything that it had started is gone.
        Cancelled = "cancelled",
        /// There is no such task, or its result is no longer kept.
        NotFound = "not_found",
        /// It ended before it could be cancelled.
        AlreadyFinished = "already_finished",
    }
}

words! {
    /// How an analysis ended, as the wire says it.
    AnalysisStatus, "analysis status" {
        /// Complete.
        Success = "success",
        /// Incomplete, but some tool did its work.
        Partial = "partial",
        /// No tool did its work, or there was nothing to analyse.
        Error = "error",
        /// Its deadline passed. What was found until then is there.
        Timeout = "timeout",
        /// Somebody cancelled it, or nobody waited for it any more.
        Cancelled = "cancelled",
    }
}

words! {
    /// How a tool ended, as the wire says it.
    ToolWord, "tool status" {
        /// It did its work and found something.
        Success = "success",
        /// It did its work and found nothing.
        NoIssues = "no_issues",
        /// It failed, or what it wrote is no report, or its self-test failed.
        Error = "error",
        /// Its own deadline passed.
        Timeout = "timeout",
        /// The analysis was stopped before it ended.
        Cancelled = "cancelled",
        /// The app holds nothing that it reads.
        Skipped = "skipped",
        /// It is not installed, or what it needs cannot be reached.
        NotAvailable = "not_available",
    }
}

/// The body of a `status_update` about one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskStatus {
    pub state: TaskState,
    /// Absent where the task was named by a `correlation_id` that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// How many wait before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AnalysisStatus>,
    /// The `data` of its `analysis_result`, once it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Payload>,
}

/// How far a task is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Progress {
    /// The task, as the first system named it.
    pub analysis_id: String,
    /// A word for what happens.
    pub stage: String,
    /// 0 to 1.
    pub progress: f64,
    pub message: String,
    pub current_file: String,
    pub files_processed: u64,
    pub total_files: u64,
    pub issues_found: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What happened, as the event log has it: fold these to see what the terminal shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Event>")]
    pub event: Option<Payload>,
}

// === impl TaskStatus ===

impl TaskStatus {
    pub fn new(state: TaskState, task_id: Option<TaskId>) -> Self {
        Self { state, task_id, position: None, status: None, result: None }
    }
}

// === impl Progress ===

impl Progress {
    /// Returns the event, where there is one that we know.
    pub fn event(&self) -> Option<Event> {
        self.event.as_ref().and_then(|event| event.parse().ok())
    }

    /// Adds the event.
    ///
    /// # Panics
    ///
    /// Never: an event is always JSON.
    pub fn with_event(mut self, event: &Event) -> Self {
        self.event = Some(Payload::of(event).expect("the keys of an event are strings"));
        self
    }
}

// === impl AnalysisStatus ===

impl AnalysisStatus {
    /// Says an outcome as the wire does. What some tool did is not in the outcome.
    pub fn of_outcome(outcome: AnalysisOutcome, some_tool_did: bool) -> Self {
        match outcome {
            AnalysisOutcome::Complete => Self::Success,
            AnalysisOutcome::Incomplete if some_tool_did => Self::Partial,
            AnalysisOutcome::TimedOut => Self::Timeout,
            AnalysisOutcome::Interrupted | AnalysisOutcome::Terminated => Self::Cancelled,
            AnalysisOutcome::Incomplete
            | AnalysisOutcome::NothingToAnalyse
            | AnalysisOutcome::Lost => Self::Error,
        }
    }

    /// Reads the word of any server, old ones included; what is not known is an error.
    pub fn of_reply(word: &str) -> Self {
        match word {
            "partial_success" | "targets_unreachable" => Self::Partial,
            "no_issues" | "completed" => Self::Success,
            known => Self::of_word(known).unwrap_or(Self::Error),
        }
    }
}

// === impl ToolWord ===

impl ToolWord {
    /// Says a status as the wire does.
    pub fn of(status: ToolStatus, observations: u64) -> Self {
        match status {
            ToolStatus::Ok if observations == 0 => Self::NoIssues,
            ToolStatus::Ok => Self::Success,
            ToolStatus::NoInputs => Self::Skipped,
            ToolStatus::Unavailable => Self::NotAvailable,
            ToolStatus::Failed | ToolStatus::OutputInvalid | ToolStatus::Untrusted => Self::Error,
            ToolStatus::TimedOut => Self::Timeout,
            ToolStatus::Cancelled => Self::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_a_newer_server_is_no_reason_to_fail() {
        let text = r#"{"stage":"x","progress":0.5,"event":{"seq":1,"kind":{"event":"sung"}}}"#;
        let progress: Progress = serde_json::from_str(text).unwrap();
        assert_eq!((progress.stage.as_str(), progress.event()), ("x", None));
        assert!(progress.event.is_some());
    }

    #[test]
    fn an_outcome_is_said_as_the_protocol_has_it() {
        let said = |outcome, some| AnalysisStatus::of_outcome(outcome, some).as_str();
        assert_eq!(said(AnalysisOutcome::Complete, false), "success");
        assert_eq!(said(AnalysisOutcome::Incomplete, true), "partial");
        assert_eq!(said(AnalysisOutcome::Incomplete, false), "error");
        assert_eq!(said(AnalysisOutcome::Lost, true), "error");
    }

    #[test]
    fn a_tool_that_found_something_did_its_work() {
        assert_eq!(ToolWord::of(ToolStatus::Ok, 3), ToolWord::Success);
        assert_eq!(ToolWord::of(ToolStatus::Ok, 0), ToolWord::NoIssues);
        assert_eq!(ToolWord::of(ToolStatus::Untrusted, 0), ToolWord::Error);
        assert_eq!(ToolWord::of(ToolStatus::NoInputs, 0), ToolWord::Skipped);
    }
}
