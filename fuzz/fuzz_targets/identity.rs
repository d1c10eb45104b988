//! Any observations on any source: findings with identities that are unique, independent of the
//! order in which tools spoke, and a report in every format.
#![no_main]

use arbitrary::Arbitrary;
use assay_fuzz::OneText;
use assay_model::{
    Confidence, Kind, Location, Observation, Region, RuleId, Severity, SourcePath, ToolId,
};
use assay_report::{Rules, build};
use libfuzzer_sys::fuzz_target;
use std::collections::HashSet;

#[derive(Debug, Arbitrary)]
struct Seen {
    tool: u8,
    rule: u8,
    file: u8,
    language: u8,
    line: Option<u8>,
    column: Option<u16>,
    lines: Option<u8>,
    end_column: Option<u16>,
    kind: u8,
    severity: u8,
    confidence: Option<bool>,
    cwe: Vec<u32>,
    message: String,
}

const RULES: &[(&str, &str)] = &[
    ("S105", "hardcoded-password"),
    ("B105", "hardcoded-password"),
    ("aws", "hardcoded-secret"),
    ("no-eval", "code-injection"),
    ("CVE-2018-1000656", "vulnerable-dependency"),
    ("E501", "own:E501"),
];
const ENDINGS: &[&str] = &["py", "js", "html", "txt", "sh", "css", "yml"];

// === impl Seen ===

impl Seen {
    fn observation(&self) -> Observation {
        let (rule, defect) = RULES[usize::from(self.rule) % RULES.len()];
        let ending = ENDINGS[usize::from(self.language) % ENDINGS.len()];
        let region = self.line.map(|line| {
            let line = u32::from(line).max(1);
            Region {
                line,
                column: self.column.map(|column| u32::from(column).max(1)),
                end_line: self.lines.map(|more| line + u32::from(more)),
                end_column: self.end_column.map(|column| u32::from(column).max(1)),
            }
        });
        let path = format!("f{}.{ending}", self.file % 3);
        let path = SourcePath::new(&path).expect("it is a name");
        let mut cwe = self.cwe.clone();
        cwe.sort_unstable();
        cwe.dedup();
        Observation {
            tool: ToolId::new(&format!("tool{}", self.tool % 4)).expect("it is a name"),
            rule: RuleId::new(rule).expect("it is a name"),
            defect: defect.to_owned(),
            kind: Kind::ALL[usize::from(self.kind) % Kind::ALL.len()],
            severity: Severity::ALL[usize::from(self.severity) % Severity::ALL.len()],
            security_severity: None,
            confidence: self.confidence.map(
                |sure| {
                    if sure { Confidence::High } else { Confidence::Low }
                },
            ),
            cwe,
            message: self.message.clone(),
            help: None,
            location: Some(Location { path, region }),
            suppression: None,
            fix: None,
        }
    }
}

fuzz_target!(|input: (Vec<Seen>, &str)| {
    let (seen, text) = input;
    let source = OneText(text.into());
    let rules = Rules::none(jiff::civil::date(2026, 1, 1));
    let mut observations: Vec<Observation> = seen.iter().map(Seen::observation).collect();
    let built = build(observations.clone(), &source, &rules);
    let mut names = HashSet::new();
    for finding in &built.findings {
        let name = (finding.fingerprint.clone(), finding.occurrence);
        assert!(names.insert(name), "{finding:?}");
    }
    observations.reverse();
    let again = build(observations, &source, &rules);
    assert_eq!(built.findings, again.findings);
});
