//! Every tool of the catalogue × everything that can go wrong with it. Never once "clean".
//!
//! Rows come from the catalogue, so a new tool is in it by itself. One analysis runs all tools with
//! one fault. What was seen is the table in `docs/robustness.md`; `UPDATE_DOCS=1` writes it.

mod rows; // every row with a fake program in place of its own
mod spoil; // reports that are broken in one way

use crate::world::{Ran, World, tool};
use rows::{Row, Stream, inputs, rows};
use serde_json::{Value, json};
use spoil::{cut, deep, empty_sarif, escapes, foreign, no_numbers, outside, unsuccessful};
use std::{collections::BTreeMap, fs, path::Path};

/// What a fault makes of a row: the steps of its program, and the files that these write.
type Spoilt = (Vec<String>, Vec<(&'static str, String)>);

/// One thing that can go wrong.
struct Fault {
    name: &'static str,
    spoil: fn(&Row) -> Spoilt,
    /// What else is wrong with the row.
    edit: fn(&mut Value),
    /// The statuses that may be said of it.
    status: fn(&Row) -> &'static [&'static str],
}

const UNAVAILABLE: &[&str] = &["unavailable"];
const FAILED: &[&str] = &["failed"];
const INVALID: &[&str] = &["output_invalid"];

/// A report that says itself that it is none, or one that is not the tool's.
const REFUSED: &[&str] = &["failed", "output_invalid"];

/// What is odd in a report and breaks none of its promises is kept as a finding.
const KEPT_OR_REFUSED: &[&str] = &["ok", "output_invalid"];

const FAULTS: &[Fault] = &[
    Fault::unusable("missing", |says| says["run"]["program"] = json!("/no/such/program")),
    Fault::unusable("not executable", |says| {
        says["run"]["program"] = json!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    }),
    Fault::unusable("wrong version", |says| {
        says["install"]["version-args"] = json!(["say=fake 9.10.2"]);
    }),
    Fault::unusable("version that it does not tell", |says| {
        says["install"]["version-args"] = json!(["say=hello"]);
    }),
    Fault::new(
        "crash before output",
        |_| steps(&["complain=Illegal instruction", "signal=4"]),
        |_| FAILED,
    ),
    Fault::new(
        "uncaught exception (code 1)",
        |_| {
            steps(&[
                "complain=Traceback (most recent call last):",
                "complain=KeyError: 3",
                "exit=1",
            ])
        },
        |_| REFUSED,
    ),
    Fault::new("crash in the middle", |row| written(row, cut(row), "signal=6"), |_| FAILED),
    Fault::new(
        "killed by a signal",
        |row| written(row, row.findings.report.clone(), "signal=9"),
        |_| FAILED,
    ),
    Fault::new(
        "out of memory, in its own words",
        |_| steps(&["complain=FATAL ERROR: JavaScript heap out of memory", "signal=6"]),
        |_| FAILED,
    ),
    Fault::new(
        "timeout",
        |row| written(row, row.findings.report.clone(), "hang"),
        |_| &["timed_out"],
    ),
    Fault::new(
        "empty output",
        |_| steps(&["exit=0"]),
        |row| {
            // Nothing else tells these from a tool that found nothing: their self-test does, below.
            if row.takes_nothing_for_clean() { &["ok"] } else { INVALID }
        },
    ),
    Fault::new("truncated output", |row| ended(row, cut(row)), |_| INVALID),
    Fault::new(
        "garbage",
        |row| ended(row, "everything is fine\n\u{1}\u{2}".to_owned()),
        |_| INVALID,
    ),
    Fault::new("output on the wrong stream", elsewhere, |_| INVALID),
    Fault::new(
        "wrong exit code",
        |row| written(row, row.findings.report.clone(), "exit=97"),
        |_| FAILED,
    ),
    Fault::new("JSON of another tool", |row| ended(row, foreign(row)), |_| INVALID),
    Fault::new(
        "empty SARIF of another tool",
        |row| clean(row, empty_sarif("another")),
        |_| INVALID,
    ),
    Fault::new(
        "SARIF that says it failed",
        |row| ended(row, unsuccessful(row)),
        |row| {
            if row.format() == "sarif" { FAILED } else { INVALID }
        },
    ),
    Fault::new(
        "invalid UTF-8",
        |row| {
            let mut spoilt = ended(row, spoil::not_utf8(row));
            spoilt.0.insert(0, "break-utf8".to_owned());
            spoilt
        },
        |_| KEPT_OR_REFUSED,
    ),
    Fault::new("JSON 10,000 deep", |row| ended(row, deep()), |_| INVALID),
    Fault::new(
        "line numbers that are none",
        |row| ended(row, no_numbers(row)),
        |_| KEPT_OR_REFUSED,
    ),
    Fault::new("paths out of the app", |row| ended(row, outside(row)), |_| KEPT_OR_REFUSED),
    Fault::new("escape sequences", |row| ended(row, escapes(row)), |_| KEPT_OR_REFUSED),
];

// === impl Fault ===

impl Fault {
    const fn new(
        name: &'static str,
        spoil: fn(&Row) -> Spoilt,
        status: fn(&Row) -> &'static [&'static str],
    ) -> Self {
        Self { name, spoil, edit: |_| {}, status }
    }

    /// A program that must not even be started on the app.
    const fn unusable(name: &'static str, edit: fn(&mut Value)) -> Self {
        Self { name, spoil: sound, edit, status: |_| UNAVAILABLE }
    }
}

fn steps(words: &[&str]) -> Spoilt {
    (words.iter().map(|word| (*word).to_owned()).collect(), Vec::new())
}

/// Writes a report where it belongs, and ends so.
fn written(row: &Row, report: String, end: &str) -> Spoilt {
    (vec![row.write("report", Stream::Declared), end.to_owned()], vec![("report", report)])
}

/// Writes a report and ends as if all were well.
fn ended(row: &Row, report: String) -> Spoilt {
    written(row, report, &format!("exit={}", row.findings.code))
}

/// Writes a report and ends as if nothing were found.
fn clean(row: &Row, report: String) -> Spoilt {
    written(row, report, &format!("exit={}", row.clean.code))
}

/// As the tool behaves when it finds something.
fn sound(row: &Row) -> Spoilt {
    ended(row, row.findings.report.clone())
}

fn elsewhere(row: &Row) -> Spoilt {
    let end = format!("exit={}", row.findings.code);
    (vec![row.write("report", Stream::Other), end], vec![("report", row.findings.report.clone())])
}

/// A world in which every row does as `spoil` says.
fn world(rows: &[Row], spoil: fn(&Row) -> Spoilt, edit: fn(&mut Value)) -> World {
    let mut world = World::empty();
    for (path, text) in inputs() {
        world.file(path, text);
    }
    let mut timeouts = serde_json::Map::new();
    for row in rows {
        let (steps, files) = spoil(row);
        let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let mut says = row.doing(&steps, &files);
        edit(&mut says);
        world.declare(&row.name(), says);
        let hangs = steps.iter().any(|step| step == "hang");
        // Long enough for any other fault on a busy machine.
        let timeout = if hangs { "300ms" } else { "5m" };
        timeouts.insert(row.name(), json!({ "timeout": timeout }));
    }
    world.set("settings", Value::Object(timeouts));
    world.set("jobs", json!(8));
    world
}

/// Nothing that a tool wrote steers the terminal or names a place outside.
fn holds_nothing_raw(ran: &Ran, fault: &str) {
    for stream in [&ran.output.stdout, &ran.output.stderr] {
        let text = std::str::from_utf8(stream).unwrap();
        let raw = text.find(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}');
        assert_eq!(raw, None, "{fault}: {text:?}");
    }
    for finding in ran.report()["findings"].as_array().unwrap() {
        let place = finding["location"]["path"].as_str().unwrap_or_default();
        assert!(!place.starts_with('/') && !place.contains(".."), "{fault}: {finding}");
    }
}

#[test]
fn whatever_goes_wrong_with_a_tool_has_its_name_and_is_never_clean() {
    let rows = rows();
    let mut seen = BTreeMap::new();
    let mut wrong = Vec::new();
    for fault in FAULTS {
        let world = world(&rows, fault.spoil, fault.edit);
        let ran = world.analyze(&[]);
        holds_nothing_raw(&ran, fault.name);
        let report = ran.report();
        let statuses: &mut BTreeMap<String, u32> = seen.entry(fault.name).or_default();
        for row in &rows {
            let run = tool(&report, &row.name());
            let status = run["status"].as_str().unwrap();
            *statuses.entry(status.to_owned()).or_default() += 1;
            let found = run["observations"] != 0 || !run["notes"].is_null();
            let may_be_clean = fault.name == "empty output" && row.takes_nothing_for_clean();
            let named = status == "ok" || !run["reason"].is_null();
            let is_right = (fault.status)(row).contains(&status)
                && named
                && (may_be_clean || (run["clean"] == false && (status != "ok" || found)));
            if !is_right {
                wrong.push(format!("{} × {}: {status} {}", fault.name, row.id, run));
            }
        }
        assert_eq!(world.left_over(), Vec::<std::path::PathBuf>::new(), "{}", fault.name);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    the_page_says(&seen);
}

/// Without this the matrix could pass because every fake fails.
#[test]
fn the_same_tools_are_believed_when_nothing_goes_wrong() {
    let rows = rows();
    let found =
        world(&rows, |row| sound_with_words(row, &row.findings), |_| {}).analyze(&[]).report();
    let clean = world(&rows, |row| sound_with_words(row, &row.clean), |_| {}).analyze(&[]).report();
    for row in &rows {
        let run = tool(&found, &row.name());
        assert_eq!(run["status"], "ok", "{run}");
        assert!(run["observations"] != 0 || row.is_inventory(), "{run}");
        let run = tool(&clean, &row.name());
        assert_eq!(
            (&run["status"], &run["clean"]),
            (&json!("ok"), &json!(!row.is_inventory())),
            "{run}"
        );
    }
}

/// As the tool behaves, with what it writes beside its report.
fn sound_with_words(row: &Row, written: &rows::Written) -> Spoilt {
    let steps = [
        row.write("report", Stream::Declared),
        row.write("other", Stream::Other),
        format!("exit={}", written.code),
    ];
    (steps.into(), vec![("report", written.report.clone()), ("other", written.other.clone())])
}

/// What a tool says when its sample holds the planted defect, and when it does not.
fn sound_on_samples(row: &Row) -> Spoilt {
    let planted = &row.says["canary"]["defect"][0];
    let (path, text) = (planted["path"].as_str().unwrap(), planted["text"].as_str().unwrap());
    let if_planted = format!("if-same={{config}}/planted:{{project}}/{path}");
    let (found, clean) = (&row.findings, &row.clean);
    let steps = [
        if_planted.clone(),
        row.write("found", Stream::Declared),
        if_planted,
        format!("exit={}", found.code),
        row.write("clean", Stream::Declared),
        format!("exit={}", clean.code),
    ];
    let texts = [("found", &found.report), ("clean", &clean.report)];
    let mut files: Vec<_> = texts.map(|(name, text)| (name, text.clone())).into();
    files.push(("planted", text.to_owned()));
    (steps.into(), files)
}

/// The states of a self-test by tool, as `assay tools check` says them.
fn checked(rows: &[Row], spoil: fn(&Row) -> Spoilt) -> (BTreeMap<String, String>, Ran) {
    let mut world = world(rows, spoil, |_| {});
    for row in rows {
        world.edit(&row.name(), |says| says["canary"] = row.says["canary"].clone());
    }
    let names: Vec<String> = rows.iter().map(Row::name).collect();
    let mut words = vec!["tools", "check", "--json"];
    words.extend(names.iter().map(String::as_str));
    let ran = world.says(&words);
    let all: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let states = all["tools"].as_array().unwrap().iter().map(|tool| {
        let text = |key: &str| tool[key].as_str().unwrap_or_default().to_owned();
        (text("tool"), format!("{}: {}", text("state"), text("why")))
    });
    (states.collect(), ran)
}

#[test]
fn a_self_test_tells_a_mute_tool_from_an_app_without_defects() {
    let mut rows = rows();
    // A server may be closed today, which says nothing about who asks it: these are tried with a
    // server of ours, in `network.rs`.
    rows.retain(|row| row.says["network"] != true);
    let (states, ran) = checked(&rows, sound_on_samples);
    for row in &rows {
        assert_eq!(states[&row.name()], "ok: ", "{}", row.id);
    }
    ran.exits(0);
    let mute: fn(&Row) -> Spoilt = |_| steps(&["exit=0"]);
    // The second finds the same whatever it reads.
    for (spoil, but_inventories) in [(mute, false), (sound as fn(&Row) -> Spoilt, true)] {
        let (states, ran) = checked(&rows, spoil);
        for row in &rows {
            // A bill of materials lists what there is, so that its clean sample is like any other.
            let expected =
                if but_inventories && row.is_inventory() { "ok: " } else { "untrusted: " };
            let state = &states[&row.name()];
            assert!(state.starts_with(expected), "{}: {state}", row.id);
        }
        ran.exits(3);
    }
}

/// Compares the table of the document with what was seen.
fn the_page_says(seen: &BTreeMap<&str, BTreeMap<String, u32>>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/robustness.md");
    let page = fs::read_to_string(&path).unwrap();
    let mut table =
        vec!["| fault | status, and of how many tools |".to_owned(), "|---|---|".to_owned()];
    for fault in FAULTS {
        let statuses = seen[fault.name].iter().map(|(status, count)| format!("`{status}` {count}"));
        table.push(format!("| {} | {} |", fault.name, statuses.collect::<Vec<_>>().join(", ")));
    }
    let table = table.join("\n");
    let (begin, end) = (
        "<!-- written by `UPDATE_DOCS=1 cargo test -p assay faults`: faults -->\n",
        "<!-- end of faults -->",
    );
    let (before, rest) = page.split_once(begin).unwrap();
    let (held, after) = rest.split_once(end).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{begin}\n{table}\n{end}{after}")).unwrap();
    } else {
        assert_eq!(held.trim(), table, "run with UPDATE_DOCS=1 and read the diff");
    }
}
