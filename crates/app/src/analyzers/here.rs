//! Analyses of this process's own commands: `analyze` and `batch`, over a desk as those of a service.
//!
//! Owns the desk of such a command. Keeps: the desk begins and ends every analysis, also one that
//! panics; whatever it ended has a folder that says so.
//!
//! Does not: ask over the wire. What was set on a command line is more than a request may say.

use super::one::{bug, pass_on, status_of};
use crate::{
    analysis::{Toolbox, Turn},
    failure::Failure,
    interrupt::Interrupt,
    task::{Done, Task},
};
use assay_model::{CancelReason, TaskId};
use assay_server::{
    Analyze, Answer, Job, OwnRun, OwnStep, Service, ServiceTerms, Tell, ToolsAtHand,
};
use assay_wire::{AnalysisRequest, AnalysisStatus, Analyzer, Fault, Payload};
use std::{
    collections::HashMap,
    env,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;

/// Who is told to stop may take so long to write what it has; a second signal ends it at once.
const END_WITHIN: Duration = Duration::from_hours(1);

/// Runs analyses in this process.
#[derive(Debug)]
pub(crate) struct Here {
    service: Service<Orders>,
    orders: Orders,
}

/// What shall be done, by the name of its task, until the desk lets it begin; and with which tools.
#[derive(Clone, Debug)]
struct Orders {
    waiting: Arc<Mutex<HashMap<TaskId, Order>>>,
    toolbox: Arc<Toolbox>,
}

#[derive(Debug)]
struct Order {
    task: Task,
    turn: Turn,
    landed: oneshot::Sender<Result<Done, Failure>>,
}

// === impl Here ===

impl Here {
    /// Begins with `slots` analyses at once. Must be called within a tokio runtime, which ends them
    /// when it ends.
    pub(crate) fn start(toolbox: Toolbox, slots: u32) -> Self {
        let terms = ServiceTerms {
            slots,
            queue_max: slots as usize,
            end_within: END_WITHIN,
            ..ServiceTerms::default()
        };
        let orders = Orders { waiting: Arc::default(), toolbox: Arc::new(toolbox) };
        let service = Service::start(orders.clone(), terms);
        Self { service, orders }
    }

    pub(crate) fn toolbox(&self) -> &Arc<Toolbox> {
        &self.orders.toolbox
    }

    /// Runs a task to its end, when it is its `turn`. `show` hears of every event once it is on disk.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has the analysis stopped; the folder then reads as lost.
    pub(crate) async fn run(
        &self,
        task: Task,
        turn: Turn,
        show: &mut Tell,
        interrupt: &Interrupt,
    ) -> Result<Done, Failure> {
        let (id, source) = (task.id().clone(), task.source());
        let (landed, mut landing) = oneshot::channel();
        self.orders.lock().insert(id.clone(), Order { task, turn, landed });
        let mut request =
            AnalysisRequest { source_path: Some(source), ..AnalysisRequest::default() };
        if let Some(given) = assay_trace::given(|name| env::var(name).ok()) {
            request.set_trace(&given);
        }
        let fault = match self.service.run(id.clone(), request).await {
            Ok(run) => self.follow(run, show, interrupt).await,
            Err(fault) => Some(Box::new(fault)),
        };
        // The desk ends a run after whoever carried it out has said how it went.
        if let Ok(ended) = landing.try_recv() {
            return ended;
        }
        if let Some(order) = self.orders.take(&id) {
            order.task.abandon()?;
        }
        match (interrupt.reason(), fault) {
            (Some(reason), _) => Err(Failure::stopped(Some(reason))),
            (None, Some(fault)) => Err(Failure::broken(fault.message)),
            (None, None) => Err(bug("it ended without a word")),
        }
    }

    async fn follow(
        &self,
        mut run: OwnRun,
        show: &mut Tell,
        interrupt: &Interrupt,
    ) -> Option<Box<Fault>> {
        let mut is_stopping = false;
        loop {
            let step = tokio::select! {
                biased;
                reason = interrupt.asked(), if !is_stopping => {
                    is_stopping = true;
                    self.stop(&run, reason).await;
                    continue;
                }
                step = run.next() => step,
            };
            match step {
                OwnStep::Events(events) => events.iter().for_each(|event| show(event)),
                OwnStep::End { fault, .. } => return fault,
            }
        }
    }

    async fn stop(&self, run: &OwnRun, reason: CancelReason) {
        match reason {
            CancelReason::ShuttingDown => self.service.stop().await,
            CancelReason::NobodyWaits | CancelReason::Requested | CancelReason::DeadlinePassed => {
                run.cancel().await;
            }
        }
    }
}

// === impl Orders ===

impl Orders {
    fn take(&self, task: &TaskId) -> Option<Order> {
        self.lock().remove(task)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Order>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Analyze for Orders {
    fn sort(&self) -> Analyzer {
        Analyzer::Static
    }

    /// Nobody asks for the health of a command.
    fn tools(&self) -> ToolsAtHand {
        ToolsAtHand::default()
    }

    fn configuration(&self) -> Payload {
        Payload::null()
    }

    async fn analyse(&self, job: Job, tell: Tell) -> Answer {
        let refused = Answer { status: AnalysisStatus::Error, analysis: Payload::null() };
        let Some(order) = self.take(&job.task) else { return refused };
        let Order { task, turn, landed } = order;
        let (feed, interrupt) = Interrupt::fed();
        let ended = tokio::select! {
            biased;
            never = pass_on(&job, &feed) => match never {},
            ended = task.run(&self.toolbox, turn, (tell, &job.trace), &interrupt) => ended,
        };
        let status = ended.as_ref().map_or(refused.status, |done| status_of(&done.finished.report));
        // Whoever waited may have gone.
        landed.send(ended).ok();
        Answer { status, ..refused }
    }
}
