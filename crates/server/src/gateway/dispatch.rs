//! What the gateway does with a run: a service does it, and the book remembers it.
//!
//! Keeps: trying again is decided here and nowhere else; only work is tried again whose service is
//! lost or too busy, on another replica, within the budget.

use super::{
    acceptance::{before, unwritten, written},
    call::{Call, Called},
    connector::Connector,
    ends::write_end,
    stream::Stream,
};
use crate::{
    desk::{Run, Work, unstarted},
    log::End,
    metrics::Metrics,
    progress::Progress,
    refusal::whole_ms,
};
use assay_model::Event;
use assay_pool::{EndpointId, LeaseError, Pool, ServiceId, Wish};
use assay_rules::{
    Dice,
    retry::{Backoff, Budget, BudgetSettings},
};
use assay_store::{Book, StoreError, StoredEvent};
use assay_trace::{Part, Span};
use assay_wire::{
    AnalysisStatus, Analyzer, ErrorCode, Fault, Route, WireError,
    gateway::{Frame as GatewayFrame, Reply as GatewayReply},
    service::AnalysisReply,
    stamp,
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tracing::Instrument as _;

/// The pool of connections to services.
pub(super) type GatewayPool = Pool<Connector>;

/// Attempts at one run, the first among them.
const ATTEMPTS: u32 = 3;

pub(crate) struct Dispatch {
    means: Means,
    budget: Mutex<Budget>,
    dice: Mutex<Dice>,
}

/// What runs are carried out with.
pub(super) struct Means {
    pub(super) pool: Arc<GatewayPool>,
    pub(super) services: BTreeMap<&'static str, ServiceId>,
    pub(super) book: Option<Arc<Book>>,
    pub(super) stream: Arc<Stream>,
    pub(super) metrics: Arc<Metrics>,
}

/// How one attempt went.
pub(super) enum Attempt {
    Ended(End),
    /// It may be tried elsewhere.
    Again {
        why: Fault,
        avoid: Option<EndpointId>,
        retry_after: Option<Duration>,
    },
}

// === impl Dispatch ===

impl Dispatch {
    pub(super) fn new(means: Means, seed: u64) -> Self {
        Self {
            means,
            budget: Mutex::new(Budget::new(BudgetSettings::default())),
            dice: Mutex::new(Dice::seeded(seed)),
        }
    }

    async fn attempts(&self, run: &Arc<Run>, events: &mpsc::Sender<Event>) -> End {
        let mut avoid = None;
        for attempt in 1.. {
            self.remember_start(run, run.before.attempts.saturating_add(attempt)).await;
            let span = Span::begin(Part::Attempt, "attempt", Some(run.span.context()));
            let span = span.of_task(&run.task);
            span.set("assay.attempt", attempt);
            let attempting = self.attempt(run, avoid, (events, &span));
            let attempted = attempting.instrument(span.log().clone()).await;
            tell(&span, &attempted);
            let (why, retry_after) = match attempted {
                Attempt::Ended(end) => return end,
                Attempt::Again { why, avoid: failed, retry_after } => {
                    avoid = failed.or(avoid);
                    (why, retry_after)
                }
            };
            let is_last = attempt >= ATTEMPTS || run.cancelled_now().is_some();
            let retry = self.budget.lock().expect("nothing panics while it holds it").retry();
            let (false, Ok(retry)) = (is_last, retry) else {
                return self.unstarted(run, AnalysisStatus::Error, why);
            };
            self.means.metrics.retried();
            tracing::warn!(attempt, why = %why.message, "it is tried again");
            let pause = {
                let mut dice = self.dice.lock().expect("nothing panics while it holds it");
                Backoff::default().pause(attempt - 1, retry_after, &mut dice)
            };
            tokio::select! {
                () = sleep(pause.min(run.left())) => {}
                _ = run.cancelled() => {}
            }
            self.budget.lock().expect("nothing panics while it holds it").retry_ended(retry);
        }
        unreachable!("attempts are counted in 32 bits and bounded")
    }

    /// One attempt, from the lease to the answer.
    async fn attempt(
        &self,
        run: &Run,
        avoid: Option<EndpointId>,
        (events, span): (&mpsc::Sender<Event>, &Span),
    ) -> Attempt {
        let analyzer = analyzer_of(run);
        let deadline = Instant::now() + run.left();
        let wish = Wish { service: self.means.services[analyzer.as_str()], deadline, avoid };
        let leased = tokio::select! {
            biased;
            leased = self.means.pool.lease(wish) => leased,
            reason = run.cancelled() => return Attempt::Ended(unstarted(self, run, reason)),
        };
        let mut lease = match leased {
            Ok(lease) => lease,
            Err(error) => return refused(&error, run),
        };
        let endpoint = lease.endpoint();
        let url = &*self.means.pool.address(endpoint);
        span.set("url.full", url);
        tracing::debug!(url, "a service is asked");
        let (begun, trace) = (Instant::now(), span.context());
        let call = Call { dispatch: self, run, analyzer, events, begun, trace };
        let Called { attempt, answer, is_reusable } = call.run(&mut lease).await;
        let is_reusable = is_reusable && lease.is_lasting();
        if is_reusable {
            lease.finish(answer);
        } else {
            lease.close(answer);
        }
        match attempt {
            Attempt::Again { why, retry_after, .. } => {
                Attempt::Again { why, avoid: Some(endpoint), retry_after }
            }
            ended @ Attempt::Ended(_) => ended,
        }
    }

    async fn remember_start(&self, run: &Run, attempt: u32) {
        if let Some(book) = &self.means.book
            && let Err(error) = book.started(&run.task, attempt, Timestamp::now()).await
        {
            tracing::error!(%error, "a start is not remembered");
        }
    }

    /// Tells all who subscribed.
    fn publish(&self, run: &Run, reply: GatewayReply, is_end: bool) {
        let mut frame = GatewayFrame::new(reply);
        frame.envelope.correlation_id = Some(run.task.to_string());
        if is_end {
            self.means.stream.publish_end(frame.encode());
        } else {
            self.means.stream.publish(frame.encode(), Some(run.task.clone()));
        }
    }
}

/// Says in the trace how an attempt went.
fn tell(span: &Span, attempt: &Attempt) {
    match attempt {
        Attempt::Ended(end) => span.set("assay.status", end.status.as_str()),
        Attempt::Again { why, .. } => {
            span.set("error.type", why.code.as_str());
            span.fail(why.message.as_str());
        }
    }
}

/// The analyzer that the desk chose the run for; its route was found when it was asked.
pub(super) fn analyzer_of(run: &Run) -> Analyzer {
    let route = Route::of(None, run.request.analysis_type.as_ref());
    route.ok().and_then(|route| route.service.analyzer()).unwrap_or(Analyzer::Static)
}

fn refused(error: &LeaseError<WireError>, run: &Run) -> Attempt {
    let code = ErrorCode::of_word(error.code()).unwrap_or(ErrorCode::Internal);
    let mut why = Fault::new(code, error.to_string());
    why.retry_after_ms = error.retry_after().map(whole_ms);
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        why.causes.push(cause.to_string());
        source = cause.source();
    }
    let retry_after = error.retry_after();
    // Waiting is done by the pool: what it refuses at once is not worth another try from here, but
    // for an endpoint that did not accept.
    let is_worth_it =
        matches!(error, LeaseError::Connect { .. } | LeaseError::ConnectTimeout { .. });
    if is_worth_it {
        return Attempt::Again { why, avoid: None, retry_after };
    }
    let status =
        if code == ErrorCode::Timeout { AnalysisStatus::Timeout } else { AnalysisStatus::Error };
    Attempt::Ended(end_of(analyzer_of(run), run, status, why))
}

/// The end of a run that has no reply of a service: said in the words of one.
pub(super) fn end_of(analyzer: Analyzer, run: &Run, status: AnalysisStatus, fault: Fault) -> End {
    end_made_at(None, analyzer, run, status, fault)
}

/// As [`end_of`], made at that time: `None` means now.
pub(super) fn end_made_at(
    at: Option<Timestamp>,
    analyzer: Analyzer,
    run: &Run,
    status: AnalysisStatus,
    fault: Fault,
) -> End {
    let whose = (run.request.model.as_deref(), run.request.app_number);
    let analysis = crate::Answer::refused(whose, status, &fault).analysis;
    let mut reply = AnalysisReply::new(analyzer, status, analysis);
    reply.task_id = Some(run.task.clone());
    reply.timestamp = at.map(stamp::written);
    End { status, body: reply.to_payload(), fault: Some(fault) }
}

impl Work for Dispatch {
    async fn accepted(&self, run: &Run) -> Result<Option<End>, Fault> {
        let Some(book) = self.means.book.as_ref().filter(|_| !run.before.is_accepted) else {
            return Ok(None);
        };
        let task = written(run);
        match book.accept(task).await {
            Ok(()) => Ok(None),
            Err(StoreError::TaskTaken { .. }) => before(book, run).await.map(Some),
            Err(error) => Err(unwritten(&error)),
        }
    }

    async fn work(&self, run: Arc<Run>, events: mpsc::Sender<Event>) -> End {
        let call = self.budget.lock().expect("nothing panics while it holds it").call_began();
        let end = self.attempts(&run, &events).await;
        self.budget.lock().expect("nothing panics while it holds it").call_ended(call);
        end
    }

    async fn happened(&self, run: &Run, events: &[Event], progress: &mut Progress) {
        self.means.metrics.happened(events);
        for event in events {
            self.publish(run, GatewayReply::Progress(Box::new(progress.of(event))), false);
        }
        let Some(book) = &self.means.book else { return };
        let stored = events.iter().filter_map(|event| {
            let json = serde_json::to_string(event).ok()?;
            Some(StoredEvent { seq: event.seq, json })
        });
        if let Err(error) = book.append(&run.task, stored.collect()).await {
            tracing::error!(%error, "events are not remembered");
        }
    }

    async fn ended(&self, run: &Run, end: End) -> End {
        self.means.metrics.analysis_ended(analyzer_of(run).as_str(), end.status);
        if let Some(book) = &self.means.book {
            write_end(book, &run.task, &end).await;
        }
        let end_frame = GatewayReply::Task(Box::new(assay_wire::TaskStatus {
            status: Some(end.status),
            ..assay_wire::TaskStatus::new(assay_wire::TaskState::Finished, Some(run.task.clone()))
        }));
        self.publish(run, end_frame, true);
        end
    }

    fn unstarted(&self, run: &Run, status: AnalysisStatus, fault: Fault) -> End {
        end_of(analyzer_of(run), run, status, fault)
    }
}
