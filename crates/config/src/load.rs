//! Finding and reading all layers.

use crate::{
    check::{Config, check},
    environment, files,
    known::unknown_keys,
    layers::{Layers, Origin, Origins, nested},
    problem::{ConfigError, Problem},
    raw::RawConfig,
    trust,
};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Names under which a project's file is looked for, in each folder upward.
const NAMES: [&str; 2] = ["assay.toml", ".config/assay.toml"];

/// The kinds under `configs/` whose tools are built.
const TOOL_FILE_KINDS: [&str; 2] = ["static", "security"];

/// Gathers the layers. Fill in what applies, then [`check`](Self::check).
#[derive(Clone, Debug, Default)]
pub struct Loader {
    /// Where the search upward begins.
    pub working_dir: PathBuf,
    /// The user's configuration folder (`XDG_CONFIG_HOME`), if there is one.
    pub user_dir: Option<PathBuf>,
    /// What `--config` names; then no project file is looked for.
    pub named: Option<PathBuf>,
    /// The analysed folder, symlink-free: files inside it are not trusted.
    pub app: Option<PathBuf>,
    /// `--trust-project`.
    pub trust_project: bool,
    /// Names and values of the environment.
    pub variables: Vec<(String, String)>,
    /// What flags say: dotted key, value, name of the flag.
    pub flags: Vec<(String, Value, String)>,
}

/// A configuration and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// All values, merged, as they were written.
    pub values: Map<String, Value>,
    pub origins: Origins,
    /// Files that were read, weakest first.
    pub files: Vec<PathBuf>,
    /// What a file of the analysed app set.
    pub from_project: Vec<String>,
}

#[derive(Default)]
struct Gathering {
    layers: Layers,
    files: Vec<PathBuf>,
    from_project: Vec<String>,
    problems: Vec<Problem>,
    /// Made when the first layer is looked at: it is the same for all.
    schema: Option<Value>,
}

// === impl Loader ===

impl Loader {
    /// Reads all layers and checks what comes out: all problems at once.
    pub fn check(&self) -> Result<Loaded, ConfigError> {
        let mut all = Gathering::default();
        let defaults: toml::Table =
            crate::DEFAULTS.parse().expect("a test reads the shipped defaults");
        all.layers.lay(&files::from_toml(toml::Value::Table(defaults)), &Origin::BuiltIn);
        if let Some(path) = self.user_dir.as_ref().map(|dir| dir.join("assay/assay.toml")) {
            self.file(&mut all, &path, &Origin::UserFile(path.clone()));
        }
        self.tool_files(&mut all);
        match &self.named {
            Some(path) if !path.is_file() => {
                let problem = Problem::new(path.display().to_string(), "there is no such file");
                all.problems.push(problem.hint("check what --config names"));
            }
            Some(path) => self.file(&mut all, path, &Origin::NamedFile(path.clone())),
            None => {
                if let Some(path) = self.project_file() {
                    self.file(&mut all, &path, &Origin::ProjectFile(path.clone()));
                }
            }
        }
        environment::lay(&mut all.layers, &self.variables, &mut all.problems);
        for (key, value, flag) in &self.flags {
            all.flag(key, value, flag);
        }
        all.finish()
    }

    fn project_file(&self) -> Option<PathBuf> {
        let folders = self.working_dir.ancestors();
        folders.flat_map(|dir| NAMES.map(|name| dir.join(name))).find(|path| path.is_file())
    }

    fn file(&self, all: &mut Gathering, path: &Path, origin: &Origin) {
        if !path.is_file() {
            return;
        }
        let read = match files::read(path) {
            Ok(read) => read,
            Err(problem) => return all.problems.push(problem),
        };
        self.take(all, &read, path, origin);
    }

    /// Takes in what a file says, as far as it may say it.
    fn take(&self, all: &mut Gathering, read: &files::ReadFile, path: &Path, origin: &Origin) {
        let place = path.display().to_string();
        let mut refused = Vec::new();
        if self.is_untrusted(path) {
            refused = trust::refused(&read.value, &place);
            all.from_project.extend(trust::taken_over(&read.value));
        }
        all.files.push(path.to_owned());
        all.take(read, &place, origin, refused);
    }

    /// Files under `configs/<kind>/<tool>.<ext>` are laid as `settings.<tool>`.
    fn tool_files(&self, all: &mut Gathering) {
        for kind in TOOL_FILE_KINDS {
            let folder = self.working_dir.join("configs").join(kind);
            let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
                .into_iter()
                .flatten()
                .flatten()
                .map(|e| e.path())
                .collect();
            paths.sort();
            for path in paths {
                let ending = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                if let Some(tool) = stem.filter(|_| files::ENDINGS.contains(&ending)) {
                    self.tool_file(all, &path, tool);
                }
            }
        }
    }

    fn tool_file(&self, all: &mut Gathering, path: &Path, tool: &str) {
        let mut read = match files::read(path) {
            Ok(read) => read,
            Err(problem) => return all.problems.push(problem),
        };
        read.value = nested(&["settings", tool], read.value);
        read.is_toml = false;
        self.take(all, &read, path, &Origin::ToolFile(path.to_owned()));
    }

    fn is_untrusted(&self, path: &Path) -> bool {
        let Some(app) = self.app.as_ref().filter(|_| !self.trust_project) else { return false };
        // A link inside the app may point to a file outside of it, and the other way round: what
        // the app can place or change counts, so the place and the target are both looked at.
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().map(real).unwrap_or_default();
        let of_app = |path: &Path| path.starts_with(app);
        of_app(&folder) || of_app(&real(path)) || path.ancestors().any(of_app)
    }
}

// === impl Loaded ===

impl Loaded {
    /// Lays flags over what was read, which is not read again: what one request wants otherwise.
    ///
    /// # Errors
    ///
    /// All that is wrong with the flags.
    pub fn over(&self, flags: &[(String, Value, String)]) -> Result<Self, ConfigError> {
        let mut all = Gathering {
            layers: Layers { value: self.values.clone(), origins: self.origins.clone() },
            files: self.files.clone(),
            from_project: self.from_project.clone(),
            ..Gathering::default()
        };
        for (key, value, flag) in flags {
            all.flag(key, value, flag);
        }
        all.finish()
    }
}

/// Tells what is wrong with the types of a file. TOML is read again from its text, which gives the
/// line; the others from their values.
fn type_error(read: &files::ReadFile, place: &str) -> Option<Problem> {
    if read.is_toml
        && let Err(error) = toml::from_str::<RawConfig>(&read.text)
    {
        // A date without quotes is text to us and a date to TOML.
        if serde_json::from_value::<RawConfig>(read.value.clone()).is_ok() {
            return None;
        }
        let line = error.span().map_or(1, |span| files::line_of(&read.text, span.start));
        return Some(Problem::new(format!("{place}:{line}"), error.message().to_owned()));
    }
    let error = serde_json::from_value::<RawConfig>(read.value.clone()).err()?;
    Some(Problem::new(place, error.to_string()))
}

// === impl Gathering ===

impl Gathering {
    /// Lays one flag over the rest, unless it sets what cannot be set.
    fn flag(&mut self, key: &str, value: &Value, flag: &str) {
        let parts: Vec<&str> = key.split('.').collect();
        let nested = nested(&parts, value.clone());
        let read = files::ReadFile { value: nested, text: String::new(), is_toml: false };
        self.take(&read, flag, &Origin::Flag(flag.to_owned()), Vec::new());
    }

    /// Lays what was written over the rest, unless something is wrong with it: with `problems` that
    /// are known already, a key that there is not, or a value of another type.
    fn take(
        &mut self,
        read: &files::ReadFile,
        place: &str,
        origin: &Origin,
        mut problems: Vec<Problem>,
    ) {
        let schema = self.schema.get_or_insert_with(crate::schema);
        problems.splice(0..0, unknown_keys(read, place, schema));
        if problems.is_empty() {
            problems.extend(type_error(read, place));
        }
        if problems.is_empty() {
            self.layers.lay(&read.value, origin);
        }
        self.problems.extend(problems);
    }

    fn finish(mut self) -> Result<Loaded, ConfigError> {
        let value = Value::Object(self.layers.value.clone());
        let raw = serde_json::from_value::<RawConfig>(value).map_err(|error| {
            // Files were checked one by one, so only a flag or a variable can be at fault.
            self.problems.push(Problem::new("flags and environment", error.to_string()));
        });
        let mut wrong = Vec::new();
        let config = check(raw.unwrap_or_default(), &mut wrong);
        // Values are judged together, so it is told here which of the layers a wrong one is from.
        self.problems.extend(wrong.into_iter().map(|problem| {
            match self.layers.origins.of(&problem.place) {
                Some(Origin::BuiltIn) | None => problem,
                Some(origin) => problem.at(&origin.to_string()),
            }
        }));
        if !self.problems.is_empty() {
            return Err(ConfigError { problems: self.problems });
        }
        Ok(Loaded {
            config,
            values: self.layers.value,
            origins: self.layers.origins,
            files: self.files,
            from_project: self.from_project,
        })
    }
}
