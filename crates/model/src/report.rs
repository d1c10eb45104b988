//! The whole result of one analysis, as written to `report.json`.

use crate::{
    AppRef, Digest, Finding, Kind, Language, Profile, Severity, SourcePath, TaskId, ToolRun,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// The version of the report's shape. The first number changes when a reader of the old shape
/// would misread the new one.
pub const REPORT_VERSION: &str = "1.0";

/// Everything that is known about one analysis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Assay report")]
pub struct Report {
    /// The version of this shape, `1.0`.
    pub report_version: String,
    pub task: TaskId,
    pub app: AppInfo,
    pub started: Timestamp,
    pub duration_ms: u64,
    pub outcome: AnalysisOutcome,
    pub verdict: Verdict,
    pub selection: SelectionInfo,
    pub source: SourceInfo,
    pub environment: Environment,
    pub tools: Vec<ToolRun>,
    pub counts: Counts,
    /// Worst first; suppressed ones are among them and marked.
    pub findings: Vec<Finding>,
    /// The `[[ignore]]` entries that were in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignores: Vec<IgnoreUse>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// How an analysis ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnalysisOutcome {
    /// Every required tool did its work.
    Complete,
    /// A required tool did not.
    Incomplete,
    /// There was no file that any tool could read.
    NothingToAnalyse,
    /// `--timeout` passed.
    TimedOut,
    /// Somebody asked it to stop.
    Interrupted,
    /// The process was told to terminate.
    Terminated,
    /// The process died, or a bug ended the run.
    Lost,
}

/// What the analysis means for the caller's threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// As given by `--fail-on`: a severity, `any` or `none`.
    pub fail_on: String,
    /// Findings at or above it, suppressed ones not counted.
    pub at_or_above: u64,
    pub exit_code: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppInfo {
    #[serde(rename = "ref")]
    pub app: AppRef,
    /// The folder or file that was analysed, absolute.
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<GitInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GitInfo {
    pub commit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SelectionInfo {
    /// The analyses: `static`, later also `dynamic`, `performance`, `ai`.
    pub analyses: Vec<String>,
    pub profile: Profile,
    /// As named by `--tools`, before other names were resolved; empty = by profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// Settings of a project file that were taken over (`answers.md`, trust).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_project: Vec<String>,
}

/// What was found on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourceInfo {
    /// Names the analysed state: paths and contents of all files in the snapshot.
    pub digest: Digest,
    pub files: u64,
    pub bytes: u64,
    pub lines: u64,
    pub languages: BTreeMap<Language, LanguageInfo>,
    /// Frameworks seen in manifests: `flask`, `react`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frameworks: Vec<String>,
    /// Manifests and lock files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<SourcePath>,
    /// What was left out, by cause.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skipped: BTreeMap<SkipCause, Skipped>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LanguageInfo {
    pub files: u64,
    pub lines: u64,
}

/// Why a file is not in the snapshot.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum SkipCause {
    /// Hidden by `.gitignore` and not tracked.
    GitIgnore,
    /// Hidden by `.assayignore`.
    AssayIgnore,
    /// `node_modules`, `site-packages`, `.venv` and their like.
    Vendored,
    /// `dist`, `build`, caches, lock-step output of a generator.
    Generated,
    Minified,
    /// Above 5 MiB.
    TooLarge,
    /// The system refused to let us read it.
    Unreadable,
    /// A link that leads nowhere, in a circle, or out of the app.
    Link,
    /// A socket, pipe or device.
    Special,
    /// Its name, once made displayable, is that of another file.
    Name,
    /// `.git`, `.hg`, `.svn` and Assay's own `.assay`: not part of the app.
    Metadata,
    /// More than 128 folders deep.
    TooDeep,
}

/// Files that were left out for one cause. A folder that was not entered counts as one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    pub count: u64,
    /// The first few.
    pub examples: Vec<String>,
}

/// The machine and how the tools were kept in check on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    pub assay: String,
    pub os: String,
    pub cpus: u32,
    pub jobs: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The layers of isolation in force; empty means that tools ran as ordinary child processes.
    pub isolation: Vec<String>,
}

/// Findings by severity and kind. Suppressed ones are counted apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    pub total: u64,
    pub suppressed: u64,
    pub by_severity: BTreeMap<Severity, u64>,
    pub by_kind: BTreeMap<Kind, u64>,
}

/// An `[[ignore]]` entry and what it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IgnoreUse {
    pub rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    pub reason: String,
    /// The last day on which it holds, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    pub expired: bool,
    pub matched: u64,
}

// === impl AnalysisOutcome ===

impl fmt::Display for AnalysisOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::NothingToAnalyse => "nothing to analyse",
            Self::TimedOut => "timed out",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
            Self::Lost => "lost",
        })
    }
}

// === impl Counts ===

impl Counts {
    /// Counts findings. One home for the numbers that every report shows.
    pub fn of(findings: &[Finding]) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            if finding.suppression.is_some() {
                counts.suppressed += 1;
                continue;
            }
            counts.total += 1;
            *counts.by_severity.entry(finding.severity).or_default() += 1;
            *counts.by_kind.entry(finding.kind).or_default() += 1;
        }
        counts
    }

    /// Counts what is at least as bad as `severity`.
    pub fn at_least(&self, severity: Severity) -> u64 {
        self.by_severity.range(severity..).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_from_a_severity_up_takes_the_worse_ones() {
        let by_severity = [(Severity::Low, 5), (Severity::High, 2), (Severity::Critical, 1)];
        let counts = Counts { by_severity: by_severity.into(), ..Counts::default() };
        assert_eq!(counts.at_least(Severity::Medium), 3);
        assert_eq!(counts.at_least(Severity::Info), 8);
    }
}
