//! The shapes of SARIF that are looked at. Everything else is passed over.
//!
//! Lean on purpose: results borrow from the text, and a member that tools fill with surprises is
//! taken as it comes instead of refusing a whole report for it.

use super::region::Number;
use serde::Deserialize;
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct SarifResult<'a> {
    #[serde(borrow)]
    pub rule_id: Option<Cow<'a, str>>,
    pub rule_index: Option<i64>,
    #[serde(borrow)]
    pub rule: Option<RuleRef<'a>>,
    #[serde(borrow)]
    pub kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub level: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub message: Message<'a>,
    #[serde(borrow)]
    pub locations: Vec<Location<'a>>,
    #[serde(borrow)]
    pub suppressions: Option<Vec<Suppressed<'a>>>,
    #[serde(borrow)]
    pub fixes: Option<Vec<SarifFix<'a>>>,
    #[serde(borrow)]
    pub taxa: Option<Vec<RuleRef<'a>>>,
    #[serde(borrow)]
    pub baseline_state: Option<Cow<'a, str>>,
    pub properties: Option<Properties>,
}

/// A reference to a rule or to an entry of a taxonomy.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct RuleRef<'a> {
    #[serde(borrow)]
    pub id: Option<Cow<'a, str>>,
    pub index: Option<i64>,
    #[serde(borrow)]
    pub tool_component: Option<ComponentRef<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct ComponentRef<'a> {
    #[serde(borrow)]
    pub name: Option<Cow<'a, str>>,
    pub index: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub markdown: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub id: Option<Cow<'a, str>>,
    pub arguments: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct Location<'a> {
    #[serde(borrow)]
    pub physical_location: Option<PhysicalLocation<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct PhysicalLocation<'a> {
    #[serde(borrow)]
    pub artifact_location: Option<ArtifactLocation<'a>>,
    pub region: Option<SarifRegion>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct ArtifactLocation<'a> {
    #[serde(borrow)]
    pub uri: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub uri_base_id: Option<Cow<'a, str>>,
    pub index: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SarifRegion {
    pub start_line: Number,
    pub start_column: Number,
    pub end_line: Number,
    pub end_column: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct Suppressed<'a> {
    #[serde(borrow)]
    pub kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub justification: Option<Cow<'a, str>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct SarifFix<'a> {
    #[serde(borrow)]
    pub description: Message<'a>,
    #[serde(borrow)]
    pub artifact_changes: Vec<ArtifactChange<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct ArtifactChange<'a> {
    #[serde(borrow)]
    pub artifact_location: ArtifactLocation<'a>,
    #[serde(borrow)]
    pub replacements: Vec<Replacement<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct Replacement<'a> {
    pub deleted_region: SarifRegion,
    #[serde(borrow)]
    pub inserted_content: Message<'a>,
}

/// What tools put into bags of properties. Anything may stand there, so nothing is expected.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Properties {
    pub tags: Value,
    #[serde(rename = "security-severity")]
    pub security_severity: Value,
    pub severity: Value,
    pub issue_severity: Value,
    #[serde(rename = "problem.severity")]
    pub problem_severity: Value,
    pub confidence: Value,
    pub issue_confidence: Value,
    pub precision: Value,
    pub cwe: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SarifTool {
    pub driver: Option<Component>,
    pub extensions: Vec<Component>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Component {
    pub name: Option<String>,
    pub version: Option<String>,
    pub semantic_version: Option<String>,
    pub rules: Vec<ReportingDescriptor>,
    pub global_message_strings: BTreeMap<String, OwnedMessage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ReportingDescriptor {
    pub id: String,
    pub short_description: Option<OwnedMessage>,
    pub full_description: Option<OwnedMessage>,
    pub help_uri: Option<String>,
    pub default_configuration: Option<Configuration>,
    pub message_strings: BTreeMap<String, OwnedMessage>,
    pub relationships: Vec<Relationship>,
    pub properties: Option<Properties>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OwnedMessage {
    pub text: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Configuration {
    pub level: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Relationship {
    pub target: OwnedRef,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OwnedRef {
    pub id: Option<String>,
    pub tool_component: Option<OwnedComponentRef>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OwnedComponentRef {
    pub name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct Invocation<'a> {
    pub execution_successful: Option<bool>,
    #[serde(borrow)]
    pub tool_execution_notifications: Vec<Notification<'a>>,
    #[serde(borrow)]
    pub tool_configuration_notifications: Vec<Notification<'a>>,
    #[serde(borrow)]
    pub exit_code_description: Option<Cow<'a, str>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct Notification<'a> {
    #[serde(borrow)]
    pub level: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub message: Message<'a>,
    #[serde(borrow)]
    pub locations: Vec<Location<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Artifact {
    pub location: Option<OwnedArtifactLocation>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OwnedArtifactLocation {
    pub uri: Option<String>,
    pub uri_base_id: Option<String>,
}

// === impl Properties ===

impl Properties {
    pub(super) fn number(&self) -> Option<f32> {
        match &self.security_severity {
            #[expect(clippy::cast_possible_truncation, reason = "0 to 10, checked by `band`")]
            Value::Number(number) => number.as_f64().map(|number| number as f32),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    pub(super) fn word(&self) -> Option<&str> {
        [&self.issue_severity, &self.problem_severity, &self.severity]
            .into_iter()
            .find_map(Value::as_str)
    }

    pub(super) fn confidence(&self) -> Option<&str> {
        let words = [&self.issue_confidence, &self.confidence, &self.precision];
        words.into_iter().find_map(Value::as_str)
    }

    pub(super) fn cwe(&self, into: &mut Vec<u32>) {
        for (value, read) in [
            (&self.tags, super::cwe::cwe_in as fn(&str) -> Option<u32>),
            (&self.cwe, super::cwe::cwe_of_field),
        ] {
            match value {
                Value::String(text) => into.extend(read(text)),
                Value::Array(values) => {
                    into.extend(values.iter().filter_map(|value| read(value.as_str()?)));
                }
                Value::Number(number) => {
                    into.extend(number.as_u64().and_then(|n| u32::try_from(n).ok()));
                }
                _ => {}
            }
        }
    }
}
