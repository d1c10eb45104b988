//! One tool, from its files to its verdict.

use super::{
    call::{CallEnd, Reader, Surroundings, start},
    files,
    journal::Journal,
    log_name,
    prepare::Ready,
    stage::stage,
    traced,
    workplace::Corner,
};
use assay_exec::{Network, proxy_has_a_login};
use assay_model::{
    EventKind, Limit, Observation, SourcePath, SourceText, ToolEnd, ToolPhase, ToolRun, ToolStatus,
    TraceContext, Usage,
};
use assay_tools::{Call, CallResult, OutputSource, Places, verdict};
use assay_trace::{Part, Span};
use camino::Utf8PathBuf;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// A tool with all that it needs to run on the app.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) ready: Ready,
    pub(crate) files: Files,
    pub(crate) logs: PathBuf,
    pub(crate) artifacts: PathBuf,
    /// What its span is a part of.
    pub(crate) trace: TraceContext,
}

/// Tells whether the project holds a file.
#[derive(Clone)]
pub(crate) struct Files(Arc<dyn Fn(&SourcePath) -> bool + Send + Sync>);

/// A tool that has ended.
#[derive(Debug)]
pub(crate) struct ToolResult {
    pub(crate) run: ToolRun,
    pub(crate) observations: Vec<Observation>,
}

/// What provisioning says of a program that does not tell its version.
const UNKNOWN_VERSION: &str = "unknown";

/// No password reaches a tool, so a proxy that wants one refuses it.
const PROXY_WITHOUT_LOGIN: &str = "it asks your proxy without the name and password that the proxy's address holds; if the \
     proxy wants them, name one that adds them itself";

/// When a run has to end, and who may end it before.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) deadline: Instant,
    pub(crate) cancel: CancellationToken,
}

/// All calls of one tool, done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) calls: Vec<CallResult>,
    pub(crate) observations: Vec<Observation>,
    pub(crate) usage: Usage,
    /// The longest that stopping a call took.
    pub(crate) stopping: Option<Duration>,
    pub(crate) commands: Vec<String>,
    pub(crate) artifacts: Vec<PathBuf>,
}

// === impl Files ===

impl Files {
    pub(crate) fn new(holds: impl Fn(&SourcePath) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }

    pub(crate) fn holds(&self, path: &SourcePath) -> bool {
        (self.0)(path)
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files")
    }
}

// === impl Job ===

impl Job {
    /// Runs the tool on the app.
    pub(crate) async fn run(
        self,
        mut corner: Corner,
        bounds: Bounds,
        source: Arc<dyn SourceText + Send + Sync>,
        journal: Arc<Journal>,
    ) -> ToolResult {
        let tool = self.ready.chosen.tool.id().to_string();
        let span = Span::begin(Part::Tool, tool, Some(&self.trace));
        let running = self.traced(&mut corner, bounds, (source, journal), &span);
        let result = running.instrument(span.log().clone()).await;
        traced::ended(&span, &result.run);
        corner.clear();
        result
    }

    async fn traced(
        self,
        corner: &mut Corner,
        bounds: Bounds,
        (source, journal): (Arc<dyn SourceText + Send + Sync>, Arc<Journal>),
        span: &Span,
    ) -> ToolResult {
        let tool = self.ready.chosen.tool.id().clone();
        journal.tell(EventKind::ToolPhase { tool: tool.clone(), phase: ToolPhase::Running });
        tracing::info!(%tool, "start");
        let started_ms = journal.elapsed_ms();
        let stage = corner.stage(self.ready.staging.clone()).await;
        let visit = Visit {
            ready: &self.ready,
            corner,
            files: self.files.clone(),
            logs: self.logs.clone(),
            bounds,
            journal: Some(Arc::clone(&journal)),
            trace: Some(span.context()),
        };
        let mut done = match &stage {
            Ok(_) => visit.run(&self.ready.matched).await,
            Err(error) => {
                Done::not_started(format!("its copy of the app could not be made: {error}"))
            }
        };
        if let Some(staging) = &self.ready.staging {
            staging.restore(&mut done);
        }
        let mut result = self.judge(done, source);
        result.run.started_ms = Some(started_ms);
        tracing::info!(%tool, status = %result.run.status, wall_ms = result.run.usage.wall_ms, "end");
        result
    }

    fn judge(&self, done: Done, source: Arc<dyn SourceText + Send + Sync>) -> ToolResult {
        let chosen = &self.ready.chosen;
        let matched = self.ready.matched.len() as u64;
        let judged = verdict(&chosen.tool, matched, &done.calls);
        let mut run = chosen.not_run(judged.status);
        run.clean = judged.clean;
        run.reason = judged.reason;
        run.mend = judged.mend;
        run.version = Some(chosen.version(&self.ready.installation.version));
        run.installation = Some(self.ready.installation.digest.clone());
        run.files_matched = matched;
        run.files_scanned = judged.files_scanned;
        run.files_failed = judged.files_failed;
        run.observations = judged.observations;
        run.commands = done.commands;
        run.usage = done.usage;
        run.cancel_ms = done.stopping.map(|time| time.as_millis().try_into().unwrap_or(u64::MAX));
        run.end = judged.end;
        run.stderr_tail = stderr_tail(judged.status, &done.calls);
        let count = done.artifacts.len();
        let kept = done.artifacts.iter().enumerate();
        run.artifacts =
            kept.filter_map(|(number, path)| self.keep(path, (number, count))).collect();
        run.notes.extend(judged.components.map(|count| format!("{count} components")));
        run.notes.extend(judged.notes);
        self.explain(&mut run);
        if let Some(staging) = &self.ready.staging {
            staging.tell(&mut run);
        }
        let mut observations = chosen.without_ignored_rules(done.observations, &mut run.notes);
        let mut settler = chosen.tool.settler(&*source, &done.calls);
        for observation in &mut observations {
            settler.settle(observation);
        }
        ToolResult { run, observations }
    }

    /// Says what only this room knows: which version it was, and how long it might have taken.
    fn explain(&self, run: &mut ToolRun) {
        if run.clean && run.version.as_deref() == Some(UNKNOWN_VERSION) {
            run.clean = false;
            run.notes.push(
                "its version is not known, so nothing found is no proof: set `install.version-args`"
                    .to_owned(),
            );
        }
        if self.ready.chosen.tool.declaration().network && proxy_has_a_login() {
            run.notes.push(PROXY_WITHOUT_LOGIN.to_owned());
        }
        if run.status == ToolStatus::TimedOut {
            let seconds = self.ready.chosen.timeout.as_secs();
            run.reason = Some(format!("it did not end in time ({seconds} s)"));
            let key = format!("settings.{}.timeout", run.tool);
            run.mend = Some(format!("give it more time: --set {key}=10m"));
        }
        if let Some(ToolEnd::LimitReached { limit, most }) = &run.end {
            run.mend = Some(more_of(run.tool.as_str(), *limit, *most));
        }
        if run.status == ToolStatus::Failed
            && let (Some(reason), Some(first)) = (&mut run.reason, run.files_failed.first())
            && !reason.contains(first.as_str())
        {
            *reason = format!("{reason}; it could not read `{first}`");
        }
    }

    /// Moves a file that the tool made for the reader to the results.
    fn keep(&self, path: &Path, (number, count): (usize, usize)) -> Option<String> {
        let name = path.file_name()?.to_str()?;
        let tool = self.ready.chosen.tool.id();
        let kept = if count == 1 {
            format!("{tool}-{name}")
        } else {
            format!("{tool}-{}-{name}", number + 1)
        };
        fs::create_dir_all(&self.artifacts).ok()?;
        files::copy(path, &self.artifacts.join(&kept)).ok()?;
        Some(format!("services/{kept}"))
    }
}

/// One tool's visit to one project: the app, or a sample of its self-test.
pub(crate) struct Visit<'a> {
    pub(crate) ready: &'a Ready,
    pub(crate) corner: &'a Corner,
    pub(crate) files: Files,
    pub(crate) logs: PathBuf,
    pub(crate) bounds: Bounds,
    pub(crate) journal: Option<Arc<Journal>>,
    /// Where in a trace the tool is.
    pub(crate) trace: Option<&'a TraceContext>,
}

// === impl Visit ===

impl Visit<'_> {
    /// Makes all calls, one after the other, until one is stopped.
    pub(crate) async fn run(&self, matched: &[SourcePath]) -> Done {
        let tool = &self.ready.chosen.tool;
        let prefix =
            Utf8PathBuf::from_path_buf(self.ready.installation.prefix.clone()).unwrap_or_default();
        let places = self.corner.places(prefix);
        let mut done = Done::default();
        if let Err(error) = self.corner.furnish(&places, &tool.config_files(&places)) {
            let why = format!("its folders could not be made: {error}");
            done.calls.push(not_started(why));
            return done;
        }
        let calls = tool.calls(&places, matched, &self.ready.chosen.settings);
        let count = calls.len();
        for (number, call) in calls.into_iter().enumerate() {
            done.commands.push(call.shown.clone());
            let ended = self.call(call, &places, (number, count), &mut done).await;
            let stopped = matches!(ended, ToolEnd::Cancelled | ToolEnd::TimedOut);
            if stopped {
                break;
            }
        }
        // A hundred equal command lines tell nothing that one does not.
        done.commands.dedup();
        done
    }

    async fn call(
        &self,
        mut call: Call,
        places: &Places,
        (number, count): (usize, usize),
        done: &mut Done,
    ) -> ToolEnd {
        let tool = &self.ready.chosen.tool;
        let scratch = self.corner.outside(&call.scratch);
        if let Err(error) =
            files::make_folder(scratch.as_std_path()).and_then(|()| stage(&mut call, self.corner))
        {
            done.calls.push(not_started(format!("its folder could not be made: {error}")));
            return ToolEnd::NotStarted { why: error.to_string() };
        }
        let log = |stream| self.logs.join(log_name(tool.id(), (number, count), stream));
        let declared = tool.declaration().network;
        let at = Surroundings {
            installation: &self.ready.installation,
            corner: self.corner,
            home: self.corner.home().into_std_path_buf(),
            tmp: self.corner.tmp().into_std_path_buf(),
            stdout: log("stdout"),
            stderr: log("stderr"),
            deadline: self.bounds.deadline,
            grace: tool.grace(),
            limits: self.ready.chosen.limits,
            network: if declared { Network::Declared } else { Network::None },
            trace: self.trace,
        };
        let ended = start(&call, &at, &self.bounds.cancel).await;
        self.tell(ToolPhase::Parsing);
        let artifact = call.artifact.as_ref().map(|path| self.corner.outside(path));
        let reader = Reader {
            tool: Arc::clone(tool),
            places: places.clone(),
            files: self.files.clone(),
            journal: self.journal.clone(),
            cancel: self.bounds.cancel.clone(),
            stdout: at.stdout,
            stderr: at.stderr,
            report: match &call.output {
                OutputSource::File(path) => Some(self.corner.outside(path).into_std_path_buf()),
                OutputSource::Stdout | OutputSource::Stderr => None,
            },
            call,
        };
        let end = ended.end.clone();
        match tokio::task::spawn_blocking(move || reader.read(ended)).await {
            Ok(call_end) => done.take(call_end),
            Err(error) => {
                done.calls.push(not_started(format!("its report broke our reader: {error}")));
            }
        }
        done.artifacts
            .extend(artifact.map(Utf8PathBuf::into_std_path_buf).filter(|path| path.is_file()));
        end
    }

    fn tell(&self, phase: ToolPhase) {
        if let Some(journal) = &self.journal {
            journal.tell(EventKind::ToolPhase { tool: self.ready.chosen.tool.id().clone(), phase });
        }
    }
}

// === impl Done ===

impl Done {
    fn not_started(why: String) -> Self {
        Self { calls: vec![not_started(why)], ..Self::default() }
    }

    fn take(&mut self, call: CallEnd) {
        self.usage += call.usage;
        self.stopping = self.stopping.max(call.stopping);
        // Half a report may hold half a finding; a whole one counts, however the tool ended.
        if call.reading.is_ok() {
            self.observations.extend(call.observations);
        }
        self.calls.push(CallResult {
            end: call.end,
            reading: call.reading,
            stderr_tail: call.stderr_tail,
        });
    }
}

/// The setting that gives a tool twice of what it had.
fn more_of(tool: &str, limit: Limit, most: u64) -> String {
    let mib = most >> 20;
    let (key, most) = match limit {
        Limit::Output => ("output-mib", mib),
        Limit::FileSize => ("file-mib", mib),
        Limit::Disk => ("disk-mib", mib),
        Limit::Memory => ("memory-mib", mib),
        Limit::Processes => ("processes", most),
        Limit::Cpu => ("cpu-s", most),
    };
    let twice = most.saturating_mul(2).max(1);
    format!("give it more: --set settings.{tool}.limits.{key}={twice}")
}

fn not_started(why: String) -> CallResult {
    CallResult {
        end: ToolEnd::NotStarted { why },
        reading: Err(assay_tools::OutputError::Empty),
        stderr_tail: String::new(),
    }
}

/// Keeps what the tool complained of where that helps to understand the status.
fn stderr_tail(status: ToolStatus, calls: &[CallResult]) -> Option<String> {
    let wanted = !matches!(status, ToolStatus::Ok | ToolStatus::NoInputs | ToolStatus::Cancelled);
    let tail = calls.iter().rev().map(|call| call.stderr_tail.trim()).find(|tail| !tail.is_empty());
    tail.filter(|_| wanted).map(str::to_owned)
}
