//! One checked tool.
//!
//! Made only by [`check`](crate::check), so whoever holds one need not ask whether its words make
//! sense: its globs and regular expressions are compiled, its placeholders known.

use crate::{
    calls::OutputName,
    defects::{self, DefectClass},
    embedded,
    mapping::CompiledMapping,
    recipe::{Locks, Recipe},
    steering::Steering,
    suppress::{Block, Suppressor},
};
use assay_model::{
    Cost, Install, Kind, Language, OptionFlag, Profile, RuleNote, SourcePath, ToolDeclaration,
    ToolId,
};
use globset::GlobSet;
use regex::{Regex, RegexSet};
use std::{collections::BTreeMap, fmt, time::Duration};

/// A tool that can be run.
pub struct Tool {
    pub(crate) id: ToolId,
    pub(crate) says: ToolDeclaration,
    pub(crate) origin: Origin,
    pub(crate) inputs: GlobSet,
    pub(crate) output: OutputName,
    /// The globs of every rule note, in order; the index leads to the note through `note_of`.
    pub(crate) note_globs: GlobSet,
    pub(crate) note_of: Vec<usize>,
    pub(crate) failure_lines: RegexSet,
    /// Each with a group `path`.
    pub(crate) file_failed_lines: Vec<Regex>,
    pub(crate) unreachable_lines: Vec<Regex>,
    pub(crate) suppressors: Vec<Suppressor>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) steering: Steering,
    pub(crate) mapping: Option<CompiledMapping>,
    pub(crate) locks: Locks,
}

/// Who declared a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A row of our catalogue.
    Shipped,
    /// A table of the user's `assay.toml`.
    User,
}

/// A user's settings of one tool, checked against what it offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub(crate) args: Vec<String>,
    /// The names that were set, for the report.
    pub names: Vec<String>,
}

/// A setting that the tool does not have or that cannot be its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    #[error("`{tool}` has no setting `{name}`{}", near(nearest.as_deref()))]
    Unknown { tool: ToolId, name: String, nearest: Option<String> },
    #[error("`{name}` of `{tool}` is a switch: `true` or `false`, not `{value}`")]
    NoSwitch { tool: ToolId, name: String, value: String },
    #[error("`{value}` cannot be `{name}` of `{tool}`: {why}")]
    Value { tool: ToolId, name: String, value: String, why: &'static str },
}

// === impl Tool ===

impl Tool {
    pub fn id(&self) -> &ToolId {
        &self.id
    }

    /// Returns its words as written.
    pub fn declaration(&self) -> &ToolDeclaration {
        &self.says
    }

    pub fn origin(&self) -> Origin {
        self.origin
    }

    pub fn kind(&self) -> Kind {
        self.says.kind
    }

    pub fn profile(&self) -> Option<Profile> {
        self.says.profile
    }

    /// Returns how many of the run's slots it takes.
    pub fn weight(&self) -> usize {
        match self.says.cost {
            Cost::Light => 1,
            Cost::Heavy => 2,
        }
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.says.timeout_s))
    }

    pub fn grace(&self) -> Duration {
        Duration::from_secs(u64::from(self.says.run.grace_s))
    }

    /// Returns the version that its row pins; a program of the user has none.
    pub fn version(&self) -> Option<&str> {
        match &self.says.install {
            Install::Pypi { version, .. }
            | Install::Npm { version, .. }
            | Install::Builtin { version, .. } => Some(version),
            Install::Path { .. } => None,
        }
    }

    /// Whether the analysis is complete without it.
    pub fn is_optional(&self) -> bool {
        self.says.optional.is_some() || matches!(self.says.install, Install::Path { .. })
    }

    /// Whether any of its findings can be of that kind.
    pub fn reports(&self, kind: Kind) -> bool {
        self.says.kind == kind || self.says.also.contains(&kind)
    }

    /// Returns how it is installed.
    pub fn recipe(&self) -> Recipe<'_> {
        Recipe::of(&self.says.install, &self.says.run.program, self.locks)
    }

    /// Whether a file of the app wakes it.
    pub fn matches(&self, path: &SourcePath, language: Language, is_text: bool) -> bool {
        let inputs = &self.says.inputs;
        inputs.languages.contains(&language)
            || (inputs.all_text && is_text)
            || self.inputs.is_match(path.as_str())
    }

    /// Whether a line of the stream that holds no report says that the tool failed. One that names
    /// the file that could not be read does not: the rest was.
    pub fn is_failure_line(&self, line: &str) -> bool {
        self.failure_lines.is_match(line)
            && !self.file_failed_lines.iter().any(|pattern| pattern.is_match(line))
    }

    /// Returns why the server that the tool asks cannot be asked, where a line of the text says
    /// that it is so: what the pattern names, else the last line, where programs put it.
    pub(crate) fn unreachable<'t>(&self, text: &'t str) -> Option<&'t str> {
        self.unreachable_lines.iter().find_map(|pattern| {
            let found = text.lines().find_map(|line| pattern.captures(line))?;
            let last = || text.lines().rev().find(|line| !line.trim().is_empty());
            found.name("why").map(|why| why.as_str()).or_else(last)
        })
    }

    /// Checks a user's settings and keeps the arguments that they become.
    ///
    /// An option whose arguments hold no `{value}` is a switch.
    pub fn settings(&self, wanted: &BTreeMap<String, String>) -> Result<Settings, SettingError> {
        let mut settings = Settings::default();
        for (name, value) in wanted {
            let Some(option) = self.says.options.get(name) else {
                return Err(self.unknown_setting(name));
            };
            settings.args.extend(self.option_args(name, option, value)?);
            settings.names.push(name.clone());
        }
        Ok(settings)
    }

    fn unknown_setting(&self, name: &str) -> SettingError {
        let known = self.says.options.keys().map(String::as_str);
        SettingError::Unknown {
            tool: self.id.clone(),
            name: name.to_owned(),
            nearest: crate::resolve::nearest(name, known).map(str::to_owned),
        }
    }

    fn option_args(
        &self,
        name: &str,
        option: &OptionFlag,
        value: &str,
    ) -> Result<Vec<String>, SettingError> {
        let (tool, name, given) = (self.id.clone(), name.to_owned(), value.to_owned());
        if !option.args.iter().any(|arg| arg.contains("{value}")) {
            return match value {
                "true" => Ok(option.args.clone()),
                "false" => Ok(Vec::new()),
                _ => Err(SettingError::NoSwitch { tool, name, value: given }),
            };
        }
        if value.chars().any(char::is_control) {
            let why = "it holds a control character";
            return Err(SettingError::Value { tool, name, value: given, why });
        }
        // `--config X` given as a value would be an option of the tool, also one that the row
        // does not offer.
        if value.starts_with('-') && option.args.iter().any(|arg| arg.starts_with("{value}")) {
            let why = "it starts with `-`";
            return Err(SettingError::Value { tool, name, value: given, why });
        }
        Ok(option.args.iter().map(|arg| arg.replace("{value}", value)).collect())
    }

    /// Returns the first note about a rule.
    pub(crate) fn note(&self, rule: &str) -> Option<&RuleNote> {
        let first = self.note_globs.matches(rule).into_iter().min()?;
        self.says.rules.get(self.note_of[first])
    }

    /// Returns what is wrong, across tools, where a rule's class is known.
    pub fn defect_class(&self, rule: &str) -> Option<&'static DefectClass> {
        defects::class_of(&self.id, rule)
    }

    /// Tells whether one of its rules means this class.
    pub fn looks_for(&self, class: &str) -> bool {
        defects::knows(&self.id, class)
    }

    /// Returns the rules that it gets with its neutral configuration: relative names and texts,
    /// which are handed on as they are. A rule may well speak of `{project}`.
    pub(crate) fn rule_files(&self) -> BTreeMap<String, &'static str> {
        let folders = self.says.config.keys().filter(|name| name.ends_with('/'));
        let files = folders.flat_map(|folder| {
            embedded::RULES.iter().map(move |(rule, text)| (format!("{folder}{rule}"), *text))
        });
        files.collect()
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Tool");
        shown.field("id", &self.id).field("origin", &self.origin).finish_non_exhaustive()
    }
}

fn near(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}
