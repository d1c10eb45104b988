//! One replica: its breaker, what the balancer was told of it, and its idle connections.

use super::{ConnectionId, ServiceId};
use assay_rules::{
    Instant,
    balance::{Gate, ReplicaId},
    breaker::{Breaker, Circuit, Mode},
};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) service: ServiceId,
    pub(super) replica: ReplicaId,
    pub(super) address: Arc<str>,
    pub(super) breaker: Breaker,
    /// What the balancer was told last. It opens a gate by itself when its time has come.
    pub(super) gate: Gate,
    /// Who is on trial while the circuit is half-open.
    pub(super) trial: Option<ConnectionId>,
    /// The one that was used last is at the end, and is used first: those that are not needed
    /// stay at the front and grow old.
    pub(super) idle: Vec<ConnectionId>,
    pub(super) is_draining: bool,
}

// === impl Endpoint ===

impl Endpoint {
    pub(super) fn new(
        service: ServiceId,
        replica: ReplicaId,
        address: Arc<str>,
        breaker: Breaker,
    ) -> Self {
        Self {
            service,
            replica,
            address,
            breaker,
            gate: Gate::Admits,
            trial: None,
            idle: Vec::new(),
            is_draining: false,
        }
    }

    /// Returns what the balancer is to know.
    pub(super) fn gate_at(&self, now: Instant) -> Gate {
        let reading = self.breaker.reading(now);
        match (reading.mode, reading.circuit) {
            // They refuse nothing, whatever the circuit would say.
            (Mode::Off | Mode::WatchOnly, _) | (_, Circuit::Closed) => Gate::Admits,
            (_, Circuit::Open { until }) => Gate::Shut { until },
            // One trial at a time: what its refusal said holds until it ends.
            (_, Circuit::HalfOpen) if self.trial.is_some() => self.gate,
            (_, Circuit::HalfOpen) => Gate::Admits,
        }
    }
}
