//! What all tools said becomes the report.

use super::tool::ToolResult;
use crate::{
    exit::{Exit, at_or_above},
    host,
    setup::Setup,
};
use assay_model::{
    AnalysisOutcome, AppInfo, Environment, Observation, REPORT_VERSION, Report, SelectionInfo,
    TaskId, ToolRun, Verdict,
};
use assay_report::{InSource, Rules, build};
use assay_source::Snapshot;

/// Everything about an analysis but what its tools said.
pub(crate) struct Source<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) task: TaskId,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) started: jiff::Timestamp,
    pub(crate) duration_ms: u64,
    pub(crate) warnings: Vec<String>,
    /// What held the tools.
    pub(crate) isolation: Vec<String>,
}

// === impl Source ===

impl Source<'_> {
    /// Puts the report together.
    pub(crate) fn report(self, results: Vec<ToolResult>, outcome: AnalysisOutcome) -> Report {
        let (mut tools, mut observations) = (Vec::<ToolRun>::new(), Vec::<Observation>::new());
        for result in results {
            tools.push(result.run);
            observations.extend(result.observations);
        }
        tools.sort_by(|a, b| a.tool.cmp(&b.tool));
        let built = build(observations, self.snapshot, &self.rules());
        let config = &self.setup.config;
        let exit = Exit::of(outcome, &built.counts, config);
        let at_or_above = at_or_above(&built.counts, config);
        Report {
            report_version: REPORT_VERSION.to_owned(),
            task: self.task.clone(),
            app: AppInfo {
                app: self.setup.app.clone(),
                path: self.setup.path.display().to_string(),
                git: self.snapshot.git().cloned(),
            },
            started: self.started,
            duration_ms: self.duration_ms,
            outcome,
            verdict: Verdict {
                fail_on: config.fail_on.to_string(),
                at_or_above,
                exit_code: exit.code(),
            },
            selection: self.selection(),
            source: self.snapshot.info().clone(),
            environment: self.environment(),
            tools,
            counts: built.counts,
            findings: built.findings,
            ignores: built.ignores,
            warnings: self.warnings,
        }
    }

    fn rules(&self) -> Rules {
        let in_source =
            if self.setup.config.ignore_suppressions { InSource::Dropped } else { InSource::Kept };
        Rules {
            ignores: self.setup.ignores.clone(),
            severities: self.setup.severities.clone(),
            in_source,
            today: jiff::Zoned::now().date(),
        }
    }

    fn selection(&self) -> SelectionInfo {
        SelectionInfo {
            analyses: vec![self.setup.config.kinds.as_str().to_owned()],
            profile: self.setup.config.profile,
            tools: self.setup.config.tools.clone(),
            from_project: self.setup.from_project.clone(),
        }
    }

    fn environment(&self) -> Environment {
        Environment {
            assay: env!("CARGO_PKG_VERSION").to_owned(),
            os: host::os(),
            cpus: host::cpus(),
            jobs: self.setup.jobs,
            python: None,
            node: None,
            isolation: self.isolation.clone(),
        }
    }
}
