//! How a tool ran, and what it or we have to say about that.
//!
//! Keeps: a tool that did not do its work is not `executionSuccessful`, and says why.

use super::{Part, log::Text, place::Place};
use crate::text::shown;
use assay_model::{Report, ToolEnd, ToolRun, ToolStatus};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::borrow::Cow;

/// Files that a tool could not read, named one by one up to here.
const UNREAD_FILES: usize = 100;

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation<'a> {
    execution_successful: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_line: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time_utc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time_utc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_signal_number: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process_start_failure_message: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_execution_notifications: Vec<Notification<'a>>,
}

#[derive(Serialize)]
pub(super) struct Notification<'a> {
    descriptor: NotificationId,
    level: &'static str,
    message: Text<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct NotificationId {
    id: &'static str,
}

// === impl Invocation ===

impl<'a> Invocation<'a> {
    pub(super) fn of(part: &Part<'a>, report: &Report) -> Self {
        let Some(run) = part.run else {
            let said = format!("the report does not say how {} ran", part.tool);
            let notice = Notification::new("tool-not-listed", "error", said);
            return Self { tool_execution_notifications: vec![notice], ..Self::default() };
        };
        let start = run.started_ms.and_then(|ms| later(report.started, ms));
        let end = start.and_then(|start| later(start, run.usage.wall_ms));
        let mut invocation = Self {
            execution_successful: run.status.did_its_work(),
            command_line: run.commands.first().map(|command| shown(command)),
            start_time_utc: start.map(|it| it.to_string()),
            end_time_utc: end.map(|it| it.to_string()),
            tool_execution_notifications: notifications(run),
            ..Self::default()
        };
        match &run.end {
            Some(ToolEnd::Exited { code }) => invocation.exit_code = Some(*code),
            Some(ToolEnd::Signalled { signal }) => invocation.exit_signal_number = Some(*signal),
            Some(ToolEnd::NotStarted { why }) => {
                invocation.process_start_failure_message = Some(shown(why));
            }
            Some(
                ToolEnd::TimedOut
                | ToolEnd::Cancelled
                | ToolEnd::LimitReached { .. }
                | ToolEnd::Lost { .. },
            )
            | None => {}
        }
        invocation
    }
}

fn later(start: Timestamp, ms: u64) -> Option<Timestamp> {
    let ms = i64::try_from(ms).ok()?;
    start.checked_add(SignedDuration::from_millis(ms)).ok()
}

fn notifications(run: &ToolRun) -> Vec<Notification<'_>> {
    let mut notices = Vec::new();
    if run.status != ToolStatus::Ok {
        let level = match (run.status.did_its_work(), run.required) {
            (true, _) => "note",
            (false, true) => "error",
            (false, false) => "warning",
        };
        let reason = run.reason.as_deref().map(|it| format!(": {it}")).unwrap_or_default();
        let mend = run.mend.as_deref().map(|it| format!(" (to mend: {it})")).unwrap_or_default();
        let said = format!("{}: {}{reason}{mend}", run.tool, run.status);
        notices.push(Notification::new("tool-status", level, said));
    }
    if !run.files_failed.is_empty() {
        let said = format!("{} could not read {} files", run.tool, run.files_failed.len());
        let mut notice = Notification::new("files-not-read", "warning", said);
        let files = run.files_failed.iter().take(UNREAD_FILES);
        notice.locations = files.map(|path| Place::of_file(path.as_str())).collect();
        notices.push(notice);
    }
    notices.extend(run.notes.iter().map(|note| Notification::new("note", "note", note.clone())));
    notices
}

// === impl Notification ===

impl Notification<'_> {
    pub(super) fn new(id: &'static str, level: &'static str, said: String) -> Self {
        let (descriptor, message) = (NotificationId { id }, Text::owned(said));
        Self { descriptor, level, message, locations: Vec::new() }
    }
}
