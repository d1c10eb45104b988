//! How a tool ended, and what that is worth.

use crate::{Digest, SourcePath, ToolId, kinds::UnknownWord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a tool's work in one analysis is worth. Only [`Ok`](Self::Ok) speaks about the code.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ToolStatus {
    /// A known version ran to a declared end and its whole output was read.
    Ok,
    /// The app holds nothing that this tool reads.
    NoInputs,
    /// It is not installed and could not be, or what it needs cannot be reached.
    Unavailable,
    /// It ended in a way that it declares as a failure, or none of its inputs could be read.
    Failed,
    /// Its own deadline passed.
    TimedOut,
    /// The analysis was stopped before it ended.
    Cancelled,
    /// It ended well, but what it wrote is not the report that it should have written.
    OutputInvalid,
    /// Its self-test failed: it does not find a defect that was planted for it.
    Untrusted,
}

/// Every way that a started process can end. Exit 1 is often "I found something", not a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum ToolEnd {
    Exited {
        code: i32,
    },
    Signalled {
        signal: i32,
    },
    /// Its own deadline passed and its process group was stopped.
    TimedOut,
    /// It was stopped because the analysis was.
    Cancelled,
    /// It took more of something than it may, and was stopped.
    LimitReached {
        limit: Limit,
        /// The most that it may, in the unit of `limit`.
        most: u64,
    },
    /// It never ran.
    NotStarted {
        why: String,
    },
    /// It ran, and we lost sight of it.
    Lost {
        why: String,
    },
}

/// What a tool may take only so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Bytes on its standard output.
    Output,
    /// Bytes in any one file.
    FileSize,
    /// Bytes in its private folders together.
    Disk,
    /// Bytes of memory of all its processes together.
    Memory,
    /// Processes and threads at a time.
    Processes,
    /// Seconds of processor time of all its processes together.
    Cpu,
}

/// What a run cost; of several, the sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    pub wall_ms: u64,
    pub user_ms: u64,
    pub system_ms: u64,
    /// The largest resident set of the whole tree of processes, in KiB; of its largest process,
    /// where the tree could not be sampled. 0 where neither is known.
    pub peak_kib: u64,
    /// Bytes that it read through system calls, from pipes too, where the kernel counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_bytes: Option<u64>,
    /// Bytes that it wrote through system calls, into pipes too, where the kernel counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_bytes: Option<u64>,
}

/// One tool's part in an analysis, as the report tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolRun {
    pub tool: ToolId,
    pub status: ToolStatus,
    /// True only if the status is `ok`, nothing was found, files were read and none failed.
    pub clean: bool,
    /// Whether the analysis is incomplete without it.
    pub required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What went wrong, where the status is not `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The one command or step that mends it, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    /// Files of the app that it was given.
    pub files_matched: u64,
    /// Files that it says it read, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files_scanned: Option<u64>,
    /// Files that it could not read or parse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files_failed: Vec<SourcePath>,
    /// Observations in its output, suppressed ones included, before merging.
    pub observations: u64,
    /// The command lines, with our own folders shown as `{project}`, `{scratch}` and so on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// How its process ended; the worst, where it was started more than once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<ToolEnd>,
    pub usage: Usage,
    /// Milliseconds from the start of the analysis to the start of the first process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<u64>,
    /// Milliseconds from the ask to stop until its last process was gone, where it was cancelled or
    /// timed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_ms: Option<u64>,
    /// The last lines of its standard error, where they help to understand the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr_tail: Option<String>,
    /// What a reader must know to judge the result: age of data, skipped parts, aliases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Files that it made for the reader, relative to the task's folder (an SBOM).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// Names the installation that ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installation: Option<Digest>,
}

// === impl ToolStatus ===

impl ToolStatus {
    pub const ALL: &'static [Self] = &[
        Self::Ok,
        Self::NoInputs,
        Self::Unavailable,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::OutputInvalid,
        Self::Untrusted,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NoInputs => "no_inputs",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::OutputInvalid => "output_invalid",
            Self::Untrusted => "untrusted",
        }
    }

    /// Says the status as people read it.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NoInputs => "no inputs",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::Cancelled => "cancelled",
            Self::OutputInvalid => "output invalid",
            Self::Untrusted => "untrusted",
        }
    }

    /// Whether the tool did its work, as far as there was any.
    pub const fn did_its_work(self) -> bool {
        match self {
            Self::Ok | Self::NoInputs => true,
            Self::Unavailable
            | Self::Failed
            | Self::TimedOut
            | Self::Cancelled
            | Self::OutputInvalid
            | Self::Untrusted => false,
        }
    }
}

impl fmt::Display for ToolStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ToolStatus {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.iter().copied().find(|s| s.as_str() == word).ok_or_else(|| UnknownWord {
            what: "tool status",
            word: word.to_owned(),
            known: Self::ALL.iter().map(|s| s.as_str()).collect(),
        })
    }
}

// === impl Limit ===

impl Limit {
    pub const ALL: &'static [Self] =
        &[Self::Output, Self::FileSize, Self::Disk, Self::Memory, Self::Processes, Self::Cpu];

    /// Says that the limit was reached, after "it".
    fn reached(self, most: u64) -> String {
        match self {
            Self::Output => format!("wrote more output than it may ({})", mebibytes(most)),
            Self::FileSize => format!("wrote a larger file than it may ({})", mebibytes(most)),
            Self::Disk => format!("wrote more to disk than it may ({})", mebibytes(most)),
            Self::Memory => {
                format!("ran out of memory: it used more than it may ({})", mebibytes(most))
            }
            Self::Processes => format!("started more processes than it may ({most})"),
            Self::Cpu => format!("used more processor time than it may ({most} s)"),
        }
    }
}

fn mebibytes(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{bytes} bytes"),
        whole => format!("{whole} MiB"),
    }
}

// === impl Usage ===

impl std::ops::AddAssign for Usage {
    /// Adds a run that came after: times and bytes add up, of the peaks the higher one stays.
    fn add_assign(&mut self, next: Self) {
        self.wall_ms += next.wall_ms;
        self.user_ms += next.user_ms;
        self.system_ms += next.system_ms;
        self.peak_kib = self.peak_kib.max(next.peak_kib);
        self.read_bytes = sum(self.read_bytes, next.read_bytes);
        self.written_bytes = sum(self.written_bytes, next.written_bytes);
    }
}

fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0) + b.unwrap_or(0)),
    }
}

// === impl ToolRun ===

impl ToolRun {
    /// A run that never became one: not installed, nothing to read, stopped before its turn.
    pub fn not_run(tool: ToolId, status: ToolStatus, required: bool) -> Self {
        Self {
            tool,
            status,
            clean: false,
            required,
            version: None,
            reason: None,
            mend: None,
            files_matched: 0,
            files_scanned: None,
            files_failed: Vec::new(),
            observations: 0,
            commands: Vec::new(),
            end: None,
            usage: Usage::default(),
            started_ms: None,
            cancel_ms: None,
            stderr_tail: None,
            notes: Vec::new(),
            artifacts: Vec::new(),
            installation: None,
        }
    }

    /// Whether the analysis is incomplete because of this tool.
    pub fn leaves_a_gap(&self) -> bool {
        self.required && !self.status.did_its_work()
    }
}

impl fmt::Display for ToolEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "exited with code {code}"),
            Self::Signalled { signal } => write!(f, "was ended by signal {signal}"),
            Self::TimedOut => f.write_str("did not end in time"),
            Self::Cancelled => f.write_str("was cancelled"),
            Self::LimitReached { limit, most } => f.write_str(&limit.reached(*most)),
            Self::NotStarted { why } => write!(f, "could not be started: {why}"),
            Self::Lost { why } => write!(f, "was lost: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_spelt_alike_in_text_and_in_json() {
        for status in ToolStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(status.as_str().parse::<ToolStatus>().unwrap(), *status);
        }
    }

    #[test]
    fn a_reached_limit_says_which_and_how_much_and_is_read_back() {
        let said = |limit, most| ToolEnd::LimitReached { limit, most }.to_string();
        assert_eq!(
            said(Limit::Memory, 2 << 30),
            "ran out of memory: it used more than it may (2048 MiB)"
        );
        assert_eq!(said(Limit::Output, 512 << 20), "wrote more output than it may (512 MiB)");
        assert_eq!(said(Limit::Disk, 7), "wrote more to disk than it may (7 bytes)");
        assert_eq!(said(Limit::Cpu, 60), "used more processor time than it may (60 s)");
        for &limit in Limit::ALL {
            let end = ToolEnd::LimitReached { limit, most: 3 };
            let json = serde_json::to_string(&end).unwrap();
            assert_eq!(serde_json::from_str::<ToolEnd>(&json).unwrap(), end, "{json}");
        }
    }

    #[test]
    fn the_cost_of_two_runs_adds_up_and_their_peak_does_not() {
        let first = Usage { wall_ms: 5, peak_kib: 100, read_bytes: Some(7), ..Usage::default() };
        let mut both = Usage { wall_ms: 3, user_ms: 2, peak_kib: 40, ..Usage::default() };
        both += first;
        let expected = Usage { wall_ms: 8, user_ms: 2, peak_kib: 100, ..first };
        assert_eq!(both, expected);
    }

    #[test]
    fn an_optional_tool_leaves_no_gap() {
        let id = ToolId::new("ruff").unwrap();
        assert!(ToolRun::not_run(id.clone(), ToolStatus::Unavailable, true).leaves_a_gap());
        assert!(!ToolRun::not_run(id.clone(), ToolStatus::Unavailable, false).leaves_a_gap());
        assert!(!ToolRun::not_run(id, ToolStatus::NoInputs, true).leaves_a_gap());
    }
}
