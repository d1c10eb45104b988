//! Documents: links that lead somewhere, tests that exist, and a change log that is kept.

use crate::{
    fault::Fault,
    repo::{File, Repo},
};
use std::collections::BTreeSet;

pub(super) fn links(repo: &Repo) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in repo.ending(".md").filter(|file| file.is_ours()) {
        for (number, target) in targets(file) {
            let path = resolve(&file.path, &target);
            if !path.as_deref().is_some_and(|path| path.is_empty() || repo.has(path)) {
                let what = format!("the link `{target}` leads nowhere");
                let mend = "name a file of this repository, relative to the document";
                faults.push(Fault::new(&file.path, number, what, mend));
            }
        }
    }
    faults
}

/// Words of the head of a table whose column names tests.
const PROOFS: [&str; 3] = ["| proven by |", "| held by |", "| caught by |"];

/// In a document that says which tests prove it, what has the name of a test is one. A name of fewer
/// than four words may be anything.
pub(super) fn proofs(repo: &Repo) -> Vec<Fault> {
    let defined = functions(repo);
    let mut faults = Vec::new();
    for file in repo.ending(".md").filter(|file| file.is_ours()) {
        if !file.lines().any(|(_, line)| PROOFS.iter().any(|head| line.contains(head))) {
            continue;
        }
        for (number, line) in file.lines() {
            let quoted = line.split('`').skip(1).step_by(2);
            for name in quoted.filter(|name| is_sentence(name) && !defined.contains(name)) {
                let what = format!("there is no test `{name}`");
                let mend = "name the test as its function is called";
                faults.push(Fault::new(&file.path, number, what, mend));
            }
        }
    }
    faults
}

/// Whether it is written as the name of a test: four words and more.
fn is_sentence(name: &str) -> bool {
    let is_word = |c: char| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit();
    name.chars().all(is_word) && name.matches('_').count() >= 3
}

/// Every function of Rust and of Python, by name.
fn functions(repo: &Repo) -> BTreeSet<&str> {
    let files = repo.ending(".rs").chain(repo.ending(".py"));
    let lines = files.flat_map(File::lines).map(|(_, line)| line.trim_start());
    let named = lines.filter_map(|line| {
        let (_, rest) = line.split_once("fn ").or_else(|| line.split_once("def "))?;
        rest.split(['(', '<', ' ']).next()
    });
    named.collect()
}

/// All link targets that are paths, with their lines.
fn targets(file: &File) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in file.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("x");
        let inline = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let defined = text.starts_with('[').then(|| text.split("]: ").nth(1)).flatten();
        for target in inline.chain(defined) {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains("://") && !path.starts_with("mailto:") {
                found.push((number, path.to_owned()));
            }
        }
    }
    found
}

/// The path from the root that a link in `document` means; `None` where it leaves the repository.
fn resolve(document: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

pub(super) fn changelog(repo: &Repo) -> Vec<Fault> {
    const PATH: &str = "CHANGELOG.md";
    let mend = "add `## Unreleased` and say what changed for a user";
    let Some(file) = repo.file(PATH) else {
        return vec![Fault::new(PATH, 0, "the file is missing", mend)];
    };
    let is_section = |line: &str| matches!(line.trim_end(), "## Unreleased" | "## [Unreleased]");
    if file.lines().any(|(_, line)| is_section(line)) {
        return Vec::new();
    }
    vec![Fault::new(PATH, 1, "there is no section for what is not yet released", mend)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn a_link_leads_to_a_file_or_a_folder() {
        let page = "[a](../README.md#x) [b](b.md) ![c](img/c.png \"t\")\n[d](nowhere.md) [e](https://x.y/z)\n\
                    `[f](nowhere)` [g](../../out.md) [h](#x)\n```\n[i](nowhere)\n```\n[j]: nowhere.md\n[k](..)\n";
        let files =
            [("docs/a.md", page), ("README.md", ""), ("docs/b.md", ""), ("docs/img/c.png", "")];
        assert_eq!(places(links, &files), ["docs/a.md:2", "docs/a.md:3", "docs/a.md:7"]);
    }

    #[test]
    fn a_test_that_a_document_names_exists() {
        let page = "| what | proven by |\n|---|---|\n| a | `it_is_so_here`, `and_so_it_is` |\n\
                    | b | `not_so`, `it_is_so_no_more`, `a::it_is_so_not` |\n";
        let code = ("crates/a/src/lib.rs", "#[test] fn it_is_so_here() {}\n");
        let script = ("b.py", "async def and_so_it_is(world):\n");
        let other = ("b.md", "| what |\n|---|\n| `it_is_so_no_more` |\n");
        assert_eq!(places(proofs, &[("a.md", page), other, code, script]), ["a.md:4"]);
    }

    #[test]
    fn the_change_log_is_there_and_open() {
        assert_eq!(places(changelog, &[]), ["CHANGELOG.md:0"]);
        assert_eq!(places(changelog, &[("CHANGELOG.md", "# x\n## 0.1\n")]), ["CHANGELOG.md:1"]);
        assert!(places(changelog, &[("CHANGELOG.md", "# x\n## Unreleased\n")]).is_empty());
    }
}
