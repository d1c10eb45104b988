//! What is written down of a request before it is accepted, and what becomes of one whose name the
//! book knows.
//!
//! Keeps: a name stands for one task; who asks again by it is told the end that there is.

use super::{
    dispatch::{analyzer_of, end_made_at},
    status::kept_result,
};
use crate::{desk::Run, log::End};
use assay_store::{Book, EndRecord, NewTask, StoreError};
use assay_wire::{
    AnalysisRequest, AnalysisStatus, ErrorCode, Fault,
    gateway::{Frame, Request},
};
use jiff::Timestamp;

/// When whoever meets a task that is being stopped may ask again: stopping takes some tenths of a
/// second.
const STOPPED_WITHIN_MS: u64 = 500;

/// A request as it is written down.
pub(super) fn written(run: &Run) -> NewTask {
    let now = Timestamp::now();
    let left = jiff::SignedDuration::try_from(run.left()).unwrap_or(jiff::SignedDuration::MAX);
    let request = &run.request;
    let kind = request.analysis_type.as_ref().map_or("static", |kind| kind.as_str());
    NewTask {
        id: run.task.clone(),
        client: run.who.to_string(),
        key: key_text(run),
        model: request.model.clone().unwrap_or_default(),
        app: request.app_number.unwrap_or_default(),
        kind: kind.to_owned(),
        service: analyzer_of(run).as_str().to_owned(),
        request: serde_json::to_string(&**request).unwrap_or_default(),
        priority: request.priority.unwrap_or(1),
        deadline_at: now.saturating_add(left).unwrap_or(Timestamp::MAX),
        detach: run.is_detached,
        batch: run.batch.as_ref().map(ToString::to_string),
        accepted_at: now,
        // A process that takes it up goes on with this trace.
        traceparent: Some(run.span.context().traceparent()),
    }
}

/// Why a request is refused that cannot be written down.
pub(super) fn unwritten(error: &StoreError) -> Fault {
    tracing::error!(%error, "a request cannot be written down");
    let mut fault = Fault::new(ErrorCode::Internal, "the request cannot be written down");
    fault.causes.push(error.to_string());
    fault.suggestion = error.hint();
    fault
}

/// The end of the task that bears the name of this run, if it is the same work.
pub(super) async fn before(book: &Book, run: &Run) -> Result<End, Fault> {
    let known = book.task(&run.task).await.map_err(|error| unwritten(&error))?;
    let is_anothers = known.as_ref().is_some_and(|known| !is_of_same_app(&known.task, run));
    if is_anothers {
        let message = format!("the name `{}` is another task's", run.task);
        let fault = Fault::new(ErrorCode::InvalidMessage, message);
        return Err(fault.suggest("choose another `task_id`"));
    }
    // A run that is being stopped takes nobody in.
    let Some(end) = known.and_then(|known| known.end) else {
        let message = format!("task `{}` is being stopped: ask again when it has ended", run.task);
        return Err(Fault::new(ErrorCode::Unavailable, message).retry_after_ms(STOPPED_WITHIN_MS));
    };
    remembered(book, run, &end).await.map_err(|error| unwritten(&error))
}

/// The same work, or the same app: it may have changed since, and the end is still that of the task.
fn is_of_same_app(known: &NewTask, run: &Run) -> bool {
    let is_same = |known: AnalysisRequest| known.is_of_same_app(&run.request);
    known.key == key_text(run) || request_of(&known.request).is_some_and(is_same)
}

/// A request as it was written down; `None` where a version did that which spoke otherwise.
pub(super) fn request_of(text: &str) -> Option<AnalysisRequest> {
    let frame = format!(r#"{{"type":"analysis_request","data":{text}}}"#);
    match Frame::<Request>::decode(&frame) {
        Ok(Frame { body: Request::Analysis(request), .. }) => Some(*request),
        Ok(_) | Err(_) => None,
    }
}

/// The key of the work, as the book has it.
fn key_text(run: &Run) -> String {
    format!("{:032x}", run.key.0)
}

async fn remembered(book: &Book, run: &Run, end: &EndRecord) -> Result<End, StoreError> {
    let status = AnalysisStatus::of_reply(&end.status);
    if let Some(body) = kept_result(book, &run.task).await? {
        return Ok(End { status, body, fault: None });
    }
    let code = end.code.as_deref().and_then(ErrorCode::of_word).unwrap_or(ErrorCode::Internal);
    let words = end.message.as_deref().unwrap_or("it has ended, and its result is not kept");
    // As old as it is, so that all who ask are told the same end.
    Ok(end_made_at(Some(end.at), analyzer_of(run), run, status, Fault::new(code, words)))
}
