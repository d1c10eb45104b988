//! Many apps in one go.

use crate::{
    fake::Fake,
    world::{LONG, World, tool},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::Stdio};
use testkit::{lives, wait_until};

/// A world with apps of two models under the source roots, all different.
fn world(apps: u32) -> World {
    let world = World::empty();
    for number in 1..=apps {
        let model = if number % 2 == 0 { "openai_gpt-4" } else { "mistral" };
        let dir = world.at(format!("cwd/generated/apps/{model}/app{number}"));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("a.py"), format!("number = {number}\n").repeat(5)).unwrap();
    }
    world
}

/// All apps of [`world`] as a list.
fn list(world: &World, apps: u32) -> PathBuf {
    let entry = |number: u32| match number % 2 {
        0 => json!(["openai/gpt-4", number]),
        _ => json!(["mistral", format!("app{number}")]),
    };
    let path = world.at("cwd/apps.json");
    fs::write(&path, json!((1..=apps).map(entry).collect::<Vec<_>>()).to_string()).unwrap();
    path
}

/// The folders of all batches.
fn batches(world: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(world.at("cwd/results")).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("batch_"))
        .collect();
    found.sort();
    found
}

/// The report of the one batch of this world.
#[track_caller]
fn batch(world: &World) -> Value {
    let [dir] = &batches(world)[..] else { panic!("not one batch: {:?}", batches(world)) };
    serde_json::from_slice(&fs::read(dir.join("batch.json")).unwrap()).unwrap()
}

fn ends(batch: &Value) -> Vec<String> {
    let word = |app: &Value| match app["end"]["how"].as_str().unwrap() {
        "analysed" => app["end"]["outcome"].as_str().unwrap().to_owned(),
        other => other.to_owned(),
    };
    batch["apps"].as_array().unwrap().iter().map(word).collect()
}

/// The report of one app in its own folder.
#[track_caller]
fn report_of(app: &Value) -> Value {
    let dir = app["end"]["results"].as_str().unwrap();
    serde_json::from_slice(&fs::read(format!("{dir}/report.json")).unwrap()).unwrap()
}

#[test]
fn every_app_has_a_folder_of_its_own_and_a_row_in_the_table() {
    let mut world = world(20);
    world.tool("fake", Fake::finding("high"));
    world.tool("clean", Fake::clean());
    list(&world, 20);
    let ran = world.says(&["batch", "apps.json", "--fail-on", "high", "--jobs", "4"]);
    ran.exits(1);
    let batch = batch(&world);
    assert_eq!(ends(&batch), vec!["complete"; 20]);
    assert_eq!(batch["verdict"]["exit_code"], 1);
    assert_eq!(batch["verdict"]["at_or_above"], 20);
    for (app, number) in batch["apps"].as_array().unwrap().iter().zip(1..) {
        assert_eq!(app["ref"]["number"], number);
        let report = report_of(app);
        assert_eq!(report["app"]["ref"]["number"], number);
        assert_eq!(report["outcome"], "complete");
        let dir = PathBuf::from(app["end"]["results"].as_str().unwrap());
        let model = if number % 2 == 0 { "openai_gpt-4" } else { "mistral" };
        let expected = world.at(format!("cwd/results/{model}/app{number}"));
        assert_eq!(dir.parent().unwrap(), expected);
        for name in ["manifest.json", "report.html", "events.ndjson", "logs/fake.stdout"] {
            assert!(dir.join(name).is_file(), "{name}");
        }
    }
    let csv = fs::read_to_string(batches(&world)[0].join("batch.csv")).unwrap();
    assert_eq!(csv.lines().filter(|line| line.starts_with("app,")).count(), 20);
    for number in 1..=20 {
        assert!(ran.stdout().contains(&format!("/app{number} ")), "{}", ran.stdout());
        ran.complains(&[&format!("[{number}/20]")]);
    }
    let stored = world.says(&["results", "list", "--json"]);
    let stored: Value = serde_json::from_slice(&stored.output.stdout).unwrap();
    assert_eq!(stored.as_array().map(Vec::len), Some(20), "{stored}");
    assert_eq!(world.left_over(), Vec::<PathBuf>::new());
}

#[test]
fn a_tool_that_says_the_same_of_every_app_is_told() {
    let mut world = world(20);
    // Three findings in each, wherever it looks.
    let same = (1..=3).map(|line| format!("say=a.py:1: low rule-{line}: constant"));
    world.tool("constant", Fake::new(same.chain(["exit=1".to_owned()])));
    world.tool("clean", Fake::clean());
    list(&world, 20);
    let ran = world.says(&["batch", "apps.json"]);
    ran.exits(0);
    let alarms = batch(&world)["alarms"].clone();
    assert_eq!(alarms.as_array().map(Vec::len), Some(1), "{alarms}");
    assert_eq!(alarms[0]["tool"], "constant");
    assert_eq!(alarms[0]["apps"], 20);
    assert_eq!(alarms[0]["sameness"]["rule"], "same_count");
    assert_eq!(alarms[0]["sameness"]["count"], 3);
    let shown = ran.stdout();
    assert!(shown.contains("exactly 3 findings in each of 20 different apps"), "{shown}");
    assert!(shown.contains("assay tools check constant"), "{shown}");
}

#[test]
fn equal_apps_are_one_and_raise_no_alarm() {
    let mut world = world(2);
    for number in 3..=12 {
        let dir = world.at(format!("cwd/generated/apps/mistral/app{number}"));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("a.py"), "x = 1\n").unwrap();
    }
    world.tool("fake", Fake::finding("low"));
    world.says(&["batch", "--models", "mistral,openai_gpt-4"]).exits(0);
    let batch = batch(&world);
    assert_eq!(batch["apps"].as_array().map(Vec::len), Some(12));
    assert_eq!(batch["alarms"], json!([]));
}

#[test]
fn one_app_that_fails_stops_no_other() {
    let mut world = world(6);
    // It breaks on the third app alone.
    let third = world.at("cwd/generated/apps/mistral/app3");
    fs::write(third.join("break"), "").unwrap();
    world.tool("fake", Fake::finding("high"));
    let breaks = Fake::new(["complain=no", "exit=9"]).with("inputs", json!({ "files": ["break"] }));
    world.tool("breaks", breaks);
    // The fifth is empty.
    fs::remove_file(world.at("cwd/generated/apps/mistral/app5/a.py")).unwrap();
    list(&world, 6);
    let ran = world.says(&["batch", "apps.json", "--fail-on", "high"]);
    ran.exits(3);
    let batch = batch(&world);
    assert_eq!(
        ends(&batch),
        ["complete", "complete", "incomplete", "complete", "nothing_to_analyse", "complete"]
    );
    assert_eq!(batch["outcome"], "incomplete");
    let breaks = batch["tools"].as_array().unwrap().iter().find(|t| t["tool"] == "breaks").unwrap();
    assert_eq!(breaks["gaps"][0]["apps"], 1);
    assert_eq!(breaks["gaps"][0]["example"]["number"], 3);
    assert_eq!(breaks["no_inputs"], 5);
    let shown = ran.stdout();
    assert!(shown.contains("mistral/app3: incomplete, without breaks"), "{shown}");
    world.says(&["batch", "apps.json", "--fail-on", "high", "--allow-incomplete"]).exits(1);
    world.says(&["batch", "apps.json", "--fail-on", "high", "--exit-zero"]).exits(0);
}

#[test]
fn installations_and_self_tests_are_made_once_for_all() {
    let mut world = world(8);
    world.without_a_cage();
    let tried = world.at("tried");
    let note = format!("pid-file={}", tried.display());
    // It fails its self-test: it finds nothing, ever.
    let canary = json!({
        "expect": "bad-three",
        "defect": [{ "path": "a.py", "text": "three = 3\n" }],
        "clean": [{ "path": "b.py", "text": "four = 4\n" }],
    });
    world.tool("blind", Fake::new([note.as_str(), "exit=0"]).with("canary", canary));
    world.tool("gone", Fake::missing());
    list(&world, 8);
    let ran = world.says(&["batch", "apps.json"]);
    ran.exits(3);
    for app in batch(&world)["apps"].as_array().unwrap() {
        let report = report_of(app);
        assert_eq!(tool(&report, "blind")["status"], "untrusted");
        assert_eq!(tool(&report, "gone")["status"], "unavailable");
    }
    let tries = fs::read_to_string(&tried).unwrap().lines().count();
    assert_eq!(tries, 1, "its self-test is one run, and no app is shown to it");
    assert!(ran.stdout().contains("on all 8 apps: untrusted"), "{}", ran.stdout());
}

#[test]
fn tools_of_all_apps_together_keep_within_the_jobs() {
    let mut world = world(6);
    world.without_a_cage();
    // Each notes itself; with one slot no two are ever there at once.
    let running = world.at("running");
    let seen = world.at("seen");
    let script = format!(
        "mkdir {0} 2>/dev/null || echo twice >> {1}; sleep 0.05; rmdir {0} 2>/dev/null; exit 0",
        running.display(),
        seen.display()
    );
    let shell = Fake::new(["-c", script.as_str()])
        .with("run.program", json!("/bin/sh"))
        .with("install.version-args", json!(["-c", "echo fake 1.2.3"]));
    for id in ["one", "two", "three"] {
        world.tool(id, shell.clone());
    }
    list(&world, 6);
    world.says(&["batch", "apps.json", "--jobs", "1"]).exits(0);
    assert!(!seen.exists(), "two tools ran at once");
    assert_eq!(ends(&batch(&world)), vec!["complete"; 6]);
}

#[test]
fn nothing_inside_an_app_is_obeyed() {
    let mut world = world(3);
    world.tool("fake", Fake::finding("high"));
    for number in [1, 3] {
        let dir = world.at(format!("cwd/generated/apps/mistral/app{number}"));
        fs::write(dir.join(".gitignore"), "*\n").unwrap();
        fs::write(dir.join(".assayignore"), "*\n").unwrap();
        fs::write(dir.join("assay.toml"), "fail-on = \"none\"\nkinds = [\"nonsense\"]\n").unwrap();
    }
    // The same folders by a pattern: relative to the working directory, then to the source roots.
    for pattern in ["generated/apps/*/app*", "mistral/app*"] {
        let ran = world.says(&["batch", "--apps", pattern, "--fail-on", "high"]);
        ran.exits(1);
        let dir = batches(&world).pop().unwrap();
        let batch: Value =
            serde_json::from_slice(&fs::read(dir.join("batch.json")).unwrap()).unwrap();
        for app in batch["apps"].as_array().unwrap() {
            assert_eq!(app["ref"]["by"], "model-app", "{app}");
            assert!(app["end"]["counts"]["total"].as_u64() > Some(0), "{app}");
            let report = report_of(app);
            assert_eq!(report["source"]["skipped"], Value::Null, "{}", report["source"]);
        }
    }
    // From inside of an app its file would be found first.
    let mut command = world.assay(["batch", "--apps", "."]);
    command.current_dir(world.at("cwd/generated/apps/mistral/app1"));
    world.run(&mut command).exits(2);
    fs::write(world.at("cwd/generated/apps/mistral/app1/assay.toml"), "").unwrap();
    let ran = world.run(&mut command);
    ran.exits(2).complains(&["lies inside the app", "start it outside"]);
}

#[test]
fn a_plain_folder_is_an_app_too() {
    let mut world = World::empty();
    world.tool("fake", Fake::finding("high"));
    for name in ["b", "a", ".hidden"] {
        fs::create_dir_all(world.at("cwd/apps").join(name)).unwrap();
        fs::write(world.at("cwd/apps").join(name).join("a.py"), format!("{name}\n")).unwrap();
        fs::write(world.at("cwd/apps").join(name).join(".gitignore"), "*\n").unwrap();
    }
    world.says(&["batch", "--apps", "apps/*"]).exits(0);
    let batch = batch(&world);
    let paths: Vec<&str> = batch["apps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["ref"]["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["apps/a", "apps/b"]);
    for app in batch["apps"].as_array().unwrap() {
        assert_eq!(app["end"]["files"], 2, "its own `.gitignore` hides nothing: {app}");
    }
    assert_eq!(world.all_results().len(), 2, "under .assay/results, as for `analyze`");
}

#[test]
fn all_that_is_wrong_is_told_before_anything_starts() {
    let mut world = world(4);
    world.tool("fake", Fake::clean());
    let entries = json!([
        ["mistral", 1],
        ["mistrall", 1],
        ["openai/gpt-4", 99],
        ["m"],
        ["mistral", "x"],
        ["mistral", 3],
        ["mistral", "app3"],
    ]);
    fs::write(world.at("cwd/apps.json"), entries.to_string()).unwrap();
    let ran = world.says(&["batch", "apps.json", "--models", "nobody", "--apps", "none/*"]);
    ran.exits(2).complains(&[
        "nothing was started",
        "entry 2: there is no model `mistrall`; did you mean `mistral`?",
        "entry 3: `openai/gpt-4` has no app99; it has app2, app4",
        "entry 4: `[\"model\", 1]` was expected, and there is a list of 1",
        "entry 5: `x` is no app number",
        "`--models nobody`: there is no model `nobody`",
        "`--apps none/*` matches nothing",
    ]);
    assert!(batches(&world).is_empty() && !world.at("cwd/results").exists());
    // What names no app may be left out; what is no entry may not.
    world.says(&["batch", "apps.json", "--skip-unknown"]).exits(2).complains(&["entry 4"]);
    let entries = json!([["mistral", 1], ["mistrall", 1], ["mistral", 3], ["mistral", "app3"]]);
    fs::write(world.at("cwd/apps.json"), entries.to_string()).unwrap();
    let ran = world.says(&["batch", "apps.json", "--skip-unknown"]);
    ran.exits(0).complains(&["left out: entry 2", "1 app is named more than once"]);
    let batch = batch(&world);
    assert_eq!(ends(&batch), ["complete", "complete"]);
    assert_eq!(batch["warnings"].as_array().map(Vec::len), Some(2), "{}", batch["warnings"]);
}

#[test]
fn a_list_that_is_none_is_said_in_words() {
    let mut world = world(1);
    world.tool("fake", Fake::clean());
    for (text, said) in [
        ("", "no JSON"),
        ("{\"a\": 1}", "a list was expected, and there is an object"),
        ("[]", "it is empty"),
        ("[[\"mistral\", 1]", "no JSON"),
    ] {
        fs::write(world.at("cwd/apps.json"), text).unwrap();
        world.says(&["batch", "apps.json"]).exits(2).complains(&[
            "is no list of apps",
            said,
            "hint",
        ]);
    }
    world.says(&["batch", "none.json"]).exits(2).complains(&["`none.json` cannot be read"]);
    world.says(&["batch"]).exits(2).complains(&["FILE"]);
    world.says(&["batch", "--apps", "["]).exits(2).complains(&["`--apps [` is no pattern"]);
    let file = world.says(&["batch", "--apps", "*.json"]);
    file.exits(2).complains(&["matches a file; an app of a batch is a folder"]);
}

#[test]
fn one_machine_format_may_have_standard_output() {
    let mut world = world(2);
    world.tool("fake", Fake::finding("high"));
    list(&world, 2);
    let two = ["batch", "apps.json", "--format", "json", "--format", "csv"];
    world.says(&two).exits(2).complains(&["two machine formats"]);
    let sarif = world.says(&["batch", "apps.json", "--format", "sarif"]);
    sarif.exits(2).complains(&["a batch cannot be told as `sarif`", "results export"]);
    assert!(batches(&world).is_empty(), "refused before anything runs");
    let words = ["batch", "apps.json", "--format", "json", "--format", "markdown=out.md"];
    let ran = world.says(&[&words[..], &["--output", "tables"]].concat());
    ran.exits(0).complains(&["2 apps: batch complete"]);
    let printed: Value = serde_json::from_slice(&ran.output.stdout).unwrap();
    let kept = fs::read(world.at("cwd/tables/batch.json")).unwrap();
    assert_eq!(printed, serde_json::from_slice::<Value>(&kept).unwrap());
    assert!(fs::read_to_string(world.at("cwd/out.md")).unwrap().starts_with("## Assay: 2 apps"));
    // The same folder again is ours; with somebody's file in it it is not.
    let again = ["batch", "apps.json", "--output", "tables", "--quiet"];
    world.says(&again).exits(0);
    fs::write(world.at("cwd/tables/thesis.tex"), "mine").unwrap();
    world.says(&again).exits(2).complains(&["holds no results of Assay"]);
}

#[test]
fn a_batch_is_what_its_schema_says() {
    let mut world = world(5);
    world.tool("fake", Fake::finding("high"));
    world.tool("breaks", Fake::new(["exit=9"]));
    list(&world, 5);
    world.says(&["batch", "apps.json"]).exits(3);
    let schema = include_str!("../../../../docs/schema/batch.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let batch = batch(&world);
    let errors: Vec<String> = validator.iter_errors(&batch).map(|e| e.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn the_first_signal_stops_what_runs_and_tells_what_had_no_turn() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut world = world(6);
        world.without_a_cage();
        let note = format!("pid-file={}", world.at("pids").display());
        let third = world.at("cwd/generated/apps/mistral/app3");
        fs::write(third.join("hang"), "").unwrap();
        world.tool("fake", Fake::finding("high"));
        let hangs = Fake::new([note.as_str(), "spawn-child", "hang"]);
        world.tool("hangs", hangs.with("inputs", json!({ "files": ["hang"] })));
        list(&world, 6);
        // One slot: what comes after the third has none.
        let mut command = world.assay(["batch", "apps.json", "--jobs", "1", "--exit-zero"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pids = world.pids("pids", 2);
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(pids.iter().all(|pid| !lives(*pid)), "a process is left");
        assert_eq!(world.left_over(), Vec::<PathBuf>::new(), "temporary files are left");
        let batch = batch(&world);
        let ends = ends(&batch);
        assert_eq!(ends[..2], ["complete", "complete"], "{ends:?}");
        assert!(["interrupted", "terminated"].contains(&ends[2].as_str()), "{ends:?}");
        assert_eq!(ends[4..], ["not_run", "not_run"], "{ends:?}");
        assert_eq!(batch["verdict"]["exit_code"], code);
        assert!(["interrupted", "terminated"].contains(&batch["outcome"].as_str().unwrap()));
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(shown.contains("Not run") && shown.contains("/app6"), "{shown}");
        let report = report_of(&batch["apps"][2]);
        assert_eq!(tool(&report, "hangs")["status"], "cancelled");
    }
}

#[test]
fn a_second_signal_ends_at_once_and_leaves_nothing() {
    let mut world = world(6);
    world.without_a_cage();
    let note = format!("pid-file={}", world.at("pids").display());
    let hangs = Fake::new([note.as_str(), "ignore-term", "spawn-child", "hang"]);
    world.tool("hangs", hangs.with("run.grace-s", json!(1800)));
    list(&world, 6);
    // A fake tool takes two slots: two apps are under way.
    let mut command = world.assay(["batch", "apps.json", "--jobs", "4"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pids = world.pids("pids", 4);
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // Two that come together count as one, so it is asked until it obeys.
    let gone = wait_until(LONG, || {
        let alive = lives(child.id());
        if alive {
            kill_process(pid, Signal::INT).ok();
        }
        !alive
    });
    assert!(gone, "it waits for the tools");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    assert!(wait_until(LONG, || pids.iter().all(|pid| !lives(*pid))), "a process is left");
    assert_eq!(world.left_over(), Vec::<PathBuf>::new(), "temporary files are left");
}

#[test]
fn the_time_of_an_app_is_its_own() {
    let mut world = world(4);
    let third = world.at("cwd/generated/apps/mistral/app3");
    fs::write(third.join("hang"), "").unwrap();
    world.tool("fake", Fake::finding("high"));
    world.tool("hangs", Fake::new(["hang"]).with("inputs", json!({ "files": ["hang"] })));
    list(&world, 4);
    let ran = world.says(&["batch", "apps.json", "--timeout", "3s", "--exit-zero"]);
    ran.exits(124);
    assert_eq!(ends(&batch(&world)), ["complete", "complete", "timed_out", "complete"]);
}

/// The apps that the record of a batch knows.
fn recorded(world: &World) -> usize {
    let records = fs::read_dir(world.at("cwd/.assay/batches")).into_iter().flatten().flatten();
    records.map(|entry| fs::read_to_string(entry.path()).unwrap_or_default().lines().count()).sum()
}

/// The apps of which a tool was run, by what it noted.
fn noted(world: &World) -> usize {
    fs::read_to_string(world.at("pids")).unwrap_or_default().lines().count()
}

#[test]
fn the_same_batch_goes_on_where_a_stopped_one_was() {
    for signal in [Signal::INT, Signal::KILL] {
        let mut world = world(4);
        world.without_a_cage();
        let third = world.at("cwd/generated/apps/mistral/app3/hang");
        fs::write(&third, "").unwrap();
        let note = format!("pid-file={}", world.at("pids").display());
        let held = format!("pid-file={}", world.at("held").display());
        world.tool("fake", Fake::new([note.as_str(), crate::fake::FINDING, "exit=1"]));
        let hangs = Fake::new([held.as_str(), "hang"]);
        world.tool("hangs", hangs.with("inputs", json!({ "files": ["hang"] })));
        list(&world, 4);
        let words = ["batch", "apps.json", "--jobs", "1"];
        let mut command = world.assay(words);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        world.pids("held", 1);
        assert!(wait_until(LONG, || recorded(&world) == 2), "two apps are done by then");
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        child.wait().unwrap();
        // Nobody hangs any more, and one of those that are done has changed since.
        fs::remove_file(&third).unwrap();
        let second = world.at("cwd/generated/apps/openai_gpt-4/app2/a.py");
        fs::write(second, "changed = True\n").unwrap();
        fs::remove_file(world.at("pids")).unwrap();
        // Where the tables go makes no other batch of it.
        let ran = world.says(&[&words[..], &["--output", "tables"]].concat());
        ran.exits(0).complains(&["1 of 4 apps were analysed by an earlier run that was stopped"]);
        assert_eq!(noted(&world), 3, "the first is as it was, and is not done again");
        let all = fs::read(world.at("cwd/tables/batch.json")).unwrap();
        let all: Value = serde_json::from_slice(&all).unwrap();
        assert_eq!(ends(&all), ["complete"; 4]);
        assert_eq!(all["counts"]["total"], 4, "what was done before counts");
        // The batch was whole, so the next one begins anew.
        world.says(&words).exits(0);
        assert_eq!(noted(&world), 7);
    }
}
