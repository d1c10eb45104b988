//! `assay config`, and where values come from.

use crate::{fake::Fake, world::World};
use serde_json::{Value, json};
use std::fs;

/// Where a setting came from, as `config show` tells it.
#[track_caller]
fn origin(shown: &str, key: &str) -> (Value, String) {
    let rows: Vec<Value> = serde_json::from_str(shown).unwrap();
    let row = rows.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("no {key}"));
    (row["value"].clone(), row["origin"].as_str().unwrap().to_owned())
}

#[test]
fn a_value_comes_from_the_flag_then_the_environment_then_the_files() {
    let mut world = World::new();
    let show = |world: &World, args: &[&str], variable: Option<&str>| {
        let mut command = world.assay([&["config", "show", "--json"], args].concat());
        command.envs(variable.map(|value| ("ASSAY_FAIL_ON", value)));
        let ran = world.run(&mut command);
        ran.exits(0);
        origin(&ran.stdout(), "fail-on")
    };
    let (value, from) = show(&world, &[], None);
    assert_eq!((value, from.as_str()), (json!("none"), "built in"));
    let user = world.at("home/.config/assay");
    fs::create_dir_all(&user).unwrap();
    fs::write(user.join("assay.toml"), "fail-on = 'low'\n").unwrap();
    let (value, from) = show(&world, &[], None);
    assert_eq!(value, "low");
    assert!(from.contains(".config/assay/assay.toml"), "{from}");
    world.set("fail-on", json!("medium"));
    let (value, from) = show(&world, &[], None);
    assert_eq!(value, "medium");
    assert!(from.contains("assay.toml") && !from.contains(".config"), "{from}");
    let (value, from) = show(&world, &[], Some("high"));
    assert_eq!(value, "high");
    assert!(from.contains("ASSAY_FAIL_ON"), "{from}");
    let (value, from) = show(&world, &["--set", "fail-on=critical"], Some("high"));
    assert_eq!(value, "critical");
    assert!(from.contains("--set"), "{from}");
    let table = world.says(&["config", "show"]).stdout();
    assert!(table.contains("fail-on") && table.contains("medium"), "{table}");
}

#[test]
fn what_is_wrong_is_told_at_once_with_the_nearest_word_that_is_right() {
    let mut world = World::new();
    world.set("fail-onn", json!("high"));
    world.set("profil", json!("quick"));
    let ran = world.says(&["config", "check"]);
    ran.exits(2).complains(&["fail-onn", "`fail-on`", "profil", "`profile`", "assay.toml"]);
    for words in [&["config", "show"][..], &["analyze", "."], &["tools", "list"]] {
        world.says(words).exits(2);
    }
    let world = World::new();
    let mut command = world.assay(["config", "check"]);
    let ran = world.run(command.env("ASSAY_PROFIL", "quick"));
    ran.exits(2).complains(&["ASSAY_PROFIL", "ASSAY_PROFILE"]);
    let mut command = world.assay(["config", "check"]);
    world.run(command.env("ASSAY_JOBS", "many")).exits(2).complains(&["ASSAY_JOBS", "many"]);
    fs::write(world.at("cwd/assay.toml"), "fail-on = \n").unwrap();
    world.says(&["config", "check"]).exits(2).complains(&["assay.toml:1"]);
}

#[test]
fn what_init_writes_is_valid_and_is_not_written_over() {
    let world = World::new();
    let ran = world.says(&["config", "init"]);
    ran.exits(0);
    assert!(ran.stdout().contains("assay.toml"));
    let path = world.at("cwd/assay.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("fail-on") && text.contains("# "));
    let checked = world.says(&["config", "check"]);
    checked.exits(0);
    assert!(checked.stdout().contains("the configuration is valid"), "{}", checked.stdout());
    assert!(checked.stdout().contains("cwd/assay.toml"), "{}", checked.stdout());
    fs::write(&path, "fail-on = 'high'\n").unwrap();
    world.says(&["config", "init"]).exits(2).complains(&["assay.toml", "hint:"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "fail-on = 'high'\n");
    world.says(&["config", "init", "other.toml"]).exits(0);
    world.says(&["config", "init", "no/such/folder.toml"]).exits(2).complains(&["hint:"]);
}

#[test]
fn the_old_names_of_the_environment_still_work() {
    let world = World::new();
    let mut command = world.assay(["config", "show", "--json"]);
    let ran = world.run(command.env("STATIC_ANALYSIS_TIMEOUT", "90"));
    let (value, from) = origin(&ran.stdout(), "timeout");
    assert_eq!(value, "90s");
    assert!(from.contains("STATIC_ANALYSIS_TIMEOUT"));
    let mut command = world.assay(["config", "show", "--json"]);
    command.env("STATIC_ANALYSIS_TIMEOUT", "90").env("ASSAY_TIMEOUT", "5m");
    assert_eq!(origin(&world.run(&mut command).stdout(), "timeout").0, "5m");
}

#[test]
fn settings_of_a_tool_may_stand_in_files_of_their_own() {
    let mut world = World::new();
    let option =
        json!({ "words": { "summary": "What to say", "args": ["say=a.py:1: low said: {value}"] } });
    world.tool("fake", Fake::new(["exit=1"]).with("options", option).with("run.args", json!([])));
    world.set("settings", json!({ "fake": { "options": {} } }));
    for (name, text) in [
        ("fake.toml", "[options]\nwords = 'hello'\n"),
        ("fake.yaml", "options:\n  words: hello\n"),
        ("fake.json", "{\"options\": {\"words\": \"hello\"}}"),
        ("fake.ini", "[options]\nwords = hello\n"),
    ] {
        let dir = world.at("cwd/configs/static");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(name), text).unwrap();
        let ran = world.says(&["config", "show", "--json"]);
        ran.exits(0);
        assert!(ran.stdout().contains("hello"), "{name}: {}", ran.stdout());
        fs::remove_file(dir.join(name)).unwrap();
    }
}
