//! An analyzer that does as the model's name in its request says.

use assay_model::{CancelReason, Event, EventKind, ToolId};
use assay_server::{Analyze, Answer, Job, Tell, ToolsAtHand};
use assay_wire::{AnalysisStatus, Analyzer, Payload};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{LazyLock, Mutex},
    time::Duration,
};
use tokio::time::sleep_until;

#[derive(Debug, Default)]
pub(crate) struct Fake;

static RUNS: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);

/// How often an analysis of this name was run.
pub(crate) fn runs_of(task: &str) -> u32 {
    RUNS.lock().unwrap().get(task).copied().unwrap_or(0)
}

impl Analyze for Fake {
    fn sort(&self) -> Analyzer {
        Analyzer::Static
    }

    fn tools(&self) -> ToolsAtHand {
        let unavailable = [("broken".to_owned(), "it is not installed".to_owned())];
        ToolsAtHand { available: vec!["ruff".to_owned()], unavailable: BTreeMap::from(unavailable) }
    }

    fn configuration(&self) -> Payload {
        Payload::of(&json!({ "jobs": 2 })).unwrap()
    }

    async fn analyse(&self, job: Job, mut tell: Tell) -> Answer {
        *RUNS.lock().unwrap().entry(job.task.to_string()).or_default() += 1;
        let model = job.request.model.clone().unwrap_or_default();
        let had = job.deadline.saturating_duration_since(tokio::time::Instant::now());
        let tool = ToolId::new("ruff").unwrap();
        let kinds = [
            EventKind::ToolPlanned { tool: tool.clone() },
            EventKind::ToolProgress { tool, observations: 1 },
        ];
        for (seq, kind) in (0..).zip(kinds) {
            tell(&Event { seq, at_ms: 0, kind });
        }
        let status = match model.as_str() {
            "panics" => panic!("out of cheese"),
            "slow" => {
                tokio::time::sleep(Duration::from_secs(2)).await;
                AnalysisStatus::Success
            }
            "waits-once" if runs_of(job.task.as_str()) > 1 => AnalysisStatus::Success,
            "waits" | "waits-once" => {
                let reason = tokio::select! {
                    reason = job.cancelled() => reason,
                    () = sleep_until(job.deadline) => CancelReason::DeadlinePassed,
                };
                match reason {
                    CancelReason::DeadlinePassed => AnalysisStatus::Timeout,
                    _ => AnalysisStatus::Cancelled,
                }
            }
            _ => as_configured(&job).await,
        };
        let analysis = json!({ "model": model, "found": 1, "had_ms": had.as_millis() });
        Answer { status, analysis: Payload::of(&analysis).unwrap() }
    }
}

/// Does as `config.fake` says: takes `ms`, `panics`, or `is_deaf` to cancels.
async fn as_configured(job: &Job) -> AnalysisStatus {
    let Some(fake) = job.request.config.get("fake") else { return AnalysisStatus::Success };
    let works = tokio::time::sleep(Duration::from_millis(fake["ms"].as_u64().unwrap()));
    let is_deaf = fake["is_deaf"] == true;
    tokio::select! {
        biased;
        () = works => {}
        _ = job.cancelled(), if !is_deaf => return AnalysisStatus::Cancelled,
        () = sleep_until(job.deadline), if !is_deaf => return AnalysisStatus::Timeout,
    }
    assert!(fake["panics"] != true, "out of cheese");
    AnalysisStatus::Success
}
