//! One task, followed to its end: its progress on the terminal, its result as the server tells it.

use super::{Client, Traced, said_no};
use crate::{failure::Failure, interrupt::Interrupt};
use assay_model::{CancelReason, TaskId};
use assay_server::Tell;
use assay_wire::{
    AnalysisRequest, AnalysisStatus, Payload, TaskState,
    gateway::{CancelWish, Reply, Request, StatusWish},
};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often a task is asked for that only tells its progress: its end may have been missed.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// How long a server may take to say that a cancelled task is gone. A gateway gives its services less.
pub(crate) const STOPPED_WITHIN: Duration = Duration::from_secs(20);

/// How a task of a server ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) task: Option<TaskId>,
    pub(crate) status: AnalysisStatus,
    /// The service's reply, as the gateway passed it on.
    pub(crate) reply: Payload,
    /// Why it was cancelled by us, if it was.
    pub(crate) stopped: Option<CancelReason>,
}

/// What came while a task was followed.
enum Came {
    Stop(CancelReason),
    Reply(Option<String>, Reply),
    Tick,
}

/// Shows a task while it runs.
pub(crate) struct Follow<'a> {
    client: &'a mut Client,
    show: Tell,
}

// === impl Follow ===

impl<'a> Follow<'a> {
    pub(crate) fn new(client: &'a mut Client, show: Tell) -> Self {
        Self { client, show }
    }

    /// Asks for an analysis, and follows it to its end. When the program is asked to end, the
    /// analysis is cancelled, and what is there comes back.
    pub(crate) async fn analysis(
        mut self,
        mut request: AnalysisRequest,
        interrupt: &Interrupt,
    ) -> Result<Ended, Failure> {
        let traced = Traced::begin(&mut request, self.client.url());
        let id = self.client.send(Request::Analysis(Box::new(request))).await?;
        let (mut task, mut stopped) = (None, None);
        let mut give_up_at = None;
        let mut ticks = ticks();
        let ended = loop {
            match self.came(&mut ticks, interrupt, stopped.is_some()).await? {
                Came::Stop(reason) => {
                    stopped = Some(reason);
                    give_up_at = Some(Instant::now() + STOPPED_WITHIN);
                    let wish = CancelWish { task_id: None, correlation_id: Some(id.clone()) };
                    self.client.send(Request::Cancel(wish)).await?;
                }
                Came::Reply(Some(answers), body) if answers == id => match body {
                    Reply::Task(status) => {
                        if let (None, Some(named)) = (&task, &status.task_id) {
                            traced.accepted(named);
                        }
                        task = status.task_id.or(task);
                    }
                    Reply::Progress(told) => self.show(&told),
                    Reply::AnalysisResult(reply) => break reply,
                    Reply::Error(fault) => {
                        traced.refused(&fault.message);
                        return Err(said_no(self.client.url(), &fault));
                    }
                    _ => {}
                },
                Came::Tick if give_up_at.is_some_and(|at| Instant::now() >= at) => {
                    traced.refused("no answer to a cancel");
                    return Err(silent(self.client.url(), stopped));
                }
                Came::Tick | Came::Reply(..) => {}
            }
        };
        traced.answered(&ended);
        let status = super::status_of(&ended);
        Ok(Ended { task, status, reply: ended, stopped })
    }

    /// Follows a task that somebody has asked for. When the program is asked to end, the task goes
    /// on, and `None` comes back.
    pub(crate) async fn task(
        mut self,
        task: &TaskId,
        interrupt: &Interrupt,
    ) -> Result<Option<Ended>, Failure> {
        let join = StatusWish { subscribe: Some(true), replay: true, ..StatusWish::default() };
        self.client.send(Request::Status(join)).await?;
        self.ask_for(task).await?;
        let mut ticks = ticks();
        let (status, reply) = loop {
            match self.came(&mut ticks, interrupt, false).await? {
                Came::Stop(_) => return Ok(None),
                Came::Tick => self.ask_for(task).await?,
                Came::Reply(_, Reply::Progress(told)) if told.analysis_id == task.as_str() => {
                    self.show(&told);
                }
                Came::Reply(_, Reply::Task(said)) if said.task_id.as_ref() == Some(task) => {
                    match (said.state, said.result) {
                        (TaskState::NotFound, _) => return Err(unknown(self.client.url(), task)),
                        (TaskState::Finished, Some(reply)) => {
                            break (super::status_of(&reply), reply);
                        }
                        // The end of the stream's own words; the result is asked for.
                        (TaskState::Finished, None) if said.status.is_some() => {
                            self.ask_for(task).await?;
                        }
                        _ => {}
                    }
                }
                Came::Reply(_, Reply::Error(fault)) => {
                    return Err(said_no(self.client.url(), &fault));
                }
                Came::Reply(..) => {}
            }
        };
        Ok(Some(Ended { task: Some(task.clone()), status, reply, stopped: None }))
    }

    async fn ask_for(&mut self, task: &TaskId) -> Result<(), Failure> {
        let wish = StatusWish { task_id: Some(task.clone()), ..StatusWish::default() };
        self.client.send(Request::Status(wish)).await.map(drop)
    }

    /// Waits until something comes. A stop is told once.
    async fn came(
        &mut self,
        ticks: &mut tokio::time::Interval,
        interrupt: &Interrupt,
        is_stopping: bool,
    ) -> Result<Came, Failure> {
        tokio::select! {
            biased;
            reason = interrupt.asked(), if !is_stopping => Ok(Came::Stop(reason)),
            frame = self.client.next() => {
                let frame = frame?;
                Ok(Came::Reply(frame.envelope.correlation_id, frame.body))
            }
            _ = ticks.tick() => Ok(Came::Tick),
        }
    }

    fn show(&mut self, told: &assay_wire::Progress) {
        if let Some(event) = told.event() {
            (self.show)(&event);
        }
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

fn silent(url: &str, stopped: Option<CancelReason>) -> Failure {
    let failure = Failure::stopped(stopped);
    failure.because(format!("`{url}` does not say that it has stopped, and may go on"))
}

fn unknown(url: &str, task: &TaskId) -> Failure {
    Failure::usage(format!("`{url}` has no task `{task}`")).hint("see `assay tasks`")
}
