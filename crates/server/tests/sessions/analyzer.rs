//! An analyzer that does as `config.fake` of its request says.

use assay_model::{Event, EventKind, ToolId};
use assay_server::{Analyze, Answer, Job, Tell, ToolsAtHand};
use assay_wire::{AnalysisStatus, Analyzer, Payload};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{sleep, sleep_until};

/// What it says when it is to panic: the one panic that is no fault.
pub(crate) const PANIC: &str = "an analyzer panics as told";

#[derive(Debug)]
pub(crate) struct AsTold;

impl Analyze for AsTold {
    fn sort(&self) -> Analyzer {
        Analyzer::Static
    }

    fn tools(&self) -> ToolsAtHand {
        ToolsAtHand::default()
    }

    fn configuration(&self) -> Payload {
        Payload::null()
    }

    async fn analyse(&self, job: Job, mut tell: Tell) -> Answer {
        let told = job.request.config.get("fake").cloned().unwrap_or(Value::Null);
        let tool = ToolId::new("fake").expect("it is a name");
        for seq in 0..u32::try_from(told["events"].as_u64().unwrap_or(0)).unwrap_or(0) {
            let kind = EventKind::ToolProgress { tool: tool.clone(), observations: 1 };
            tell(&Event { seq, at_ms: 0, kind });
        }
        let works = sleep(Duration::from_millis(told["ms"].as_u64().unwrap_or(0)));
        let is_deaf = told["is_deaf"] == true;
        let status = tokio::select! {
            biased;
            () = works => AnalysisStatus::Success,
            _ = job.cancelled(), if !is_deaf => AnalysisStatus::Cancelled,
            () = sleep_until(job.deadline), if !is_deaf => AnalysisStatus::Timeout,
        };
        assert!(told["panics"] != true, "{PANIC}");
        let analysis = Payload::of(&json!({ "model": job.request.model }));
        Answer { status, analysis: analysis.unwrap_or_else(|_| Payload::null()) }
    }
}
