//! The one entry: observations in, findings out.
//!
//! Owns the order of the steps. Works file by file, so that one file's text is held at a time.
//!
//! Keeps: equal input in any order gives equal output; every text in the result is free of hidden
//! characters and of the secrets that tools saw.

use crate::{
    lines::Lines,
    merge,
    rules::Rules,
    snippet::{SecretLines, snippet},
    text::{cut, shown, shown_line},
};
use assay_model::{Counts, Finding, Fingerprint, IgnoreUse, Observation, SourcePath, SourceText};
use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, HashMap},
};

/// A message may quote a whole file.
const MESSAGE_CHARS: usize = 2000;

/// What a report says about the code.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// Worst first; suppressed ones among them.
    pub findings: Vec<Finding>,
    pub ignores: Vec<IgnoreUse>,
    pub counts: Counts,
}

/// Turns what all tools said into findings: merged, numbered, with their source, under the user's
/// rules, worst first.
pub fn build(observations: Vec<Observation>, source: &dyn SourceText, rules: &Rules) -> Built {
    let mut by_path: BTreeMap<Option<SourcePath>, Vec<Observation>> = BTreeMap::new();
    for observation in observations {
        let path = observation.location.as_ref().map(|location| location.path.clone());
        by_path.entry(path).or_default().push(observation);
    }
    let mut findings = Vec::new();
    for (path, observations) in by_path {
        let lines = path.and_then(|path| Some(Lines::new(&path, source.text(&path)?)));
        findings.extend(of_one_file(observations, lines.as_ref()));
    }
    number(&mut findings);
    let ignores = rules.apply(&mut findings);
    findings.sort_by(worst_first);
    let counts = Counts::of(&findings);
    Built { findings, ignores, counts }
}

fn of_one_file(observations: Vec<Observation>, lines: Option<&Lines>) -> Vec<Finding> {
    let secret = lines.map(|lines| SecretLines::of(&observations, lines)).unwrap_or_default();
    let mut findings = merge::merge(observations, lines);
    for finding in &mut findings {
        clean(finding, &secret);
        let region = finding.location.as_ref().and_then(|location| location.region);
        finding.snippet =
            region.zip(lines).and_then(|(region, lines)| snippet(region, lines, &secret));
    }
    findings
}

/// Numbers equals in the order of path and line, in which the findings still are.
fn number(findings: &mut [Finding]) {
    let mut seen: HashMap<Fingerprint, u32> = HashMap::new();
    for finding in findings {
        let next = seen.entry(finding.fingerprint.clone()).or_default();
        finding.occurrence = *next;
        *next += 1;
    }
}

/// Takes secrets and hidden characters out of everything that came from a tool.
fn clean(finding: &mut Finding, secret: &SecretLines) {
    let region = finding.location.as_ref().and_then(|location| location.region);
    let text = |text: &mut String| {
        if let Some(scrubbed) = secret.scrub(text, region) {
            *text = scrubbed;
        }
        let safe = shown(text);
        let safe = cut(safe.trim(), MESSAGE_CHARS);
        if safe != text.as_str() {
            *text = safe.into_owned();
        }
    };
    text(&mut finding.message);
    finding.sightings.iter_mut().for_each(|sighting| text(&mut sighting.message));
    if let Some(suppression) = &mut finding.suppression {
        text(&mut suppression.reason);
    }
    if let Some(fix) = &mut finding.fix {
        text(&mut fix.description);
        // An edit that would write the secret back is no fix worth showing.
        fix.edits.retain(|edit| secret.scrub(&edit.text, region).is_none());
    }
    if let Some(help) = &mut finding.help {
        *help = shown_line(help).into_owned();
    }
    finding.defect = shown_line(&finding.defect).into_owned();
}

fn worst_first(one: &Finding, other: &Finding) -> Ordering {
    let key = |it: &Finding| (Reverse(it.severity), it.kind);
    key(one)
        .cmp(&key(other))
        .then_with(|| merge::by_place(one, other))
        .then_with(|| one.occurrence.cmp(&other.occurrence))
}
