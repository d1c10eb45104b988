//! What must hold of the files. One row per rule: its name, what it keeps, and its check.
//!
//! Limits are ratchets: lower one when you can, raise it never.

mod arrows; // which crate may know which
mod dependencies; // what is declared, and whether it is used
mod documents; // links, tests that are named, the change log
mod layout; // sizes, roots, headers
mod words; // what no file may say

use crate::{docs, fault::Fault, repo::Repo};

/// One thing that must hold.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub name: &'static str,
    /// What holds, as one sentence for `CONTRIBUTING.md`.
    pub keeps: &'static str,
    pub check: fn(&Repo) -> Vec<Fault>,
}

/// All rules, in the order in which they are told.
pub const RULES: &[Rule] = &[
    Rule {
        name: "arrows",
        keeps: "A crate in `crates/` depends on no other of ours but `assay-model`; `provision` and \
                `target` may start programs through `exec`, `pool` uses `rules` and `wire`, `server` \
                uses these, `store` and `trace`, and the binary joins all. `testkit` is for tests only.",
        check: arrows::star,
    },
    Rule {
        name: "purity",
        keeps: "`model`, `rules`, `tools` and `report` start nothing, open nothing, and ask no clock. (An \
                analyzer in `tools/src/native` reads the project that it is given, as any tool does.)",
        check: arrows::purity,
    },
    Rule {
        name: "sizes",
        keeps: "A file has at most 400 lines before its tests. (A function has at most 60, and at most \
                5 arguments: clippy counts those.)",
        check: layout::sizes,
    },
    Rule {
        name: "roots",
        keeps: "The root of a crate is a table of contents: docs, `mod` lines with a remark each, \
                re-exports, a few constants or small functions.",
        check: layout::roots,
    },
    Rule {
        name: "headers",
        keeps: "Every Rust file begins with `//!`: what it owns, what it keeps, what it does not do.",
        check: layout::headers,
    },
    Rule {
        name: "names",
        keeps: "A module is `pool.rs` beside `pool/`, never `pool/mod.rs`, so that tabs have names. \
                (`tests/NAME/mod.rs` is cargo's way to share code between test programs.)",
        check: layout::names,
    },
    Rule {
        name: "share",
        keeps: "The crate `app` is under a quarter of the code: it only joins.",
        check: layout::share,
    },
    Rule {
        name: "marks",
        keeps: "Nothing is put off: no mark for later, no stub, no ignored test.",
        check: words::marks,
    },
    Rule {
        name: "unsafe",
        keeps: "Only `crates/exec/src/sys` is unsafe.",
        check: words::unsafe_code,
    },
    Rule { name: "processes", keeps: "Only `exec` starts processes.", check: words::processes },
    Rule {
        name: "machines",
        keeps: "No file names a folder of somebody's machine.",
        check: words::machines,
    },
    Rule {
        name: "registries",
        keeps: "Where packages come from is the user's setting; no file names a registry's host but \
                the documented default.",
        check: words::registries,
    },
    Rule {
        name: "dependencies",
        keeps: "A dependency is declared once, in the workspace's table, and is used by whoever names \
                it.",
        check: dependencies::declared_and_used,
    },
    Rule {
        name: "links",
        keeps: "A relative link in a document leads to a file.",
        check: documents::links,
    },
    Rule {
        name: "proofs",
        keeps: "In a document with a column of tests, every name of four words and more is that of a \
                test.",
        check: documents::proofs,
    },
    Rule {
        name: "changelog",
        keeps: "`CHANGELOG.md` has a section `Unreleased`.",
        check: documents::changelog,
    },
    Rule {
        name: "generated",
        keeps: "Generated parts of documents are current (`cargo xtask docs` writes them).",
        check: docs::faults,
    },
];

/// Returns all that does not hold, rule by rule.
pub fn faults(repo: &Repo) -> Vec<Fault> {
    RULES.iter().flat_map(|rule| rule.faults(repo)).collect()
}

// === impl Rule ===

impl Rule {
    /// Returns what does not hold of this rule, in the order of paths and lines.
    pub fn faults(&self, repo: &Repo) -> Vec<Fault> {
        let mut found = (self.check)(repo);
        for fault in &mut found {
            fault.rule = self.name;
        }
        found.sort();
        found
    }
}

/// The places of all faults that a rule finds in a planted tree, as `path:line`.
#[cfg(test)]
pub(crate) fn places(check: fn(&Repo) -> Vec<Fault>, files: &[(&str, &str)]) -> Vec<String> {
    let mut found = check(&Repo::of(files));
    found.sort();
    found.iter().map(|fault| format!("{}:{}", fault.path, fault.line)).collect()
}
