//! Without Python, without Node, without the network: what can run does, the rest is told.

use crate::{fake::Fake, world::World};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;

/// An app for tools of Python and of Node, and one own tool.
fn world() -> World {
    let mut world = World::new();
    world.file("index.js", "eval(location.hash)\n");
    world.tool("fake", Fake::finding("high"));
    world.set("tools", json!(["fake", "ruff", "oxlint"]));
    world
}

/// Every tool that did not do its work says why and what mends it, in one line each.
#[track_caller]
fn told(report: &Value, shown: &str, ids: &[&str]) {
    for id in ids {
        let tool = crate::world::tool(report, id);
        assert_eq!(tool["status"], "unavailable", "{tool}");
        assert_eq!(tool["clean"], false);
        for key in ["reason", "mend"] {
            let words = tool[key].as_str().unwrap_or_else(|| panic!("no {key}: {tool}"));
            assert!(!words.is_empty() && !words.contains('\n'), "{key} of {id}: {words}");
        }
        assert!(shown.contains(id), "{id} is not shown:\n{shown}");
    }
    assert!(shown.contains("mend:"), "{shown}");
}

#[test]
fn without_python_and_node_the_rest_still_runs() {
    let world = world();
    let bin = world.at("bin");
    std::fs::create_dir(&bin).unwrap();
    symlink("/bin/sh", bin.join("sh")).unwrap();
    let mut command = world.analysis(&[]);
    let ran = world.run(command.env("PATH", &bin));
    ran.exits(3);
    assert_eq!(ran.findings(), ["a.py:3 bad-three"]);
    assert_eq!(ran.tool("fake")["status"], "ok");
    let report = ran.report();
    told(&report, &ran.stdout(), &["ruff", "oxlint"]);
    let reason = |id: &str| ran.tool(id)["reason"].as_str().unwrap().to_lowercase();
    assert!(reason("ruff").contains("python"), "{}", reason("ruff"));
    assert!(
        reason("oxlint").contains("node") || reason("oxlint").contains("npm"),
        "{}",
        reason("oxlint")
    );
    // With no PATH at all it is the same, and no panic.
    let mut command = world.analysis(&[]);
    let ran = world.run(command.env_remove("PATH"));
    ran.exits(3);
    assert_eq!(ran.tool("fake")["status"], "ok");
}

#[test]
fn offline_with_an_empty_cache_tools_are_unavailable_and_the_mend_is_a_command() {
    let world = world();
    let ran = world.analyze(&["--offline"]);
    ran.exits(3);
    told(&ran.report(), &ran.stdout(), &["ruff", "oxlint"]);
    assert!(ran.tool("ruff")["mend"].as_str().unwrap().contains("assay "), "{}", ran.tool("ruff"));
    assert_eq!(ran.findings(), ["a.py:3 bad-three"]);
    for switch in [("ASSAY_OFFLINE", "1"), ("ASSAY_OFFLINE", "true")] {
        let mut command = world.analysis(&[]);
        world.run(command.env(switch.0, switch.1)).exits(3);
    }
}

#[test]
fn offline_a_tool_that_needs_the_network_is_not_started() {
    let mut world = World::new();
    world.without_a_cage();
    let note = format!("pid-file={}", world.at("pids").display());
    let fake = Fake::new([note.as_str(), "exit=0"]).with("network", json!(true));
    world.tool("fake", fake);
    let ran = world.analyze(&["--offline"]);
    ran.exits(3);
    told(&ran.report(), &ran.stdout(), &["fake"]);
    assert!(!world.at("pids").exists(), "it was started");
    world.analyze(&[]).exits(0);
}

#[test]
fn a_cache_that_cannot_be_written_is_said_in_words() {
    let world = world();
    for cache in ["/dev/null", "/proc/none"] {
        let mut command = world.analysis(&["--offline"]);
        let ran = world.run(command.env("ASSAY_CACHE", cache));
        assert!(matches!(ran.code(), Some(2 | 3)), "{cache}: {:?}", ran.output);
        assert!(!ran.stderr().contains("panicked"), "{}", ran.stderr());
        if ran.code() == Some(3) {
            told(&ran.report(), &ran.stdout(), &["ruff", "oxlint"]);
        }
    }
    let mut command = world.analysis(&["--offline"]);
    let ran = world.run(command.env_remove("ASSAY_CACHE").env_remove("HOME"));
    ran.exits(2).complains(&["XDG_CACHE_HOME", "hint:"]);
}

#[test]
fn tools_are_listed_and_checked_without_any_being_installed() {
    let world = world();
    let ran = world.says(&["tools", "list", "--json"]);
    ran.exits(0);
    let tools: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let state = |id: &str| {
        let tool = tools.as_array().unwrap().iter().find(|tool| tool["tool"] == id);
        tool.unwrap_or_else(|| panic!("no {id}"))["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state("fake"), "installed");
    assert_eq!(state("ruff"), "not installed");
    let ran = world.says(&["tools", "list"]);
    assert!(ran.stdout().lines().count() > 20, "{}", ran.stdout());
    assert!(ran.stdout().contains("ruff") && ran.stdout().contains("fake"));
    let ran = world.says(&["tools", "check", "--offline", "ruff", "--json"]);
    ran.exits(3);
    let checked: Value = serde_json::from_str(&ran.stdout()).unwrap();
    assert_eq!(checked["tools"][0]["state"], "unavailable");
    world.says(&["tools", "install", "--offline", "ruff"]).exits(3);
    world
        .says(&["tools", "install", "no-such-tool"])
        .exits(2)
        .complains(&["no-such-tool", "hint:"]);
    world.says(&["tools", "check", "ruf"]).exits(2).complains(&["ruff"]);
    world.says(&["tools", "prune"]).exits(0);
}

#[test]
fn an_own_tool_that_is_declared_wrongly_is_refused_with_every_fault() {
    let mut world = World::new();
    world.tool("fake", Fake::clean().with("title", json!("")).with("inputs", json!({})));
    let ran = world.analyze(&[]);
    ran.exits(2).complains(&["fake", "title", "inputs"]);
    world.tool("fake", Fake::clean().with("output.map.pattern", json!("(")));
    world.analyze(&[]).exits(2).complains(&["output.map.pattern"]);
    world.tool("fake", Fake::clean().with("run.arg", json!([])));
    world.analyze(&[]).exits(2).complains(&["arg"]);
    // A name of ours cannot be taken.
    let mut world = World::new();
    world.tool("ruff", Fake::clean());
    world.analyze(&[]).exits(2).complains(&["ruff"]);
}
