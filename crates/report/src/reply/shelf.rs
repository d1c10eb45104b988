//! Which language a tool is told under, as clients of the first system look for it.
//!
//! Keeps: a tool that was asked is on exactly one shelf, whether or not the app has files of that
//! language; a language without files and without a tool that ran says so.

use super::entry::{Entries, Entry};
use assay_model::{Language, Report, ToolId};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::collections::BTreeMap;

/// A part of `results`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shelf {
    Python,
    /// TypeScript too.
    JavaScript,
    Css,
    Html,
    /// The app as a whole, and all other languages.
    Structure,
}

/// All shelves, in their order.
pub(super) struct Shelves<'a> {
    all: Vec<(Shelf, Contents<'a>)>,
}

enum Contents<'a> {
    NoFiles { message: String },
    Tools { status: Option<&'static str>, tools: Vec<Entry<'a>> },
}

// === impl Shelf ===

impl Shelf {
    pub const ALL: &'static [Self] =
        &[Self::Python, Self::JavaScript, Self::Css, Self::Html, Self::Structure];

    /// Returns the name of its part of `results`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::Css => "css",
            Self::Html => "html",
            Self::Structure => "structure",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Python => "Python",
            Self::JavaScript => "JavaScript or TypeScript",
            Self::Css => "CSS",
            Self::Html => "HTML",
            Self::Structure => "",
        }
    }

    /// Returns the languages that belong to it alone; none for the structure.
    pub const fn languages(self) -> &'static [Language] {
        match self {
            Self::Python => &[Language::Python],
            Self::JavaScript => &[Language::JavaScript, Language::TypeScript],
            Self::Css => &[Language::Css],
            Self::Html => &[Language::Html],
            Self::Structure => &[],
        }
    }
}

// === impl Shelves ===

impl<'a> Shelves<'a> {
    pub(super) fn of(
        report: &'a Report,
        entries: &Entries<'a>,
        shelves: &BTreeMap<ToolId, Shelf>,
    ) -> Self {
        let mut tools: BTreeMap<Shelf, Vec<Entry<'a>>> = BTreeMap::new();
        for entry in &entries.all {
            let shelf = shelves.get(entry.tool).copied().unwrap_or(Shelf::Structure);
            tools.entry(shelf).or_default().push(entry.clone());
        }
        let contents = |shelf: Shelf| {
            let tools = tools.remove(&shelf).unwrap_or_default();
            (shelf, Contents::of(report, shelf, tools))
        };
        Self { all: Shelf::ALL.iter().copied().map(contents).collect() }
    }
}

impl Serialize for Shelves<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.all.iter().map(|(shelf, contents)| (shelf.as_str(), contents)))
    }
}

// === impl Contents ===

impl<'a> Contents<'a> {
    fn of(report: &Report, shelf: Shelf, tools: Vec<Entry<'a>>) -> Self {
        let languages = shelf.languages();
        let has_files = languages.is_empty()
            || languages.iter().any(|language| report.source.languages.contains_key(language));
        // A tool without files of its own says no more than this does.
        if !has_files && tools.iter().all(|entry| entry.status == "skipped") {
            return Self::NoFiles { message: format!("No {} files found", shelf.title()) };
        }
        let status = (shelf == Shelf::Structure).then_some("success");
        Self::Tools { status, tools }
    }
}

impl Serialize for Contents<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        match self {
            Self::NoFiles { message } => {
                map.serialize_entry("status", "no_files")?;
                map.serialize_entry("message", message)?;
            }
            Self::Tools { status, tools } => {
                if let Some(status) = status {
                    map.serialize_entry("status", status)?;
                }
                for entry in tools {
                    map.serialize_entry(entry.tool, entry)?;
                }
            }
        }
        map.end()
    }
}
