//! Plays a made-up analysis, to be looked at: `cargo run -p assay-term --example progress`.

use assay_model::{
    AnalysisOutcome, AppRef, Event, EventKind, ToolId, ToolPhase, ToolRun, ToolStatus, Usage,
};
use assay_term::{ColorChoice, Progress, ProgressMode, Style, Terminal};
use std::{env, io, io::IsTerminal, thread, time::Duration};

/// A picture every tenth of a second, as the real driver gives.
const TICK: Duration = Duration::from_millis(100);

fn main() {
    let terminal = if io::stderr().is_terminal() { Terminal::Yes } else { Terminal::No };
    let style = Style::detect(ColorChoice::Auto, terminal, |name| env::var(name).ok());
    let mode = if terminal == Terminal::Yes { ProgressMode::Terminal } else { ProgressMode::Plain };
    let mut progress = Progress::new(mode, style, Box::new(io::stderr()));
    let mut story = story();
    story.sort_by_key(|(at_ms, _)| *at_ms);
    let mut now_ms = 0;
    for (seq, (at_ms, kind)) in (0u32..).zip(story) {
        while now_ms + 100 <= at_ms {
            thread::sleep(TICK);
            now_ms += 100;
            progress.tick(now_ms);
        }
        progress.event(&Event { seq, at_ms, kind });
    }
    progress.finish();
}

fn story() -> Vec<(u64, EventKind)> {
    let mut story =
        vec![(0, EventKind::Accepted { app: AppRef::Path { path: "examples/notes".to_owned() } })];
    for n in 0..30u64 {
        let tool =
            ToolId::new(&format!("tool-{n}")).expect("the name is made of what names may hold");
        let (start, end) = (500 + n * 150, 900 + n * 170 + n % 7 * 300);
        let status = if n % 9 == 4 { ToolStatus::Failed } else { ToolStatus::Ok };
        let run = ToolRun {
            version: Some("1.2.3".to_owned()),
            observations: n,
            reason: (status == ToolStatus::Failed).then(|| "it exited with code 7".to_owned()),
            started_ms: Some(start),
            usage: Usage { wall_ms: end - start, ..Usage::default() },
            ..ToolRun::not_run(tool.clone(), status, true)
        };
        story.push((300, EventKind::ToolPlanned { tool: tool.clone() }));
        story.push((start, EventKind::ToolPhase { tool: tool.clone(), phase: ToolPhase::Running }));
        story.push((start + 200, EventKind::ToolProgress { tool, observations: n / 2 }));
        story.push((end, EventKind::ToolEnded { run: Box::new(run) }));
    }
    story.push((8_500, EventKind::Ended { outcome: AnalysisOutcome::Incomplete }));
    story
}
