//! What is run, and what became of it.

use assay_model::{ToolEnd, Usage};
use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, time::Duration};
use tokio::time::Instant;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// One start of one program. Made by a runner, consumed by [`run`](crate::run).
#[derive(Clone, Debug)]
pub struct Job {
    /// An absolute path, or a name that is looked for on the `PATH` of `env`.
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub cwd: PathBuf,
    /// The complete environment: nothing of our own is inherited.
    pub env: BTreeMap<OsString, OsString>,
    /// The file that its standard output is written to; its folder must exist.
    pub stdout: PathBuf,
    /// The file that its standard error is written to.
    pub stderr: PathBuf,
    pub limits: Limits,
    /// When it has run long enough. Set at admission, never restarted.
    pub deadline: Instant,
    /// Between asking it to stop and forcing it; zero forces at once.
    pub grace: Duration,
}

/// What one run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Above this it is stopped: half a report is no report.
    pub stdout_bytes_max: u64,
    /// Above this the beginning and the end are kept and the run goes on: it is there to be read
    /// by people. Where the report itself comes on standard error, look at `stderr_omitted`.
    pub stderr_bytes_max: u64,
    /// The largest file that it may write.
    pub file_bytes_max: u64,
}

/// How a job ended. Every behaviour of a tool is in here; none is an error of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub end: ToolEnd,
    pub usage: Usage,
    /// Bytes in the file of its standard output.
    pub stdout_bytes: u64,
    /// Bytes that it wrote to standard error, kept or not.
    pub stderr_bytes: u64,
    /// Bytes of them that are not in the file.
    pub stderr_omitted: u64,
    /// The last lines of its standard error, at most 8 KiB. May hold escape sequences.
    pub stderr_tail: String,
    /// Both streams were read to their end. False where a process that left the group still
    /// held one after all others were gone.
    pub drained: bool,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self { stdout_bytes_max: 512 * MIB, stderr_bytes_max: 16 * MIB, file_bytes_max: 4 * GIB }
    }
}

// === impl Ended ===

impl Ended {
    /// A job that never became a process.
    pub(crate) fn without_process(end: ToolEnd) -> Self {
        Self {
            end,
            usage: Usage::default(),
            stdout_bytes: 0,
            stderr_bytes: 0,
            stderr_omitted: 0,
            stderr_tail: String::new(),
            drained: true,
        }
    }
}
