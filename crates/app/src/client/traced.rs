//! A request as a part of a trace: measured from its first frame to its answer.

use super::status_of;
use assay_model::{TaskId, TraceContext};
use assay_trace::{Part, Span, given, is_exported};
use assay_wire::{AnalysisRequest, AnalysisStatus, Payload};
use std::env;

/// A request that is with a server.
#[derive(Debug)]
pub(crate) struct Traced {
    span: Span,
}

// === impl Traced ===

impl Traced {
    /// Begins the span of a request, which is told the trace: that of whoever began this process, or a
    /// new one.
    pub(crate) fn begin(request: &mut AnalysisRequest, url: &str) -> Self {
        let given = given(|name| env::var(name).ok());
        let span = Span::begin(Part::Request, "analysis request", given.as_ref());
        span.set("url.full", url);
        span.set_app(request.model.as_deref(), request.app_number);
        if let Some(trace) = told(&span, given.as_ref()) {
            request.set_trace(trace);
        }
        Self { span }
    }

    /// Says which task it became.
    pub(crate) fn accepted(&self, task: &TaskId) {
        self.span.set_task(task);
        self.span.log().in_scope(|| tracing::info!("accepted"));
    }

    pub(crate) fn answered(self, reply: &Payload) {
        let status = status_of(reply);
        self.span.set("assay.status", status.as_str());
        if matches!(status, AnalysisStatus::Error | AnalysisStatus::Timeout) {
            self.span.fail(status.as_str());
        }
        self.span.log().in_scope(|| tracing::info!(status = status.as_str(), "ended"));
    }

    pub(crate) fn refused(self, why: &str) {
        self.span.fail(why);
        self.span.log().in_scope(|| tracing::info!(why, "refused"));
    }
}

/// What the server is told. Where nothing of this process is recorded its own span is not named: the
/// trace would begin with one that nobody ever finds.
fn told<'a>(span: &'a Span, given: Option<&'a TraceContext>) -> Option<&'a TraceContext> {
    let is_recorded = is_exported() || tracing::enabled!(tracing::Level::INFO);
    if is_recorded { Some(span.context()) } else { given }
}
