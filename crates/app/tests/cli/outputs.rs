//! What goes to which stream and which file.

use crate::{
    fake::Fake,
    world::{LONG, World},
};
use rustix::fs::{OFlags, fcntl_setfl};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, PipeReader, PipeWriter, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Stdio,
};
use testkit::wait_until;

const FORMATS: [&str; 8] =
    ["json", "sarif", "junit", "gitlab", "github", "markdown", "html", "csv"];

/// A finding and a gap: what every report has to show.
pub(crate) fn world() -> World {
    let mut world = World::with(Fake::finding("high"));
    world.tool("gone", Fake::missing());
    world
}

#[track_caller]
fn holds(schema: &str, value: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(schema);
    let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

const REPORT_SCHEMA: &str = "docs/schema/report.schema.json";
const SARIF_SCHEMA: &str = "crates/report/tests/data/sarif-2.1.0.schema.json";

/// Fails unless the text is of this format.
#[track_caller]
fn reads_as(format: &str, text: &str) {
    let json = || serde_json::from_str::<Value>(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    match format {
        "json" => holds(REPORT_SCHEMA, &json()),
        "sarif" => holds(SARIF_SCHEMA, &json()),
        "gitlab" => assert!(json().is_array() || json().is_object()),
        "junit" => assert!(text.starts_with("<?xml") && text.trim_end().ends_with("</testsuites>")),
        "html" => {
            assert!(text.starts_with("<!doctype html>") && text.contains("</html>"), "{text}");
        }
        "github" => assert!(text.lines().any(|line| line.starts_with("::error")), "{text}"),
        "csv" => assert!(text.starts_with("record,") && text.contains("\nfinding,"), "{text}"),
        _ => assert!(text.contains("bad-three"), "{text}"),
    }
}

#[test]
fn a_machine_format_has_standard_output_to_itself() {
    let world = world();
    for format in FORMATS {
        let ran = world.analyze(&["--format", format]);
        ran.exits(3);
        reads_as(format, &ran.stdout());
        // The rest is on the other stream: progress, and the summary with where the reports are.
        ran.complains(&["analysis incomplete", "report.html"]);
    }
}

#[test]
fn every_format_goes_to_files_too_and_the_summary_stays_on_standard_output() {
    let world = world();
    let args: Vec<String> =
        FORMATS.iter().map(|format| format!("--format={format}=out.{format}")).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ran = world.analyze(&args);
    ran.exits(3);
    assert!(ran.stdout().contains("bad-three"), "{}", ran.stdout());
    for format in FORMATS {
        let path = world.at("cwd").join(format!("out.{format}"));
        reads_as(format, &fs::read_to_string(&path).unwrap());
        assert!(ran.stdout().contains(&format!("out.{format}")), "{format} is not named");
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o644);
    }
    assert_eq!(entries(&world.at("cwd")).len(), FORMATS.len() + 1, "nothing else is left");
}

#[test]
fn human_and_one_machine_format_share_the_streams() {
    let world = world();
    let ran = world.analyze(&["--format", "human", "--format", "json"]);
    reads_as("json", &ran.stdout());
    let ran = world.analyze(&["--format", "human"]);
    assert!(ran.stdout().contains("bad-three"));
    let ran = world.analyze(&["--format", "human=out.txt"]);
    assert!(ran.stdout().contains("bad-three"));
    assert!(fs::read_to_string(world.at("cwd/out.txt")).unwrap().contains("bad-three"));
}

#[test]
fn formats_that_cannot_be_are_refused_before_anything_runs() {
    let world = world();
    for formats in [
        &["--format", "json", "--format", "sarif"][..],
        &["--format", "json,sarif"],
        &["--format", "json="],
        &["--format", "json=x", "--format", "sarif=x"],
        &["--format", ""],
        &["--format"],
    ] {
        let ran = world.analyze(formats);
        ran.exits(2);
        assert_eq!((ran.stdout().as_str(), &ran.results), ("", &None), "{formats:?}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_a_code_2_and_keeps_the_results() {
    let world = world();
    let ran = world.analyze(&["--format", "json=no/such/folder/out.json"]);
    ran.exits(2).complains(&["no/such/folder/out.json", "hint:"]);
    assert!(ran.results_dir().join("report.json").is_file());
    assert!(ran.results_dir().join("manifest.json").is_file());
}

#[test]
fn what_is_stored_is_what_the_schemas_say() {
    let world = world();
    let ran = world.analyze(&[]);
    holds(REPORT_SCHEMA, &ran.report());
    let sarif = ran.results_dir().join("sarif");
    assert_eq!(
        entries(&sarif),
        ["consolidated.sarif.json", "static_fake.sarif.json", "static_gone.sarif.json"]
    );
    for name in entries(&sarif) {
        holds(SARIF_SCHEMA, &serde_json::from_slice(&fs::read(sarif.join(name)).unwrap()).unwrap());
    }
    let manifest = fs::read(ran.results_dir().join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    for name in ["report.json", "report.html", "services/static.json", "logs/fake.stdout"] {
        assert!(ran.results_dir().join(name).is_file(), "{name}");
        assert!(manifest["files"].to_string().contains(name), "{name} is not in the manifest");
    }
    let page = fs::read_to_string(ran.results_dir().join("report.html")).unwrap();
    assert!(page.contains("gone") && page.contains("install fake"), "the gap and its mend");
    assert!(!page.contains("src=\"http") && !page.contains("url(http"), "it asks for nothing");
}

fn entries(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn quiet_prints_what_was_asked_for_and_nothing_else() {
    let world = world();
    let ran = world.analyze(&["--quiet", "--format", "json"]);
    ran.exits(3);
    reads_as("json", &ran.stdout());
    assert_eq!(ran.stderr(), "");
    let ran = world.analyze(&["--quiet", "--format", "json=out.json"]);
    ran.exits(3);
    assert_eq!(ran.stderr(), "");
    world.analyze(&["--quiet", "--no-such-option"]).exits(2).complains(&["error:"]);
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let world = world();
    let coloured = |args: &[&str], variables: &[(&str, &str)]| {
        let mut command = world.analysis(args);
        let ran = world.run(command.envs(variables.iter().copied()));
        ran.stdout().contains('\u{1b}')
    };
    assert!(!coloured(&[], &[]));
    assert!(!coloured(&["--color", "never"], &[]));
    assert!(coloured(&["--color", "always"], &[]));
    assert!(coloured(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(!coloured(&[], &[("NO_COLOR", "1")]));
    assert!(coloured(&[], &[("ASSAY_COLOR", "always")]));
    let ran = world.analyze(&["--color", "always", "--format", "json"]);
    reads_as("json", &ran.stdout());
    assert!(ran.stderr().contains('\u{1b}'), "the summary is on the other stream");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let world = World::new();
    let file = world.at("report");
    // Far more than a pipe holds.
    let line = "a.py:3: high bad-three: three is bad\n";
    let lines: String = (0..1_000).map(|n| line.replace("three:", &format!("{n}:"))).collect();
    fs::write(&file, lines).unwrap();
    let mut world = world;
    world.tool("fake", Fake::writing(&file, 1));
    for format in ["json", "human", "csv", "html"] {
        let mut command = world.analysis(&["--format", format, "--fail-on", "high"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("panicked") && !said.contains("error:"), "{format}: {said}");
        assert_eq!(output.status.code(), Some(1), "{format}: {:?}", output.status);
    }
    // Nobody listens from the beginning.
    for args in [
        &["tools", "list"][..],
        &["config", "show"],
        &["man"],
        &["--help"],
        &["completions", "bash"],
    ] {
        let mut command = world.assay(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
    }
}

#[test]
fn a_report_can_go_to_a_device_and_a_full_one_is_told() {
    let world = world();
    let ran = world.analyze(&["--format", "json=/dev/null"]);
    ran.exits(3);
    let ran = world.analyze(&["--format", "json=/dev/full"]);
    ran.exits(2).complains(&["/dev/full"]);
    let mut command = world.analysis(&["--format", "json"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output =
        command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"), "{output:?}");
}

#[test]
fn progress_is_a_line_an_event_and_log_lines_are_json_where_wanted() {
    let world = world();
    let ran = world.analyze(&[]);
    ran.complains(&["analysing", "fake: ok, 1 finding", "gone: ", "analysis incomplete"]);
    let ran = world.analyze(&["--verbose", "--log-format", "json"]);
    let logged = ran.stderr();
    let lines = logged.lines().filter(|line| line.starts_with('{'));
    let parsed: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!parsed.is_empty(), "{logged}");
}

/// The levels of the lines that are logged.
fn levels(world: &World, args: &[&str], asked: Option<&str>) -> BTreeSet<String> {
    let mut command = world.analysis(&[&["--log-format", "json"], args].concat());
    command.envs(asked.map(|level| ("ASSAY_LOG", level)));
    let logged = world.run(&mut command).stderr();
    let lines = logged.lines().filter(|line| line.starts_with('{'));
    let level =
        |line| serde_json::from_str::<Value>(line).unwrap()["level"].as_str().unwrap().to_owned();
    lines.map(level).collect()
}

#[test]
fn who_asks_for_more_is_told_more_and_nobody_else() {
    let world = World::with(Fake::finding("high"));
    let told = |args: &[&str], asked| levels(&world, args, asked);
    let has = |levels: &BTreeSet<String>, level: &str| levels.contains(level);
    let usual = told(&[], None);
    assert!(!has(&usual, "INFO") && !has(&usual, "DEBUG"), "{usual:?}");
    let more = told(&["-v"], None);
    assert!(has(&more, "INFO") && !has(&more, "DEBUG"), "{more:?}");
    let all = told(&["-vv"], None);
    assert!(has(&all, "INFO") && has(&all, "DEBUG"), "{all:?}");
    // The variable beats the flag.
    assert!(told(&["-vv"], Some("error")).is_empty());
    assert!(has(&told(&[], Some("debug")), "DEBUG"));
}

#[test]
fn events_are_kept_as_they_come() {
    let mut world = World::with(Fake::finding("high"));
    world.without_a_cage();
    let gate = world.at("gate");
    let script = "while [ ! -e \"$0\" ]; do sleep 0.01; done; exit 0";
    let waits = Fake::clean()
        .with("run.program", json!("/bin/sh"))
        .with("run.args", json!(["-c", script, gate]))
        .with("install.version-args", json!(["-c", "echo 1.2.3"]));
    world.tool("waits", waits);
    let mut command = world.analysis(&[]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // While one still works, a reader sees on disk that the other has ended.
    let ended = || {
        let dirs = world.all_results();
        let texts = dirs.iter().map(|dir| fs::read_to_string(dir.join("events.ndjson")));
        texts
            .flatten()
            .any(|text| text.lines().any(|l| l.contains("tool_ended") && l.contains("\"fake\"")))
    };
    assert!(wait_until(LONG, ended));
    fs::write(&gate, "").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let dir = world.all_results().into_iter().next().unwrap();
    let events = fs::read_to_string(dir.join("events.ndjson")).unwrap();
    let seqs: Vec<u64> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap())
        .collect();
    assert!(seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{seqs:?}");
}

#[test]
fn how_many_tools_run_side_by_side_changes_nothing_in_the_report() {
    let mut world = World::new();
    for number in 0..6 {
        let steps = (1..=5).map(|line| format!("say=a.py:{line}: high r{number}: bad {number}"));
        world.tool(&format!("t{number}"), Fake::new(steps.chain(["exit=1".to_owned()])));
    }
    let told = |jobs: &str| {
        let mut report = world.analyze(&["--jobs", jobs]).report();
        let findings = report["findings"].take();
        let tools = report["tools"].as_array().unwrap().iter();
        (findings, tools.map(|run| run["tool"].clone()).collect::<Vec<_>>())
    };
    let alone = told("1");
    assert_eq!(alone.0.as_array().unwrap().len(), 30);
    assert_eq!(alone, told("6"));
}

/// A pipe that takes nothing more.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    while writer.write(b"x").is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    (reader, writer)
}

#[test]
fn a_terminal_that_stands_still_holds_up_no_results() {
    let world = World::with(Fake::finding("high"));
    let (mut reader, writer) = full_pipe();
    let mut command = world.analysis(&[]);
    let mut child = command.stdout(Stdio::null()).stderr(writer).spawn().unwrap();
    drop(command);
    let is_written = || {
        let results = world.all_results();
        results.iter().any(|results| results.join("report.json").exists())
    };
    assert!(wait_until(LONG, is_written), "the results wait for the terminal");
    assert!(child.try_wait().unwrap().is_none(), "it was not held up at all");
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(said.contains("fake: ok, 1 finding"), "{}", said.trim_start_matches('x'));
}
