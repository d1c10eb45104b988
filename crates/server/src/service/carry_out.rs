//! What the service does with a run: it has its analyzer do it.

use crate::{
    analyzer::{Analyze, Answer, Job},
    desk::{Run, Work, before_deadline},
    log::End,
    margin::less_a_margin,
    metrics::Metrics,
    progress::Progress,
};
use assay_model::{CancelReason, Event, EventKind};
use assay_wire::{AnalysisStatus, ErrorCode, Fault};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout},
};

pub(super) struct CarryOut<A> {
    analyzer: Arc<A>,
    metrics: Arc<Metrics>,
    /// How long the analyzer may take to end once its time is over.
    end_within: Duration,
}

// === impl CarryOut ===

impl<A: Analyze> CarryOut<A> {
    pub(super) fn new(analyzer: Arc<A>, metrics: Arc<Metrics>, end_within: Duration) -> Self {
        Self { analyzer, metrics, end_within }
    }
}

impl<A: Analyze> Work for CarryOut<A> {
    /// A service remembers nothing: the gateway does.
    async fn accepted(&self, _: &Run) -> Result<Option<End>, Fault> {
        Ok(None)
    }

    async fn work(&self, run: Arc<Run>, events: mpsc::Sender<Event>) -> End {
        let (cancel, cancelled) = watch::channel(run.cancelled_now());
        let job = Job {
            request: (*run.request).clone(),
            task: run.task.clone(),
            trace: run.span.context().clone(),
            deadline: Instant::now() + less_a_margin(run.left()),
            cancel: cancelled,
        };
        let analysing = self.analyzer.analyse(job, tell(events));
        tokio::pin!(analysing);
        let asked = tokio::select! {
            biased;
            answer = &mut analysing => return End::from(answer),
            reason = run.cancelled() => reason,
            None = before_deadline(&run, std::future::pending::<()>()) => CancelReason::DeadlinePassed,
        };
        cancel.send_replace(Some(asked));
        if let Ok(answer) = timeout(self.end_within, analysing).await {
            return End::from(answer);
        }
        // Dropping it stops everything that it started.
        let fault = Fault::new(ErrorCode::Internal, "the analysis did not stop");
        self.unstarted(&run, AnalysisStatus::Error, fault)
    }

    async fn happened(&self, _: &Run, events: &[Event], _: &mut Progress) {
        self.metrics.happened(events);
    }

    async fn ended(&self, _: &Run, end: End) -> End {
        self.metrics.analysis_ended(self.analyzer.sort().as_str(), end.status);
        end
    }

    fn unstarted(&self, run: &Run, status: AnalysisStatus, fault: Fault) -> End {
        let whose = (run.request.model.as_deref(), run.request.app_number);
        let body = Answer::refused(whose, status, &fault).analysis;
        End { status, body, fault: Some(fault) }
    }
}

impl From<Answer> for End {
    fn from(Answer { status, analysis }: Answer) -> Self {
        Self { status, body: analysis, fault: None }
    }
}

/// Hands events on. Mere progress gives way when its reader is behind; what else there is, is
/// bounded by the number of tools, and has the other half of the queue.
fn tell(events: mpsc::Sender<Event>) -> crate::Tell {
    Box::new(move |event: &Event| {
        let is_progress = matches!(event.kind, EventKind::ToolProgress { .. });
        let is_behind = events.capacity() < events.max_capacity() / 2;
        if (!is_progress || !is_behind) && events.try_send(event.clone()).is_err() {
            tracing::debug!(seq = event.seq, "an event is not told: nobody reads, or too slowly");
        }
    })
}
