//! `setup.cfg`, `tox.ini`: sections between `[headers]`.
//!
//! Parsers of INI differ in what they take for a header: whether it may be indented, what may stand
//! behind it, whether a `]` may be in its name. Every line that one of them could take for a header
//! is one here, and it begins a section that is taken out if any reading of its name says so. So a
//! line that stays is in no reading part of a section that goes.

use super::{Section, blank};

/// Returns the text without the sections.
pub(super) fn without(text: &str, sections: &[Section]) -> Option<String> {
    let mut rest = text.as_bytes().to_vec();
    let (mut at, mut is_out) = (0, false);
    for line in text.split_inclusive(['\n', '\r']) {
        if let Some(header) = line.trim().strip_prefix('[') {
            let names = [header.find(']'), header.rfind(']'), Some(header.len())];
            let mut names = names.into_iter().flatten().map(|end| header[..end].trim());
            is_out = names.any(|name| sections.iter().any(|section| section.is(name)));
        }
        if is_out {
            blank(&mut rest, at..at + line.len());
        }
        at += line.len();
    }
    String::from_utf8(rest).ok()
}
