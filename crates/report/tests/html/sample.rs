//! A report with everything on it that a page can show, hostile text included.

#![allow(clippy::unwrap_used, clippy::too_many_lines, reason = "data for tests")]

mod defects;

use assay_model::{
    AnalysisOutcome, AppInfo, AppRef, Confidence, Counts, Digest, Edit, Environment, Finding,
    Fingerprint, Fix, GitInfo, IgnoreUse, Kind, Language, LanguageInfo, Limit, Location, Profile,
    Region, Report, RuleId, SelectionInfo, Severity, Sighting, SkipCause, Skipped, Snippet,
    SourceInfo, SourcePath, SourceText, Suppression, SuppressionKind, TaskId, ToolEnd, ToolId,
    ToolRun, ToolStatus, Usage, Verdict,
};
use defects::DEFECTS;
use std::{collections::BTreeMap, sync::Arc};

/// Text that tries to become markup, script, an escape sequence or something else than it reads.
pub(crate) const HOSTILE: &str = "</script><script>alert(1)</script> \"onmouseover=alert(2) <img src=x \
     onerror=alert(3)> \u{1b}[31mred\u{1b}[0m \u{202e}desrever\u{202c} {{ 7*7 }} \u{2028}--> &lt;";

/// The app's files, from a map.
#[derive(Debug, Default)]
pub(crate) struct Files(pub(crate) BTreeMap<String, String>);

impl SourceText for Files {
    fn text(&self, path: &SourcePath) -> Option<Arc<str>> {
        self.0.get(path.as_str()).map(|text| text.as_str().into())
    }
}

use {Kind as K, Severity as S};

const PATHS: &[&str] = &[
    "notes/views.py",
    "notes/upload.py",
    "notes/settings.py",
    "static/list.js",
    "requirements.txt",
    "notes/parse.py",
    "notes/models.py",
    "templates/base.html",
    "Dockerfile",
    "notes/rendering/very/deeply/nested/package/that/has/a/long/name/export_everything.py",
    "notes/legacy.py",
    "static/edit.js",
    "notes/__init__.py",
    "docs/upload.md",
];

fn tool(name: &str) -> ToolId {
    ToolId::new(name).unwrap()
}

fn rule(name: &str) -> RuleId {
    RuleId::new(name).unwrap()
}

fn finding(n: u32) -> Finding {
    let index = n as usize % DEFECTS.len();
    let defect = &DEFECTS[index];
    let line = 8 + n * 7 % 190;
    let column = defect.line.find(defect.mark).map_or(1, |at| u32::try_from(at).unwrap() + 1);
    let end = column + u32::try_from(defect.mark.chars().count()).unwrap();
    let region = Region::checked(Some(line), Some(column), Some(line), Some(end));
    let path = SourcePath::new(PATHS[(index + n as usize / DEFECTS.len()) % PATHS.len()]).unwrap();
    let (speaker, name) = defect.tools[0];
    let security = matches!(defect.kind, K::Security | K::Secret | K::Dependency);
    let sightings = defect.tools.iter().map(|(name, id)| Sighting {
        tool: tool(name),
        rule: rule(id),
        severity: defect.severity,
        message: defect.message.to_owned(),
    });
    Finding {
        fingerprint: Fingerprint::new(&format!("{n:032x}")).unwrap(),
        occurrence: 0,
        tool: tool(speaker),
        rule: rule(name),
        defect: format!("{speaker}:{name}"),
        kind: defect.kind,
        severity: defect.severity,
        security_severity: security.then_some(8.1),
        confidence: Some(Confidence::High),
        cwe: defect.cwe.to_vec(),
        owasp: if defect.cwe.is_empty() { Vec::new() } else { vec!["A03:2021".to_owned()] },
        message: defect.message.to_owned(),
        help: Some(format!("https://example.org/rules/{name}")),
        location: Some(Location { path, region }),
        snippet: Some(Snippet {
            first_line: line - 2,
            lines: ["", "# what comes before", defect.line, "    return None", ""]
                .map(str::to_owned)
                .to_vec(),
        }),
        suppression: None,
        fix: defect
            .fix
            .map(|description| Fix { description: description.to_owned(), edits: Vec::new() }),
        sightings: sightings.collect(),
    }
}

fn hostile() -> Finding {
    let region = Region::checked(Some(2), Some(1), Some(2), Some(9));
    let words = HOSTILE.replace('\u{1b}', "");
    Finding {
        message: HOSTILE.to_owned(),
        help: Some("javascript:alert(4)".to_owned()),
        defect: HOSTILE.to_owned(),
        rule: rule(&words),
        owasp: vec![HOSTILE.to_owned()],
        location: Some(Location { path: SourcePath::new(HOSTILE).unwrap(), region }),
        snippet: Some(Snippet { first_line: 1, lines: vec![HOSTILE.to_owned(); 3] }),
        fix: Some(Fix {
            description: HOSTILE.to_owned(),
            edits: vec![Edit { region: region.unwrap(), text: HOSTILE.to_owned() }],
        }),
        sightings: vec![Sighting {
            tool: tool("semgrep"),
            rule: rule(&words),
            severity: S::High,
            message: HOSTILE.to_owned(),
        }],
        ..finding(1)
    }
}

/// Returns `count` findings, worst first, three of them suppressed and one hostile.
fn findings(count: u32) -> Vec<Finding> {
    let mut findings: Vec<_> = (0..count).map(finding).collect();
    for (index, kind) in [
        (3, SuppressionKind::InSource),
        (9, SuppressionKind::Configuration),
        (12, SuppressionKind::Baseline),
    ] {
        if let Some(finding) = findings.get_mut(index) {
            finding.suppression =
                Some(Suppression { kind, reason: "# nosec: input is checked above".to_owned() });
        }
    }
    findings.push(hostile());
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// A tool that ran: name, when it started, how long, and what it said.
fn ran(name: &str, [start, wall, observations]: [u64; 3]) -> ToolRun {
    ToolRun {
        version: Some("1.14.2".to_owned()),
        files_matched: 31,
        files_scanned: Some(31),
        observations,
        clean: observations == 0,
        commands: vec![format!("{name} --format json --config {{config}}/{name}.toml {{project}}")],
        end: Some(ToolEnd::Exited { code: i32::from(observations > 0) }),
        usage: Usage {
            wall_ms: wall,
            user_ms: wall * 9 / 10,
            system_ms: wall / 20,
            peak_kib: 40_000 + wall * 30,
            read_bytes: Some(wall * 4_000),
            written_bytes: Some(wall * 90),
        },
        started_ms: Some(start),
        ..ToolRun::not_run(tool(name), ToolStatus::Ok, true)
    }
}

fn ended(run: ToolRun, status: ToolStatus, reason: &str, mend: &str) -> ToolRun {
    ToolRun {
        status,
        clean: false,
        reason: Some(reason.to_owned()),
        mend: Some(mend.to_owned()),
        ..run
    }
}

fn tools() -> Vec<ToolRun> {
    let mut tools: Vec<_> = [
        ("ruff", [120, 90, 9]),
        ("bandit", [130, 2_100, 6]),
        ("semgrep", [150, 9_800, 14]),
        ("mypy", [240, 6_400, 4]),
        ("pylint", [2_300, 5_200, 5]),
        ("vulture", [6_700, 500, 4]),
        ("radon", [7_300, 350, 4]),
        ("lizard", [7_500, 420, 4]),
        ("detect-secrets", [7_700, 1_900, 4]),
        ("secretlint", [8_000, 1_300, 4]),
        ("eslint", [9_400, 2_300, 4]),
        ("html-validate", [9_700, 900, 4]),
        ("hadolint", [10_000, 110, 4]),
        ("typos", [10_100, 60, 4]),
        ("jscpd", [10_200, 1_400, 4]),
        ("yamllint", [10_700, 260, 0]),
        ("shellcheck", [11_000, 80, 0]),
        ("oxlint", [11_100, 70, 0]),
    ]
    .map(|(name, numbers)| ran(name, numbers))
    .into();
    // Two threads; one that mostly waits; one that was too quick for its peak to be seen.
    tools[2].usage.user_ms = 17_100;
    tools[10].usage.user_ms = 400;
    tools[17].usage.peak_kib = 0;
    tools[1].files_failed = vec![SourcePath::new("notes/broken.py").unwrap()];
    tools[1].notes = vec!["1 file could not be parsed as Python".to_owned()];
    tools.push(ToolRun {
        end: Some(ToolEnd::TimedOut),
        cancel_ms: Some(14),
        ..ended(
            ran("checkov", [1_000, 5_000, 0]),
            ToolStatus::TimedOut,
            "it did not end within its 5 s",
            "assay analyze --timeout 10m",
        )
    });
    let most = 2 << 30;
    tools.push(ToolRun {
        end: Some(ToolEnd::LimitReached { limit: Limit::Memory, most }),
        ..ended(
            ran("pyright", [4_000, 2_200, 0]),
            ToolStatus::Failed,
            "it ran out of memory: it used more than it may (2048 MiB)",
            "assay tools check pyright",
        )
    });
    tools.push(ToolRun {
        stderr_tail: Some(format!(
            "Traceback (most recent call last):\n  File \"complexipy\", line 1\n{HOSTILE}"
        )),
        ..ended(
            ran("complexipy", [6_200, 300, 0]),
            ToolStatus::Failed,
            "it exited with code 101, which it does not declare",
            "assay tools check complexipy",
        )
    });
    let idle = |name: &str, status, required| ToolRun::not_run(tool(name), status, required);
    tools.push(ended(
        idle("stylelint", ToolStatus::Unavailable, true),
        ToolStatus::Unavailable,
        "Node 20 or newer is not installed",
        "apt-get install nodejs",
    ));
    tools.push(ended(
        idle("pip-audit", ToolStatus::Unavailable, false),
        ToolStatus::Unavailable,
        "its advisory server cannot be reached",
        "run again without --offline",
    ));
    tools.push(ended(
        idle("npm-audit", ToolStatus::Unavailable, false),
        ToolStatus::Unavailable,
        HOSTILE,
        HOSTILE,
    ));
    tools.extend(["zizmor", "retire"].map(|name| idle(name, ToolStatus::NoInputs, true)));
    tools
}

fn source() -> SourceInfo {
    let languages = [
        (Language::Python, 14, 1_840),
        (Language::JavaScript, 6, 720),
        (Language::Html, 5, 310),
        (Language::Css, 2, 190),
        (Language::Dockerfile, 1, 22),
        (Language::Markdown, 3, 140),
    ];
    SourceInfo {
        digest: Digest::new(&"5c".repeat(32)).unwrap(),
        files: 31,
        bytes: 120_400,
        lines: 3_222,
        languages: languages
            .into_iter()
            .map(|(name, files, lines)| (name, LanguageInfo { files, lines }))
            .collect(),
        frameworks: vec!["flask".to_owned()],
        manifests: ["requirements.txt", "package.json"]
            .map(|path| SourcePath::new(path).unwrap())
            .into(),
        skipped: [
            (
                SkipCause::Vendored,
                Skipped { count: 1_204, examples: vec!["node_modules".to_owned()] },
            ),
            (
                SkipCause::Minified,
                Skipped { count: 2, examples: vec!["static/vendor.min.js".to_owned()] },
            ),
            (SkipCause::TooLarge, Skipped { count: 1, examples: vec![HOSTILE.to_owned()] }),
        ]
        .into(),
    }
}

/// Returns an incomplete analysis with `count` findings and one more that is hostile.
pub(crate) fn report(count: u32) -> Report {
    let findings = findings(count);
    let counts = Counts::of(&findings);
    let ignore = |rule: &str, until: Option<&str>, expired, matched| IgnoreUse {
        rule: rule.to_owned(),
        path: Some("tests/**".to_owned()),
        reason: "asserts are fine in tests".to_owned(),
        until: until.map(str::to_owned),
        expired,
        matched,
    };
    Report {
        report_version: assay_model::REPORT_VERSION.to_owned(),
        task: TaskId::new("20261123-160501-7f3a").unwrap(),
        app: AppInfo {
            app: AppRef::Path { path: "examples/notes".to_owned() },
            path: "/home/me/src/assay/examples/notes".to_owned(),
            git: Some(GitInfo { commit: "134cd78a".repeat(5), branch: Some("main".to_owned()) }),
        },
        started: "2026-11-23T16:05:01Z".parse().unwrap(),
        duration_ms: 11_900,
        outcome: AnalysisOutcome::Incomplete,
        verdict: Verdict {
            fail_on: "high".to_owned(),
            at_or_above: counts.at_least(S::High),
            exit_code: 3,
        },
        selection: SelectionInfo {
            analyses: vec!["static".to_owned()],
            profile: Profile::Standard,
            tools: Vec::new(),
            from_project: Vec::new(),
        },
        source: source(),
        environment: Environment {
            assay: "0.1.0".to_owned(),
            os: "Linux 6.1, Debian 12".to_owned(),
            cpus: 2,
            jobs: 2,
            python: Some("3.11.7".to_owned()),
            node: None,
            isolation: vec!["process group".to_owned()],
        },
        tools: tools(),
        counts,
        findings,
        ignores: vec![ignore("B101", None, false, 1), ignore("F401", Some("2026-01-31"), true, 0)],
        warnings: vec!["the advisory data is 12 days old".to_owned(), HOSTILE.to_owned()],
    }
}
