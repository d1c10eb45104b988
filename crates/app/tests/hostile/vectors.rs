//! Every way that the documentation of a tool gives an app to run code in it or to blind it.
//!
//! A name that begins with `/` lies in the app's own folder; every other lies there and in the
//! folders with the code of the tools that it is for.

use crate::payload::Payload;
use std::path::Path;

/// One hostile file.
pub(crate) struct Vector {
    /// Whom it is meant for; `*` is everybody. Empty: nobody in particular.
    pub(crate) tools: &'static [&'static str],
    pub(crate) name: String,
    pub(crate) text: String,
}

/// What hides everything from whoever believes it.
const ALL: &str = "*\n**\n**/*\n/**\n";

const PYTHON: &[&str] = &[
    "ruff",
    "bandit",
    "semgrep",
    "pylint",
    "mypy",
    "ty",
    "vulture",
    "radon",
    "lizard",
    "complexipy",
];
const NODE: &[&str] = &[
    "eslint",
    "oxlint",
    "stylelint",
    "html-validate",
    "jscpd",
    "retire",
    "secretlint",
    "njsscan",
    "cyclonedx-npm",
    "npm-audit",
];
const PIP: &[&str] = &["pip-audit", "safety-db", "cyclonedx-py"];

/// Makes all of them. `outside` is a folder that the app has no business with.
pub(crate) fn vectors(payload: &Payload, outside: &Path) -> Vec<Vector> {
    let mut maker = Maker { payload, outside: outside.display().to_string(), made: Vec::new() };
    maker.pyproject();
    maker.manifests();
    maker.python_modules();
    maker.python_configurations();
    maker.requirements();
    maker.node();
    maker.node_programs();
    maker.eslint_and_oxlint();
    maker.node_configurations();
    maker.others();
    maker.ignore_files();
    maker.git();
    maker.names();
    maker.made
}

mod manifests; // files that are manifest and configuration
mod more; // tools that are neither Python nor Node, ignore files, git, names
mod node; // what Node, npm and their users read
mod python; // code that Python programs find by its name, and their configuration

struct Maker<'a> {
    payload: &'a Payload,
    outside: String,
    made: Vec<Vector>,
}

// === impl Maker ===

impl Maker<'_> {
    fn add(&mut self, tools: &'static [&'static str], name: &str, text: impl Into<String>) {
        self.made.push(Vector { tools, name: name.to_owned(), text: text.into() });
    }
}
