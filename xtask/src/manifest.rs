//! `Cargo.toml` files: who depends on whom, and on which line that is written.

use crate::{
    fault::Fault,
    repo::{File, Repo},
};
use toml::{Table, Value};

/// The manifest of one crate of ours.
#[derive(Debug)]
pub(crate) struct Manifest<'a> {
    pub(crate) file: &'a File,
    pub(crate) table: Table,
}

/// What a dependency is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Also what a build script needs: it runs on the user's machine too.
    Product,
    Tests,
}

/// One line in a table of dependencies.
#[derive(Debug)]
pub(crate) struct Dependency<'a> {
    pub(crate) name: &'a str,
    pub(crate) purpose: Purpose,
    pub(crate) value: &'a Value,
}

// === impl Manifest ===

impl<'a> Manifest<'a> {
    pub(crate) fn parse(file: &'a File) -> Result<Self, Fault> {
        let table = file.text.parse::<Table>().map_err(|why| {
            let at = why.span().map_or(0, |span| 1 + file.text[..span.start].matches('\n').count());
            let what = why.message().to_owned();
            Fault::new(&file.path, at, what, "say each key once, in valid TOML")
        })?;
        Ok(Self { file, table })
    }

    /// All crates of ours, in the order of their paths; files that do not parse are left to `dependencies`.
    pub(crate) fn all(repo: &'a Repo) -> Vec<Self> {
        let ours = |path: &str| path.starts_with("crates/") || path.matches('/').count() == 1;
        // Workspaces of their own: the fuzz targets, as cargo-fuzz wants it, and the comparison.
        repo.ending("/Cargo.toml")
            .filter(|file| !["fuzz/", "compare/"].iter().any(|own| file.path.starts_with(own)))
            .filter(|file| ours(&file.path) && file.is_ours())
            .filter_map(|file| Self::parse(file).ok())
            .collect()
    }

    pub(crate) fn name(&self) -> &str {
        self.text("name")
    }

    pub(crate) fn description(&self) -> &str {
        self.text("description")
    }

    fn text(&self, key: &str) -> &str {
        let package = self.table.get("package");
        package.and_then(|package| package.get(key)).and_then(Value::as_str).unwrap_or_default()
    }

    /// The folder that the manifest lies in.
    pub(crate) fn folder(&self) -> &str {
        self.file.path.strip_suffix("/Cargo.toml").unwrap_or_default()
    }

    pub(crate) fn dependencies(&self) -> Vec<Dependency<'_>> {
        let targets = self.table.get("target").and_then(Value::as_table);
        let by_target =
            targets.into_iter().flat_map(|all| all.values().filter_map(Value::as_table));
        let mut found = Vec::new();
        for table in std::iter::once(&self.table).chain(by_target) {
            for (key, purpose) in [
                ("dependencies", Purpose::Product),
                ("build-dependencies", Purpose::Product),
                ("dev-dependencies", Purpose::Tests),
            ] {
                let entries = table.get(key).and_then(Value::as_table).into_iter().flatten();
                found.extend(entries.map(|(name, value)| Dependency { name, purpose, value }));
            }
        }
        found
    }

    /// The line on which a key is written, or 0.
    pub(crate) fn line_of(&self, key: &str) -> usize {
        let written = |line: &str| {
            line.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        };
        self.file.lines().find(|(_, line)| written(line)).map_or(0, |(number, _)| number)
    }
}
