//! What the trace says of a tool.

use assay_model::{ToolEnd, ToolRun, ToolStatus};
use assay_trace::Span;

/// Says in the trace how a tool ended.
pub(super) fn ended(span: &Span, run: &ToolRun) {
    span.set("assay.tool", run.tool.as_str());
    if let Some(version) = &run.version {
        span.set("assay.tool.version", version.as_str());
    }
    span.set("assay.tool.status", run.status.to_string());
    span.set("assay.tool.observations", run.observations);
    if let Some(ToolEnd::Exited { code }) = run.end {
        span.set("process.exit.code", i64::from(code));
    }
    if !run.status.did_its_work() && run.status != ToolStatus::Cancelled {
        span.fail(run.reason.clone().unwrap_or_else(|| run.status.to_string()));
    }
}
