//! One call of a service for a run.
//!
//! Keeps: a cancel reaches the service, and the call ends when the service says that nothing is
//! left; the whole call is judged, from the lease to the answer.

use super::dispatch::{Attempt, Dispatch, end_of};
use crate::{
    desk::{Run, unstarted},
    log::End,
    margin::less_a_margin,
};
use assay_model::{CancelReason, Event, EventKind, TraceContext};
use assay_rules::breaker::Answer;
use assay_wire::{
    AnalysisStatus, Analyzer, Connection, ErrorCode, Fault, Progress, WireError,
    service::{AnalysisReply, Frame, Reply, Request},
};
use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

/// How long a service may take to say that a cancelled run is gone: killing takes milliseconds,
/// reading and writing what was found some more.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// One call of a service for a run.
pub(super) struct Call<'a> {
    pub(super) dispatch: &'a Dispatch,
    pub(super) run: &'a Run,
    pub(super) analyzer: Analyzer,
    pub(super) events: &'a mpsc::Sender<Event>,
    pub(super) begun: Instant,
    /// What the service's work is a part of.
    pub(super) trace: &'a TraceContext,
}

/// What came of it.
pub(super) struct Called {
    pub(super) attempt: Attempt,
    pub(super) answer: Answer,
    /// Nothing of this call is on the way any more.
    pub(super) is_reusable: bool,
}

// === impl Call ===

impl Call<'_> {
    pub(super) async fn run(&self, connection: &mut Connection) -> Called {
        let mut request = (*self.run.request).clone();
        let left = less_a_margin(self.run.left());
        request.task_id = Some(self.run.task.clone());
        request.deadline_ms = Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        request.timeout_s = None;
        request.set_trace(self.trace);
        let mut frame = Frame::new(Request::Analysis(Box::new(request)));
        frame.correlation_id = Some(self.run.task.to_string());
        if let Err(error) = connection.send(frame.encode(self.analyzer)).await {
            return lost(&error);
        }
        let asked = loop {
            let text = tokio::select! {
                biased;
                text = connection.next() => text,
                reason = self.run.cancelled() => break reason,
            };
            match text {
                Ok(Some(text)) => {
                    if let Some(called) = self.hear(&text).await {
                        return called;
                    }
                }
                Ok(None) => return lost(&WireError::Closed),
                Err(error) => return lost(&error),
            }
        };
        self.stop(connection, asked).await
    }

    /// Has the service stop, and waits until it says that nothing is left.
    async fn stop(&self, connection: &mut Connection, reason: CancelReason) -> Called {
        let cancel = Request::Cancel { task_id: Some(self.run.task.clone()), correlation_id: None };
        let by = Instant::now() + STOP_WITHIN;
        let (mut end, mut is_gone) = (None, false);
        if connection.send(Frame::new(cancel).encode(self.analyzer)).await.is_ok() {
            while end.is_none() || !is_gone {
                let Ok(Ok(Some(text))) = timeout_at(by, connection.next()).await else { break };
                match Reply::decode(&text) {
                    Ok(Reply::Analysis(reply)) if !self.is_of_this_run(&reply) => {}
                    Ok(Reply::Analysis(reply)) => end = Some(end_of_stopped(*reply, reason)),
                    Ok(Reply::Task { status, .. }) if is_about_cancel(status.state) => {
                        is_gone = true;
                    }
                    _ => {}
                }
            }
        }
        // Closing the connection cancels, too: for a service that did not answer.
        let is_reusable = is_gone && end.is_some();
        let end = end.unwrap_or_else(|| unstarted(self.dispatch, self.run, reason));
        let answer = match reason {
            // The whole call is judged: an answer that does not come in time is a failure.
            CancelReason::DeadlinePassed => Answer::Failure,
            CancelReason::NobodyWaits | CancelReason::Requested | CancelReason::ShuttingDown => {
                Answer::Ignored
            }
        };
        Called { attempt: Attempt::Ended(end), answer, is_reusable }
    }

    /// Takes in one frame of the service. Returns what came of the call, once that is known.
    async fn hear(&self, text: &assay_wire::Utf8Bytes) -> Option<Called> {
        match Reply::decode(text) {
            Ok(Reply::Progress { progress, .. }) => {
                let event = progress.event().unwrap_or_else(|| self.stage(*progress));
                self.events.send(event).await.ok();
                None
            }
            // A connection that was used before must not answer with another run's result.
            Ok(Reply::Analysis(reply)) if !self.is_of_this_run(&reply) => None,
            Ok(Reply::Analysis(reply)) => Some(Called {
                attempt: Attempt::Ended(End {
                    status: reply.status,
                    body: reply.to_payload(),
                    fault: None,
                }),
                answer: Answer::Success,
                is_reusable: true,
            }),
            Ok(Reply::Error(error)) => Some(self.failed(error.fault)),
            // What was meant for somebody else, or is only said for the sake of saying it.
            Ok(
                Reply::Pong { .. } | Reply::Health(_) | Reply::ServerStatus(_) | Reply::Task { .. },
            ) => None,
            Err(unreadable) => {
                let why = Fault::new(
                    ErrorCode::Internal,
                    format!("the service said nonsense: {unreadable}"),
                );
                let attempt = Attempt::Again { why, avoid: None, retry_after: None };
                Some(Called { attempt, answer: Answer::Failure, is_reusable: false })
            }
        }
    }

    /// What a service of the first system says of its progress: words, and no event.
    fn stage(&self, told: Progress) -> Event {
        let at_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Progress { stage, message, .. } = told;
        Event { seq: 0, at_ms, kind: EventKind::Stage { stage, message } }
    }

    /// A service of the first system names no task, and closes after each analysis.
    fn is_of_this_run(&self, reply: &AnalysisReply) -> bool {
        reply.task_id.as_ref().is_none_or(|task| *task == self.run.task)
    }

    /// The service refused, in words.
    fn failed(&self, fault: Fault) -> Called {
        let retry_after = fault.retry_after_ms.map(Duration::from_millis);
        let (answer, may_elsewhere) = match fault.code {
            ErrorCode::Overloaded | ErrorCode::RateLimited | ErrorCode::Draining => {
                (Answer::Overload { retry_after }, true)
            }
            ErrorCode::Internal | ErrorCode::Unavailable | ErrorCode::CircuitOpen => {
                (Answer::Failure, true)
            }
            ErrorCode::Timeout => (Answer::Failure, false),
            ErrorCode::InvalidJson
            | ErrorCode::InvalidMessage
            | ErrorCode::UnknownType
            | ErrorCode::Unsupported
            | ErrorCode::Unauthorized
            | ErrorCode::Cancelled
            | ErrorCode::NotFound
            | ErrorCode::TooLarge
            | ErrorCode::PathNotAllowed => (Answer::Ignored, false),
        };
        let attempt = if may_elsewhere {
            Attempt::Again { why: fault, avoid: None, retry_after }
        } else {
            Attempt::Ended(end_of(self.analyzer, self.run, AnalysisStatus::Error, fault))
        };
        Called { attempt, answer, is_reusable: true }
    }
}

/// The end that a service told after it was asked to stop.
fn end_of_stopped(reply: AnalysisReply, reason: CancelReason) -> End {
    let status = match (reason, reply.status) {
        // What it found until then is there all the same.
        (CancelReason::DeadlinePassed, AnalysisStatus::Cancelled) => AnalysisStatus::Timeout,
        (_, status) => status,
    };
    let reply = AnalysisReply { status, ..reply };
    End { status, body: reply.to_payload(), fault: None }
}

fn is_about_cancel(state: assay_wire::TaskState) -> bool {
    use assay_wire::TaskState;
    match state {
        TaskState::Cancelled | TaskState::AlreadyFinished | TaskState::NotFound => true,
        TaskState::Queued | TaskState::Running | TaskState::Finished => false,
    }
}

/// The connection broke: the work may have been done, and doing it again changes nothing.
fn lost(error: &WireError) -> Called {
    let mut why = Fault::new(ErrorCode::Unavailable, "the connection to the service was lost");
    why.causes.push(error.to_string());
    Called {
        attempt: Attempt::Again { why, avoid: None, retry_after: None },
        answer: Answer::Failure,
        is_reusable: false,
    }
}
