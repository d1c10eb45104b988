//! What a run says about its rules once.
//!
//! Keeps: at most ten tags a rule, which is what GitHub shows (it refuses twenty).

use super::{Word, log::Text};
use assay_model::{Confidence, Finding, Kind, Severity};
use serde::Serialize;
use std::collections::HashMap;

const TAGS: usize = 10;

/// The rules of one run, in the order of their first result.
pub(super) struct RuleTable<'a> {
    pub(super) rules: Vec<Descriptor<'a>>,
    by_id: HashMap<String, usize>,
    shared: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor<'a> {
    pub(super) id: String,
    short_description: Text<'a>,
    full_description: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help_uri: Option<&'a str>,
    help: Text<'a>,
    default_configuration: Configuration,
    properties: Properties<'a>,
    #[serde(skip)]
    severity: Severity,
    #[serde(skip)]
    score: f32,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Properties<'a> {
    tags: Vec<String>,
    defect: &'a str,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<&'static str>,
    #[serde(rename = "security-severity", skip_serializing_if = "Option::is_none")]
    security_severity: Option<String>,
}

/// SARIF's three levels.
pub(super) const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// Returns a number in the band that GitHub shows as this severity, where no tool gave one.
const fn score(severity: Severity) -> f32 {
    match severity {
        Severity::Critical => 9.5,
        Severity::High => 8.0,
        Severity::Medium => 5.5,
        Severity::Low => 2.0,
        Severity::Info => 0.1,
    }
}

const fn is_security(kind: Kind) -> bool {
    matches!(kind, Kind::Security | Kind::Secret | Kind::Dependency)
}

// === impl RuleTable ===

impl<'a> RuleTable<'a> {
    pub(super) fn of(words: &[Word<'a>], shared: bool) -> Self {
        let mut table = Self { rules: Vec::new(), by_id: HashMap::new(), shared };
        for word in words {
            let id = table.id(word);
            if let Some(index) = table.by_id.get(&id) {
                table.rules[*index].heed(word.finding);
            } else {
                table.by_id.insert(id.clone(), table.rules.len());
                table.rules.push(Descriptor::of(id, word));
            }
        }
        table
    }

    /// Returns the rule's id; where tools share a run, with the tool's name before it.
    pub(super) fn id(&self, word: &Word<'_>) -> String {
        if self.shared {
            format!("{}:{}", word.tool, word.rule)
        } else {
            word.rule.as_str().to_owned()
        }
    }

    pub(super) fn index(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }
}

// === impl Descriptor ===

impl<'a> Descriptor<'a> {
    fn of(id: String, word: &Word<'a>) -> Self {
        let finding = word.finding;
        let title = if finding.defect.contains(':') {
            format!("{} ({})", word.rule, word.tool)
        } else {
            format!("{} ({}: {})", words(&finding.defect), word.tool, word.rule)
        };
        let help_uri = finding.help.as_deref().filter(|help| is_link(help));
        let weaknesses: Vec<String> = finding.cwe.iter().map(|it| format!("CWE-{it}")).collect();
        let mut help = format!("{}: a finding of kind {}.", title, finding.kind);
        if !weaknesses.is_empty() {
            help.extend([format!(" Weaknesses: {}.", weaknesses.join(", "))]);
        }
        if let Some(link) = help_uri {
            help.extend([format!(" See {link}.")]);
        }
        let mut descriptor = Self {
            id,
            short_description: Text::owned(title.clone()),
            full_description: Text::owned(title),
            help_uri,
            help: Text::owned(help),
            default_configuration: Configuration { level: level(finding.severity) },
            properties: Properties {
                tags: tags(finding),
                defect: &finding.defect,
                kind: finding.kind,
                precision: finding.confidence.map(precision),
                security_severity: None,
            },
            severity: finding.severity,
            score: 0.0,
        };
        descriptor.heed(finding);
        descriptor
    }

    /// A rule is as bad as its worst finding: GitHub reads severity here and nowhere else.
    fn heed(&mut self, finding: &Finding) {
        self.severity = self.severity.max(finding.severity);
        self.default_configuration.level = level(self.severity);
        if is_security(finding.kind) {
            let given = finding.security_severity.filter(|it| (0.0..=10.0).contains(it));
            self.score = self.score.max(given.unwrap_or_else(|| score(finding.severity)));
            self.properties.security_severity = Some(format!("{:.1}", self.score));
        }
    }
}

fn tags(finding: &Finding) -> Vec<String> {
    let mut tags = vec![finding.kind.as_str().to_owned()];
    if is_security(finding.kind) && finding.kind != Kind::Security {
        tags.push("security".to_owned());
    }
    tags.extend(
        finding
            .owasp
            .iter()
            .map(|it| format!("external/owasp/{}", it.to_lowercase().replace(':', "-"))),
    );
    tags.extend(finding.cwe.iter().map(|it| format!("external/cwe/cwe-{it:03}")));
    tags.truncate(TAGS);
    tags
}

/// `sql-injection` as a title: `Sql injection`.
fn words(class: &str) -> String {
    let text = class.replace(['-', '_'], " ");
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

const fn precision(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "high",
        Confidence::Medium => "medium",
        Confidence::Low => "low",
    }
}

/// Only what is a link for certain: a validator refuses a file for one bad URI.
fn is_link(help: &str) -> bool {
    let legal = |byte: u8| {
        byte.is_ascii_graphic()
            && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    let rest = help.strip_prefix("https://").or_else(|| help.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(legal))
}
