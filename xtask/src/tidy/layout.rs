//! Sizes, roots, headers and names of Rust files.

use crate::{
    fault::Fault,
    repo::{File, Repo},
    rust,
};

/// Lines a file may have before its tests.
const FILE_LINES_MAX: usize = 400;

/// Lines the root of a crate may have, its docs not counted.
const ROOT_LINES_MAX: usize = 120;

/// How much of the code in `crates/` the binary may be.
const APP_PERCENT_MAX: usize = 25;

/// Items that make a root more than a table of contents.
const ITEMS: &[&str] = &["struct ", "enum ", "trait ", "impl ", "impl<", "union ", "macro_rules!"];

pub(super) fn sizes(repo: &Repo) -> Vec<Fault> {
    let too_long = |file: &File| {
        let lines = rust::code(file).count();
        (lines > FILE_LINES_MAX).then(|| {
            let what = format!("{lines} lines before its tests, the limit is {FILE_LINES_MAX}");
            Fault::new(&file.path, lines, what, "move a part with a name of its own into a file")
        })
    };
    rust::files(repo).filter_map(too_long).collect()
}

pub(super) fn roots(repo: &Repo) -> Vec<Fault> {
    rust::files(repo).filter(|file| is_root(&file.path)).flat_map(root).collect()
}

fn is_root(path: &str) -> bool {
    let crates = path.starts_with("crates/") && path.matches('/').count() == 3;
    let beside = ["testkit/src/lib.rs", "xtask/src/lib.rs"].contains(&path);
    (crates && path.ends_with("/src/lib.rs")) || beside
}

fn root(file: &File) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mend = "move it into a module and re-export it";
    for (number, line) in rust::code(file) {
        let item = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        if ITEMS.iter().any(|kind| item.starts_with(kind)) {
            faults.push(Fault::new(&file.path, number, format!("a root holds `{item}`"), mend));
        }
        if item.starts_with("mod ") && item.contains(';') && !item.contains("//") {
            let what = format!("`{item}` says nothing about the module");
            let mend = "end the line with a remark, `mod pool; // who does the work`";
            faults.push(Fault::new(&file.path, number, what, mend));
        }
    }
    let lines = rust::code(file).filter(|(_, line)| !line.starts_with("//!")).count();
    if lines > ROOT_LINES_MAX {
        let what =
            format!("{lines} lines beside its docs, the limit of a root is {ROOT_LINES_MAX}");
        faults.push(Fault::new(&file.path, lines, what, mend));
    }
    faults
}

pub(super) fn headers(repo: &Repo) -> Vec<Fault> {
    let mend = "begin with `//! ` and one sentence: what it owns, keeps, and does not do";
    let bare = |file: &&File| !file.text.starts_with("//! ");
    let fault = |file: &File| Fault::new(&file.path, 1, "the file does not begin with `//!`", mend);
    rust::files(repo).filter(bare).map(fault).collect()
}

pub(super) fn names(repo: &Repo) -> Vec<Fault> {
    let unnamed = |file: &&File| file.path.ends_with("/mod.rs") && !rust::is_test(&file.path);
    let fault = |file: &File| {
        let mend = "name the file after its folder and put it beside the folder";
        Fault::new(&file.path, 0, "a module without a name", mend)
    };
    rust::files(repo).filter(unnamed).map(fault).collect()
}

pub(super) fn share(repo: &Repo) -> Vec<Fault> {
    let (mut app, mut all) = (0, 0);
    for file in rust::files(repo).filter(|file| file.path.contains("/src/")) {
        let Some(room) = rust::room(&file.path) else { continue };
        let lines = rust::code(file).count();
        all += lines;
        app += if room == "app" { lines } else { 0 };
    }
    if app * 100 < all * APP_PERCENT_MAX || all == 0 {
        return Vec::new();
    }
    let what = format!("{app} of {all} lines in `crates/`: not under {APP_PERCENT_MAX} %");
    vec![Fault::new("crates/app", 0, what, "make the heaviest part of it a crate of its own")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn lines_count_until_the_tests_begin() {
        let tests = "#[cfg(test)]\nmod tests {\n".to_owned() + &"x\n".repeat(500);
        let short = "x\n".repeat(400) + &tests;
        assert!(places(sizes, &[("crates/a/src/b.rs", &short)]).is_empty());
        let long = "x\n".repeat(401) + &tests;
        assert_eq!(places(sizes, &[("crates/a/src/b.rs", &long)]), ["crates/a/src/b.rs:401"]);
    }

    #[test]
    fn a_root_lists_modules_and_says_what_each_is() {
        let good = "//! x\nmod a; // what a is\npub use a::A;\n\npub const N: u8 = 1;\n";
        assert!(places(roots, &[("crates/a/src/lib.rs", good)]).is_empty());
        let bad = "//! x\nmod a;\npub struct A;\nimpl A {}\n";
        let found = places(roots, &[("crates/a/src/lib.rs", bad), ("crates/a/src/a.rs", bad)]);
        assert_eq!(found, ["2", "3", "4"].map(|line| format!("crates/a/src/lib.rs:{line}")));
        let long = "//! x\n".repeat(200) + &"const A: u8 = 1;\n".repeat(121);
        assert_eq!(places(roots, &[("crates/a/src/lib.rs", &long)]), ["crates/a/src/lib.rs:121"]);
    }

    #[test]
    fn a_file_begins_with_what_it_is() {
        let files = [("crates/a/src/b.rs", "use x;\n"), ("crates/a/src/c.rs", "//! x\n")];
        assert_eq!(places(headers, &files), ["crates/a/src/b.rs:1"]);
    }

    #[test]
    fn a_module_has_a_name() {
        let files = [("crates/a/src/b/mod.rs", "//! x\n"), ("crates/a/tests/c/mod.rs", "//! x\n")];
        assert_eq!(places(names, &files), ["crates/a/src/b/mod.rs:0"]);
    }

    #[test]
    fn the_binary_stays_under_a_quarter() {
        let (one, three, four) = ("x\n", "x\n".repeat(3), "x\n".repeat(4));
        let app = ("crates/app/src/main.rs", one);
        assert_eq!(places(share, &[app, ("crates/a/src/b.rs", &three)]), ["crates/app:0"]);
        assert!(places(share, &[app, ("crates/a/src/b.rs", &four)]).is_empty());
    }
}
