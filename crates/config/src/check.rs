//! Written words become a valid configuration, or all that is wrong with them.

use crate::{
    problem::Problem,
    raw::{RawConfig, RawIgnore, RawToolSettings, Sandbox},
    serve::{self, Serve},
};
use assay_model::{Profile, Severity, ToolDeclaration, ToolLimits};
use jiff::civil::Date;
use std::{
    collections::BTreeMap, fmt, num::NonZeroU32, path::PathBuf, str::FromStr, time::Duration,
};

/// A valid configuration: what a running program works with.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own that a user sets")]
pub struct Config {
    pub kinds: Kinds,
    pub profile: Profile,
    pub tools: Vec<String>,
    pub fail_on: FailOn,
    pub timeout: Duration,
    /// `None`: as many as there are processors.
    pub jobs: Option<NonZeroU32>,
    pub offline: bool,
    pub allow_incomplete: bool,
    pub require_all: bool,
    pub exit_zero: bool,
    pub ignore_suppressions: bool,
    pub no_ignore: bool,
    pub sandbox: Sandbox,
    pub source_roots: Vec<PathBuf>,
    pub output: Option<PathBuf>,
    /// The gateway to speak to, where one is named.
    pub server: Option<String>,
    pub serve: Serve,
    /// Patterns over rules, and the severity that they give.
    pub severity: Vec<(String, Severity)>,
    pub ignore: Vec<IgnoreEntry>,
    pub settings: BTreeMap<String, ToolSettings>,
    /// Tools of the user's own.
    pub own_tools: BTreeMap<String, ToolDeclaration>,
}

/// Which analyses were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// All static tools of the profile.
    Static,
    /// Static tools that look for weaknesses, secrets and vulnerable dependencies.
    Security,
}

/// From which severity up a finding makes the program exit with 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailOn {
    Never,
    At(Severity),
}

/// A finding to live with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreEntry {
    pub rule: String,
    pub path: Option<String>,
    pub reason: String,
    pub until: Option<Date>,
}

/// What is set about one tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolSettings {
    pub enabled: Option<bool>,
    pub timeout: Option<Duration>,
    pub limits: ToolLimits,
    pub ignore_rules: Vec<String>,
    pub severity: BTreeMap<String, Severity>,
    /// By name, as text.
    pub options: BTreeMap<String, String>,
}

/// Analyses that the protocol knows and that are not built yet.
const NOT_BUILT: &[&str] = &["dynamic", "performance", "ai"];

/// A day and a bit: longer than any analysis, and far from the clock's end.
const TIMEOUT_MAX: Duration = Duration::from_hours(48);

/// Turns written words into a configuration. Problems are added to `problems`; the result is only
/// meant to be used if there are none.
pub(crate) fn check(raw: RawConfig, problems: &mut Vec<Problem>) -> Config {
    let defaults = Duration::from_mins(30);
    Config {
        kinds: kinds(raw.kinds.as_deref().unwrap_or_default(), problems),
        profile: raw.profile.unwrap_or(Profile::Standard),
        tools: raw.tools.unwrap_or_default(),
        fail_on: parsed("fail-on", raw.fail_on.as_deref(), FailOn::Never, problems),
        timeout: duration("timeout", raw.timeout.as_deref(), problems).unwrap_or(defaults),
        jobs: raw.jobs.and_then(NonZeroU32::new),
        offline: raw.offline.unwrap_or_default(),
        allow_incomplete: raw.allow_incomplete.unwrap_or_default(),
        require_all: raw.require_all.unwrap_or_default(),
        exit_zero: raw.exit_zero.unwrap_or_default(),
        ignore_suppressions: raw.ignore_suppressions.unwrap_or_default(),
        no_ignore: raw.no_ignore.unwrap_or_default(),
        sandbox: raw.sandbox.unwrap_or_default(),
        source_roots: raw.source_roots.unwrap_or_default().into_iter().map(PathBuf::from).collect(),
        output: raw.output.filter(|path| !path.is_empty()).map(PathBuf::from),
        server: raw.server.filter(|url| !url.is_empty()),
        serve: serve::check(raw.serve, problems),
        severity: raw.severity.into_iter().collect(),
        ignore: raw.ignore.into_iter().filter_map(|entry| ignore(entry, problems)).collect(),
        settings: raw
            .settings
            .into_iter()
            .map(|(tool, raw)| {
                let checked = settings(&tool, raw, problems);
                (tool, checked)
            })
            .collect(),
        own_tools: raw.tool,
    }
}

/// Reads a duration such as `90s`, `30m`, `1h30m`; a bare number means seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let bare = text.parse::<u64>().ok().map(Duration::from_secs);
    let friendly =
        || text.parse::<jiff::SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
    bare.or_else(friendly)
        .filter(|duration| !duration.is_zero() && *duration <= TIMEOUT_MAX)
        .ok_or_else(|| {
            format!("`{text}` is no duration between 1 second and 48 hours, such as `90s` or `30m`")
        })
}

fn kinds(words: &[String], problems: &mut Vec<Problem>) -> Kinds {
    let mut kinds = None;
    for word in words {
        match word.as_str() {
            "static" | "comprehensive" => kinds = Some(Kinds::Static),
            "security" => kinds = kinds.or(Some(Kinds::Security)),
            other if NOT_BUILT.contains(&other) => problems.push(
                Problem::new("kinds", format!("the `{other}` analysis is not built yet"))
                    .hint("use `static`, `security` or `comprehensive`"),
            ),
            other => problems.push(
                Problem::new("kinds", format!("there is no analysis `{other}`"))
                    .hint("known: static, security, comprehensive"),
            ),
        }
    }
    kinds.unwrap_or(Kinds::Static)
}

fn parsed<T: FromStr<Err: fmt::Display>>(
    key: &str,
    text: Option<&str>,
    default: T,
    problems: &mut Vec<Problem>,
) -> T {
    match text.map(str::parse) {
        None => default,
        Some(Ok(value)) => value,
        Some(Err(error)) => {
            problems.push(Problem::new(key, error.to_string()));
            default
        }
    }
}

fn duration(key: &str, text: Option<&str>, problems: &mut Vec<Problem>) -> Option<Duration> {
    match parse_duration(text?) {
        Ok(duration) => Some(duration),
        Err(what) => {
            problems.push(Problem::new(key, what));
            None
        }
    }
}

fn ignore(raw: RawIgnore, problems: &mut Vec<Problem>) -> Option<IgnoreEntry> {
    let place = format!("ignore `{}`", raw.rule);
    if raw.rule.trim().is_empty() || raw.reason.trim().is_empty() {
        problems.push(Problem::new(place, "needs a rule and a reason"));
        return None;
    }
    let glob = raw.path.as_deref().map(globset::Glob::new);
    if let Some(Err(error)) = glob {
        problems.push(Problem::new(place, format!("its path is no glob: {error}")));
        return None;
    }
    let until = match raw.until.as_deref().map(str::parse::<Date>) {
        Some(Err(_)) => {
            let what = format!("its `until` is no day: `{}`", raw.until.unwrap_or_default());
            problems.push(Problem::new(place, what).hint("write it as `2027-01-31`"));
            return None;
        }
        Some(Ok(day)) => Some(day),
        None => None,
    };
    Some(IgnoreEntry { rule: raw.rule, path: raw.path, reason: raw.reason, until })
}

fn settings(tool: &str, raw: RawToolSettings, problems: &mut Vec<Problem>) -> ToolSettings {
    let mut options = BTreeMap::new();
    for (name, value) in raw.options {
        let text = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => value.to_string(),
            _ => {
                let place = format!("settings.{tool}.options.{name}");
                problems.push(Problem::new(place, "is neither text, number nor boolean"));
                continue;
            }
        };
        options.insert(name, text);
    }
    let key = format!("settings.{tool}.timeout");
    ToolSettings {
        enabled: raw.enabled,
        timeout: duration(&key, raw.timeout.as_deref(), problems),
        limits: raw.limits,
        ignore_rules: raw.ignore_rules,
        severity: raw.severity,
        options,
    }
}

// === impl Kinds ===

impl Kinds {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Security => "security",
        }
    }
}

// === impl FailOn ===

impl FromStr for FailOn {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "none" => Ok(Self::Never),
            "any" => Ok(Self::At(Severity::Info)),
            severity => severity.parse().map(Self::At).map_err(|_| {
                format!(
                    "`{word}` is no threshold; known: critical, high, medium, low, info, any, none"
                )
            }),
        }
    }
}

impl fmt::Display for FailOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.pad("none"),
            Self::At(severity) => f.pad(severity.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_people_write_it() {
        for (text, seconds) in
            [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2h", 7200), ("45", 45)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0s", "-5m", "soon", "49h", "1e9", "99999999999999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_documented_defaults_are_the_defaults() {
        let raw: RawConfig = toml::from_str(crate::DEFAULTS).unwrap();
        let mut problems = Vec::new();
        let mut bare = RawConfig::default();
        let written = check(raw.clone(), &mut problems);
        bare.source_roots.clone_from(&raw.source_roots);
        let built_in = check(bare, &mut problems);
        assert_eq!(problems, []);
        assert_eq!(format!("{written:?}"), format!("{built_in:?}"));
    }

    #[test]
    fn every_problem_is_told() {
        let text = r#"
            kinds = ["dynamic", "statik"]
            fail-on = "severe"
            timeout = "soon"
            [[ignore]]
            rule = "x"
            reason = ""
            [[ignore]]
            rule = "y"
            reason = "z"
            until = "tomorrow"
        "#;
        let mut problems = Vec::new();
        check(toml::from_str(text).unwrap(), &mut problems);
        assert_eq!(problems.len(), 6, "{problems:#?}");
    }
}
