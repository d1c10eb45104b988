//! One process and its output.

use super::{
    files::{beginning, cut, open_report},
    journal::Journal,
    registry,
    tool::Files,
    workplace::Corner,
};
use crate::cage;
use assay_exec::{Ended, Network, clean_environment, trace_environment};
use assay_model::{
    EventKind, Limit, Observation, ToolEnd, ToolId, ToolLimits, TraceContext, Usage,
};
use assay_provision::Installation;
use assay_tools::{Call, OutputError, OutputSource, Places, ReadContext, Reading, Tool};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Bytes of a stream without a report that are looked at.
const OTHER_STREAM_BYTES_MAX: u64 = 1 << 20;

/// What is kept of a stream that broke its limit.
const CUT_LOG_BYTES: u64 = 4 << 20;

/// Observations between two words on progress.
const PROGRESS_EVERY: u64 = 1000;

/// Where a process finds things, and where its streams go.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) installation: &'a Installation,
    pub(crate) corner: &'a Corner,
    pub(crate) home: PathBuf,
    pub(crate) tmp: PathBuf,
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
    pub(crate) deadline: Instant,
    pub(crate) grace: Duration,
    pub(crate) limits: ToolLimits,
    pub(crate) network: Network,
    pub(crate) trace: Option<&'a TraceContext>,
}

/// What one call came to.
#[derive(Debug)]
pub(crate) struct CallEnd {
    pub(crate) end: ToolEnd,
    pub(crate) usage: Usage,
    /// From the wish that it stop to its last process being gone.
    pub(crate) stopping: Option<Duration>,
    pub(crate) stderr_tail: String,
    pub(crate) reading: Result<Reading, OutputError>,
    pub(crate) observations: Vec<Observation>,
}

/// Starts the process of a call and watches it to its end.
pub(crate) async fn start(call: &Call, at: &Surroundings<'_>, cancel: &CancellationToken) -> Ended {
    let mut path_dirs = at.installation.bin_dirs.clone();
    path_dirs.extend(["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from));
    let mut env = clean_environment(&path_dirs, &at.home, &at.tmp, at.network);
    if at.network == Network::Declared {
        let registry =
            registry::of_the_user().map(|url| ("npm_config_registry".into(), url.into()));
        env.extend(registry);
    }
    env.extend(at.trace.into_iter().flat_map(trace_environment));
    env.extend(call.env.iter().map(|(name, value)| (name.into(), value.into())));
    let own = at.installation.program.as_ref().filter(|_| !call.program.contains('/'));
    let program = own.cloned().unwrap_or_else(|| PathBuf::from(&call.program));
    tracing::debug!(program = %program.display(), args = ?call.args, cwd = %call.cwd, "start");
    let mut room = cage::room(at.installation, &program, at.corner.assay());
    room.shown = at.corner.shown();
    let job = assay_exec::Job {
        program,
        args: call.args.iter().map(Into::into).collect(),
        cwd: call.cwd.clone().into_std_path_buf(),
        env,
        stdout: at.stdout.clone(),
        stderr: at.stderr.clone(),
        room,
        network: at.network,
        limits: cage::limits(at.limits),
        deadline: at.deadline,
        grace: at.grace,
    };
    assay_exec::run(&at.corner.cage, job, cancel.clone()).await
}

/// What is needed to read the output of a call away from the runtime's threads.
pub(crate) struct Reader {
    pub(crate) tool: Arc<Tool>,
    pub(crate) places: Places,
    pub(crate) call: Call,
    pub(crate) files: Files,
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
    /// Where its report lies, where that is a file of its own.
    pub(crate) report: Option<PathBuf>,
    pub(crate) journal: Option<Arc<Journal>>,
    pub(crate) cancel: CancellationToken,
}

// === impl Reader ===

impl Reader {
    /// Reads the output of a call that has ended. Blocks.
    pub(crate) fn read(self, ended: Ended) -> CallEnd {
        let mut observations = Vec::new();
        let reading = match ended.end {
            // Half a report is no report, and what is there would take minutes to read.
            ToolEnd::LimitReached { limit: Limit::Output, .. } => {
                cut(&self.stdout, CUT_LOG_BYTES);
                Err(OutputError::Truncated { at: ended.stdout_bytes })
            }
            _ => self.reading(&mut observations),
        };
        let Ended { mut end, usage, stopping, stderr_tail, .. } = ended;
        if reading.is_err() && self.cancel.is_cancelled() {
            end = ToolEnd::Cancelled;
        }
        CallEnd { end, usage, stopping, stderr_tail, reading, observations }
    }

    fn reading(&self, observations: &mut Vec<Observation>) -> Result<Reading, OutputError> {
        let path = match &self.call.output {
            OutputSource::Stdout => &self.stdout,
            OutputSource::Stderr => &self.stderr,
            OutputSource::File(path) => self.report.as_deref().unwrap_or(path.as_std_path()),
        };
        let is_file = |path: &assay_model::SourcePath| self.files.holds(path);
        let other_stream = self.other_stream();
        let context = ReadContext {
            places: &self.places,
            call: &self.call,
            is_file: &is_file,
            other_stream: &other_stream,
        };
        let mut count = 0;
        let mut emit = |observation| {
            observations.push(observation);
            count += 1;
            if count % PROGRESS_EVERY == 0 {
                self.tell(self.tool.id(), count);
            }
        };
        let input = open_report(path, self.cancel.clone());
        let mut input = input.map_err(|source| OutputError::Io { source })?;
        self.tool.read(&mut *input, &context, &mut emit)
    }

    /// What the tool wrote beside its report, as far as anybody would read it.
    fn other_stream(&self) -> String {
        let others: &[&PathBuf] = match &self.call.output {
            OutputSource::Stdout => &[&self.stderr],
            OutputSource::Stderr => &[&self.stdout],
            OutputSource::File(_) => &[&self.stdout, &self.stderr],
        };
        others.iter().map(|path| beginning(path, OTHER_STREAM_BYTES_MAX)).collect()
    }

    fn tell(&self, tool: &ToolId, observations: u64) {
        if let Some(journal) = &self.journal {
            journal.tell(EventKind::ToolProgress { tool: tool.clone(), observations });
        }
    }
}
