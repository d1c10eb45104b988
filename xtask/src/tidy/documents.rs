//! Documents: links that lead somewhere, and a change log that is kept.

use crate::{
    fault::Fault,
    repo::{File, Repo},
};

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
    fn the_change_log_is_there_and_open() {
        assert_eq!(places(changelog, &[]), ["CHANGELOG.md:0"]);
        assert_eq!(places(changelog, &[("CHANGELOG.md", "# x\n## 0.1\n")]), ["CHANGELOG.md:1"]);
        assert!(places(changelog, &[("CHANGELOG.md", "# x\n## Unreleased\n")]).is_empty());
    }
}
