//! What becomes of real outputs. `tests/golden/<tool>/<name>.out` was written by the tool when it
//! read a project at `/project`; the reading and all observations are compared with a snapshot.
//!
//! Beside `NAME.out` may lie `NAME.code` (its exit code) and `NAME.err` (the other stream); then
//! the verdict is shown as well. A new file is picked up by itself; `INSTA_UPDATE=always` writes
//! its snapshot.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

use assay_model::{Observation, SourcePath, ToolEnd, ToolStatus};
use assay_tools::{CallResult, Catalogue, Places, ReadContext, Settings, Tool, Verdict, verdict};
use std::{
    fmt::Write as _,
    fs,
    io::{BufReader, Cursor},
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
};

const PROJECT: &str = "/project";

fn outputs() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut found = Vec::new();
    for tool in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        let name = tool.file_name().unwrap().to_string_lossy().into_owned();
        if !tool.is_dir() || name == "inputs" {
            continue;
        }
        let files = fs::read_dir(&tool).unwrap().map(|entry| entry.unwrap().path());
        let outputs = files.filter(|file| file.extension().is_some_and(|ext| ext == "out"));
        found.extend(outputs.map(|file| (name.clone(), file)));
    }
    found.sort();
    found
}

/// Returns the project that the tool had read.
fn input_of(output: &Path) -> PathBuf {
    let tool = output.parent().unwrap();
    let case = match output.file_stem().and_then(|stem| stem.to_str()) {
        Some("failure") => "broken",
        Some(case) => case,
        None => "none",
    };
    tool.parent().unwrap().join("inputs").join(tool.file_name().unwrap()).join(case)
}

fn shown(observation: &Observation) -> String {
    let place =
        observation.location.as_ref().map_or_else(|| "–".to_owned(), assay_model::Location::shown);
    let mut line = format!(
        "{place} {} [{}] {} {}",
        observation.severity, observation.rule, observation.kind, observation.defect
    );
    if let Some(confidence) = observation.confidence {
        let _ = write!(line, " {confidence:?}");
    }
    if !observation.cwe.is_empty() {
        let _ = write!(line, " CWE {:?}", observation.cwe);
    }
    if observation.fix.is_some() {
        line.push_str(" +fix");
    }
    if observation.suppression.is_some() {
        line.push_str(" (suppressed)");
    }
    format!("{line}\n    {}\n", observation.message)
}

fn story(tool: &Tool, output: &Path) -> (String, Option<Verdict>) {
    let bytes = fs::read(output).unwrap();
    let input = input_of(output);
    let other = fs::read_to_string(output.with_extension("err")).unwrap_or_default();
    let places = Places {
        project: PROJECT.into(),
        scratch: "/scratch".into(),
        config: "/config".into(),
        prefix: "/prefix".into(),
        assay: "/assay".into(),
    };
    let file = SourcePath::new("app.py").unwrap();
    let call = tool.calls(&places, &[file], &Settings::default()).remove(0);
    let context = ReadContext {
        places: &places,
        call: &call,
        is_file: &|path| input.join(path.as_str()).is_file(),
        other_stream: &other,
    };
    let mut text = String::new();
    let mut bytes = BufReader::new(Cursor::new(bytes));
    let reading = tool.read(&mut bytes, &context, &mut |seen| text.push_str(&shown(&seen)));
    match &reading {
        Ok(reading) => {
            let _ = writeln!(text, "{reading:#?}");
        }
        Err(error) => {
            let _ = writeln!(text, "refused: {error}");
        }
    }
    let mut judged = None;
    if let Ok(code) = fs::read_to_string(output.with_extension("code")) {
        let end = ToolEnd::Exited { code: code.trim().parse().unwrap() };
        let call = CallResult { end, reading, stderr_tail: other };
        let verdict = verdict(tool, 1, &[call]);
        let _ = writeln!(text, "{} clean={} {:?}", verdict.status, verdict.clean, verdict.reason);
        judged = Some(verdict);
    }
    (text, judged)
}

#[test]
fn real_outputs_become_what_they_became_before() {
    let catalogue = Catalogue::shipped().unwrap_or_else(|error| panic!("{error}"));
    let mut changed = Vec::new();
    let outputs = outputs();
    assert!(!outputs.is_empty(), "no captured output was found");
    for (name, output) in outputs {
        let tool = catalogue.get(&name).unwrap_or_else(|| panic!("no row for {name}"));
        let stem = output.file_stem().unwrap().to_string_lossy().into_owned();
        let (story, _) = story(tool, &output);
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(output.parent().unwrap());
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        // One change must not hide the others.
        let same = std::panic::catch_unwind(AssertUnwindSafe(|| {
            settings.bind(|| insta::assert_snapshot!(stem.clone(), story));
        }));
        if same.is_err() {
            changed.push(format!("{name}/{stem}"));
        }
    }
    assert!(changed.is_empty(), "changed: {}", changed.join(", "));
}

/// What was captured on a clean project is clean, and what was captured on a broken one is not: a
/// row whose codes or mapping are wrong is found here, before any canary runs.
#[test]
fn a_row_takes_clean_for_clean_and_found_for_found() {
    let catalogue = Catalogue::shipped().unwrap_or_else(|error| panic!("{error}"));
    let mut wrong = Vec::new();
    for (name, output) in outputs() {
        let tool = catalogue.get(&name).unwrap_or_else(|| panic!("no row for {name}"));
        let Some(verdict) = story(tool, &output).1 else { continue };
        let is_inventory = tool.declaration().output.format == assay_model::Format::Cyclonedx;
        let found = verdict.observations > 0 || verdict.components > Some(0);
        let holds = match output.file_stem().and_then(|stem| stem.to_str()) {
            Some("clean") if is_inventory => verdict.status == ToolStatus::Ok && !verdict.clean,
            Some("clean") => verdict.clean,
            Some("findings") => verdict.status == ToolStatus::Ok && found,
            _ => true,
        };
        if !holds {
            wrong.push(format!("{}: {} {:?}", output.display(), verdict.status, verdict.reason));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A report that lost its end must never pass for a whole one. Every 97th cut is tried: all of
/// them would take minutes.
#[test]
fn a_real_output_that_is_cut_is_never_sound() {
    let catalogue = Catalogue::shipped().unwrap_or_else(|error| panic!("{error}"));
    for (name, output) in outputs() {
        let tool = catalogue.get(&name).unwrap_or_else(|| panic!("no row for {name}"));
        let bytes = fs::read(&output).unwrap();
        let format = tool.declaration().output.format;
        let by_line = matches!(
            format,
            assay_model::Format::Text | assay_model::Format::Csv | assay_model::Format::JsonLines
        );
        let end = bytes.trim_ascii_end().len();
        for cut in (1..end).step_by(97) {
            // Between two lines nobody can tell; there the exit code has to.
            if by_line && (bytes[cut - 1] == b'\n' || bytes[cut] == b'\n') {
                continue;
            }
            assert!(!is_sound(tool, &bytes[..cut]), "{} cut at {cut}", output.display());
        }
    }
}

fn is_sound(tool: &Tool, bytes: &[u8]) -> bool {
    let places = Places {
        project: PROJECT.into(),
        scratch: "/scratch".into(),
        config: "/config".into(),
        prefix: "/prefix".into(),
        assay: "/assay".into(),
    };
    let file = SourcePath::new("app.py").unwrap();
    let call = tool.calls(&places, &[file], &Settings::default()).remove(0);
    let context =
        ReadContext { places: &places, call: &call, is_file: &|_| true, other_stream: "" };
    tool.read(&mut Cursor::new(bytes), &context, &mut |_| {}).is_ok()
}
