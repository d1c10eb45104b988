//! A few lines of source around a finding, safe to show to anybody.
//!
//! Keeps: no secret that a tool saw in this file is in a snippet of any finding, whoever made it;
//! no hidden character; no line longer than [`LINE_CHARS`].

use crate::{
    lines::Lines,
    secrets::{self, Masked},
    text::{cut, shown},
};
use assay_model::{Observation, Region, Snippet};
use std::collections::BTreeMap;

/// Lines shown before and after.
const AROUND: usize = 2;

/// A region of a hundred lines is shown by its first few.
const REGION_LINES: usize = 5;

/// What is shown of a line; columns stay true up to here.
const LINE_CHARS: usize = 200;

/// The lines of one file that hold secrets.
#[derive(Default)]
pub(crate) struct SecretLines {
    masked: BTreeMap<usize, Masked>,
}

// === impl SecretLines ===

impl SecretLines {
    /// Gathers them from what all tools said about the file.
    pub(crate) fn of(observations: &[Observation], lines: &Lines) -> Self {
        let mut found = Self::default();
        for observation in observations.iter().filter(|it| secrets::is_about_a_secret(it)) {
            let Some(region) = observation.location.as_ref().and_then(|it| it.region) else {
                continue;
            };
            let first = region.line as usize;
            let last = region.end_line.map_or(first, |end| end as usize);
            for line in first..=last.min(first + 200) {
                found.mask(line, lines, (line == first).then_some(region));
            }
            found.key_block(first, lines);
        }
        found
    }

    /// Masks a line that may be masked already: one tool knows the columns, the other does not.
    fn mask(&mut self, line: usize, lines: &Lines, region: Option<Region>) {
        let Some(text) = lines.get(line) else { return };
        let masked = secrets::mask(text, region);
        let known = self.masked.entry(line).or_insert_with(|| secrets::mask(text, None));
        known.values.extend(masked.values);
        known.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        known.values.dedup();
        known.line = known.values.iter().fold(text.to_owned(), |text, value| {
            secrets::scrub(&text, std::slice::from_ref(value))
        });
        if !known.line.contains(secrets::MASK) {
            known.line = masked.line;
        }
    }

    /// A private key goes on below the line that tools report.
    fn key_block(&mut self, first: usize, lines: &Lines) {
        let begins = |text: &str| text.contains("-----BEGIN") && text.contains("PRIVATE KEY");
        if !lines.get(first).is_some_and(begins) {
            return;
        }
        let rest = (first + 1..=first + 200).take_while(|line| lines.get(*line).is_some());
        for line in rest {
            self.masked.insert(line, Masked { line: secrets::MASK.to_owned(), values: Vec::new() });
            if lines.get(line).is_some_and(|text| text.contains("-----END")) {
                break;
            }
        }
    }

    /// Takes the secrets of the lines that a region touches out of a text.
    pub(crate) fn scrub(&self, text: &str, region: Option<Region>) -> Option<String> {
        if self.masked.is_empty() {
            return None;
        }
        let region = region?;
        let first = region.line as usize;
        let last = region.end_line.map_or(first, |end| end as usize);
        let mut scrubbed = text.to_owned();
        for (_, masked) in self.masked.range(first..=last.max(first)) {
            scrubbed = secrets::scrub(&scrubbed, &masked.values);
        }
        (scrubbed != text).then_some(scrubbed)
    }
}

/// Cuts the lines around a region.
pub(crate) fn snippet(region: Region, lines: &Lines, secret: &SecretLines) -> Option<Snippet> {
    let line = region.line as usize;
    lines.get(line)?;
    let end = region.end_line.map_or(line, |end| end as usize).min(line + REGION_LINES - 1);
    let first = line.saturating_sub(AROUND).max(1);
    let last = (end + AROUND).min(lines.count());
    let shown =
        (first..=last).filter_map(|line| Some(show(lines.get(line)?, secret.masked.get(&line))));
    Some(Snippet { first_line: u32::try_from(first).ok()?, lines: shown.collect() })
}

fn show(text: &str, masked: Option<&Masked>) -> String {
    // Cut first: a minified file of 5 MiB is one line, and every finding in it shows it.
    let text = match masked {
        Some(masked) => cut(&masked.line, LINE_CHARS),
        None => cut(text, LINE_CHARS),
    };
    let text = if masked.is_none() { secrets::mask_suspects(&text) } else { text.into_owned() };
    shown(&text).into_owned()
}
