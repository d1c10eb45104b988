//! How bad, in one scale, whoever says it.
//!
//! Tools speak of `error`, `HIGH`, `convention` or `7.5`. This module alone turns that into a
//! [`Severity`]; [`page`] is what `docs/severity.md` says about it.

use assay_model::{Confidence, Kind, Severity};
use std::fmt::Write as _;

/// Everything that is known about how bad one observation is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// A rule note of the catalogue or the user.
    pub note: Option<Severity>,
    /// A number from 0 to 10: that of a rule note, else the tool's.
    pub security_severity: Option<f32>,
    /// What the tool's own word is worth, by the row's `severities`.
    pub mapped: Option<Severity>,
    /// The tool's own word as it stands.
    pub word: Option<&'a str>,
}

/// The lower bounds of `security-severity`, as GitHub code scanning draws them.
const BANDS: [(f32, Severity); 4] = [
    (9.0, Severity::Critical),
    (7.0, Severity::High),
    (4.0, Severity::Medium),
    (0.0, Severity::Low),
];

/// Words that mean the same with every tool: the levels of SARIF first.
const WORDS: &[(&str, Severity)] = &[
    ("error", Severity::High),
    ("warning", Severity::Medium),
    ("note", Severity::Low),
    ("none", Severity::Info),
    ("blocker", Severity::Critical),
    ("critical", Severity::Critical),
    ("fatal", Severity::High),
    ("high", Severity::High),
    ("major", Severity::High),
    ("warn", Severity::Medium),
    ("medium", Severity::Medium),
    ("moderate", Severity::Medium),
    ("low", Severity::Low),
    ("minor", Severity::Low),
    ("refactor", Severity::Low),
    ("convention", Severity::Low),
    ("style", Severity::Low),
    ("hint", Severity::Info),
    ("info", Severity::Info),
    ("information", Severity::Info),
    ("informational", Severity::Info),
];

/// Decides how bad an observation of a kind is.
pub fn severity(kind: Kind, said: Said<'_>) -> Severity {
    if let Some(note) = said.note {
        return note;
    }
    let told = said.security_severity.and_then(band).or(said.mapped).or_else(|| {
        let word = said.word?;
        of_word(word)
    });
    let told = told.unwrap_or(unsaid(kind));
    worst_possible(kind).map_or(told, |worst| told.min(worst))
}

/// Returns the band of a `security-severity`; `None` for what is no such number.
pub fn band(number: f32) -> Option<Severity> {
    if !(0.0..=10.0).contains(&number) {
        return None;
    }
    let band = BANDS.iter().find(|(bound, _)| {
        // "Above 0" is low; 0 itself says that there is no danger.
        if *bound > 0.0 { number >= *bound } else { number > 0.0 }
    });
    Some(band.map_or(Severity::Info, |(_, severity)| *severity))
}

/// Returns what a common word means.
pub fn of_word(word: &str) -> Option<Severity> {
    WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, s)| *s)
}

/// Returns what a common word for confidence means.
pub fn confidence_of_word(word: &str) -> Option<Confidence> {
    match word.to_ascii_lowercase().as_str() {
        "very-high" | "certain" | "high" => Some(Confidence::High),
        "medium" | "moderate" | "firm" => Some(Confidence::Medium),
        "low" | "tentative" | "undefined" => Some(Confidence::Low),
        _ => None,
    }
}

/// Returns how bad a finding is about which nobody says anything.
pub const fn unsaid(kind: Kind) -> Severity {
    match kind {
        Kind::Security | Kind::Secret | Kind::Dependency | Kind::Correctness => Severity::Medium,
        Kind::Types
        | Kind::Complexity
        | Kind::DeadCode
        | Kind::Duplication
        | Kind::Accessibility
        | Kind::Style
        | Kind::Spelling => Severity::Low,
    }
}

/// Returns the worst that a kind can be. Many linters call everything an `error`; a misspelt word
/// must not stand beside an SQL injection for that.
pub const fn worst_possible(kind: Kind) -> Option<Severity> {
    match kind {
        Kind::Security | Kind::Secret | Kind::Dependency | Kind::Correctness => None,
        Kind::Types | Kind::Complexity | Kind::Accessibility => Some(Severity::Medium),
        Kind::DeadCode | Kind::Duplication | Kind::Style | Kind::Spelling => Some(Severity::Low),
    }
}

/// Returns `docs/severity.md`. A test compares the two.
pub fn page() -> String {
    let mut page = String::from(PAGE_HEAD);
    page.push_str("\n## By number\n\n| `security-severity` | severity |\n|---|---|\n");
    for (bound, severity) in BANDS {
        let bound =
            if bound > 0.0 { format!("{bound:.1} and above") } else { "above 0".to_owned() };
        let _ = writeln!(page, "| {bound} | {severity} |");
    }
    page.push_str("| 0 | info |\n\n## By word\n\n| word | severity |\n|---|---|\n");
    for (word, severity) in WORDS {
        let _ = writeln!(page, "| `{word}` | {severity} |");
    }
    page.push_str("\n## By kind\n\n| kind | at most | where nobody says |\n|---|---|---|\n");
    for kind in Kind::ALL {
        let worst = worst_possible(*kind).map_or("–", Severity::as_str);
        let _ = writeln!(page, "| {kind} | {worst} | {} |", unsaid(*kind));
    }
    page
}

const PAGE_HEAD: &str = "\
# How bad is it?

Every finding has one of five severities: `critical`, `high`, `medium`, `low`, `info`. Tools speak
in their own words; these rules turn them into ours. The first that says something decides:

1. a rule note of the catalogue, or `[[severity]]` of the user: taken as it stands;
2. `security-severity`, a number from 0 to 10, of a rule note or of the tool;
3. the tool's own word, by the `severities` of its row;
4. the same word, by the table of common words below (for SARIF that word is `level`);
5. nobody: by kind.

What 2 to 5 give is lowered to the worst that the finding's kind can be.

This page is written by `assay_tools::severity::page`, and a test compares it with the code.
";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_page_says_what_the_code_does() {
        insta_like(&page(), include_str!("../../../docs/severity.md"));
    }

    #[track_caller]
    fn insta_like(now: &str, written: &str) {
        if now != written && std::env::var_os("ASSAY_WRITE_DOCS").is_some() {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/severity.md");
            std::fs::write(file, now).unwrap();
            return;
        }
        assert_eq!(now, written, "run this test with ASSAY_WRITE_DOCS=1 and read the diff");
    }

    #[test]
    fn the_bands_are_githubs() {
        for (number, expected) in [
            (10.0, Some(Severity::Critical)),
            (9.0, Some(Severity::Critical)),
            (8.9, Some(Severity::High)),
            (7.0, Some(Severity::High)),
            (6.9, Some(Severity::Medium)),
            (4.0, Some(Severity::Medium)),
            (3.9, Some(Severity::Low)),
            (0.1, Some(Severity::Low)),
            (0.0, Some(Severity::Info)),
            (-1.0, None),
            (10.1, None),
            (f32::NAN, None),
        ] {
            assert_eq!(band(number), expected, "{number}");
        }
    }

    #[test]
    fn a_note_beats_a_number_beats_a_mapped_word_beats_a_common_one() {
        let all = Said {
            note: Some(Severity::Info),
            security_severity: Some(9.8),
            mapped: Some(Severity::Low),
            word: Some("error"),
        };
        assert_eq!(severity(Kind::Security, all), Severity::Info);
        let said = Said { note: None, ..all };
        assert_eq!(severity(Kind::Security, said), Severity::Critical);
        let said = Said { security_severity: None, ..said };
        assert_eq!(severity(Kind::Security, said), Severity::Low);
        let said = Said { mapped: None, ..said };
        assert_eq!(severity(Kind::Security, said), Severity::High);
        assert_eq!(severity(Kind::Security, Said::default()), Severity::Medium);
    }

    #[test]
    fn a_misspelt_word_is_never_worse_than_low_unless_somebody_decided_so() {
        let said = Said { word: Some("ERROR"), ..Said::default() };
        assert_eq!(severity(Kind::Spelling, said), Severity::Low);
        assert_eq!(severity(Kind::Types, said), Severity::Medium);
        let said = Said { note: Some(Severity::High), ..said };
        assert_eq!(severity(Kind::Spelling, said), Severity::High);
    }

    proptest! {
        #[test]
        fn a_larger_number_is_never_milder(a in 0.0f32..=10.0, b in 0.0f32..=10.0) {
            let (low, high) = if a <= b { (a, b) } else { (b, a) };
            prop_assert!(band(low) <= band(high));
        }
    }
}
