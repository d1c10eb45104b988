//! What a run is worth. A zero is a zero only here.
//!
//! Keeps: [`Verdict`] has one constructor, and it alone can say `clean`; every end that the tool
//! does not declare is something else than `ok`.

use crate::{
    read::{OutputError, Reading},
    tool::Tool,
};
use assay_model::{Format, Install, SourcePath, ToolEnd, ToolStatus};
use std::{collections::BTreeSet, error::Error as _};

/// What became of one call.
#[derive(Debug)]
pub struct CallResult {
    pub end: ToolEnd,
    /// What its output said; for calls that wrote nothing to read, [`OutputError::Empty`].
    pub reading: Result<Reading, OutputError>,
    /// The last lines of the stream that holds no report.
    pub stderr_tail: String,
}

/// What all calls of a tool are worth together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    pub status: ToolStatus,
    /// Whether "nothing found" may be believed.
    pub clean: bool,
    pub reason: Option<String>,
    pub mend: Option<String>,
    pub observations: u64,
    pub files_scanned: Option<u64>,
    pub files_failed: Vec<SourcePath>,
    pub notes: Vec<String>,
    pub version: Option<String>,
    /// Components of a bill of materials.
    pub components: Option<u64>,
    /// How the processes ended; the worst of them.
    pub end: Option<ToolEnd>,
}

/// What one call is worth.
struct Judged {
    status: ToolStatus,
    reason: Option<String>,
    blame: Blame,
}

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blame {
    Tool,
    /// The server that it asks.
    Server,
    /// What it was given to read.
    Input,
}

/// What an exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Clean,
    Found,
    /// The row lists it as both.
    Either,
    Failure,
}

/// Judges a tool's calls.
pub fn verdict(tool: &Tool, files_matched: u64, calls: &[CallResult]) -> Verdict {
    let sums = Sums::of(calls);
    let worst = calls
        .iter()
        .map(|call| (judge(tool, call), &call.end))
        .min_by_key(|(judged, _)| rank(judged.status));
    let (judged, end) = match worst {
        None if files_matched == 0 => (Judged::well(ToolStatus::NoInputs), None),
        None => (Judged::because(ToolStatus::Failed, "it was never started".to_owned()), None),
        Some((judged, end)) => (judged, Some(end.clone())),
    };
    let judged = match judged.status {
        ToolStatus::Ok => sums.read_anything(tool, files_matched),
        _ => judged,
    };
    let clean = judged.status == ToolStatus::Ok
        && sums.observations == 0
        && sums.files_failed.is_empty()
        && sums.complaints.is_empty()
        && files_matched > 0
        && sums.files_scanned != Some(0)
        // A bill of materials says what there is, and nothing about defects.
        && tool.says.output.format != Format::Cyclonedx;
    Verdict {
        clean,
        mend: mend(tool, &judged),
        status: judged.status,
        reason: judged.reason,
        observations: sums.observations,
        files_scanned: sums.files_scanned,
        files_failed: sums.files_failed.into_iter().collect(),
        notes: sums.notes,
        version: sums.version,
        components: sums.components,
        end,
    }
}

/// What the readings of all calls add up to.
#[derive(Default)]
struct Sums {
    observations: u64,
    files_scanned: Option<u64>,
    files_failed: BTreeSet<SourcePath>,
    looked_at: Option<u64>,
    complaints: Vec<String>,
    notes: Vec<String>,
    version: Option<String>,
    components: Option<u64>,
}

// === impl Sums ===

impl Sums {
    fn of(calls: &[CallResult]) -> Self {
        let mut sums = Self::default();
        for reading in calls.iter().filter_map(|call| call.reading.as_ref().ok()) {
            sums.observations += reading.observations;
            sums.files_scanned = sum(sums.files_scanned, reading.files_scanned);
            sums.components = sum(sums.components, reading.components);
            sums.files_failed.extend(reading.files_failed.iter().cloned());
            sums.looked_at = sum(sums.looked_at, reading.looked_at);
            sums.complaints.extend(reading.complaints.iter().cloned());
            let complaints = reading.complaints.iter().map(|said| format!("it complains: {said}"));
            for note in reading.notes.iter().cloned().chain(complaints) {
                if !sums.notes.contains(&note) {
                    sums.notes.push(note);
                }
            }
            sums.version = sums.version.take().or_else(|| reading.version.clone());
        }
        sums
    }

    /// A tool that ended well may still have read nothing of what it was given.
    fn read_anything(&self, tool: &Tool, files_matched: u64) -> Judged {
        if let (Some(0), Some(first)) = (self.looked_at, self.complaints.first()) {
            return match self.complaints.iter().find_map(|said| tool.unreachable(said)) {
                Some(why) => Judged::unreachable(why),
                None => Judged {
                    blame: Blame::Input,
                    ..Judged::because(ToolStatus::Failed, format!("it looked at nothing: {first}"))
                },
            };
        }
        let failed = self.files_failed.len() as u64;
        if files_matched > 0 && self.files_scanned == Some(0) && self.observations == 0 {
            let reason = format!("it read none of {files_matched} files");
            return Judged::because(ToolStatus::Failed, reason);
        }
        let given = self.files_scanned.map_or(files_matched, |scanned| scanned.min(files_matched));
        if failed > 0 && failed >= given.max(1) {
            let reason = format!("it could not read any of {given} files");
            return Judged::because(ToolStatus::Failed, reason);
        }
        Judged::well(ToolStatus::Ok)
    }
}

// === impl Judged ===

impl Judged {
    fn well(status: ToolStatus) -> Self {
        Self { status, reason: None, blame: Blame::Tool }
    }

    fn because(status: ToolStatus, reason: String) -> Self {
        Self { status, reason: Some(reason), blame: Blame::Tool }
    }

    fn unreachable(why: &str) -> Self {
        let reason =
            format!("the server that it asks does not answer as it should: {}", shown(why));
        Self { status: ToolStatus::Unavailable, reason: Some(reason), blame: Blame::Server }
    }
}

fn judge(tool: &Tool, call: &CallResult) -> Judged {
    let end = call.end.to_string();
    match &call.end {
        ToolEnd::Exited { code } => judge_exit(tool, *code, call),
        // What stands last in its complaints is from before anybody stopped it.
        ToolEnd::LimitReached { .. } => Judged::because(ToolStatus::Failed, format!("it {end}")),
        ToolEnd::Signalled { .. } | ToolEnd::Lost { .. } => {
            Judged::because(ToolStatus::Failed, with_tail(&format!("it {end}"), &call.stderr_tail))
        }
        ToolEnd::TimedOut => {
            // No number: the row's is not the deadline that it had, which the user may set and a
            // self-test shortens.
            Judged::because(ToolStatus::TimedOut, format!("it {end}"))
        }
        ToolEnd::Cancelled => Judged::because(ToolStatus::Cancelled, format!("it {end}")),
        ToolEnd::NotStarted { .. } => Judged::because(ToolStatus::Unavailable, format!("it {end}")),
    }
}

fn judge_exit(tool: &Tool, code: i32, call: &CallResult) -> Judged {
    if let Some(judged) = judge_reach(tool, call) {
        return judged;
    }
    let meaning = meaning(tool, code);
    if meaning == Code::Failure {
        // Where the tool says why in its report, that is the better reason.
        let reason = match &call.reading {
            Err(error) if error.is_the_tools_word() => {
                format!("it exited with code {code}; {error}")
            }
            _ => with_tail(&format!("it exited with code {code}"), &call.stderr_tail),
        };
        return Judged::because(ToolStatus::Failed, reason);
    }
    if let Some(line) = call.stderr_tail.lines().find(|line| tool.is_failure_line(line)) {
        return Judged::because(ToolStatus::Failed, format!("it complains: {}", shown(line)));
    }
    let reading = match &call.reading {
        Ok(reading) => reading,
        Err(error) if error.is_the_tools_word() => {
            return Judged::because(ToolStatus::Failed, error.to_string());
        }
        Err(error) => return Judged::because(ToolStatus::OutputInvalid, with_source(error)),
    };
    let found = reading.observations > reading.suppressed;
    let said_anything = reading.observations > 0
        || reading.dropped > 0
        || !reading.files_failed.is_empty()
        // Words in place of a report are no finding.
        || !(reading.complaints.is_empty() || tool.says.output.empty_is_clean);
    match meaning {
        Code::Found if !said_anything => {
            let reason = format!("code {code} says that something was found, its report nothing");
            Judged::because(ToolStatus::OutputInvalid, reason)
        }
        Code::Clean if found && !tool.says.run.finding_codes.is_empty() => {
            let reason = format!(
                "code {code} says that nothing was found, its report {}",
                reading.observations
            );
            Judged::because(ToolStatus::OutputInvalid, reason)
        }
        Code::Clean | Code::Found | Code::Either => Judged::well(ToolStatus::Ok),
        Code::Failure => Judged::because(ToolStatus::Failed, format!("it exited with code {code}")),
    }
}

/// Whatever the code: a tool that says that its server does not answer has looked nothing up.
fn judge_reach(tool: &Tool, call: &CallResult) -> Option<Judged> {
    let in_report = match &call.reading {
        Err(OutputError::SaysFailed { why }) => tool.unreachable(why),
        Ok(_) | Err(_) => None,
    };
    let in_tail = || tool.unreachable(&call.stderr_tail);
    in_report.or_else(in_tail).map(Judged::unreachable)
}

fn meaning(tool: &Tool, code: i32) -> Code {
    let run = &tool.says.run;
    match (run.clean_codes.contains(&code), run.finding_codes.contains(&code)) {
        (true, true) => Code::Either,
        (true, false) => Code::Clean,
        (false, true) => Code::Found,
        (false, false) => Code::Failure,
    }
}

/// The order in which the worst of several calls speaks for all.
fn rank(status: ToolStatus) -> u8 {
    match status {
        ToolStatus::Cancelled => 0,
        ToolStatus::TimedOut => 1,
        ToolStatus::Unavailable => 2,
        ToolStatus::Failed => 3,
        ToolStatus::Untrusted => 4,
        ToolStatus::OutputInvalid => 5,
        ToolStatus::Ok => 6,
        ToolStatus::NoInputs => 7,
    }
}

fn mend(tool: &Tool, judged: &Judged) -> Option<String> {
    match judged.blame {
        Blame::Tool => mend_of_tool(tool, judged.status),
        Blame::Server => Some(mend_of_server(tool)),
        Blame::Input => None,
    }
}

fn mend_of_tool(tool: &Tool, status: ToolStatus) -> Option<String> {
    match (status, &tool.says.install) {
        (ToolStatus::Unavailable, Install::Path { mend, .. }) => Some(mend.clone()),
        (ToolStatus::Unavailable, _) => Some(format!("assay tools install {}", tool.id)),
        (ToolStatus::Failed | ToolStatus::OutputInvalid | ToolStatus::Untrusted, _) => {
            Some(format!("assay tools check {}", tool.id))
        }
        (
            ToolStatus::Ok | ToolStatus::NoInputs | ToolStatus::TimedOut | ToolStatus::Cancelled,
            _,
        ) => None,
    }
}

fn mend_of_server(tool: &Tool) -> String {
    let leave_out = "run with --offline to leave it out";
    match tool.says.options.iter().find(|(_, option)| option.server) {
        Some((name, _)) => {
            let key = format!("settings.{}.options.{name}", tool.id);
            format!("{leave_out}, or set `{key}` to a server that answers")
        }
        None => leave_out.to_owned(),
    }
}

fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0) + b.unwrap_or(0)),
    }
}

fn with_source(error: &OutputError) -> String {
    match error.source() {
        Some(source) => shown(&format!("{error}: {source}")),
        None => error.to_string(),
    }
}

/// How runtimes say that there is no memory left: V8, CPython, Rust, the C library.
const OUT_OF_MEMORY: &[&str] =
    &["out of memory", "MemoryError", "memory allocation of", "Cannot allocate memory"];

/// Tells how it ended with the line that explains it best: the last one, unless one says that it
/// ran out of memory, which runtimes bury under a trace.
fn with_tail(what: &str, tail: &str) -> String {
    let is_told = |line: &&str| OUT_OF_MEMORY.iter().any(|words| line.contains(words));
    if let Some(line) = tail.lines().rev().find(is_told) {
        return format!("it ran out of memory: {}; {what}", shown(line));
    }
    match tail.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("{what}: {}", shown(line)),
        None => what.to_owned(),
    }
}

/// One line of a tool's complaints, safe to print.
fn shown(line: &str) -> String {
    crate::read::cleaned(line, 300)
}
