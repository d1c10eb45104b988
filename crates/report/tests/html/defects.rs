//! The defects of which the sample report is made.

use assay_model::{Kind, Severity};
use {Kind as K, Severity as S};

pub(crate) struct Defect {
    pub(crate) severity: Severity,
    pub(crate) kind: Kind,
    pub(crate) tools: &'static [(&'static str, &'static str)],
    pub(crate) cwe: &'static [u32],
    pub(crate) message: &'static str,
    pub(crate) line: &'static str,
    pub(crate) mark: &'static str,
    pub(crate) fix: Option<&'static str>,
}

const fn defect(
    severity: Severity,
    kind: Kind,
    tools: &'static [(&'static str, &'static str)],
    message: &'static str,
    [line, mark]: [&'static str; 2],
) -> Defect {
    Defect { severity, kind, tools, cwe: &[], message, line, mark, fix: None }
}

pub(crate) const DEFECTS: &[Defect] = &[
    Defect {
        cwe: &[89],
        fix: Some("Pass the values as parameters: cursor.execute(sql, (name,))"),
        ..defect(
            S::Critical,
            K::Security,
            &[("semgrep", "python.sql-injection"), ("bandit", "B608"), ("ruff", "S608")],
            "SQL is put together from a request parameter. Whoever sends the request decides what the database does.",
            [
                "    rows = db.execute(f\"select * from notes where owner = '{name}'\")",
                "f\"select * from notes where owner = '{name}'\"",
            ],
        )
    },
    Defect {
        cwe: &[78],
        ..defect(
            S::Critical,
            K::Security,
            &[("bandit", "B602"), ("semgrep", "python.shell-injection")],
            "subprocess call with shell=True and text from outside",
            ["    subprocess.run(\"convert \" + path, shell=True)", "shell=True"],
        )
    },
    Defect {
        cwe: &[798],
        ..defect(
            S::High,
            K::Secret,
            &[("detect-secrets", "AWSKeyDetector"), ("secretlint", "aws")],
            "An AWS access key stands in the source",
            ["AWS_KEY = \"***\"", "\"***\""],
        )
    },
    Defect {
        cwe: &[79],
        ..defect(
            S::High,
            K::Security,
            &[("eslint", "no-unsanitized/property"), ("semgrep", "js.dom-xss")],
            "Unsafe assignment to innerHTML",
            ["  box.innerHTML = note.text;", "box.innerHTML"],
        )
    },
    Defect {
        cwe: &[1395],
        fix: Some("Update flask to 3.0.3"),
        ..defect(
            S::High,
            K::Dependency,
            &[("pip-audit", "CVE-2023-30861"), ("safety-db", "55261")],
            "flask 2.0.1 has a known vulnerability: a session cookie may be cached and sent to other clients",
            ["flask==2.0.1", "flask==2.0.1"],
        )
    },
    defect(
        S::Medium,
        K::Types,
        &[("mypy", "union-attr"), ("ty", "possibly-missing-attribute")],
        "Item \"None\" of \"Match[str] | None\" has no attribute \"group\"",
        ["    return found.group(1)", "group"],
    ),
    defect(
        S::Medium,
        K::Correctness,
        &[("ruff", "B006"), ("pylint", "W0102")],
        "Mutable data structure as the default of an argument",
        ["def add(note, tags=[]):", "[]"],
    ),
    defect(
        S::Medium,
        K::Accessibility,
        &[("html-validate", "wcag/h37")],
        "<img> must have an alt attribute",
        ["  <img src=\"logo.png\">", "<img src=\"logo.png\">"],
    ),
    defect(
        S::Medium,
        K::Security,
        &[("hadolint", "DL3002")],
        "Last USER should not be root",
        ["USER root", "USER root"],
    ),
    defect(
        S::Low,
        K::Complexity,
        &[("radon", "C901"), ("lizard", "CCN"), ("complexipy", "complexity")],
        "render_all has a cyclomatic complexity of 23",
        ["def render_all(items, mode, user, flags):", "render_all"],
    ),
    defect(
        S::Low,
        K::DeadCode,
        &[("vulture", "unused-function")],
        "unused function 'old_export'",
        ["def old_export():", "old_export"],
    ),
    defect(
        S::Low,
        K::Duplication,
        &[("jscpd", "clone")],
        "24 lines are the same as in static/edit.js",
        ["function load(id) {", ""],
    ),
    defect(
        S::Info,
        K::Style,
        &[("ruff", "F401")],
        "`os` imported but unused",
        ["import os, re", "os"],
    ),
    defect(
        S::Info,
        K::Spelling,
        &[("typos", "typo")],
        "`recieve` should be `receive`",
        ["# recieve the upload", "recieve"],
    ),
];
