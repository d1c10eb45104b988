//! Files, ignores, machine: what the analysis was of, and where it ran.

use super::words::{counted, duration, grouped};
use crate::shown_line;
use assay_model::{Report, SkipCause};

/// Hex digits of a digest that are shown; enough to tell two states apart by eye.
const DIGEST_SHOWN: usize = 16;

/// Everything below the tools.
pub(super) struct About {
    pub(super) languages: Vec<LanguageRow>,
    pub(super) frameworks: String,
    pub(super) manifests: Vec<String>,
    pub(super) skipped: Vec<SkipRow>,
    pub(super) ignores: Vec<IgnoreRow>,
    pub(super) warnings: Vec<String>,
    pub(super) environment: Vec<(&'static str, String)>,
}

pub(super) struct LanguageRow {
    pub(super) name: &'static str,
    pub(super) files: String,
    pub(super) lines: String,
    pub(super) share: String,
}

pub(super) struct SkipRow {
    pub(super) cause: &'static str,
    pub(super) count: String,
    pub(super) examples: Vec<String>,
}

pub(super) struct IgnoreRow {
    pub(super) rule: String,
    pub(super) path: String,
    pub(super) reason: String,
    pub(super) until: String,
    pub(super) expired: bool,
    pub(super) matched: String,
}

// === impl About ===

impl About {
    pub(super) fn new(report: &Report) -> Self {
        let source = &report.source;
        let line = |text: &String| shown_line(text).into_owned();
        let frameworks: Vec<_> = source.frameworks.iter().map(line).collect();
        Self {
            languages: languages(report),
            frameworks: frameworks.join(", "),
            manifests: source
                .manifests
                .iter()
                .map(|path| shown_line(path.as_str()).into_owned())
                .collect(),
            skipped: source
                .skipped
                .iter()
                .map(|(cause, skipped)| SkipRow {
                    cause: skip_words(*cause),
                    count: grouped(skipped.count),
                    examples: skipped.examples.iter().map(line).collect(),
                })
                .collect(),
            ignores: report
                .ignores
                .iter()
                .map(|entry| IgnoreRow {
                    rule: line(&entry.rule),
                    path: entry.path.as_ref().map_or_else(|| "everywhere".to_owned(), line),
                    reason: line(&entry.reason),
                    until: entry.until.as_ref().map_or_else(|| "for good".to_owned(), line),
                    expired: entry.expired,
                    matched: grouped(entry.matched),
                })
                .collect(),
            warnings: report.warnings.iter().map(line).collect(),
            environment: environment(report),
        }
    }
}

/// Returns the facts below the title.
pub(super) fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Path", shown_line(&report.app.path).into_owned())];
    if let Some(git) = &report.app.git {
        let branch =
            git.branch.as_deref().map_or_else(String::new, |branch| format!(" on {branch}"));
        facts.push(("Git", shown_line(&format!("{}{branch}", prefix(&git.commit))).into_owned()));
    }
    facts.push(("State", prefix(report.source.digest.as_str()).to_owned()));
    facts.push(("Started", report.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()));
    facts.push(("Task", report.task.to_string()));
    facts
}

fn prefix(hex: &str) -> &str {
    hex.get(..DIGEST_SHOWN).unwrap_or(hex)
}

fn languages(report: &Report) -> Vec<LanguageRow> {
    let mut by_lines: Vec<_> = report.source.languages.iter().collect();
    by_lines.sort_by_key(|(_, info)| std::cmp::Reverse(info.lines));
    let most = by_lines.first().map_or(1, |(_, info)| info.lines.max(1));
    by_lines
        .into_iter()
        .map(|(language, info)| LanguageRow {
            name: language.as_str(),
            files: counted(info.files, "file"),
            lines: counted(info.lines, "line"),
            share: format!("{}%", info.lines * 100 / most),
        })
        .collect()
}

fn environment(report: &Report) -> Vec<(&'static str, String)> {
    let machine = &report.environment;
    let selection = &report.selection;
    let join = |texts: &[String], none: &str| match texts {
        [] => none.to_owned(),
        texts => shown_line(&texts.join(", ")).into_owned(),
    };
    let line = |text: &str| shown_line(text).into_owned();
    vec![
        ("Assay", line(&machine.assay)),
        ("System", line(&machine.os)),
        ("Processors", format!("{}, {}", machine.cpus, counted(machine.jobs.into(), "job"))),
        ("Python", machine.python.as_deref().map_or_else(|| "none found".to_owned(), line)),
        ("Node", machine.node.as_deref().map_or_else(|| "none found".to_owned(), line)),
        ("Isolation", join(&machine.isolation, "none: tools ran as ordinary processes")),
        ("Analyses", join(&selection.analyses, "none")),
        ("Profile", selection.profile.to_string()),
        ("Tools named", join(&selection.tools, "none: chosen by profile")),
        ("From the project", join(&selection.from_project, "no setting taken over")),
        ("Threshold", line(&report.verdict.fail_on)),
        ("Took", duration(report.duration_ms)),
        ("Digest", report.source.digest.to_string()),
        ("Report version", line(&report.report_version)),
    ]
}

const fn skip_words(cause: SkipCause) -> &'static str {
    match cause {
        SkipCause::GitIgnore => "Hidden by .gitignore",
        SkipCause::AssayIgnore => "Hidden by .assayignore",
        SkipCause::Vendored => "Vendored",
        SkipCause::Generated => "Generated",
        SkipCause::Minified => "Minified",
        SkipCause::TooLarge => "Too large",
        SkipCause::Unreadable => "Unreadable",
        SkipCause::Link => "Links, which are not followed",
        SkipCause::Special => "Sockets, pipes, devices",
        SkipCause::Name => "Same name as another file once shown",
        SkipCause::Metadata => "Version control and results",
        SkipCause::TooDeep => "Too many folders deep",
    }
}
