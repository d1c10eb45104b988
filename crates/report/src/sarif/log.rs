//! The file's shape: structs that borrow from the report and serialise in the order that a reader
//! wants, run by run and result by result.

use super::{
    Detail, Plan, Word,
    invocation::{Invocation, Notification},
    place::{Place, Repair},
    rule::{Descriptor, RuleTable, level},
};
use crate::{summary::summary, text::shown};
use assay_model::{AnalysisOutcome, Confidence, Finding, Report, Severity, SuppressionKind};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use std::{borrow::Cow, collections::BTreeMap};

/// What relative URIs are relative to: the analysed folder, wherever it was.
pub(super) const ROOT: &str = "SRCROOT";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: Runs<'a>,
    properties: LogProperties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogProperties<'a> {
    assay_version: &'a str,
    task: &'a str,
    outcome: AnalysisOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

/// All runs, each made when it is written.
struct Runs<'a> {
    report: &'a Report,
    plans: &'a [Plan<'a>],
    detail: Detail,
    trouble: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    automation_details: Automation,
    invocations: Vec<Invocation<'a>>,
    original_uri_base_ids: BTreeMap<&'static str, Base>,
    column_kind: &'static str,
    results: Results<'a>,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
struct Driver<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    rules: &'a [Descriptor<'a>],
}

#[derive(Serialize)]
struct Automation {
    id: String,
}

#[derive(Serialize)]
struct Base {
    description: Text<'static>,
}

/// A text that GitHub, a viewer or a terminal may show.
#[derive(Serialize)]
pub(super) struct Text<'a> {
    text: Cow<'a, str>,
}

/// The results of one run, each made when it is written.
struct Results<'a> {
    words: &'a [Word<'a>],
    rules: &'a RuleTable<'a>,
    detail: Detail,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: &'static str,
    message: Text<'a>,
    locations: [Place<'a>; 1],
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppressed<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Repair<'a>>,
    properties: OutcomeProperties<'a>,
}

#[derive(Serialize)]
struct Suppressed<'a> {
    kind: &'static str,
    status: &'static str,
    justification: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutcomeProperties<'a> {
    severity: Severity,
    defect: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<Confidence>,
    seen_by: Vec<String>,
    #[serde(skip_serializing_if = "is_false")]
    whole_file: bool,
    #[serde(skip_serializing_if = "is_false")]
    whole_app: bool,
}

// === impl Log ===

impl<'a> Log<'a> {
    pub(super) fn new(report: &'a Report, plans: &'a [Plan<'a>], detail: Detail) -> Self {
        let trouble = summary(report).trouble;
        Self {
            schema: "https://json.schemastore.org/sarif-2.1.0.json",
            version: "2.1.0",
            properties: LogProperties {
                assay_version: &report.environment.assay,
                task: report.task.as_str(),
                outcome: report.outcome,
                trouble: trouble.clone(),
            },
            runs: Runs { report, plans, detail, trouble },
        }
    }
}

// === impl Runs ===

impl Serialize for Runs<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut runs = to.serialize_seq(Some(self.plans.len()))?;
        for plan in self.plans {
            let (words, left_out) = plan.kept(self.detail);
            let rules = plan.rules(&words);
            runs.serialize_element(&self.run(plan, &words, &rules, left_out))?;
        }
        runs.end()
    }
}

impl Runs<'_> {
    fn run<'b>(
        &'b self,
        plan: &'b Plan<'b>,
        words: &'b [Word<'b>],
        rules: &'b RuleTable<'b>,
        left_out: usize,
    ) -> Run<'b> {
        let mut invocations: Vec<Invocation<'b>> =
            plan.parts.iter().map(|part| Invocation::of(part, self.report)).collect();
        if invocations.is_empty() {
            invocations.push(Invocation::default());
        }
        if let Some(first) = invocations.first_mut() {
            first.tool_execution_notifications.extend(self.notices(left_out));
        }
        let version = match plan.parts.as_slice() {
            [part] if !plan.shared => part.run.and_then(|run| run.version.as_deref()),
            _ => Some(self.report.environment.assay.as_str()),
        };
        let description = Text::owned("The analysed folder.".to_owned());
        Run {
            tool: Tool { driver: Driver { name: plan.name(), version, rules: &rules.rules } },
            automation_details: Automation { id: format!("assay/static/{}/", plan.name()) },
            invocations,
            original_uri_base_ids: BTreeMap::from([(ROOT, Base { description })]),
            column_kind: "unicodeCodePoints",
            results: Results { words, rules, detail: self.detail },
        }
    }

    /// What is true of the whole file: every run says it, as each may be all that a reader sees.
    fn notices(&self, left_out: usize) -> Vec<Notification<'_>> {
        let mut notices = Vec::new();
        if let Some(trouble) = &self.trouble {
            notices.push(Notification::new("analysis-not-whole", "error", trouble.clone()));
        }
        if left_out > 0 {
            let said =
                format!("{left_out} results are left out, the mildest: they are in report.json");
            notices.push(Notification::new("results-left-out", "warning", said));
        }
        if !self.detail.snippets {
            let said = "source excerpts are left out, so that the file is not too large".to_owned();
            notices.push(Notification::new("excerpts-left-out", "note", said));
        }
        notices
    }
}

// === impl Text ===

impl<'a> Text<'a> {
    /// A text from a tool. `[a](b)` would be a link in a SARIF message, to wherever it likes.
    pub(super) fn shown(text: &'a str) -> Self {
        let text = shown(text);
        let text = if text.contains("](") { text.replace("](", "] (").into() } else { text };
        Self { text }
    }

    /// A text that is inserted into a file, as it is.
    pub(super) fn verbatim(text: &'a str) -> Self {
        Self { text: text.into() }
    }

    /// A text that was made here, perhaps of parts from elsewhere.
    pub(super) fn owned(text: String) -> Self {
        let text = Text::shown(&text).text.into_owned();
        Self { text: text.into() }
    }
}

// === impl Results ===

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.words.iter().map(|word| self.outcome(word)))
    }
}

impl Results<'_> {
    fn outcome<'b>(&self, word: &Word<'b>) -> Outcome<'b> {
        let finding = word.finding;
        let location = finding.location.as_ref();
        let rule_id = self.rules.id(word);
        Outcome {
            rule_index: self.rules.index(&rule_id),
            rule_id,
            level: level(finding.severity),
            message: Text::shown(word.message),
            locations: [Place::of(finding, self.detail.snippets)],
            partial_fingerprints: fingerprints(finding),
            suppressions: finding.suppression.iter().map(Suppressed::of).collect(),
            fixes: finding.fix.iter().filter_map(|fix| Repair::of(fix, location)).collect(),
            properties: OutcomeProperties {
                severity: finding.severity,
                defect: &finding.defect,
                confidence: finding.confidence,
                seen_by: seen_by(finding),
                whole_file: location.is_some_and(|location| location.region.is_none()),
                whole_app: location.is_none(),
            },
        }
    }
}

/// GitHub tracks an alert by `primaryLocationLineHash` within a file. Ours survives what its own
/// does not, and is there also when the file is uploaded without the source.
fn fingerprints(finding: &Finding) -> BTreeMap<&'static str, String> {
    let whole = finding.fingerprint.as_str();
    let short = whole.get(..16).unwrap_or(whole);
    BTreeMap::from([
        ("assayFingerprint/v1", format!("{whole}:{}", finding.occurrence)),
        ("primaryLocationLineHash", format!("{short}:{}", finding.occurrence + 1)),
    ])
}

fn seen_by(finding: &Finding) -> Vec<String> {
    finding.sightings.iter().map(|it| format!("{}:{}", it.tool, it.rule)).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

// === impl Suppressed ===

impl<'a> Suppressed<'a> {
    fn of(suppression: &'a assay_model::Suppression) -> Self {
        let kind = match suppression.kind {
            SuppressionKind::InSource => "inSource",
            SuppressionKind::Configuration | SuppressionKind::Baseline => "external",
        };
        Self { kind, status: "accepted", justification: shown(&suppression.reason) }
    }
}
