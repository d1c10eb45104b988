//! What did not run, why, and the command that mends it.

use super::Page;
use crate::{
    layout::{counted, wrap},
    sanitise,
    style::{Role, Sign},
};
use assay_model::ToolRun;

/// Parsing failures that are named per tool.
const FILES_MAX: usize = 3;

pub(super) fn gaps(page: &mut Page<'_>) {
    let report = page.report;
    let idle = |required: bool| {
        report
            .tools
            .iter()
            .filter(move |run| !run.status.did_its_work() && run.required == required)
    };
    section(page, "Did not do their work", idle(true).collect());
    section(page, "Not run, and not required", idle(false).collect());
    let partly: Vec<_> = report
        .tools
        .iter()
        .filter(|run| run.status.did_its_work() && !run.files_failed.is_empty())
        .collect();
    if !partly.is_empty() {
        page.title("Could not read every file");
        for run in partly {
            unread(page, run);
        }
    }
}

fn section(page: &mut Page<'_>, title: &str, runs: Vec<&ToolRun>) {
    if runs.is_empty() {
        return;
    }
    page.title(title);
    let names = runs.iter().map(|run| run.tool.as_str().len()).max().unwrap_or(0);
    for run in runs {
        one(page, run, names);
    }
}

fn one(page: &mut Page<'_>, run: &ToolRun, names: usize) {
    let style = page.style;
    let (sign, role) = if run.required {
        style.status_sign(run.status)
    } else {
        (style.sign(Sign::Nothing), Role::Caution)
    };
    let indent = names + 6;
    let why = match (&run.reason, &run.end) {
        (Some(reason), _) => sanitise(reason).into_owned(),
        (None, Some(end)) => sanitise(&end.to_string()).into_owned(),
        (None, None) => String::new(),
    };
    let status = run.status.in_words();
    let colon = if why.is_empty() { "" } else { ":" };
    let lines = wrap(&format!("{status}{colon} {why}"), page.width.saturating_sub(indent));
    for (index, line) in lines.iter().enumerate() {
        if index == 0 {
            let name = crate::layout::pad(run.tool.as_str(), names);
            page.line(&format!("  {} {name}  {line}", style.paint(role, sign)));
        } else {
            page.line(&format!("{}{line}", " ".repeat(indent)));
        }
    }
    if let Some(mend) = &run.mend {
        // Never wrapped: it is there to be copied.
        let label = style.paint(Role::Good, "mend:");
        page.line(&format!("{}{label} {}", " ".repeat(indent), sanitise(mend)));
    }
}

fn unread(page: &mut Page<'_>, run: &ToolRun) {
    let names: Vec<_> =
        run.files_failed.iter().take(FILES_MAX).map(|path| sanitise(path.as_str())).collect();
    let more = match run.files_failed.len().saturating_sub(FILES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let files = counted(run.files_failed.len() as u64, "file");
    page.paragraph(2, None, &format!("{}: {files}: {}{more}", run.tool, names.join(", ")));
}
