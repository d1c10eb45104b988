//! What is told: everything that can be counted, of one moment.
//!
//! Keeps: a [`Stats`] is made under one lock from one table, so that its parts agree:
//! `opened` − `closed` = `connecting` + `idle` + `active` + `closing` ≤ `cap`, and
//! `asked` = `granted` + `refused` + `gave_up` + `waiting`.

use crate::machine::EndpointId;
use assay_rules::{
    Instant,
    breaker::{Circuit, Reading, Transition},
};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// A snapshot of the pool.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// Connections that there may be.
    pub cap: usize,
    pub connecting: usize,
    pub idle: usize,
    /// Held by somebody.
    pub active: usize,
    /// Being closed. They still count.
    pub closing: usize,
    pub waiting: usize,
    /// Attempts to connect, since the start.
    pub opened: u64,
    /// Connections and attempts that ended.
    pub closed: u64,
    pub reused: u64,
    /// Idle ones that were closed for another endpoint's.
    pub evicted: u64,
    pub asked: u64,
    pub granted: u64,
    pub refused: u64,
    /// Those who stopped waiting.
    pub gave_up: u64,
    /// Requests that were answered by the work of others, as the ledger says.
    pub deduplicated: u64,
    pub breakers: Vec<BreakerStats>,
    pub waits: WaitStats,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerStats {
    pub service: Arc<str>,
    pub address: Arc<str>,
    pub reading: Reading,
    pub is_draining: bool,
    /// It drains, and no connection to it is left.
    pub is_gone: bool,
}

/// How long those waited who got a lease, in microseconds; values are exact to two digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct WaitStats {
    pub count: u64,
    pub mean_us: f64,
    pub p50_us: u64,
    pub p90_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

/// One change of a breaker, numbered for those who read them later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub number: u64,
    pub endpoint: EndpointId,
    pub address: Arc<str>,
    /// On the pool's own clock.
    pub at: Instant,
    pub transition: Transition,
}

/// The same under the names that the system before us used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeedStats {
    pub max_concurrent_connections: usize,
    pub active_connections: usize,
    pub pooled_connections: usize,
    /// Calls that hold a connection, or are opening one.
    pub active_tasks: usize,
    /// As there, what was saved by sharing work.
    pub pending_requests: u64,
    pub circuit_breakers: SeedBreakers,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeedBreakers {
    pub total: usize,
    pub open_or_half_open: usize,
}

/// The histogram of waits.
#[derive(Clone, Debug)]
pub(crate) struct Waits {
    micros: Histogram<u64>,
}

// === impl Stats ===

impl Stats {
    /// Returns how many places under the cap are taken.
    pub fn open(&self) -> usize {
        self.connecting + self.idle + self.active + self.closing
    }

    /// Returns the same under the names of the system before us.
    pub fn seed(&self) -> SeedStats {
        let is_open = |breaker: &&BreakerStats| breaker.reading.circuit != Circuit::Closed;
        SeedStats {
            max_concurrent_connections: self.cap,
            active_connections: self.active,
            pooled_connections: self.idle,
            active_tasks: self.active + self.connecting,
            pending_requests: self.deduplicated,
            circuit_breakers: SeedBreakers {
                total: self.breakers.len(),
                open_or_half_open: self.breakers.iter().filter(is_open).count(),
            },
        }
    }
}

// === impl Waits ===

/// Waits up to this are told apart; what is longer counts as this.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

impl Default for Waits {
    fn default() -> Self {
        let max = u64::try_from(LONGEST_WAIT.as_micros()).expect("an hour has few microseconds");
        Self { micros: Histogram::new_with_max(max, 2).expect("1 < max, and 2 digits are allowed") }
    }
}

impl Waits {
    pub(crate) fn record(&mut self, wait: Duration) {
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        self.micros.saturating_record(micros);
    }

    pub(crate) fn summary(&self) -> WaitStats {
        if self.micros.is_empty() {
            return WaitStats::default();
        }
        let at = |percent: f64| self.micros.value_at_percentile(percent);
        WaitStats {
            count: self.micros.len(),
            mean_us: self.micros.mean(),
            p50_us: at(50.0),
            p90_us: at(90.0),
            p99_us: at(99.0),
            max_us: self.micros.max(),
        }
    }
}
