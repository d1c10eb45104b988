//! What the ledger is told, and what it orders. Data only.

use crate::Instant;
use assay_model::CancelReason;

/// One run. Given by the ledger, never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// One connection of a client. Whoever drives the ledger numbers them, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// One client's interest in one run. Given by `Accept`; void once it is told, released or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    pub run: RunId,
    pub seat: u32,
}

/// A place in the events of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub run: RunId,
    /// The number of the first event that has not been read.
    pub next: u64,
}

/// A request for the result of some work.
#[derive(Clone, Copy, Debug)]
pub struct Ask<K> {
    pub client: ClientId,
    /// Equal keys are the same work.
    pub key: K,
    /// When this client no longer wants the answer.
    pub deadline: Instant,
    pub follow: Follow,
    pub age: Age,
    /// What a client that comes back has already read.
    pub seen: Option<Cursor>,
}

/// What becomes of the work when its client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// The work is for who waits.
    Wait,
    /// The work goes on until its deadline; whoever is there hears the end.
    Detach,
}

/// Which run may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Any that is under way or remembered.
    Any,
    /// Only one that starts after the request: a refresh.
    Fresh,
}

/// What the ledger is told.
#[derive(Clone, Copy, Debug)]
pub enum Msg<K> {
    Submit(Ask<K>),
    /// The client has stopped listening. Detached work goes on.
    Leave {
        ticket: Ticket,
    },
    /// The client wants the work to end. It ends unless somebody else wants it.
    Cancel {
        ticket: Ticket,
    },
    /// The work shall go on without its client.
    Detach {
        ticket: Ticket,
    },
    /// The connection broke. What it waits for lives on for the grace of lost clients.
    Lost {
        client: ClientId,
    },
    /// The work shall end whoever waits: an operator's word.
    Stop {
        run: RunId,
        reason: CancelReason,
    },
    /// The run task has come to its end. A second one of the same run changes nothing.
    Ended {
        run: RunId,
        end: RunEnd,
    },
    /// Everything stops, and nothing more is taken.
    ShutDown,
    /// Time has passed: see [`next_due`](super::Ledger::next_due).
    Tick,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// There is a result.
    Done,
    /// It could not do its work.
    Failed,
    /// A bug of ours broke it.
    Panicked,
    /// It was stopped; what it found until then is in its log.
    Stopped,
}

/// What a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunPhase {
    /// A refresh that waits for the run before it. Not started.
    Queued,
    Running,
    /// Takes no newcomers; its end is to come.
    Stopping(CancelReason),
}

/// What has to be done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order<K> {
    /// The request is taken. Its events are read from `from` on: 0 is the beginning, so that a
    /// late joiner gets what happened so far.
    Accept {
        client: ClientId,
        ticket: Ticket,
        from: u64,
        joined: Joined,
    },
    Refuse {
        client: ClientId,
        why: Refusal,
    },
    Start {
        run: RunId,
        key: K,
        deadline: Instant,
    },
    /// The deadline of a running run is another now, later or earlier.
    Deadline {
        run: RunId,
        deadline: Instant,
    },
    /// Said once for each reason, the graver ones last. The run answers by `Ended`.
    Stop {
        run: RunId,
        reason: CancelReason,
    },
    /// A queued run will never start. No `Ended` is due.
    Withdraw {
        run: RunId,
        reason: CancelReason,
    },
    /// The run has ended: the answer to the ticket.
    Tell {
        client: ClientId,
        ticket: Ticket,
        end: RunEnd,
    },
    /// The ticket is answered although the run goes on, or does not come to its end.
    Release {
        client: ClientId,
        ticket: Ticket,
        why: Released,
    },
}

/// How a request came by its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It made one that starts now.
    Started,
    /// One was under way.
    Live,
    /// Its refresh starts when the run before it is over.
    Queued,
    /// One that has ended well answers it.
    Replayed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    ShuttingDown,
    /// It came too late to be answered.
    DeadlinePassed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// It cancelled, and others still want the work.
    Cancelled,
    /// Its own deadline passed.
    DeadlinePassed,
}

// === impl Ask ===

impl<K> Ask<K> {
    /// What the client has read of another run says nothing about this one.
    pub(super) fn unread_of(&self, run: RunId) -> u64 {
        self.seen.filter(|seen| seen.run == run).map_or(0, |seen| seen.next)
    }
}
