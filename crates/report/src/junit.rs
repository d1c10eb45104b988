//! JUnit XML: a suite a tool, a case a finding.
//!
//! Keeps: a required tool that did not do its work is an `error`, an optional one is `skipped`;
//! neither is ever a passed case. An analysis that is not whole has an `error` of its own.
//! Suppressed findings are `skipped`.

use crate::{
    summary::summary,
    text::{shown, shown_line},
};
use assay_model::{Finding, Report, ToolRun, ToolStatus};
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

/// What one suite holds.
#[derive(Clone, Copy, Default)]
struct Tally {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

/// How a case that is no finding ended.
enum Verdict<'a> {
    Passed,
    Error(&'a str),
    Skipped(&'a str),
}

/// Writes the report as test results.
pub fn write_junit(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let mut by_tool: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &report.findings {
        by_tool.entry(finding.tool.as_str()).or_default().push(finding);
    }
    let trouble = summary(report).trouble;
    let of = |run: &ToolRun| by_tool.get(run.tool.as_str()).map_or(&[][..], Vec::as_slice);
    let mut all =
        report.tools.iter().map(|run| Tally::of(run, of(run))).fold(Tally::default(), Tally::plus);
    if trouble.is_some() {
        all = all.plus(Tally { tests: 1, errors: 1, ..Tally::default() });
    }
    let mut xml = Writer::new_with_indent(out, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let seconds = seconds(report.duration_ms);
    let attributes = [("name", "assay"), ("time", &seconds)];
    xml.create_element("testsuites")
        .with_attributes(attributes)
        .with_attributes(all.attributes().iter().map(|(name, value)| (*name, value.as_str())))
        .write_inner_content(|xml| {
            if let Some(trouble) = &trouble {
                analysis_suite(xml, trouble)?;
            }
            report.tools.iter().try_for_each(|run| suite(xml, run, of(run)))
        })?;
    xml.into_inner().write_all(b"\n")
}

fn analysis_suite(xml: &mut Writer<impl Write>, trouble: &str) -> io::Result<()> {
    let tally = Tally { tests: 1, errors: 1, ..Tally::default() };
    xml.create_element("testsuite")
        .with_attribute(("name", "assay"))
        .with_attributes(tally.attributes().iter().map(|(name, value)| (*name, value.as_str())))
        .write_inner_content(|xml| {
            case(xml, "assay", "the analysis is whole", Verdict::Error(trouble))
        })?;
    Ok(())
}

fn suite(xml: &mut Writer<impl Write>, run: &ToolRun, findings: &[&Finding]) -> io::Result<()> {
    let tally = Tally::of(run, findings);
    let time = seconds(run.usage.wall_ms);
    let tool = run.tool.as_str();
    xml.create_element("testsuite")
        .with_attributes([("name", tool), ("time", time.as_str())])
        .with_attributes(tally.attributes().iter().map(|(name, value)| (*name, value.as_str())))
        .write_inner_content(|xml| {
            let said = said(run);
            match own_case(run, findings) {
                None => {}
                Some(Own::Clean) => case(xml, tool, "nothing found", Verdict::Passed)?,
                Some(Own::NotClean) => case(xml, tool, "whole", Verdict::Skipped(&said))?,
                Some(Own::Gap) if run.required => case(xml, tool, "ran", Verdict::Error(&said))?,
                Some(Own::Gap | Own::NoInputs) => case(xml, tool, "ran", Verdict::Skipped(&said))?,
            }
            findings.iter().try_for_each(|finding| finding_case(xml, finding))
        })?;
    Ok(())
}

/// What a tool's suite says beside its findings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    Clean,
    /// It ended well and found nothing, but did not read everything.
    NotClean,
    NoInputs,
    Gap,
}

fn own_case(run: &ToolRun, findings: &[&Finding]) -> Option<Own> {
    match run.status {
        ToolStatus::NoInputs => Some(Own::NoInputs),
        status if !status.did_its_work() => Some(Own::Gap),
        _ if run.clean && findings.is_empty() => Some(Own::Clean),
        _ if findings.is_empty() => Some(Own::NotClean),
        _ => None,
    }
}

fn said(run: &ToolRun) -> String {
    let unread = run.files_failed.len();
    let mut said = run.status.to_string();
    if let Some(reason) = &run.reason {
        said.extend([format!(": {reason}")]);
    }
    if unread > 0 {
        said.extend([format!(": {unread} files could not be read")]);
    }
    if let Some(mend) = &run.mend {
        said.extend([format!(" ({mend})")]);
    }
    said
}

fn case(
    xml: &mut Writer<impl Write>,
    class: &str,
    name: &str,
    verdict: Verdict<'_>,
) -> io::Result<()> {
    let element = xml.create_element("testcase").with_attributes([
        ("classname", class),
        ("name", name),
        ("time", "0"),
    ]);
    match verdict {
        Verdict::Passed => element.write_empty()?,
        Verdict::Error(why) => element.write_inner_content(|xml| outcome(xml, "error", why))?,
        Verdict::Skipped(why) => element.write_inner_content(|xml| outcome(xml, "skipped", why))?,
    };
    Ok(())
}

fn outcome(xml: &mut Writer<impl Write>, element: &str, why: &str) -> io::Result<()> {
    xml.create_element(element)
        .with_attribute(("message", legal(&shown_line(why)).as_str()))
        .write_empty()?;
    Ok(())
}

fn finding_case(xml: &mut Writer<impl Write>, finding: &Finding) -> io::Result<()> {
    let path = finding.location.as_ref().map_or("the app", |location| location.path.as_str());
    let place =
        finding.location.as_ref().map_or("the app".to_owned(), assay_model::Location::shown);
    // Viewers tell cases apart by name: two findings of a rule in a line differ by occurrence.
    let name = format!("{} at {place} #{}", finding.rule, finding.occurrence);
    let line = finding.location.as_ref().map(|location| location.line().to_string());
    let (path, name) = (legal(&shown_line(path)), legal(&shown_line(&name)));
    let file = line.as_deref().map(|line| [("file", path.as_str()), ("line", line)]);
    xml.create_element("testcase")
        .with_attributes([("classname", path.as_str()), ("name", name.as_str()), ("time", "0")])
        .with_attributes(file.into_iter().flatten())
        .write_inner_content(|xml| match &finding.suppression {
            Some(suppression) => {
                outcome(xml, "skipped", &format!("suppressed: {}", suppression.reason))
            }
            None => failure(xml, finding),
        })?;
    Ok(())
}

fn failure(xml: &mut Writer<impl Write>, finding: &Finding) -> io::Result<()> {
    let cwe: Vec<String> = finding.cwe.iter().map(|number| format!("CWE-{number}")).collect();
    let mut text =
        format!("{}\n{} {} {}", finding.message, finding.severity, finding.kind, cwe.join(" "));
    for sighting in &finding.sightings {
        text.extend([format!("\n{}:{}: {}", sighting.tool, sighting.rule, sighting.message)]);
    }
    if let Some(help) = &finding.help {
        text.extend([format!("\n{help}")]);
    }
    let message = legal(&shown_line(&finding.message));
    xml.create_element("failure")
        .with_attributes([("type", finding.severity.as_str()), ("message", message.as_str())])
        .write_text_content(BytesText::new(&legal(&shown(&text))))?;
    Ok(())
}

/// Drops what XML 1.0 cannot hold in any spelling. Control characters are spelt out already.
fn legal(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}')).collect()
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

// === impl Tally ===

impl Tally {
    fn of(run: &ToolRun, findings: &[&Finding]) -> Self {
        let suppressed = findings.iter().filter(|it| it.suppression.is_some()).count();
        let own = own_case(run, findings);
        let is_error = own == Some(Own::Gap) && run.required;
        let is_skipped = own.is_some_and(|own| own != Own::Clean) && !is_error;
        Self {
            tests: findings.len() + usize::from(own.is_some()),
            failures: findings.len() - suppressed,
            errors: usize::from(is_error),
            skipped: suppressed + usize::from(is_skipped),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            tests: self.tests + other.tests,
            failures: self.failures + other.failures,
            errors: self.errors + other.errors,
            skipped: self.skipped + other.skipped,
        }
    }

    fn attributes(self) -> [(&'static str, String); 4] {
        [
            ("tests", self.tests.to_string()),
            ("failures", self.failures.to_string()),
            ("errors", self.errors.to_string()),
            ("skipped", self.skipped.to_string()),
        ]
    }
}
