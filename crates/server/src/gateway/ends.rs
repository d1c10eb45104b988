//! How an end is written down.
//!
//! Keeps: an end that finds no room waits for it. One that is told and not written would be followed
//! by another, since the next process does anew what has none.

use crate::log::End;
use assay_model::TaskId;
use assay_store::{Book, EndState, TaskEnd};
use assay_wire::{AnalysisStatus, Fault};
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::sleep;

/// How often an end that waits for room on the disk is tried again.
const ROOM_EVERY: Duration = Duration::from_millis(500);

/// Writes an end down; on a full disk without its result, and where there is no room even for that,
/// when there is some.
///
/// # Cancel safety
///
/// Safe: it is written whole or not at all, and a second end is not taken.
pub(super) async fn write_end(book: &Book, task: &TaskId, end: &End) {
    let whole = TaskEnd {
        at: Timestamp::now(),
        state: end_state(end.status, end.fault.as_ref()),
        status: end.status.as_str().to_owned(),
        code: end.fault.as_ref().map(|fault| fault.code.as_str().to_owned()),
        message: end.fault.as_ref().map(|fault| fault.message.clone()),
        result: Some(end.body.to_bytes()),
    };
    let bare = TaskEnd { result: None, ..whole.clone() };
    let mut has_waited = false;
    loop {
        for stored in [&whole, &bare] {
            match book.end(task, stored.clone()).await {
                Ok(_) => return,
                Err(error) if error.is_full() => {}
                Err(error) => {
                    // It is told all the same: it is the truth, whatever became of the book.
                    tracing::error!(task_id = %task, %error, "an end is not remembered");
                    return;
                }
            }
        }
        if !std::mem::replace(&mut has_waited, true) {
            tracing::error!(task_id = %task, "an end waits until the disk has room for it");
        }
        sleep(ROOM_EVERY).await;
    }
}

fn end_state(status: AnalysisStatus, fault: Option<&Fault>) -> EndState {
    match (status, fault) {
        (AnalysisStatus::Cancelled, _) => EndState::Cancelled,
        (AnalysisStatus::Timeout, _) => EndState::TimedOut,
        (AnalysisStatus::Error, Some(_)) => EndState::Failed,
        // A service that finds an app broken has done its work.
        (AnalysisStatus::Success | AnalysisStatus::Partial | AnalysisStatus::Error, _) => {
            EndState::Finished
        }
    }
}
