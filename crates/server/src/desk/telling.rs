//! How a run is known to logs and traces: one span from its acceptance to its end, joined by all who
//! ask for the same work.
//!
//! Keeps: a beginning and an end in the log for every run, each with its task and its trace.

use super::{Asked, Run};
use crate::log::End;
use assay_trace::{Part, Span};
use assay_wire::AnalysisStatus;

/// Begins the span of a run, as a part of the trace of whoever asked first.
pub(super) fn span_of(asked: &Asked, desk: &str) -> Span {
    let request = &asked.request;
    let span = Span::begin(Part::Run, format!("{desk} run"), request.trace().as_ref());
    let span = span.of_task(&asked.task);
    span.set_app(request.model.as_deref(), request.app_number);
    if let Some(kind) = &request.analysis_type {
        span.set("assay.analysis.type", kind.as_str());
    }
    span
}

/// Says that somebody else waits for the same work: his trace is linked to it.
pub(super) fn joined(run: &Run, asked: &Asked) {
    let trace = asked.request.trace();
    run.span.happened("joined");
    if let Some(trace) = &trace {
        run.span.link(trace);
    }
    run.span.log().in_scope(|| {
        let theirs = trace.map(|trace| tracing::field::display(trace.trace));
        tracing::info!(joined_by = theirs, "a request joins");
    });
}

pub(super) fn accepted(run: &Run) {
    let (model, app) = (run.request.model.as_deref(), run.request.app_number);
    tracing::info!(model, app, "accepted");
}

/// Says that its turn has come.
pub(super) fn begun(run: &Run) {
    run.span.happened("begun");
    tracing::info!("begun");
}

/// Ends the span, before anybody is told the end.
pub(super) fn ended(run: &Run, end: &End) {
    let (span, status) = (&run.span, end.status);
    let why = end.fault.as_ref().map(|fault| fault.message.as_str());
    span.set("assay.status", status.as_str());
    match status {
        AnalysisStatus::Success | AnalysisStatus::Partial | AnalysisStatus::Cancelled => {}
        AnalysisStatus::Error | AnalysisStatus::Timeout => {
            span.fail(why.unwrap_or(status.as_str()));
        }
    }
    span.log().in_scope(|| tracing::info!(status = status.as_str(), why, "ended"));
    span.end();
}

/// Ends the span of a run that was not let in.
pub(super) fn refused(run: &Run) {
    run.span.set("assay.status", "refused");
    run.span.log().in_scope(|| tracing::info!("refused"));
    run.span.end();
}
