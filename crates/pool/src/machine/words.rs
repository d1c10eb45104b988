//! What the machine is told and what it says.

use std::time::Duration;

/// What analyses of one kind are sent to: one or more endpoints that can do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub(super) usize);

/// One replica of a service. Never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(pub(super) usize);

/// One connection, from the decision to open it until it is closed. Never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(super) u64);

/// Somebody who asked. The order of the numbers is the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(pub(super) u64);

/// What is to be done. Poll for it after every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The waiter holds this connection from now on, and ends it.
    Grant { waiter: WaiterId, connection: ConnectionId, endpoint: EndpointId, how: Grant },
    /// The waiter gets none.
    Refuse { waiter: WaiterId, refusal: Refusal },
    /// Close an idle connection, then say [`closed`](super::Machine::closed).
    Close { connection: ConnectionId },
}

/// How the holder comes to his connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// It is open.
    Reuse { idled: Idled },
    /// He opens it, after closing the one whose permit he got.
    Connect { evicted: Option<ConnectionId> },
}

/// Whether a connection may have died unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idled {
    Briefly,
    /// Try it first.
    Long,
}

/// Why somebody who asked gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The queue is full.
    Overloaded {
        waiting: usize,
        retry_after: Duration,
    },
    /// The breakers of all replicas are open; the first tries again after this time.
    CircuitOpen {
        retry_after: Duration,
    },
    /// The service has no replica, or all of them drain.
    NoEndpoint,
    ShuttingDown,
}

/// What becomes of the connection when its holder is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It has no half-read answer on it: the next one may have it.
    Keep,
    /// It is closed already.
    Close,
}

/// What became of a connection that was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is idle, or is to be closed by an [`Order::Close`]: hold it until told.
    Held,
    /// It is forgotten.
    Gone,
}
