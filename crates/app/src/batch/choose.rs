//! The words of the user -> apps.
//!
//! Keeps: all problems are told at once, before anything is started; an app that is named twice
//! runs once.

use super::{expand::expand, list};
use crate::{
    cli,
    failure::Failure,
    target::{KnownApps, Target, of_found, of_model},
};
use assay_model::AppRef;
use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// Problems that are told; who has more has one that explains them all.
const PROBLEMS_MAX: usize = 20;

/// The apps of a batch, each once.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    pub(crate) targets: Vec<Target>,
    /// What the user should know about them.
    pub(crate) notes: Vec<String>,
}

/// Apps as they are gathered.
struct Gathering<'a> {
    roots: &'a [PathBuf],
    known: KnownApps,
    choice: Choice,
    /// Where each app was named first.
    first: HashMap<PathBuf, String>,
    repeated: Vec<String>,
    /// What is wrong with the words themselves.
    wrong: Vec<String>,
    /// Words that name no app.
    unknown: Vec<String>,
}

/// Finds the apps that the user named, at least one.
pub(crate) fn choose(batch: &cli::Batch, roots: &[PathBuf]) -> Result<Choice, Failure> {
    let mut all = Gathering {
        roots,
        known: KnownApps::under(roots),
        choice: Choice::default(),
        first: HashMap::new(),
        repeated: Vec::new(),
        wrong: Vec::new(),
        unknown: Vec::new(),
    };
    if let Some(path) = &batch.file {
        all.file(path)?;
    }
    for pattern in &batch.apps {
        all.pattern(pattern)?;
    }
    for model in batch.models.iter().filter(|model| !model.is_empty()) {
        all.model(model);
    }
    all.finish(batch.skip_unknown)
}

// === impl Gathering ===

impl Gathering<'_> {
    fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let list = list::read(path)?;
        self.wrong.extend(list.problems);
        for entry in list.entries {
            let words = [entry.model.clone(), entry.app.clone()].map(OsString::from);
            let whence = format!("entry {}", entry.number);
            if let Err(error) = AppRef::model_app(&entry.model, &entry.app) {
                self.wrong.push(format!("{whence}: {error}"));
            } else if let Ok(target) = of_model(&words, self.roots) {
                self.take(target, whence);
            } else {
                let why = self.known.why_not(&entry.model, &entry.app);
                self.unknown.push(format!("{whence}: {why}"));
            }
        }
        Ok(())
    }

    /// Under the working directory, or where nothing is there, under the source roots.
    fn pattern(&mut self, pattern: &str) -> Result<(), Failure> {
        let here = env::current_dir()
            .map_err(|error| Failure::usage("the working directory is gone").because(error))?;
        let bases = std::iter::once(here.clone())
            .chain(self.roots.iter().map(|root| here.join(root)))
            .collect::<Vec<PathBuf>>();
        let mut others = 0;
        for base in bases {
            let expanded = match expand(pattern, &base) {
                Ok(expanded) => expanded,
                Err(why) => {
                    self.wrong.push(format!("`--apps {pattern}` is no pattern: {why}"));
                    return Ok(());
                }
            };
            others = others.max(expanded.others);
            if expanded.folders.is_empty() {
                continue;
            }
            for path in expanded.folders {
                // Relative, as the user would type it.
                let shown = path.strip_prefix(&here).unwrap_or(&path);
                let shown = if shown.as_os_str().is_empty() { Path::new(".") } else { shown };
                let target = of_found(shown, self.roots)?;
                self.take(target, format!("`--apps {pattern}`"));
            }
            return Ok(());
        }
        let why = match others {
            0 => "matches nothing, here or under the source roots".to_owned(),
            1 => "matches a file; an app of a batch is a folder".to_owned(),
            _ => format!("matches {others} files; an app of a batch is a folder"),
        };
        self.unknown.push(format!("`--apps {pattern}` {why}"));
        Ok(())
    }

    fn model(&mut self, model: &str) {
        let numbers = self.known.of(model);
        if numbers.is_empty() {
            self.unknown.push(format!("`--models {model}`: {}", self.known.no_model(model)));
        }
        for number in numbers {
            let words = [model.to_owned(), number.to_string()].map(OsString::from);
            match of_model(&words, self.roots) {
                Ok(target) => self.take(target, format!("`--models {model}`")),
                // It was there a moment ago.
                Err(failure) => self.unknown.push(failure.to_string()),
            }
        }
    }

    fn take(&mut self, target: Target, whence: String) {
        match self.first.get(&target.path) {
            Some(first) if *first == whence => {
                self.repeated.push(format!("{} by {first}", target.app));
            }
            Some(first) => {
                self.repeated.push(format!("{} by {first} and by {whence}", target.app));
            }
            None => {
                self.first.insert(target.path.clone(), whence);
                self.choice.targets.push(target);
            }
        }
    }

    fn finish(mut self, skip_unknown: bool) -> Result<Choice, Failure> {
        let mut refused = self.wrong;
        let is_mild = refused.is_empty();
        if skip_unknown {
            let notes = self.unknown.iter().map(|what| format!("left out: {what}"));
            self.choice.notes.extend(notes);
        } else {
            refused.append(&mut self.unknown);
        }
        if !refused.is_empty() {
            let failure = Failure::usage(listed("nothing was started:", &refused));
            return Err(if is_mild {
                failure.hint("mend that, or go on without them: --skip-unknown")
            } else {
                failure.hint("mend that and start again")
            });
        }
        if self.choice.targets.is_empty() {
            let what = listed("no app is left:", &self.choice.notes);
            return Err(
                Failure::usage(what).hint("see `assay batch --help` for how apps are named")
            );
        }
        if !self.repeated.is_empty() {
            let count = self.repeated.len();
            let named = if count == 1 { "app is" } else { "apps are" };
            let examples: Vec<&str> = self.repeated.iter().take(3).map(String::as_str).collect();
            let more = if count > 3 { ", …" } else { "" };
            self.choice.notes.push(format!(
                "{count} {named} named more than once and will run once: {}{more}",
                examples.join(", ")
            ));
        }
        Ok(self.choice)
    }
}

/// Writes a headline and a line for each problem.
fn listed(headline: &str, problems: &[String]) -> String {
    let mut text = headline.to_owned();
    for problem in problems.iter().take(PROBLEMS_MAX) {
        write!(text, "\n  {problem}").expect("a string takes all we write");
    }
    if problems.len() > PROBLEMS_MAX {
        let more = problems.len() - PROBLEMS_MAX;
        write!(text, "\n  and {more} more").expect("a string takes all we write");
    }
    text
}
