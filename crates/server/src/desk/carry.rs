//! One run, from its acceptance to its end.
//!
//! Keeps: accepted and ended are on disk before they are told; there is an end also when the work
//! panics.

use super::{
    Carried, Run,
    msg::{Gate, Msg},
    telling,
};
use crate::{log::End, progress::Progress};
use assay_model::{CancelReason, Event};
use assay_rules::{admission::Permit, ledger::RunEnd};
use assay_wire::{AnalysisStatus, ErrorCode, Fault};
use futures_util::FutureExt;
use std::{future::Future, panic::AssertUnwindSafe, sync::Arc};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// Events of one run that may wait to be written. Beyond it whoever tells them waits: tools do not
/// stop for that, only our reading of them.
const EVENTS_WAITING: usize = 256;

/// What is done with a run. A service does it, the gateway has it done; both remember it, or not.
pub(crate) trait Work: Send + Sync + 'static {
    /// Remembers that the run was accepted. When it returns, a restart knows of it. Returns the end
    /// of the task, where one of this name has ended already: it is not done again.
    fn accepted(&self, run: &Run) -> impl Future<Output = Result<Option<End>, Fault>> + Send;

    /// Does it. Must end soon after the run is cancelled.
    fn work(&self, run: Arc<Run>, events: mpsc::Sender<Event>) -> impl Future<Output = End> + Send;

    /// Remembers what happened, before anybody is shown it.
    fn happened(
        &self,
        run: &Run,
        events: &[Event],
        progress: &mut Progress,
    ) -> impl Future<Output = ()> + Send;

    /// Remembers the end, before anybody is told. Returns the end that counts.
    fn ended(&self, run: &Run, end: End) -> impl Future<Output = End> + Send;

    /// The end of a run that never did anything: it was stopped before, or could not be accepted.
    fn unstarted(&self, run: &Run, status: AnalysisStatus, fault: Fault) -> End;
}

/// Carries a run to its end and tells the office.
pub(super) async fn carry<W: Work>(
    work: Arc<W>,
    run: Arc<Run>,
    mut gate: Gate,
    office: mpsc::WeakSender<Msg>,
) {
    let mut permit = None;
    let carrying = through(&*work, &run, &mut gate, &mut permit);
    let carrying = AssertUnwindSafe(carrying).catch_unwind().await;
    // Whoever ended before it was his turn may have been let in all the same: his permit would be
    // lost in the gate. None comes through a gate that is shut.
    gate.close();
    let permit = permit.or_else(|| gate.try_recv().ok());
    let carried = if let Ok(end) = carrying {
        Carried::Ended(end)
    } else {
        tracing::error!("a bug in Assay ended this run");
        let fault = Fault::new(ErrorCode::Internal, "a bug in Assay ended this run");
        let end = work.unstarted(&run, AnalysisStatus::Error, fault);
        // A second panic must not take the end away.
        let ended = AssertUnwindSafe(work.ended(&run, end.clone())).catch_unwind().await;
        end_of(&run, ended.unwrap_or(end));
        Carried::Panicked
    };
    if let Some(office) = office.upgrade() {
        office.send(Msg::Ended { run: run.id, end: ledger_word(&carried), permit }).await.ok();
    }
}

async fn through<W: Work>(
    work: &W,
    run: &Arc<Run>,
    gate: &mut Gate,
    permit: &mut Option<Permit>,
) -> Arc<End> {
    match work.accepted(run).await {
        // Nobody was told that it is accepted, so its end need not be remembered.
        Err(fault) => end_of(run, work.unstarted(run, AnalysisStatus::Error, fault)),
        Ok(Some(before)) => {
            run.log.open();
            end_of(run, before);
        }
        Ok(None) => {
            telling::accepted(run);
            run.log.open();
            let end = match admitted(run, gate).await {
                Ok(given) => {
                    *permit = Some(given);
                    worked(work, run).await
                }
                Err(reason) => unstarted(work, run, reason),
            };
            end_of(run, work.ended(run, end).await);
        }
    }
    run.log.ended().expect("it has just been ended")
}

/// Ends a run, for logs and traces and then for whoever waits.
pub(super) fn end_of(run: &Run, end: End) {
    telling::ended(run, &end);
    run.log.end(end);
}

/// Waits for its turn, or until it must stop.
async fn admitted(run: &Run, gate: &mut Gate) -> Result<Permit, CancelReason> {
    // A permit that comes together with a stop is given back: both arms look at the gate.
    match gate.await {
        Ok(permit) => Ok(permit),
        // The office takes the gate away when it stops a run that waits.
        Err(_) => Err(run.cancelled_now().unwrap_or(CancelReason::ShuttingDown)),
    }
}

/// Does the work, and lets its events be known as they happen.
async fn worked<W: Work>(work: &W, run: &Arc<Run>) -> End {
    if let Some(reason) = run.cancelled_now() {
        return unstarted(work, run, reason);
    }
    telling::begun(run);
    let (tell, mut told) = mpsc::channel(EVENTS_WAITING);
    let working = work.work(Arc::clone(run), tell);
    let telling = async {
        let (mut batch, mut progress) = (Vec::new(), Progress::new(run.task.clone()));
        let mut seq = run.before.next_seq;
        while told.recv_many(&mut batch, EVENTS_WAITING).await > 0 {
            // Numbered anew: a second attempt begins to count at 0 again.
            for event in &mut batch {
                event.seq = seq;
                seq = seq.saturating_add(1);
            }
            work.happened(run, &batch, &mut progress).await;
            run.log.append(batch.drain(..));
        }
    };
    // The second ends when the first has dropped its sender, so that no event follows the end.
    let (end, ()) = tokio::join!(working, telling);
    end
}

/// The end of a run that has no answer, since it was stopped.
pub(crate) fn unstarted<W: Work>(work: &W, run: &Run, reason: CancelReason) -> End {
    let (status, code) = match reason {
        CancelReason::DeadlinePassed => (AnalysisStatus::Timeout, ErrorCode::Timeout),
        CancelReason::NobodyWaits | CancelReason::Requested | CancelReason::ShuttingDown => {
            (AnalysisStatus::Cancelled, ErrorCode::Cancelled)
        }
    };
    work.unstarted(run, status, Fault::new(code, super::words_of(reason)))
}

fn ledger_word(carried: &Carried) -> RunEnd {
    match carried {
        Carried::Panicked => RunEnd::Panicked,
        Carried::Ended(end) => match end.status {
            AnalysisStatus::Success | AnalysisStatus::Partial => RunEnd::Done,
            AnalysisStatus::Error | AnalysisStatus::Timeout => RunEnd::Failed,
            AnalysisStatus::Cancelled => RunEnd::Stopped,
        },
    }
}

/// Runs a future under a deadline that may move while it runs.
///
/// # Cancel safety
///
/// As the future's own.
pub(crate) async fn before_deadline<F: Future>(run: &Run, future: F) -> Option<F::Output> {
    let mut deadline = run.deadline.clone();
    tokio::pin!(future);
    loop {
        let due: Instant = *deadline.borrow_and_update();
        tokio::select! {
            biased;
            output = &mut future => return Some(output),
            () = sleep_until(due) => return None,
            Ok(()) = deadline.changed() => {}
        }
    }
}
