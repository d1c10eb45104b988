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
    /// It wrote more than it may, and was stopped.
    OutputLimit {
        limit_bytes: u64,
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

/// What a run cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    pub wall_ms: u64,
    pub user_ms: u64,
    pub system_ms: u64,
    /// The largest resident set of any one process, in KiB.
    pub peak_kib: u64,
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
            Self::OutputLimit { limit_bytes } => {
                write!(f, "wrote more than {} MiB", limit_bytes >> 20)
            }
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
    fn an_optional_tool_leaves_no_gap() {
        let id = ToolId::new("ruff").unwrap();
        assert!(ToolRun::not_run(id.clone(), ToolStatus::Unavailable, true).leaves_a_gap());
        assert!(!ToolRun::not_run(id.clone(), ToolStatus::Unavailable, false).leaves_a_gap());
        assert!(!ToolRun::not_run(id, ToolStatus::NoInputs, true).leaves_a_gap());
    }
}
