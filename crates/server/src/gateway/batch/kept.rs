//! What the book knows of batches, and how they go on after a restart.
//!
//! Keeps: a batch that was told as queued has an end in the book: its own, or that which the next
//! process gives it. An app of it that has ended is not analysed again.

use super::{Batch, UnderWay};
use crate::{
    gateway::{
        Shared,
        acceptance::{request_of, unwritten},
        asking::Asking,
        recovery::Resume,
    },
    outgoing,
};
use assay_model::TaskId;
use assay_store::{BatchEnd, BatchRecord, Book, NewBatch, StoreError, TaskQuery};
use assay_wire::{
    AnalysisRequest, AnalysisStatus, ErrorCode, Fault, TaskState, TaskStatus,
    gateway::{BatchRequest, Frame, Request},
};
use jiff::Timestamp;
use std::sync::Arc;

/// Tasks of one batch: as many as a request may name.
const TASKS_MAX: u32 = 10_000;

/// Writes a batch down, before anybody is told that it is taken.
pub(super) async fn accept(
    book: &Book,
    under_way: &UnderWay,
    request: &BatchRequest,
) -> Result<(), Fault> {
    let frame = Frame::new(Request::Batch(Box::new(request.clone())));
    let batch = NewBatch {
        id: under_way.task.to_string(),
        client: under_way.who.to_string(),
        request: frame.encode().to_string(),
        accepted_at: Timestamp::now(),
    };
    match book.accept_batch(batch, Vec::new()).await {
        Ok(()) => Ok(()),
        Err(StoreError::BatchTaken { batch }) => {
            let message = format!("the name `{batch}` is another batch's");
            let fault = Fault::new(ErrorCode::InvalidMessage, message);
            Err(fault.suggest("choose another `task_id`, or ask how that one is"))
        }
        Err(error) => Err(unwritten(&error)),
    }
}

/// Writes the end of a batch down.
pub(super) async fn end(book: &Book, batch: &TaskId, status: AnalysisStatus) {
    let end = BatchEnd { at: Timestamp::now(), status: status.as_str().to_owned() };
    if let Err(error) = book.end_batch(batch.as_str(), end).await {
        tracing::error!(task_id = %batch, %error, "the end of a batch is not remembered");
    }
}

/// The state of a batch, as the book remembers it; `None` where it knows none.
pub(in crate::gateway) async fn status(
    book: &Book,
    batch: &TaskId,
) -> Result<Option<TaskStatus>, StoreError> {
    let known = book.batch(batch.as_str()).await?;
    Ok(known.map(|record| match record.end {
        None => TaskStatus::new(TaskState::Running, Some(batch.clone())),
        Some(end) => TaskStatus {
            status: Some(AnalysisStatus::of_reply(&end.status)),
            ..TaskStatus::new(TaskState::Finished, Some(batch.clone()))
        },
    }))
}

/// Goes on with the batches that were open, after their tasks are taken up. Returns how many.
pub(in crate::gateway) async fn recover(
    shared: &Arc<Shared>,
    book: &Arc<Book>,
    resume: Resume,
) -> Result<u32, StoreError> {
    let mut restarted = 0;
    for record in book.open_batches().await? {
        // It was made of a task id.
        let Ok(task) = TaskId::new(&record.batch.id) else { continue };
        match (resume, request_of_batch(&record)) {
            (Resume::Restart, Some(mut request)) => {
                let query = TaskQuery {
                    batch: Some(record.batch.id.clone()),
                    limit: TASKS_MAX,
                    ..TaskQuery::default()
                };
                let known = book.tasks(query).await?;
                let known = known
                    .into_iter()
                    .filter_map(|known| Some((request_of(&known.task.request)?, known.task.id)));
                name_known(&mut request.requests, known.collect());
                // Nobody is there to hear of it.
                request.detach = true;
                let client = shared.desk.new_client();
                let who = record.batch.client.as_str().into();
                let shared = Arc::clone(shared);
                let asking = Asking { shared, client, payer: client, who, batch: None };
                let (outgoing, _) = outgoing::channel();
                let batch = Batch::of_task(task, asking, outgoing, String::new());
                batch.asking.shared.tasks.clone().spawn(batch.go_on(request));
                restarted += 1;
            }
            (Resume::Lose, _) | (Resume::Restart, None) => {
                end(book, &task, AnalysisStatus::Error).await;
            }
        }
    }
    Ok(restarted)
}

fn request_of_batch(record: &BatchRecord) -> Option<BatchRequest> {
    match Frame::<Request>::decode(&record.batch.request) {
        Ok(Frame { body: Request::Batch(batch), .. }) => Some(*batch),
        // Written by a version that spoke otherwise.
        Ok(_) | Err(_) => None,
    }
}

/// Gives each app the name of the task that it was, so that this is joined, or its end told.
fn name_known(requests: &mut [AnalysisRequest], mut known: Vec<(AnalysisRequest, TaskId)>) {
    for request in requests.iter_mut().filter(|request| request.task_id.is_none()) {
        let at = known.iter().position(|(known, _)| known.is_of_same_app(request));
        request.task_id = at.map(|at| known.swap_remove(at).1);
    }
}
