//! A connection that is held by somebody.

use crate::{handoff::Held, machine::EndpointId};
use assay_rules::breaker::Answer;
use std::{
    fmt,
    ops::{Deref, DerefMut},
};

/// The sole use of one connection, for one call.
///
/// Only the pool makes one. It ends once: through [`finish`](Self::finish), through
/// [`close`](Self::close), or by being dropped, which closes the connection (that is how a call is
/// cancelled) and tells the breaker that the call was abandoned.
pub struct Lease<C> {
    // Dropped before `held`: the socket is closed before its permit is given back.
    connection: Option<C>,
    endpoint: EndpointId,
    held: Held<C>,
}

// === impl Lease ===

impl<C> Lease<C> {
    pub(crate) fn new(connection: C, endpoint: EndpointId, held: Held<C>) -> Self {
        Self { connection: Some(connection), endpoint, held }
    }

    /// Returns whose connection it is: what to avoid when the call is made again.
    pub fn endpoint(&self) -> EndpointId {
        self.endpoint
    }

    /// Ends the call. Nothing unread is left on the connection, so the next caller may have it.
    /// `answer` judges the whole call.
    pub fn finish(mut self, answer: Answer) {
        let connection = self.connection.take();
        self.held.end(answer, connection);
    }

    /// Ends the call and closes the connection, because it failed or something unread is left.
    pub fn close(mut self, answer: Answer) {
        drop(self.connection.take());
        self.held.end(answer, None);
    }

    /// Closes a connection that was found dead, and keeps its place for another one.
    pub(crate) fn into_place(mut self) -> Held<C> {
        drop(self.connection.take());
        self.held.reconnect();
        self.held
    }
}

impl<C> Deref for Lease<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.connection.as_ref().expect(LEASED)
    }
}

impl<C> DerefMut for Lease<C> {
    fn deref_mut(&mut self) -> &mut C {
        self.connection.as_mut().expect(LEASED)
    }
}

/// Why a lease has a connection.
const LEASED: &str = "only the methods that consume the lease take it";

impl<C> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
