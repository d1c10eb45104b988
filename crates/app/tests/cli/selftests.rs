//! When a self-test happens, what it is remembered by, and what is shown of it.

use crate::{fake::Fake, world::World};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio};

/// A tool that says `bad-three` of every `a.py` that holds the word `three`, unless there is a file
/// `mute` beside it. It notes every start.
const SCRIPT: &str = r#"#!/bin/sh
here=$(dirname "$0")
test "$1" = version && { echo 'fake 1.2.3'; exit 0; }
echo $$ >>"$here/pids"
test -e "$here/mute" && exit 0
grep -q three "$1/a.py" 2>/dev/null || exit 0
test "$3" = skip && exit 0
echo 'a.py:3: high bad-three: bad'
exit 1
"#;

/// A world with that tool, and how often it was started.
struct Tested {
    world: World,
    program: PathBuf,
    starts: usize,
}

// === impl Tested ===

impl Tested {
    fn new() -> Self {
        let mut world = World::new();
        world.without_a_cage();
        let program = world.at("tool");
        fs::write(&program, SCRIPT).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let option = json!({ "skip": { "summary": "finds nothing", "args": ["skip"] } });
        let fake = Fake::clean()
            .with("run.program", json!(program))
            .with("run.args", json!(["{project}", "end"]))
            .with("install.version-args", json!(["version"]))
            .with("options", option)
            .with(
                "canary",
                json!({
                    "expect": "bad-three",
                    "defect": [{ "path": "a.py", "text": "1\n2\nthree = 3\n" }],
                    "clean": [{ "path": "a.py", "text": "four = 4\n" }],
                }),
            );
        world.tool("fake", fake);
        Self { world, program, starts: 0 }
    }

    /// Analyses, and says how the tool ended and whether its self-test happened.
    #[track_caller]
    fn analyze(&mut self) -> (String, bool) {
        let ran = self.world.analyze(&[]);
        let status = ran.tool("fake")["status"].as_str().unwrap().to_owned();
        let starts = self.world.pids("pids", 1).len();
        let tested = starts - self.starts > 1 || status == "untrusted";
        self.starts = starts;
        (status, tested)
    }

    /// The only file that remembers a passed self-test, if there is one.
    fn mark(&self) -> Option<PathBuf> {
        let marks = fs::read_dir(self.world.at("cache/checked")).into_iter().flatten().flatten();
        let marks: Vec<PathBuf> = marks.map(|entry| entry.path()).collect();
        assert!(marks.len() <= 1, "{marks:?}");
        marks.into_iter().next()
    }

    fn break_tool(&self) {
        fs::write(self.world.at("mute"), "").unwrap();
    }
}

fn passed() -> (String, bool) {
    ("ok".to_owned(), true)
}

fn remembered() -> (String, bool) {
    ("ok".to_owned(), false)
}

fn untrusted() -> (String, bool) {
    ("untrusted".to_owned(), true)
}

#[test]
fn a_mark_that_is_cut_or_of_something_else_is_none() {
    let mut tested = Tested::new();
    assert_eq!(tested.analyze(), passed());
    assert_eq!(tested.analyze(), remembered());
    let mark = tested.mark().unwrap();
    let text = fs::read_to_string(&mark).unwrap();
    for broken in ["", "passed\n", &text[..text.len() - 1], &text.replace("fake", "fuke")] {
        fs::write(&mark, broken).unwrap();
        assert_eq!(tested.analyze(), passed(), "{broken:?}");
        assert_eq!(fs::read_to_string(&mark).unwrap(), text, "it is mended");
    }
    fs::remove_file(&mark).unwrap();
    fs::create_dir(&mark).unwrap();
    assert_eq!(tested.analyze(), passed(), "what cannot be remembered stops nothing");
}

#[test]
fn another_row_or_another_program_has_to_show_itself_anew() {
    let mut tested = Tested::new();
    assert_eq!(tested.analyze(), passed());
    tested.world.edit("fake", |says| says["run"]["env"] = json!({ "A": "1" }));
    assert_eq!(tested.analyze(), passed());
    assert_eq!(tested.analyze(), remembered());
    // As long as before, of the same version, and mute.
    let other = SCRIPT.replace("exit 1", "exit 0").replace("echo 'a.py", "true 'a.py");
    assert_eq!(other.len(), SCRIPT.len());
    fs::write(&tested.program, other).unwrap();
    assert_eq!(tested.analyze(), untrusted());
}

#[test]
fn a_failed_self_test_is_never_remembered_and_makes_a_passed_one_forgotten() {
    let mut tested = Tested::new();
    tested.break_tool();
    assert_eq!((tested.analyze(), tested.mark()), (untrusted(), None));
    assert_eq!(tested.analyze(), untrusted());
    fs::remove_file(tested.world.at("mute")).unwrap();
    assert_eq!(tested.analyze(), passed());
    // Broken by what no digest sees: believed until somebody looks.
    tested.break_tool();
    assert_eq!(tested.analyze(), remembered());
    tested.world.says(&["tools", "check", "fake"]).exits(3);
    assert_eq!((tested.analyze(), tested.mark()), (untrusted(), None));
}

#[test]
fn two_processes_may_test_a_tool_at_once() {
    let tested = Tested::new();
    let quiet = || {
        let mut command = tested.world.analysis(&[]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut both = [quiet(), quiet()];
    for process in &mut both {
        assert_eq!(process.wait().unwrap().code(), Some(0));
    }
    assert!(tested.mark().is_some());
}

#[test]
fn a_user_who_leaves_the_planted_rule_out_has_not_broken_the_tool() {
    let mut tested = Tested::new();
    tested.world.set("settings", json!({ "fake": { "options": { "skip": true } } }));
    assert_eq!(tested.analyze(), passed());
    tested.world.says(&["tools", "check", "fake"]).exits(0);
}

#[test]
fn a_check_tells_every_end_then_a_table_and_what_is_in_force() {
    let mut tested = Tested::new();
    tested.world.tool("mute", Fake::untrusted());
    tested.world.tool("plain", Fake::clean());
    tested.world.tool("gone", Fake::missing());
    let ran = tested.world.says(&["tools", "check", "fake", "mute", "plain", "gone"]);
    ran.exits(3);
    for line in [
        " fake: ok, it finds what was planted (",
        " mute: untrusted, `bad-three` was planted, and it reports nothing (",
        " plain: no inputs, it has no self-test",
        " gone: unavailable, `no-such-program` is not on PATH",
    ] {
        assert!(ran.stderr().contains(line), "no `{line}` in:\n{}", ran.stderr());
    }
    let table = ran.stdout();
    let states =
        [("fake", "ok"), ("mute", "untrusted"), ("plain", "not proven"), ("gone", "unavailable")];
    for (tool, state) in states {
        let line = table.lines().find(|line| line.starts_with(tool)).unwrap();
        assert!(line.contains(state), "{line}");
    }
    let (_, layers) = table.split_once("in force on this machine:\n").unwrap();
    let ran = tested.world.says(&["tools", "check", "--json", "fake", "mute", "plain", "gone"]);
    ran.exits(3);
    let said: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let absent = "not in force: ";
    let (missing, shown): (Vec<&str>, Vec<&str>) =
        layers.lines().map(str::trim).partition(|line| line.starts_with(absent));
    assert_eq!(said["isolation"], json!(shown));
    let missing: Vec<&str> = missing.iter().filter_map(|line| line.strip_prefix(absent)).collect();
    assert_eq!(said["missing"], json!(missing));
    assert!(missing.contains(&"files: the sandbox is off"), "{missing:?}");
    for (tool, state) in states {
        let tools = said["tools"].as_array().unwrap();
        let found = tools.iter().find(|found| found["tool"] == tool).unwrap();
        assert_eq!(found["state"], state);
        assert_eq!(found["usage"].is_null(), matches!(tool, "plain" | "gone"), "{found}");
    }
    tested.world.says(&["tools", "check", "fake"]).exits(0);
}
