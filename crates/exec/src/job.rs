//! What is run, and what became of it.

use crate::environment::Network;
use assay_model::{ToolEnd, Usage};
use serde::{Deserialize, Serialize};
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
    /// What it sees of the file system, beside the system's own folders.
    pub room: Room,
    pub network: Network,
    pub limits: Limits,
    /// When it has run long enough. Set at admission, never restarted.
    pub deadline: Instant,
    /// Between asking it to stop and forcing it; zero forces at once.
    pub grace: Duration,
}

/// What a job sees of the file system.
///
/// Paths of the job itself (`program`, `cwd`, arguments) are as it sees them. Without a mount
/// namespace ([`Cage::has_own_paths`](crate::Cage::has_own_paths)) everything is seen where it lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Read and executed under their own names: the installation, the interpreter.
    pub readable: Vec<PathBuf>,
    pub shown: Vec<Shown>,
}

/// A folder or file that a job sees under a name of our choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub from: PathBuf,
    pub to: PathBuf,
    pub access: Access,
}

/// What may be done with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Read and executed.
    Read,
    /// Only read: nothing in it can be started.
    Data,
    /// Read and written. Counts towards [`Limits::disk_bytes_max`].
    Write,
}

/// What one run may take. The defaults hold for every tool whose row says nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Above this it is stopped: half a report is no report.
    pub stdout_bytes_max: u64,
    /// Above this the beginning and the end are kept and the run goes on: it is there to be read
    /// by people. Where the report itself comes on standard error, look at `stderr_omitted`.
    pub stderr_bytes_max: u64,
    /// The largest file that it may write.
    pub file_bytes_max: u64,
    /// All that lies in the folders that it may write.
    pub disk_bytes_max: u64,
    /// The memory of all its processes together.
    pub memory_bytes_max: u64,
    /// Processes and threads at the same time.
    pub processes_max: u32,
    /// Seconds of processor time of all its processes together.
    pub cpu_s_max: u64,
}

/// How a job ended. Every behaviour of a tool is in here; none is an error of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub end: ToolEnd,
    pub usage: Usage,
    /// From the wish that it stop to the last of its processes being gone, where there was one.
    pub stopping: Option<Duration>,
    /// Bytes in the file of its standard output.
    pub stdout_bytes: u64,
    /// Bytes that it wrote to standard error, kept or not.
    pub stderr_bytes: u64,
    /// Bytes of them that are not in the file.
    pub stderr_omitted: u64,
    /// The last lines of its standard error, at most 8 KiB. May hold escape sequences.
    pub stderr_tail: String,
    /// Both streams were read to their end. False where a process that could not be killed (it hangs
    /// in the kernel) still holds one.
    pub drained: bool,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            stdout_bytes_max: 512 * MIB,
            stderr_bytes_max: 16 * MIB,
            file_bytes_max: 4 * GIB,
            disk_bytes_max: 8 * GIB,
            // Measured: pyright took 1 GiB on Django, biome 12.9 GiB on built bundles, and froze
            // the machine.
            memory_bytes_max: 4 * GIB,
            // A Node tool has a dozen threads, a tool with a worker a processor a few hundred.
            processes_max: 1024,
            // The default `--timeout`, on four processors.
            cpu_s_max: 7200,
        }
    }
}

// === impl Ended ===

impl Ended {
    /// A job that never became a process.
    pub(crate) fn without_process(end: ToolEnd) -> Self {
        Self {
            end,
            usage: Usage::default(),
            stopping: None,
            stdout_bytes: 0,
            stderr_bytes: 0,
            stderr_omitted: 0,
            stderr_tail: String::new(),
            drained: true,
        }
    }
}
