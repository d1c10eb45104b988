//! Everything that an analysis was told, checked: the app, the tools, the rules, the limits.

mod flags; // what the options of the command line say
mod languages; // which tools read a language, and where they are told
mod request; // what a request over the wire asks for

pub(crate) use languages::shelf_of;
pub(crate) use request::Base;

use crate::{cli, failure::Failure, host, target, target::Target};
use assay_config::{Config, Kinds, Loaded, Loader, Sandbox};
use assay_model::{AppRef, Kind, Language, Observation, Severity, ToolLimits, ToolRun, ToolStatus};
use assay_report::{IgnoreRule, SeverityRule};
use assay_tools::{Catalogue, Optional, SECURITY_KINDS, Selection, Settings, Tool, select};
use flags::{flags_of, shared_flags};
use globset::{GlobSet, GlobSetBuilder};
use serde_json::{Map, Value};
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// A checked request for one analysis.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) app: AppRef,
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
    pub(crate) from_project: Vec<String>,
    pub(crate) chosen: Vec<Chosen>,
    /// Tools that were named and are none of ours, each with what became of it.
    pub(crate) absent: Vec<ToolRun>,
    /// Languages that are looked at; empty: all.
    pub(crate) languages: Vec<Language>,
    pub(crate) ignores: Vec<IgnoreRule>,
    pub(crate) severities: Vec<SeverityRule>,
    pub(crate) no_ignore: bool,
    pub(crate) jobs: u32,
    /// Things to say at the beginning.
    pub(crate) warnings: Vec<String>,
}

/// A tool of this analysis, with what the user set about it.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) tool: Arc<Tool>,
    pub(crate) required: bool,
    pub(crate) note: Option<String>,
    pub(crate) settings: Settings,
    pub(crate) timeout: Duration,
    pub(crate) limits: ToolLimits,
    ignored_rules: GlobSet,
}

/// What a batch was told, checked.
#[derive(Debug)]
pub(crate) struct OfBatch {
    /// Of the first app; [`Setup::for_app`] has the others.
    pub(crate) setup: Setup,
    pub(crate) targets: Vec<Target>,
    /// All values of the configuration.
    pub(crate) values: Map<String, Value>,
}

// === impl Setup ===

impl Setup {
    /// Checks what `assay analyze` was told.
    pub(crate) fn of(analyze: &cli::Analyze, global: &cli::Global) -> Result<Self, Failure> {
        let mut loader = loader(global)?;
        loader.flags.extend(flags_of(analyze)?);
        loader.trust_project = analyze.trust_project;
        let (loaded, target) = match analyze.app.as_slice() {
            [path] => {
                let target = target::of_path(path.as_ref())?;
                loader.app = Some(target.tree().to_owned());
                (loader.check()?, target)
            }
            words => {
                loader.working_dir = outside_of_apps(&loader.working_dir, words);
                let loaded = loader.check()?;
                let target = target::of_model(words, &loaded.config.source_roots)?;
                (loaded, target)
            }
        };
        let catalogue = catalogue(&loaded.config)?;
        Self::checked(loaded, target, &catalogue)
    }

    /// The configuration of `assay analyze`, where somebody else looks for the app.
    pub(crate) fn config_of(
        analyze: &cli::Analyze,
        global: &cli::Global,
    ) -> Result<Config, Failure> {
        let mut loader = loader(global)?;
        loader.flags.extend(flags_of(analyze)?);
        Ok(loader.check()?.config)
    }

    /// What the words of `assay batch` set.
    pub(crate) fn flags_of_batch(batch: &cli::Batch) -> Vec<flags::Flag> {
        shared_flags(&batch.what, &batch.worth)
    }

    /// Checks what `assay batch` was told. `apps` finds the apps under the source roots; there is at
    /// least one.
    pub(crate) fn of_batch(
        batch: &cli::Batch,
        global: &cli::Global,
        apps: impl FnOnce(&Config) -> Result<Vec<Target>, Failure>,
    ) -> Result<OfBatch, Failure> {
        let mut loader = loader(global)?;
        loader.flags.extend(shared_flags(&batch.what, &batch.worth));
        let loaded = loader.check()?;
        let targets = apps(&loaded.config)?;
        if global.config.is_none() {
            refuse_files_of_apps(&loaded.files, &targets)?;
        }
        let catalogue = catalogue(&loaded.config)?;
        let first = targets.first().expect("`apps` finds at least one").clone();
        let values = loaded.values.clone();
        let mut setup = Self::checked(loaded, first, &catalogue)?;
        // Apps have folders of their own; one for all would be that of the last.
        setup.config.output = None;
        setup.no_ignore = true;
        Ok(OfBatch { setup, targets, values })
    }

    /// The same for another app of the batch.
    pub(crate) fn for_app(&self, target: &Target) -> Self {
        Self { app: target.app.clone(), path: target.path.clone(), ..self.clone() }
    }

    fn checked(loaded: Loaded, target: Target, catalogue: &Catalogue) -> Result<Self, Failure> {
        let config = loaded.config;
        let mut warnings = Vec::new();
        if config.sandbox == Sandbox::Off {
            warnings.push(
                "the sandbox is off: tools may read your files, use the network and run what the \
                 app makes them run"
                    .to_owned(),
            );
        }
        let kinds = match config.kinds {
            Kinds::Static => &[][..],
            Kinds::Security => &SECURITY_KINDS,
        };
        let chosen = chosen(&config, catalogue, kinds, &mut warnings)?;
        let (ignores, severities) = rules(&config)?;
        let jobs = config.jobs.map_or_else(host::cpus, std::num::NonZeroU32::get);
        let no_ignore = config.no_ignore || target.is_model_app;
        Ok(Self {
            app: target.app,
            path: target.path,
            from_project: loaded.from_project,
            chosen,
            absent: Vec::new(),
            languages: Vec::new(),
            ignores,
            severities,
            no_ignore,
            jobs,
            warnings,
            config,
        })
    }
}

/// Begins the layers of configuration with what every command has.
pub(crate) fn loader(global: &cli::Global) -> Result<Loader, Failure> {
    let working_dir = env::current_dir()
        .map_err(|error| Failure::usage("the working directory is gone").because(error))?;
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let user_dir =
        env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let mut flags = Vec::new();
    for assignment in &global.set {
        let (key, text) = assignment.split_once('=').ok_or_else(|| {
            Failure::usage(format!("`--set {assignment}` has no `=`"))
                .hint("write `--set settings.ruff.timeout=10s`")
        })?;
        flags.push((key.trim().to_owned(), value_of(text), format!("--set {key}")));
    }
    Ok(Loader {
        working_dir,
        user_dir: user_dir.or(home),
        named: global.config.clone(),
        variables: env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        flags,
        ..Loader::default()
    })
}

/// Reads the value of `--set` as TOML where it is TOML, and as text where it is not.
fn value_of(text: &str) -> Value {
    let table = format!("value = {text}").parse::<toml::Table>().ok();
    let parsed = table.and_then(|table| serde_json::to_value(table.get("value")?).ok());
    parsed.filter(|value| !value.is_object()).unwrap_or_else(|| Value::from(text))
}

/// Nothing inside the app of a model is read as configuration: not even which apps there are. So
/// the search begins above the outermost folder that has the name of the app's.
fn outside_of_apps(working_dir: &Path, words: &[OsString]) -> PathBuf {
    let number = words[1].to_string_lossy();
    let folder = format!("app{}", number.strip_prefix("app").unwrap_or(&number));
    let mut outside = PathBuf::new();
    for part in working_dir.components().take_while(|part| part.as_os_str() != folder.as_str()) {
        outside.push(part);
    }
    outside
}

/// Nothing inside the apps of a batch is read as configuration; where it was found first, going on
/// without it would silently do something else than the same command one folder above.
fn refuse_files_of_apps(files: &[PathBuf], targets: &[Target]) -> Result<(), Failure> {
    for file in files {
        let full = file.canonicalize().unwrap_or_else(|_| file.clone());
        if let Some(target) = targets.iter().find(|target| full.starts_with(&target.path)) {
            let what = format!("`{}` lies inside the app {}", file.display(), target.app);
            return Err(Failure::usage(what).hint(
                "a batch reads nothing of its apps as configuration: start it outside of them, or \
                 name the file with --config",
            ));
        }
    }
    Ok(())
}

/// All tools: those that are shipped, and the user's own.
pub(crate) fn catalogue(config: &Config) -> Result<Catalogue, Failure> {
    let mut catalogue = Catalogue::shipped()
        .map_err(|error| Failure::usage("the shipped catalogue is broken").because(error))?;
    for (id, says) in &config.own_tools {
        catalogue.add(id, says.clone()).map_err(|error| {
            Failure::usage(format!("`tool.{id}` cannot be used")).because(error)
        })?;
    }
    Ok(catalogue)
}

fn chosen(
    config: &Config,
    catalogue: &Catalogue,
    kinds: &[Kind],
    warnings: &mut Vec<String>,
) -> Result<Vec<Chosen>, Failure> {
    let optional = if config.require_all { Optional::Required } else { Optional::MayLack };
    let (named, kinds) = (config.tools.clone(), kinds.to_vec());
    let selection = Selection { profile: config.profile, kinds, named, optional };
    let selected = select(catalogue, &selection).map_err(|errors| {
        let words: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let hints: Vec<String> =
            errors.iter().filter_map(assay_tools::ResolveError::hint).collect();
        Failure::usage(words.join("; "))
            .maybe_hint((!hints.is_empty()).then(|| hints.join("; ")))
            .or_hint("see `assay tools list`")
    })?;
    if let Some(name) = config.settings.keys().find(|name| catalogue.get(name).is_none()) {
        let hint = catalogue.resolve(name).err().and_then(|error| error.hint());
        return Err(Failure::usage(format!("`settings.{name}` is about no tool that there is"))
            .maybe_hint(hint)
            .or_hint("see `assay tools list`"));
    }
    let mut chosen = Vec::new();
    for selected in selected {
        let id = selected.tool.id().as_str();
        let set = config.settings.get(id).cloned().unwrap_or_default();
        if set.enabled == Some(false) && config.tools.is_empty() {
            warnings.push(format!("`{id}` is switched off by the configuration"));
            continue;
        }
        let settings = selected.tool.settings(&set.options).map_err(|error| {
            Failure::usage(error.to_string())
                .hint(format!("see `assay tools list --json` for what `{id}` takes"))
        })?;
        chosen.push(Chosen {
            required: selected.required,
            note: selected.note,
            settings,
            timeout: set.timeout.unwrap_or_else(|| selected.tool.timeout()),
            limits: set.limits.over(selected.tool.declaration().limits),
            ignored_rules: globs(&set.ignore_rules)?,
            tool: selected.tool,
        });
    }
    Ok(chosen)
}

fn globs(patterns: &[String]) -> Result<GlobSet, Failure> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = globset::Glob::new(pattern)
            .map_err(|error| Failure::usage(format!("`{pattern}` is no pattern")).because(error))?;
        set.add(glob);
    }
    set.build().map_err(|error| Failure::usage("the patterns are too many").because(error))
}

/// The user's rules about findings: `[[ignore]]`, `[severity]` and severities of single tools.
fn rules(config: &Config) -> Result<(Vec<IgnoreRule>, Vec<SeverityRule>), Failure> {
    let wrong =
        |error: assay_report::PatternError| Failure::usage(error.to_string()).because(error.source);
    let mut ignores = Vec::new();
    for entry in &config.ignore {
        let rule = IgnoreRule::new(&entry.rule, entry.path.as_deref(), &entry.reason, entry.until);
        ignores.push(rule.map_err(wrong)?);
    }
    let of_tools = config.settings.iter().flat_map(|(tool, set)| {
        set.severity.iter().map(move |(rule, severity)| (format!("{tool}:{rule}"), *severity))
    });
    // The more special word comes first, since the first that matches wins.
    let all: Vec<(String, Severity)> = of_tools.chain(config.severity.clone()).collect();
    let mut severities = Vec::new();
    for (rule, severity) in all {
        severities.push(SeverityRule::new(&rule, severity).map_err(wrong)?);
    }
    Ok((ignores, severities))
}

// === impl Chosen ===

impl Chosen {
    /// A tool on its own, with nothing set: for `assay tools`.
    pub(crate) fn plain(tool: Arc<Tool>) -> Self {
        Self {
            required: !tool.is_optional(),
            note: None,
            settings: Settings::default(),
            timeout: tool.timeout(),
            limits: tool.declaration().limits,
            ignored_rules: GlobSet::empty(),
            tool,
        }
    }

    /// Returns the version that is pinned, or that of the user's own program.
    pub(crate) fn version(&self, installed: &str) -> String {
        self.tool.version().unwrap_or(installed).to_owned()
    }

    /// A tool with what the configuration sets about it, where it sets anything.
    pub(crate) fn configured(tool: Arc<Tool>, config: &Config) -> Result<Self, Failure> {
        let mut chosen = Self::plain(tool);
        if let Some(set) = config.settings.get(chosen.tool.id().as_str()) {
            chosen.settings = chosen.tool.settings(&set.options).map_err(|error| {
                Failure::usage(error.to_string()).hint("see `assay tools list --json`")
            })?;
        }
        Ok(chosen)
    }

    /// Begins the report's entry on this tool.
    pub(crate) fn not_run(&self, status: ToolStatus) -> ToolRun {
        let mut run = ToolRun::not_run(self.tool.id().clone(), status, self.required);
        run.version = self.tool.version().map(str::to_owned);
        run.notes.extend(self.note.clone());
        run.notes.extend(self.tool.declaration().note.clone());
        if !self.settings.names.is_empty() {
            run.notes.push(format!("set by the user: {}", self.settings.names.join(", ")));
        }
        run
    }

    /// Drops what the user does not want to hear of, and says how much that was.
    pub(crate) fn without_ignored_rules(
        &self,
        observations: Vec<Observation>,
        notes: &mut Vec<String>,
    ) -> Vec<Observation> {
        let before = observations.len();
        let wanted = |seen: &Observation| !self.ignored_rules.is_match(seen.rule.as_str());
        let kept: Vec<Observation> = observations.into_iter().filter(wanted).collect();
        if kept.len() < before {
            notes.push(format!("{} findings dropped by `ignore-rules`", before - kept.len()));
        }
        kept
    }
}
