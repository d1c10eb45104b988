//! What people type to what is run.
//!
//! Names of the Python system that Assay replaces are all answered: by the tool that does the work
//! now, or by words that say where it went.

use crate::{catalogue::Catalogue, tool::Tool};
use std::sync::Arc;

/// The tool behind a name.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub tool: Arc<Tool>,
    /// What to tell whoever used another name for it.
    pub note: Option<String>,
}

/// A name that selects no tool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("no tool is called `{name}`")]
    Unknown { name: String, nearest: Option<String> },
    #[error("`{name}` belongs to the {analysis} analysis, which is not built into this version")]
    NotBuilt { name: String, analysis: &'static str },
    #[error("`{name}` is unavailable: {why}")]
    NeedsAccount { name: String, why: &'static str, mend: &'static str },
}

/// Where a name of the Python system went.
enum Went {
    /// Another tool does it.
    To { tool: &'static str, note: &'static str },
    /// An analysis that is not built yet.
    Analysis(&'static str),
    /// It works only for its customers.
    Account { why: &'static str, mend: &'static str },
}

/// Rows of the catalogue win over these, so that a name comes alive when its row does.
const ELSEWHERE: &[(&str, Went)] = &[
    ("aiohttp", Went::Analysis("performance")),
    ("ab", Went::Analysis("performance")),
    ("apache-bench", Went::Analysis("performance")),
    ("artillery", Went::Analysis("performance")),
    ("locust", Went::Analysis("performance")),
    ("code-quality-analyzer", Went::Analysis("ai")),
    ("curl", Went::Analysis("dynamic")),
    ("curl-endpoint-tester", Went::Analysis("ai")),
    ("nmap", Went::Analysis("dynamic")),
    ("requirements-scanner", Went::Analysis("ai")),
    ("zap", Went::Analysis("dynamic")),
    ("owasp-zap", Went::Analysis("dynamic")),
    ("flake8", Went::To { tool: "ruff", note: "ruff has flake8's rules" }),
    ("html-validator", Went::To { tool: "html-validate", note: "html-validate checks HTML" }),
    ("jshint", Went::To { tool: "oxlint", note: "oxlint has jshint's rules" }),
    ("pydocstyle", Went::To { tool: "ruff", note: "ruff has pydocstyle's rules" }),
    ("safety", Went::To { tool: "safety-db", note: "the data that safety gave away is matched" }),
    ("xenon", Went::To { tool: "radon", note: "xenon is a threshold on radon's numbers" }),
    (
        "snyk",
        Went::Account {
            why: "it works only with an account of its makers",
            mend: "install the `snyk` CLI, run `snyk auth`, and declare it in `assay.toml` as a \
                   tool of your own (`snyk code test --sarif`)",
        },
    ),
];

/// Names further away than this are not what was meant.
const NEAREST_MIN: f64 = 0.6;

// === impl Catalogue ===

impl Catalogue {
    /// Returns the tool behind a name, whatever its case and whether it has `_` or `-` in it.
    pub fn resolve(&self, name: &str) -> Result<Resolved, ResolveError> {
        let wanted = plain(name);
        if let Some(tool) = self.get(&wanted) {
            return Ok(Resolved { tool: Arc::clone(tool), note: None });
        }
        for tool in self.iter() {
            let mut aliases = tool.declaration().aliases.iter();
            if let Some((_, note)) = aliases.find(|(alias, _)| plain(alias) == wanted) {
                return Ok(self.renamed(tool, name, note));
            }
        }
        match ELSEWHERE.iter().find(|(known, _)| *known == wanted) {
            Some((_, Went::To { tool, note })) => match self.get(tool) {
                Some(tool) => Ok(self.renamed(tool, name, note)),
                None => Err(self.unknown(name, &wanted)),
            },
            Some((_, Went::Analysis(analysis))) => {
                Err(ResolveError::NotBuilt { name: name.to_owned(), analysis })
            }
            Some((_, Went::Account { why, mend })) => {
                Err(ResolveError::NeedsAccount { name: name.to_owned(), why, mend })
            }
            None => Err(self.unknown(name, &wanted)),
        }
    }

    #[expect(clippy::unused_self, reason = "reads as a question to the catalogue, as its siblings")]
    fn renamed(&self, tool: &Arc<Tool>, name: &str, note: &str) -> Resolved {
        let note = match note {
            "" => format!("`{name}` → {}", tool.id()),
            note => format!("`{name}` → {}: {note}", tool.id()),
        };
        Resolved { tool: Arc::clone(tool), note: Some(note) }
    }

    fn unknown(&self, name: &str, wanted: &str) -> ResolveError {
        let ids = self.iter().map(|tool| tool.id().as_str());
        let aliases = self.iter().flat_map(|tool| tool.says.aliases.keys().map(String::as_str));
        let nearest = nearest(wanted, ids.chain(aliases)).map(str::to_owned);
        ResolveError::Unknown { name: name.to_owned(), nearest }
    }
}

// === impl ResolveError ===

impl ResolveError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{nearest}`? `assay tools list` shows all"))
            }
            Self::Unknown { nearest: None, .. } => {
                Some("`assay tools list` shows all tools".to_owned())
            }
            Self::NotBuilt { .. } => {
                Some("remove it from `--tools`; the static tools are there".to_owned())
            }
            Self::NeedsAccount { mend, .. } => Some((*mend).to_owned()),
        }
    }
}

/// Returns a name as it is compared: lower case, `-` for `_` and spaces.
pub(crate) fn plain(name: &str) -> String {
    let plain = |c: char| match c {
        '_' | ' ' => '-',
        c => c.to_ascii_lowercase(),
    };
    name.trim().chars().map(plain).collect()
}

/// Returns the known name that was probably meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|known| (strsim::normalized_damerau_levenshtein(name, known), known));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= NEAREST_MIN).then_some(best.1)
}
