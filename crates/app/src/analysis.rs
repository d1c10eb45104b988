//! One analysis from its request to its report.
//!
//! Owns the order of things: copy, match, install, self-test, run, read, judge, put together.
//! Keeps: every planned tool ends exactly once, also when the analysis is stopped or a task of
//! ours panics; the deadline begins when the tools are there; nothing is left on disk but the
//! results.
//!
//! Does not: print, or know where results lie, or who asked for it: a desk does.

mod assemble; // what all tools said -> the report
mod call; // one process and its output
mod canary; // whether an installed tool finds its planted defect
mod engine; // all tools, within the slots
mod files; // files that a tool wrote
mod journal; // events, in order, to the log and to the screen
mod prepare; // installing what is needed
mod registry; // the npm registry that the user has chosen
mod stage; // copies of files of the app, for a tool that must not see the rest
mod staging; // what of the app one tool does not see as it is, and the way back
mod tool; // one tool, from its files to its verdict
mod toolbox; // what all apps of one process share: installations, self-tests, slots
mod traced; // what the trace says of a tool
mod workplace; // the folders of one analysis

pub(crate) use canary::{Bench, Showing, Shown};
pub(crate) use engine::{Engine, Limits};
pub(crate) use journal::Journal;
pub(crate) use prepare::{Ready, prepare, recipe_of};
pub(crate) use toolbox::{Toolbox, Turn};
pub(crate) use workplace::Workplace;

use crate::{
    failure::Failure,
    host,
    interrupt::Interrupt,
    setup::{Chosen, Setup},
};
use assay_model::{
    AnalysisOutcome, CancelReason, EventKind, Report, SourcePath, TaskId, ToolId, ToolRun,
    ToolStatus, TraceContext,
};
use assay_rules::{Capacity, Durations};
use assay_source::{Options, Snapshot, SourceError};
use assemble::Source;
use staging::Staging;
use std::{collections::BTreeSet, path::PathBuf, sync::Arc};
use tool::{Files, Job, ToolResult};

/// Everything that one analysis needs to be told.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) setup: Setup,
    pub(crate) task: TaskId,
    pub(crate) toolbox: Arc<Toolbox>,
    /// Where the streams of the tools are kept.
    pub(crate) logs: PathBuf,
    /// What tools are expected to take.
    pub(crate) durations: Durations,
    /// The trace that its tools are a part of.
    pub(crate) trace: TraceContext,
}

/// An analysis that has ended: the report, and the source that excerpts are taken from.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) report: Report,
    pub(crate) snapshot: Arc<Snapshot>,
    /// Held so that the copy, and what tools made, lives as long as reports are written.
    workplace: Arc<Workplace>,
}

/// A tool that has something to read.
#[derive(Debug)]
pub(crate) struct Woken {
    pub(crate) chosen: Chosen,
    pub(crate) matched: Vec<SourcePath>,
    /// Absent where nothing in the app could steer it.
    pub(crate) staging: Option<Arc<Staging>>,
}

/// An analysis under way.
struct Analysis<'a> {
    request: Request,
    snapshot: Arc<Snapshot>,
    journal: &'a Arc<Journal>,
    workplace: Arc<Workplace>,
    results: Vec<ToolResult>,
    /// A tool wrote where it should read, so others may have read something else than the app.
    is_disturbed: bool,
    started: jiff::Timestamp,
}

/// Runs one analysis to its end, when it is its `turn`. Whatever tools do is in the report; a
/// [`Failure`] means that there could be none.
///
/// # Cancel safety
///
/// Dropping the future stops every tool and removes every temporary file.
pub(crate) async fn run(
    mut request: Request,
    turn: Turn,
    journal: &Arc<Journal>,
    interrupt: &Interrupt,
) -> Result<Finished, Failure> {
    let started = jiff::Timestamp::now();
    journal.tell(EventKind::Accepted { app: request.setup.app.clone() });
    for warning in &request.setup.warnings {
        journal.warn(warning);
    }
    let workplace = Arc::new(Workplace::new(request.toolbox.cage().clone())?);
    // The user's own links are followed now, and none when the streams of a tool are read.
    request.logs = request.logs.canonicalize().unwrap_or(request.logs);
    let snapshot = Arc::new(copy(&request.setup, &workplace, interrupt).await?);
    let info = snapshot.info();
    journal.tell(EventKind::SourceRead {
        files: info.files,
        lines: info.lines,
        bytes: info.bytes,
        skipped: info.skipped.values().map(|skipped| skipped.count).sum(),
        digest: info.digest.clone(),
    });
    let results = Vec::new();
    let is_disturbed = false;
    let mut analysis =
        Analysis { request, snapshot, journal, workplace, results, is_disturbed, started };
    let woken = analysis.plan();
    let stopped = analysis.run_all(woken, turn, interrupt).await;
    let report = analysis.assemble(stopped);
    journal.tell(EventKind::Ended { outcome: report.outcome });
    let Analysis { snapshot, workplace, .. } = analysis;
    Ok(Finished { report, snapshot, workplace })
}

async fn copy(
    setup: &Setup,
    workplace: &Workplace,
    interrupt: &Interrupt,
) -> Result<Snapshot, Failure> {
    let (path, into) = (setup.path.clone(), workplace.project().as_std_path().to_owned());
    let options = Options { no_ignore: setup.no_ignore };
    let listener = interrupt.clone();
    let stop = move || listener.reason().is_some();
    let copying =
        tokio::task::spawn_blocking(move || assay_source::take(&path, &into, options, &stop));
    let taken = copying
        .await
        .map_err(|error| Failure::usage("the copy of the app broke off").because(error))?;
    taken.map_err(|error| match error {
        SourceError::Stopped => Failure::stopped(interrupt.reason()),
        SourceError::NotWritten { .. } => Failure::usage("the app could not be copied")
            .because(error)
            .hint("make room, or set TMPDIR to a disk that has some"),
        SourceError::Missing { .. }
        | SourceError::NotAnApp { .. }
        | SourceError::Unreadable { .. } => Failure::usage("the app cannot be read")
            .because(error)
            .hint("give a folder or a file that you may read"),
    })
}

// === impl Finished ===

impl Finished {
    /// Where a file lies that a tool made for the reader.
    pub(crate) fn artifact(&self, name: &str) -> PathBuf {
        let name = name.rsplit('/').next().unwrap_or(name);
        self.workplace.artifacts().join(name).into_std_path_buf()
    }
}

// === impl Analysis ===

impl Analysis<'_> {
    /// Announces every tool, and ends those that have nothing to do.
    fn plan(&mut self) -> Vec<Woken> {
        let all = self.request.setup.chosen.clone();
        for chosen in &all {
            self.journal.tell(EventKind::ToolPlanned { tool: chosen.tool.id().clone() });
        }
        for run in std::mem::take(&mut self.request.setup.absent) {
            self.journal.tell(EventKind::ToolPlanned { tool: run.tool.clone() });
            self.end(run);
        }
        let mut woken = Vec::new();
        for chosen in all {
            let staging = Staging::of(&chosen.tool, &self.snapshot).map(Arc::new);
            let mut matched = self.matched(&chosen);
            if let Some(staging) = &staging {
                matched = staging.as_seen(matched);
            }
            if matched.is_empty() {
                let mut run = chosen.not_run(ToolStatus::NoInputs);
                run.reason = Some("the app holds no file that it reads".to_owned());
                if let Some(staging) = staging {
                    staging.tell(&mut run);
                }
                self.end(run);
            } else {
                woken.push(Woken { chosen, matched, staging });
            }
        }
        woken
    }

    fn matched(&self, chosen: &Chosen) -> Vec<SourcePath> {
        let files = self.snapshot.files().iter();
        files
            .filter(|file| self.request.setup.looks_at(file.language))
            .filter(|file| chosen.tool.matches(&file.path, file.language, file.is_text()))
            .map(|file| file.path.clone())
            .collect()
    }

    /// Installs, tests and runs the tools. Returns why it was stopped, if it was.
    async fn run_all(
        &mut self,
        woken: Vec<Woken>,
        mut turn: Turn,
        interrupt: &Interrupt,
    ) -> Option<CancelReason> {
        let toolbox = Arc::clone(&self.request.toolbox);
        let provisioner = toolbox.provisioner();
        let prepared = turn.prepare(provisioner, woken, self.journal, interrupt).await;
        for run in prepared.not_run {
            self.end(run);
        }
        let jobs = prepared.ready.into_iter().map(|ready| self.job(ready)).collect();
        let engine = Engine {
            limits: Limits {
                capacity: Capacity {
                    slots: self.request.setup.jobs,
                    memory_mib: host::memory_mib(),
                },
                whole: self.request.setup.config.timeout,
                lines: self.snapshot.info().lines,
                durations: self.request.durations.clone(),
            },
            bench: Bench::new(&provisioner.settings().cache, Arc::clone(&self.workplace)),
            journal: self.journal,
            workplace: &self.workplace,
            interrupt,
        };
        let slots = toolbox.slots();
        let (jobs, untrusted) = engine.show(jobs, &mut turn, slots).await;
        let source: Arc<Snapshot> = Arc::clone(&self.snapshot);
        let (results, stopped) = engine.run(jobs, source, slots, turn).await;
        self.results.extend(untrusted);
        self.results.extend(results);
        self.doubt_what_others_could_not_read();
        if let Some(path) = self.snapshot.changed() {
            self.is_disturbed = true;
            self.journal.warn(format!(
                "a tool changed the copy of `{path}` that all tools read, so what the others say \
                 may be about something else"
            ));
        }
        stopped.max(interrupt.reason())
    }

    /// A tool that is silent about a file which others could not parse may not have read it either,
    /// so what it did not find there is no proof.
    fn doubt_what_others_could_not_read(&mut self) {
        let failed: BTreeSet<SourcePath> =
            self.results.iter().flat_map(|result| result.run.files_failed.clone()).collect();
        if failed.is_empty() {
            return;
        }
        let all = &self.request.setup.chosen;
        for run in self.results.iter_mut().map(|result| &mut result.run).filter(|run| run.clean) {
            let Some(chosen) = all.iter().find(|chosen| *chosen.tool.id() == run.tool) else {
                continue;
            };
            let files = self.snapshot.files().iter().filter(|file| failed.contains(&file.path));
            let mut read = files.filter(|f| chosen.tool.matches(&f.path, f.language, f.is_text()));
            if let Some(file) = read.next() {
                run.clean = false;
                run.notes.push(format!("other tools could not read `{}`", file.path));
            }
        }
    }

    fn job(&self, ready: Ready) -> Job {
        let snapshot = Arc::clone(&self.snapshot);
        let staging = ready.staging.clone();
        let holds = move |path: &SourcePath| match &staging {
            Some(staging) => staging.shows(path),
            None => snapshot.holds(path),
        };
        Job {
            ready,
            files: Files::new(holds),
            logs: self.request.logs.clone(),
            artifacts: self.workplace.artifacts().into_std_path_buf(),
            trace: self.request.trace.clone(),
        }
    }

    fn end(&mut self, run: ToolRun) {
        self.journal.tell(EventKind::ToolEnded { run: Box::new(run.clone()) });
        self.results.push(ToolResult { run, observations: Vec::new() });
    }

    fn assemble(&mut self, stopped: Option<CancelReason>) -> Report {
        let outcome = self.outcome(stopped);
        let source = Source {
            setup: &self.request.setup,
            task: self.request.task.clone(),
            snapshot: &self.snapshot,
            started: self.started,
            duration_ms: self.journal.elapsed_ms(),
            warnings: self.journal.warnings(),
            isolation: self.workplace.cage().describe(),
        };
        source.report(std::mem::take(&mut self.results), outcome)
    }

    fn outcome(&self, stopped: Option<CancelReason>) -> AnalysisOutcome {
        let runs = || self.results.iter().map(|result| &result.run);
        match stopped {
            Some(CancelReason::ShuttingDown) => AnalysisOutcome::Terminated,
            Some(CancelReason::DeadlinePassed) => AnalysisOutcome::TimedOut,
            Some(CancelReason::Requested | CancelReason::NobodyWaits) => {
                AnalysisOutcome::Interrupted
            }
            None if runs().all(|run| run.status == ToolStatus::NoInputs) => {
                AnalysisOutcome::NothingToAnalyse
            }
            None if self.is_disturbed || runs().any(ToolRun::leaves_a_gap) => {
                AnalysisOutcome::Incomplete
            }
            None => AnalysisOutcome::Complete,
        }
    }
}

/// Names the streams of a tool: `ruff.stdout`, or `hadolint.2.stdout` for one of several calls.
pub(crate) fn log_name(tool: &ToolId, (call, calls): (usize, usize), stream: &str) -> String {
    if calls == 1 { format!("{tool}.{stream}") } else { format!("{tool}.{}.{stream}", call + 1) }
}
