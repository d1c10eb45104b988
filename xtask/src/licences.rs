//! Whether every dependency may be given away: the part of `cargo deny` that needs no network,
//! asked of `cargo metadata`, so that CI and a contributor need no further program.
//!
//! Reads `deny.toml` and nothing else for what is allowed: `targets`, `allow`, `exceptions`, `skip`.
//!
//! Does not: know advisories. `cargo deny check advisories` does, where its database is reachable.

mod expression; // `MIT OR (Apache-2.0 AND ISC)`

use crate::{fault::Fault, repo::Repo};
use expression::satisfied;
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};
use toml::{Table, Value};

/// What became of the check.
#[derive(Debug, Default)]
pub struct Answer {
    /// Packages that are not ours.
    pub dependencies: usize,
    pub faults: Vec<Fault>,
    /// Packages that are there in two versions: slower to build, and one may be left behind.
    pub warnings: Vec<String>,
}

/// What `deny.toml` says.
#[derive(Debug, Default)]
struct Policy {
    targets: Vec<String>,
    allowed: BTreeSet<String>,
    /// Further licences, by the one package that may have them.
    exceptions: BTreeMap<String, BTreeSet<String>>,
    skipped: BTreeSet<String>,
}

/// One package as `cargo metadata` tells it.
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    licence: Option<&'a str>,
    source: &'a str,
}

/// Asks cargo for all dependencies and holds them against `deny.toml`.
///
/// # Errors
///
/// Where cargo or `deny.toml` cannot be read.
pub fn check(repo: &Repo) -> Result<Answer, String> {
    let text = &repo.file("deny.toml").ok_or("`deny.toml` is missing")?.text;
    let policy = Policy::parse(text)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked"]).current_dir(repo.root());
    for target in &policy.targets {
        command.args(["--filter-platform", target]);
    }
    let out = command.output().map_err(|why| format!("cargo did not start: {why}"))?;
    if !out.status.success() {
        return Err(format!("`cargo metadata` failed: {}", String::from_utf8_lossy(&out.stderr)));
    }
    let metadata: Json = serde_json::from_slice(&out.stdout)
        .map_err(|why| format!("`cargo metadata` wrote what cannot be read: {why}"))?;
    Ok(policy.judge(&packages(&metadata)))
}

fn packages(metadata: &Json) -> Vec<Package<'_>> {
    metadata["packages"].as_array().into_iter().flatten().filter_map(Package::of).collect()
}

// === impl Package ===

impl<'a> Package<'a> {
    /// Reads one package; `None` for ours, which have no source.
    fn of(package: &'a Json) -> Option<Self> {
        Some(Self {
            name: package["name"].as_str()?,
            version: package["version"].as_str()?,
            licence: package["license"].as_str(),
            source: package["source"].as_str()?,
        })
    }
}

// === impl Policy ===

impl Policy {
    fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|why| format!("`deny.toml`: {why}"))?;
        let words = |value: Option<&Value>| -> Vec<String> {
            let all = value.and_then(Value::as_array).into_iter().flatten();
            all.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let part = |name: &str, key: &str| table.get(name).and_then(|part| part.get(key));
        let crates = |value: Option<&Value>| -> Vec<(String, Value)> {
            let all = value.and_then(Value::as_array).into_iter().flatten();
            all.filter_map(|one| Some((one.get("crate")?.as_str()?.to_owned(), one.clone())))
                .collect()
        };
        let exceptions = crates(part("licenses", "exceptions"));
        Ok(Self {
            targets: words(part("graph", "targets")),
            allowed: words(part("licenses", "allow")).into_iter().collect(),
            exceptions: exceptions
                .into_iter()
                .map(|(name, one)| (name, words(one.get("allow")).into_iter().collect()))
                .collect(),
            skipped: crates(part("bans", "skip")).into_iter().map(|(name, _)| name).collect(),
        })
    }

    fn judge(&self, packages: &[Package<'_>]) -> Answer {
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut faults = Vec::new();
        for package in packages {
            faults.extend(self.fault(package));
            // `name@1.2` in the skip list is one version of two that is known and waits for others.
            let known = |skip: &str| {
                let Some((name, version)) = skip.split_once('@') else {
                    return skip == package.name;
                };
                let more = package.version.strip_prefix(version);
                name == package.name
                    && more.is_some_and(|more| more.is_empty() || more.starts_with('.'))
            };
            if !self.skipped.iter().any(|skip| known(skip)) {
                versions.entry(package.name).or_default().push(package.version);
            }
        }
        let twice = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
        let warning = |(name, versions): (&str, Vec<&str>)| {
            format!("`{name}` is there in the versions {}", versions.join(" and "))
        };
        Answer { dependencies: packages.len(), faults, warnings: twice.map(warning).collect() }
    }

    fn fault(&self, package: &Package<'_>) -> Option<Fault> {
        let Package { name, version, licence, source } = package;
        let fault = |what: String, mend| {
            Some(Fault { rule: "licences", ..Fault::new("Cargo.lock", 0, what, mend) })
        };
        if !source.starts_with("registry+") {
            let what = format!("`{name}` {version} does not come from a registry");
            return fault(what, "use a released version");
        }
        let Some(licence) = licence else {
            let what = format!("`{name}` {version} names no licence");
            return fault(what, "use another package");
        };
        let own = self.exceptions.get(*name);
        let allowed =
            |id: &str| self.allowed.contains(id) || own.is_some_and(|more| more.contains(id));
        match satisfied(licence, &allowed) {
            Some(true) => None,
            Some(false) => {
                let what = format!("the licence of `{name}` {version} is `{licence}`");
                fault(what, "use another package, or allow the licence in `deny.toml` and say why")
            }
            None => {
                let what = format!("the licence of `{name}` {version} cannot be read: `{licence}`");
                fault(what, "add an exception for it to `deny.toml` and say why")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [graph]
        targets = ["x86_64-unknown-linux-gnu"]
        [licenses]
        allow = ["MIT"]
        exceptions = [{ crate = "odd", allow = ["Zlib"] }]
        [bans]
        skip = [{ crate = "syn@2", reason = "x" }]
    "#;

    fn judged(packages: &[(&str, &str, Option<&str>, &str)]) -> Answer {
        let policy = Policy::parse(POLICY).unwrap();
        assert_eq!(policy.targets, ["x86_64-unknown-linux-gnu"]);
        let package =
            |&(name, version, licence, source)| Package { name, version, licence, source };
        policy.judge(&packages.iter().map(package).collect::<Vec<_>>())
    }

    #[test]
    fn a_licence_is_allowed_for_all_or_for_one() {
        let from = "registry+x";
        let answer = judged(&[
            ("good", "1.0.0", Some("MIT OR GPL-3.0"), from),
            ("odd", "1.0.0", Some("Zlib"), from),
        ]);
        assert_eq!(answer.faults, []);
        let bad = [("other", "1.0.0", Some("Zlib"), from), ("bare", "1.0.0", None, from)];
        assert_eq!(judged(&bad).faults.len(), 2);
    }

    #[test]
    fn a_dependency_comes_from_a_registry() {
        let answer = judged(&[("a", "1.0.0", Some("MIT"), "git+https://x.y/z")]);
        assert!(answer.faults[0].what.contains("does not come from a registry"));
    }

    #[test]
    fn two_versions_are_told_unless_one_is_known() {
        let both = |name| {
            [(name, "2.0.1", Some("MIT"), "registry+x"), (name, "3.0.0", Some("MIT"), "registry+x")]
        };
        assert!(judged(&both("syn")).warnings.is_empty());
        assert_eq!(judged(&both("a")).warnings, ["`a` is there in the versions 2.0.1 and 3.0.0"]);
    }
}
