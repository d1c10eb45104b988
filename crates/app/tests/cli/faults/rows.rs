//! Every row of the catalogue with a program that does as told in place of the tool's.
//!
//! The report is what the real tool once wrote (`crates/tools/tests/golden`), given to the fake
//! program as a file of its configuration, so that the folders in it become those of the run.

use serde_json::{Map, Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What a tool once wrote, and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) report: String,
    /// The stream that holds no report.
    pub(crate) other: String,
    pub(crate) code: i32,
}

/// One row, with what its tool writes about a defect and about nothing.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) says: Value,
    pub(crate) findings: Written,
    pub(crate) clean: Written,
}

/// Where a report is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Where the row says.
    Declared,
    /// Anywhere else.
    Other,
}

/// All rows, by name. A tool that has no captured output has none of the faults either, so it is
/// an error not to have one.
pub(crate) fn rows() -> Vec<Row> {
    let catalogue = assay_tools::Catalogue::shipped().unwrap();
    catalogue.iter().map(|tool| Row::of(tool)).collect()
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/tests/golden")
}

/// The apps on which the outputs were captured, all in one.
pub(crate) fn inputs() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for tool in assay_tools::Catalogue::shipped().unwrap().iter() {
        let canary = tool.declaration().canary.as_ref().unwrap();
        let planted = canary.defect.iter();
        found.extend(planted.map(|file| (file.path.clone(), file.text.clone().into_bytes())));
    }
    found
}

// === impl Row ===

impl Row {
    fn of(tool: &assay_tools::Tool) -> Self {
        let id = tool.id().to_string();
        let mut says = serde_json::to_value(tool.declaration()).unwrap();
        without_nulls(&mut says);
        let (findings, clean) = match id.as_str() {
            "gitleaks" => (sarif("gitleaks", true), sarif("gitleaks", false)),
            "safety-db" => (safety_db("flask==0.12.2\n"), safety_db("flask==2.0.1\n")),
            _ => (Written::captured(&id, "findings"), Written::captured(&id, "clean")),
        };
        Self { id, says, findings, clean }
    }

    pub(crate) fn name(&self) -> String {
        format!("x-{}", self.id)
    }

    pub(crate) fn format(&self) -> &str {
        self.says["output"]["format"].as_str().unwrap()
    }

    pub(crate) fn takes_nothing_for_clean(&self) -> bool {
        self.says["output"]["empty-is-clean"] == true
    }

    /// A bill of materials says nothing about defects.
    pub(crate) fn is_inventory(&self) -> bool {
        self.format() == "cyclonedx"
    }

    fn from(&self) -> &str {
        self.says["output"]["from"].as_str().unwrap()
    }

    /// The step that writes a file of the configuration as the report.
    pub(crate) fn write(&self, file: &str, stream: Stream) -> String {
        match (self.from(), stream) {
            ("stdout", Stream::Declared) | ("stderr", Stream::Other) => {
                format!("stdout-file={{config}}/{file}")
            }
            ("stderr", Stream::Declared) | ("stdout", Stream::Other) => {
                format!("stderr-file={{config}}/{file}")
            }
            (_, Stream::Other) => format!("stdout-file={{config}}/{file}"),
            (from, Stream::Declared) => {
                let name = from.strip_prefix("file:").unwrap();
                format!("copy-file={{config}}/{file}:{{scratch}}/{name}")
            }
        }
    }

    /// The row with a fake program that takes these steps; without its self-test.
    pub(crate) fn doing(&self, steps: &[String], files: &[(&str, &str)]) -> Value {
        let mut says = self.says.clone();
        let version = "9.1.2";
        says["install"] = json!({
            "from": "path", "mend": "install it", "version": version,
            "version-args": [format!("say=fake {version}")],
        });
        says["run"]["program"] = json!(testkit::fake_tool());
        let mut args: Vec<Value> = steps.iter().map(|step| json!(step)).collect();
        if says["run"]["invocation"] == "batches" {
            args.push(json!("{files}"));
        }
        says["run"]["args"] = Value::Array(args);
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), json!(text)));
        says["config"] = Value::Object(files.collect());
        let says_map: &mut Map<String, Value> = says.as_object_mut().unwrap();
        for key in ["canary", "aliases", "optional"] {
            says_map.remove(key);
        }
        says
    }
}

/// TOML has no null.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

// === impl Written ===

impl Written {
    fn captured(id: &str, case: &str) -> Self {
        let file = |end: &str| golden().join(id).join(format!("{case}.{end}"));
        let read = |end: &str| fs::read_to_string(file(end)).ok();
        let report = read("out").unwrap_or_else(|| {
            panic!("`{id}` has no captured output: see `scripts/capture-tool-outputs`")
        });
        Self {
            report: placed(&report),
            other: placed(&read("err").unwrap_or_default()),
            code: read("code").unwrap().trim().parse().unwrap(),
        }
    }
}

/// Outputs were captured in folders by these names.
fn placed(text: &str) -> String {
    text.replace("/project", "{project}")
        .replace("/scratch", "{scratch}")
        .replace("/config", "{config}")
}

/// The shape of a tool that cannot be captured, since it is the user's own.
fn sarif(name: &str, found: bool) -> Written {
    let result = json!({
        "ruleId": "aws-access-token", "message": { "text": "a key of a cloud was found" },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": "settings.py" }, "region": { "startLine": 1 } } }],
    });
    let results = if found { vec![result] } else { Vec::new() };
    let report = json!({ "version": "2.1.0", "runs": [
        { "tool": { "driver": { "name": name } }, "results": results } ] });
    Written { report: report.to_string(), other: String::new(), code: i32::from(found) }
}

/// What the analyzer that is built in says, with data of one package.
fn safety_db(requirements: &str) -> Written {
    let dir = testkit::tempdir().unwrap();
    let data = json!({ "flask": [{
        "advisory": "flask is open to denial of service", "cve": "CVE-2018-1000656",
        "id": "pyup.io-36388", "specs": ["<0.12.3"], "v": "<0.12.3" }] });
    fs::write(dir.path().join("data.json"), data.to_string()).unwrap();
    fs::write(dir.path().join("requirements.txt"), requirements).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(["__native", "safety-db", "--data", "data.json", "requirements.txt"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    Written {
        report: String::from_utf8(ran.stdout).unwrap(),
        other: String::from_utf8(ran.stderr).unwrap(),
        code: ran.status.code().unwrap(),
    }
}
