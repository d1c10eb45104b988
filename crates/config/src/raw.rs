//! What may be written: every key optional, nothing checked yet but its type.

use crate::serve::RawServe;
use assay_model::{Profile, Severity, ToolDeclaration, ToolLimits};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The words of `assay.toml`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[schemars(title = "assay.toml")]
pub struct RawConfig {
    /// Analyses to run: `static`, `security`, `comprehensive`.
    pub kinds: Option<Vec<String>>,
    pub profile: Option<Profile>,
    /// Run exactly these tools.
    pub tools: Option<Vec<String>>,
    /// A severity, `any` or `none`.
    pub fail_on: Option<String>,
    /// A duration such as `30m`.
    pub timeout: Option<String>,
    /// Tools side by side; 0: as many as there are processors.
    pub jobs: Option<u32>,
    pub offline: Option<bool>,
    pub allow_incomplete: Option<bool>,
    pub require_all: Option<bool>,
    pub exit_zero: Option<bool>,
    pub ignore_suppressions: Option<bool>,
    pub no_ignore: Option<bool>,
    pub sandbox: Option<Sandbox>,
    /// Where `MODEL APP` is looked for.
    pub source_roots: Option<Vec<String>>,
    /// Where results go; empty: the default place.
    pub output: Option<String>,
    /// Severities by `tool:rule`, rule or defect class.
    pub severity: BTreeMap<String, Severity>,
    pub ignore: Vec<RawIgnore>,
    /// Settings of single tools, by name.
    pub settings: BTreeMap<String, RawToolSettings>,
    /// The gateway that `status`, `--server` and the like speak to; empty: the one that `assay
    /// serve` with this configuration would be.
    pub server: Option<String>,
    /// What `assay serve` and `assay service` do.
    pub serve: RawServe,
    /// Tools of your own, by name.
    pub tool: BTreeMap<String, ToolDeclaration>,
}

/// How tools are kept in check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// The best that the machine offers.
    #[default]
    Auto,
    /// Every layer, or nothing is run.
    Strict,
    /// No fence: only limits, and that nothing outlives its run.
    Off,
}

/// A finding to live with.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawIgnore {
    /// `tool:rule`, a rule or a defect class; `*` stands for any text.
    pub rule: String,
    /// A glob over the app's files; absent: everywhere.
    pub path: Option<String>,
    /// Why it is fine. Shown in every report.
    pub reason: String,
    /// The last day on which it holds, `YYYY-MM-DD`.
    pub until: Option<String>,
}

/// What may be set about one tool.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RawToolSettings {
    /// False: the tool is not run, unless `--tools` names it.
    pub enabled: Option<bool>,
    /// Its own deadline.
    pub timeout: Option<String>,
    /// What its processes may take.
    pub limits: ToolLimits,
    /// Rules of it whose findings are dropped; `*` stands for any text.
    pub ignore_rules: Vec<String>,
    /// Severities by rule.
    pub severity: BTreeMap<String, Severity>,
    /// What the catalogue lets a user set, by name: text, number or boolean.
    pub options: BTreeMap<String, serde_json::Value>,
}
