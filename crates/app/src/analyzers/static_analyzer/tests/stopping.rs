//! What becomes of an analysis that must stop.

use super::{
    fake::{FINDING, Fake},
    world::{LONG, World, analysis, job, said},
};
use assay_model::{CancelReason, Event, EventKind, ToolPhase};
use assay_server::{Analyze as _, Job, Tell};
use assay_wire::AnalysisStatus;
use serde_json::json;
use std::fs;
use tokio::{sync::mpsc, time::Instant};

/// A world in which one tool has found something when the other hangs.
pub(super) fn with_a_hanging_tool() -> World {
    let world = World::with(&[("quick", Fake::finding("high"))]);
    let note = format!("pid-file={}", world.at("pids").display());
    let hangs = Fake::new([&note, FINDING, "setsid-child", "hang"]);
    let mut world = world.set("jobs", json!(2));
    world.tools.insert("hangs".to_owned(), hangs.declaration());
    world
}

/// Hears when one tool has ended and the other runs.
fn until_it_hangs() -> (Tell, mpsc::Receiver<()>) {
    let (tell, hears) = mpsc::channel(1);
    let (mut ended, mut runs) = (false, false);
    let tell = move |event: &Event| {
        match &event.kind {
            EventKind::ToolEnded { run } => ended |= run.tool.as_str() == "quick",
            EventKind::ToolPhase { tool, phase: ToolPhase::Running } => {
                runs |= tool.as_str() == "hangs";
            }
            _ => {}
        }
        if ended && runs {
            tell.try_send(()).ok();
        }
    };
    (Box::new(tell), hears)
}

/// The processes that the hanging tool noted, once all are there.
pub(super) async fn processes(world: &World) -> Vec<u32> {
    let path = world.at("pids");
    let noted = move || fs::read_to_string(&path).unwrap_or_default();
    let waiting = tokio::task::spawn_blocking(move || {
        let all = || noted().lines().count() >= 2 && noted().ends_with('\n');
        assert!(testkit::wait_until(LONG, all), "only {:?}", noted());
        noted()
    });
    waiting.await.unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_cancel_stops_everything_and_keeps_what_was_found() {
    for (reason, status) in [
        (CancelReason::Requested, AnalysisStatus::Cancelled),
        (CancelReason::ShuttingDown, AnalysisStatus::Cancelled),
        (CancelReason::DeadlinePassed, AnalysisStatus::Timeout),
    ] {
        let world = with_a_hanging_tool();
        let analyzer = world.analyzer().await;
        let (tell, mut hangs) = until_it_hangs();
        let (job, stop) = job("stopped", json!({}));
        let running = tokio::spawn(async move { analyzer.analyse(job, tell).await });
        hangs.recv().await.unwrap();
        let pids = processes(&world).await;
        stop.send_replace(Some(reason));
        let answer = running.await.unwrap();
        let analysis = analysis(&answer);
        assert_eq!(answer.status, status, "{analysis}");
        assert_eq!(analysis["status"], status.as_str());
        assert_eq!(analysis["tool_results"]["quick"]["total_issues"], 1);
        assert_eq!(analysis["tool_results"]["hangs"]["status"], "cancelled");
        for pid in pids {
            assert!(!testkit::lives(pid), "process {pid} is left");
        }
    }
}

#[tokio::test]
async fn a_deadline_that_passed_is_answered_without_a_tool() {
    let world = World::with(&[("fake", Fake::new(["hang"]))]);
    let analyzer = world.analyzer().await;
    let (job, _stop) = job("late", json!({}));
    let job = Job { deadline: Instant::now(), ..job };
    let answer = analyzer.analyse(job, Box::new(|_| {})).await;
    assert_eq!(answer.status, AnalysisStatus::Timeout);
    assert_eq!(analysis(&answer)["status"], "timeout");
}

#[tokio::test]
async fn dropping_an_analysis_stops_everything() {
    let world = with_a_hanging_tool();
    let analyzer = world.analyzer().await;
    let (tell, mut hangs) = until_it_hangs();
    let (job, _stop) = job("dropped", json!({}));
    let asks = analyzer.clone();
    let running = tokio::spawn(async move { asks.analyse(job, tell).await });
    hangs.recv().await.unwrap();
    let pids = processes(&world).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    let gone = move || pids.iter().all(|pid| !testkit::lives(*pid));
    let waiting = tokio::task::spawn_blocking(move || testkit::wait_until(LONG, gone));
    assert!(waiting.await.unwrap(), "a process is left");
    // The slots are free again.
    let (status, _) = said(&analyzer, json!({"tools": ["quick"]})).await;
    assert_eq!(status, AnalysisStatus::Success);
}
