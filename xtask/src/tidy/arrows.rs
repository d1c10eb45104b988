//! Which crate may know which. The graph is a star: everybody knows `model`, the binary knows all.

use crate::{
    fault::Fault,
    manifest::{Manifest, Purpose},
    repo::Repo,
    rust,
};

/// Who may use more than the model.
const MORE: &[(&str, &[&str])] = &[
    ("assay-provision", &["assay-exec"]),
    ("assay-target", &["assay-exec"]),
    ("assay-pool", &["assay-rules", "assay-wire"]),
    ("assay-server", &["assay-pool", "assay-rules", "assay-store", "assay-trace", "assay-wire"]),
];

/// Crates in which equal arguments give equal answers.
const PURE: &[&str] = &["model", "rules", "tools", "report"];

/// Crates that touch the world.
const WORLDLY: &[&str] =
    &["tokio", "reqwest", "rustix", "libc", "axum", "hyper", "rusqlite", "tempfile", "ignore"];

/// Analyzers that are programs of their own and happen to lie in our binary: like any tool, they read
/// the project that they are given.
const NATIVE: &str = "crates/tools/src/native/";

/// Ways to touch the world with the standard library alone.
const WORLDLY_CALLS: &[&str] = &[
    "std::process",
    "process::Command",
    "std::net",
    "std::thread",
    "std::env",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "File::open",
    "File::create",
    "fs::read",
    "fs::write",
];

pub(super) fn star(repo: &Repo) -> Vec<Fault> {
    let manifests = Manifest::all(repo);
    let ours: Vec<&str> = manifests.iter().map(Manifest::name).collect();
    let mut faults = Vec::new();
    for manifest in manifests.iter().filter(|manifest| manifest.folder().starts_with("crates/")) {
        for dependency in manifest.dependencies() {
            let (from, to) = (manifest.name(), dependency.name);
            if dependency.purpose == Purpose::Tests || !ours.contains(&to) || may_use(from, to) {
                continue;
            }
            let what = format!("`{from}` depends on `{to}`");
            let mend = "move what both need into `assay-model`, or join them in `crates/app`";
            faults.push(Fault::new(&manifest.file.path, manifest.line_of(to), what, mend));
        }
    }
    faults
}

fn may_use(from: &str, to: &str) -> bool {
    let more = MORE.iter().find(|(name, _)| *name == from).map_or(&[][..], |(_, more)| *more);
    let joins = from == "assay" && to.starts_with("assay-");
    joins || to == "assay-model" || more.contains(&to)
}

pub(super) fn purity(repo: &Repo) -> Vec<Fault> {
    let mut faults = Vec::new();
    let is_pure = |path: &str| rust::room(path).is_some_and(|room| PURE.contains(&room));
    for manifest in Manifest::all(repo).iter().filter(|manifest| is_pure(&manifest.file.path)) {
        for dependency in manifest.dependencies() {
            if dependency.purpose == Purpose::Product && WORLDLY.contains(&dependency.name) {
                let what = format!("a pure crate depends on `{}`", dependency.name);
                let line = manifest.line_of(dependency.name);
                faults.push(Fault::new(&manifest.file.path, line, what, MEND_PURE));
            }
        }
    }
    let is_code = |path: &str| path.contains("/src/") && !path.starts_with(NATIVE);
    for file in rust::files(repo).filter(|file| is_pure(&file.path) && is_code(&file.path)) {
        for (number, line) in rust::code(file) {
            let said = rust::without_comment(line);
            if let Some(call) = WORLDLY_CALLS.iter().find(|call| said.contains(**call)) {
                let what = format!("a pure crate uses `{call}`");
                faults.push(Fault::new(&file.path, number, what, MEND_PURE));
            }
        }
    }
    faults
}

const MEND_PURE: &str = "take what it gives as an argument, and call it where the world is met";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    fn manifest(name: &str, dependencies: &str) -> String {
        format!("[package]\nname = \"{name}\"\n{dependencies}")
    }

    /// Which of the crates breaks the star, if `from` has the given tables.
    #[track_caller]
    fn check(from: &str, tables: &str, expected: &[&str]) {
        let room = format!("crates/{}/Cargo.toml", from.trim_start_matches("assay-"));
        let others = ["assay-model", "assay-exec", "assay-rules", "assay-term"]
            .map(|name| (format!("crates/other-{name}/Cargo.toml"), manifest(name, "")));
        let (text, kit) = (manifest(from, tables), manifest("testkit", ""));
        let mut files = vec![(room.as_str(), text.as_str()), ("testkit/Cargo.toml", kit.as_str())];
        files.extend(others.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        assert_eq!(places(star, &files), expected, "{from}: {tables}");
    }

    #[test]
    fn a_room_knows_the_model_and_no_other_room() {
        check("assay-report", "[dependencies]\nassay-model.workspace = true\nserde = \"1\"\n", &[]);
        let bad = "[dependencies]\nassay-term.workspace = true\n";
        check("assay-report", bad, &["crates/report/Cargo.toml:4"]);
        let hidden = "[target.'cfg(unix)'.dependencies]\nassay-term.workspace = true\n";
        check("assay-report", hidden, &["crates/report/Cargo.toml:4"]);
        let build = "[build-dependencies]\nassay-term.workspace = true\n";
        check("assay-report", build, &["crates/report/Cargo.toml:4"]);
    }

    #[test]
    fn provisioning_may_start_programs_and_the_binary_joins_all() {
        check("assay-provision", "[dependencies]\nassay-exec.workspace = true\n", &[]);
        let bad = "[dependencies]\nassay-rules.workspace = true\n";
        check("assay-provision", bad, &["crates/provision/Cargo.toml:4"]);
        check("assay", "[dependencies]\nassay-exec = { workspace = true }\n", &[]);
    }

    #[test]
    fn the_testkit_is_for_tests() {
        check("assay-exec", "[dev-dependencies]\ntestkit.workspace = true\n", &[]);
        for from in ["assay-source", "assay"] {
            let path = format!("crates/{}/Cargo.toml:4", from.trim_start_matches("assay-"));
            check(from, "[dependencies]\ntestkit.workspace = true\n", &[&path]);
        }
    }

    #[test]
    fn a_pure_room_touches_the_world_in_its_tests_only() {
        let code = "//! x\nfn f() { let now = Instant::now(); }\n#[cfg(test)]\nmod tests { std::fs::read(x) }\n";
        assert_eq!(places(purity, &[("crates/rules/src/a.rs", code)]), ["crates/rules/src/a.rs:2"]);
        for path in ["crates/exec/src/a.rs", "crates/tools/src/native/a.rs"] {
            assert!(places(purity, &[(path, code)]).is_empty(), "{path}");
        }
        let text = manifest("assay-rules", "[dependencies]\ntokio.workspace = true\n");
        assert_eq!(
            places(purity, &[("crates/rules/Cargo.toml", &text)]),
            ["crates/rules/Cargo.toml:4"]
        );
    }
}
