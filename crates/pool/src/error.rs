//! Why there is no lease.

use crate::machine::Refusal;
use std::{error::Error, sync::Arc, time::Duration};
use thiserror::Error as ThisError;

/// Every way in which a wish for a lease can end without one. Nothing was sent to anybody.
#[derive(Debug, ThisError)]
pub enum LeaseError<E: Error + 'static> {
    #[error("{waiting} callers already wait for a connection; try again in {retry_after:?}")]
    Overloaded { waiting: usize, retry_after: Duration },
    #[error(
        "the breakers of all `{service}` replicas are open; the first is tried in {retry_after:?}"
    )]
    CircuitOpen { service: Arc<str>, retry_after: Duration },
    #[error("no `{service}` replica takes calls")]
    NoEndpoint { service: Arc<str> },
    #[error("the pool is shutting down")]
    ShuttingDown,
    #[error("no connection to `{service}` was free within {waited:?}")]
    Deadline { service: Arc<str>, waited: Duration },
    #[error("`{address}` did not accept within {after:?}")]
    ConnectTimeout { address: Arc<str>, after: Duration },
    #[error("cannot connect to `{address}`")]
    Connect { address: Arc<str>, source: E },
}

// === impl LeaseError ===

impl<E: Error + 'static> LeaseError<E> {
    pub(crate) fn of(refusal: Refusal, service: Arc<str>) -> Self {
        match refusal {
            Refusal::Overloaded { waiting, retry_after } => {
                Self::Overloaded { waiting, retry_after }
            }
            Refusal::CircuitOpen { retry_after } => Self::CircuitOpen { service, retry_after },
            Refusal::NoEndpoint => Self::NoEndpoint { service },
            Refusal::ShuttingDown => Self::ShuttingDown,
        }
    }

    /// Returns the code that a client is told.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Overloaded { .. } => "overloaded",
            Self::CircuitOpen { .. } => "circuit_open",
            Self::NoEndpoint { .. } | Self::Connect { .. } => "unavailable",
            Self::ShuttingDown => "draining",
            Self::Deadline { .. } | Self::ConnectTimeout { .. } => "timeout",
        }
    }

    /// Returns after which time it is worth to ask again, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after, .. } | Self::CircuitOpen { retry_after, .. } => {
                Some(*retry_after)
            }
            Self::NoEndpoint { .. }
            | Self::ShuttingDown
            | Self::Deadline { .. }
            | Self::ConnectTimeout { .. }
            | Self::Connect { .. } => None,
        }
    }
}
