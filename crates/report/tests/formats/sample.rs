//! One rich report with hostile content, built by the crate's own `build`, for every test of a
//! format.

use assay_model::*;
use assay_report::{IgnoreRule, Rules, SeverityRule, build};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Text that every format must survive.
pub(crate) const HOSTILE: &str = "<script>alert(\"x\")</script> ]]> & 'q' `b` | *m* @team #1 \
     [click](http://evil.example)\n::error::owned\r\n\u{1b}[31mred\u{202e}nimda %0A 100% =1+1 ünïcode";

pub(crate) const SECRET: &str = "hunter2-c0rrect";

/// Source texts in memory.
#[derive(Default)]
pub(crate) struct Files(pub(crate) HashMap<String, Arc<str>>);

impl Files {
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(*text))).collect())
    }
}

impl SourceText for Files {
    fn text(&self, path: &SourcePath) -> Option<Arc<str>> {
        self.0.get(path.as_str()).cloned()
    }
}

pub(crate) fn tool(name: &str) -> ToolId {
    ToolId::new(name).unwrap()
}

/// An observation at a line.
pub(crate) fn seen(by: &str, rule: &str, defect: &str, place: (&str, u32)) -> Observation {
    Observation {
        tool: tool(by),
        rule: RuleId::new(rule).unwrap(),
        defect: defect.to_owned(),
        kind: Kind::Security,
        severity: Severity::Medium,
        security_severity: None,
        confidence: None,
        cwe: Vec::new(),
        message: format!("{by} says {defect}"),
        help: None,
        location: Some(at(place.0, place.1)),
        suppression: None,
        fix: None,
    }
}

pub(crate) fn at(path: &str, line: u32) -> Location {
    let region = Region::checked(Some(line), None, None, None);
    Location { path: SourcePath::new(path).unwrap(), region }
}

pub(crate) fn today() -> jiff::civil::Date {
    jiff::civil::date(2026, 11, 23)
}

const APP: &str = "import os\n\ndef query(db, name):\n    sql = \"SELECT * FROM t WHERE n = '\" + name + \"'\"\n    return db.execute(\n        sql)\n\nPASSWORD = 'hunter2-c0rrect'\n";

pub(crate) fn files() -> Files {
    Files::of(&[
        ("app.py", APP),
        ("static/größe 100%.js", "function f(x) {\n  eval(x); // \u{1b}[2J \u{202e}\n}\n"),
        ("requirements.txt", "Flask==0.12\nrequests==2.0\n"),
        ("=cmd.py", "x = 1\n"),
    ])
}

fn observations() -> Vec<Observation> {
    let mut sql = seen("bandit", "B608", "sql-injection", ("app.py", 4));
    sql.severity = Severity::High;
    sql.confidence = Some(Confidence::High);
    sql.cwe = vec![89];
    sql.help = Some("https://example.org/rules/b608".to_owned());
    sql.location.as_mut().unwrap().region = Region::checked(Some(4), Some(5), Some(4), Some(20));
    let mut sql_too = seen("semgrep", "python.sql", "sql-injection", ("app.py", 4));
    sql_too.cwe = vec![89, 943];
    let mut secret = seen("detect-secrets", "Secret Keyword", "hardcoded-secret", ("app.py", 8));
    secret.kind = Kind::Secret;
    secret.severity = Severity::Critical;
    secret.cwe = vec![798];
    secret.message = format!("found '{SECRET}'");
    let mut hostile =
        seen("eslint", "security/detect-eval", "code-injection", ("static/größe 100%.js", 2));
    HOSTILE.clone_into(&mut hostile.message);
    hostile.security_severity = Some(9.8);
    hostile.cwe = vec![95];
    let mut fixed = seen("ruff", "F401", "unused-import", ("app.py", 1));
    fixed.kind = Kind::DeadCode;
    fixed.severity = Severity::Low;
    fixed.fix = Some(Fix {
        description: "remove the import".to_owned(),
        edits: vec![Edit {
            region: Region { line: 1, column: Some(1), end_line: Some(2), end_column: Some(1) },
            text: String::new(),
        }],
    });
    let mut advisory =
        seen("pip-audit", "PYSEC-2018-66", "vulnerable-dependency", ("requirements.txt", 1));
    advisory.kind = Kind::Dependency;
    "flask==0.12 is open to CVE-2018-1000656".clone_into(&mut advisory.message);
    let mut whole_file = seen("mypy", "no-types", "mypy:no-types", ("=cmd.py", 1));
    whole_file.kind = Kind::Types;
    whole_file.severity = Severity::Info;
    whole_file.location.as_mut().unwrap().region = None;
    let mut whole_app = seen("semgrep", "no-csp", "missing-csp", ("app.py", 1));
    whole_app.location = None;
    let mut commented = seen("bandit", "B101", "assert-used", ("app.py", 6));
    commented.suppression =
        Some(Suppression { kind: SuppressionKind::InSource, reason: "# nosec <b>".to_owned() });
    let ignored = seen("ruff", "E501", "ruff:E501", ("app.py", 3));
    vec![sql, sql_too, secret, hostile, fixed, advisory, whole_file, whole_app, commented, ignored]
}

pub(crate) fn rules() -> Rules {
    let date = |year| jiff::civil::date(year, 1, 31);
    Rules {
        ignores: vec![
            IgnoreRule::new("ruff:E5*", Some("*.py"), "long lines are fine", None).unwrap(),
            IgnoreRule::new("sql-injection", None, "was a false alarm", Some(date(2026))).unwrap(),
        ],
        severities: vec![SeverityRule::new("missing-csp", Severity::Low).unwrap()],
        ..Rules::none(today())
    }
}

/// A tool that ran and ended well.
pub(crate) fn ran(name: &str, observations: u64) -> ToolRun {
    ToolRun {
        version: Some("1.2.3".to_owned()),
        files_matched: 3,
        observations,
        clean: observations == 0,
        end: Some(ToolEnd::Exited { code: i32::from(observations > 0) }),
        usage: Usage {
            wall_ms: 1500,
            user_ms: 900,
            system_ms: 100,
            peak_kib: 64_000,
            ..Usage::default()
        },
        started_ms: Some(250),
        commands: vec![format!("{name} --json {{project}}")],
        ..ToolRun::not_run(tool(name), ToolStatus::Ok, true)
    }
}

fn tools() -> Vec<ToolRun> {
    let mut failed = ToolRun::not_run(tool("checkov"), ToolStatus::Failed, true);
    failed.reason = Some(format!("exited with code 2: {HOSTILE}"));
    failed.mend = Some("assay tools install checkov".to_owned());
    failed.end = Some(ToolEnd::Exited { code: 2 });
    let mut optional = ToolRun::not_run(tool("gitleaks"), ToolStatus::Unavailable, false);
    optional.reason = Some("not on PATH".to_owned());
    let mut partly = ran("mypy", 1);
    partly.files_failed = vec![SourcePath::new("bro ken.py").unwrap()];
    vec![
        ran("bandit", 2),
        failed,
        ran("detect-secrets", 1),
        ran("eslint", 1),
        optional,
        ToolRun::not_run(tool("hadolint"), ToolStatus::NoInputs, true),
        partly,
        ran("pip-audit", 1),
        ran("ruff", 2),
        ran("semgrep", 2),
        ran("vulture", 0),
    ]
}

/// The report of an incomplete analysis.
pub(crate) fn report() -> Report {
    report_of(observations(), tools(), AnalysisOutcome::Incomplete)
}

pub(crate) fn report_of(
    observations: Vec<Observation>,
    tools: Vec<ToolRun>,
    outcome: AnalysisOutcome,
) -> Report {
    let built = build(observations, &files(), &rules());
    let language = LanguageInfo { files: 2, lines: 13 };
    Report {
        report_version: REPORT_VERSION.to_owned(),
        task: TaskId::new("20261123-1").unwrap(),
        app: AppInfo {
            app: AppRef::Path { path: "notes".to_owned() },
            path: "/srv/notes".to_owned(),
            git: Some(GitInfo { commit: "0a1b2c3".to_owned(), branch: Some("main".to_owned()) }),
        },
        started: "2026-11-23T15:30:00Z".parse().unwrap(),
        duration_ms: 12_345,
        outcome,
        verdict: Verdict { fail_on: "high".to_owned(), at_or_above: 3, exit_code: 3 },
        selection: SelectionInfo {
            analyses: vec!["static".to_owned()],
            profile: Profile::Standard,
            tools: Vec::new(),
            from_project: vec!["profile".to_owned()],
        },
        source: SourceInfo {
            digest: Digest::new(&"ab".repeat(32)).unwrap(),
            files: 4,
            bytes: 512,
            lines: 13,
            languages: BTreeMap::from([(Language::Python, language)]),
            frameworks: vec!["flask".to_owned()],
            manifests: vec![SourcePath::new("requirements.txt").unwrap()],
            skipped: BTreeMap::from([(
                SkipCause::TooLarge,
                Skipped { count: 1, examples: vec!["big.bin".to_owned()] },
            )]),
        },
        environment: Environment {
            assay: "0.1.0".to_owned(),
            os: "linux".to_owned(),
            cpus: 2,
            jobs: 2,
            python: Some("3.11.2".to_owned()),
            node: None,
            isolation: Vec::new(),
        },
        tools,
        counts: built.counts,
        findings: built.findings,
        ignores: built.ignores,
        warnings: vec![HOSTILE.to_owned()],
    }
}
