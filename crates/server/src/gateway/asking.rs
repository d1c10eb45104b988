//! From a request to a seat at its work.

use super::{Resolved, Shared, key::key_of};
use crate::{
    desk::{Asked, Before, Seat},
    refusal::{self, whole_ms},
};
use assay_model::TaskId;
use assay_rules::{
    admission::Priority,
    ledger::{Age, ClientId, Follow},
};
use assay_wire::{
    AnalysisRequest, AnalysisType, Analyzer, ErrorCode, Fault, Route, ServiceName, TaskState,
};
use std::sync::Arc;
use tokio::time::Instant;
use tracing::Instrument as _;

/// Asks the desk for a client. Cheap to clone.
#[derive(Clone)]
pub(super) struct Asking {
    pub(super) shared: Arc<Shared>,
    pub(super) client: ClientId,
    pub(super) payer: ClientId,
    pub(super) who: Arc<str>,
    /// The batch that it is asked for.
    pub(super) batch: Option<TaskId>,
}

// === impl Asking ===

impl Asking {
    /// Asks for the result of an analysis: finds its source, its route and its key, then a seat.
    pub(super) async fn submit(
        &self,
        request: AnalysisRequest,
        service: Option<ServiceName>,
    ) -> Result<(Seat, Analyzer), Fault> {
        let log = assay_trace::about(request.task_id.as_ref(), request.trace().as_ref());
        self.seat(request, service).instrument(log).await
    }

    async fn seat(
        &self,
        mut request: AnalysisRequest,
        service: Option<ServiceName>,
    ) -> Result<(Seat, Analyzer), Fault> {
        let limited = {
            let accounts = &self.shared.accounts;
            accounts.lock().expect("nothing panics while it holds them").admit(&self.who)
        };
        if let Err(limited) = limited {
            self.shared.metrics.rate_limited();
            return Err(Fault::new(ErrorCode::RateLimited, "too many analyses were asked for")
                .retry_after_ms(whole_ms(limited.retry_after)));
        }
        let route = Route::of(service, request.analysis_type.as_ref()).map_err(Fault::from)?;
        if request.analysis_type.is_none()
            && service.is_some_and(|name| name != ServiceName::Gateway)
        {
            request.analysis_type = Some(AnalysisType::new(route.service.as_str()));
        }
        let analyzer = route.service.analyzer().unwrap_or(Analyzer::Static);
        let timeout = request.timeout().unwrap_or(self.shared.terms.timeout);
        let deadline = Instant::now() + timeout;
        let resolved: Resolved = (self.shared.resolve)(request).await?;
        let key = key_of(&resolved, &route);
        let request = resolved.request;
        let bytes = serde_json::to_string(&request).map_or(0, |text| text.len() as u64);
        let task = self.name_of(&request).await;
        let asked = Asked {
            key,
            task,
            priority: request.priority.and_then(Priority::from_number).unwrap_or_default(),
            follow: if request.detach { Follow::Detach } else { Follow::Wait },
            age: if request.refresh { Age::Fresh } else { Age::Any },
            before: Before::default(),
            batch: self.batch.clone(),
            request: Arc::new(request),
            client: self.client,
            payer: self.payer,
            who: Arc::clone(&self.who),
            bytes,
            deadline,
        };
        let seat = self.shared.desk.submit(asked).await.map_err(refusal::fault)?;
        Ok((seat, analyzer))
    }

    /// The name of a new run. What is done afresh cannot bear a name that stands for an end already.
    async fn name_of(&self, request: &AnalysisRequest) -> TaskId {
        let Some(task) = request.task_id.clone() else { return crate::names::fresh_task() };
        let is_taken = request.refresh
            && self.shared.task_status(task.clone()).await.state != TaskState::NotFound;
        if is_taken { crate::names::fresh_task() } else { task }
    }
}
