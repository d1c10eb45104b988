//! The part that touches the terminal. What to draw is decided elsewhere; this only puts it there.

use super::{Plain, Screen, ended_line, screen};
use crate::{Style, sanitise, size::size_of, style::Role};
use assay_model::{Event, EventKind, RunView};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{fmt, io::Write};

/// How progress is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressMode {
    /// One line per tool, redrawn in place on standard error.
    Terminal,
    /// A line per event.
    Plain,
    /// Not at all.
    Quiet,
}

/// The progress of one analysis, as it is being shown. Made before the first event; [`finish`]
/// (or dropping it) leaves a clean terminal behind.
///
/// [`finish`]: Progress::finish
pub struct Progress {
    style: Style,
    to: To,
}

enum To {
    Terminal(Box<Lines>),
    Plain { plain: Plain, out: Box<dyn Write + Send> },
    Nowhere,
}

struct Lines {
    view: RunView,
    place: InPlace,
}

/// Lines that are drawn anew in place: one bar whose message they are. With a bar for each line, a
/// drawing could show half of the old picture and half of the new one.
pub(super) struct InPlace {
    bar: ProgressBar,
    drawn: Vec<String>,
}

// === impl Progress ===

impl Progress {
    /// `out` takes the plain lines; it is standard error outside tests.
    pub fn new(mode: ProgressMode, style: Style, out: Box<dyn Write + Send>) -> Self {
        let to = match mode {
            ProgressMode::Terminal => To::Terminal(Box::new(Lines::new())),
            ProgressMode::Plain => To::Plain { plain: Plain::default(), out },
            ProgressMode::Quiet => To::Nowhere,
        };
        Self { style, to }
    }

    /// Takes one event in and shows what it changes.
    pub fn event(&mut self, event: &Event) {
        match &mut self.to {
            To::Terminal(lines) => {
                lines.view.apply(event);
                lines.draw(event.at_ms, self.style);
                if let Some(line) = kept(&event.kind, self.style) {
                    lines.place.keep(&line);
                }
            }
            To::Plain { plain, out } => write_lines(out, plain.event(event)),
            To::Nowhere => {}
        }
    }

    /// Moves the spinners, or breaks a long silence. `now_ms` counts from the same beginning as
    /// the events.
    pub fn tick(&mut self, now_ms: u64) {
        match &mut self.to {
            To::Terminal(lines) => lines.draw(now_ms, self.style),
            To::Plain { plain, out } => write_lines(out, plain.tick(now_ms)),
            To::Nowhere => {}
        }
    }

    /// Lets somebody else write to standard error without tearing the lines.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.to {
            To::Terminal(lines) => lines.place.bar.suspend(write),
            To::Plain { .. } | To::Nowhere => write(),
        }
    }

    /// Takes the moving lines away; what was printed above them stays.
    pub fn finish(self) {
        drop(self);
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = match &self.to {
            To::Terminal(_) => "terminal",
            To::Plain { .. } => "plain",
            To::Nowhere => "nowhere",
        };
        f.debug_struct("Progress").field("to", &to).finish_non_exhaustive()
    }
}

/// Returns the line that stays on the screen for good, if the event deserves one.
fn kept(kind: &EventKind, style: Style) -> Option<String> {
    match kind {
        EventKind::ToolEnded { run } => Some(ended_line(run, style)),
        EventKind::Warned { message } => {
            let label = style.paint(Role::Caution, "warning:");
            Some(format!("{label} {}", sanitise(message)))
        }
        EventKind::Accepted { .. }
        | EventKind::SourceRead { .. }
        | EventKind::ToolPlanned { .. }
        | EventKind::ToolPhase { .. }
        | EventKind::ToolProgress { .. }
        | EventKind::Stage { .. }
        | EventKind::CancelAsked { .. }
        | EventKind::Ended { .. } => None,
    }
}

/// A reader who went away (`2>&1 | head`) must not end the analysis: it still writes its reports.
pub(super) fn write_lines(
    out: &mut Box<dyn Write + Send>,
    lines: impl IntoIterator<Item = String>,
) {
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    let _ = out.flush();
}

// === impl Lines ===

impl Lines {
    fn new() -> Self {
        Self { view: RunView::default(), place: InPlace::new() }
    }

    fn draw(&mut self, now_ms: u64, style: Style) {
        let (width, rows) = InPlace::size();
        self.place.draw(screen(&self.view, Screen { width, rows, now_ms }, &style));
    }
}

// === impl InPlace ===

impl InPlace {
    pub(super) fn new() -> Self {
        let lines = ProgressStyle::with_template("{msg}").expect("the template is a literal");
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self { bar: bar.with_style(lines), drawn: Vec::new() }
    }

    /// Returns width and rows of the terminal.
    pub(super) fn size() -> (usize, usize) {
        size_of(&console::Term::stderr())
    }

    pub(super) fn draw(&mut self, lines: Vec<String>) {
        if lines != self.drawn {
            self.bar.set_message(lines.join("\n"));
            self.drawn = lines;
        }
    }

    /// Prints a line above the others that stays.
    pub(super) fn keep(&self, line: &str) {
        self.bar.println(line);
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
