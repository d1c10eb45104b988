//! What is asked at the door, and what it answers. Data only.

use super::lane::Place;
use crate::ledger::ClientId;
use std::time::Duration;

/// What fits through the door and before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// How much work runs at once. At least 1.
    pub permits: u32,
    /// How much work may wait. Beyond it the answer is `overloaded`, at once.
    pub queue_max: usize,
    /// How much of one client's work may wait, so that nobody fills the queue for all.
    pub client_max: usize,
    /// Bytes of all requests inside, waiting or running.
    pub bytes_max: u64,
    /// How many of health and cancel run at once, beside all work.
    pub reserve: u32,
    /// How many of them may wait.
    pub reserve_queue_max: usize,
    /// What a client may spend in one turn, in the unit of [`Wish::cost`]. At least 1. The smaller,
    /// the finer clients alternate.
    pub quantum: u32,
}

/// What somebody wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    pub client: ClientId,
    /// What the request occupies until its end.
    pub bytes: u64,
    /// How much work it is, in a unit of the driver's choice, 1 to [`COST_MAX`](Self::COST_MAX).
    /// Clients take turns by it.
    pub cost: u32,
    pub(super) class: Class,
}

/// Which permits it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Work(Priority),
    Vital,
}

/// How urgent work is. The order is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// 1, the default.
    #[default]
    Low,
    /// 2.
    Middle,
    /// 3, the most urgent.
    High,
}

/// The right to run. It is given back by [`finished`](super::Admission::finished), once: it is
/// neither copied nor cloned.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is not given back is lost"]
pub struct Permit {
    pub(super) bytes: u64,
    pub(super) is_vital: bool,
}

/// Somebody who waits. Never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(pub(super) u64);

/// The answer at the door.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Admitted(Permit),
    Queued(WaiterId),
    Refused(Shut),
}

/// Why somebody may not even wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shut {
    /// The queue is full, of all or of this client. After `retry_after` it will be empty, if
    /// work goes on as measured.
    Overloaded { retry_after: Duration },
    /// Nothing new is taken.
    Draining,
    /// It would not fit if all else were gone.
    TooLarge { bytes: u64, bytes_max: u64 },
}

/// What becomes of who waits when nothing new is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draining {
    /// It is served.
    Finish,
    /// It is handed back, to be served elsewhere.
    HandBack,
}

/// Somebody who waits, as the door remembers it.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) wish: Wish,
    /// Where in the lanes; `None` for health and cancel.
    pub(super) place: Option<Place>,
}

// === impl Wish ===

impl Wish {
    /// A dearer one counts as this: turns stay short.
    pub const COST_MAX: u32 = 16;

    /// Wishes to work, as one unit.
    pub fn work(client: ClientId, priority: Priority, bytes: u64) -> Self {
        Self { client, bytes, cost: 1, class: Class::Work(priority) }
    }

    /// Wishes to be heard whatever the load: a health check, a cancel.
    pub fn vital(client: ClientId) -> Self {
        Self { client, bytes: 0, cost: 1, class: Class::Vital }
    }

    pub fn costing(self, cost: u32) -> Self {
        Self { cost: cost.clamp(1, Self::COST_MAX), ..self }
    }
}

// === impl Priority ===

impl Priority {
    /// Reads the number of a request: 1 to 3.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Low),
            2 => Some(Self::Middle),
            3 => Some(Self::High),
            _ => None,
        }
    }
}
