//! Tools that lie, break and attack. A zero is a zero only where it is one.

use crate::{
    fake::{FINDING, Fake},
    world::{Ran, World, tool},
};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// Runs the tools on `a.py`; whatever they do, nothing raw reaches the terminal.
#[track_caller]
fn run_all(world: &World) -> Ran {
    let ran = world.analyze(&[]);
    for (name, stream) in [("stdout", &ran.output.stdout), ("stderr", &ran.output.stderr)] {
        let text = std::str::from_utf8(stream).unwrap_or_else(|_| panic!("{name} is not UTF-8"));
        let at = text.find(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}');
        assert_eq!(at, None, "a control character in {name}: {text:?}");
    }
    assert_eq!(world.left_over(), Vec::<PathBuf>::new());
    ran
}

/// As [`run_all`], for one tool; nobody may read its result as clean.
#[track_caller]
fn run(world: &World) -> (Ran, Value) {
    let ran = run_all(world);
    let tool = ran.tool("fake");
    assert_eq!(tool["clean"], false, "{tool}");
    (ran, tool)
}

/// Tools that must not do their work, each in its own way, all in one analysis.
struct Cases {
    world: World,
    /// The status and a part of the reason, by the tool's number.
    expected: Vec<(&'static str, String)>,
}

// === impl Cases ===

impl Cases {
    fn new() -> Self {
        Self { world: World::new(), expected: Vec::new() }
    }

    fn add(&mut self, fake: Fake, status: &'static str, reason: impl Into<String>) {
        self.world.tool(&format!("fake-{}", self.expected.len()), fake);
        self.expected.push((status, reason.into()));
    }

    /// A tool whose report holds these bytes, with the code for nothing found and that for some.
    fn report(&mut self, report: impl AsRef<[u8]>, shape: fn(Fake) -> Fake, reason: &str) {
        for code in [0, 1] {
            let file = self.world.at(format!("report-{}", self.expected.len()));
            fs::write(&file, report.as_ref()).unwrap();
            self.add(shape(Fake::writing(&file, code)), "output_invalid", reason);
        }
    }

    /// Every tool has its status, every gap is told and the code is 3.
    #[track_caller]
    fn check(self) {
        let ran = run_all(&self.world);
        ran.exits(3);
        assert!(ran.stdout().contains("Did not do their work"), "{}", ran.stdout());
        let page = fs::read_to_string(ran.results_dir().join("report.html")).unwrap();
        let report = ran.report();
        for (number, (status, reason)) in self.expected.iter().enumerate() {
            let id = format!("fake-{number}");
            let tool = tool(&report, &id);
            assert_eq!(tool["status"], *status, "{tool}");
            assert_eq!(tool["clean"], false, "{tool}");
            let why = tool["reason"].as_str().unwrap_or_default();
            assert!(!why.is_empty() && why.contains(reason), "`{reason}` is not in `{why}`");
            assert!(page.contains(&id) && ran.stdout().contains(&id), "{id} is not told");
        }
    }
}

#[test]
fn an_honest_tool_is_believed() {
    let world = World::with(Fake::clean());
    let ran = world.analyze(&[]);
    ran.exits(0);
    assert_eq!(ran.tool("fake")["clean"], true);
    assert_eq!(ran.tool("fake")["version"], "1.2.3");
    let world = World::with(Fake::finding("high"));
    let ran = world.analyze(&[]);
    assert_eq!(ran.tool("fake")["clean"], false);
    assert_eq!(ran.findings(), ["a.py:3 bad-three"]);
}

#[test]
fn a_tool_of_an_unknown_version_is_not_clean() {
    let world = World::with(Fake::clean().without("install.version-args"));
    run(&world);
    let world = World::with(Fake::clean().with("install.version-args", json!(["say=what?"])));
    run(&world);
}

#[test]
fn a_report_that_is_none_is_not_read_as_nothing_found() {
    let mut cases = Cases::new();
    for shape in [Fake::json, Fake::sarif] {
        cases.report("", shape, "no report");
        cases.report(" \n\n", shape, "no report");
        cases.report("everything is fine\n", shape, "");
        cases.report("{\"results\": [", shape, "ends in the middle");
        cases.report("{\"results\": []", shape, "ends in the middle");
        cases.report("{\"other\": 1}", shape, "is missing");
        cases.report("[]", shape, "");
        cases.report("null", shape, "");
        cases.report(b"\xff\xfe{\0}\0", shape, "");
        cases.report("[".repeat(10_000), shape, "");
    }
    cases.report("{\"results\": []} and more", Fake::json, "follows its report");
    cases.report("all is well\n", |fake| fake, "not understood");
    cases.check();
}

#[test]
fn deep_nesting_inside_of_a_report_is_refused_and_does_not_overflow() {
    let mut cases = Cases::new();
    let deep = format!("{{\"results\": [{}{}]}}", "[".repeat(10_000), "]".repeat(10_000));
    cases.report(deep, Fake::json, "nested deeper");
    let (open, close) = ("{\"a\":".repeat(10_000), "}".repeat(10_000));
    let deep = format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"x"}}}},"properties":{open}1{close},"results":[]}}]}}"#,
    );
    cases.report(deep, Fake::sarif, "nested deeper");
    cases.check();
}

#[test]
fn sarif_that_says_of_itself_that_it_failed_is_a_failure() {
    let log = json!({ "version": "2.1.0", "runs": [{
        "tool": { "driver": { "name": "fake" } }, "results": [],
        "invocations": [{ "executionSuccessful": false, "toolExecutionNotifications": [
            { "level": "error", "message": { "text": "no rules could be loaded" } } ] }],
    }]});
    let mut cases = Cases::new();
    let file = cases.world.at("report");
    fs::write(&file, log.to_string()).unwrap();
    cases.add(Fake::writing(&file, 0).sarif(), "failed", "no rules could be loaded");
    cases.check();
}

#[test]
fn an_exit_code_has_to_agree_with_the_report() {
    let mut cases = Cases::new();
    cases.add(Fake::new(["exit=1"]), "output_invalid", "says that something was found");
    cases.add(Fake::new([FINDING, "exit=0"]), "output_invalid", "says that nothing was found");
    for code in [2, 3, 98, 127, 255] {
        let (exit, reason) = (format!("exit={code}"), format!("code {code}"));
        cases.add(Fake::new([exit.clone()]), "failed", &reason);
        cases.add(Fake::new([FINDING.to_owned(), exit]), "failed", &reason);
    }
    let complaint = ["complain=no such rule set", "complain=giving up", "exit=2"];
    cases.add(Fake::new(complaint), "failed", "giving up");
    cases.check();
}

#[test]
fn a_tool_that_is_killed_failed() {
    let mut cases = Cases::new();
    for signal in [6, 9, 15] {
        let (end, reason) = (format!("signal={signal}"), format!("signal {signal}"));
        cases.add(Fake::new([end.clone()]), "failed", &reason);
        cases.add(Fake::new([FINDING.to_owned(), end]), "failed", &reason);
    }
    cases.check();
}

#[test]
fn a_flood_does_not_fill_the_disk_or_the_memory() {
    // More than any tool may write; the tool is stopped, and said to be.
    let mut cases = Cases::new();
    cases.add(Fake::new(["stdout-mib=3000", "exit=0"]), "failed", "wrote more output than");
    cases.add(Fake::new(["long-lines=40", "exit=0"]), "output_invalid", "");
    cases.check();
    // Complaints are no report: they are cut, and the report still counts.
    let world = World::with(Fake::new([FINDING, "stderr-mib=300", "exit=1"]));
    let (ran, tool) = run(&world);
    assert_eq!(tool["status"], "ok");
    let kept = fs::metadata(ran.results_dir().join("logs/fake.stderr")).unwrap().len();
    assert!(kept < 20 << 20, "{kept} bytes are kept");
}

#[test]
fn a_report_somewhere_else_than_declared_is_no_report() {
    let mut cases = Cases::new();
    let report = json!({ "results": [
        { "path": "a.py", "line": 3, "severity": "high", "rule": "r", "message": "m" } ] });
    let file = cases.world.at("report");
    fs::write(&file, report.to_string()).unwrap();
    let in_file = json!("file:out.json");
    for code in [0, 1] {
        cases.add(Fake::complaining(&file, code).json(), "output_invalid", "no report");
        let on_stdout = Fake::writing(&file, code).json().with("output.from", in_file.clone());
        cases.add(on_stdout, "output_invalid", "no report");
    }
    cases.check();
    let steps = ["write-file={scratch}/out.json:{\"results\": []}", "exit=0"];
    let world = World::with(Fake::new(steps).json().with("output.from", in_file));
    let ran = world.analyze(&[]);
    assert_eq!(ran.tool("fake")["clean"], true, "{}", ran.tool("fake"));
}

#[test]
fn a_report_on_standard_error_that_is_cut_is_not_read_as_whole() {
    let world = World::new();
    let file = world.at("report");
    let line = format!("a.py:3: high bad-three: {}\n", "bad ".repeat(1000));
    let count = (20 << 20) / line.len();
    fs::write(&file, line.repeat(count)).unwrap();
    let mut world = world;
    world.tool("fake", Fake::complaining(&file, 1).with("output.from", json!("stderr")));
    let (_, tool) = run(&world);
    let whole = tool["observations"] == count;
    assert!(whole || tool["status"] != "ok", "of {count} findings: {tool}");
}

#[test]
fn a_report_that_is_no_file_or_lies_behind_a_link_is_not_read() {
    let mut cases = Cases::new();
    // What the links lead to is a sound report: whoever followed one would call the tool clean.
    let outside = cases.world.at("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("out.json"), "{\"results\": []}").unwrap();
    let outside = outside.display();
    for (steps, name, reason) in [
        (vec![format!("make-link={outside}/out.json:{{scratch}}/out.json")], "out.json", "link"),
        (vec![format!("make-link={outside}:{{scratch}}/deep")], "deep/out.json", "link"),
        (vec!["make-link=/etc:{scratch}/deep".to_owned()], "deep/passwd", "link"),
        (vec!["make-link=/dev/zero:{scratch}/out.json".to_owned()], "out.json", "link"),
        (vec!["make-fifo={scratch}/out.json".to_owned()], "out.json", "no regular file"),
        (vec!["make-dir={scratch}/out.json".to_owned()], "out.json", "no regular file"),
    ] {
        let fake = Fake::new(steps.into_iter().chain(["exit=0".to_owned()])).json();
        let fake = fake.with("output.from", json!(format!("file:{name}")));
        cases.add(fake, "output_invalid", reason);
    }
    cases.check();
}

#[test]
fn a_tool_that_closes_its_output_and_stays_is_timed_out() {
    let mut world = World::with(Fake::new([FINDING, "close-stdout", "hang"]));
    world.set("settings", json!({ "fake": { "timeout": "300ms" } }));
    let (ran, tool) = run(&world);
    ran.exits(3);
    assert_eq!((&tool["status"], &tool["end"]["how"]), (&json!("timed_out"), &json!("timed_out")));
    // What it had reported by then is kept.
    assert_eq!(ran.findings(), ["a.py:3 bad-three"]);
}

#[test]
fn a_tool_that_asks_gets_no_answer_and_goes_on() {
    let quiet = Fake::new(["read-stdin", "exit=0"]);
    let world = World::with(quiet.with("output.map.ignore-lines", json!(["^stdin 0 bytes$"])));
    let ran = run_all(&world);
    assert_eq!(ran.tool("fake")["status"], "ok", "{}", ran.tool("fake"));
}

#[test]
fn complaints_without_end_and_without_a_line_end_are_cut() {
    let world = World::with(Fake::new([FINDING, "stderr-long-lines=300", "exit=1"]));
    let (ran, tool) = run(&world);
    assert_eq!((&tool["status"], ran.findings()), (&json!("ok"), vec!["a.py:3 bad-three".into()]));
    let kept = fs::metadata(ran.results_dir().join("logs/fake.stderr")).unwrap().len();
    assert!(kept < 20 << 20, "{kept} bytes are kept");
    let report = fs::metadata(ran.results_dir().join("report.json")).unwrap().len();
    assert!(report < 1 << 20, "the report has {report} bytes");
}

/// One item of a JSON report, as the tool writes it.
fn item(path: &str, line: &Value, message: &str) -> String {
    json!({ "results": [
        { "path": path, "line": line, "severity": "high", "rule": "r", "message": message } ] })
    .to_string()
}

/// Declares a tool for each of these JSON reports.
fn reporting<S: AsRef<str>>(reports: impl IntoIterator<Item = S>) -> World {
    let mut world = World::new();
    for (number, report) in reports.into_iter().enumerate() {
        let file = world.at(format!("report-{number}"));
        fs::write(&file, report.as_ref()).unwrap();
        world.tool(&format!("fake-{number}"), Fake::writing(&file, 1).json());
    }
    world
}

/// What every one of these reports says is a finding or a broken promise, and never lost.
#[track_caller]
fn told(reports: &[String]) -> Value {
    let ran = run_all(&reporting(reports));
    let report = ran.report();
    for (number, text) in reports.iter().enumerate() {
        let run = tool(&report, &format!("fake-{number}"));
        assert_eq!(run["clean"], false, "{run}");
        let findings = report["findings"].as_array().unwrap();
        let seen = |finding: &Value| {
            finding["sightings"].to_string().contains(&format!("\"fake-{number}\""))
        };
        assert!(findings.iter().any(seen) || run["status"] == "output_invalid", "{text}: {run}");
    }
    report
}

#[test]
fn what_a_tool_writes_never_reaches_the_terminal_as_it_is() {
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\r\u{8}bad\u{202e}";
    told(&[item("a.py", &json!(3), evil), item(evil, &json!(3), "m")]);
    // Whatever else it says: its reason, its path, its version.
    let mut world = World::new();
    world.tool("fake", Fake::new([format!("complain={evil}"), "exit=2".to_owned()]));
    run(&world);
    let version = json!([format!("say={evil} 1.2.3")]);
    world.tool("fake", Fake::finding("high").with("install.version-args", version));
    run(&world);
    world.file("\u{1b}[31mred.py", "x\n");
    run(&world);
}

#[test]
fn a_path_outside_of_the_app_is_shown_to_nobody() {
    let paths =
        ["../../etc/passwd", "/etc/passwd", "a.py/../../x", "..", "none.py", "a\u{0}.py", ""];
    let report = told(&paths.map(|path| item(path, &json!(1), "look here")));
    for finding in report["findings"].as_array().unwrap() {
        let place = finding["location"]["path"].as_str().unwrap_or_default();
        assert!(!place.starts_with('/') && !place.contains(".."), "{finding}");
        assert!(!finding.to_string().contains("root:x"), "{finding}");
    }
}

#[test]
fn a_line_that_is_no_line_does_not_lose_the_finding() {
    let lines = json!([
        0,
        -1,
        1e300,
        4_294_967_296_u64,
        u64::MAX,
        "3",
        "NaN",
        "x",
        null,
        2.5,
        [],
        {},
        999_999
    ]);
    let lines = lines.as_array().unwrap().iter();
    let mut reports: Vec<String> = lines.map(|line| item("a.py", line, "m")).collect();
    let raw = ["NaN", "-Infinity", "01", "1e999", "0x3"];
    reports.extend(raw.map(|raw| item("a.py", &json!("@"), "m").replace("\"@\"", raw)));
    told(&reports);
}

#[test]
fn text_that_is_not_utf8_does_not_lose_the_finding() {
    let world = World::new();
    let file = world.at("report");
    fs::write(&file, b"a.py:3: high r: not \xff\xfe utf8\n").unwrap();
    let mut world = world;
    world.tool("fake", Fake::writing(&file, 1));
    let (ran, tool) = run(&world);
    let told = ran.report()["findings"].as_array().unwrap().len() == 1;
    assert!(told || tool["status"] == "output_invalid", "{tool}");
}

#[test]
fn a_hundred_thousand_findings_are_kept_and_bounded() {
    let world = World::new();
    let file = world.at("report");
    let lines: Vec<String> =
        (0..100_000).map(|n| format!("a.py:{}: low r{}: m {n}", n % 5 + 1, n % 977)).collect();
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    let mut world = world;
    world.tool("fake", Fake::writing(&file, 1));
    let ran = world.analyze(&["--format", "sarif=out.sarif", "--fail-on", "low"]);
    ran.exits(1);
    assert_eq!(ran.tool("fake")["observations"], 100_000);
    assert!(ran.stdout().lines().count() < 60, "{}", ran.stdout());
}

#[test]
fn a_self_test_that_fails_is_told_by_analyze_and_by_check() {
    let world = World::with(Fake::untrusted());
    let (ran, tool) = run(&world);
    ran.exits(3);
    assert_eq!(tool["status"], "untrusted");
    assert_eq!(tool["mend"], "assay tools check fake");
    let checked = world.says(&["tools", "check", "fake"]);
    checked.exits(3);
    assert!(checked.stdout().contains("untrusted"), "{}", checked.stdout());
    assert!(checked.stdout().contains("bad-three"), "{}", checked.stdout());
}

#[test]
fn a_self_test_that_passes_is_tried_once() {
    let mut world = World::new();
    world.without_a_cage();
    let canary = json!({
        "expect": "bad-three",
        "defect": [{ "path": "a.py", "text": "1\n2\nthree = 3\n" }],
        "clean": [{ "path": "b.py", "text": "four = 4\n" }],
    });
    // Finds its rule in every `a.py`: a shell looks.
    let script = "echo $$ >>\"$0\"; test -e \"$1/a.py\" || exit 0; echo 'a.py:3: high bad-three: bad'; exit 1";
    let fake = Fake::clean()
        .with("run.program", json!("/bin/sh"))
        .with("run.args", json!(["-c", script, world.at("pids"), "{project}"]))
        .with("install.version-args", json!(["-c", "echo 1.2.3"]))
        .with("canary", canary);
    world.tool("fake", fake);
    world.analyze(&["--fail-on", "any"]).exits(1);
    assert_eq!(world.pids("pids", 3).len(), 3, "the defect, the clean sample, the app");
    world.analyze(&["--fail-on", "any"]).exits(1);
    assert_eq!(world.pids("pids", 4).len(), 4, "the app alone");
    world.says(&["tools", "check", "fake"]).exits(0);
    assert_eq!(world.pids("pids", 6).len(), 6, "`tools check` always tries");
}
