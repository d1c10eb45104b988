//! One defect and where it is.

use crate::{Fingerprint, Kind, RuleId, Severity, SourcePath, ToolId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one tool said about one place: a line of its report in our words.
///
/// A parser makes it; `report` gives it an identity and turns it, together with what other
/// tools said of the same defect, into a [`Finding`].
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    pub tool: ToolId,
    pub rule: RuleId,
    /// What is wrong, across tools: `sql-injection`, or `tool:rule` where no class is known.
    pub defect: String,
    pub kind: Kind,
    pub severity: Severity,
    /// CVSS-like, 0.0 to 10.0, where the tool or our table gives one.
    pub security_severity: Option<f32>,
    pub confidence: Option<Confidence>,
    /// Numbers of the Common Weakness Enumeration, ascending.
    pub cwe: Vec<u32>,
    pub message: String,
    /// A page that explains the rule.
    pub help: Option<String>,
    /// Absent for what is true of the whole app.
    pub location: Option<Location>,
    pub suppression: Option<Suppression>,
    pub fix: Option<Fix>,
}

/// A defect as the report shows it: one, however many tools saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Finding {
    /// Identity without path and line: the same after lines moved or the file was renamed.
    pub fingerprint: Fingerprint,
    /// Tells equals apart: 0 for the first of this fingerprint in the app, 1 for the next.
    pub occurrence: u32,
    /// The tool that speaks for all sightings: the one that says it best.
    pub tool: ToolId,
    pub rule: RuleId,
    pub defect: String,
    pub kind: Kind,
    pub severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_severity: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cwe: Vec<u32>,
    /// Categories of the OWASP Top Ten 2021 that the weaknesses belong to, as `A03:2021`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owasp: Vec<String>,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Snippet>,
    /// Present when it stands under a comment or an `[[ignore]]` entry; never reaches `--fail-on`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppression: Option<Suppression>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// Every tool that saw it, the speaking one first.
    pub sightings: Vec<Sighting>,
}

/// One tool's word on a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sighting {
    pub tool: ToolId,
    pub rule: RuleId,
    pub severity: Severity,
    pub message: String,
}

/// How sure the tool is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    Low,
    Medium,
    High,
}

/// A file, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    pub path: SourcePath,
    /// Absent when the whole file is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
}

/// A stretch of text. Lines and columns count from 1; columns count Unicode characters.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Region {
    pub line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The last line, itself included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    /// The column after the last character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_column: Option<u32>,
}

/// A few lines of source around a finding. Secrets are masked before they get here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Snippet {
    /// The number of the first line shown.
    pub first_line: u32,
    pub lines: Vec<String>,
}

/// Why a finding is shown apart and does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suppression {
    pub kind: SuppressionKind,
    /// The comment's text, or the entry's reason.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SuppressionKind {
    /// A comment in the source: `# nosec`, `// eslint-disable-line`.
    InSource,
    /// An `[[ignore]]` entry of the configuration.
    Configuration,
    /// An entry of the baseline file.
    Baseline,
}

/// How to mend it, as the tool proposes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    pub description: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
}

/// Replaces the text of a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    pub region: Region,
    pub text: String,
}

// === impl Location ===

impl Location {
    /// Returns the place as a person would type it: `app.py:3:7`.
    pub fn shown(&self) -> String {
        match self.region {
            None => self.path.to_string(),
            Some(Region { line, column: None, .. }) => format!("{}:{line}", self.path),
            Some(Region { line, column: Some(column), .. }) => {
                format!("{}:{line}:{column}", self.path)
            }
        }
    }

    /// Returns the first line, or 1 when the whole file is meant.
    pub fn line(&self) -> u32 {
        self.region.map_or(1, |region| region.line)
    }
}

// === impl Region ===

impl Region {
    /// Takes what a tool said and makes it a region that can exist: lines and columns from 1 up,
    /// the end not before the start. `None` when there is no usable line.
    pub fn checked(
        line: Option<u32>,
        column: Option<u32>,
        end_line: Option<u32>,
        end_column: Option<u32>,
    ) -> Option<Self> {
        let line = line.filter(|line| *line > 0)?;
        let column = column.filter(|column| *column > 0);
        let end_line = end_line.filter(|end| *end >= line);
        let same_line = end_line.is_none_or(|end| end == line);
        let end_column = end_column
            .filter(|end| *end > 0)
            .filter(|end| !same_line || column.is_some_and(|column| *end >= column));
        Some(Self { line, column, end_line, end_column })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_of_nonsense_is_mended_or_refused() {
        assert_eq!(Region::checked(Some(0), Some(1), None, None), None);
        let region = Region::checked(Some(3), Some(9), Some(2), Some(4)).unwrap();
        assert_eq!(region, Region { line: 3, column: Some(9), end_line: None, end_column: None });
    }

    #[test]
    fn a_place_is_shown_as_one_would_type_it() {
        let path = SourcePath::new("a.py").unwrap();
        let region = Region::checked(Some(3), Some(7), None, None);
        assert_eq!(Location { path, region }.shown(), "a.py:3:7");
    }
}
