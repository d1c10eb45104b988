//! One row of the table of connections.
//!
//! Keeps: a breaker's permit is in the state of whoever owes the answer, and leaves it once.

use super::EndpointId;
use assay_rules::{Instant, breaker::Permit};

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) endpoint: EndpointId,
    /// When it is too old to be used again.
    pub(super) retire_at: Instant,
    pub(super) state: State,
}

/// Each of them takes one place under the cap.
#[derive(Debug)]
pub(super) enum State {
    /// It is being opened for its holder, who may have to close another one first.
    Connecting(Permit),
    /// Somebody holds it.
    Busy(Permit),
    Idle {
        since: Instant,
    },
    /// It is being closed, for nobody.
    Closing,
}

// === impl Connection ===

impl Connection {
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Busy(_) | State::Idle { .. })
    }

    /// It stands: from now on it can be used again.
    pub(super) fn connected(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Closing);
        self.state = match state {
            State::Connecting(permit) => State::Busy(permit),
            other @ (State::Busy(_) | State::Idle { .. } | State::Closing) => other,
        };
    }

    /// Hands it out.
    pub(super) fn lease(&mut self, permit: Permit) {
        self.state = State::Busy(permit);
    }

    /// Takes it back. `None` when nobody holds it.
    pub(super) fn end(&mut self, now: Instant) -> Option<Permit> {
        match std::mem::replace(&mut self.state, State::Idle { since: now }) {
            State::Connecting(permit) | State::Busy(permit) => Some(permit),
            other @ (State::Idle { .. } | State::Closing) => {
                self.state = other;
                None
            }
        }
    }
}
