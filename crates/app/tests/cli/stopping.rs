//! Deadlines and signals, as a user and an init system send them.

use crate::{
    fake::{FINDING, Fake},
    world::{LONG, World, tool},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::process::ExitStatusExt as _,
    process::{Child, Stdio},
    time::Duration,
};
use testkit::{lives, marked, wait_until};

/// A tool that becomes what it is told, starts a child, notes both in `pids`, and hangs.
fn hanging(world: &World, become_what: &[&str]) -> Fake {
    let note = format!("pid-file={}", world.at("pids").display());
    let steps = [&note, "say=a.py:1: high early: seen before the end", "spawn-child", "hang"];
    Fake::new([become_what, &steps].concat())
}

/// A world with one tool that has ended when the other hangs.
fn with_a_hanging_tool(more: &[&str]) -> World {
    let mut world = World::with(Fake::finding("high"));
    world.without_a_cage();
    let fake = hanging(&world, more);
    world.tool("hangs", fake);
    // One after the other, the quick one first: then what it found is there when we stop.
    world.set("jobs", json!(2));
    world
}

fn start(world: &World, args: &[&str]) -> Child {
    let mut command = world.analysis(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Waits until the quick tool has ended and the other hangs; returns its processes.
fn until_it_hangs(world: &World) -> Vec<u32> {
    let pids = world.pids("pids", 2);
    let ended = || {
        let results = world.all_results();
        let events = results.iter().map(|dir| fs::read_to_string(dir.join("events.ndjson")));
        events.flatten().any(|text| text.contains("tool_ended"))
    };
    assert!(wait_until(LONG, ended), "the quick tool does not end");
    pids
}

#[track_caller]
fn all_gone(pids: &[u32], world: &World) {
    for pid in pids {
        assert!(!lives(*pid), "process {pid} is left");
    }
    assert_eq!(world.left_over(), Vec::<std::path::PathBuf>::new(), "temporary files are left");
}

/// The report of the one analysis of this world.
fn report(world: &World) -> Value {
    let dir = world.all_results().into_iter().next().expect("there are results");
    serde_json::from_slice(&fs::read(dir.join("report.json")).unwrap()).unwrap()
}

#[test]
fn a_signal_stops_every_process_and_reports_what_is_there() {
    for (signal, code, outcome) in
        [(Signal::INT, 130, "interrupted"), (Signal::TERM, 143, "terminated")]
    {
        let world = with_a_hanging_tool(&[]);
        let child = start(&world, &["--fail-on", "any"]);
        let pids = until_it_hangs(&world);
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        all_gone(&pids, &world);
        let report = report(&world);
        assert_eq!(report["outcome"], outcome);
        assert_eq!(report["verdict"]["exit_code"], code);
        assert_eq!(tool(&report, "hangs")["status"], "cancelled");
        assert_eq!(tool(&report, "hangs")["clean"], false);
        assert_eq!(tool(&report, "fake")["status"], "ok");
        assert!(crate::world::findings(&report).contains(&"a.py:3 bad-three".to_owned()));
        let dir = world.all_results().into_iter().next().unwrap();
        for name in ["report.html", "sarif/consolidated.sarif.json", "manifest.json"] {
            assert!(dir.join(name).is_file(), "{name}");
        }
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(shown.contains("cancelled"), "{shown}");
    }
}

#[test]
fn nothing_forgives_an_interrupt() {
    let world = with_a_hanging_tool(&[]);
    let child = start(&world, &["--exit-zero", "--allow-incomplete"]);
    until_it_hangs(&world);
    send(&child, Signal::INT);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_a_tool_that_asked_for_grace() {
    let mut world = World::new();
    world.without_a_cage();
    // With half an hour to say goodbye.
    let fake = hanging(&world, &["ignore-term"]).with("run.grace-s", json!(1800));
    world.tool("fake", fake);
    let child = start(&world, &[]);
    let pids = world.pids("pids", 2);
    send(&child, Signal::INT);
    // When it was heard is not seen from outside, and two that come together count as one. Asking
    // until it obeys cannot make a program pass that ignores the second.
    let gone = wait_until(LONG, || {
        let alive = lives(child.id());
        if alive {
            send(&child, Signal::INT);
        }
        !alive
    });
    assert!(gone, "it waits for the tool");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    assert!(wait_until(LONG, || pids.iter().all(|pid| !lives(*pid))), "a process is left");
    all_gone(&pids, &world);
}

#[test]
fn one_ctrl_c_ends_a_tool_that_is_deaf_to_term() {
    let world = with_a_hanging_tool(&["ignore-term"]);
    let child = start(&world, &[]);
    let pids = until_it_hangs(&world);
    send(&child, Signal::INT);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    all_gone(&pids, &world);
}

#[test]
fn the_deadline_of_the_analysis_keeps_what_the_others_found() {
    let world = with_a_hanging_tool(&[]);
    let ran = world.analyze(&["--timeout", "3s", "--fail-on", "any", "--exit-zero"]);
    ran.exits(124);
    let report = ran.report();
    assert_eq!(report["outcome"], "timed_out");
    assert_eq!(tool(&report, "fake")["status"], "ok");
    let hung = tool(&report, "hangs");
    assert!(matches!(hung["status"].as_str(), Some("cancelled" | "timed_out")), "{hung}");
    assert_eq!(hung["clean"], false);
    assert!(ran.findings().contains(&"a.py:3 bad-three".to_owned()));
    all_gone(&world.pids("pids", 2), &world);
    for name in ["report.html", "sarif/consolidated.sarif.json", "manifest.json"] {
        assert!(ran.results_dir().join(name).is_file(), "{name}");
    }
}

#[test]
fn tools_that_had_no_turn_before_the_deadline_are_told() {
    let mut world = World::new();
    world.without_a_cage();
    let first = hanging(&world, &[]);
    world.tool("a", first.clone());
    world.tool("b", first);
    let ran = world.analyze(&["--timeout", "2s", "--jobs", "1"]);
    ran.exits(124);
    let states = ["a", "b"].map(|id| ran.tool(id)["status"].as_str().unwrap().to_owned());
    assert!(states.iter().all(|state| state != "ok"), "{states:?}");
    assert!(states.contains(&"cancelled".to_owned()), "{states:?}");
}

#[test]
fn a_tools_own_deadline_ends_only_that_tool() {
    let mut world = with_a_hanging_tool(&[]);
    world.set("settings", json!({ "hangs": { "timeout": "1s" } }));
    let ran = world.analyze(&[]);
    ran.exits(3);
    assert_eq!(ran.tool("hangs")["status"], "timed_out");
    assert_eq!(ran.tool("hangs")["end"]["how"], "timed_out");
    assert_eq!(ran.tool("fake")["status"], "ok");
    let reason = ran.tool("hangs")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("1 s"), "the deadline that was set, not the declared one: {reason}");
    all_gone(&world.pids("pids", 2), &world);
}

/// What a tool leaves behind to survive: a child in its group, one in a session of its own, a
/// daemon, one that is deaf to TERM. Each notes itself, inside of the cage too.
const SURVIVORS: [&str; 5] =
    ["pid-file={scratch}/pids", "spawn-child", "setsid-child", "daemon", "deaf-child"];

/// A world with a tool that leaves all survivors behind, ends as told, and has the mark in its
/// environment, as have those that it leaves.
fn with_survivors(sandbox: &str, last: &[&str]) -> (World, String) {
    let mut world = World::new();
    world.set("sandbox", json!(sandbox));
    let mark = world.at("").display().to_string();
    // Itself, the four, and the one that made the daemon and is gone.
    let steps = [&SURVIVORS[..], &["until-noted=6"], last].concat();
    world.tool("fake", Fake::new(steps).with("run.env", json!({ "ASSAY_TEST_MARK": mark })));
    (world, format!("ASSAY_TEST_MARK={mark}"))
}

#[test]
fn processes_that_a_tool_leaves_behind_do_not_outlive_it() {
    for sandbox in ["auto", "off"] {
        let (world, mark) = with_survivors(sandbox, &[FINDING, "exit=1"]);
        let ran = world.analyze(&[]);
        ran.exits(0);
        assert_eq!(ran.findings(), ["a.py:3 bad-three"], "{sandbox}");
        assert_eq!(marked(&mark), [0; 0], "{sandbox}");
        all_gone(&[], &world);
    }
}

#[test]
fn processes_that_a_tool_leaves_behind_do_not_outlive_an_analysis_that_is_stopped() {
    for (sandbox, signal, code) in [
        ("auto", Signal::INT, Some(130)),
        ("auto", Signal::TERM, Some(143)),
        ("auto", Signal::KILL, None),
        ("off", Signal::INT, Some(130)),
        ("off", Signal::TERM, Some(143)),
        ("off", Signal::KILL, None),
    ] {
        let (world, mark) = with_survivors(sandbox, &["hang"]);
        let child = start(&world, &[]);
        assert!(wait_until(LONG, || marked(&mark).len() == 5), "{:?}", marked(&mark));
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), code, "{output:?}");
        if signal == Signal::KILL {
            // Nobody is left to wait for them, and the next start removes the folder.
            assert!(
                wait_until(LONG, || marked(&mark).is_empty()),
                "{sandbox}: {:?}",
                marked(&mark)
            );
            assert_eq!(world.left_over().len(), 1, "{sandbox}");
            world.analyze(&["--tools", "ruff", "--offline"]).exits(3);
        }
        assert_eq!(marked(&mark), [0; 0], "{sandbox}");
        all_gone(&[], &world);
    }
}

#[test]
fn a_signal_at_any_moment_of_the_beginning_is_heard() {
    for moment in (0..600).step_by(12).map(Duration::from_millis) {
        let (world, mark) = with_survivors("auto", &["hang"]);
        let mut child = start(&world, &[]);
        wait_until(moment, || false);
        send(&child, Signal::TERM);
        // One that has not heard it waits for a tool that never ends.
        let has_ended = wait_until(LONG, || child.try_wait().unwrap().is_some());
        child.kill().ok();
        let status = child.wait().unwrap();
        assert!(has_ended, "after {moment:?} it was not heard");
        // Before it listens it ends as any program does.
        let is_term = status.code() == Some(143) || status.signal() == Some(Signal::TERM.as_raw());
        assert!(is_term, "{moment:?}: {status}");
        assert_eq!(marked(&mark), [0; 0], "{moment:?}");
    }
}
