//! One tool, as a row of the catalogue or a table of `assay.toml` says it.
//!
//! The same type reads both, so whatever a shipped tool can do, a user's own tool can do too.
//! These are the words as written; `tools` checks them before anything is run.
//!
//! Placeholders in `run.args`, `run.env`, `run.program` and `config`:
//!
//! | written | becomes |
//! |---|---|
//! | `{project}` | the snapshot's root |
//! | `{scratch}` | a private folder of this run, removed after it |
//! | `{config}` | the folder with this tool's neutral configuration files |
//! | `{prefix}` | the tool's installation |
//! | `{assay}` | the running `assay` binary, for analyzers that are built in |
//! | `{files}` | alone in one argument, with `invocation = "batches"`: matched files |
//! | `{file}`, `{dir}` | with `invocation = "each"`: the one matched file, and its folder |
//!
//! Files are relative to the project where that is the working directory, else absolute. With
//! `batches` and `each`, every call has a `{scratch}` of its own.

use crate::{
    ColumnUnit, Confidence, Kind, Language, Mapping, Profile, Severity, SteeredBy, ToolLimits,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that is said about one tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ToolDeclaration {
    /// Its name as its makers write it.
    pub title: String,
    /// What it looks for, in half a sentence.
    #[serde(default)]
    pub summary: String,
    #[serde(default)]
    pub homepage: Option<String>,
    /// The kind of its findings, where no rule says otherwise.
    pub kind: Kind,
    /// More kinds that it can report; `--kind security` selects by these too.
    #[serde(default)]
    pub also: Vec<Kind>,
    pub inputs: Inputs,
    /// The smallest profile that runs it. Absent: only when named by `--tools`.
    #[serde(default)]
    pub profile: Option<Profile>,
    #[serde(default)]
    pub cost: Cost,
    /// It has to reach the network to do its work.
    #[serde(default)]
    pub network: bool,
    /// Why the analysis is complete without it, where it needs what Assay cannot install.
    #[serde(default)]
    pub optional: Option<String>,
    /// Its own deadline in seconds, inside that of the analysis.
    #[serde(default = "default_timeout_s")]
    pub timeout_s: u32,
    /// What its processes may take, where the defaults are not right for it.
    #[serde(default, skip_serializing_if = "ToolLimits::is_default")]
    pub limits: ToolLimits,
    pub install: Install,
    pub run: RunDeclaration,
    pub output: OutputDeclaration,
    /// What is known about its rules. The first that matches wins.
    #[serde(default)]
    pub rules: Vec<RuleNote>,
    /// Its own words for severity, in ours.
    #[serde(default)]
    pub severities: BTreeMap<String, Severity>,
    /// Its own words for confidence, in ours.
    #[serde(default)]
    pub confidences: BTreeMap<String, Confidence>,
    /// Neutral configuration files: name to text. A name that ends in `/` with the text `@rules`
    /// becomes a folder with the rules that Assay ships. Only known placeholders are replaced.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// What a user may set about it, and the arguments that it becomes.
    #[serde(default)]
    pub options: BTreeMap<String, OptionFlag>,
    /// Older names that select it (`flake8`), each with what to tell the user.
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
    /// Comments that suppress its findings: regular expressions matched against the finding's
    /// first and last line (`# nosec`). One that begins with `^` or holds `next-line` is matched
    /// against the line above instead (`eslint-disable-next-line`). Where a group named `rules`
    /// takes part, it has to name the finding's rule or the beginning of it.
    #[serde(default)]
    pub suppressed_by: Vec<String>,
    /// Comments that suppress more than one line.
    #[serde(default)]
    pub suppressed_blocks: Vec<SuppressedBlock>,
    /// Files by which an app could steer this tool or hide code from it.
    #[serde(default)]
    pub steered_by: Vec<SteeredBy>,
    /// Its self-test. Required of every shipped tool; without one a tool's clean result is only
    /// as good as its exit code.
    #[serde(default)]
    pub canary: Option<CanaryDeclaration>,
    /// What a reader must know of every result.
    #[serde(default)]
    pub note: Option<String>,
}

/// A comment that suppresses findings until another one, or in a whole file. A group named `rules`
/// says which, as in `suppressed-by`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SuppressedBlock {
    /// The comment, within one line.
    pub from: String,
    /// The comment that ends it. Absent: it goes to the end of the file.
    #[serde(default)]
    pub until: Option<String>,
    #[serde(default)]
    pub reach: SuppressionReach,
}

/// What of a file a comment silences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SuppressionReach {
    /// What stands behind it.
    #[default]
    Rest,
    /// The whole file, wherever it stands.
    File,
    /// The whole file, where nothing but comments and blank lines stands above it.
    Top,
}

/// Which files wake the tool: any file of these languages or matching these globs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Inputs {
    #[serde(default)]
    pub languages: Vec<Language>,
    /// Globs over relative paths: `**/requirements*.txt`.
    #[serde(default)]
    pub files: Vec<String>,
    /// Every text file.
    #[serde(default)]
    pub all_text: bool,
}

/// How much of the machine it takes while it runs.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Cost {
    /// One thread.
    #[default]
    Light,
    /// As many threads as there are, or much memory: counts for two.
    Heavy,
}

/// Where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    tag = "from"
)]
pub enum Install {
    /// A Python package, in an environment of its own, from a lock with hashes.
    Pypi { package: String, version: String },
    /// An npm package, in the one prefix of all npm tools, from a lock with hashes.
    Npm { package: String, version: String },
    /// A program that the user has. Assay never installs it.
    Path {
        /// Arguments that print its version.
        #[serde(default)]
        version_args: Vec<String>,
        /// The beginning of the version that this row is about: `8`, `2.10`. A program that is of
        /// another one, or does not say of which it is, is not used.
        #[serde(default)]
        version: Option<String>,
        /// How to get it.
        mend: String,
    },
    /// Part of Assay. `data` names the Python package that holds its data, if any.
    Builtin {
        #[serde(default)]
        package: Option<String>,
        version: String,
    },
}

/// How it is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunDeclaration {
    /// A name in the installation's `bin`, or `{assay}`, or for `from = "path"` a name on `PATH`.
    pub program: String,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub invocation: Invocation,
    /// With `invocation = "batches"`: files in one call at most. For tools whose time grows faster
    /// than the number of their files.
    #[serde(default)]
    pub batch_files: Option<u32>,
    #[serde(default)]
    pub cwd: WorkingDirectory,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// With `invocation = "each"`: copies in `{scratch}`, made before the start, for a tool that
    /// would obey files that lie beside the matched one, or lines in it.
    #[serde(default)]
    pub staged: Vec<StagedFile>,
    /// Codes that mean "nothing found".
    #[serde(default = "default_clean_codes")]
    pub clean_codes: Vec<i32>,
    /// Codes that mean "something found". Every other code is a failure.
    #[serde(default)]
    pub finding_codes: Vec<i32>,
    /// Seconds between asking it to stop and forcing it.
    #[serde(default)]
    pub grace_s: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Invocation {
    /// Once, for the whole project.
    #[default]
    Once,
    /// As often as the matched files need to fit an argument list.
    Batches,
    /// Once for every matched file.
    Each,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkingDirectory {
    /// The snapshot's root.
    Project,
    /// Its scratch folder: nothing of the app can shadow a module or a configuration there.
    #[default]
    Scratch,
    /// With `invocation = "each"`: the folder of the matched file.
    FileFolder,
}

/// A copy that a tool sees instead of a file of the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StagedFile {
    /// The copy's name in `{scratch}`.
    pub name: String,
    /// A file in the folder of the matched file; one that is not there is not copied. Absent: the
    /// matched file itself.
    #[serde(default)]
    pub beside: Option<String>,
    #[serde(default)]
    pub content: StagedContent,
}

/// What of a file is copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StagedContent {
    #[default]
    Whole,
    /// Of a `requirements.txt` only `name==version`: no option, address, path or hash. What that
    /// leaves out is told as a complaint, so that nothing is clean.
    PinnedRequirements,
    /// Of a `requirements.txt` what it asks for itself: no other file that it names, no option.
    OwnRequirements,
}

/// Where its report appears and how it reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OutputDeclaration {
    /// `stdout`, `stderr`, or `file:NAME` for a file in the scratch folder.
    #[serde(default = "default_stream")]
    pub from: String,
    pub format: Format,
    /// `tool.driver.name` of its SARIF; another tool's report is refused. Absent: any is taken.
    #[serde(default)]
    pub driver: Option<String>,
    /// Nothing at all on that stream is a report too: nothing found.
    #[serde(default)]
    pub empty_is_clean: bool,
    /// The other stream (or the same, for line formats) must not hold a line that matches one of
    /// these: some tools complain there and exit 0.
    #[serde(default)]
    pub failure_lines: Vec<String>,
    /// Lines of the other stream, or the reason at `map.failure`, or reasons at `map.skipped`
    /// where everything was skipped, which mean that its server cannot be reached or does not answer
    /// as it should: it is `unavailable`. A group `why` is what to tell, else the last line is; the
    /// first pattern that matches tells it.
    #[serde(default)]
    pub unreachable_lines: Vec<String>,
    /// Lines of either stream whose group `path` names a file that it could not read.
    #[serde(default)]
    pub file_failed_lines: Vec<String>,
    /// What its columns count. Absent: what its SARIF says, else characters.
    #[serde(default)]
    pub columns: Option<ColumnUnit>,
    /// How items of JSON, CSV and text become findings.
    #[serde(default)]
    pub map: Option<Mapping>,
    /// A file in the scratch folder that is kept for the reader.
    #[serde(default)]
    pub artifact: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// SARIF 2.1.0.
    Sarif,
    /// One JSON document, read through `map`.
    Json,
    /// One JSON document a line, read through `map`.
    JsonLines,
    /// Comma-separated values; columns are named `0`, `1` … or by the header.
    Csv,
    /// Lines, read by `map.pattern`.
    Text,
    /// A CycloneDX bill of materials: an artifact without findings.
    Cyclonedx,
}

/// What is known about some of a tool's rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RuleNote {
    /// Globs over rule names: `S*`, `security/*`.
    pub rules: Vec<String>,
    #[serde(default)]
    pub kind: Option<Kind>,
    #[serde(default)]
    pub severity: Option<Severity>,
    #[serde(default)]
    pub security_severity: Option<f32>,
    #[serde(default)]
    pub confidence: Option<Confidence>,
    #[serde(default)]
    pub cwe: Vec<u32>,
    /// A page about the rule; `{rule}` stands for its name.
    #[serde(default)]
    pub help: Option<String>,
    /// It says that a file could not be read: counted as such, not as a finding.
    #[serde(default)]
    pub file_failed: bool,
    /// It is about the tool's own running, or noise in every app.
    #[serde(default)]
    pub dropped: bool,
}

/// A setting of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OptionFlag {
    pub summary: String,
    /// What is added to the command line; `{value}` stands for the value.
    pub args: Vec<String>,
    /// It names a program, a path or a host, so a project's own file may not set it.
    #[serde(default)]
    pub privileged: bool,
    /// It names the server that is asked: the mend where that one does not answer.
    #[serde(default)]
    pub server: bool,
}

/// A tiny defect that the tool must find and a clean sample that it must leave alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CanaryDeclaration {
    /// The rule that must be reported; for a bill of materials, a component that must be in it.
    pub expect: String,
    pub defect: Vec<CanaryFile>,
    pub clean: Vec<CanaryFile>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CanaryFile {
    pub path: String,
    pub text: String,
}

const fn default_timeout_s() -> u32 {
    300
}

fn default_clean_codes() -> Vec<i32> {
    vec![0]
}

fn default_stream() -> String {
    "stdout".to_owned()
}
