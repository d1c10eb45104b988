//! The whole result of one batch, as written to `batch.json`: many apps, one table.
//!
//! Owns the words of a sameness alarm, so that every format says the same. Does not: decide when
//! there is one (`report::sameness`).

use crate::{
    AnalysisOutcome, AppRef, Counts, Digest, Environment, SelectionInfo, TaskId, ToolId,
    ToolStatus, Verdict,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the shape of [`BatchReport`]. The first number changes when a reader of the old
/// shape would misread the new one.
pub const BATCH_VERSION: &str = "1.0";

/// Everything that is known about one batch. The findings themselves are in the apps' own reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Assay batch")]
pub struct BatchReport {
    /// The version of this shape, `1.0`.
    pub batch_version: String,
    pub batch: TaskId,
    pub started: Timestamp,
    pub duration_ms: u64,
    /// The gravest of all apps: `complete` only if every app is.
    pub outcome: AnalysisOutcome,
    pub verdict: Verdict,
    pub selection: SelectionInfo,
    pub environment: Environment,
    /// Findings of all apps together.
    pub counts: Counts,
    /// In the order in which they were asked for.
    pub apps: Vec<BatchApp>,
    /// Every tool of the selection, by name.
    pub tools: Vec<BatchTool>,
    /// Tools that say the same of every app, by name.
    pub alarms: Vec<SamenessAlarm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One app of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BatchApp {
    #[serde(rename = "ref")]
    pub app: AppRef,
    /// The folder or file that was to be analysed, absolute.
    pub path: String,
    pub end: AppEnd,
}

/// What became of an app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum AppEnd {
    /// There is a report, whatever it is worth.
    Analysed(Box<AppResult>),
    /// There could be none.
    Failed { why: String, exit_code: u8 },
    /// The batch was stopped before its turn.
    NotRun,
}

/// The result of one app in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppResult {
    pub task: TaskId,
    /// The folder of its results, absolute.
    pub results: String,
    pub started: Timestamp,
    pub duration_ms: u64,
    pub outcome: AnalysisOutcome,
    pub exit_code: u8,
    pub digest: Digest,
    pub files: u64,
    pub lines: u64,
    pub counts: Counts,
    /// Findings in 1,000 lines, suppressed ones not counted; absent where there are no lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_kloc: Option<f64>,
    pub tools: Vec<AppTool>,
}

/// One tool's part in one app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppTool {
    pub tool: ToolId,
    pub status: ToolStatus,
    pub clean: bool,
    pub required: bool,
    /// What it reported, suppressed ones included, before merging.
    pub observations: u64,
    pub wall_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// One tool over all apps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BatchTool {
    pub tool: ToolId,
    /// Apps on which it did its work.
    pub ok: u64,
    /// Apps that hold nothing that it reads.
    pub no_inputs: u64,
    pub observations: u64,
    pub wall_ms: u64,
    /// Why it did not do its work, most apps first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<BatchGap>,
}

/// Apps on which a tool did not do its work for one and the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BatchGap {
    pub status: ToolStatus,
    /// Whether those apps are incomplete because of it.
    pub required: bool,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    pub apps: u64,
    /// The first of them.
    pub example: AppRef,
}

/// A tool that says the same of every app, so that it may not have looked at any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SamenessAlarm {
    pub tool: ToolId,
    /// Different apps on which it did its work; apps with equal files count as one.
    pub apps: u64,
    pub sameness: Sameness,
}

/// In what a tool's words are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum Sameness {
    /// The same number of findings, more than none.
    SameCount {
        count: u64,
        /// Whether they are also the same findings, by their fingerprints.
        same_findings: bool,
    },
    /// Nothing, although other tools found there what it finds in its self-test.
    ZeroAgainstOthers {
        /// The defect class of its self-test.
        defect: String,
        /// Different apps in which others found it.
        seen_in: u64,
        seen_by: Vec<ToolId>,
    },
    /// Nothing in very many apps, and no other tool of the batch knows the defect of its self-test.
    ZeroAlone,
}

// === impl AppEnd ===

impl AppEnd {
    /// Returns the result, where there is one.
    pub fn result(&self) -> Option<&AppResult> {
        match self {
            Self::Analysed(result) => Some(result),
            Self::Failed { .. } | Self::NotRun => None,
        }
    }

    /// Says in a word or two how the app ended.
    pub fn word(&self) -> String {
        match self {
            Self::Analysed(result) => result.outcome.to_string(),
            Self::Failed { .. } => "failed".to_owned(),
            Self::NotRun => "not run".to_owned(),
        }
    }
}

// === impl AppResult ===

impl AppResult {
    /// Tools whose absence makes the analysis incomplete.
    pub fn gaps(&self) -> impl Iterator<Item = &AppTool> {
        self.tools.iter().filter(|tool| tool.required && !tool.status.did_its_work())
    }
}

// === impl SamenessAlarm ===

impl SamenessAlarm {
    /// Says what was seen, with its numbers.
    pub fn said(&self) -> String {
        let apps = self.apps;
        match &self.sameness {
            Sameness::SameCount { count, same_findings } => {
                let noun = if *count == 1 { "finding" } else { "findings" };
                let which = if *same_findings {
                    ", and the same ones each time"
                } else {
                    "; the findings differ, only their number is the same"
                };
                format!("exactly {count} {noun} in each of {apps} different apps{which}")
            }
            Sameness::ZeroAgainstOthers { defect, seen_in, seen_by } => {
                let names: Vec<&str> = seen_by.iter().map(ToolId::as_str).collect();
                format!(
                    "0 findings in all of {apps} different apps, although {} found `{defect}` in \
                     {seen_in} of them, which it finds in its self-test",
                    names.join(", ")
                )
            }
            Sameness::ZeroAlone => format!(
                "0 findings in all of {apps} different apps, and no other tool looks for what it \
                 finds in its self-test"
            ),
        }
    }
}

/// Alarms that mean the same, so that it is said once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmGroup<'a> {
    /// One at least.
    pub alarms: Vec<&'a SamenessAlarm>,
}

// === impl AlarmGroup ===

impl<'a> AlarmGroup<'a> {
    /// Groups alarms by what they mean, in the order of the first of each.
    pub fn of(alarms: &'a [SamenessAlarm]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for alarm in alarms {
            let same = |group: &&mut Self| {
                group
                    .alarms
                    .iter()
                    .any(|other| meaning(&other.sameness) == meaning(&alarm.sameness))
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.alarms.push(alarm),
                None => groups.push(Self { alarms: vec![alarm] }),
            }
        }
        groups
    }

    /// Says what they mean.
    pub fn meaning(&self) -> &'static str {
        self.alarms.first().map_or("", |alarm| meaning(&alarm.sameness))
    }

    /// Says where to look.
    pub fn advice(&self) -> &'static str {
        match self.alarms.first().map(|alarm| &alarm.sameness) {
            Some(Sameness::SameCount { .. }) | None => {
                "See in `report.html` of two apps which files these findings are in."
            }
            Some(Sameness::ZeroAgainstOthers { .. } | Sameness::ZeroAlone) => {
                "If its self-test passes, read `logs/TOOL.stderr` of an app."
            }
        }
    }

    /// Returns the command that lets them show what they find.
    pub fn mend(&self) -> String {
        let names: Vec<&str> = self.alarms.iter().map(|alarm| alarm.tool.as_str()).collect();
        format!("assay tools check {}", names.join(" "))
    }
}

fn meaning(sameness: &Sameness) -> &'static str {
    match sameness {
        Sameness::SameCount { same_findings: true, .. } => {
            "The scaffold that the apps share may explain it; otherwise the tool looks at something \
             that is no app's own. Either way it tells nothing about how the apps differ."
        }
        Sameness::SameCount { same_findings: false, .. } => {
            "Different apps do not have equally many defects by chance: it may stop at a limit, or \
             not look at the apps."
        }
        Sameness::ZeroAgainstOthers { .. } => {
            "Its zeros are no proof of clean apps: it may not see these files as they lie there."
        }
        Sameness::ZeroAlone => {
            "That may be true. It is also what a tool looks like that does not see the files."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_written_with_its_name_and_read_back() {
        for end in [AppEnd::NotRun, AppEnd::Failed { why: "gone".to_owned(), exit_code: 2 }] {
            let text = serde_json::to_string(&end).unwrap();
            assert!(text.contains("\"how\""), "{text}");
            assert_eq!(serde_json::from_str::<AppEnd>(&text).unwrap(), end);
        }
    }

    #[test]
    fn an_alarm_tells_its_numbers_and_the_command_that_decides() {
        let alarm = SamenessAlarm {
            tool: ToolId::new("safety-db").unwrap(),
            apps: 230,
            sameness: Sameness::SameCount { count: 9, same_findings: true },
        };
        assert!(alarm.said().starts_with("exactly 9 findings in each of 230 different apps"));
        let zero = SamenessAlarm {
            tool: ToolId::new("stylelint").unwrap(),
            sameness: Sameness::ZeroAlone,
            ..alarm.clone()
        };
        let other = SamenessAlarm { tool: ToolId::new("hadolint").unwrap(), ..alarm.clone() };
        let alarms = [alarm, zero, other];
        let groups = AlarmGroup::of(&alarms);
        assert_eq!(groups.len(), 2);
        assert!(groups[0].mend().ends_with("assay tools check safety-db hadolint"));
        assert!(groups[0].meaning().contains("scaffold"));
        assert!(groups[1].mend().contains("assay tools check stylelint"));
    }
}
