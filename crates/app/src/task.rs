//! One analysis with its task folder: made, logged, run, kept.
//!
//! Owns what `analyze` does for its app, `batch` for each of its own, and a service for each request.
//! Keeps: what happened is in the log before anybody is shown it; an analysis without a report leaves
//! a folder that reads as lost; another attempt at a task never touches the folder of an older one.
//!
//! Does not: print, or judge what the analysis is worth.

use crate::{
    analysis::{self, Finished, Journal, Request, Toolbox, Turn},
    failure::Failure,
    interrupt::Interrupt,
    setup::Setup,
};
use assay_model::{Event, Report, TaskId, ToolStatus, TraceContext};
use assay_report::{SarifLimits, html, write_json, write_sarif, write_tool_sarif};
use assay_rules::{Durations, Estimate};
use assay_server::Tell;
use assay_store::{
    DurationsFile, Learnt, Place, ResultsRoot, RunLog, StoreError, TaskFolder, TaskInfo,
    make_task_id,
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

/// The log of events, written by the journal's thread and ended by the task.
type SharedLog = Arc<Mutex<Option<RunLog>>>;

/// Characters of a task's name.
const TASK_ID_MAX: usize = 64;

/// Attempts at one task; somebody who asks more often asks in a circle.
const ATTEMPTS_MAX: u32 = 1000;

/// A new task folder, with what it is about and its log.
type Made = (TaskInfo, TaskFolder, RunLog);

/// An analysis that is about to run.
#[derive(Debug)]
pub(crate) struct Task {
    setup: Setup,
    info: TaskInfo,
    folder: TaskFolder,
    log: RunLog,
}

/// An analysis that has ended with a report, which is not yet kept.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) finished: Finished,
    folder: TaskFolder,
    log: RunLog,
}

// === impl Task ===

impl Task {
    /// Makes the folder of an analysis and begins its log.
    pub(crate) fn begin(setup: Setup, root: &ResultsRoot) -> Result<Self, Failure> {
        let now = jiff::Timestamp::now();
        let (info, folder, log) = make_folder(&setup, root, (make_task_id(now)?, now))?;
        Ok(Self { setup, info, folder, log })
    }

    /// The same under a name that somebody else chose. Where that is taken it is another attempt,
    /// and a number is added.
    pub(crate) fn begin_as(
        task: &TaskId,
        setup: Setup,
        root: &ResultsRoot,
    ) -> Result<Self, Failure> {
        let now = jiff::Timestamp::now();
        let mut attempt = 1;
        loop {
            match make_folder(&setup, root, (attempt_of(task, attempt), now)) {
                Err(StoreError::Exists { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
                made => {
                    let (info, folder, log) = made?;
                    return Ok(Self { setup, info, folder, log });
                }
            }
        }
    }

    pub(crate) fn id(&self) -> &TaskId {
        &self.info.task
    }

    /// The app, as a request names it.
    pub(crate) fn source(&self) -> String {
        self.setup.path.display().to_string()
    }

    /// Where its results go.
    pub(crate) fn place(&self) -> &Place {
        self.folder.place()
    }

    /// Says that it never ran.
    pub(crate) fn abandon(self) -> Result<(), StoreError> {
        self.folder.abandon(self.log)
    }

    /// Runs it to its end, as a part of a trace. `tell` hears of every event after it is in the log.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops every tool; the folder then reads as lost.
    pub(crate) async fn run(
        self,
        toolbox: &Arc<Toolbox>,
        turn: Turn,
        (tell, trace): (Tell, &TraceContext),
        interrupt: &Interrupt,
    ) -> Result<Done, Failure> {
        let log: SharedLog = Arc::new(Mutex::new(Some(self.log)));
        let journal = Arc::new(journal(&log, tell));
        let learnt = durations_file(toolbox);
        let request = Request {
            durations: known(&learnt),
            logs: self.folder.dir().join("logs"),
            task: self.info.task,
            setup: self.setup,
            toolbox: Arc::clone(toolbox),
            trace: trace.clone(),
        };
        let ended = analysis::run(request, turn, &journal, interrupt).await;
        journal.finish();
        let log = log.lock().expect("the journal's thread has ended").take();
        let log = log.expect("nobody else takes the log");
        match ended {
            Ok(finished) => {
                learn(&learnt, &finished.report);
                Ok(Done { finished, folder: self.folder, log })
            }
            Err(failure) => {
                self.folder.abandon(log)?;
                Err(failure)
            }
        }
    }
}

fn make_folder(
    setup: &Setup,
    root: &ResultsRoot,
    (id, now): (TaskId, jiff::Timestamp),
) -> Result<Made, StoreError> {
    let info = TaskInfo::new(env!("CARGO_PKG_VERSION"), id, setup.app.clone(), now)
        .at(setup.path.display().to_string());
    let (folder, log) = root.create(&info, setup.config.output.as_deref())?;
    Ok((info, folder, log))
}

/// The name of a later attempt: with its number, and no longer than a name may be.
fn attempt_of(task: &TaskId, attempt: u32) -> TaskId {
    if attempt == 1 {
        return task.clone();
    }
    let number = format!("-{attempt}");
    // A name is of letters, digits, `-` and `_`, so every byte is a character.
    let kept = task.as_str().len().min(TASK_ID_MAX - number.len());
    let name = format!("{}{number}", &task.as_str()[..kept]);
    TaskId::new(&name).expect("the characters are those of a name, and not too many")
}

fn journal(log: &SharedLog, mut tell: Tell) -> Journal {
    let log = Arc::clone(log);
    let mut is_broken = false;
    let append = move |event: &Event| {
        let mut log = log.lock().expect("nothing panics while it holds the log");
        if let Some(log) = &mut *log
            && let Err(error) = log.append(event)
            && !is_broken
        {
            // Once is enough: a full disk stays full, and the reports say the same.
            tracing::error!(%error, "events are not kept any more");
            is_broken = true;
        }
        drop(log);
        tell(event);
    };
    Journal::new(append)
}

// === impl Done ===

impl Done {
    /// Writes the task folder, its manifest last. Returns where it is.
    pub(crate) fn keep(self) -> Result<(Finished, PathBuf), StoreError> {
        let (finished, dir) = self.try_keep();
        Ok((finished, dir?))
    }

    /// The same for somebody who needs the report also where it could not be written.
    pub(crate) fn try_keep(self) -> (Finished, Result<PathBuf, StoreError>) {
        let Self { finished, folder, log } = self;
        let dir = folder.dir().to_owned();
        let kept = write_all(&finished, &folder)
            .and_then(|()| folder.finish(log, &finished.report))
            .map(|_| dir);
        (finished, kept)
    }
}

fn write_all(finished: &Finished, folder: &TaskFolder) -> Result<(), StoreError> {
    let report = &finished.report;
    for run in &report.tools {
        for name in &run.artifacts {
            folder.copy_in(name, &finished.artifact(name))?;
        }
        // A tool that had nothing to read has nothing to say either.
        if run.status != ToolStatus::NoInputs {
            let name = format!("sarif/static_{}.sarif.json", run.tool);
            folder.write(&name, |mut out| {
                write_tool_sarif(report, &run.tool, SarifLimits::default(), &mut out)
            })?;
        }
    }
    folder.write("sarif/consolidated.sarif.json", |mut out| {
        write_sarif(report, SarifLimits::default(), &mut out)
    })?;
    folder.write("services/static.json", |out| {
        let tools = &report.tools;
        let service = serde_json::json!({
            "service": "static-analyzer", "outcome": report.outcome, "counts": report.counts,
            "tools": tools,
        });
        Ok(serde_json::to_writer_pretty(out, &service)?)
    })?;
    folder.write("report.html", |out| html::write(report, &*finished.snapshot, out))?;
    folder.write("report.json", |mut out| write_json(report, &mut out))
}

// === what tools take ===

fn durations_file(toolbox: &Toolbox) -> DurationsFile {
    let cache: &Path = &toolbox.provisioner().settings().cache;
    DurationsFile::at(cache.join("durations.json"))
}

/// What tools are expected to take: as recorded on our machine, then as learnt on this one.
fn known(learnt: &DurationsFile) -> Durations {
    let recorded = assay_tools::recorded_durations();
    let recorded = recorded.into_iter().map(|(tool, (fixed_s, per_100k_lines_s))| {
        (tool, Estimate { fixed_s, per_100k_lines_s, peak_mib: None })
    });
    let learnt = learnt.load().into_iter().map(|(tool, learnt)| {
        let Learnt { fixed_s, per_100k_lines_s, peak_mib } = learnt;
        (tool, Estimate { fixed_s, per_100k_lines_s, peak_mib })
    });
    Durations::new(recorded.chain(learnt))
}

fn learn(file: &DurationsFile, report: &Report) {
    let mut durations = known(file);
    for run in report.tools.iter().filter(|run| run.status == ToolStatus::Ok) {
        let wall = Duration::from_millis(run.usage.wall_ms);
        durations.learn(run.tool.as_str(), report.source.lines, wall);
        durations.learn_memory(run.tool.as_str(), run.usage.peak_kib.div_ceil(1024));
    }
    let learnt = durations.iter().map(|(tool, known)| {
        let Estimate { fixed_s, per_100k_lines_s, peak_mib } = known;
        (tool.to_owned(), Learnt { fixed_s, per_100k_lines_s, peak_mib })
    });
    let learnt = learnt.collect();
    if let Err(error) = file.save(&learnt) {
        tracing::warn!(%error, "what tools took is not remembered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_attempt_has_a_name_of_its_own_that_is_not_too_long() {
        let check = |task: &str, attempt, expected: &str| {
            let task = TaskId::new(task).unwrap();
            assert_eq!(attempt_of(&task, attempt).as_str(), expected);
        };
        check("job-1", 1, "job-1");
        check("job-1", 2, "job-1-2");
        check(&"x".repeat(64), 10, &format!("{}-10", "x".repeat(61)));
        check(&"x".repeat(64), ATTEMPTS_MAX, &format!("{}-1000", "x".repeat(59)));
    }
}
