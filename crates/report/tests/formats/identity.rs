//! A fingerprint belongs to a defect, not to a place.

use crate::sample::{Files, seen};
use assay_model::{Kind, Observation};
use assay_report::fingerprint;
use proptest::prelude::*;

/// A program in pieces: the function with the defect, and what stands around it.
const BEFORE: &[&str] = &["import os", "", "def other(a):", "    b = a", "    return b", ""];
const DEFECT: &[&str] = &["def target(x):", "    if x:", "        eval(x)", "    return x"];
const AFTER: &[&str] = &["", "class Later:", "    def method(self):", "        eval(self)"];

fn identity_at(path: &str, text: &str, line: usize, defect: &str) -> String {
    let line = u32::try_from(line).unwrap();
    let files = Files::of(&[(path, text)]);
    fingerprint(&seen("bandit", "B307", defect, (path, line)), &files).to_string()
}

/// The identity of the finding at the one line that holds `mark`.
fn identity_of(text: &str, mark: &str) -> String {
    let line = text.lines().position(|line| line.contains(mark)).unwrap() + 1;
    identity_at("app.py", text, line, "code-injection")
}

fn program(before: &[String], after: &[String]) -> String {
    let defect = DEFECT.iter().map(|line| (*line).to_owned());
    before.iter().cloned().chain(defect).chain(after.iter().cloned()).collect::<Vec<_>>().join("\n")
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn original() -> String {
    identity_of(&program(&owned(BEFORE), &owned(AFTER)), "eval(x)")
}

prop_compose! {
    /// A line of another definition or statement at the top level, or a blank or comment.
    fn inserted()(
        text in prop::sample::select(vec![
            "", "# a comment", "value = compute(1)", "import sys", "def new():\n    return 1",
            "class New:\n    pass", "if flag:\n    run()",
        ])
    ) -> String {
        text.to_owned()
    }
}

proptest! {
    #[test]
    fn lines_inserted_elsewhere_change_nothing(
        before in prop::collection::vec((0..=BEFORE.len(), inserted()), 0..8),
        after in prop::collection::vec(inserted(), 0..8),
    ) {
        let mut head = owned(BEFORE);
        for (at, text) in before {
            // Only at the top level: a line of no indentation inside a function would end it.
            let at = if (3..=4).contains(&at) { 2 } else { at.min(head.len()) };
            head.insert(at, text);
        }
        let mut tail = after;
        tail.extend(owned(AFTER));
        prop_assert_eq!(identity_of(&program(&head, &tail), "eval(x)"), original());
    }

    #[test]
    fn other_code_may_be_indented_anew(width in 1_usize..9, tabs in any::<bool>()) {
        let unit = if tabs { "\t".repeat(width) } else { " ".repeat(width) };
        let anew = |lines: &[&str]| -> Vec<String> {
            lines.iter().map(|line| {
                let depth = (line.len() - line.trim_start().len()) / 4;
                format!("{}{}", unit.repeat(depth), line.trim_start())
            }).collect()
        };
        let text = program(&anew(BEFORE), &anew(AFTER));
        prop_assert_eq!(identity_of(&text, "eval(x)"), original());
        // And the defect's own function, as a formatter does it.
        let whole = anew(&[BEFORE, DEFECT, AFTER].concat()).join("\r\n");
        prop_assert_eq!(identity_of(&whole, "eval(x)"), original());
    }

    #[test]
    fn a_renamed_file_keeps_its_findings(name in "[a-z]{1,8}(/[a-zäö ]{1,8}){0,3}\\.py") {
        let text = program(&owned(BEFORE), &owned(AFTER));
        let line = text.lines().position(|line| line.contains("eval(x)")).unwrap() + 1;
        prop_assert_eq!(identity_at(&name, &text, line, "code-injection"), original());
    }

    #[test]
    fn any_two_texts_of_a_line_differ(one in "[a-z]{1,12}", other in "[a-z]{1,12}") {
        prop_assume!(one != other);
        let of = |name: &str| identity_of(&format!("def f():\n    run({name})\n"), "run(");
        prop_assert_ne!(of(&one), of(&other));
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,200}|[ \t\r\n(){}\"'#=:\\\\@]{0,200}", line in 0_u32..9) {
        let files = Files::of(&[("a.js", &text)]);
        let mut one = seen("x", "r", "d", ("a.js", 1));
        one.location.as_mut().unwrap().region = assay_model::Region::checked(Some(line), None, None, None);
        for kind in Kind::ALL {
            one.kind = *kind;
            prop_assert_eq!(fingerprint(&one, &files).as_str().len(), 32);
        }
    }
}

#[test]
fn a_wrapping_block_or_a_comment_changes_nothing() {
    let wrapped =
        "def target(x):\n    while True:\n        if x:\n            eval( x )  # nosec\n";
    assert_eq!(identity_of(wrapped, "eval("), original());
}

#[test]
fn different_defects_differ() {
    let text = program(&owned(BEFORE), &owned(AFTER));
    let line = text.lines().position(|line| line.contains("eval(x)")).unwrap() + 1;
    assert_ne!(identity_at("app.py", &text, line, "xss"), original(), "another class");
    assert_ne!(identity_of(&text, "eval(self)"), original(), "another function");
    assert_ne!(identity_of("def elsewhere(x):\n    eval(x)\n", "eval(x)"), original());
}

#[test]
fn the_tool_is_no_part_of_a_shared_class() {
    let files = Files::of(&[("a.py", "eval(x)\n")]);
    let of = |tool: &str, rule: &str| {
        fingerprint(&seen(tool, rule, "code-injection", ("a.py", 1)), &files)
    };
    assert_eq!(of("bandit", "B307"), of("ruff", "S307"));
}

#[test]
fn a_new_value_of_a_secret_is_the_same_secret() {
    let of = |line: &str| {
        let files = Files::of(&[("a.py", line)]);
        let mut one = seen("detect-secrets", "Keyword", "hardcoded-secret", ("a.py", 1));
        one.kind = Kind::Secret;
        fingerprint(&one, &files)
    };
    assert_eq!(of("PASSWORD = 'hunter2'\n"), of("PASSWORD = 'correct horse'\n"));
    assert_ne!(of("PASSWORD = 'hunter2'\n"), of("API_KEY = 'hunter2'\n"));
}

#[test]
fn a_password_is_not_hashed_whoever_reports_its_line() {
    let of = |line: &str| {
        let files = Files::of(&[("a.py", line)]);
        fingerprint(&seen("ruff", "E501", "ruff:E501", ("a.py", 1)), &files)
    };
    assert_eq!(of("login(password='hunter2')\n"), of("login(password='other')\n"));
}

#[test]
fn a_measure_belongs_to_its_function_whatever_its_signature() {
    let of = |text: &str, line| {
        let files = Files::of(&[("a.py", text)]);
        let mut one = seen("radon", "C", "radon:C", ("a.py", line));
        one.kind = Kind::Complexity;
        one.message = format!("complexity {}", text.len());
        fingerprint(&one, &files)
    };
    assert_eq!(of("def f(a):\n    pass\n", 1), of("@x\nasync def f(a, b,\n  c):\n    pass\n", 2));
    assert_ne!(of("def f(a):\n    pass\n", 1), of("def g(a):\n    pass\n", 1));
}

#[test]
fn an_advisory_belongs_to_its_package() {
    let of = |line: &str, rule: &str| {
        let files = Files::of(&[("requirements.txt", line)]);
        let mut one = seen("pip-audit", rule, "vulnerable-dependency", ("requirements.txt", 1));
        one.kind = Kind::Dependency;
        fingerprint(&one, &files)
    };
    assert_eq!(of("Flask==0.12\n", "CVE-1-1"), of("flask == 0.13 # why\n", "CVE-1-1"));
    assert_ne!(of("Flask==0.12\n", "CVE-1-1"), of("Flask==0.12\n", "CVE-1-2"));
    assert_ne!(of("Flask==0.12\n", "CVE-1-1"), of("Django==0.12\n", "CVE-1-1"));
}

#[test]
fn a_finding_of_a_whole_file_ignores_numbers_and_names() {
    let of = |path: &str, message: &str| {
        let mut one: Observation = seen("pylint", "C0302", "pylint:C0302", (path, 1));
        one.location.as_mut().unwrap().region = None;
        one.message = message.to_owned();
        fingerprint(&one, &Files::default())
    };
    assert_eq!(
        of("a/b.py", "b.py: too many lines in /tmp/x/a/b.py (1203/1000)"),
        of("c.py", "c.py: too many lines in /home/me/c.py (1500/1000)")
    );
    assert_ne!(of("a.py", "too many lines"), of("a.py", "too many names"));
}

/// Version 1 of the recipe. If this fails, every baseline in the world is void: give the recipe a
/// new number and say so in `docs/identity.md`.
#[test]
fn the_recipe_is_the_published_one() {
    insta::assert_snapshot!(original(), @"b794abc13c648d3656ab10f89974797c");
}
