//! What several targets share: tools, a call, a reading, a report.
//!
//! Every target states what must hold for any input; a panic is a violation.

use assay_model::{Observation, SourcePath, SourceText, ToolDeclaration};
use assay_tools::{Catalogue, Places, ReadContext, Settings, Tool};
use std::{
    io::BufReader,
    sync::{Arc, LazyLock},
};

/// All rows that are shipped.
pub static SHIPPED: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::shipped().expect("the shipped catalogue is sound"));

const HEAD: &str = r#"
title = "Own"
kind = "security"
inputs = { all-text = true }
install = { from = "path", mend = "apt install own" }
run = { program = "own", args = ["{project}"], finding-codes = [1] }
"#;

/// A tool of the user with this output.
pub fn own(output: &str) -> Arc<Tool> {
    let says: ToolDeclaration =
        toml::from_str(&format!("{HEAD}{output}")).expect("the declaration is written here");
    let mut catalogue = Catalogue::default();
    catalogue.add("own", says).expect("the declaration is sound");
    Arc::clone(catalogue.get("own").expect("it was added above"))
}

/// Reads `output` as what the tool wrote, in the given chunks, and checks what every reading owes:
/// no place outside the app, regions that can exist, no control characters in messages.
pub fn read(tool: &Tool, output: &[u8], chunk: usize) -> Vec<Observation> {
    let places = Places {
        project: "/project".into(),
        scratch: "/scratch".into(),
        config: "/config".into(),
        prefix: "/prefix".into(),
        assay: "/bin/assay".into(),
    };
    let file = SourcePath::new("app.py").expect("it is a name");
    let call = tool.calls(&places, &[file], &Settings::default()).remove(0);
    let is_file = |path: &SourcePath| !path.as_str().contains('%');
    let context = ReadContext { places: &places, call: &call, is_file: &is_file, other_stream: "" };
    let mut seen = Vec::new();
    let mut input = BufReader::with_capacity(chunk.max(1), output);
    let reading = tool.read(&mut input, &context, &mut |observation| seen.push(observation));
    for observation in &seen {
        sound(observation);
    }
    if let Ok(reading) = reading {
        assert!(reading.observations as usize >= seen.len());
    }
    seen
}

fn sound(observation: &Observation) {
    assert!(!observation.message.chars().any(|c| c == '\u{1b}' || c == '\0'));
    let Some(location) = &observation.location else { return };
    let path = location.path.as_str();
    assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."), "{path}");
    if let Some(region) = location.region {
        assert!(region.line >= 1 && region.column != Some(0));
        assert!(region.end_line.is_none_or(|end| end >= region.line), "{region:?}");
    }
}

/// One text under every name.
#[derive(Debug)]
pub struct OneText(pub Arc<str>);

impl SourceText for OneText {
    fn text(&self, _: &SourcePath) -> Option<Arc<str>> {
        Some(Arc::clone(&self.0))
    }
}
