//! docs/exit-codes.md and the fixed answers, line by line.

use crate::{fake::Fake, world::World};
use serde_json::json;
use std::process::{Command, Stdio};

/// Runs one tool with these words and compares the exit code; the report has to say the same.
#[track_caller]
fn check(fake: &Fake, args: &[&str], expected: i32) {
    let world = World::with(fake.clone());
    let ran = world.analyze(args);
    ran.exits(expected);
    assert_eq!(ran.report()["verdict"]["exit_code"], expected, "{args:?}");
}

#[test]
fn without_a_threshold_findings_are_no_failure() {
    check(&Fake::clean(), &[], 0);
    check(&Fake::finding("critical"), &[], 0);
    check(&Fake::finding("critical"), &["--fail-on", "none"], 0);
}

#[test]
fn a_threshold_takes_its_own_severity_and_all_above() {
    for (severity, at, expected) in [
        ("critical", "critical", 1),
        ("high", "critical", 0),
        ("high", "high", 1),
        ("medium", "high", 0),
        ("medium", "medium", 1),
        ("low", "medium", 0),
        ("low", "low", 1),
        ("info", "low", 0),
        ("info", "info", 1),
        ("info", "any", 1),
    ] {
        check(&Fake::finding(severity), &["--fail-on", at], expected);
    }
    check(&Fake::clean(), &["--fail-on", "any"], 0);
}

#[test]
fn a_threshold_that_is_none_is_refused() {
    World::new().analyze(&["--fail-on", "bad"]).exits(2).complains(&["bad", "critical"]);
}

/// Every way of a tool not to do its work, with the status that it gets.
fn ways_to_fail() -> Vec<(&'static str, Fake)> {
    vec![
        ("failed", Fake::new(["exit=2"])),
        ("output_invalid", Fake::new(["say=nonsense"])),
        ("timed_out", Fake::new(["hang"]).with("timeout-s", json!(1))),
        ("unavailable", Fake::missing()),
        ("untrusted", Fake::untrusted()),
    ]
}

#[test]
fn a_required_tool_that_did_not_do_its_work_makes_the_analysis_incomplete() {
    for (status, fake) in ways_to_fail() {
        let mut world = World::with(Fake::finding("high"));
        world.tool("other", fake);
        let ran = world.analyze(&["--fail-on", "any"]);
        ran.exits(3);
        assert_eq!(ran.report()["outcome"], "incomplete", "{status}");
        assert_eq!(ran.tool("other")["status"], status);
        assert_eq!(ran.tool("other")["clean"], false);
        assert_eq!(ran.findings(), ["a.py:3 bad-three"], "{status}: the other tool still counts");
    }
}

#[test]
fn a_gap_can_be_forgiven_alone_or_together_with_all_else() {
    let mut world = World::with(Fake::finding("high"));
    world.tool("other", Fake::new(["exit=2"]));
    world.analyze(&["--fail-on", "any", "--allow-incomplete"]).exits(1);
    world.analyze(&["--allow-incomplete"]).exits(0);
    world.analyze(&["--fail-on", "any", "--exit-zero"]).exits(0);
    world.analyze(&["--fail-on", "any", "--exit-zero", "--allow-incomplete"]).exits(0);
}

/// An app that no shipped tool reads, and an own tool of the quick profile that may be missing.
fn with_optional(fake: Fake) -> World {
    let mut world = World::empty();
    world.file("a.bin", b"\0\x01\x02");
    let fake = fake.with("profile", json!("quick")).with("optional", json!("it needs a server"));
    world.tool("fake", fake);
    world.tool("other", Fake::clean().with("profile", json!("quick")));
    world.set("tools", json!([]));
    world.set("profile", json!("quick"));
    world
}

#[test]
fn an_optional_tool_may_be_missing_unless_it_is_asked_for() {
    let world = with_optional(Fake::missing());
    let ran = world.analyze(&[]);
    ran.exits(0);
    assert_eq!(ran.tool("fake")["status"], "unavailable");
    assert_eq!(ran.tool("fake")["required"], false);
    assert!(ran.stdout().contains("fake"), "a gap is shown:\n{}", ran.stdout());
    assert!(ran.stdout().contains("install fake"), "and its mend:\n{}", ran.stdout());
    world.analyze(&["--require-all"]).exits(3);
    world.analyze(&["--tools", "fake,other"]).exits(3);
}

#[test]
fn an_optional_tool_that_is_there_and_fails_is_shown_and_not_required() {
    let world = with_optional(Fake::new(["exit=2"]));
    let ran = world.analyze(&[]);
    ran.exits(0);
    assert_eq!(ran.tool("fake")["status"], "failed");
    assert!(ran.stdout().contains("failed: it exited with code 2"), "{}", ran.stdout());
    world.analyze(&["--require-all"]).exits(3);
}

#[test]
fn an_app_without_a_file_is_nothing_to_analyse() {
    let mut world = World::empty();
    world.tool("fake", Fake::clean());
    let ran = world.analyze(&["--fail-on", "any"]);
    ran.exits(3);
    assert_eq!(ran.report()["outcome"], "nothing_to_analyse");
    assert_eq!(ran.tool("fake")["status"], "no_inputs");
    assert!(ran.stdout().contains("nothing to analyse"), "{}", ran.stdout());
    world.analyze(&["--allow-incomplete"]).exits(0);
    world.analyze(&["--exit-zero"]).exits(0);
}

#[test]
fn one_tool_without_inputs_leaves_the_analysis_complete() {
    let mut world = World::with(Fake::clean());
    world.tool("other", Fake::clean().with("inputs", json!({ "files": ["**/*.none"] })));
    let ran = world.analyze(&[]);
    ran.exits(0);
    assert_eq!(ran.tool("other")["status"], "no_inputs");
    assert_eq!(ran.tool("other")["clean"], false);
    assert_eq!(ran.tool("fake")["clean"], true);
}

#[test]
fn usage_beats_everything_and_leaves_nothing_behind() {
    let world = World::with(Fake::finding("high"));
    for words in [
        &["--no-such-option"][..],
        &["--exit-zero", "--fail-on", "bad"],
        &["--timeout", "soon"],
        &["--profile", "slow"],
        &["--tools", "no-such-tool"],
        &["--kind", "dynamic"],
        &["--kind", "nonsense"],
        &["--jobs", "many"],
        &["--sandbox", "perhaps"],
        &["--format", "pdf"],
        &["--config", "no-such-file.toml"],
        &["--set", "nonsense"],
        &["--set", "no-such-key=1"],
        &["--quiet", "--verbose"],
    ] {
        let ran = world.analyze(words);
        ran.exits(2);
        assert_eq!(ran.stdout(), "", "{words:?}");
        assert!(ran.stderr().contains("error:"), "{words:?}: {}", ran.stderr());
        assert_eq!(ran.results, None, "{words:?}");
    }
}

#[test]
fn an_aliased_kind_and_tool_say_what_they_stand_for() {
    let world = World::with(Fake::finding("high"));
    for kind in ["static", "security", "comprehensive", "static,security"] {
        let ran = world.analyze(&["--kind", kind]);
        ran.exits(0);
        assert_eq!(ran.findings().len(), 1, "{kind}");
    }
}

/// Runs a command where no namespace can be made: in one of our own, without the right to.
fn where_nothing_is_allowed(command: &mut Command) -> Command {
    let mut poor = Command::new("unshare");
    let script = "echo 0 > /proc/sys/user/max_user_namespaces; \
                  exec setpriv --bounding-set=-sys_admin --inh-caps=-all \"$@\"";
    poor.args(["-Ur", "bash", "-c", script, "poor"]).arg(command.get_program());
    poor.args(command.get_args()).env_clear();
    poor.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    poor.current_dir(command.get_current_dir().unwrap()).stdin(Stdio::null());
    poor
}

#[test]
fn a_machine_without_namespaces_says_so_and_strict_refuses_it() {
    let can = Command::new("unshare").args(["-Ur", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("ASSAY_TEST_REQUIRE_ALL").is_none(), "no user namespace here");
        eprintln!("skipped: no user namespace can be made here");
        return;
    }
    let world = World::with(Fake::finding("high"));
    let strict =
        world.run(&mut where_nothing_is_allowed(&mut world.analysis(&["--sandbox", "strict"])));
    strict.exits(2);
    assert!(
        strict.stderr().contains("does not allow the whole sandbox: files ("),
        "{}",
        strict.stderr()
    );
    assert_eq!(strict.results, None);
    let auto = world.run(&mut where_nothing_is_allowed(&mut world.analysis(&[])));
    auto.exits(0);
    assert_eq!(auto.findings(), ["a.py:3 bad-three"], "what is left still works");
    let held = auto.report()["environment"]["isolation"].to_string();
    assert!(held.contains("processes: a subreaper") && !held.contains("files: "), "{held}");
}
