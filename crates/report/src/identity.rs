//! What a defect is, apart from where it is.
//!
//! Owns the way from an [`Observation`] to its [`Fingerprint`]; `docs/identity.md` tells it to
//! users. Version 1 of the recipe: whatever changes here changes every baseline, so it gets a new
//! number then.
//!
//! Keeps: path, line, time, tool order and the value of a secret never enter. Everything that
//! does is a function of the defect class and of the text at the place.

use crate::{
    advisory,
    lines::{LONG_LINE, Lines, fold},
    secrets, text,
};
use assay_model::{Fingerprint, Kind, Observation, SourceText};
use std::borrow::Cow;

const RECIPE: &str = "assay-fingerprint/v1";

/// How much of a machine-made line counts, from the finding's column on.
const LONG_LINE_PART: usize = 120;

/// Rules that measure how complicated a function is. They measure differently and mean the same.
const COMPLEXITY_RULES: &[&str] =
    &["C901", "too-complex", "cyclomatic-complexity", "cognitive-complexity", "complexity"];
const COMPLEXITY_TOOLS: &[&str] = &["radon", "lizard", "complexipy"];

/// Returns the identity of what one tool saw, as [`build`](crate::build) would give it.
pub fn fingerprint(observation: &Observation, source: &dyn SourceText) -> Fingerprint {
    let lines = observation
        .location
        .as_ref()
        .and_then(|location| Some(Lines::new(&location.path, source.text(&location.path)?)));
    of(observation, lines.as_ref())
}

/// Returns what is wrong, in a word that tools share: two observations can only be one defect if
/// this is equal.
pub(crate) fn class(observation: &Observation) -> Cow<'_, str> {
    match observation.kind {
        Kind::Secret if secrets::is_about_a_secret(observation) => "secret".into(),
        Kind::Dependency => format!("dependency:{}", advisory::advisory(observation)).into(),
        Kind::Complexity if measures_a_function(observation) => "complexity".into(),
        _ => observation.defect.as_str().into(),
    }
}

pub(crate) fn of(observation: &Observation, lines: Option<&Lines>) -> Fingerprint {
    let context = context(observation, lines);
    digest(&[RECIPE, &class(observation), &context.around, &context.text])
}

/// What the place looks like.
struct Context {
    around: String,
    text: String,
}

fn context(observation: &Observation, lines: Option<&Lines>) -> Context {
    let region = observation.location.as_ref().and_then(|location| location.region);
    let line = region.map(|region| region.line as usize);
    let at = line.zip(lines).and_then(|(line, lines)| Some((line, lines, lines.get(line)?)));
    if observation.kind == Kind::Dependency {
        let package = advisory::package(observation, at.map(|(_, _, text)| text));
        return Context { around: String::new(), text: package };
    }
    let Some((line, lines, text)) = at else {
        return Context { around: String::new(), text: without_place(observation) };
    };
    if observation.kind == Kind::Complexity {
        let measured = lines.measured(line).map(|(line, name)| (line, name.to_owned()));
        let (line, name) =
            measured.unwrap_or_else(|| (line, lines.around(line).unwrap_or_default().to_owned()));
        return Context { around: lines.around(line).unwrap_or_default().to_owned(), text: name };
    }
    let around = lines.around(line).unwrap_or_default().to_owned();
    let text = if secrets::is_about_a_secret(observation) {
        fold(&secrets::mask(text, None).line)
    } else {
        let column = region.and_then(|region| region.column).unwrap_or(1);
        statement(lines, line, column)
    };
    // The definition's own name may be the secret's line, or quote one.
    Context { around: secrets::mask_suspects(&around), text }
}

/// The text at the place, folded. A blank line is known by what stands before it.
fn statement(lines: &Lines, line: usize, column: u32) -> String {
    let text = lines.get(line).unwrap_or_default();
    if text.len() >= LONG_LINE {
        let from = (column as usize).saturating_sub(1);
        let part: String = text.chars().skip(from).take(LONG_LINE_PART).collect();
        return fold(&secrets::mask_suspects(&part));
    }
    if text.trim().is_empty() {
        let before =
            (1..line).rev().filter_map(|line| lines.get(line)).find(|text| !text.trim().is_empty());
        return format!(
            "after {}",
            fold(&secrets::mask_suspects(&text::cut(before.unwrap_or_default(), LONG_LINE)))
        );
    }
    let (first, last) = lines.statement(line);
    let texts = (first..=last).filter_map(|line| lines.get(line));
    // Whatever tool speaks here, the line may hold a credential too.
    texts.map(|text| fold(&secrets::mask_suspects(text))).collect()
}

/// What identifies a finding of a whole file or app: the class if tools share it, else what the
/// tool said, without numbers (they change with every edit) and without the file's own name.
fn without_place(observation: &Observation) -> String {
    let is_shared = !observation.defect.contains(':');
    if is_shared || observation.kind == Kind::Secret {
        return String::new();
    }
    let mut message = observation.message.clone();
    if let Some(location) = &observation.location {
        message =
            message.replace(location.path.as_str(), "").replace(location.path.file_name(), "");
    }
    let worded = message.split_whitespace().filter(|word| {
        // Absolute paths differ between machines.
        !word.trim_start_matches(|c: char| c.is_ascii_punctuation() && c != '/').starts_with('/')
    });
    worded
        .map(|word| word.chars().filter(|c| !c.is_numeric()).collect::<String>())
        .collect::<Vec<_>>()
        .join(" ")
}

fn measures_a_function(observation: &Observation) -> bool {
    if !observation.defect.contains(':') {
        return observation.defect.contains("complex");
    }
    COMPLEXITY_TOOLS.contains(&observation.tool.as_str())
        || COMPLEXITY_RULES.contains(&observation.rule.as_str())
}

/// Hashes the parts, each with its length: `["ab", "c"]` and `["a", "bc"]` must differ.
fn digest(parts: &[&str]) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let hex = hasher.finalize().to_hex();
    Fingerprint::new(&hex[..32]).expect("a digest's hex is lower-case hex")
}
