//! Dependencies: declared once, in the workspace's table, and used by whoever names them.

use crate::{
    fault::Fault,
    manifest::{Dependency, Manifest},
    repo::Repo,
    rust,
};
use std::collections::BTreeSet;
use toml::{Table, Value};

pub(super) fn declared_and_used(repo: &Repo) -> Vec<Fault> {
    let broken = repo.ending("Cargo.toml").filter(|file| file.is_ours()).map(Manifest::parse);
    let mut faults: Vec<Fault> = broken.filter_map(Result::err).collect();
    let manifests = Manifest::all(repo);
    for manifest in &manifests {
        faults.extend(manifest.dependencies().iter().filter_map(|one| local(manifest, one)));
        faults.extend(manifest.dependencies().iter().filter_map(|one| idle(repo, manifest, one)));
        faults.extend(unlinted(manifest));
    }
    faults.extend(unused_rows(repo, &manifests));
    faults
}

/// A version that is written in a crate and not in the table of the workspace.
fn local(manifest: &Manifest<'_>, dependency: &Dependency<'_>) -> Option<Fault> {
    let shared = dependency.value.get("workspace").and_then(Value::as_bool) == Some(true);
    (!shared).then(|| {
        let what = format!("`{}` has a version of its own", dependency.name);
        let mend = "declare it in `[workspace.dependencies]` and say `.workspace = true` here";
        Fault::new(&manifest.file.path, manifest.line_of(dependency.name), what, mend)
    })
}

/// A dependency whose name stands in no Rust file of the crate.
fn idle(repo: &Repo, manifest: &Manifest<'_>, dependency: &Dependency<'_>) -> Option<Fault> {
    let name = dependency.name.replace('-', "_");
    let folder = format!("{}/", manifest.folder());
    let mut files = repo.ending(".rs").filter(|file| file.path.starts_with(&folder));
    let used = files.any(|file| file.lines().any(|(_, line)| rust::has_word(line, &name)));
    (!used).then(|| {
        let what = format!("`{}` is declared and not used", dependency.name);
        let line = manifest.line_of(dependency.name);
        Fault::new(&manifest.file.path, line, what, "remove the line")
    })
}

fn unlinted(manifest: &Manifest<'_>) -> Option<Fault> {
    let lints = manifest.table.get("lints").and_then(|lints| lints.get("workspace"));
    (lints.and_then(Value::as_bool) != Some(true)).then(|| {
        let mend = "add `[lints]` with `workspace = true`";
        Fault::new(&manifest.file.path, 0, "the crate leaves the workspace's lints out", mend)
    })
}

fn unused_rows(repo: &Repo, manifests: &[Manifest<'_>]) -> Vec<Fault> {
    let Some(root) = repo.file("Cargo.toml").and_then(|file| Manifest::parse(file).ok()) else {
        return Vec::new();
    };
    let used: BTreeSet<&str> =
        manifests.iter().flat_map(Manifest::dependencies).map(|d| d.name).collect();
    let rows = root.table.get("workspace").and_then(|all| all.get("dependencies"));
    let rows = rows.and_then(Value::as_table).cloned().unwrap_or_else(Table::new);
    let mut faults = Vec::new();
    for (name, value) in &rows {
        let line = root.line_of(name);
        if !used.contains(name.as_str()) {
            let what = format!("`{name}` is declared and no crate uses it");
            faults.push(Fault::new("Cargo.toml", line, what, "remove the line"));
        }
        let version = value.get("version").unwrap_or(value).as_str();
        if version == Some("*") {
            let mend = "write the version that was tested";
            faults.push(Fault::new(
                "Cargo.toml",
                line,
                format!("`{name}` takes any version"),
                mend,
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    #[test]
    fn what_is_declared_is_used() {
        let root = "[workspace.dependencies]\nserde = \"1\"\nserde_json = \"1\"\nany = \"*\"\n";
        let one =
            "[dependencies]\nserde.workspace = true\nany.workspace = true\n".to_owned() + LINTS;
        let files = [
            ("Cargo.toml", root),
            ("crates/a/Cargo.toml", &one),
            ("crates/a/src/lib.rs", "//! x\nuse serde::Serialize;\n"),
        ];
        let expected = ["Cargo.toml:3", "Cargo.toml:4", "crates/a/Cargo.toml:3"];
        assert_eq!(places(declared_and_used, &files), expected);
    }

    #[test]
    fn a_version_is_written_in_one_place() {
        let one = "[dependencies]\nserde = \"1\"\n".to_owned() + LINTS;
        let files = [("crates/a/Cargo.toml", &*one), ("crates/a/src/lib.rs", "use serde;")];
        assert_eq!(places(declared_and_used, &files), ["crates/a/Cargo.toml:2"]);
    }

    #[test]
    fn a_key_that_is_said_twice_is_told_with_its_line() {
        let root = "[workspace.dependencies]\nserde = \"1\"\nserde = \"1\"\n";
        assert_eq!(places(declared_and_used, &[("Cargo.toml", root)]), ["Cargo.toml:3"]);
    }

    #[test]
    fn every_crate_takes_the_lints_of_the_workspace() {
        let files = [("crates/a/Cargo.toml", "[package]\nname = \"a\"\n")];
        assert_eq!(places(declared_and_used, &files), ["crates/a/Cargo.toml:0"]);
    }
}
