//! What was and was not looked at: files, skipped files, ignores, warnings.

use super::Page;
use crate::{
    layout::{counted, grouped},
    sanitise,
    style::Role,
};
use assay_model::{IgnoreUse, SkipCause};

/// Languages that are named.
const LANGUAGES_MAX: usize = 6;

pub(super) fn scope(page: &mut Page<'_>) {
    page.title("Looked at");
    languages(page);
    skipped(page);
    let used = page.report.ignores.iter().filter(|entry| !entry.expired && entry.matched > 0);
    let (entries, matched) = used.fold((0, 0), |(n, m), entry| (n + 1, m + entry.matched));
    if entries > 0 {
        let noun = if entries == 1 { "ignore entry hides" } else { "ignore entries hide" };
        page.paragraph(2, None, &format!("{entries} {noun} {}", counted(matched, "finding")));
    }
    for entry in page.report.ignores.iter().filter(|entry| entry.expired) {
        page.paragraph(2, Some(Role::Caution), &expired(entry));
    }
    let own = &page.report.selection.from_project;
    if !own.is_empty() {
        let text = format!("set by a file of the app itself: {}", sanitise(&own.join(", ")));
        page.paragraph(2, Some(Role::Caution), &text);
    }
    for warning in &page.report.warnings {
        page.paragraph(2, Some(Role::Caution), &format!("warning: {}", sanitise(warning)));
    }
}

fn languages(page: &mut Page<'_>) {
    let source = &page.report.source;
    let mut by_lines: Vec<_> = source.languages.iter().collect();
    by_lines.sort_by_key(|(_, info)| std::cmp::Reverse(info.lines));
    let named: Vec<_> = by_lines
        .iter()
        .take(LANGUAGES_MAX)
        .map(|(language, info)| format!("{language} {}", grouped(info.lines)))
        .collect();
    let more = match by_lines.len().saturating_sub(LANGUAGES_MAX) {
        0 => String::new(),
        more => format!(", {more} more"),
    };
    let colon = if named.is_empty() { "" } else { ": " };
    let text = format!(
        "{}, {}{colon}{}{more}",
        counted(source.files, "file"),
        counted(source.lines, "line"),
        named.join(", ")
    );
    page.paragraph(2, None, &text);
}

fn skipped(page: &mut Page<'_>) {
    let causes: Vec<_> = page
        .report
        .source
        .skipped
        .iter()
        .map(|(cause, skipped)| format!("{} {}", grouped(skipped.count), skip_words(*cause)))
        .collect();
    if !causes.is_empty() {
        page.paragraph(2, None, &format!("skipped: {}", causes.join(", ")));
    }
}

fn expired(entry: &IgnoreUse) -> String {
    let path = entry.path.as_deref().map_or_else(String::new, |path| format!(" in {path}"));
    let until = entry.until.as_deref().map_or_else(String::new, |day| format!(" on {day}"));
    sanitise(&format!(
        "expired{until}: the ignore entry for {}{path} ({})",
        entry.rule, entry.reason
    ))
    .into_owned()
}

const fn skip_words(cause: SkipCause) -> &'static str {
    match cause {
        SkipCause::GitIgnore => "hidden by .gitignore",
        SkipCause::AssayIgnore => "hidden by .assayignore",
        SkipCause::Vendored => "vendored",
        SkipCause::Generated => "generated",
        SkipCause::Minified => "minified",
        SkipCause::TooLarge => "too large",
        SkipCause::Unreadable => "unreadable",
        SkipCause::Link => "links, which are not followed",
        SkipCause::Special => "sockets, pipes or devices",
        SkipCause::Name => "with a name that another file has",
        SkipCause::Metadata => "of version control",
        SkipCause::TooDeep => "too many folders deep",
    }
}
