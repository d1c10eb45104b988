//! Why there is no lease.

use crate::machine::Refusal;
use std::{error::Error, sync::Arc, time::Duration};
use thiserror::Error as ThisError;

/// Every way in which a wish for a lease can end without one. Nothing was sent to anybody.
#[derive(Debug, ThisError)]
pub enum LeaseError<E: Error + 'static> {
    #[error("{waiting} callers already wait for a connection; try again in {}", in_words(*.retry_after))]
    Overloaded { waiting: usize, retry_after: Duration },
    #[error(
        "the breakers of all `{service}` replicas are open; the first is tried in {}",
        in_words(*.retry_after)
    )]
    CircuitOpen { service: Arc<str>, retry_after: Duration },
    #[error("no `{service}` replica takes calls")]
    NoEndpoint { service: Arc<str> },
    #[error("the pool is shutting down")]
    ShuttingDown,
    #[error("no connection to `{service}` was free within {}", in_words(*.waited))]
    Deadline { service: Arc<str>, waited: Duration },
    #[error("`{address}` did not accept within {}", in_words(*.after))]
    ConnectTimeout { address: Arc<str>, after: Duration },
    #[error("cannot connect to `{address}`")]
    Connect { address: Arc<str>, source: E },
}

/// Says a time as people do: whole milliseconds below a second, else tenths of one, rounded up, so
/// that nobody comes too early.
fn in_words(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return format!("{} ms", time.as_nanos().div_ceil(1_000_000));
    }
    let tenths = time.as_millis().div_ceil(100);
    match tenths % 10 {
        0 => format!("{} s", tenths / 10),
        tenth => format!("{}.{tenth} s", tenths / 10),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_words_and_never_too_short() {
        let check = |nanos: u64, expected: &str| {
            assert_eq!(in_words(Duration::from_nanos(nanos)), expected);
        };
        check(0, "0 ms");
        check(898_539_863, "899 ms");
        check(999_999_999, "1000 ms");
        check(1_000_000_000, "1 s");
        check(1_449_000_000, "1.5 s");
        check(59_910_000_000, "60 s");
    }
}
