//! What the user said about findings: `[[ignore]]` entries and severities of their own.
//!
//! Owns how a rule pattern is read. A pattern is a glob over any of three names of a finding: the
//! defect class (`sql-injection`), a rule (`B608`), or a tool and its rule (`bandit:B608`), of any
//! tool that saw it.
//!
//! Does not: know where the entries were written, nor what day it is.

use assay_model::{Finding, IgnoreUse, Severity, Suppression, SuppressionKind};
use globset::{GlobBuilder, GlobMatcher};
use jiff::civil::Date;

/// All that changes findings between what tools said and what the report says.
#[derive(Clone, Debug)]
pub struct Rules {
    pub ignores: Vec<IgnoreRule>,
    /// The first that matches wins.
    pub severities: Vec<SeverityRule>,
    pub in_source: InSource,
    /// Entries whose `until` lies before this day have expired.
    pub today: Date,
}

/// What becomes of comments in the source that suppress findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InSource {
    /// What stands under one is shown apart and does not count.
    #[default]
    Kept,
    /// `--ignore-suppressions`: they mean nothing.
    Dropped,
}

/// One checked `[[ignore]]` entry.
#[derive(Clone, Debug)]
pub struct IgnoreRule {
    rule: Pattern,
    path: Option<Pattern>,
    reason: String,
    /// The last day on which it holds.
    until: Option<Date>,
}

/// A severity that the user gives to some findings.
#[derive(Clone, Debug)]
pub struct SeverityRule {
    rule: Pattern,
    severity: Severity,
}

/// A pattern that cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{pattern}` is no glob")]
pub struct PatternError {
    pub pattern: String,
    pub source: globset::Error,
}

#[derive(Clone, Debug)]
struct Pattern {
    text: String,
    matchers: Vec<GlobMatcher>,
}

// === impl Rules ===

impl Rules {
    /// Nothing ignored, nothing changed.
    pub fn none(today: Date) -> Self {
        Self { ignores: Vec::new(), severities: Vec::new(), in_source: InSource::Kept, today }
    }

    /// Applies everything to the findings and tells what each entry did.
    pub(crate) fn apply(&self, findings: &mut [Finding]) -> Vec<IgnoreUse> {
        let mut uses: Vec<IgnoreUse> =
            self.ignores.iter().map(|entry| entry.unused(self.today)).collect();
        for finding in findings {
            self.comment(finding);
            let named = self.severities.iter().find(|rule| rule.rule.names(finding));
            if let Some(rule) = named {
                finding.severity = rule.severity;
                // The tool's number would contradict the user's word wherever it is shown.
                finding.security_severity = None;
            }
            for (entry, used) in self.ignores.iter().zip(&mut uses) {
                if !entry.matches(finding) {
                    continue;
                }
                used.matched += 1;
                if !used.expired && finding.suppression.is_none() {
                    let reason = entry.reason.clone();
                    finding.suppression =
                        Some(Suppression { kind: SuppressionKind::Configuration, reason });
                }
            }
        }
        uses
    }

    fn comment(&self, finding: &mut Finding) {
        match self.in_source {
            InSource::Kept => {}
            InSource::Dropped => {
                finding.suppression.take_if(|it| it.kind == SuppressionKind::InSource);
            }
        }
    }
}

// === impl IgnoreRule ===

impl IgnoreRule {
    /// Checks an entry. `path` is a glob over relative paths; a folder stands for all in it.
    pub fn new(
        rule: &str,
        path: Option<&str>,
        reason: &str,
        until: Option<Date>,
    ) -> Result<Self, PatternError> {
        Ok(Self {
            rule: Pattern::rule(rule)?,
            path: path.map(Pattern::path).transpose()?,
            reason: reason.to_owned(),
            until,
        })
    }

    fn matches(&self, finding: &Finding) -> bool {
        self.rule.names(finding)
            && self.path.as_ref().is_none_or(|path| {
                finding.location.as_ref().is_some_and(|at| path.matches(at.path.as_str()))
            })
    }

    fn unused(&self, today: Date) -> IgnoreUse {
        IgnoreUse {
            rule: self.rule.text.clone(),
            path: self.path.as_ref().map(|path| path.text.clone()),
            reason: self.reason.clone(),
            until: self.until.map(|date| date.to_string()),
            expired: self.until.is_some_and(|until| until < today),
            matched: 0,
        }
    }
}

// === impl SeverityRule ===

impl SeverityRule {
    pub fn new(rule: &str, severity: Severity) -> Result<Self, PatternError> {
        Ok(Self { rule: Pattern::rule(rule)?, severity })
    }
}

// === impl Pattern ===

impl Pattern {
    /// Rule names hold `/` like other letters: `security/*` and `*` cross it.
    fn rule(text: &str) -> Result<Self, PatternError> {
        Ok(Self { text: text.to_owned(), matchers: vec![glob(text, text, false)?] })
    }

    fn path(text: &str) -> Result<Self, PatternError> {
        let bare = text.trim_start_matches("./").trim_end_matches('/');
        let below = format!("{bare}/**");
        let mut matchers = vec![glob(text, &below, true)?];
        if !text.ends_with('/') {
            matchers.push(glob(text, bare, true)?);
        }
        Ok(Self { text: text.to_owned(), matchers })
    }

    fn matches(&self, text: &str) -> bool {
        self.matchers.iter().any(|matcher| matcher.is_match(text))
    }

    fn names(&self, finding: &Finding) -> bool {
        self.matches(&finding.defect)
            || finding.sightings.iter().any(|sighting| {
                self.matches(sighting.rule.as_str())
                    || self.matches(&format!("{}:{}", sighting.tool, sighting.rule))
            })
    }
}

fn glob(pattern: &str, text: &str, literal_separator: bool) -> Result<GlobMatcher, PatternError> {
    GlobBuilder::new(text)
        .literal_separator(literal_separator)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|source| PatternError { pattern: pattern.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, path: &str, expected: bool) {
        assert_eq!(Pattern::path(pattern).unwrap().matches(path), expected, "{pattern} {path}");
    }

    #[test]
    fn a_folder_stands_for_all_in_it() {
        check("tests", "tests/a/b.py", true);
        check("tests/", "tests/a.py", true);
        check("./tests/", "tests/a.py", true);
        check("tests/", "tests", false);
        check("tests/*.py", "tests/a.py", true);
        check("tests/*.py", "tests/a/b.py", false);
        check("**/*.js", "a.js", true);
        check("test", "tests/a.py", false);
    }

    #[test]
    fn a_pattern_that_is_no_glob_is_named() {
        let error = IgnoreRule::new("a[", None, "", None).unwrap_err();
        assert_eq!(error.to_string(), "`a[` is no glob");
    }
}
