//! What the user decided about findings: ignored, of another severity, dropped, suppressed.

use crate::{fake::Fake, world::World};
use serde_json::{Value, json};

/// Two findings of one tool: `bad-three` of severity high, `bad-five` of severity low.
fn world() -> World {
    World::with(Fake::new([
        "say=a.py:3: high bad-three: three is bad",
        "say=a.py:5: low bad-five: five is bad",
        "exit=1",
    ]))
}

fn suppressions(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| !finding["suppression"].is_null())
        .map(|finding| format!("{} {}", finding["rule"].as_str().unwrap(), finding["suppression"]))
        .collect()
}

#[test]
fn an_ignored_finding_is_shown_apart_and_does_not_count() {
    let mut world = world();
    for (rule, path) in
        [("fake:bad-three", None), ("bad-three", Some("a.*")), ("fake:*", Some("a.py"))]
    {
        let mut entry = json!({ "rule": rule, "reason": "we live with it" });
        if let Some(path) = path {
            entry["path"] = json!(path);
        }
        world.set("ignore", json!([entry]));
        let ran = world.analyze(&["--fail-on", "high"]);
        ran.exits(0);
        let report = ran.report();
        assert_eq!(report["findings"].as_array().unwrap().len(), 2, "none is lost");
        let shown = suppressions(&report);
        assert!(shown[0].contains("we live with it"), "{shown:?}");
        assert_eq!(report["counts"]["suppressed"], shown.len() as u64);
        assert!(ran.stdout().contains("suppressed"), "{}", ran.stdout());
    }
    world.set(
        "ignore",
        json!([{ "rule": "fake:bad-three", "path": "b/**", "reason": "elsewhere" }]),
    );
    let ran = world.analyze(&["--fail-on", "high"]);
    ran.exits(1);
    assert_eq!(ran.report()["ignores"][0]["matched"], 0);
}

#[test]
fn an_ignore_entry_that_has_expired_ignores_nothing_and_is_reported() {
    let mut world = world();
    let entry = |until: &str| json!([{ "rule": "bad-three", "reason": "for now", "until": until }]);
    world.set("ignore", entry("2999-12-31"));
    world.analyze(&["--fail-on", "high"]).exits(0);
    world.set("ignore", entry("2020-01-31"));
    let ran = world.analyze(&["--fail-on", "high"]);
    ran.exits(1);
    assert_eq!(ran.report()["ignores"][0]["expired"], true);
    assert!(ran.stdout().contains("expired"), "{}", ran.stdout());
    world.set("ignore", entry("2020-02-31"));
    world.analyze(&[]).exits(2).complains(&["until", "2020-02-31"]);
    world.set("ignore", json!([{ "rule": "bad-three" }]));
    world.analyze(&[]).exits(2).complains(&["reason"]);
}

#[test]
fn severities_of_the_users_own_decide_the_threshold() {
    let mut world = world();
    for rule in ["fake:bad-three", "bad-three", "fake:*"] {
        world.set("severity", json!({ rule: "info" }));
        let ran = world.analyze(&["--fail-on", "high"]);
        ran.exits(0);
        let report = ran.report();
        let findings = report["findings"].as_array().unwrap();
        let three = findings.iter().find(|f| f["rule"] == "bad-three").unwrap();
        assert_eq!(three["severity"], "info", "{rule}");
    }
    world.set("severity", json!({}));
    world.set("settings", json!({ "fake": { "severity": { "bad-five": "critical" } } }));
    world.analyze(&["--fail-on", "critical"]).exits(1);
    world.set("settings", json!({ "fake": { "severity": { "bad-five": "terrible" } } }));
    world.analyze(&[]).exits(2).complains(&["terrible"]);
}

#[test]
fn rules_that_nobody_wants_to_hear_of_are_dropped_and_that_is_noted() {
    let mut world = world();
    world.set("settings", json!({ "fake": { "ignore-rules": ["bad-t*"] } }));
    let ran = world.analyze(&["--fail-on", "high"]);
    ran.exits(0);
    assert_eq!(ran.findings(), ["a.py:5 bad-five"]);
    let tool = ran.tool("fake");
    assert!(tool["notes"].to_string().contains("1 finding"), "{tool}");
    // Nothing that was dropped makes a tool clean.
    world.set("settings", json!({ "fake": { "ignore-rules": ["*"] } }));
    let ran = world.analyze(&[]);
    assert_eq!(ran.findings(), Vec::<String>::new());
    assert_eq!(ran.tool("fake")["clean"], false);
}

#[test]
fn a_comment_in_the_source_suppresses_and_can_be_ignored() {
    let mut world = World::empty();
    world.file("a.py", "one\ntwo\nthree # nofake\nfour\nfive # nofake: other\n");
    let fake = Fake::new([
        "say=a.py:3: high bad-three: three is bad",
        "say=a.py:5: high bad-five: five is bad",
        "exit=1",
    ]);
    let comments = json!([r"# nofake(: (?P<rules>[\w, -]+))?$"]);
    world.tool("fake", fake.with("suppressed-by", comments));
    let ran = world.analyze(&["--fail-on", "high"]);
    ran.exits(1);
    let shown = suppressions(&ran.report());
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0].starts_with("bad-three"), "a comment about another rule is none: {shown:?}");
    assert_eq!(ran.report()["verdict"]["at_or_above"], 1);
    let ran = world.analyze(&["--fail-on", "high", "--ignore-suppressions"]);
    ran.exits(1);
    assert_eq!(ran.report()["verdict"]["at_or_above"], 2);
    assert_eq!(suppressions(&ran.report()), Vec::<String>::new());
    // In SARIF both sides stay visible.
    let ran = world.analyze(&["--format", "sarif"]);
    let log: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let marked =
        results.iter().filter(|r| r["suppressions"].as_array().is_some_and(|s| !s.is_empty()));
    assert_eq!((results.len(), marked.count()), (2, 1));
}

#[test]
fn a_tool_whose_findings_are_all_suppressed_is_not_clean() {
    let mut world = World::empty();
    world.file("a.py", "one\ntwo\nthree # nofake\n");
    let fake = Fake::finding("high").with("suppressed-by", json!(["# nofake"]));
    world.tool("fake", fake);
    let ran = world.analyze(&["--fail-on", "any"]);
    ran.exits(0);
    assert_eq!(ran.tool("fake")["clean"], false);
    assert_eq!(ran.report()["counts"]["total"], 0);
}

#[test]
fn a_setting_of_a_tool_becomes_its_arguments_and_an_unknown_one_is_refused() {
    let mut world = World::new();
    let option =
        json!({ "words": { "summary": "What to say", "args": ["say=a.py:1: low said: {value}"] } });
    world.tool("fake", Fake::new(["exit=1"]).with("options", option).with("run.args", json!([])));
    world.set("settings", json!({ "fake": { "options": { "words": "hello" } } }));
    let ran = world.analyze(&[]);
    assert!(ran.tool("fake")["notes"].to_string().contains("words"), "{}", ran.tool("fake"));
    assert!(ran.tool("fake")["commands"].to_string().contains("hello"), "{}", ran.tool("fake"));
    world.set("settings", json!({ "fake": { "options": { "word": "hello" } } }));
    world.analyze(&[]).exits(2).complains(&["word", "words"]);
    world.set("settings", json!({ "fakes": { "enabled": true } }));
    world.analyze(&[]).exits(2).complains(&["fakes", "fake"]);
}
