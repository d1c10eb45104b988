//! What a person reads: help, errors, summaries. Times, paths and ids are redacted.

use crate::{fake::Fake, world::World};
use regex::Regex;
use serde_json::json;

/// Takes out what differs from run to run and from machine to machine.
fn redacted(world: &World, text: &str) -> String {
    let mut text = text.replace(&world.at("").display().to_string(), "[ROOT]/");
    for (pattern, with) in [
        (r"\b[0-9]{8}-[0-9]{6}-[0-9a-f]{6}\b", "[TASK]"),
        (r"\bin [0-9.]+s\b", "in [TIME]"),
        (r"assay [0-9]+\.[0-9]+\.[0-9]+", "assay [VERSION]"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
    }
    text
}

macro_rules! said {
    ($name:expr, $world:expr, $args:expr) => {
        let ran = $world.says($args);
        let text = format!(
            "$ assay {}\nexit {}\n--- stdout\n{}--- stderr\n{}",
            $args.join(" "),
            ran.code().unwrap(),
            ran.stdout(),
            ran.stderr()
        );
        insta::assert_snapshot!($name, redacted(&$world, &text));
    };
}

#[test]
fn every_command_explains_itself() {
    let world = World::new();
    for (name, words) in [
        ("help", &["--help"][..]),
        ("help_analyze", &["analyze", "--help"]),
        ("help_batch", &["batch", "--help"]),
        ("help_results", &["results", "--help"]),
        ("help_results_export", &["results", "export", "--help"]),
        ("help_tasks", &["tasks", "--help"]),
        ("help_serve", &["serve", "--help"]),
        ("help_service", &["service", "--help"]),
        ("help_start", &["start", "--help"]),
        ("help_logs", &["logs", "--help"]),
        ("help_status", &["status", "--help"]),
        ("help_test", &["test", "--help"]),
        ("help_watch", &["watch", "--help"]),
        ("help_cancel", &["cancel", "--help"]),
        ("help_tools", &["tools", "--help"]),
        ("help_config", &["config", "--help"]),
        ("version", &["--version"]),
    ] {
        said!(name, world, words);
    }
}

#[test]
fn errors_say_what_why_and_what_to_do() {
    let world = World::with(Fake::clean());
    for (name, words) in [
        ("no_command", &[][..]),
        ("unknown_command", &["analyse", "."]),
        ("unknown_option", &["analyze", ".", "--fail-in", "high"]),
        ("no_app", &["analyze"]),
        ("missing_app", &["analyze", "no-such-app"]),
        ("missing_model_app", &["analyze", "no-model", "1"]),
        ("bad_threshold", &["analyze", ".", "--fail-on", "bad"]),
        ("bad_timeout", &["analyze", ".", "--timeout", "soon"]),
        ("bad_profile", &["analyze", ".", "--profile", "fast"]),
        ("bad_tool", &["analyze", ".", "--tools", "fak,rufff"]),
        ("old_tool_name", &["analyze", ".", "--tools", "flake9"]),
        ("bad_kind", &["analyze", ".", "--kind", "dynamic"]),
        ("bad_format", &["analyze", ".", "--format", "pdf"]),
        ("two_formats", &["analyze", ".", "--format", "json", "--format", "csv"]),
        ("bad_set", &["analyze", ".", "--set", "fail-onn=high"]),
        ("missing_config", &["config", "check", "--config", "none.toml"]),
        ("missing_result", &["results", "show", "2020"]),
    ] {
        said!(name, world, words);
    }
}

/// Progress depends on which tool is quicker, so only the summary is compared.
#[track_caller]
fn summary(name: &str, world: &World, args: &[&str]) {
    let ran = world.analyze(args);
    let shown = format!("exit {}\n{}", ran.code().unwrap(), ran.stdout());
    insta::assert_snapshot!(name, redacted(world, &shown));
}

#[test]
fn a_summary_tells_findings_gaps_mends_and_where_the_reports_are() {
    let mut world = World::with(Fake::clean());
    summary("summary_clean", &world, &[]);
    world.tool("fake", Fake::finding("critical"));
    summary("summary_findings", &world, &["--fail-on", "high"]);
    world.tool("gone", Fake::missing());
    world.tool("breaks", Fake::new(["complain=no rules", "exit=2"]));
    world.tool("lies", Fake::new(["say=all is well"]));
    world.tool("blind", Fake::untrusted());
    world.tool("idle", Fake::clean().with("inputs", json!({ "files": ["*.none"] })));
    world.set(
        "ignore",
        json!([
            { "rule": "bad-three", "reason": "known", "until": "2020-01-31" },
            { "rule": "none", "reason": "matches nothing" },
        ]),
    );
    world.file("b.min.js", "x");
    summary("summary_gaps", &world, &["--fail-on", "high"]);
    let empty = World::empty();
    summary("summary_nothing", &empty, &["--offline", "--profile", "quick"]);
}

#[test]
fn completions_and_the_manual_are_complete() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = world.says(&["completions", shell]);
        ran.exits(0);
        assert!(ran.stdout().contains("analyze") && ran.stdout().contains("fail-on"), "{shell}");
    }
    world.says(&["completions", "csh"]).exits(2).complains(&["csh"]);
    let page = world.says(&["man"]);
    page.exits(0);
    for word in ["analyze", "batch", "fail\\-on", "results", "tools", "config", "completions"] {
        assert!(page.stdout().contains(word), "{word} is not in the manual");
    }
    assert!(!page.stdout().contains("__native"), "what is hidden stays so");
}
