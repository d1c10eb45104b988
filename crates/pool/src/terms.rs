//! What a pool is set up with, and why the defaults are what they are.

use assay_rules::{
    balance::{BalanceTerms, Zone},
    breaker,
};
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// Connections to all services together, whatever they are doing. The seed's number.
pub const MAX_CONNECTIONS: NonZeroU32 = NonZeroU32::new(50).expect("50 is not 0");

/// Callers that may wait. Twenty for each connection; whoever came later would hardly be served
/// within a deadline, so he is told at once to come back.
pub const QUEUE_MAX: usize = 1_000;

/// How long a connection may lie idle before it is closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_mins(5);

/// What has idled for longer is tried before it is handed out. A service that restarts takes
/// longer than this.
pub const PROBE_AFTER: Duration = Duration::from_millis(500);

/// A connection ends at the latest then, so that traffic follows names that moved.
pub const MAX_LIFETIME: Duration = Duration::from_hours(1);

/// How long an endpoint may take to accept.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Lifetimes are shortened by up to a part in so many, so that connections that were opened together
/// do not end together.
pub(crate) const LIFETIME_JITTER: u32 = 10;

/// How a pool works. [`PoolTerms::default`] is what the documents promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolTerms {
    pub max_connections: NonZeroU32,
    /// Callers that may wait; beyond it the answer is `overloaded` at once.
    pub queue_max: usize,
    pub idle_timeout: Duration,
    /// What has idled for longer is tried before it is handed out.
    pub probe_after: Duration,
    /// Shortened for each connection by up to a tenth.
    pub max_lifetime: Duration,
    pub connect_timeout: Duration,
    pub balance: BalanceTerms,
    /// Of every endpoint's own breaker.
    pub breaker: breaker::Settings,
}

/// One replica of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointTerms {
    /// What the connector is given.
    pub address: Arc<str>,
    pub zone: Zone,
    /// Leases at once. At least 1.
    pub slots: u32,
    /// How much a slot does, compared with those of other replicas. At least 1.
    pub weight: u32,
}

// === impl PoolTerms ===

impl Default for PoolTerms {
    fn default() -> Self {
        Self {
            max_connections: MAX_CONNECTIONS,
            queue_max: QUEUE_MAX,
            idle_timeout: IDLE_TIMEOUT,
            probe_after: PROBE_AFTER,
            max_lifetime: MAX_LIFETIME,
            connect_timeout: CONNECT_TIMEOUT,
            balance: BalanceTerms::default(),
            breaker: breaker::Settings::default(),
        }
    }
}

// === impl EndpointTerms ===

impl EndpointTerms {
    /// Returns an endpoint of our own zone and of usual weight.
    pub fn local(address: &str, slots: u32) -> Self {
        Self { address: address.into(), zone: Zone(0), slots, weight: 1 }
    }
}
