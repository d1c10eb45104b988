//! What is remembered: results, tasks, exports.

use crate::{
    fake::{FINDING, Fake},
    world::{LONG, World},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{fs, process::Stdio};
use testkit::wait_until;

fn listed(world: &World, command: &[&str]) -> Vec<Value> {
    let ran = world.says(command);
    ran.exits(0);
    serde_json::from_str(&ran.stdout()).unwrap()
}

#[test]
fn without_results_the_lists_say_so_and_nothing_is_found() {
    let world = World::new();
    for words in [&["results", "list"][..], &["tasks"]] {
        let ran = world.says(words);
        ran.exits(0);
        assert!(ran.stdout().contains("no results yet"), "{}", ran.stdout());
        assert_eq!(listed(&world, &[words, &["--json"]].concat()), Vec::<Value>::new());
    }
    world.says(&["results", "show"]).exits(2).complains(&["error:", "hint:"]);
    world.says(&["results", "export", "--format", "json"]).exits(2).complains(&["error:"]);
    world.says(&["results", "prune"]).exits(0);
}

#[test]
fn results_are_listed_newest_first_and_found_by_their_beginning() {
    let mut world = World::with(Fake::finding("high"));
    let first = world.analyze(&[]);
    world.tool("fake", Fake::clean());
    let second = world.analyze(&[]);
    let ids = [&second, &first].map(|ran| ran.report()["task"].as_str().unwrap().to_owned());
    for words in [&["results", "list", "--json"][..], &["tasks", "--json"]] {
        let entries = listed(&world, words);
        assert_eq!(entries.len(), 2);
        assert!(entries.iter().all(|entry| entry["state"] == "complete"), "{entries:?}");
        let shown: Vec<&str> =
            entries.iter().map(|entry| entry["task"].as_str().unwrap()).collect();
        // Two in the same second have no order but that of their names.
        let seconds = |id: &str| id.rsplit_once('-').unwrap().0.to_owned();
        if seconds(&ids[0]) != seconds(&ids[1]) {
            assert_eq!(shown, ids);
        }
    }
    for id in &ids {
        let ran = world.says(&["results", "show", id, "--json"]);
        ran.exits(0);
        let report: Value = serde_json::from_str(&ran.stdout()).unwrap();
        assert_eq!(report["task"], **id);
        assert!(world.says(&["results", "show", id]).stdout().contains("report.html"));
    }
    let table = world.says(&["results", "list"]).stdout();
    assert!(table.contains(&ids[0]) && table.contains("1 high"), "{table}");
    // What both begin with is ambiguous, and the answer names them.
    let both = &ids[0][..8];
    world.says(&["results", "show", both]).exits(2).complains(&[&ids[0], &ids[1]]);
    let tail = ids[0].len() - 1;
    if ids[0][..tail] != ids[1][..tail] {
        world.says(&["results", "show", &ids[0][..tail]]).exits(0);
    }
    for none in ["99999999", "nonsense", "", "../..", "*"] {
        let ran = world.says(&["results", "show", none]);
        ran.exits(2).complains(&["error:"]);
    }
}

#[test]
fn a_stored_report_is_exported_in_every_format() {
    let world = World::with(Fake::finding("high"));
    let ran = world.analyze(&["--format", "json=direct.json", "--format", "sarif=direct.sarif"]);
    ran.exits(0);
    for format in ["json", "sarif", "junit", "gitlab", "github", "markdown", "html", "csv"] {
        let exported = world.says(&["results", "export", "--format", format]);
        exported.exits(0);
        assert!(exported.stdout().contains("bad-three"), "{format}: {}", exported.stdout());
        let to_file = format!("{format}=out.{format}");
        world.says(&["results", "export", "latest", "--format", &to_file]).exits(0);
        let text = fs::read_to_string(world.at("cwd").join(format!("out.{format}"))).unwrap();
        assert_eq!(text, exported.stdout(), "{format}");
    }
    for format in ["json", "sarif"] {
        let read = |name: String| fs::read_to_string(world.at("cwd").join(name)).unwrap();
        assert_eq!(read(format!("direct.{format}")), read(format!("out.{format}")), "{format}");
    }
    let human = world.says(&["results", "export", "--format", "human"]);
    assert!(human.stdout().contains("bad-three"));
    world.says(&["results", "export", "--format", "json", "--format", "csv"]).exits(2);
    world.says(&["results", "export"]).exits(2);
}

#[test]
fn a_broken_result_is_told_and_does_not_hide_the_others() {
    let world = World::with(Fake::finding("high"));
    let (first, second) = (world.analyze(&[]), world.analyze(&[]));
    let id = second.report()["task"].as_str().unwrap().to_owned();
    fs::write(second.results_dir().join("report.json"), "{\"report_version\":").unwrap();
    let ran = world.says(&["results", "list", "--json"]);
    ran.exits(0);
    assert!(ran.stdout().contains(first.report()["task"].as_str().unwrap()));
    world.says(&["results", "show", &id]).exits(2).complains(&["error:"]);
    fs::write(second.results_dir().join("manifest.json"), "nonsense").unwrap();
    let ran = world.says(&["results", "list", "--json"]);
    ran.exits(0);
    assert!(ran.stdout().contains(first.report()["task"].as_str().unwrap()));
    fs::create_dir(world.at("cwd/.assay/results/not-ours")).unwrap();
    world.says(&["results", "list"]).exits(0);
}

#[test]
fn a_wrong_configuration_hides_no_result() {
    let world = World::new();
    fs::write(world.at("cwd/assay.toml"), "nonsense = 1\n").unwrap();
    let ran = world.says(&["results", "list"]);
    ran.exits(0).complains(&["what a gateway remembers is left out", "nonsense"]);
    assert!(ran.stdout().contains("no results yet"), "{}", ran.stdout());
}

#[test]
fn an_analysis_reads_as_running_then_as_lost_once_it_was_killed() {
    let mut world = World::new();
    world.without_a_cage();
    let note = format!("pid-file={}", world.at("pids").display());
    world.tool("fake", Fake::new([note.as_str(), FINDING, "hang"]));
    let mut command = world.analysis(&[]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pids = world.pids("pids", 1);
    let state = || listed(&world, &["tasks", "--json"])[0]["state"].as_str().unwrap().to_owned();
    assert_eq!(state(), "running");
    let shown = world.says(&["tasks"]).stdout();
    assert!(shown.contains("running"), "{shown}");
    let ran = world.says(&["results", "show"]);
    assert_ne!(ran.code(), Some(0), "there is no report yet");
    // Pruning does not touch what runs.
    world.says(&["results", "prune", "--keep", "0"]).exits(0);
    assert_eq!(state(), "running");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(state(), "lost");
    let ran = world.says(&["results", "show"]);
    ran.exits(2).complains(&["hint:"]);
    // It could not be stopped by the one who was killed; that much is known and documented.
    for pid in pids {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        kill_process(pid, Signal::KILL).ok();
    }
    // The next analysis is not disturbed, and old ones can be removed.
    world.tool("fake", Fake::clean());
    world.analyze(&[]).exits(0);
    assert_eq!(listed(&world, &["tasks", "--json"]).len(), 2);
    world.says(&["results", "show", "latest"]).exits(0);
}

#[test]
fn pruning_keeps_the_newest_of_each_app() {
    let world = World::with(Fake::clean());
    for _ in 0..4 {
        world.analyze(&[]).exits(0);
    }
    let ran = world.says(&["results", "prune", "--keep", "1", "--dry-run"]);
    ran.exits(0);
    assert!(ran.stdout().contains("3 results would be removed"), "{}", ran.stdout());
    assert_eq!(world.all_results().len(), 4);
    let ran = world.says(&["results", "prune", "--keep", "1"]);
    ran.exits(0);
    assert!(ran.stdout().contains("3 results removed"), "{}", ran.stdout());
    assert_eq!(world.all_results().len(), 1);
    world.says(&["results", "show"]).exits(0);
}

#[test]
fn two_analyses_at_once_do_not_disturb_each_other() {
    let mut world = World::new();
    world.without_a_cage();
    let script = "echo $$ >>\"$0\"; until [ $(wc -l <\"$0\") -ge 2 ]; do sleep 0.01; done; exit 0";
    let meets = Fake::clean()
        .with("run.program", json!("/bin/sh"))
        .with("run.args", json!(["-c", script, world.at("pids")]))
        .with("install.version-args", json!(["-c", "echo 1.2.3"]));
    world.tool("fake", meets);
    let spawn =
        || world.analysis(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let both = [spawn(), spawn()];
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    assert!(wait_until(LONG, || world.all_results().len() == 2));
    assert!(listed(&world, &["tasks", "--json"]).iter().all(|entry| entry["state"] == "complete"));
}

#[test]
fn a_folder_that_an_analysis_writes_to_is_not_taken_from_it() {
    let mut world = World::new();
    world.without_a_cage();
    let gate = world.at("gate");
    let script = "echo $$ >>\"$1\"; while [ ! -e \"$0\" ]; do sleep 0.01; done; exit 0";
    let waits = Fake::clean()
        .with("run.program", json!("/bin/sh"))
        .with("run.args", json!(["-c", script, gate, world.at("pids")]))
        .with("install.version-args", json!(["-c", "echo 1.2.3"]));
    world.tool("fake", waits);
    let mut command = world.analysis(&["--output", "out"]);
    let first = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    world.pids("pids", 1);
    let second = world.analyze(&["--output", "out"]);
    second.exits(2).complains(&["out", "error:"]);
    fs::write(&gate, "").unwrap();
    let output = first.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(world.at("cwd/out/report.json").is_file());
}
