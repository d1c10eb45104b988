//! The findings as the page's script reads them, and as the page shows them without it.

use super::excerpt::{Excerpt, Excerpts};
use crate::{shown, shown_line, text::cut};
use assay_model::{Confidence, Edit, Finding, Report, Severity, Sighting, SuppressionKind};
use serde::{Serialize, Serializer as _};
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use std::{
    borrow::Cow,
    io::{self, Write},
};

/// Findings on the page. A browser takes this many (some 20 MB) in about a second; the page says
/// how many are left out, and `report.json` holds them all.
pub(super) const FINDINGS_MAX: usize = 20_000;

/// Characters of a message, and of a proposed text.
const TEXT_MAX: usize = 4_000;

/// Proposed edits that are shown.
const EDITS_MAX: usize = 5;

/// One finding. Short names: they are written twenty thousand times.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    /// The severity's place in the order, worst highest.
    #[serde(rename = "s")]
    pub(super) rank: u8,
    #[serde(rename = "k")]
    pub(super) kind: &'static str,
    #[serde(rename = "t")]
    pub(super) tool: &'a str,
    #[serde(rename = "r")]
    pub(super) rule: Cow<'a, str>,
    #[serde(rename = "d")]
    pub(super) defect: Cow<'a, str>,
    #[serde(rename = "m")]
    pub(super) message: Cow<'a, str>,
    #[serde(rename = "p", skip_serializing_if = "str::is_empty")]
    pub(super) path: Cow<'a, str>,
    #[serde(rename = "l", skip_serializing_if = "str::is_empty")]
    pub(super) place: String,
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    pub(super) confidence: Option<&'static str>,
    #[serde(rename = "q", skip_serializing_if = "Option::is_none")]
    pub(super) score: Option<String>,
    #[serde(rename = "w", skip_serializing_if = "<[_]>::is_empty")]
    pub(super) cwe: &'a [u32],
    #[serde(rename = "o", skip_serializing_if = "Vec::is_empty")]
    pub(super) owasp: Vec<Cow<'a, str>>,
    /// Only if it is a page on the web: a `javascript:` address must never become a link.
    #[serde(rename = "h", skip_serializing_if = "Option::is_none")]
    pub(super) help: Option<Cow<'a, str>>,
    #[serde(rename = "x", skip_serializing_if = "Option::is_none")]
    pub(super) suppression: Option<(&'static str, Cow<'a, str>)>,
    #[serde(rename = "f", skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<FixView<'a>>,
    #[serde(rename = "g")]
    pub(super) sightings: Vec<SightingView<'a>>,
    /// The sightings tell more than the finding itself.
    #[serde(rename = "v", skip_serializing_if = "std::ops::Not::not")]
    pub(super) several: bool,
    #[serde(rename = "e", skip_serializing_if = "Option::is_none")]
    pub(super) excerpt: Option<Excerpt>,
    #[serde(rename = "i")]
    pub(super) fingerprint: &'a str,
}

#[derive(Serialize)]
pub(super) struct FixView<'a> {
    #[serde(rename = "d")]
    pub(super) description: Cow<'a, str>,
    #[serde(rename = "e", skip_serializing_if = "Vec::is_empty")]
    pub(super) edits: Vec<(u32, String)>,
}

#[derive(Serialize)]
pub(super) struct SightingView<'a> {
    #[serde(rename = "t")]
    pub(super) tool: &'a str,
    #[serde(rename = "r")]
    pub(super) rule: Cow<'a, str>,
    #[serde(rename = "s")]
    pub(super) rank: u8,
    /// Empty where it says what the finding says.
    #[serde(rename = "m", skip_serializing_if = "str::is_empty")]
    pub(super) message: Cow<'a, str>,
}

/// Writes the block that the script reads: every finding, or the worst [`FINDINGS_MAX`].
pub(super) fn write(
    report: &Report,
    excerpts: &Excerpts<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let rows = report.findings.iter().take(FINDINGS_MAX).map(|finding| Row::new(finding, excerpts));
    // Row by row: the whole block beside the whole report would double our memory.
    Serializer::with_formatter(out, Inert).collect_seq(rows).map_err(io::Error::from)
}

/// Writes JSON that means the same to a JSON parser and nothing to an HTML parser: `</script>` or
/// `<!--` in a message must not end the block.
struct Inert;

// === impl Inert ===

impl Formatter for Inert {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, special) = rest.split_at(at);
            CompactFormatter.write_string_fragment(out, plain)?;
            let mut chars = special.chars();
            let code = chars.next().map_or(0, u32::from);
            write!(out, "\\u{code:04x}")?;
            rest = chars.as_str();
        }
        CompactFormatter.write_string_fragment(out, rest)
    }
}

// === impl Row ===

impl<'a> Row<'a> {
    pub(super) fn new(finding: &'a Finding, excerpts: &Excerpts<'_>) -> Self {
        let region = finding.location.as_ref().and_then(|location| location.region);
        Self {
            rank: rank(finding.severity),
            kind: finding.kind.as_str(),
            tool: finding.tool.as_str(),
            rule: shown_line(finding.rule.as_str()),
            defect: shown_line(&finding.defect),
            message: text(&finding.message),
            path: finding.location.as_ref().map_or("".into(), |at| shown_line(at.path.as_str())),
            place: region.map_or_else(String::new, |region| match region.column {
                Some(column) => format!("{}:{column}", region.line),
                None => region.line.to_string(),
            }),
            confidence: finding.confidence.map(confidence),
            score: finding.security_severity.map(|score| format!("{score:.1}")),
            cwe: &finding.cwe,
            owasp: finding.owasp.iter().map(|category| shown_line(category)).collect(),
            help: finding.help.as_deref().filter(|help| is_web(help)).map(shown_line),
            suppression: finding
                .suppression
                .as_ref()
                .map(|suppression| (suppressed_by(suppression.kind), text(&suppression.reason))),
            fix: finding.fix.as_ref().map(|fix| FixView {
                description: text(&fix.description),
                edits: fix.edits.iter().take(EDITS_MAX).map(edit).collect(),
            }),
            sightings: finding
                .sightings
                .iter()
                .map(|one| SightingView::new(one, finding))
                .collect(),
            several: finding.sightings.len() > 1
                || finding.sightings.iter().any(|one| one.message != finding.message),
            excerpt: excerpts.of(finding),
            fingerprint: finding.fingerprint.as_str(),
        }
    }

    /// Returns the severity as a word, which is also the name of its look.
    pub(super) fn severity(&self) -> &'static str {
        Severity::ALL[usize::from(self.rank)].as_str()
    }
}

// === impl SightingView ===

impl<'a> SightingView<'a> {
    fn new(sighting: &'a Sighting, finding: &Finding) -> Self {
        Self {
            tool: sighting.tool.as_str(),
            rule: shown_line(sighting.rule.as_str()),
            rank: rank(sighting.severity),
            message: if sighting.message == finding.message {
                "".into()
            } else {
                text(&sighting.message)
            },
        }
    }

    pub(super) fn severity(&self) -> &'static str {
        Severity::ALL[usize::from(self.rank)].as_str()
    }
}

fn text(text: &str) -> Cow<'_, str> {
    match shown(text) {
        Cow::Borrowed(text) => cut(text, TEXT_MAX),
        Cow::Owned(text) => cut(&text, TEXT_MAX).into_owned().into(),
    }
}

fn edit(edit: &Edit) -> (u32, String) {
    (edit.region.line, text(&edit.text).into_owned())
}

fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}

fn is_web(address: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| address.starts_with(scheme))
}

const fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    }
}

const fn suppressed_by(kind: SuppressionKind) -> &'static str {
    match kind {
        SuppressionKind::InSource => "a comment in the source",
        SuppressionKind::Configuration => "an ignore entry",
        SuppressionKind::Baseline => "the baseline",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_block_cannot_be_ended_by_what_is_in_it() {
        let nasty = "</script><!--<script>&\u{2028}\u{2029}\"\\";
        let mut out = Vec::new();
        nasty.serialize(&mut Serializer::with_formatter(&mut out, Inert)).unwrap();
        let json = String::from_utf8(out).unwrap();
        assert!(!json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), nasty);
    }

    #[test]
    fn only_pages_on_the_web_become_links() {
        assert!(is_web("https://example.org"));
        assert!(!is_web("javascript:alert(1)//https://example.org"));
        assert!(!is_web("data:text/html,x"));
    }

    #[test]
    fn a_rank_is_the_place_in_the_order() {
        let ranks: Vec<_> =
            Severity::ALL.iter().map(|severity| usize::from(rank(*severity))).collect();
        assert_eq!(ranks, [0, 1, 2, 3, 4]);
    }
}
