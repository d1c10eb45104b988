//! `ASSAY_…` and the old names.

use crate::{
    known::nearest,
    layers::{Layers, Origin},
    problem::Problem,
};
use serde_json::Value;

/// Variables and the keys that they set.
const VARIABLES: &[(&str, &str, Shape)] = &[
    ("ASSAY_KINDS", "kinds", Shape::List),
    ("ASSAY_PROFILE", "profile", Shape::Text),
    ("ASSAY_TOOLS", "tools", Shape::List),
    ("ASSAY_FAIL_ON", "fail-on", Shape::Text),
    ("ASSAY_TIMEOUT", "timeout", Shape::Text),
    ("ASSAY_JOBS", "jobs", Shape::Number),
    ("ASSAY_OFFLINE", "offline", Shape::Switch),
    ("ASSAY_ALLOW_INCOMPLETE", "allow-incomplete", Shape::Switch),
    ("ASSAY_REQUIRE_ALL", "require-all", Shape::Switch),
    ("ASSAY_EXIT_ZERO", "exit-zero", Shape::Switch),
    ("ASSAY_IGNORE_SUPPRESSIONS", "ignore-suppressions", Shape::Switch),
    ("ASSAY_NO_IGNORE", "no-ignore", Shape::Switch),
    ("ASSAY_SANDBOX", "sandbox", Shape::Text),
    ("ASSAY_SOURCE_ROOTS", "source-roots", Shape::List),
    ("ASSAY_OUTPUT", "output", Shape::Text),
];

/// Names that deployments of the Python system set. `ASSAY_…` beats them.
const OLD: &[(&str, &str, Shape)] = &[("STATIC_ANALYSIS_TIMEOUT", "timeout", Shape::Seconds)];

/// Variables that are read elsewhere.
const ELSEWHERE: &[&str] =
    &["ASSAY_CONFIG", "ASSAY_LOG", "ASSAY_LOG_FORMAT", "ASSAY_COLOR", "ASSAY_CACHE"];

/// Variables of our own tests, which a program started by one of them may see.
const FOR_TESTS: &str = "ASSAY_TEST_";

#[derive(Clone, Copy, Debug)]
enum Shape {
    Text,
    List,
    Number,
    Switch,
    Seconds,
}

/// Lays what the environment says over the files.
pub(crate) fn lay(
    layers: &mut Layers,
    variables: &[(String, String)],
    problems: &mut Vec<Problem>,
) {
    for (name, key, shape) in OLD.iter().chain(VARIABLES) {
        let Some((_, text)) = variables.iter().find(|(known, _)| known == name) else { continue };
        match shape.read(text) {
            Ok(value) => layers.lay_at(&[key], value, &Origin::Environment((*name).to_owned())),
            Err(what) => problems.push(Problem::new(*name, format!("`{text}` is no {what}"))),
        }
    }
    let names = || VARIABLES.iter().map(|(name, ..)| *name);
    let ours = |name: &str| name.starts_with("ASSAY_") && !name.starts_with(FOR_TESTS);
    for (name, _) in variables.iter().filter(|(name, _)| ours(name)) {
        if !names().chain(ELSEWHERE.iter().copied()).any(|known| known == name) {
            let problem = Problem::new(name, "there is no such setting");
            problems.push(match nearest(name, names()) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
    }
}

// === impl Shape ===

impl Shape {
    fn read(self, text: &str) -> Result<Value, &'static str> {
        match self {
            Self::Text => Ok(Value::from(text)),
            Self::List => Ok(text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(Value::from)
                .collect()),
            Self::Number => text.parse::<u32>().map(Value::from).map_err(|_| "number"),
            Self::Seconds => text
                .parse::<u64>()
                .map(|seconds| Value::from(format!("{seconds}s")))
                .map_err(|_| "number of seconds"),
            Self::Switch => match text.to_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => Ok(Value::from(true)),
                "0" | "false" | "no" | "off" | "" => Ok(Value::from(false)),
                _ => Err("switch (write 1 or 0)"),
            },
        }
    }
}
