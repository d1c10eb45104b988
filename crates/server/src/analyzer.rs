//! What a service does. The rest is the base.

use assay_model::{CancelReason, Event, TaskId, TraceContext};
use assay_wire::{AnalysisRequest, AnalysisStatus, Analyzer, Fault, Payload};
use serde_json::json;
use std::{collections::BTreeMap, future::Future};
use tokio::{sync::watch, time::Instant};

/// The part of a service that is its own: an analyzer of one sort. Everything else, from frames to
/// slots and cancelling, is the same for all.
pub trait Analyze: Send + Sync + 'static {
    /// Which of the analyzers it is: its name, its requests, its port.
    fn sort(&self) -> Analyzer;

    /// What it can use now. Called for every health check, so it answers from memory.
    fn tools(&self) -> ToolsAtHand;

    /// The effective configuration, secrets masked: a JSON object.
    fn configuration(&self) -> Payload;

    /// Runs one analysis to its end. `tell` hears of every event, in order.
    ///
    /// The deadline and a cancel end it soon, with what was found until then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future must stop everything that it started.
    fn analyse(&self, job: Job, tell: Tell) -> impl Future<Output = Answer> + Send;
}

/// Hears of the events of one analysis.
pub type Tell = Box<dyn FnMut(&Event) + Send>;

/// One analysis that shall run now.
#[derive(Clone, Debug)]
pub struct Job {
    pub request: AnalysisRequest,
    pub task: TaskId,
    /// The trace that its work is a part of.
    pub trace: TraceContext,
    /// When the answer is due. A margin for the way back is taken off already.
    pub deadline: Instant,
    /// Why it must stop, once it must. A reason only gets graver.
    pub cancel: watch::Receiver<Option<CancelReason>>,
}

/// How an analysis ended. There always is one.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: AnalysisStatus,
    /// The `analysis` of the reply.
    pub analysis: Payload,
}

/// Which tools can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolsAtHand {
    pub available: Vec<String>,
    /// Why a tool cannot be used, by its name. One that is optional and lacks is not among them.
    pub unavailable: BTreeMap<String, String>,
}

// === impl Answer ===

impl Answer {
    /// The answer where nothing was analysed: in the words of a service, with the fault's code and
    /// what to do about it, wherever it was found out.
    pub fn refused(
        (model, app): (Option<&str>, Option<u32>),
        status: AnalysisStatus,
        fault: &Fault,
    ) -> Self {
        let mut analysis = json!({
            "model_slug": model,
            "app_number": app,
            "status": status.as_str(),
            "error": fault.message,
            "code": fault.code,
            "tools_used": [],
            "tool_results": {},
            "results": {},
        });
        if let Some(suggestion) = &fault.suggestion {
            analysis["suggestion"] = json!(suggestion);
        }
        if let Some(after) = fault.retry_after_ms {
            analysis["retry_after_ms"] = json!(after);
        }
        if !fault.causes.is_empty() {
            analysis["causes"] = json!(fault.causes);
        }
        let analysis = Payload::of(&analysis).expect("the keys of a JSON value are strings");
        Self { status, analysis }
    }
}

// === impl Job ===

impl Job {
    /// Waits until it must stop, and says why.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is consumed.
    pub async fn cancelled(&self) -> CancelReason {
        let mut cancel = self.cancel.clone();
        let asked = cancel.wait_for(Option::is_some).await.ok().and_then(|reason| *reason);
        match asked {
            Some(reason) => reason,
            // Nobody is left who could ask.
            None => std::future::pending().await,
        }
    }
}
