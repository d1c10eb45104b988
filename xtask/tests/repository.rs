//! The rules hold of this repository: the same checks as `cargo xtask tidy`, one test for each rule.

use xtask::{Repo, tidy};

#[track_caller]
fn check(rule: &str) {
    let rule = tidy::RULES.iter().find(|known| known.name == rule).expect("the rule exists");
    let repo = Repo::here().expect("git lists the files");
    let faults: Vec<String> = rule.faults(&repo).iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{}\n\n{}", rule.keeps, faults.join("\n"));
}

macro_rules! rules {
    ($($test:ident: $rule:literal,)*) => {
        /// Every rule that a test below checks.
        const CHECKED: &[&str] = &[$($rule),*];
        $(#[test] fn $test() { check($rule); })*
    };
}

rules! {
    every_crate_knows_the_model_and_only_the_binary_knows_all: "arrows",
    pure_crates_do_not_touch_the_world: "purity",
    no_file_is_too_long: "sizes",
    the_root_of_a_crate_is_a_table_of_contents: "roots",
    every_rust_file_says_what_it_is: "headers",
    every_module_has_a_name: "names",
    the_binary_only_joins: "share",
    nothing_is_put_off: "marks",
    only_the_room_of_the_system_is_unsafe: "unsafe",
    only_exec_starts_processes: "processes",
    no_file_names_a_folder_of_a_machine: "machines",
    no_file_names_a_registry: "registries",
    dependencies_are_declared_once_and_used: "dependencies",
    links_lead_to_files: "links",
    tests_that_documents_name_exist: "proofs",
    the_change_log_is_open: "changelog",
    generated_parts_are_current: "generated",
}

#[test]
fn every_rule_has_a_test_here() {
    let rules: Vec<&str> = tidy::RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(rules, CHECKED);
}
