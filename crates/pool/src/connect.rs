//! The edge: how a connection is made, tried and closed. What is behind it is a protocol, or a fake.

use std::{error::Error, future::Future};

/// Makes connections. The pool has one, for all endpoints.
///
/// # Cancel safety
///
/// All three futures are dropped when their deadline passes or their caller leaves. Dropping one
/// must close what it holds: the permit of a connection is given to somebody else right after.
pub trait Connect: Send + Sync + 'static {
    /// Dropping it closes it.
    type Connection: Send + 'static;
    type Error: Error + Send + Sync + 'static;

    /// Opens a connection to the endpoint of this address. The pool sets the deadline.
    fn connect(
        &self,
        address: &str,
    ) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Returns whether the peer is still there, and nothing unread is on the way.
    fn is_alive(&self, connection: &mut Self::Connection) -> impl Future<Output = bool> + Send;

    /// Says goodbye and closes. Gets a second; then the connection is dropped.
    fn close(&self, connection: Self::Connection) -> impl Future<Output = ()> + Send;
}
