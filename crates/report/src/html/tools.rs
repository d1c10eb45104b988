//! What ran, and what did not.

use super::words::{duration, grouped, look, mebibytes};
use crate::{shown, shown_line};
use assay_model::{Report, ToolRun};
use std::borrow::Cow;

/// A tool that did not do its work, for the banner.
pub(super) struct Gap {
    pub(super) tool: String,
    pub(super) status: &'static str,
    pub(super) reason: String,
    pub(super) mend: Option<String>,
}

/// Which gaps are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

/// One row of the table.
pub(super) struct ToolRow<'a> {
    pub(super) name: &'a str,
    pub(super) look: &'static str,
    pub(super) status: &'static str,
    /// It read files, failed on none, and found nothing.
    pub(super) clean: bool,
    pub(super) optional: bool,
    pub(super) version: Cow<'a, str>,
    pub(super) observations: String,
    pub(super) files: String,
    pub(super) wall: String,
    pub(super) cpu: String,
    pub(super) memory: String,
    pub(super) reason: Option<Cow<'a, str>>,
    pub(super) mend: Option<Cow<'a, str>>,
    pub(super) end: Option<String>,
    pub(super) notes: Vec<Cow<'a, str>>,
    pub(super) files_failed: Vec<Cow<'a, str>>,
    pub(super) commands: Vec<Cow<'a, str>>,
    pub(super) stderr_tail: Option<Cow<'a, str>>,
    pub(super) artifacts: Vec<Cow<'a, str>>,
}

pub(super) fn gaps(report: &Report, need: Need) -> Vec<Gap> {
    let required = need == Need::Required;
    report
        .tools
        .iter()
        .filter(|run| !run.status.did_its_work() && run.required == required)
        .map(|run| Gap {
            tool: run.tool.to_string(),
            status: run.status.in_words(),
            reason: reason(run),
            mend: run.mend.as_deref().map(|mend| shown_line(mend).into_owned()),
        })
        .collect()
}

fn reason(run: &ToolRun) -> String {
    match (&run.reason, &run.end) {
        (Some(reason), _) => shown_line(reason).into_owned(),
        (None, Some(end)) => shown_line(&end.to_string()).into_owned(),
        (None, None) => String::new(),
    }
}

/// Returns the rows, what leaves a gap first.
pub(super) fn rows(report: &Report) -> Vec<ToolRow<'_>> {
    let mut runs: Vec<_> = report.tools.iter().collect();
    runs.sort_by_key(|run| {
        let done = run.status.did_its_work();
        (done, !done && !run.required, run.status, run.tool.as_str())
    });
    runs.into_iter().map(row).collect()
}

fn row(run: &ToolRun) -> ToolRow<'_> {
    let usage = &run.usage;
    let ran = |text: String| if run.started_ms.is_some() { text } else { "–".to_owned() };
    let scanned = run.files_scanned.filter(|scanned| *scanned != run.files_matched);
    let all =
        |texts: &'_ [String]| texts.iter().map(|text| shown(text).into_owned().into()).collect();
    ToolRow {
        name: run.tool.as_str(),
        look: look(run),
        status: run.status.in_words(),
        clean: run.clean,
        optional: !run.required,
        version: run.version.as_deref().map_or("–".into(), shown_line),
        observations: ran(grouped(run.observations)),
        files: match scanned {
            Some(scanned) => format!("{} of {}", grouped(scanned), grouped(run.files_matched)),
            None => grouped(run.files_matched),
        },
        wall: ran(duration(usage.wall_ms)),
        cpu: ran(duration(usage.user_ms + usage.system_ms)),
        memory: ran(mebibytes(usage.peak_kib)),
        reason: run.reason.as_deref().map(shown),
        mend: run.mend.as_deref().map(shown_line),
        end: run.end.as_ref().map(|end| shown_line(&end.to_string()).into_owned()),
        notes: all(&run.notes),
        files_failed: run.files_failed.iter().map(|path| shown_line(path.as_str())).collect(),
        commands: all(&run.commands),
        stderr_tail: run.stderr_tail.as_deref().map(shown),
        artifacts: all(&run.artifacts),
    }
}
