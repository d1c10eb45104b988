//! What an app could steer a tool by, and what the tool sees instead. Pure: says what a file becomes;
//! whoever starts the tool makes the copy.
//!
//! Keeps: a file that is said to lose a section has lost it by the word of a parser, and nothing
//! else with it; where that cannot be had the file is hidden.

mod ini; // sections between `[headers]`
mod json; // members of the outermost object
mod toml; // tables and dotted keys

use crate::{check::Problem, tool::Tool};
use assay_model::{SourcePath, SteeredBy, Treatment};
use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

const FILES: &str = "steered-by.files";
const SECTIONS: &str = "steered-by.sections";

/// How the copies of renamed files are called: a word that is in no app, so that it can be put back
/// wherever a tool writes it. It has to be the name of a module too.
pub const NEUTRAL_NAME: &str = "assay_staged_";

/// The steering files of one tool, compiled.
#[derive(Debug)]
pub(crate) struct Steering {
    set: GlobSet,
    /// Leads from a glob to its entry in the declaration.
    entry_of: Vec<usize>,
    /// Of every entry.
    sections: Vec<Vec<Section>>,
}

/// A section that is taken out of a file.
#[derive(Debug)]
pub(crate) struct Section {
    /// As it is written, for TOML.
    path: Vec<String>,
    glob: GlobMatcher,
}

/// What of a file stays when sections are taken out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// None of the sections is in it.
    All,
    /// As many lines as before; those of the sections are empty.
    Without(Vec<u8>),
    /// It cannot be taken apart.
    Unknown,
}

// === impl Steering ===

impl Steering {
    /// Compiles the entries, and adds what is wrong with them to `problems`.
    pub(crate) fn check(entries: &[SteeredBy], problems: &mut Vec<Problem>) -> Self {
        for entry in entries {
            problems.extend(faults(entry));
        }
        Self::new(entries).unwrap_or_else(|(key, error)| {
            problems.push(problem(key, error.to_string(), "mend the glob"));
            Self { set: GlobSet::empty(), entry_of: Vec::new(), sections: Vec::new() }
        })
    }

    /// An error is told with the key that it is about.
    fn new(entries: &[SteeredBy]) -> Result<Self, (&'static str, globset::Error)> {
        let (mut set, mut entry_of) = (GlobSetBuilder::new(), Vec::new());
        let mut sections = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            for pattern in &entry.files {
                let glob = GlobBuilder::new(&anchored(pattern)).literal_separator(true).build();
                set.add(glob.map_err(|error| (FILES, error))?);
                entry_of.push(at);
            }
            let made: Result<_, _> = entry.sections.iter().map(|name| Section::new(name)).collect();
            sections.push(made.map_err(|error| (SECTIONS, error))?);
        }
        let set = set.build().map_err(|error| (FILES, error))?;
        Ok(Self { set, entry_of, sections })
    }

    fn entry(&self, path: &SourcePath) -> Option<usize> {
        if self.set.is_empty() {
            return None;
        }
        // Compared in lower case and not by the glob: it is faster for names without wildcards.
        let first = self.set.matches(path.as_str().to_lowercase()).into_iter().min()?;
        Some(self.entry_of[first])
    }
}

impl Section {
    fn new(name: &str) -> Result<Self, globset::Error> {
        let glob = GlobBuilder::new(name).case_insensitive(true).build()?.compile_matcher();
        Ok(Self { path: name.split('.').map(str::to_owned).collect(), glob })
    }

    fn is(&self, name: &str) -> bool {
        self.glob.is_match(name)
    }
}

// === impl Tool ===

impl Tool {
    /// Says what the tool sees of a file; `None` where it sees the file as it is.
    pub fn treatment(&self, path: &SourcePath) -> Option<Treatment> {
        self.steering.entry(path).map(|entry| self.says.steered_by[entry].how)
    }

    /// Takes out of a file what could steer the tool.
    pub fn rest_of(&self, path: &SourcePath, bytes: &[u8]) -> Rest {
        let Some(entry) = self.steering.entry(path) else { return Rest::All };
        let sections = &self.steering.sections[entry];
        // Programs of Windows begin a file with a mark of its encoding, and every parser skips it.
        let mark: &[u8] = if bytes.starts_with(b"\xef\xbb\xbf") { b"\xef\xbb\xbf" } else { b"" };
        let Ok(text) = std::str::from_utf8(&bytes[mark.len()..]) else { return Rest::Unknown };
        let name = path.file_name().to_lowercase();
        let rest = if name.ends_with(".toml") {
            toml::without(text, sections)
        } else if name.ends_with(".json") {
            json::without(text, sections)
        } else {
            ini::without(text, sections)
        };
        match rest {
            None => Rest::Unknown,
            Some(rest) if rest == text => Rest::All,
            Some(rest) => Rest::Without([mark, rest.as_bytes()].concat()),
        }
    }
}

fn faults(entry: &SteeredBy) -> Vec<Problem> {
    let mut faults = Vec::new();
    if entry.files.is_empty() {
        faults.push(problem(FILES, "there are none", "name the files that steer it"));
    }
    let takes_sections = entry.how == Treatment::Sections;
    if takes_sections == entry.sections.is_empty() {
        let mend = "write both or neither";
        faults.push(problem(SECTIONS, "they belong to `how = \"sections\"`", mend));
    }
    let folder = entry.files.iter().find(|pattern| pattern.ends_with('/'));
    if let Some(folder) = folder.filter(|_| entry.how != Treatment::Hide) {
        let what = format!("`{folder}` is a folder");
        faults.push(problem(FILES, what, "hide it, or name the files in it"));
    }
    faults
}

fn problem(key: &str, what: impl Into<String>, mend: &str) -> Problem {
    Problem { key: key.to_owned(), what: what.into(), mend: mend.to_owned() }
}

/// Returns the pattern as a glob over whole paths, in lower case.
fn anchored(pattern: &str) -> String {
    let pattern = pattern.to_lowercase();
    let (body, inside) = match pattern.strip_suffix('/') {
        Some(folder) => (folder, "/**"),
        None => (pattern.as_str(), ""),
    };
    match body.strip_prefix('/') {
        Some(rooted) => format!("{rooted}{inside}"),
        None if body.contains('/') => format!("{body}{inside}"),
        None => format!("**/{body}{inside}"),
    }
}

/// Empties a part of a text; its lines stay.
fn blank(text: &mut [u8], part: std::ops::Range<usize>) {
    for byte in &mut text[part] {
        if !matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

#[cfg(test)]
mod tests;
