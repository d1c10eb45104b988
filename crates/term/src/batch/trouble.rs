//! What is not complete, which tools did not do their work, and which say the same of every app.

use super::{BatchPage, is_complete};
use crate::{
    layout::{counted, grouped, pad, width_of, wrap},
    sanitise,
    style::{Role, Sign},
};
use assay_model::{AlarmGroup, AppEnd, BatchApp, BatchGap, BatchTool};
use std::cmp::Reverse;

/// Apps that are told one by one; a reason that all have is told with the tools.
const APPS_MAX: usize = 20;

/// Tools that are named for one app.
const TOOLS_MAX: usize = 4;

pub(super) fn not_complete(page: &mut BatchPage<'_>) {
    let batch = page.report;
    let told = batch.apps.iter().filter(|app| !is_complete(app) && app.end != AppEnd::NotRun);
    let told: Vec<&BatchApp> = told.collect();
    let not_run = batch.apps.iter().filter(|app| app.end == AppEnd::NotRun);
    let not_run: Vec<String> =
        not_run.map(|app| sanitise(&app.app.to_string()).into_owned()).collect();
    if !told.is_empty() {
        page.title("Not complete");
    }
    for app in told.iter().take(APPS_MAX) {
        let name = sanitise(&app.app.to_string()).into_owned();
        page.paragraph(2, None, &format!("{name}: {}", why(app)));
    }
    if told.len() > APPS_MAX {
        let more = counted((told.len() - APPS_MAX) as u64, "more app");
        page.paragraph(2, None, &format!("and {more}, in the tables below"));
    }
    if !not_run.is_empty() {
        page.title("Not run");
        let text = format!("{}: {}", counted(not_run.len() as u64, "app"), not_run.join(", "));
        page.paragraph(2, None, &text);
    }
}

fn why(app: &BatchApp) -> String {
    let word = app.end.word();
    match &app.end {
        AppEnd::Analysed(result) => {
            let gaps: Vec<&str> = result.gaps().map(|gap| gap.tool.as_str()).collect();
            let more = match gaps.len().saturating_sub(TOOLS_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let named = gaps.iter().take(TOOLS_MAX).copied().collect::<Vec<_>>().join(", ");
            if named.is_empty() { word } else { format!("{word}, without {named}{more}") }
        }
        AppEnd::Failed { why, .. } => format!("{word}: {}", sanitise(why)),
        AppEnd::NotRun => word,
    }
}

pub(super) fn gaps(page: &mut BatchPage<'_>) {
    let batch = page.report;
    let mut all: Vec<(&BatchTool, &BatchGap)> =
        batch.tools.iter().flat_map(|tool| tool.gaps.iter().map(move |gap| (tool, gap))).collect();
    all.sort_by_key(|(_, gap)| (Reverse(gap.required), Reverse(gap.apps)));
    let names = all.iter().map(|(tool, _)| tool.tool.as_str().len()).max().unwrap_or(0);
    for (required, title) in
        [(true, "Tools that did not do their work"), (false, "Not run, and not required")]
    {
        if all.iter().any(|(_, gap)| gap.required == required) {
            page.title(title);
        }
        for (tool, gap) in all.iter().filter(|(_, gap)| gap.required == required) {
            one(page, tool.tool.as_str(), gap, names);
        }
    }
}

fn one(page: &mut BatchPage<'_>, tool: &str, gap: &BatchGap, names: usize) {
    let style = page.style;
    let (sign, role) = if gap.required {
        style.status_sign(gap.status)
    } else {
        (style.sign(Sign::Nothing), Role::Caution)
    };
    let all = page.report.apps.len() as u64;
    let apps = match gap.apps {
        1 => format!("on {}", sanitise(&gap.example.to_string())),
        many if many == all => format!("on all {} apps", grouped(many)),
        many => format!(
            "on {} of {all} apps, first {}",
            grouped(many),
            sanitise(&gap.example.to_string())
        ),
    };
    let text = format!("{apps}: {}: {}", gap.status.in_words(), sanitise(&gap.reason));
    let indent = names + 6;
    let front = format!("  {} {}  ", style.paint(role, sign), pad(tool, names));
    hanging(page, &front, indent, &text);
    if let Some(mend) = &gap.mend {
        // Never wrapped: it is there to be copied.
        let label = style.paint(Role::Good, "mend:");
        page.line(&format!("{}{label} {}", " ".repeat(indent), sanitise(mend)));
    }
}

pub(super) fn alarms(page: &mut BatchPage<'_>) {
    let batch = page.report;
    if batch.alarms.is_empty() {
        return;
    }
    page.title("Tools that say the same of every app");
    let names = batch.alarms.iter().map(|alarm| width_of(alarm.tool.as_str())).max().unwrap_or(0);
    let indent = names + 4;
    for group in AlarmGroup::of(&batch.alarms) {
        for alarm in &group.alarms {
            let name = page.style.paint(Role::Caution, &pad(alarm.tool.as_str(), names));
            hanging(page, &format!("  {name}  "), indent, &alarm.said());
        }
        let text = format!("{} {}", group.meaning(), group.advice());
        page.paragraph(4, Some(Role::Faint), &text);
        // Never wrapped: it is there to be copied.
        let label = page.style.paint(Role::Good, "mend:");
        page.line(&format!("    {label} {}", group.mend()));
    }
}

/// Writes a text behind a front, its further lines below its first.
fn hanging(page: &mut BatchPage<'_>, front: &str, indent: usize, text: &str) {
    for (index, line) in wrap(text, page.width.saturating_sub(indent)).iter().enumerate() {
        match index {
            0 => page.line(&format!("{front}{line}")),
            _ => page.line(&format!("{}{line}", " ".repeat(indent))),
        }
    }
}
