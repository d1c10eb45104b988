//! GitLab Code Quality: a JSON array of issues.
//!
//! Keeps: fingerprints are unique in a file (GitLab drops repeats); an incomplete analysis has a
//! `blocker` of its own, since the format knows nothing but issues. Suppressed findings are left
//! out: the format cannot mark them.

use crate::{
    summary::{Gap, open_findings, summary},
    text::shown_line,
};
use assay_model::{Finding, Report, Severity};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use std::{
    borrow::Cow,
    io::{self, Write},
};

/// GitLab wants a path for everything. What is about the whole app is at its root.
const WHOLE_APP: &str = ".";

#[derive(Serialize)]
struct Issue<'a> {
    description: Cow<'a, str>,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Place<'a>,
}

#[derive(Serialize)]
struct Place<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// All issues, made one by one while they are written.
struct Issues<'a>(&'a Report);

/// Writes the report for GitLab's merge-request widget.
pub fn write_gitlab(report: &Report, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Issues(report))?;
    out.write_all(b"\n")
}

// === impl Issue ===

impl<'a> Issue<'a> {
    fn of(finding: &'a Finding) -> Self {
        let location = finding.location.as_ref();
        Self {
            description: shown_line(&finding.message),
            check_name: format!("{}:{}", finding.tool, finding.rule),
            fingerprint: format!("{}-{}", finding.fingerprint, finding.occurrence),
            severity: severity(finding.severity),
            location: Place {
                path: location.map_or(WHOLE_APP, |location| location.path.as_str()),
                lines: Lines { begin: location.map_or(1, assay_model::Location::line) },
            },
        }
    }

    fn of_gap(gap: &Gap<'_>) -> Self {
        let mend = gap.mend.map(|mend| format!(" ({mend})")).unwrap_or_default();
        let said =
            format!("{} did not do its work: {}: {}{mend}", gap.tool, gap.status, gap.reason);
        let severity = if gap.required { "blocker" } else { "info" };
        Self::of_analysis(shown_line(&said).into_owned(), format!("gap-{}", gap.tool), severity)
    }

    fn of_analysis(description: String, fingerprint: String, severity: &'static str) -> Self {
        Self {
            description: description.into(),
            check_name: "assay:incomplete".to_owned(),
            fingerprint,
            severity,
            location: Place { path: WHOLE_APP, lines: Lines { begin: 1 } },
        }
    }
}

// === impl Issues ===

impl Serialize for Issues<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let summary = summary(self.0);
        let mut issues = to.serialize_seq(None)?;
        if let Some(trouble) = summary.trouble {
            let issue = Issue::of_analysis(trouble, "analysis".to_owned(), "blocker");
            issues.serialize_element(&issue)?;
        }
        for gap in &summary.gaps {
            issues.serialize_element(&Issue::of_gap(gap))?;
        }
        for finding in open_findings(self.0) {
            issues.serialize_element(&Issue::of(finding))?;
        }
        issues.end()
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "minor",
        Severity::Medium => "major",
        Severity::High => "critical",
        Severity::Critical => "blocker",
    }
}
