//! What those who wait for a run may count on. Data only.

use std::time::Duration;

/// Told after its deadline at the earliest: the due instant tells a last call from a deadline.
pub(super) const STOP_GRACE_MIN: Duration = Duration::from_nanos(1);

/// What those who wait may count on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerTerms {
    /// How long a lost client's interest lives on: time to come back over a new connection.
    pub lost_grace: Duration,
    /// How long after their deadline the last who wait still hear what a stopped run has found.
    /// Then they are released without it: a run that does not stop must not hang them.
    pub stop_grace: Duration,
    /// How long a run that ended well answers equal requests.
    pub remember_for: Duration,
    /// How many of these are remembered; beyond it the oldest is forgotten.
    pub remember_max: usize,
}

// === impl LedgerTerms ===

/// 30 s for lost clients, 2 s for stopping, and nothing is remembered.
impl Default for LedgerTerms {
    fn default() -> Self {
        Self {
            lost_grace: Duration::from_secs(30),
            stop_grace: Duration::from_secs(2),
            remember_for: Duration::ZERO,
            remember_max: 0,
        }
    }
}
