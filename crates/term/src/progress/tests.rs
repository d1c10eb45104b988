//! Progress as a person sees it, on a terminal and off it.

use super::*;
use assay_model::{AppRef, Digest, Event, EventKind, RunView, ToolId, Usage};
use std::fmt::Write as _;

const PLAIN: Style = Style { color: false, links: false, unicode: false };
const SIGNS: Style = Style { unicode: true, ..PLAIN };

fn id(name: &str) -> ToolId {
    ToolId::new(name).unwrap()
}

fn phase(tool: &str, phase: ToolPhase) -> EventKind {
    EventKind::ToolPhase { tool: id(tool), phase }
}

fn ended(tool: &str, status: ToolStatus, observations: u64, reason: Option<&str>) -> EventKind {
    let started_ms = (status != ToolStatus::NoInputs).then_some(400);
    let usage = Usage { wall_ms: 900, ..Usage::default() };
    let reason = reason.map(str::to_owned);
    let run = ToolRun::not_run(id(tool), status, true);
    EventKind::ToolEnded {
        run: Box::new(ToolRun { observations, reason, started_ms, usage, ..run }),
    }
}

/// A run of five tools, as milliseconds and what happened then.
fn story() -> Vec<Event> {
    let digest = Digest::new(&"a".repeat(64)).unwrap();
    let mut kinds = vec![
        (0, EventKind::Accepted { app: AppRef::Path { path: "no\u{1b}[2Jtes".into() } }),
        (80, EventKind::SourceRead { files: 34, lines: 2310, bytes: 1, skipped: 1, digest }),
    ];
    for tool in ["ruff", "mypy", "semgrep", "npm-audit", "typos"] {
        kinds.push((90, EventKind::ToolPlanned { tool: id(tool) }));
    }
    kinds.extend([
        (100, phase("semgrep", ToolPhase::Installing)),
        (400, phase("ruff", ToolPhase::Running)),
        (1_000, EventKind::ToolProgress { tool: id("ruff"), observations: 12 }),
        (1_300, ended("ruff", ToolStatus::Ok, 14, None)),
        (1_310, ended("mypy", ToolStatus::NoInputs, 0, None)),
        (1_400, phase("semgrep", ToolPhase::Running)),
        (1_500, phase("npm-audit", ToolPhase::Checking)),
        (2_000, EventKind::ToolProgress { tool: id("semgrep"), observations: 1 }),
        (2_100, EventKind::Warned { message: "the \u{1b}]0;x\u{7}disk is nearly full".into() }),
    ]);
    numbered(kinds)
}

fn end_of_story() -> Vec<Event> {
    numbered(vec![
        (70_000, EventKind::CancelAsked { reason: CancelReason::Requested }),
        (70_100, ended("npm-audit", ToolStatus::Failed, 0, Some("it exited\nwith code 7"))),
        (70_200, ended("semgrep", ToolStatus::Cancelled, 0, Some("stopped"))),
        (70_300, EventKind::Ended { outcome: AnalysisOutcome::Interrupted }),
    ])
}

fn numbered(kinds: Vec<(u64, EventKind)>) -> Vec<Event> {
    (0u32..).zip(kinds).map(|(seq, (at_ms, kind))| Event { seq, at_ms, kind }).collect()
}

fn view() -> RunView {
    let mut view = RunView::default();
    for event in &story() {
        view.apply(event);
    }
    view
}

#[test]
fn off_a_terminal_every_event_worth_telling_is_a_line() {
    let mut plain = Plain::default();
    let mut lines = Vec::new();
    for event in story() {
        lines.extend(plain.event(&event));
    }
    lines.extend((0..=700).filter_map(|tenth| plain.tick(tenth * 100)));
    for event in end_of_story() {
        lines.extend(plain.event(&event));
    }
    assert_eq!(plain.tick(999_999), None, "nothing is at work after the end");
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_silence_is_never_longer_than_the_heartbeat() {
    let mut plain = Plain::default();
    for event in &story() {
        drop(plain.event(event));
    }
    let beats: Vec<_> =
        (0..2_000).map(|tenth| tenth * 100).filter(|now| plain.tick(*now).is_some()).collect();
    assert_eq!(beats[0], 2_100 + HEARTBEAT_MS);
    assert!(beats.windows(2).all(|pair| pair[1] - pair[0] == HEARTBEAT_MS), "{beats:?}");
}

#[test]
fn a_terminal_shows_what_is_at_work_and_counts_the_rest() {
    let mut shown = String::new();
    for (width, style) in [(60, PLAIN), (80, SIGNS), (140, Style { color: true, ..SIGNS })] {
        let lines = screen(&view(), Screen { width, rows: 24, now_ms: 3_000 }, &style);
        let lines = lines.join("\n").replace('\u{1b}', "␛");
        writeln!(shown, "{width}:\n{lines}").unwrap();
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn more_tools_than_rows_are_counted_in_one_line() {
    let mut view = RunView::default();
    let mut kinds = Vec::new();
    for n in 0..60u64 {
        kinds.push((0, EventKind::ToolPlanned { tool: id(&format!("tool-{n}")) }));
        kinds.push((n, phase(&format!("tool-{n}"), ToolPhase::Running)));
    }
    for event in &numbered(kinds) {
        view.apply(event);
    }
    let lines = screen(&view, Screen { width: 80, rows: 10, now_ms: 90_000 }, &SIGNS);
    assert_eq!(lines.len(), 7);
    assert!(lines[0].contains("tool-0 "), "{lines:?}");
    assert!(lines[6].contains("54 more at work, 0 waiting, 0 done"), "{lines:?}");
}

#[test]
fn no_line_of_the_screen_is_wider_than_the_terminal() {
    for width in [30, 60, 80, 140] {
        for line in screen(&view(), Screen { width, rows: 24, now_ms: 3_000 }, &SIGNS) {
            assert!(crate::layout::width_of(&line) < width, "{width}: {line}");
        }
    }
}

#[test]
fn an_ended_tool_collapses_into_one_line() {
    let lines: Vec<_> = story()
        .into_iter()
        .chain(end_of_story())
        .filter_map(|event| match event.kind {
            EventKind::ToolEnded { run } => Some(ended_line(&run, SIGNS)),
            _ => None,
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    ✓ ruff                   14 findings · 0.9s
    – mypy                   nothing for it to read
    ✗ npm-audit              failed: it exited with code 7 · 0.9s
    ✗ semgrep                cancelled: stopped · 0.9s
    ");
}

#[test]
fn nothing_is_drawn_after_the_end() {
    let mut view = view();
    for event in &end_of_story() {
        view.apply(event);
    }
    assert_eq!(screen(&view, Screen { width: 80, rows: 24, now_ms: 0 }, &SIGNS), [""; 0]);
}

/// A stream that a test can look into.
#[derive(Clone, Default)]
struct Tape(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn quiet_says_nothing_and_plain_has_no_control_characters() {
    for (mode, silent) in [(ProgressMode::Quiet, true), (ProgressMode::Plain, false)] {
        let tape = Tape::default();
        let mut progress = Progress::new(mode, PLAIN, Box::new(tape.clone()));
        for event in &story() {
            progress.event(event);
        }
        progress.tick(500_000);
        progress.finish();
        let text = String::from_utf8(tape.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.is_empty(), silent);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
}
