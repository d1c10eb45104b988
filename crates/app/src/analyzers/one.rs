//! One analysis, from its job to its answer.
//!
//! Keeps: there always is an answer; a cancel and the deadline reach the tools at once; a report is
//! answered also where it could not be kept.

use super::{refusal::Refusal, static_analyzer::Shared};
use crate::{
    failure::Failure,
    interrupt::{Feed, Interrupt},
    setup::{Base, Setup, shelf_of},
    target::{Sought, Target, Whose},
    task::{Done, Task},
};
use assay_model::{CancelReason, Report, ToolStatus};
use assay_report::{REPLY_BYTES_MAX, ReplyTerms, write_reply};
use assay_server::{Answer, Job, Tell};
use assay_trace::here;
use assay_wire::{AnalysisRequest, AnalysisStatus, Payload};
use std::{convert::Infallible, sync::Arc};
use tokio::{task::spawn_blocking, time::sleep_until};

/// Runs one analysis to its answer.
///
/// # Cancel safety
///
/// Dropping the future stops every tool; the folder of the task then reads as lost.
pub(super) async fn analyse(shared: Arc<Shared>, job: Job, tell: Tell) -> Answer {
    let (feed, interrupt) = Interrupt::fed();
    tokio::select! {
        // Who wants it to stop comes first: a stop must not wait behind the work.
        biased;
        never = pass_on(&job, &feed) => match never {},
        answer = answer(&shared, &job, tell, &interrupt) => answer,
    }
}

/// Tells the analysis why it must stop, for as long as it is polled.
pub(super) async fn pass_on(job: &Job, feed: &Feed) -> Infallible {
    let mut cancel = job.cancel.clone();
    let mut deadline = std::pin::pin!(sleep_until(job.deadline));
    let (mut is_over, mut is_alone) = (false, false);
    loop {
        let asked = *cancel.borrow_and_update();
        if let Some(reason) = asked.max(is_over.then_some(CancelReason::DeadlinePassed)) {
            feed.ask(reason);
        }
        tokio::select! {
            biased;
            changed = cancel.changed(), if !is_alone => is_alone = changed.is_err(),
            () = &mut deadline, if !is_over => is_over = true,
            else => std::future::pending().await,
        }
    }
}

async fn answer(shared: &Shared, job: &Job, tell: Tell, interrupt: &Interrupt) -> Answer {
    let base = shared.base();
    let answered = try_answer(shared, &base, job, (tell, interrupt)).await;
    answered.unwrap_or_else(|refusal| {
        tracing::info!(?refusal, "no report");
        refusal.answer(&Whose::of(&job.request), &shared.hidden)
    })
}

async fn try_answer(
    shared: &Shared,
    base: &Arc<Base>,
    job: &Job,
    (tell, interrupt): (Tell, &Interrupt),
) -> Result<Answer, Refusal> {
    let target = seek(base, &job.request).await?;
    let (mut setup, configured) =
        Setup::of_request(base, target, &job.request).map_err(Refusal::NotMeant)?;
    setup.jobs = shared.jobs;
    let toolbox = shared.toolbox().await?;
    let turn = tokio::select! {
        biased;
        reason = interrupt.asked() => return Err(Refusal::Stopped(reason)),
        turn = toolbox.turn() => turn,
    };
    let task = Task::begin_as(&job.task, setup, &shared.root)?;
    let done = task.run(toolbox, turn, (tell, &job.trace), interrupt).await?;
    shared.at_hand.learn(&done.finished.report);
    let terms = Terms {
        base: Arc::clone(base),
        whose: Whose::of(&job.request),
        configured,
        hidden: shared.hidden.clone(),
    };
    let writing = spawn_blocking(here(move || written(done, &terms)));
    writing.await.map_err(|error| bug(&error.to_string()))?
}

async fn seek(base: &Arc<Base>, request: &AnalysisRequest) -> Result<Target, Refusal> {
    let (roots, request) = (base.loaded.config.source_roots.clone(), request.clone());
    let seeking = spawn_blocking(move || Sought::of(&request, &roots));
    match seeking.await.map_err(|error| bug(&error.to_string()))? {
        Sought::Found(target) => Ok(target),
        Sought::Missing => Err(Refusal::Missing),
        Sought::NotAllowed => Err(Refusal::NotAllowed),
    }
}

/// What the answer is written with.
struct Terms {
    base: Arc<Base>,
    whose: Whose,
    configured: bool,
    hidden: super::discretion::Discretion,
}

/// Keeps the report, and writes the answer.
fn written(done: Done, terms: &Terms) -> Result<Answer, Refusal> {
    let (mut finished, kept) = done.try_keep();
    let report = &mut finished.report;
    if let Err(error) = kept {
        tracing::error!(error = %error.in_full(), "results are not kept");
        report.warnings.push(format!("the results could not be kept: {}", error.in_full()));
    }
    terms.hidden.and(report.app.path.as_ref(), "{app}").apply(report);
    let status = status_of(report);
    let catalogue = terms.base.catalogue.iter();
    let shelves = catalogue.map(|tool| (tool.id().clone(), shelf_of(tool))).collect();
    let of_reply = ReplyTerms {
        model: &terms.whose.given,
        app: terms.whose.number,
        configured: terms.configured,
        shelves: &shelves,
        bytes_max: REPLY_BYTES_MAX,
    };
    let mut text = Vec::new();
    write_reply(report, &of_reply, &mut text).map_err(|error| bug(&error.to_string()))?;
    let text = String::from_utf8(text).map_err(|error| bug(&error.to_string()))?;
    let analysis = Payload::from_json(text).map_err(|error| bug(&error.to_string()))?;
    Ok(Answer { status, analysis })
}

/// What a report is worth, in a word of the wire.
pub(super) fn status_of(report: &Report) -> AnalysisStatus {
    let some_did = report.tools.iter().any(|run| run.status == ToolStatus::Ok);
    AnalysisStatus::of_outcome(report.outcome, some_did)
}

/// What a panic or its like says.
pub(super) fn bug(words: &str) -> Failure {
    Failure::broken(format!("a bug in Assay ended its run: {words}"))
}
