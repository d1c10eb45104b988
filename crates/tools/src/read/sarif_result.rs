//! What one result of SARIF says, taken together with its rule.

use super::{
    collector::cleaned,
    region::region,
    sarif_parts::{Properties, SarifRegion, SarifResult, Suppressed},
    sarif_rules::{Rule, taxon},
};
use assay_model::{Region, Suppression, SuppressionKind};

/// Semgrep puts the folder of a rule's file before our rules' names.
pub(super) fn normal_id<'a>(tool: &str, id: &'a str) -> &'a str {
    match id.rfind(".assay.") {
        Some(at) if tool == "semgrep" => &id[at + 1..],
        _ => id,
    }
}

/// Returns the tool's words for how bad it is: of the result, of its rule, its level.
pub(super) fn words<'a>(
    result: &'a SarifResult<'_>,
    kind: &str,
    rule: Option<&'a Rule>,
) -> [Option<&'a str>; 3] {
    let own = result.properties.as_ref().and_then(Properties::word);
    let of_rule = rule.and_then(|rule| rule.word.as_deref());
    let level = result.level.as_deref();
    // The standard: without a level the rule's counts, without that it is a warning; only what
    // failed has one.
    let level = match (level, kind) {
        (Some(level), _) => level,
        (None, "fail") => rule.and_then(|rule| rule.level.as_deref()).unwrap_or("warning"),
        (None, _) => "none",
    };
    [own, of_rule, Some(level)]
}

pub(super) fn cwes(result: &SarifResult<'_>, rule: Option<&Rule>) -> Vec<u32> {
    let mut cwe = rule.map_or_else(Vec::new, |rule| rule.cwe.clone());
    if let Some(properties) = &result.properties {
        properties.cwe(&mut cwe);
    }
    for taxa in result.taxa.iter().flatten() {
        let name = taxa.tool_component.as_ref().and_then(|component| component.name.as_deref());
        cwe.extend(taxon(taxa.id.as_deref(), name));
    }
    cwe
}

/// One suppression that was not rejected is enough.
pub(super) fn suppression(all: &[Suppressed<'_>]) -> Option<Suppression> {
    let accepted = |s: &&Suppressed<'_>| s.status.as_deref().is_none_or(|s| s == "accepted");
    let found = all.iter().find(accepted)?;
    let kind = match found.kind.as_deref() {
        Some("external") => SuppressionKind::Configuration,
        _ => SuppressionKind::InSource,
    };
    let reason = cleaned(found.justification.as_deref().unwrap_or_default(), 500);
    Some(Suppression { kind, reason })
}

pub(super) fn checked(at: SarifRegion) -> Option<Region> {
    region(at.start_line, at.start_column, at.end_line, at.end_column)
}
