//! Tools that do as told, in the words of `assay.toml`.

use crate::programs::fake_tool;
use serde_json::{Value, json};
use std::{fs, path::Path};

/// The declaration of a fake tool.
///
/// Unless told otherwise it reads every file and writes lines like `a.py:3: high rule: message`;
/// 0 says that nothing was found and 1 that something was.
#[derive(Clone, Debug)]
pub struct Fake(Value);

/// A line that a fake tool writes: one finding of severity `high`.
pub const FINDING: &str = "say=a.py:3: high bad-three: three is bad";

// === impl Fake ===

impl Fake {
    /// Takes these steps; testkit's `fake-tool` says which there are.
    pub fn new<S: Into<String>>(steps: impl IntoIterator<Item = S>) -> Self {
        let steps: Vec<String> = steps.into_iter().map(Into::into).collect();
        let line = r"^(?P<path>[^:]+):(?P<line>-?[0-9]+): (?P<severity>[a-z]+) (?P<rule>[^ :]+): (?P<message>.*)$";
        Self(json!({
            "title": "Fake",
            "kind": "security",
            "inputs": { "files": ["**"] },
            "install": { "from": "path", "mend": "install fake", "version-args": ["say=fake 1.2.3"] },
            "run": { "program": fake_tool(), "args": steps, "finding-codes": [1] },
            "output": {
                "format": "text",
                "empty-is-clean": true,
                "map": {
                    "pattern": line, "rule": "rule", "message": "message", "path": "path",
                    "line": "line", "severity": "severity",
                },
            },
            "severities": {
                "critical": "critical", "high": "high", "medium": "medium", "low": "low",
                "info": "info",
            },
        }))
    }

    /// Says nothing and ends well.
    pub fn clean() -> Self {
        Self::new(["exit=0"])
    }

    /// Finds one thing: `bad-three` in line 3 of `a.py`, of this severity.
    pub fn finding(severity: &str) -> Self {
        Self::new([format!("say=a.py:3: {severity} bad-three: three is bad"), "exit=1".to_owned()])
    }

    /// Reads this text, written by a file, as its report.
    pub fn writing(file: &Path, code: u8) -> Self {
        Self::with_file("stdout-file", file, code)
    }

    /// Writes this text to its standard error.
    pub fn complaining(file: &Path, code: u8) -> Self {
        Self::with_file("stderr-file", file, code)
    }

    /// A tool sees what lies beside its program, and nothing else of the machine. So both get a
    /// folder of their own.
    fn with_file(step: &str, file: &Path, code: u8) -> Self {
        let dir = file.with_extension("tool");
        fs::create_dir_all(&dir).expect("a test's folder takes folders");
        let (program, text) = (dir.join("fake-tool"), dir.join("text"));
        fs::copy(fake_tool(), &program).expect("a test's folder takes files");
        fs::copy(file, &text).expect("a test's folder takes files");
        Self::new([format!("{step}={}", text.display()), format!("exit={code}")])
            .with("run.program", json!(program))
    }

    /// Its report is one JSON document: `{"results": [{path, line, severity, rule, message}]}`.
    pub fn json(self) -> Self {
        self.with("output.format", json!("json"))
            .with("output.empty-is-clean", json!(false))
            .without("output.map.pattern")
            .with("output.map.items", json!("results.*"))
    }

    /// Its report is SARIF.
    pub fn sarif(self) -> Self {
        self.with("output", json!({ "format": "sarif" }))
    }

    /// Its program is not there.
    pub fn missing() -> Self {
        Self::clean().with("run.program", json!("no-such-program"))
    }

    /// It has a self-test, which it fails: it finds nothing, ever.
    pub fn untrusted() -> Self {
        Self::clean().with(
            "canary",
            json!({
                "expect": "bad-three",
                "defect": [{ "path": "a.py", "text": "three = 3\n" }],
                "clean": [{ "path": "b.py", "text": "four = 4\n" }],
            }),
        )
    }

    /// Sets a key, given as a dotted path.
    pub fn with(mut self, path: &str, value: Value) -> Self {
        let mut at = &mut self.0;
        for part in path.split('.') {
            at = &mut at[part];
        }
        *at = value;
        self
    }

    /// Takes a key away.
    pub fn without(mut self, path: &str) -> Self {
        let (above, last) = path.rsplit_once('.').unwrap_or(("", path));
        let mut at = &mut self.0;
        for part in above.split('.').filter(|part| !part.is_empty()) {
            at = &mut at[part];
        }
        at.as_object_mut().expect("a dotted path leads through objects").remove(last);
        self
    }

    pub fn declaration(self) -> Value {
        self.0
    }
}
