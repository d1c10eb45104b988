//! Placeholders expanded: programs, arguments, folders. Never through a shell.

use crate::{
    stage::Staging,
    tool::{Settings, Tool},
};
use assay_model::{Install, Invocation, SourcePath, WorkingDirectory};
use camino::{Utf8Path, Utf8PathBuf};
use std::collections::BTreeMap;

/// Bytes of file names in one call. Linux takes 128 KiB in one argument and far more in all, but
/// the environment counts too, and a small limit is tested more often than a large one.
const BATCH_BYTES_MAX: usize = 96 * 1024;

/// What every placeholder may be; `{value}` belongs to options alone.
pub(crate) const PLACEHOLDERS: [&str; 8] =
    ["project", "scratch", "config", "prefix", "assay", "files", "file", "dir"];

/// The folders of one tool's run. All absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The snapshot's root.
    pub project: Utf8PathBuf,
    /// A private folder, removed after the run.
    pub scratch: Utf8PathBuf,
    /// The folder with the tool's neutral configuration.
    pub config: Utf8PathBuf,
    /// Its installation; empty for a program of the user.
    pub prefix: Utf8PathBuf,
    /// The running `assay` binary.
    pub assay: Utf8PathBuf,
}

/// One process to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// An absolute path, or a bare name to be looked up on `PATH`.
    pub program: String,
    pub args: Vec<String>,
    pub cwd: Utf8PathBuf,
    /// On top of the environment that every tool gets.
    pub env: BTreeMap<String, String>,
    /// The command line for people, placeholders kept.
    pub shown: String,
    /// With `invocation = "each"`: the file that it is about.
    pub file: Option<SourcePath>,
    /// Must exist before the start, and be empty.
    pub scratch: Utf8PathBuf,
    /// Copies to be made before the start.
    pub staged: Vec<Staging>,
    /// What the copies do not hold of what the app has; whoever makes them says so here.
    pub left_out: Vec<String>,
    pub output: OutputSource,
    /// A file in the scratch folder that is kept for the reader.
    pub artifact: Option<Utf8PathBuf>,
}

/// Where a call's report appears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputSource {
    Stdout,
    Stderr,
    File(Utf8PathBuf),
}

/// The same before folders are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OutputName {
    Stdout,
    Stderr,
    File(String),
}

/// What the placeholders of one call stand for.
struct Meaning<'a> {
    places: &'a Places,
    scratch: &'a Utf8Path,
    cwd: &'a Utf8Path,
    file: Option<&'a SourcePath>,
}

// === impl Tool ===

impl Tool {
    /// Returns the processes to start for the matched files, in order. None without files.
    pub fn calls(&self, places: &Places, matched: &[SourcePath], settings: &Settings) -> Vec<Call> {
        if matched.is_empty() {
            return Vec::new();
        }
        match self.says.run.invocation {
            Invocation::Once => {
                vec![self.call(places, &places.scratch, &[], settings)]
            }
            Invocation::Batches => {
                let in_project = self.says.run.cwd == WorkingDirectory::Project;
                let prefix = if in_project { 2 } else { places.project.as_str().len() + 1 };
                let at_most =
                    self.says.run.batch_files.map_or(usize::MAX, |most| most.max(1) as usize);
                let chunks = matched.chunks(at_most.min(matched.len()));
                let batches: Vec<&[SourcePath]> =
                    chunks.flat_map(|chunk| batches(chunk, prefix)).collect();
                let calls = batches.iter().enumerate().map(|(number, files)| {
                    self.call(places, &places.scratch.join(number.to_string()), files, settings)
                });
                calls.collect()
            }
            Invocation::Each => {
                let calls = matched.iter().enumerate().map(|(number, file)| {
                    let scratch = places.scratch.join(number.to_string());
                    self.call(places, &scratch, std::slice::from_ref(file), settings)
                });
                calls.collect()
            }
        }
    }

    fn call(
        &self,
        places: &Places,
        scratch: &Utf8Path,
        files: &[SourcePath],
        settings: &Settings,
    ) -> Call {
        let run = &self.says.run;
        let file = match run.invocation {
            Invocation::Each => files.first(),
            Invocation::Once | Invocation::Batches => None,
        };
        let cwd = match (run.cwd, file) {
            (WorkingDirectory::Scratch, _) => scratch.to_owned(),
            (WorkingDirectory::FileFolder, Some(file)) => places.project.join(file.parent()),
            (WorkingDirectory::Project | WorkingDirectory::FileFolder, _) => places.project.clone(),
        };
        let meaning = Meaning { places, scratch, cwd: &cwd, file };
        let args = meaning.args(&run.args, &settings.args, files);
        let env = run.env.iter().map(|(k, v)| (k.clone(), meaning.expand(v))).collect();
        Call {
            program: self.program(&meaning),
            args,
            env,
            shown: self.shown(file, settings),
            file: file.cloned(),
            scratch: scratch.to_owned(),
            staged: self.staged(places, scratch, file),
            left_out: Vec::new(),
            output: match &self.output {
                OutputName::Stdout => OutputSource::Stdout,
                OutputName::Stderr => OutputSource::Stderr,
                OutputName::File(name) => OutputSource::File(scratch.join(name)),
            },
            artifact: self.says.output.artifact.as_ref().map(|name| scratch.join(name)),
            cwd,
        }
    }

    fn program(&self, meaning: &Meaning<'_>) -> String {
        let program = &self.says.run.program;
        if program.contains('{') || program.contains('/') {
            return meaning.expand(program);
        }
        let prefix = &meaning.places.prefix;
        match self.says.install {
            Install::Pypi { .. } | Install::Builtin { .. } => {
                prefix.join("bin").join(program).into_string()
            }
            Install::Npm { .. } => prefix.join("node_modules/.bin").join(program).into_string(),
            Install::Path { .. } => program.clone(),
        }
    }

    fn shown(&self, file: Option<&SourcePath>, settings: &Settings) -> String {
        let run = &self.says.run;
        let args = insert_settings(&run.args, &settings.args);
        let words = std::iter::once(run.program.as_str()).chain(args);
        let words = words.map(|word| match file {
            Some(file) => quoted(&word.replace("{file}", file.as_str())),
            None => quoted(word),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// Returns the neutral configuration: names relative to `{config}`, and texts.
    pub fn config_files(&self, places: &Places) -> BTreeMap<String, String> {
        let meaning =
            Meaning { places, scratch: &places.scratch, cwd: &places.scratch, file: None };
        let own = self.says.config.iter().filter(|(name, _)| !name.ends_with('/'));
        let own = own.map(|(name, text)| (name.clone(), meaning.expand(text)));
        let rules = self.rule_files().into_iter().map(|(name, text)| (name, text.to_owned()));
        own.chain(rules).collect()
    }
}

// === impl Meaning ===

impl Meaning<'_> {
    fn args(&self, args: &[String], settings: &[String], files: &[SourcePath]) -> Vec<String> {
        let mut expanded = Vec::new();
        for arg in insert_settings(args, settings) {
            if arg == "{files}" {
                expanded.extend(files.iter().map(|file| self.file_arg(file)));
            } else {
                expanded.push(self.expand(arg));
            }
        }
        expanded
    }

    /// Replaces the known placeholders in one pass, so that what one of them stands for is never
    /// taken for another.
    fn expand(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            out.push_str(&rest[..open]);
            rest = &rest[open..];
            let known = rest.find('}').and_then(|end| Some((end, self.value(&rest[1..end])?)));
            if let Some((end, value)) = known {
                out.push_str(&value);
                rest = &rest[end + 1..];
            } else {
                out.push('{');
                rest = &rest[1..];
            }
        }
        out.push_str(rest);
        out
    }

    fn value(&self, name: &str) -> Option<String> {
        match name {
            "project" => Some(self.places.project.to_string()),
            "scratch" => Some(self.scratch.to_string()),
            "config" => Some(self.places.config.to_string()),
            "prefix" => Some(self.places.prefix.to_string()),
            "assay" => Some(self.places.assay.to_string()),
            "file" => self.file.map(|file| self.file_arg(file)),
            "dir" => self.file.map(|file| match (self.cwd == self.places.project, file.parent()) {
                (true, "") => ".".to_owned(),
                (true, folder) => harmless(folder),
                (false, folder) => self.places.project.join(folder).to_string(),
            }),
            _ => None,
        }
    }

    fn file_arg(&self, file: &SourcePath) -> String {
        if self.cwd == self.places.project {
            harmless(file.as_str())
        } else {
            self.places.project.join(file.as_str()).into_string()
        }
    }
}

/// A file named `--config=x.py` or `@args` would be an option or a list of options.
fn harmless(path: &str) -> String {
    match path.chars().next() {
        Some(first) if first.is_alphanumeric() || first == '_' || first == '.' => path.to_owned(),
        _ => format!("./{path}"),
    }
}

/// A user's own arguments stand before the files and before a `--`.
fn insert_settings<'a>(args: &'a [String], settings: &'a [String]) -> Vec<&'a str> {
    let is_tail = |arg: &String| arg == "--" || arg == "{files}" || arg == "{file}";
    let tail = args.iter().position(is_tail).unwrap_or(args.len());
    // Commands such as `ruff check` take options only after their first word; that is why the
    // settings stand late and not first. A path that is the last argument is left last.
    let tail = match args.get(tail.wrapping_sub(1)) {
        Some(last) if tail == args.len() && last == "{project}" && !takes_value(args) => tail - 1,
        _ => tail,
    };
    let (head, tail) = args.split_at(tail);
    head.iter().chain(settings).chain(tail).map(String::as_str).collect()
}

/// Whether the last argument is the value of the one before it: `--path {project}`.
fn takes_value(args: &[String]) -> bool {
    args.len() >= 2 && args[args.len() - 2].starts_with('-')
}

fn batches(files: &[SourcePath], prefix: usize) -> Vec<&[SourcePath]> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, file) in files.iter().enumerate() {
        // A pointer and a NUL are counted with every name.
        let size = prefix + file.as_str().len() + 9;
        if bytes + size > BATCH_BYTES_MAX && index > start {
            batches.push(&files[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += size;
    }
    batches.push(&files[start..]);
    batches
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%{}".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
