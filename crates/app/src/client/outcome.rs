//! What the reply of a server says, as a person reads it and as an exit code.
//!
//! Does not: know findings one by one; these are in the results of the server.

use super::follow::Ended;
use crate::exit::{Exit, at_or_above};
use assay_config::Config;
use assay_model::{AnalysisOutcome, CancelReason, Counts, Severity};
use assay_wire::{AnalysisStatus, ErrorCode, Payload};
use serde::Deserialize;
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// Findings of one severity that are believed: more than there are lines of code in the world.
const COUNT_MAX: u64 = 1 << 40;

/// When to ask for a service again that cannot be reached.
const BACK_AFTER: Duration = Duration::from_secs(5);

/// The part of a reply that is told.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Outcome {
    model_slug: String,
    app_number: Option<u32>,
    error: Option<String>,
    code: Option<String>,
    retry_after_ms: Option<u64>,
    summary: Numbers,
    gaps: Vec<Gap>,
    tool_results: BTreeMap<String, Entry>,
    warnings: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Numbers {
    total_findings: Option<u64>,
    /// As services of the first system name it.
    total_issues_found: Option<u64>,
    suppressed_findings: u64,
    severity_breakdown: BTreeMap<String, u64>,
    tools_run_successfully: u64,
    duration: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Gap {
    tool: String,
    status: String,
    required: bool,
    reason: String,
    mend: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    status: String,
    total_issues: u64,
    duration: f64,
}

#[derive(Deserialize)]
struct Analysis {
    analysis: Outcome,
}

/// When to ask again, where that is worth while: a service that cannot be reached may come back, also
/// where nobody knows when.
pub(crate) fn retry_after(code: ErrorCode, told_ms: Option<u64>) -> Option<Duration> {
    let unknown = (code == ErrorCode::Unavailable).then_some(BACK_AFTER);
    told_ms.map(Duration::from_millis).or(unknown)
}

/// Bounds what a server says, so that no sum of it overflows.
fn believable(count: u64) -> u64 {
    count.min(COUNT_MAX)
}

/// Reads how an analysis ended from the reply of a service. One that cannot be read is none: a success
/// of which nobody can tell what was found would count as nothing found.
pub(crate) fn status_of(reply: &Payload) -> AnalysisStatus {
    #[derive(Deserialize)]
    struct Status {
        status: String,
    }
    match (reply.parse::<Status>(), reply.parse::<Analysis>()) {
        (Ok(said), Ok(_)) => AnalysisStatus::of_reply(&said.status),
        (Err(_), _) | (_, Err(_)) => AnalysisStatus::Error,
    }
}

/// A severity, also in the words of the first system.
fn severity(word: &str) -> Option<Severity> {
    match word {
        "error" => Some(Severity::High),
        "warning" => Some(Severity::Medium),
        word => word.parse().ok(),
    }
}

// === impl Outcome ===

impl Outcome {
    /// Reads a reply. Of one that cannot be read it is told why.
    pub(crate) fn of(reply: &Payload) -> Self {
        match reply.parse::<Analysis>() {
            Ok(reply) => reply.analysis,
            Err(error) => {
                let error = format!("the reply of the server cannot be read: {error}");
                Self { error: Some(error), ..Self::default() }
            }
        }
    }

    /// Why there is no analysis, where there is none.
    pub(crate) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// When to ask again, where there is no analysis for now.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let code = self.code.as_deref().and_then(ErrorCode::of_word);
        retry_after(code?, self.retry_after_ms)
    }

    /// Tools that were required and did not do their work.
    pub(crate) fn required_gaps(&self) -> impl Iterator<Item = &str> {
        self.gaps.iter().filter(|gap| gap.required).map(|gap| gap.tool.as_str())
    }

    /// How long the analysis took; 0 where that is not told.
    pub(crate) fn duration_ms(&self) -> u64 {
        let duration = Duration::try_from_secs_f64(self.summary.duration);
        duration.map_or(0, |took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
    }

    /// What was found. Findings of which the service tells no severity count as `info`.
    pub(crate) fn counts(&self) -> Counts {
        let Numbers { total_findings, total_issues_found, severity_breakdown, .. } = &self.summary;
        let mut by_severity: BTreeMap<Severity, u64> = BTreeMap::new();
        for (word, count) in severity_breakdown {
            if let Some(severity) = severity(word) {
                *by_severity.entry(severity).or_default() += believable(*count);
            }
        }
        let told: u64 = by_severity.values().sum();
        let total = believable(total_findings.or(*total_issues_found).unwrap_or(told));
        if total > told {
            *by_severity.entry(Severity::Info).or_default() += total - told;
        }
        let suppressed = believable(self.summary.suppressed_findings);
        Counts { total: total.max(told), by_severity, suppressed, ..Counts::default() }
    }

    /// Judges it, as `assay analyze` judges an analysis of its own.
    pub(crate) fn exit(&self, ended: &Ended, config: &Config) -> Exit {
        let outcome = match (ended.status, ended.stopped) {
            (AnalysisStatus::Success, _) => AnalysisOutcome::Complete,
            (AnalysisStatus::Timeout, _) => AnalysisOutcome::TimedOut,
            (AnalysisStatus::Cancelled, Some(CancelReason::ShuttingDown)) => {
                AnalysisOutcome::Terminated
            }
            (AnalysisStatus::Cancelled, _) => AnalysisOutcome::Interrupted,
            (AnalysisStatus::Partial | AnalysisStatus::Error, _) => AnalysisOutcome::Incomplete,
        };
        Exit::of(outcome, &self.counts(), config)
    }

    /// Says it: how it ended, what was found, what did not run.
    pub(crate) fn shown(&self, ended: &Ended, config: &Config) -> String {
        let width = assay_term::stdout_width();
        let mut text = self.head(ended);
        let counts = self.counts();
        let rows: Vec<Vec<String>> = counts
            .by_severity
            .iter()
            .rev()
            .map(|(severity, count)| vec![severity.to_string(), count.to_string()])
            .collect();
        if !rows.is_empty() {
            text.push('\n');
            text += &assay_term::table(&["severity", "findings"], &rows, width);
        }
        // Text takes all.
        let _ = writeln!(
            text,
            "\n{} findings; {} suppressed, not counted; {} count for the exit code",
            counts.total,
            counts.suppressed,
            at_or_above(&counts, config)
        );
        let rows: Vec<Vec<String>> = self
            .tool_results
            .iter()
            .map(|(tool, entry)| {
                let took = format!("{:.1}s", entry.duration);
                vec![tool.clone(), entry.status.clone(), entry.total_issues.to_string(), took]
            })
            .collect();
        if !rows.is_empty() {
            let headers = ["tool", "status", "issues", "took"];
            text.push('\n');
            text += &assay_term::table(&headers, &rows, width);
        }
        if !self.gaps.is_empty() {
            text.push_str("\nNot run\n");
        }
        for Gap { tool, status, required, reason, mend } in &self.gaps {
            let need = if *required { "" } else { ", and not required" };
            let _ = writeln!(text, "  {tool}: {}{need}: {reason}", status.replace('_', " "));
            if let Some(mend) = mend {
                let _ = writeln!(text, "    mend: {mend}");
            }
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
        text.lines().map(|line| assay_term::sanitise(line).into_owned() + "\n").collect()
    }

    fn head(&self, ended: &Ended) -> String {
        let app = match self.app_number {
            Some(number) => format!("{} app{number}", self.model_slug),
            None => self.model_slug.clone(),
        };
        let words = match ended.status {
            AnalysisStatus::Success => "analysis complete",
            AnalysisStatus::Partial => "analysis incomplete",
            AnalysisStatus::Error => "no analysis",
            AnalysisStatus::Timeout => "timed out",
            AnalysisStatus::Cancelled => "cancelled",
        };
        let task = ended.task.as_ref().map(|task| format!(" (task {task})")).unwrap_or_default();
        let mut text = format!("{app}: {words}{task}\n");
        if let Some(error) = &self.error {
            let _ = writeln!(text, "  {error}");
        }
        let Numbers { tools_run_successfully, duration, .. } = &self.summary;
        // Text takes all.
        let _ = writeln!(text, "  {tools_run_successfully} tools did their work in {duration:.1}s");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_config::Loader;
    use serde_json::json;

    fn ended(status: AnalysisStatus) -> Ended {
        let analysis = json!({
            "model_slug": "acme", "app_number": 1,
            "summary": { "total_findings": 3, "severity_breakdown": { "high": 1, "low": 2 } },
            "gaps": [{
                "tool": "gitleaks", "status": "not_available", "required": false,
                "reason": "it is not on PATH", "mend": "install gitleaks",
            }],
        });
        let reply = Payload::of(&json!({ "status": "success", "analysis": analysis })).unwrap();
        Ended { task: None, status, reply, stopped: None }
    }

    #[track_caller]
    fn check(status: AnalysisStatus, fail_on: &str, expected: Exit) {
        let flags = vec![("fail-on".to_owned(), fail_on.into(), "test".to_owned())];
        let config = Loader { flags, ..Loader::default() }.check().unwrap().config;
        let ended = ended(status);
        assert_eq!(Outcome::of(&ended.reply).exit(&ended, &config), expected, "{status} {fail_on}");
    }

    #[test]
    fn a_reply_is_judged_as_an_analysis_of_our_own() {
        check(AnalysisStatus::Success, "none", Exit::Done);
        check(AnalysisStatus::Success, "high", Exit::Findings);
        check(AnalysisStatus::Success, "critical", Exit::Done);
        check(AnalysisStatus::Partial, "high", Exit::Incomplete);
        check(AnalysisStatus::Error, "none", Exit::Incomplete);
        check(AnalysisStatus::Timeout, "none", Exit::TimedOut);
        check(AnalysisStatus::Cancelled, "none", Exit::Interrupted);
    }

    /// What a service of the first system said, with 35 issues and no severity for any.
    const OLD: &str = include_str!("../../../wire/tests/old-frames/static_static_analyze.json");

    #[track_caller]
    fn check_reply(reply: &str, expected: (AnalysisStatus, u64), at_any: Exit) {
        let reply = Payload::from_json(reply.to_owned()).unwrap();
        let (said, status) = (Outcome::of(&reply), status_of(&reply));
        assert_eq!((status, said.counts().total), expected, "{said:?}");
        let flags = vec![("fail-on".to_owned(), "any".into(), "test".to_owned())];
        let config = Loader { flags, ..Loader::default() }.check().unwrap().config;
        let ended = Ended { task: None, status, reply, stopped: None };
        assert_eq!(said.exit(&ended, &config), at_any);
    }

    #[test]
    fn no_reply_reads_as_nothing_found_that_does_not_say_so() {
        let frames: serde_json::Value = serde_json::from_str(OLD).unwrap();
        check_reply(&frames[1]["json"].to_string(), (AnalysisStatus::Success, 35), Exit::Findings);
        let of = |summary: &str| {
            format!(r#"{{"status":"success","analysis":{{"summary":{{{summary}}}}}}}"#)
        };
        let by_severity = of(r#""severity_breakdown":{"error":2,"warning":1,"odd":9}"#);
        check_reply(&by_severity, (AnalysisStatus::Success, 3), Exit::Findings);
        let huge = of(r#""total_findings":18446744073709551615,
            "severity_breakdown":{"high":18446744073709551615,"low":18446744073709551615}"#);
        check_reply(&huge, (AnalysisStatus::Success, 2 << 40), Exit::Findings);
        for unreadable in
            [of(r#""severity_breakdown":{"high":-1}"#), r#"{"status":"success"}"#.into()]
        {
            check_reply(&unreadable, (AnalysisStatus::Error, 0), Exit::Incomplete);
            let reply = Payload::from_json(unreadable).unwrap();
            assert!(Outcome::of(&reply).error().unwrap().contains("cannot be read"));
        }
    }

    #[test]
    fn what_did_not_run_is_told_with_its_mend() {
        let ended = ended(AnalysisStatus::Success);
        let config = Loader::default().check().unwrap().config;
        let text = Outcome::of(&ended.reply).shown(&ended, &config);
        assert!(text.contains("acme app1: analysis complete"), "{text}");
        assert!(text.contains("gitleaks: not available, and not required: it is not on PATH"));
        assert!(text.contains("mend: install gitleaks"), "{text}");
        assert!(text.contains("3 findings"), "{text}");
    }
}
