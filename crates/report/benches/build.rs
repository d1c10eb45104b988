//! How long it takes to turn 100,000 observations into findings and into files.
//!
//! `cargo bench -p assay-report --bench build`. Prints milliseconds and bytes; judges nothing.

use assay_model::{
    Kind, Location, Observation, Region, RuleId, Severity, SourcePath, SourceText, ToolId,
};
use assay_report::{Rules, build};
use std::{sync::Arc, time::Instant};

const FILES: u32 = 1000;
const PER_FILE: u32 = 100;

/// A file of 400 lines, the same under every path.
struct Source(Arc<str>);

impl SourceText for Source {
    fn text(&self, _path: &SourcePath) -> Option<Arc<str>> {
        Some(self.0.clone())
    }
}

fn observation(file: u32, index: u32) -> Observation {
    let (tool, defect) =
        if index.is_multiple_of(3) { ("bandit", "sql-injection") } else { ("ruff", "ruff:E501") };
    let kind = if index.is_multiple_of(50) { Kind::Secret } else { Kind::Security };
    let path = SourcePath::new(&format!("src/package{}/module{file}.py", file % 40));
    Observation {
        tool: ToolId::new(tool).expect("a tame name"),
        rule: RuleId::new("S608").expect("a tame name"),
        defect: defect.to_owned(),
        kind,
        severity: Severity::ALL[(index % 5) as usize],
        security_severity: None,
        confidence: None,
        cwe: vec![89],
        message: format!("Possible SQL injection in statement {index}"),
        help: Some("https://example.org/rules/s608".to_owned()),
        location: Some(Location {
            path: path.expect("a relative path"),
            region: Region::checked(Some(index * 4 + 1), Some(5), None, None),
        }),
        suppression: None,
        fix: None,
    }
}

fn main() {
    let function = |at| {
        format!(
            "def function_{at}(db, name):\n    if name:\n        db.execute('SELECT ' + name)\n    \
             return {at}\n"
        )
    };
    let text = (0..PER_FILE).map(function).collect::<Vec<String>>().concat();
    let source = Source(text.into());
    let all: Vec<Observation> = (0..FILES)
        .flat_map(|file| (0..PER_FILE).map(move |index| observation(file, index)))
        .collect();
    println!("observations: {}", all.len());
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    let start = Instant::now();
    let built = build(all, &source, &Rules::none(jiff::civil::date(2026, 1, 1)));
    println!("build: {} ms, {} findings", start.elapsed().as_millis(), built.findings.len());
}
