//! What was open when the process before this one ended.
//!
//! Keeps: every task that was accepted comes to an end, and to one: it is done anew or ended as
//! lost, by policy.

use super::{Gateway, Shared, acceptance::request_of, ends::write_end};
use crate::desk::{Asked, Before, Refused, Seat, WorkKey};
use assay_model::{TaskId, TraceContext};
use assay_rules::{
    admission::Priority,
    ledger::{Age, ClientId, Follow},
};
use assay_store::{Book, EndState, OpenTask, StoreError, TaskEnd};
use assay_wire::{AnalysisRequest, AnalysisStatus, ErrorCode};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tracing::Instrument as _;

/// What becomes of work that was accepted and had not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resume {
    /// It is done anew, unless its deadline has passed.
    #[default]
    Restart,
    /// It is ended as lost.
    Lose,
}

/// What a recovery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    pub restarted: u32,
    /// Ended as timed out: nobody waits for them any more.
    pub late: u32,
    /// Ended as lost.
    pub lost: u32,
    /// Batches that go on; their tasks are counted above.
    pub batches: u32,
}

/// Attempts after which a task is not done anew: it may be what ends the process.
const ATTEMPTS_MAX: u32 = 3;

// === impl Gateway ===

impl Gateway {
    /// Takes up what the book holds open. To be called once, before clients are let in.
    ///
    /// # Errors
    ///
    /// The book cannot be read or written.
    pub async fn recover(&self, resume: Resume) -> Result<Recovered, StoreError> {
        let shared = &self.shared;
        let mut recovered = Recovered::default();
        let Some(book) = &shared.book else { return Ok(recovered) };
        // Nobody holds this connection; who comes back finds its task by name.
        let client = shared.desk.new_client();
        for open in book.open_tasks().await? {
            match restartable(&open, resume) {
                Ok((request, left)) => match restart(shared, client, &open, request, left).await {
                    Ok(seat) => {
                        share_end(shared, book, &open, seat);
                        recovered.restarted += 1;
                    }
                    // It has passed while those before it were taken up.
                    Err(Refused::DeadlinePassed) => end_late(book, &open, &mut recovered).await?,
                    // Nothing else is refused at a start but by bounds that were made smaller since:
                    // it stays open then, and the next start sees it again.
                    Err(refused) => {
                        about_open(&open).in_scope(|| {
                            tracing::error!(?refused, "a task that was open is not taken up");
                        });
                    }
                },
                Err(End::Late) => end_late(book, &open, &mut recovered).await?,
                Err(End::Lost) => {
                    let words = "the server ended while it was open";
                    end(book, &open, EndState::Lost, (AnalysisStatus::Error, words)).await?;
                    recovered.lost += 1;
                }
            }
        }
        recovered.batches = super::batch::recover(shared, book, resume).await?;
        Ok(recovered)
    }
}

/// Why a task is not done anew.
enum End {
    Late,
    Lost,
}

fn restartable(open: &OpenTask, resume: Resume) -> Result<(AnalysisRequest, Duration), End> {
    if resume == Resume::Lose || open.attempt >= ATTEMPTS_MAX {
        return Err(End::Lost);
    }
    let left = open.task.deadline_at.duration_since(Timestamp::now());
    let left = Duration::try_from(left).ok().filter(|left| !left.is_zero()).ok_or(End::Late)?;
    let request = request_of(&open.task.request).ok_or(End::Lost)?;
    Ok((request, left))
}

async fn restart(
    shared: &Arc<Shared>,
    client: ClientId,
    open: &OpenTask,
    mut request: AnalysisRequest,
    left: Duration,
) -> Result<Seat, Refused> {
    // The trace goes on where the process before this one had it.
    request.traceparent.clone_from(&open.task.traceparent);
    let asked = Asked {
        key: WorkKey(u128::from_str_radix(&open.task.key, 16).unwrap_or_default()),
        task: open.task.id.clone(),
        request: Arc::new(request),
        client,
        payer: client,
        who: open.task.client.as_str().into(),
        priority: Priority::from_number(open.task.priority).unwrap_or_default(),
        bytes: open.task.request.len() as u64,
        deadline: Instant::now() + left,
        follow: Follow::Detach,
        age: Age::Any,
        before: Before { is_accepted: true, attempts: open.attempt, next_seq: open.next_seq },
        batch: open.task.batch.as_deref().and_then(|batch| TaskId::new(batch).ok()),
    };
    shared.desk.submit(asked).await
}

/// The span of the log for what is said about an open task.
fn about_open(open: &OpenTask) -> tracing::Span {
    let trace = open.task.traceparent.as_deref();
    let trace = trace.and_then(|trace| TraceContext::parse(trace, None));
    assay_trace::about(Some(&open.task.id), trace.as_ref())
}

/// Has a task that was taken up together with an equal one end as that does. Two equal tasks are
/// open where one was stopping, or doubted, while the other was asked for.
fn share_end(shared: &Shared, book: &Arc<Book>, open: &OpenTask, seat: Seat) {
    let (task, book) = (open.task.id.clone(), Arc::clone(book));
    about_open(open).in_scope(|| {
        tracing::info!(run = %seat.task, "a task that was open is done anew");
    });
    if seat.task != task {
        let sharing = async move {
            let end = seat.log.wait_for_end().await;
            write_end(&book, &task, &end).await;
        };
        shared.sharing.spawn(sharing.instrument(about_open(open)));
    }
}

async fn end_late(
    book: &Book,
    open: &OpenTask,
    recovered: &mut Recovered,
) -> Result<(), StoreError> {
    recovered.late += 1;
    let words = "its time was over when the server came back";
    end(book, open, EndState::TimedOut, (AnalysisStatus::Timeout, words)).await
}

async fn end(
    book: &Book,
    open: &OpenTask,
    state: EndState,
    (status, words): (AnalysisStatus, &str),
) -> Result<(), StoreError> {
    let code = match state {
        EndState::TimedOut => ErrorCode::Timeout,
        EndState::Finished | EndState::Failed | EndState::Cancelled | EndState::Lost => {
            ErrorCode::Internal
        }
    };
    let end = TaskEnd {
        at: Timestamp::now(),
        state,
        status: status.as_str().to_owned(),
        code: Some(code.as_str().to_owned()),
        message: Some(words.to_owned()),
        result: None,
    };
    book.end(&open.task.id, end).await.map(|_| ())
}
