//! The progress of many apps: a line for each that runs and one for all. What to show is decided
//! here and is pure; [`BatchProgress`] puts it on the stream.

use super::{
    HEARTBEAT_MS, ProgressMode, cancel_words,
    draw::{InPlace, write_lines},
    phase_word,
    screen::{Screen, spinner},
};
use crate::{
    Style,
    layout::{counted, cut, cut_start, duration, pad, width_of},
    sanitise,
    style::{Role, Sign},
};
use assay_model::{
    AnalysisOutcome, AppEnd, BatchApp, CancelReason, Counts, Event, EventKind, RunView, Severity,
    ToolPhase,
};
use std::{collections::BTreeSet, fmt, io::Write};

/// Tools and apps that one line names.
const NAMED_MAX: usize = 3;

/// Cells for the name of an app.
const NAME_WIDTH_MAX: usize = 32;

/// A batch as it stands, folded from its news. Time counts in milliseconds from its beginning.
#[derive(Clone, Debug, Default)]
pub struct BatchView {
    apps: usize,
    running: Vec<Running>,
    ended: usize,
    /// Ended, and not complete.
    troubled: usize,
    findings: u64,
    /// What was said already: every app would say it again.
    said: BTreeSet<String>,
}

/// One app under way.
#[derive(Clone, Debug)]
struct Running {
    number: usize,
    name: String,
    since_ms: u64,
    view: RunView,
    /// The own words of a service that tells of no tools.
    stage: Option<String>,
}

/// How an app ended, for the line that tells it.
#[derive(Clone, Debug)]
pub struct Landed {
    pub name: String,
    /// How it ended, in a word or two.
    pub word: String,
    pub is_complete: bool,
    pub came: Came,
}

/// What came of an app.
#[derive(Clone, Debug)]
pub enum Came {
    Nothing,
    /// No analysis, for this reason.
    NoAnalysis(String),
    Found {
        /// Tools that were required and did not do their work.
        gaps: Vec<String>,
        counts: Counts,
        duration_ms: u64,
    },
}

/// The progress of a batch, as it is being shown. Dropping it leaves a clean terminal behind.
pub struct BatchProgress {
    view: BatchView,
    style: Style,
    to: To,
}

enum To {
    Terminal(InPlace),
    Plain { out: Box<dyn Write + Send>, said_ms: u64 },
    Nowhere,
}

// === impl BatchView ===

impl BatchView {
    pub fn new(apps: usize) -> Self {
        Self { apps, ..Self::default() }
    }

    /// Takes in that an app begins. One that runs is told anew from its beginning; then `false` comes
    /// back.
    fn begun(&mut self, at_ms: u64, number: usize, name: &str) -> bool {
        if let Some(running) = self.running.iter_mut().find(|running| running.number == number) {
            running.view = RunView::default();
            return false;
        }
        let name = sanitise(name).into_owned();
        let view = RunView::default();
        self.running.push(Running { number, name, since_ms: at_ms, view, stage: None });
        true
    }

    /// Takes in an event of one app. Returns what is worth a line that stays.
    fn heard(&mut self, number: usize, event: &Event) -> Option<String> {
        let running = self.running.iter_mut().find(|running| running.number == number)?;
        running.view.apply(event);
        let said = match &event.kind {
            EventKind::Warned { message } => format!("warning: {}", sanitise(message)),
            EventKind::ToolPhase { tool, phase: ToolPhase::Installing } => {
                format!("{tool}: {}", phase_word(ToolPhase::Installing))
            }
            EventKind::Stage { stage, .. } => {
                running.stage = Some(sanitise(stage).into_owned());
                return None;
            }
            EventKind::Accepted { .. }
            | EventKind::SourceRead { .. }
            | EventKind::ToolPlanned { .. }
            | EventKind::ToolPhase { .. }
            | EventKind::ToolProgress { .. }
            | EventKind::ToolEnded { .. }
            | EventKind::CancelAsked { .. }
            | EventKind::Ended { .. } => return None,
        };
        self.said.insert(said.clone()).then_some(said)
    }

    fn landed(&mut self, number: usize, landed: &Landed) {
        self.running.retain(|running| running.number != number);
        self.ended += 1;
        // What a server told may be anything.
        self.findings = self.findings.saturating_add(landed.came.findings());
        self.troubled += usize::from(!landed.is_complete);
    }

    fn found(&self) -> u64 {
        let running = self.running.iter().map(|running| running.view.observations());
        running.fold(self.findings, u64::saturating_add)
    }

    /// Says how far all are.
    fn total(&self) -> String {
        let done = format!("{} of {} done", self.ended, counted(self.apps as u64, "app"));
        let troubled = match self.troubled {
            0 => String::new(),
            troubled => format!(", {troubled} of them not complete"),
        };
        format!("{done}{troubled}, {} so far", counted(self.found(), "finding"))
    }
}

// === impl Running ===

impl Running {
    /// Says how far the app is: tools, findings, and what is at work.
    fn state(&self) -> String {
        let view = &self.view;
        if view.tools.is_empty() {
            return self.stage.clone().unwrap_or_else(|| "reading".to_owned());
        }
        let found = view.observations();
        let tools = format!("{}/{} tools", view.ended(), view.tools.len());
        let alive = view.tools.iter().filter(|tool| tool.run.is_none());
        let busy: Vec<_> = alive.filter(|tool| tool.phase != ToolPhase::Waiting).collect();
        let named = busy.iter().take(NAMED_MAX).map(|tool| match tool.phase {
            ToolPhase::Running => tool.tool.to_string(),
            phase => format!("{} {}", tool.tool, phase_word(phase)),
        });
        let mut named: Vec<String> = named.collect();
        if view.ended() == view.tools.len() {
            named.push("writing reports".to_owned());
        }
        let more = if busy.len() > NAMED_MAX { ", …" } else { "" };
        format!("{tools:>11}  {:>12}  {}{more}", counted(found, "finding"), named.join(", "))
    }
}

/// Draws the apps that run, as many as there are rows for, and one line for all.
pub fn batch_screen(view: &BatchView, at: Screen, style: &Style) -> Vec<String> {
    let rows = at.rows.saturating_sub(4).max(1);
    let names = view.running.iter().map(|running| width_of(&running.name)).max().unwrap_or(0);
    let names = names.min(NAME_WIDTH_MAX).min(at.width / 3);
    let mut lines: Vec<String> = view
        .running
        .iter()
        .take(rows)
        .map(|running| {
            let elapsed = duration(at.now_ms.saturating_sub(running.since_ms));
            // The text is cut before it is painted: half a colour sequence would stain what follows.
            let room = at.width.saturating_sub(names + 5);
            let rest = cut(&format!("{elapsed:>6} {}", running.state()), room, *style);
            let sign = style.paint(Role::Place, spinner(at.now_ms, *style));
            let name = pad(&cut_start(&running.name, names, *style), names);
            format!("{sign} {}  {}", style.paint(Role::Strong, &name), rest.trim_end())
        })
        .collect();
    let hidden = match view.running.len().saturating_sub(rows) {
        0 => String::new(),
        hidden => format!("{hidden} more at work, "),
    };
    let total = format!("{:>6}  {hidden}{}", duration(at.now_ms), view.total());
    let total = cut(&total, at.width.saturating_sub(1), *style);
    lines.push(style.paint(Role::Faint, &total));
    lines
}

// === impl Landed ===

impl Landed {
    /// Tells an app that was analysed here.
    pub fn of(app: &BatchApp) -> Self {
        let came = match &app.end {
            AppEnd::Analysed(result) => Came::Found {
                gaps: result.gaps().map(|gap| gap.tool.to_string()).collect(),
                counts: result.counts.clone(),
                duration_ms: result.duration_ms,
            },
            AppEnd::Failed { why, .. } => Came::NoAnalysis(why.clone()),
            AppEnd::NotRun => Came::Nothing,
        };
        let outcome = app.end.result().map(|result| result.outcome);
        let is_complete = outcome == Some(AnalysisOutcome::Complete);
        Self { name: app.app.to_string(), word: app.end.word(), is_complete, came }
    }

    /// Says in a line what came of the app.
    fn line(&self, style: Style) -> String {
        let (sign, role) =
            if self.is_complete { (Sign::Good, Role::Good) } else { (Sign::Bad, Role::Bad) };
        let sign = style.paint(role, style.sign(sign));
        let word = sanitise(&self.word).into_owned();
        let word = if self.is_complete { word } else { style.paint(role, &word) };
        format!("{sign} {}  {word}{}", pad(&sanitise(&self.name), 22), self.came.text())
    }

    /// The same off a terminal.
    fn plain(&self) -> String {
        format!("{}: {}{}", sanitise(&self.name), sanitise(&self.word), self.came.text())
    }
}

// === impl Came ===

impl Came {
    fn findings(&self) -> u64 {
        match self {
            Self::Found { counts, .. } => counts.total,
            Self::Nothing | Self::NoAnalysis(_) => 0,
        }
    }

    /// Says it as the end of a line.
    fn text(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::NoAnalysis(why) => format!(": {}", sanitise(why)),
            Self::Found { gaps, counts, duration_ms } => {
                let without = match gaps.len() {
                    0 => String::new(),
                    1..=NAMED_MAX => format!(" without {}", sanitise(&gaps.join(", "))),
                    count => format!(" without {count} tools"),
                };
                format!("{without}, {} in {}", found(counts), duration(*duration_ms))
            }
        }
    }
}

/// Says `14 findings (1 critical, 3 high)`.
fn found(counts: &Counts) -> String {
    let count = |severity| counts.by_severity.get(&severity).copied().unwrap_or(0);
    let bad = [Severity::Critical, Severity::High].map(|severity| (severity, count(severity)));
    let named = bad.iter().filter(|(_, count)| *count > 0);
    let named: Vec<String> = named.map(|(severity, count)| format!("{count} {severity}")).collect();
    let all = counted(counts.total, "finding");
    if named.is_empty() { all } else { format!("{all} ({})", named.join(", ")) }
}

// === impl BatchProgress ===

impl BatchProgress {
    /// `out` takes the plain lines; it is standard error outside tests.
    pub fn new(apps: usize, mode: ProgressMode, style: Style, out: Box<dyn Write + Send>) -> Self {
        let to = match mode {
            ProgressMode::Terminal => To::Terminal(InPlace::new()),
            ProgressMode::Plain => To::Plain { out, said_ms: 0 },
            ProgressMode::Quiet => To::Nowhere,
        };
        Self { view: BatchView::new(apps), style, to }
    }

    /// An app begins, or is told anew from its beginning. `number` counts from 0 and stands for it
    /// from here on.
    pub fn begun(&mut self, at_ms: u64, number: usize, name: &str) {
        if self.view.begun(at_ms, number, name) {
            let line = self.numbered(number, &format!("{} begins", sanitise(name)));
            self.say(at_ms, None, Some(&line));
        }
    }

    /// Something happened to an app that runs.
    pub fn heard(&mut self, at_ms: u64, number: usize, event: &Event) {
        let said = self.view.heard(number, event);
        self.say(at_ms, said.as_deref(), said.as_deref());
    }

    /// An app has ended.
    pub fn landed(&mut self, at_ms: u64, number: usize, landed: &Landed) {
        self.view.landed(number, landed);
        let plain = self.numbered(number, &landed.plain());
        self.say(at_ms, Some(&landed.line(self.style)), Some(&plain));
    }

    /// Something that is about all of them.
    pub fn warned(&mut self, at_ms: u64, what: &str) {
        let label = self.style.paint(Role::Caution, "warning:");
        let what = sanitise(what).into_owned();
        if self.view.said.insert(format!("warning: {what}")) {
            self.say(at_ms, Some(&format!("{label} {what}")), Some(&format!("warning: {what}")));
        }
    }

    /// Somebody asked the whole batch to stop.
    pub fn stopping(&mut self, at_ms: u64, reason: CancelReason) {
        let kept = self.style.paint(Role::Caution, cancel_words(reason));
        self.say(at_ms, Some(&kept), Some(cancel_words(reason)));
    }

    /// Moves the spinners, or breaks a long silence.
    pub fn tick(&mut self, now_ms: u64) {
        let silence = match &self.to {
            To::Plain { said_ms, .. } => now_ms.saturating_sub(*said_ms),
            To::Terminal(_) | To::Nowhere => 0,
        };
        let heartbeat = (silence >= HEARTBEAT_MS).then(|| self.heartbeat(now_ms));
        self.say(now_ms, None, heartbeat.as_deref());
    }

    fn numbered(&self, number: usize, line: &str) -> String {
        format!("[{}/{}] {line}", number + 1, self.view.apps)
    }

    fn heartbeat(&self, now_ms: u64) -> String {
        let named = self.view.running.iter().take(NAMED_MAX).map(|running| {
            let (view, name) = (&running.view, &running.name);
            let elapsed = duration(now_ms.saturating_sub(running.since_ms));
            format!("{name} {}/{} tools {elapsed}", view.ended(), view.tools.len())
        });
        let named: Vec<String> = named.collect();
        let named = if named.is_empty() { "nothing runs".to_owned() } else { named.join(", ") };
        format!("still at work: {named}; {}", self.view.total())
    }

    /// Shows a line that stays (on a terminal, off one), and what has changed above the cursor.
    fn say(&mut self, now_ms: u64, kept: Option<&str>, plain: Option<&str>) {
        match &mut self.to {
            To::Terminal(place) => {
                let (width, rows) = InPlace::size();
                place.draw(batch_screen(&self.view, Screen { width, rows, now_ms }, &self.style));
                if let Some(line) = kept {
                    place.keep(line);
                }
            }
            To::Plain { out, said_ms } => {
                if let Some(line) = plain {
                    write_lines(out, [format!("{} {line}", duration(now_ms))]);
                    *said_ms = now_ms;
                }
            }
            To::Nowhere => {}
        }
    }
}

impl fmt::Debug for BatchProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchProgress").field("view", &self.view).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::{analysed, app};
    use assay_model::{ToolId, ToolRun, ToolStatus};
    use std::sync::{Arc, Mutex};

    const PLAIN: Style = Style { color: false, links: false, unicode: false };

    /// What was written, for whoever looks.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn event(kind: EventKind) -> Event {
        Event { seq: 0, at_ms: 0, kind }
    }

    fn story(progress: &mut BatchProgress) {
        let id = |name: &str| ToolId::new(name).unwrap();
        progress.warned(0, "1 app is named more than once and will run once");
        let apps = [app(1), app(2)].map(|app| app.app.to_string());
        progress.begun(100, 0, &apps[0]);
        for tool in ["ruff", "mypy", "semgrep"] {
            progress.heard(200, 0, &event(EventKind::ToolPlanned { tool: id(tool) }));
        }
        let phase = |tool, phase| event(EventKind::ToolPhase { tool: id(tool), phase });
        progress.heard(300, 0, &phase("semgrep", ToolPhase::Installing));
        progress.heard(900, 0, &phase("semgrep", ToolPhase::Running));
        let mut run = ToolRun::not_run(id("ruff"), ToolStatus::Ok, true);
        run.observations = 14;
        progress.heard(1_000, 0, &event(EventKind::ToolEnded { run: Box::new(run) }));
        progress.begun(1_500, 1, &apps[1]);
        let warned = || event(EventKind::Warned { message: "the disk is nearly full".to_owned() });
        progress.heard(1_600, 0, &warned());
        progress.heard(1_700, 1, &warned());
    }

    #[test]
    fn off_a_terminal_every_app_is_two_lines_and_silence_is_broken() {
        let out = Shared::default();
        let mut progress = BatchProgress::new(3, ProgressMode::Plain, PLAIN, Box::new(out.clone()));
        story(&mut progress);
        progress.tick(20_000);
        progress.tick(40_000);
        progress.landed(41_000, 0, &Landed::of(&analysed(1, 14)));
        progress.landed(42_000, 1, &Landed::of(&app(2)));
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn on_a_terminal_every_running_app_has_a_line_and_all_have_one() {
        let mut progress =
            BatchProgress::new(3, ProgressMode::Quiet, PLAIN, Box::new(std::io::sink()));
        story(&mut progress);
        let mut text = String::new();
        for width in [60, 100] {
            let at = Screen { width, rows: 24, now_ms: 3_000 };
            let lines = batch_screen(&progress.view, at, &PLAIN);
            assert!(lines.iter().all(|line| width_of(line) < width), "{lines:#?}");
            text += &(lines.join("\n") + "\n\n");
        }
        let at = Screen { width: 60, rows: 5, now_ms: 3_000 };
        text += &batch_screen(&progress.view, at, &PLAIN).join("\n");
        insta::assert_snapshot!(text);
    }
}
