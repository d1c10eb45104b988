//! What a request over the wire asks for, checked.
//!
//! Keeps: whoever asks decides what is looked for and how strictly, and nothing else: no program, no
//! path, no host, no layer of the cage, no limit. What is not known is left out and said, since
//! clients of the first system send settings that no tool has any more; what is not allowed is
//! refused.

use super::{Chosen, Setup, catalogue, chosen, languages::speaks_of};
use crate::{failure::Failure, target::Target};
use assay_config::{Loaded, Loader};
use assay_model::{ToolId, ToolRun, ToolStatus};
use assay_tools::{Catalogue, ResolveError, Tool};
use assay_wire::{AnalysisRequest, Route};
use serde_json::{Map, Value};

/// Settings of the whole analysis that a request may make.
const ALLOWED: &[&str] =
    &["profile", "timeout", "fail-on", "require-all", "ignore-suppressions", "severity", "ignore"];

/// Settings that only whoever runs the service may make.
const REFUSED: &[&str] = &[
    "sandbox",
    "offline",
    "jobs",
    "output",
    "source-roots",
    "tool",
    "kinds",
    "no-ignore",
    "allow-incomplete",
    "exit-zero",
    "trust-project",
];

/// Settings of one tool that a request may make, beside the options of its row.
const OF_A_TOOL: &[&str] = &["enabled", "timeout", "ignore-rules", "severity"];

/// What a service runs on: its configuration and its tools. The same for all requests.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) loaded: Loaded,
    pub(crate) catalogue: Catalogue,
}

/// The settings of a request, in the words of `assay.toml`.
#[derive(Debug, Default)]
struct Wishes {
    flags: Vec<(String, Value, String)>,
    left_out: Vec<String>,
}

// === impl Base ===

impl Base {
    pub(crate) fn of(loader: &Loader) -> Result<Self, Failure> {
        let loaded = loader.check()?;
        let catalogue = catalogue(&loaded.config)?;
        Ok(Self { loaded, catalogue })
    }

    /// The tools of a request that says nothing.
    pub(crate) fn usual(&self) -> Result<Vec<Chosen>, Failure> {
        chosen(&self.loaded.config, &self.catalogue, &[], &mut Vec::new())
    }
}

// === impl Setup ===

impl Setup {
    /// Checks what a request asks for. The second says whether settings of its own are in force.
    pub(crate) fn of_request(
        base: &Base,
        target: Target,
        request: &AnalysisRequest,
    ) -> Result<(Self, bool), Failure> {
        let wishes = Wishes::of(&request.config, &base.catalogue)?;
        let configured = !wishes.flags.is_empty();
        let loaded = &base.loaded;
        let mut loaded = if configured { loaded.over(&wishes.flags)? } else { loaded.clone() };
        // An app has a folder of its own; one for all would be that of the last.
        loaded.config.output = None;
        let named = if request.tools.is_empty() {
            loaded.config.tools.clone()
        } else {
            request.tools.clone()
        };
        let (known, absent) = parted(&named, &base.catalogue)?;
        loaded.config.tools = known;
        let mut setup = Self::checked(loaded, target, &base.catalogue)?;
        setup.no_ignore = true;
        setup.warnings.extend(wishes.left_out);
        if named.is_empty() {
            setup.narrow(base, request)?;
        } else if setup.config.tools.is_empty() {
            // Names that select no tool must not select those of the profile.
            setup.chosen.clear();
        }
        // Where nothing else runs, an analysis without these is not complete.
        let alone = setup.chosen.is_empty();
        setup.absent = absent;
        setup.absent.iter_mut().for_each(|run| run.required |= alone);
        setup.config.tools = named;
        Ok((setup, configured))
    }

    /// Keeps what the type of the analysis is about. Tools that were named stay.
    fn narrow(&mut self, base: &Base, request: &AnalysisRequest) -> Result<(), Failure> {
        let Some(kind) = &request.analysis_type else { return Ok(()) };
        let route = Route::of(None, Some(kind))
            .map_err(|bad| Failure::usage(bad.message.clone()).maybe_hint(bad.suggestion))?;
        if !route.kinds.is_empty() {
            let mut told_already = Vec::new();
            self.chosen = chosen(&self.config, &base.catalogue, route.kinds, &mut told_already)?;
        }
        self.languages = route.languages.to_vec();
        if !self.languages.is_empty() {
            self.chosen.retain(|chosen| speaks_of(&chosen.tool, route.languages));
        }
        if self.chosen.is_empty() {
            let what = format!("no tool of the configuration is for `{}`", kind.as_str());
            return Err(Failure::usage(what).hint("name the `tools`, or ask for a wider profile"));
        }
        Ok(())
    }
}

/// Parts names that select a tool of ours from those of which we know where they went. One that
/// nobody knows is an error.
fn parted(named: &[String], catalogue: &Catalogue) -> Result<(Vec<String>, Vec<ToolRun>), Failure> {
    let (mut known, mut absent, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for name in named {
        match catalogue.resolve(name) {
            Ok(_) => known.push(name.clone()),
            Err(error) => match absent_run(name, &error) {
                Some(run) => absent.push(run),
                None => unknown.push(error),
            },
        }
    }
    if unknown.is_empty() {
        return Ok((known, absent));
    }
    let words: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    let hints: Vec<String> = unknown.iter().filter_map(ResolveError::hint).collect();
    Err(Failure::usage(words.join("; ")).hint(hints.join("; ")))
}

fn absent_run(name: &str, error: &ResolveError) -> Option<ToolRun> {
    let required = match error {
        ResolveError::Unknown { .. } => return None,
        // It belongs to another service, which whoever asks for everything asks as well.
        ResolveError::NotBuilt { .. } => false,
        ResolveError::NeedsAccount { .. } => true,
    };
    let id = ToolId::new(&name.trim().to_lowercase().replace(['_', ' '], "-")).ok()?;
    let mut run = ToolRun::not_run(id, ToolStatus::Unavailable, required);
    run.reason = Some(error.to_string());
    run.mend = error.hint();
    Some(run)
}

// === impl Wishes ===

impl Wishes {
    fn of(config: &Map<String, Value>, catalogue: &Catalogue) -> Result<Self, Failure> {
        let mut wishes = Self::default();
        for (key, value) in config {
            let word = key.replace('_', "-").to_lowercase();
            match (word.as_str(), value) {
                ("settings", Value::Object(tools)) => {
                    for (name, value) in tools {
                        wishes.about_a_tool(name, value, catalogue)?;
                    }
                }
                (word, _) if ALLOWED.contains(&word) => {
                    wishes.set(word.to_owned(), written(word, value), key);
                }
                (word, _) if REFUSED.contains(&word) => return Err(refused(key)),
                _ => wishes.about_a_tool(key, value, catalogue)?,
            }
        }
        Ok(wishes)
    }

    fn about_a_tool(
        &mut self,
        name: &str,
        value: &Value,
        catalogue: &Catalogue,
    ) -> Result<(), Failure> {
        match (catalogue.resolve(name), value) {
            (Ok(resolved), Value::Object(wanted)) => self.of_tool(&resolved.tool, wanted),
            (Ok(_), _) => {
                self.leave_out(name, "is no table of settings");
                Ok(())
            }
            (Err(_), _) => {
                self.leave_out(name, "is about no tool that there is");
                Ok(())
            }
        }
    }

    fn of_tool(&mut self, tool: &Tool, wanted: &Map<String, Value>) -> Result<(), Failure> {
        let id = tool.id().as_str();
        for (key, value) in wanted {
            let word = key.replace('_', "-");
            let place = format!("{id}.{key}");
            match (word.as_str(), value) {
                ("options", Value::Object(options)) => {
                    for (key, value) in options {
                        self.option(tool, key, value)?;
                    }
                }
                ("limits", _) => return Err(refused(&place)),
                // The words of a row come first: some have a `severity` of their own.
                (word, value) if tool.declaration().options.contains_key(word) => {
                    self.option(tool, word, value)?;
                }
                (word, value) if OF_A_TOOL.contains(&word) => {
                    self.set(format!("settings.{id}.{word}"), written(word, value), &place);
                }
                _ => self.leave_out(&place, &format!("is no setting that `{id}` has")),
            }
        }
        Ok(())
    }

    fn option(&mut self, tool: &Tool, key: &str, value: &Value) -> Result<(), Failure> {
        let (id, word) = (tool.id().as_str(), key.replace('_', "-"));
        let place = format!("{id}.{key}");
        let Some(option) = tool.declaration().options.get(&word) else {
            self.leave_out(&place, &format!("is no setting that `{id}` has"));
            return Ok(());
        };
        if option.privileged {
            return Err(refused(&place));
        }
        match option_value(value) {
            Some(value) => {
                self.set(format!("settings.{id}.options.{word}"), value, &place);
            }
            None => self.leave_out(&place, "is neither text, number, boolean nor a list of them"),
        }
        Ok(())
    }

    fn set(&mut self, key: String, value: Value, place: &str) {
        self.flags.push((key, value, format!("config.{place}")));
    }

    fn leave_out(&mut self, place: &str, why: &str) {
        // A request may be about anything; a thousand warnings help nobody.
        if self.left_out.len() < LEFT_OUT_TOLD_MAX {
            let place: String = place.chars().take(80).collect();
            self.left_out.push(format!("`config.{place}` is not in force: it {why}"));
        }
    }
}

/// Warnings about settings that were left out.
const LEFT_OUT_TOLD_MAX: usize = 20;

fn refused(key: &str) -> Failure {
    Failure::usage(format!("`config.{key}` may not be set by a request"))
        .hint("set it in the `assay.toml` of the service")
}

/// A duration may be a number of seconds, with or without a fraction.
fn written(word: &str, value: &Value) -> Value {
    match value.as_f64().filter(|_| word == "timeout") {
        Some(seconds) => Value::from(format!("{}", seconds.ceil())),
        None => value.clone(),
    }
}

/// A list is what a tool takes with commas.
fn option_value(value: &Value) -> Option<Value> {
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    match value {
        Value::Array(items) => {
            items.iter().map(plain).collect::<Option<Vec<_>>>().map(|all| all.join(",").into())
        }
        value => plain(value).map(Value::from),
    }
}
