//! One item of a list, by a mapping, to a draft.

use super::{
    OutputError,
    collector::{Collector, Draft, Place},
    cwe::cwe_of_field,
    mapped::not_its,
    region::{Number, region},
};
use crate::{
    lookup::{Lookup, Scope},
    mapping::CompiledMapping,
};
use serde_json::Value;

/// Turns one item into a draft; one that lacks what it must have makes the output invalid.
pub(super) fn take_item(
    mapping: &CompiledMapping,
    collector: &mut Collector<'_>,
    item: &Scope<'_>,
) -> Result<(), OutputError> {
    let is_scalar = !item.value.is_object() && !item.value.is_array();
    if is_scalar && !mapping.takes_scalars {
        return Ok(());
    }
    // Before `only`, which would take another tool's document for items of no interest.
    for (lookup, bound) in &mapping.above {
        let number = lookup.number(item).ok_or_else(|| not_its("a number in an item"))?;
        if number <= *bound {
            // Not counted as dropped: such a list holds what is fine as well.
            return Ok(());
        }
    }
    for (lookup, texts) in &mapping.only {
        if !lookup.text(item).is_some_and(|found| texts.iter().any(|text| *text == found)) {
            collector.reading.dropped += 1;
            return Ok(());
        }
    }
    let rule = mapping.rule.text(item).ok_or_else(|| not_its("the rule of an item"))?;
    let published = mapping.aliases.as_ref().and_then(|aliases| published(&rule, aliases, item));
    let rule = published.map_or(rule, Into::into);
    let message = mapping.message.text(item).ok_or_else(|| not_its("the message of an item"))?;
    let text = |lookup: &'_ Option<Lookup>| -> Option<String> {
        lookup.as_ref().and_then(|lookup| lookup.text(item)).map(std::borrow::Cow::into_owned)
    };
    #[expect(clippy::cast_possible_truncation, reason = "0 to 10, checked by `band`")]
    let number = |lookup: &Option<Lookup>| lookup.as_ref()?.number(item).map(|n| n as f32);
    let (severity, confidence, help) =
        (text(&mapping.severity), text(&mapping.confidence), text(&mapping.help));
    let place = match (&mapping.path, collector.call_file) {
        (None, Some(file)) => Place::File(file.clone()),
        (None, None) => Place::None,
        (Some(path), _) => path.text(item).map_or(Place::None, |path| collector.place(&path)),
    };
    collector.take(Draft {
        rule: &rule,
        message: &message,
        place,
        region: item_region(mapping, item),
        kind: text(&mapping.kind).and_then(|kind| kind.parse().ok()),
        security_severity: number(&mapping.security_severity),
        words: [severity.as_deref(), None, None],
        confidence: confidence.as_deref(),
        cwe: mapping.cwe.as_ref().map_or_else(Vec::new, |cwe| cwes(cwe, item)),
        help: help.as_deref(),
        suppression: None,
        fix: None,
    });
    Ok(())
}

/// Returns the number under which all know a vulnerability: the lowest CVE, else the lowest GHSA.
fn published(rule: &str, aliases: &Lookup, item: &Scope<'_>) -> Option<String> {
    let others: Vec<&str> = match aliases.value(item) {
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => vec![text],
        _ => Vec::new(),
    };
    let names = || std::iter::once(rule).chain(others.iter().copied());
    let lowest = |prefix: &str| names().filter_map(|name| number_with(prefix, name)).min();
    lowest("CVE-").or_else(|| lowest("GHSA-")).map(str::to_owned)
}

/// Finds `CVE-…` or `GHSA-…` in a name or in the address of its page.
fn number_with<'t>(prefix: &str, text: &'t str) -> Option<&'t str> {
    let number = &text[text.find(prefix)?..];
    let end = number.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let number = &number[..end.unwrap_or(number.len())];
    (number.len() > prefix.len() + 4).then_some(number)
}

fn item_region(mapping: &CompiledMapping, item: &Scope<'_>) -> Option<assay_model::Region> {
    let number = |lookup: &Option<Lookup>| {
        Number::of(lookup.as_ref().and_then(|lookup| lookup.number(item)))
    };
    let column = |lookup: &Option<Lookup>| {
        let column = number(lookup);
        if mapping.columns_from_zero {
            Number(column.0.and_then(|c| c.checked_add(1)))
        } else {
            column
        }
    };
    region(
        number(&mapping.line),
        column(&mapping.column),
        number(&mapping.end_line),
        column(&mapping.end_column),
    )
}

fn cwes(lookup: &Lookup, item: &Scope<'_>) -> Vec<u32> {
    match lookup.value(item) {
        Some(Value::Array(values)) => {
            let texts =
                values.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
            texts.filter_map(|text| cwe_of_field(&text)).collect()
        }
        _ => lookup.text(item).and_then(|text| cwe_of_field(&text)).into_iter().collect(),
    }
}
