//! Runs that this process itself waits for: over the desk, without frames.

use super::{Service, Shared};
use crate::{
    analyzer::Analyze,
    desk::{Asked, Before, Canceller, Desk, Unwanted, WorkKey},
    following::{Following, Step, end_of_seat},
    refusal,
};
use assay_model::{Event, TaskId};
use assay_rules::{
    admission::Priority,
    ledger::{Age, ClientId, Follow},
};
use assay_wire::{AnalysisRequest, Fault};
use std::{hash::Hash, sync::Arc};
use tokio::time::Instant;

/// A run that somebody in this process has asked for and follows.
///
/// Dropping it gives its seat back, so that the run is stopped. Whoever has to know that nothing of
/// it is left waits for its end.
#[derive(Debug)]
pub struct OwnRun {
    desk: Desk,
    client: ClientId,
    following: Following,
}

/// What becomes known of a run.
#[derive(Clone, Debug)]
pub enum OwnStep {
    /// What happened since the last step, in order. Progress that newer progress replaces is left out.
    Events(Vec<Arc<Event>>),
    /// Nothing follows. There is a fault where there is no answer.
    End { fault: Option<Box<Fault>> },
}

// === impl Service ===

impl<A: Analyze> Service<A> {
    /// Asks for one analysis from within this process. It waits for a slot as every other does, and
    /// for its end as long as that takes: there is no deadline but that of the analysis itself.
    ///
    /// # Errors
    ///
    /// Where the service is full, or takes nothing new any more.
    ///
    /// # Cancel safety
    ///
    /// Not safe: the run may go on with nobody who waits for it.
    pub async fn run(&self, task: TaskId, request: AnalysisRequest) -> Result<OwnRun, Fault> {
        let Shared { desk, .. } = &*self.shared;
        let client = desk.new_client();
        let asked = Asked {
            // Whoever asks from within names each run himself, so none is another's.
            key: WorkKey::of(|hasher| task.hash(hasher)),
            task,
            request: Arc::new(request),
            client,
            payer: client,
            who: "this process".into(),
            priority: Priority::default(),
            bytes: 0,
            deadline: Instant::now() + crate::desk::FAR,
            follow: Follow::Wait,
            age: Age::Any,
            before: Before::default(),
            batch: None,
        };
        let seat = desk.submit(asked).await.map_err(refusal::fault)?;
        Ok(OwnRun { desk: desk.clone(), client, following: Following::new(seat) })
    }

    /// Takes nothing new and stops every run, since the process is to end. Does not wait.
    pub async fn stop(&self) {
        self.shared.desk.shut_down().await;
    }
}

// === impl OwnRun ===

impl OwnRun {
    /// Waits for what comes next. After the end it is the end again.
    ///
    /// # Cancel safety
    ///
    /// Safe: what was not returned is seen the next time.
    pub async fn next(&mut self) -> OwnStep {
        match self.following.next().await {
            Step::Events(events) => OwnStep::Events(events),
            Step::End(end) => OwnStep::End { fault: end.fault.clone().map(Box::new) },
            Step::Released(why) => OwnStep::End { fault: Some(Box::new(end_of_seat(why).1)) },
        }
    }

    /// Has it stopped, with what was found until then. Does not wait: its end says so.
    pub async fn cancel(&self) {
        let unwanted = Unwanted::Task(self.following.task().clone());
        // By no seat of its own: a seat that is given back would not see the end.
        let by = Canceller { client: self.desk.new_client(), only_of: None };
        self.desk.cancel(unwanted, by).await;
    }
}

impl Drop for OwnRun {
    fn drop(&mut self) {
        self.desk.leave(self.client);
    }
}
