//! Comments that silence a finding.
//!
//! The rule, exactly:
//!
//! - A pattern is tried on the finding's first line and, where the region spans several, on its
//!   last: tools accept the comment at either end of a statement.
//! - A pattern that begins with `^`, or that holds `next-line` or `nextline`, is about a comment that has a line
//!   for itself; it is tried on the line above the first line, and only there.
//! - A group named `rules` that takes part limits the comment to what it names: words between
//!   commas or spaces, each a rule's name or the beginning of one. A comment that names other
//!   rules suppresses nothing.
//!
//! Does not: read blocks (`eslint-disable` … `eslint-enable`) or whole-file comments.

use crate::tool::Tool;
use assay_model::{Observation, SourceText, Suppression, SuppressionKind};
use regex::Regex;

/// Characters of a line that are looked at: a minified file has lines of megabytes.
const LINE_CHARS_MAX: usize = 4_000;

/// One pattern of `suppressed-by`.
#[derive(Debug)]
pub(crate) struct Suppressor {
    regex: Regex,
    on: Line,
}

/// Where a comment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Itself,
    Above,
}

// === impl Suppressor ===

impl Suppressor {
    pub(crate) fn new(regex: Regex) -> Self {
        let text = regex.as_str();
        let above = text.trim_start_matches("(?i)").starts_with('^')
            || text.contains("next-line")
            || text.contains("nextline");
        let on = if above { Line::Above } else { Line::Itself };
        Self { regex, on }
    }

    /// Returns the comment if it silences the rule.
    fn silences(&self, line: &str, rule: &str) -> Option<String> {
        let line = match line.char_indices().nth(LINE_CHARS_MAX) {
            Some((end, _)) => &line[..end],
            None => line,
        };
        let found = self.regex.captures(line)?;
        let named = found.name("rules").map(|rules| rules.as_str().trim());
        let names = named.filter(|names| !names.is_empty());
        let is_meant = names.is_none_or(|names| {
            let mut names = names.split([',', ' ', '\t']).filter(|name| !name.is_empty());
            names.any(|name| starts_with_ignoring_case(rule, name))
        });
        is_meant.then(|| found[0].trim().to_owned())
    }
}

// === impl Tool ===

impl Tool {
    /// Returns the comment that silences an observation, if there is one.
    pub fn suppression_of(
        &self,
        observation: &Observation,
        source: &dyn SourceText,
    ) -> Option<Suppression> {
        if self.suppressors.is_empty() {
            return None;
        }
        let location = observation.location.as_ref()?;
        let region = location.region?;
        let text = source.text(&location.path)?;
        let first = usize::try_from(region.line).ok()?.checked_sub(1)?;
        let last = region.end_line.and_then(|end| usize::try_from(end).ok()?.checked_sub(1));
        let line = |number: Option<usize>| number.and_then(|number| text.lines().nth(number));
        let itself = line(Some(first));
        let end = line(last.filter(|last| *last != first));
        let above = line(first.checked_sub(1));
        let rule = observation.rule.as_str();
        let reason = self.suppressors.iter().find_map(|suppressor| match suppressor.on {
            Line::Itself => {
                [itself, end].into_iter().flatten().find_map(|l| suppressor.silences(l, rule))
            }
            Line::Above => above.and_then(|line| suppressor.silences(line, rule)),
        })?;
        Some(Suppression { kind: SuppressionKind::InSource, reason })
    }
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, line: &str, rule: &str, expected: Option<&str>) {
        let suppressor = Suppressor::new(Regex::new(pattern).unwrap());
        assert_eq!(suppressor.silences(line, rule).as_deref(), expected, "{line}");
    }

    const NOSEC: &str = r"#\s*nosec\b:?\s*(?P<rules>[A-Z]\d+(?:[,\s]+[A-Z]\d+)*)?";

    #[test]
    fn a_comment_silences_what_it_names_and_no_more() {
        check(NOSEC, "x = eval(y)  # nosec", "B307", Some("# nosec"));
        check(NOSEC, "x = eval(y)  # nosec B307", "B307", Some("# nosec B307"));
        check(NOSEC, "x = eval(y)  # nosec B101, B307", "B307", Some("# nosec B101, B307"));
        check(NOSEC, "x = eval(y)  # nosec B101", "B307", None);
        check(NOSEC, "x = eval(y)  # no second thoughts", "B307", None);
    }

    #[test]
    fn the_shape_of_a_pattern_tells_where_the_comment_stands() {
        let on = |pattern: &str| Suppressor::new(Regex::new(pattern).unwrap()).on;
        assert_eq!(on(NOSEC), Line::Itself);
        assert_eq!(on("eslint-disable-next-line"), Line::Above);
        assert_eq!(on(r"^\s*# shellcheck disable="), Line::Above);
    }
}
