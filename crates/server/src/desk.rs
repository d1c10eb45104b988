//! Who waits for which run, and who may begin: the one owner of beginnings and ends.
//!
//! Owns the ledger, the door and every run from its acceptance to its end. A service and the
//! gateway both have one; what they do with a run is their [`Work`].
//!
//! Keeps: the desk never waits, so that a cancel is always heard; a run is on disk before anybody
//! hears that it is accepted, and its end before anybody hears that; every run has exactly one end,
//! also when its task panics.
//!
//! Does not: read frames, or know what a run does. Events pass it by: they go from the run's task
//! to the log, and readers pull them from there.

mod ask; // what it is asked, and what it answers
mod carry; // one run, from its acceptance to its end
mod live; // runs that have not ended, and those that have lately
mod msg; // what it is told
mod office; // the task that owns it all
mod telling; // how a run is known to logs and traces

pub(crate) use ask::{
    Asked, Before, Cancelled, Canceller, DeskStats, Refused, Run, Seat, Unwanted, WorkKey,
};
pub(crate) use carry::{Work, before_deadline, unstarted};
pub(crate) use live::Kept;
pub(crate) use msg::TaskSummary;

use crate::log::{End, Log};
use assay_model::{CancelReason, TaskId};
use assay_rules::{
    admission::AdmissionLimits,
    ledger::{ClientId, LedgerTerms},
};
use msg::Msg;
use office::Office;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// Messages that may wait for the desk. It never waits itself, so that a full inbox means that it
/// is stuck: requests are refused then, and what must be heard waits.
const INBOX: usize = 4_096;

/// How a desk works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeskTerms {
    /// Whose it is: runs are traced under it.
    pub(crate) name: &'static str,
    pub(crate) ledger: LedgerTerms,
    pub(crate) door: AdmissionLimits,
    pub(crate) kept: Kept,
}

/// The way to a desk. Cheap to clone; the desk ends with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    inbox: mpsc::Sender<Msg>,
    next_client: Arc<AtomicU64>,
}

// === impl Desk ===

impl Desk {
    /// Opens a desk. What comes back runs it, until every [`Desk`] is gone and the last run has
    /// ended.
    pub(crate) fn open<W: Work>(
        terms: DeskTerms,
        work: Arc<W>,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (inbox, messages) = mpsc::channel(INBOX);
        // The office tells itself when a run has ended, which must not keep it open.
        let office = Office::new(terms, work, inbox.downgrade());
        (Self { inbox, next_client: Arc::default() }, office.run(messages))
    }

    /// Numbers a connection, or somebody who is accounted.
    pub(crate) fn new_client(&self) -> ClientId {
        ClientId(self.next_client.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks for a place at some work, which is started if need be.
    ///
    /// # Cancel safety
    ///
    /// Not safe: the seat may be given to nobody. It counts until its client is lost.
    pub(crate) async fn submit(&self, asked: Asked) -> Result<Seat, Refused> {
        let (answer, seat) = oneshot::channel();
        let msg = Msg::Submit { asked: Box::new(asked), answer };
        self.inbox.try_send(msg).map_err(|_| Refused::Stuck)?;
        seat.await.unwrap_or(Err(Refused::Stuck))
    }

    /// Says that a connection is gone, with all its seats.
    pub(crate) async fn lost(&self, client: ClientId) {
        self.tell(Msg::Lost { client }).await;
    }

    /// Says that a client has left for good: it gives all its seats back.
    pub(crate) async fn gone(&self, client: ClientId) {
        self.tell(Msg::Gone { client }).await;
    }

    /// Says the same without waiting, for a `Drop`. Where the inbox is full, the seats count until the
    /// run ends.
    pub(crate) fn leave(&self, client: ClientId) {
        self.inbox.try_send(Msg::Gone { client }).ok();
    }

    /// Cancels a run: for the seats of whoever asks, or for all where it has none.
    pub(crate) async fn cancel(&self, unwanted: Unwanted, by: Canceller) -> Cancelled {
        let (answer, cancelled) = oneshot::channel();
        self.tell(Msg::Cancel { unwanted, by, answer }).await;
        cancelled.await.unwrap_or(Cancelled::NotFound)
    }

    /// Returns the log of a run that goes on, or has ended lately.
    pub(crate) async fn find(&self, task: TaskId) -> Option<Arc<Log>> {
        let (answer, found) = oneshot::channel();
        self.tell(Msg::Find { task, answer }).await;
        found.await.ok().flatten()
    }

    /// Returns what there is, as one snapshot.
    pub(crate) async fn stats(&self) -> (DeskStats, Vec<TaskSummary>) {
        let (answer, stats) = oneshot::channel();
        self.tell(Msg::Stats { answer }).await;
        stats.await.unwrap_or_default()
    }

    /// Takes no newcomers. Returns when the last run has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: the drain goes on.
    pub(crate) async fn drain(&self) {
        let (answer, drained) = oneshot::channel();
        self.tell(Msg::Drain { answer }).await;
        drained.await.ok();
    }

    /// Stops every run.
    pub(crate) async fn shut_down(&self) {
        self.tell(Msg::ShutDown).await;
    }

    async fn tell(&self, msg: Msg) {
        // An office that is gone has no runs: there is nothing to tell it.
        self.inbox.send(msg).await.ok();
    }
}

/// As far as a timer looks ahead: tokio's own bound is of this order.
pub(crate) const FAR: Duration = Duration::from_hours(24 * 365);

/// How a run ends that was stopped before it began.
pub(crate) fn words_of(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::NobodyWaits => "nobody waits for it any more",
        CancelReason::Requested => "it was cancelled",
        CancelReason::DeadlinePassed => "its time was over before it could begin",
        CancelReason::ShuttingDown => "the server is shutting down",
    }
}

/// What became of a run's own task.
#[derive(Debug)]
pub(crate) enum Carried {
    Ended(Arc<End>),
    /// A bug of ours broke it.
    Panicked,
}
