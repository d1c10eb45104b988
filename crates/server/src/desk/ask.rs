//! What the desk is asked, and what it answers. Data only.

use crate::log::Log;
use assay_model::{CancelReason, TaskId};
use assay_rules::{
    admission::{Priority, Shut},
    ledger::{Age, ClientId, Follow, Released, RunId, Ticket},
};
use assay_trace::Span;
use assay_wire::{AnalysisRequest, TaskState};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

/// What makes two requests the same work: a hash of all that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WorkKey(pub(crate) u128);

/// A request for the result of some work.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) key: WorkKey,
    /// The name of the run, should it start one.
    pub(crate) task: TaskId,
    pub(crate) request: Arc<AnalysisRequest>,
    /// The connection.
    pub(crate) client: ClientId,
    /// Who is accounted for it: a client may have many connections.
    pub(crate) payer: ClientId,
    /// The payer in words.
    pub(crate) who: Arc<str>,
    pub(crate) priority: Priority,
    /// What the request occupies.
    pub(crate) bytes: u64,
    pub(crate) deadline: Instant,
    pub(crate) follow: Follow,
    pub(crate) age: Age,
    pub(crate) before: Before,
    /// The batch that it was asked for, where that starts it.
    pub(crate) batch: Option<TaskId>,
}

/// What a run has behind it that was open when the process before this one ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Before {
    /// The book knows it: it is not accepted a second time.
    pub(crate) is_accepted: bool,
    pub(crate) attempts: u32,
    /// The number of its next event.
    pub(crate) next_seq: u32,
}

/// A place from which a run is followed.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The name of the run, which may be another's that was joined.
    pub(crate) task: TaskId,
    /// Which of the run's seats it is: one client may have several.
    pub(crate) ticket: Ticket,
    pub(crate) log: Arc<Log>,
    /// Comes when the run goes on without this seat.
    pub(crate) released: oneshot::Receiver<Released>,
}

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Shut(Shut),
    /// It came too late to be answered.
    DeadlinePassed,
    /// The desk itself is behind, which should never be.
    Stuck,
}

/// A run, as whoever carries it out sees it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) task: TaskId,
    pub(crate) request: Arc<AnalysisRequest>,
    pub(crate) key: WorkKey,
    pub(crate) who: Arc<str>,
    pub(crate) payer: ClientId,
    pub(crate) priority: Priority,
    pub(crate) bytes: u64,
    pub(crate) is_detached: bool,
    pub(crate) before: Before,
    pub(crate) batch: Option<TaskId>,
    pub(crate) log: Arc<Log>,
    /// Its part of the trace of whoever asked first.
    pub(crate) span: Span,
    /// Why it must stop, once it must.
    pub(crate) cancel: watch::Receiver<Option<CancelReason>>,
    /// The latest of those who wait for it; it moves when they come and go.
    pub(crate) deadline: watch::Receiver<Instant>,
}

/// What somebody wants to cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unwanted {
    /// All that a client has asked for of this run.
    Task(TaskId),
    /// One of its requests, and no other that waits for the same run.
    Request(TaskId, Ticket),
}

/// What a wish to cancel comes to.
#[derive(Debug)]
pub(crate) enum Cancelled {
    /// It is stopping: its end is in the log.
    Stopping(Arc<Log>),
    /// Others want it, so it goes on without the one who asked.
    Left,
    AlreadyEnded,
    NotFound,
    /// It is another's, and whoever asks may not cancel for others.
    NotYours,
}

/// Who wants to cancel.
#[derive(Clone, Debug)]
pub(crate) struct Canceller {
    pub(crate) client: ClientId,
    /// Whose work it may cancel from another connection; `None` for everybody's.
    pub(crate) only_of: Option<Arc<str>>,
}

/// What the desk has, as one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeskStats {
    pub(crate) running: usize,
    pub(crate) queued: usize,
    /// How long the one has waited that has waited longest.
    pub(crate) oldest_waits: Option<Duration>,
    pub(crate) capacity: u32,
    pub(crate) accepted: u64,
    pub(crate) ended: u64,
    /// Requests that joined work which was under way.
    pub(crate) deduplicated: u64,
    pub(crate) cancelled: u64,
    pub(crate) refused: u64,
    pub(crate) is_draining: bool,
}

// === impl Cancelled ===

impl Cancelled {
    /// What whoever asked is told.
    pub(crate) fn state(&self) -> TaskState {
        match self {
            Self::Stopping(_) | Self::Left => TaskState::Cancelled,
            Self::AlreadyEnded => TaskState::AlreadyFinished,
            Self::NotFound | Self::NotYours => TaskState::NotFound,
        }
    }

    /// Waits until it may be told: "cancelled" is said when the last process is gone.
    pub(crate) async fn done(self) {
        if let Self::Stopping(log) = self {
            log.wait_for_end().await;
        }
    }
}

// === impl WorkKey ===

impl WorkKey {
    /// Makes the key of what `hash` puts into a hasher, twice as wide as one hash.
    pub(crate) fn of(hash: impl Fn(&mut DefaultHasher)) -> Self {
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            hash(&mut hasher);
            hasher.finish()
        };
        Self(u128::from(half(0)) << 64 | u128::from(half(1)))
    }
}

// === impl Unwanted ===

impl Unwanted {
    pub(crate) fn task(&self) -> &TaskId {
        match self {
            Self::Task(task) | Self::Request(task, _) => task,
        }
    }
}

// === impl Run ===

impl Run {
    /// The reason to stop, once there is one.
    pub(crate) fn cancelled_now(&self) -> Option<CancelReason> {
        *self.cancel.borrow()
    }

    /// Waits until it must stop, and says why.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is consumed.
    pub(crate) async fn cancelled(&self) -> CancelReason {
        let mut cancel = self.cancel.clone();
        let asked = cancel.wait_for(Option::is_some).await.ok().and_then(|reason| *reason);
        match asked {
            Some(reason) => reason,
            // The desk is gone: the process ends.
            None => CancelReason::ShuttingDown,
        }
    }

    /// What is left until its deadline, as it stands.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.borrow().saturating_duration_since(Instant::now())
    }
}
