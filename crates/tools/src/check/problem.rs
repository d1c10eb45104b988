//! One fault of a declaration, and all of them in words.

use std::fmt;

/// One fault of a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is: `output.map.rule`.
    pub key: String,
    pub what: String,
    pub mend: String,
}

/// Everything that is wrong with declarations of tools.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", shown(problems))]
pub struct CatalogueError {
    /// The file (or table) and the fault, in order.
    pub problems: Vec<(String, Problem)>,
}

// === impl Problem ===

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}; {}", self.key, self.what, self.mend)
    }
}

fn shown(problems: &[(String, Problem)]) -> String {
    let lines = problems.iter().map(|(file, problem)| format!("{file}: {problem}"));
    lines.collect::<Vec<_>>().join("\n")
}
