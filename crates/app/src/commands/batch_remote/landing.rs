//! How one app of a batch ended, as the server tells it.

use crate::{
    client::{Outcome as Said, status_of},
    exit::Exit,
};
use assay_config::Config;
use assay_model::{AnalysisOutcome, Counts, Severity, TaskId};
use assay_term::{Came, Landed};
use assay_wire::{AnalysisStatus, Payload};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// How one app ended. What an older version has put on disk lacks the last fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Landing {
    app: String,
    status: AnalysisStatus,
    findings: u64,
    by_severity: BTreeMap<Severity, u64>,
    /// Why there is no analysis.
    error: Option<String>,
    /// By this name the server has its results.
    task_id: Option<TaskId>,
    /// Tools that were required and did not do their work.
    #[serde(default)]
    gaps: Vec<String>,
    #[serde(default)]
    duration_ms: u64,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

// === impl Landing ===

impl Landing {
    pub(super) fn of(app: String, task_id: Option<TaskId>, reply: &Payload) -> Self {
        let said = Said::of(reply);
        let counts = said.counts();
        Self {
            app,
            status: status_of(reply),
            findings: counts.total,
            by_severity: counts.by_severity,
            error: said.error().map(str::to_owned),
            task_id,
            gaps: said.required_gaps().map(str::to_owned).collect(),
            duration_ms: said.duration_ms(),
            retry_after: said.retry_after(),
        }
    }

    pub(super) fn refused(app: String, why: String) -> Self {
        Self {
            app,
            status: AnalysisStatus::Error,
            findings: 0,
            by_severity: BTreeMap::new(),
            error: Some(why),
            task_id: None,
            gaps: Vec::new(),
            duration_ms: 0,
            retry_after: None,
        }
    }

    /// Whether the app was analysed; what was not is done by the next run.
    pub(super) fn is_analysed(&self) -> bool {
        match self.status {
            AnalysisStatus::Success | AnalysisStatus::Partial | AnalysisStatus::Timeout => true,
            AnalysisStatus::Error | AnalysisStatus::Cancelled => false,
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.status == AnalysisStatus::Cancelled
    }

    /// When to ask again, where it is put off, and why it is.
    pub(super) fn again(&self) -> Option<(Duration, &str)> {
        Some((self.retry_after?, self.error.as_deref().unwrap_or_default()))
    }

    pub(super) fn exit(&self, config: &Config) -> Exit {
        let outcome = match self.status {
            AnalysisStatus::Success => AnalysisOutcome::Complete,
            AnalysisStatus::Timeout => AnalysisOutcome::TimedOut,
            AnalysisStatus::Partial | AnalysisStatus::Error | AnalysisStatus::Cancelled => {
                AnalysisOutcome::Incomplete
            }
        };
        Exit::of(outcome, &self.counts(), config)
    }

    /// Its line while the batch runs.
    pub(super) fn line(&self) -> Landed {
        let came = match &self.error {
            Some(why) => Came::NoAnalysis(why.clone()),
            None => Came::Found {
                gaps: self.gaps.clone(),
                counts: self.counts(),
                duration_ms: self.duration_ms,
            },
        };
        let is_complete = self.status == AnalysisStatus::Success;
        Landed { name: self.app.clone(), word: self.word().to_owned(), is_complete, came }
    }

    /// Its row of the table: app, how it ended, findings, the worst of them, why.
    pub(super) fn row(&self) -> Vec<String> {
        let worst = self.by_severity.iter().rev().find(|(_, count)| **count > 0);
        let worst = worst.map(|(severity, count)| format!("{count} {severity}"));
        let without = (!self.gaps.is_empty()).then(|| format!("without {}", self.gaps.join(", ")));
        vec![
            self.app.clone(),
            self.word().to_owned(),
            self.findings.to_string(),
            worst.unwrap_or_default(),
            self.error.clone().or(without).unwrap_or_default(),
        ]
    }

    fn word(&self) -> &'static str {
        match self.status {
            AnalysisStatus::Success => "complete",
            AnalysisStatus::Partial => "incomplete",
            AnalysisStatus::Timeout => "timed out",
            AnalysisStatus::Cancelled => "cancelled",
            AnalysisStatus::Error => "failed",
        }
    }

    fn counts(&self) -> Counts {
        let by_severity = self.by_severity.clone();
        Counts { total: self.findings, by_severity, ..Counts::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_version_has_kept_is_read() {
        let kept = r#"{"app":"acme app1","status":"success","findings":1,"by_severity":{"high":1},
            "error":null}"#;
        let landing: Landing = serde_json::from_str(kept).unwrap();
        assert!(landing.is_analysed());
        assert_eq!(landing.row(), ["acme app1", "complete", "1", "1 high", ""]);
    }
}
