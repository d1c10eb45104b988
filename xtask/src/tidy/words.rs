//! What no file may say. The forbidden words are written in two halves here, since this file is
//! checked too.

use crate::{fault::Fault, repo::Repo, rust};

/// Marks of work that was put off.
const MARKS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Rust that was put off.
const STUBS: &[&str] =
    &[concat!("todo", "!("), concat!("unimpl", "emented!("), concat!("#[ign", "ore")];

/// Folders of the machines that this was written on. A leading folder of a path, not a part of one.
const FOLDERS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("../sh", "ared/")];

/// Hosts that serve packages.
const HOSTS: &[&str] = &[
    concat!("pypi.", "org"),
    concat!("pythonhosted.", "org"),
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("index.crates.", "io"),
    concat!("static.crates.", "io"),
    concat!("proxy.go", "lang.org"),
    concat!("deb.deb", "ian.org"),
];

/// Who may name a host: the one default that a user sees documented.
const HOST_DEFAULTS: &[&str] = &["crates/provision/src/index.rs"];

pub(super) fn marks(repo: &Repo) -> Vec<Fault> {
    let mend = "do it now, or file an issue and leave no mark";
    let mut faults = Vec::new();
    for file in repo.files().filter(|file| file.is_ours() && is_written(&file.path)) {
        let code = rust::code(file).count();
        let is_rust = file.path.ends_with(".rs");
        for (number, line) in file.lines() {
            // A test may hold a mark as data; a comment of a test may not.
            let in_test = is_rust && number > code && !line.trim_start().starts_with("//");
            let said = if file.path.ends_with(".md") { without_quotes(line) } else { line.into() };
            let mark = MARKS.iter().find(|mark| !in_test && rust::has_word(&said, mark));
            let stub = STUBS.iter().find(|stub| is_rust && line.trim_start().starts_with(**stub));
            if let Some(found) = mark.or(stub) {
                faults.push(Fault::new(&file.path, number, format!("`{found}`"), mend));
            }
        }
    }
    faults
}

/// Whether we write it by hand. Rows and rules speak about other people's marks.
fn is_written(path: &str) -> bool {
    let ends = [".rs", ".md", ".toml", ".sh", ".py", ".mjs", ".css", ".js"];
    let by_end = ends.iter().any(|end| path.ends_with(end));
    let script = path.starts_with("scripts/") || path == "test" || path == ".ci/run";
    let others = ["crates/tools/catalogue/", "crates/tools/rules/"];
    (by_end || script) && !others.iter().any(|folder| path.starts_with(folder))
}

/// The line without what stands in backticks.
fn without_quotes(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

pub(super) fn unsafe_code(repo: &Repo) -> Vec<Fault> {
    let mend = "use a safe crate, or move the call into `crates/exec/src/sys`";
    let is_sys =
        |path: &str| path == "crates/exec/src/sys.rs" || path.starts_with("crates/exec/src/sys/");
    let openers = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe trait"];
    let lints = ["allow(unsafe_code", "expect(unsafe_code"];
    let mut faults = Vec::new();
    for file in rust::files(repo).filter(|file| !is_sys(&file.path) && !is_this(&file.path)) {
        for (number, line) in file.lines() {
            let said = rust::without_comment(line);
            let opens =
                rust::has_word(said, "unsafe") && openers.iter().any(|open| said.contains(open));
            if opens || lints.iter().any(|lint| said.contains(lint)) {
                faults.push(Fault::new(&file.path, number, "unsafe code", mend));
            }
        }
    }
    faults
}

/// `xtask` forbids it by the compiler, and its tests hold such lines as data.
fn is_this(path: &str) -> bool {
    path.starts_with("xtask/")
}

pub(super) fn processes(repo: &Repo) -> Vec<Fault> {
    let mend = "give `assay_exec::run` a `Job`: it is the only one that stops what was started";
    let starts = ["process::Command", "process::{"];
    let mut faults = Vec::new();
    for file in rust::files(repo).filter(|file| file.path.contains("/src/")) {
        if rust::room(&file.path).is_none_or(|room| room == "exec") {
            continue;
        }
        for (number, line) in rust::code(file) {
            let said = rust::without_comment(line);
            let imported = said.contains(starts[1]) && rust::has_word(said, "Command");
            if said.contains(starts[0]) || imported {
                faults.push(Fault::new(&file.path, number, "a process beside `exec`", mend));
            }
        }
    }
    faults
}

pub(super) fn machines(repo: &Repo) -> Vec<Fault> {
    let mend = "make it relative, take it from the environment, or replace it by a placeholder";
    let mut faults = Vec::new();
    for file in repo.files() {
        for (number, line) in file.lines() {
            if let Some(folder) = FOLDERS.iter().find(|folder| leads(line, folder)) {
                let what = format!("`{folder}` is a folder of one machine");
                faults.push(Fault::new(&file.path, number, what, mend));
            }
        }
    }
    faults
}

/// Whether a path in the line begins with the folder.
fn leads(line: &str, folder: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "._-~}*)/$".contains(c);
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(inside) || line[..at].ends_with("file://")
    })
}

pub(super) fn registries(repo: &Repo) -> Vec<Fault> {
    let mend = "leave the choice of registry to the user's pip, npm or cargo settings";
    let mut faults = Vec::new();
    // What a tool printed names hosts as it likes.
    let ours = repo.files().filter(|file| file.is_ours());
    for file in ours.filter(|file| !HOST_DEFAULTS.contains(&file.path.as_str())) {
        for (number, line) in file.lines() {
            if let Some(host) = HOSTS.iter().find(|host| line.contains(**host)) {
                let what = format!("`{host}` is a registry's host");
                faults.push(Fault::new(&file.path, number, what, mend));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn a_mark_of_later_is_found_in_code_scripts_and_documents() {
        let mark = MARKS[0];
        let code = format!("//! x\nlet x = 1; // {mark}: later\n{}x)\n", STUBS[0]);
        let script = format!("#!/bin/sh\n# {}\n", MARKS[1]);
        let page = format!("text `{mark}` text\ntext {mark}\n");
        let files = [("crates/a/src/b.rs", &*code), ("scripts/c", &*script), ("docs/d.md", &*page)];
        let expected = ["crates/a/src/b.rs:2", "crates/a/src/b.rs:3", "docs/d.md:2", "scripts/c:2"];
        assert_eq!(places(marks, &files), expected);
    }

    #[test]
    fn a_test_may_hold_a_mark_as_data_but_none_of_its_own() {
        let mark = MARKS[0];
        let head = "//! x\n#[cfg(test)]\nmod tests {\n";
        let text = format!("{head}fold(\"# {mark}\");\n    // {mark}\n    {}]\n", STUBS[2]);
        let expected = ["crates/a/src/b.rs:5", "crates/a/src/b.rs:6"];
        assert_eq!(places(marks, &[("crates/a/src/b.rs", &text)]), expected);
        assert!(places(marks, &[("crates/tools/catalogue/a.toml", mark)]).is_empty());
    }

    #[test]
    fn only_the_room_of_the_system_is_unsafe() {
        let text = "//! x\nlet a = unsafe { f() };\nfn is_unsafe() {}\n#![expect(unsafe_code, reason = \"x\")]\n";
        let files = [("crates/exec/src/sys.rs", text), ("crates/exec/src/run.rs", text)];
        let expected = ["crates/exec/src/run.rs:2", "crates/exec/src/run.rs:4"];
        assert_eq!(places(unsafe_code, &files), expected);
    }

    #[test]
    fn only_exec_starts_processes() {
        let text = "//! x\nuse std::process::{Command, Stdio};\nuse std::process::ExitCode;\nstd::process::Command::new(x);\n";
        let files = [("crates/exec/src/a.rs", text), ("crates/app/src/a.rs", text)];
        assert_eq!(places(processes, &files), ["crates/app/src/a.rs:2", "crates/app/src/a.rs:4"]);
    }

    #[test]
    fn a_folder_of_a_machine_is_found_in_any_text() {
        let text = format!(
            "a {}x\nb/c{}d\n\"{}\"\nfile://{}x\n",
            FOLDERS[0], FOLDERS[0], FOLDERS[1], FOLDERS[1]
        );
        assert_eq!(places(machines, &[("a.json", &text)]), ["a.json:1", "a.json:3", "a.json:4"]);
    }

    #[test]
    fn a_registry_is_named_by_the_default_alone() {
        let text = format!("x\nhttps://{}/simple\n", HOSTS[0]);
        let files = [
            ("crates/provision/src/index.rs", &*text),
            ("docs/a.md", &*text),
            ("crates/a/tests/golden/b.json", &*text),
        ];
        assert_eq!(places(registries, &files), ["docs/a.md:2"]);
    }
}
