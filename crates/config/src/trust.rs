//! What a file that lies inside the analysed app may say.
//!
//! The app is hostile. Its own `assay.toml` may tell how strictly it wants to be judged, which the
//! report lists; it may not start a program, name a path outside, reach the network or loosen the
//! cage. The fixed answers, "Trust".

use crate::problem::Problem;
use serde_json::Value;

/// Keys that a file of the app may set.
const ALLOWED: &[&str] = &["fail-on", "profile", "ignore", "severity"];

/// Lists what the file may not say, as problems; empty if it keeps to what it may.
pub(crate) fn refused(value: &Value, place: &str) -> Vec<Problem> {
    let keys = value.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    keys.filter(|key| !ALLOWED.contains(key))
        .map(|key| {
            Problem::new(place, format!("`{key}` may not be set by a file of the analysed app"))
                .hint(
                    "move it to a file outside of the app, or pass --trust-project if you trust the \
                     app with your machine",
                )
        })
        .collect()
}

/// Lists what the file did set, for the report.
pub(crate) fn taken_over(value: &Value) -> Vec<String> {
    let keys = value.as_object().into_iter().flatten();
    keys.map(|(key, value)| match value {
        Value::Array(items) => format!("{key} ({} entries)", items.len()),
        Value::Object(table) => format!("{key} ({} entries)", table.len()),
        other => format!("{key} = {other}"),
    })
    .collect()
}
