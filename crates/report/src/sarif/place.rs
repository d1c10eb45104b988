//! Locations and URIs.
//!
//! Keeps: every URI is relative to `SRCROOT` and percent-encoded; every result has one location
//! with a line, since GitHub refuses a file in which one has none. What is about a whole file is at
//! its line 1, what is about the app at `.`; `properties.wholeFile` and `wholeApp` tell the truth.

use super::log::Text;
use assay_model::{Edit, Finding, Fix, Location, Region, Snippet};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Place<'a> {
    physical_location: Physical<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical<'a> {
    artifact_location: Artifact,
    region: Span<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_region: Option<Span<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Artifact {
    uri: String,
    uri_base_id: &'static str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    start_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snippet: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Repair<'a> {
    description: Text<'a>,
    artifact_changes: [Change<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change<'a> {
    artifact_location: Artifact,
    replacements: Vec<Replacement<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement<'a> {
    deleted_region: Span<'a>,
    inserted_content: Text<'a>,
}

/// Percent-encodes a path. Only what never means anything in a URI stays.
pub(super) fn uri(path: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

// === impl Place ===

impl<'a> Place<'a> {
    pub(super) fn of(finding: &'a Finding, snippets: bool) -> Self {
        let path = finding.location.as_ref().map_or(".", |location| location.path.as_str());
        let region = finding.location.as_ref().and_then(|location| location.region);
        let mut physical = Physical {
            artifact_location: Artifact::at(path),
            region: region.map_or(Span { start_line: 1, ..Span::default() }, Span::of),
            context_region: None,
        };
        if let (Some(snippet), Some(region), true) = (&finding.snippet, region, snippets) {
            physical.show(snippet, region);
        }
        Self { physical_location: physical }
    }

    /// A file that a notification is about.
    pub(super) fn of_file(path: &str) -> Self {
        Self {
            physical_location: Physical {
                artifact_location: Artifact::at(path),
                region: Span { start_line: 1, ..Span::default() },
                context_region: None,
            },
        }
    }
}

// === impl Physical ===

impl Physical<'_> {
    /// Shows source: around the region, or in it where the snippet is no larger than the region,
    /// since a context must be larger than what it surrounds.
    fn show(&mut self, snippet: &Snippet, region: Region) {
        let count = u32::try_from(snippet.lines.len()).unwrap_or(u32::MAX);
        let last = snippet.first_line.saturating_add(count.saturating_sub(1));
        let end = region.end_line.unwrap_or(region.line);
        let text = Some(Text::owned(snippet.lines.join("\n")));
        let surrounds = snippet.first_line <= region.line && last >= end;
        if surrounds && (snippet.first_line, last) != (region.line, end) {
            self.context_region = Some(Span {
                start_line: snippet.first_line,
                end_line: Some(last),
                snippet: text,
                ..Span::default()
            });
        } else if region.column.is_none() {
            self.region.snippet = text;
        }
    }
}

// === impl Artifact ===

impl Artifact {
    fn at(path: &str) -> Self {
        Self { uri: uri(path), uri_base_id: super::log::ROOT }
    }
}

// === impl Span ===

impl Span<'_> {
    fn of(region: Region) -> Self {
        Self {
            start_line: region.line,
            start_column: region.column,
            end_line: region.end_line,
            end_column: region.end_column,
            snippet: None,
        }
    }
}

// === impl Repair ===

impl<'a> Repair<'a> {
    /// A fix without edits is advice, which SARIF has no place for but the message.
    pub(super) fn of(fix: &'a Fix, location: Option<&Location>) -> Option<Self> {
        if fix.edits.is_empty() {
            return None;
        }
        Some(Self {
            description: Text::shown(&fix.description),
            artifact_changes: [Change {
                artifact_location: Artifact::at(location?.path.as_str()),
                replacements: fix.edits.iter().map(Replacement::of).collect(),
            }],
        })
    }
}

// === impl Replacement ===

impl<'a> Replacement<'a> {
    fn of(edit: &'a Edit) -> Self {
        Self { deleted_region: Span::of(edit.region), inserted_content: Text::verbatim(&edit.text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_relative_uri() {
        assert_eq!(uri("a b/ä%20.py"), "a%20b/%C3%A4%2520.py");
        // `c:` at the start would be read as a scheme.
        assert_eq!(uri("c:x/y?#"), "c%3Ax/y%3F%23");
    }
}
