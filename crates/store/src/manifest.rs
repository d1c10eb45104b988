//! What stands in `task.json` and `manifest.json`.

use assay_model::{
    AnalysisOutcome, AppRef, Counts, Digest, Profile, Report, TaskId, ToolId, ToolStatus,
};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the shape of [`Manifest`] and [`TaskInfo`]. The first number changes when a
/// reader of the old shape would misread the new one.
pub const MANIFEST_VERSION: &str = "1.0";

/// The most that is read of either file.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// What an analysis is about, known before it runs. The `task.json` of its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Assay task")]
pub struct TaskInfo {
    /// The version of this shape, `1.0`.
    pub manifest_version: String,
    /// The Assay that runs it.
    pub assay: String,
    pub task: TaskId,
    pub app: AppRef,
    /// The folder or file that is analysed, absolute.
    pub path: String,
    pub started: Timestamp,
    /// The process that runs it; of use only while it runs, and on its machine.
    pub pid: u32,
}

/// What ran and what came of it, written when all else is. The `manifest.json` of a task folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Assay manifest")]
pub struct Manifest {
    /// The version of this shape, `1.0`.
    pub manifest_version: String,
    /// The Assay that ran it.
    pub assay: String,
    pub task: TaskId,
    pub app: AppRef,
    /// The folder or file that was analysed, absolute.
    pub path: String,
    /// Names the analysed state.
    pub source: Digest,
    pub analyses: Vec<String>,
    pub profile: Profile,
    pub started: Timestamp,
    pub ended: Timestamp,
    pub duration_ms: u64,
    pub outcome: AnalysisOutcome,
    pub exit_code: u8,
    pub counts: Counts,
    pub tools: Vec<ManifestTool>,
    /// Every file of the folder but this one, by name.
    pub files: Vec<ManifestFile>,
}

/// One tool's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestTool {
    pub tool: ToolId,
    pub status: ToolStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Names the installation that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation: Option<Digest>,
    /// Milliseconds from the start of the analysis to the start of the first process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<u64>,
    pub wall_ms: u64,
}

/// One file, relative to the task folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestFile {
    pub name: String,
    pub bytes: u64,
    pub blake3: Digest,
}

/// As little of either file as tells whose it is. Written by any version, also a later one.
#[derive(Debug, Deserialize)]
pub(crate) struct Marker {
    pub(crate) manifest_version: String,
    #[serde(rename = "assay")]
    _assay: String,
    #[serde(rename = "task")]
    _task: TaskId,
}

// === impl TaskInfo ===

impl TaskInfo {
    /// Describes an analysis that this process is about to run.
    pub fn new(assay: &str, task: TaskId, app: AppRef, started: Timestamp) -> Self {
        Self {
            manifest_version: MANIFEST_VERSION.to_owned(),
            assay: assay.to_owned(),
            task,
            path: String::new(),
            app,
            started,
            pid: std::process::id(),
        }
    }

    /// Adds the absolute path of what is analysed.
    pub fn at(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }
}

// === impl Manifest ===

impl Manifest {
    pub(crate) fn of(report: &Report, files: Vec<ManifestFile>) -> Self {
        let duration =
            SignedDuration::from_millis(i64::try_from(report.duration_ms).unwrap_or(i64::MAX));
        Self {
            manifest_version: MANIFEST_VERSION.to_owned(),
            assay: report.environment.assay.clone(),
            task: report.task.clone(),
            app: report.app.app.clone(),
            path: report.app.path.clone(),
            source: report.source.digest.clone(),
            analyses: report.selection.analyses.clone(),
            profile: report.selection.profile,
            started: report.started,
            ended: report.started.checked_add(duration).unwrap_or(Timestamp::MAX),
            duration_ms: report.duration_ms,
            outcome: report.outcome,
            exit_code: report.verdict.exit_code,
            counts: report.counts.clone(),
            tools: report.tools.iter().map(ManifestTool::of).collect(),
            files,
        }
    }
}

// === impl ManifestTool ===

impl ManifestTool {
    fn of(run: &assay_model::ToolRun) -> Self {
        Self {
            tool: run.tool.clone(),
            status: run.status,
            version: run.version.clone(),
            installation: run.installation.clone(),
            started_ms: run.started_ms,
            wall_ms: run.usage.wall_ms,
        }
    }
}

/// Whether a file of version `found` can be read as `known`: the first numbers agree.
pub(crate) fn same_major(found: &str, known: &str) -> bool {
    fn major(version: &str) -> Option<&str> {
        let major = version.split('.').next()?;
        (!major.is_empty() && major.bytes().all(|b| b.is_ascii_digit())).then_some(major)
    }
    major(found).is_some() && major(found) == major(known)
}

#[cfg(test)]
mod tests {
    use super::same_major;

    #[test]
    fn only_the_first_number_decides_who_can_read() {
        assert!(same_major("1.0", "1.0") && same_major("1.7", "1.0") && same_major("1", "1.0"));
        for other in ["2.0", "10.0", "0.9", "", "x", "1x.0", ".1"] {
            assert!(!same_major(other, "1.0"), "{other}");
        }
    }
}
