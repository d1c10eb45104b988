//! A tool, its places, and the reading of a text: what every test here starts from.

#![allow(dead_code, reason = "each test binary uses its own part")]

use assay_model::{Observation, SourcePath, ToolDeclaration};
use assay_tools::{Call, Catalogue, OutputError, Places, ReadContext, Reading, Settings, Tool};
use std::{io::BufReader, sync::Arc};

/// The beginning of a declaration; `output` and more follows.
pub(crate) const HEAD: &str = r#"
title = "Own"
kind = "security"
inputs = { all-text = true }
install = { from = "path", mend = "apt install own" }
run = { program = "own", args = ["{project}"], finding-codes = [1] }
"#;

/// Makes a tool of the user called `own`.
pub(crate) fn own(rest: &str) -> Arc<Tool> {
    let says: ToolDeclaration = toml::from_str(&format!("{HEAD}{rest}")).unwrap();
    let mut catalogue = Catalogue::default();
    catalogue.add("own", says).unwrap_or_else(|error| panic!("{error}"));
    Arc::clone(catalogue.get("own").unwrap())
}

pub(crate) fn sarif() -> Arc<Tool> {
    own("output = { format = \"sarif\" }")
}

pub(crate) fn places() -> Places {
    Places {
        project: "/snap/app".into(),
        scratch: "/snap/scratch".into(),
        config: "/snap/config".into(),
        prefix: "/snap/prefix".into(),
        assay: "/bin/assay".into(),
    }
}

pub(crate) fn call(tool: &Tool, places: &Places) -> Call {
    let file = SourcePath::new("app.py").unwrap();
    tool.calls(places, &[file], &Settings::default()).remove(0)
}

/// Reads a text as the tool's output.
pub(crate) fn read(tool: &Tool, text: &[u8]) -> (Result<Reading, OutputError>, Vec<Observation>) {
    let places = places();
    let call = call(tool, &places);
    let is_file = |path: &SourcePath| !path.as_str().contains('%');
    let context = ReadContext { places: &places, call: &call, is_file: &is_file, other_stream: "" };
    let mut seen = Vec::new();
    // Small chunks: whatever is read has to be right wherever they end.
    let mut input = BufReader::with_capacity(61, text);
    let reading = tool.read(&mut input, &context, &mut |observation| seen.push(observation));
    (reading, seen)
}

/// Reads a text that has to be sound.
#[track_caller]
pub(crate) fn sound(tool: &Tool, text: &str) -> (Reading, Vec<Observation>) {
    let (reading, seen) = read(tool, text.as_bytes());
    (reading.unwrap_or_else(|error| panic!("{error}: {text}")), seen)
}

/// Reads a text that has to be refused, and returns why.
#[track_caller]
pub(crate) fn refused(tool: &Tool, text: &[u8]) -> String {
    match read(tool, text).0 {
        Err(error) => error.to_string(),
        Ok(reading) => panic!("taken as {reading:?}: {}", String::from_utf8_lossy(text)),
    }
}
