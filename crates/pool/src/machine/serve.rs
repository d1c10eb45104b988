//! Who is next, and with what: the half of the machine that gives.

use super::{
    Connection, ConnectionId, EndpointId, Grant, Idled, Machine, Order, Refusal, ServiceId, State,
    WaiterId,
};
use crate::terms::LIFETIME_JITTER;
use assay_rules::{
    Instant,
    balance::{Answered, Gate, Pick},
    breaker::{Answer, Circuit, Mode, Permit, Transition},
};
use std::time::Duration;

/// What became of the first in a queue.
#[derive(PartialEq, Eq)]
enum Served {
    Answered,
    /// Nobody of this queue can be served now.
    Stuck,
}

// === impl Machine ===

impl Machine {
    /// Serves all who can be served, the oldest first.
    pub(super) fn dispatch(&mut self, now: Instant) {
        if self.waiting == 0 {
            return;
        }
        for service in &mut self.services {
            service.is_stuck = false;
        }
        while let Some(next) = self.longest_waiting() {
            if self.serve(next, now) == Served::Stuck {
                self.services[next.0].is_stuck = true;
            }
        }
    }

    /// Records what a call became of, for whoever may be called next.
    pub(super) fn answer(
        &mut self,
        connection: ConnectionId,
        permit: Permit,
        answer: Answer,
        now: Instant,
    ) {
        let id = self.connections[&connection].endpoint;
        let endpoint = &mut self.endpoints[id.0];
        let answered = match answer {
            Answer::Success => Answered::Served,
            Answer::Failure | Answer::Overload { .. } => Answered::Failed,
            Answer::Ignored | Answer::Abandoned => Answered::Unjudged,
        };
        self.services[endpoint.service.0].balancer.answered(endpoint.replica, answered, now);
        if endpoint.trial == Some(connection) {
            endpoint.trial = None;
        }
        let transition = endpoint.breaker.answer(permit, answer, now);
        self.breaker_moved(id, transition, now);
    }

    /// Tells of a transition, and the balancer whether the endpoint may be called.
    pub(super) fn breaker_moved(
        &mut self,
        id: EndpointId,
        transition: Option<Transition>,
        now: Instant,
    ) {
        if let Some(transition) = transition {
            self.tell(id, transition, now);
        }
        let gate = self.endpoints[id.0].gate_at(now);
        self.set_gate(id, gate, now);
    }

    /// Begins a connection to the endpoint, on a permit that is free.
    pub(super) fn open(
        &mut self,
        endpoint: EndpointId,
        permit: Permit,
        now: Instant,
    ) -> ConnectionId {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        self.counts.opened += 1;
        let lifetime = self.terms.max_lifetime;
        let jitter = (lifetime / LIFETIME_JITTER).mul_f64(self.dice.unit());
        let retire_at = now + lifetime.saturating_sub(jitter);
        let row = Connection { endpoint, retire_at, state: State::Connecting(permit) };
        self.connections.insert(id, row);
        id
    }

    /// When an idle connection is closed.
    pub(super) fn expiry(&self, id: ConnectionId) -> Instant {
        let row = &self.connections[&id];
        match row.state {
            State::Idle { since } => (since + self.terms.idle_timeout).min(row.retire_at),
            State::Connecting(_) | State::Busy(_) | State::Closing => Instant::MAX,
        }
    }

    /// Takes an idle connection, which its endpoint has let go of, out to be closed.
    pub(super) fn order_close(&mut self, id: ConnectionId) {
        self.unlist_idle(id);
        if let Some(row) = self.connections.get_mut(&id) {
            row.state = State::Closing;
            self.orders.push_back(Order::Close { connection: id });
        }
    }

    pub(super) fn forget_connection(&mut self, id: ConnectionId) {
        if self.connections.remove(&id).is_some() {
            self.counts.closed += 1;
        }
    }

    /// A permit or a slot came free.
    pub(super) fn drained(&mut self, now: Instant) {
        self.drain_rate.left(now);
        self.dispatch(now);
    }

    /// Takes somebody out of the queue.
    pub(super) fn forget(&mut self, service: ServiceId, waiter: WaiterId) {
        if self.services[service.0].waiting.remove(&waiter).is_some() {
            self.waiting -= 1;
        }
        if self.waiting == 0 {
            self.drain_rate.rest();
        }
    }

    pub(super) fn refuse(&mut self, waiter: WaiterId, refusal: Refusal) {
        self.counts.refused += 1;
        self.orders.push_back(Order::Refuse { waiter, refusal });
    }

    fn longest_waiting(&self) -> Option<ServiceId> {
        let queues = self.services.iter().enumerate().filter(|(_, service)| !service.is_stuck);
        let heads = queues.filter_map(|(nth, service)| {
            service.waiting.first_key_value().map(|(waiter, _)| (*waiter, nth))
        });
        heads.min().map(|(_, nth)| ServiceId(nth))
    }

    /// Serves the first of the queue, if a replica and a permit can be had.
    fn serve(&mut self, id: ServiceId, now: Instant) -> Served {
        loop {
            let service = &mut self.services[id.0];
            let Some((&waiter, &waiting)) = service.waiting.first_key_value() else {
                return Served::Stuck;
            };
            let refusal = match service.pick(now, &mut self.dice, waiting.avoid) {
                Pick::Full => return Served::Stuck,
                Pick::AllShut { earliest } => {
                    Refusal::CircuitOpen { retry_after: self.pause_until(earliest, now) }
                }
                Pick::NoReplica => Refusal::NoEndpoint,
                Pick::Replica(replica) => {
                    let endpoint = service.endpoints[&replica];
                    if !self.has_permit() {
                        return Served::Stuck;
                    }
                    let Some(permit) = self.admit(endpoint, now) else { continue };
                    self.services[id.0].balancer.began(replica);
                    self.forget(id, waiter);
                    self.waits.record(now - waiting.since);
                    self.grant(waiter, endpoint, permit, now);
                    return Served::Answered;
                }
            };
            self.forget(id, waiter);
            self.refuse(waiter, refusal);
            return Served::Answered;
        }
    }

    /// How long to wait for a gate. Nobody knows when an operator opens his, so that is worth
    /// another look after the first open time.
    fn pause_until(&self, earliest: Instant, now: Instant) -> Duration {
        if earliest == Instant::MAX {
            return self.terms.breaker.open_for;
        }
        earliest.saturating_duration_since(now)
    }

    /// Whether a connection may be opened, if need be in place of an idle one.
    fn has_permit(&self) -> bool {
        self.connections.len() < self.terms.max_connections.get() as usize || !self.idle.is_empty()
    }

    /// Asks the breaker. When it refuses the balancer is told, so that the next pick is another.
    fn admit(&mut self, id: EndpointId, now: Instant) -> Option<Permit> {
        match self.endpoints[id.0].breaker.admit(now) {
            Ok(admission) => {
                self.breaker_moved(id, admission.transition, now);
                Some(admission.permit)
            }
            Err(refusal) => {
                // At least a moment, or the gate would be open again for the next pick.
                let pause = refusal.retry_after.max(Duration::from_nanos(1));
                self.set_gate(id, Gate::Shut { until: now + pause }, now);
                None
            }
        }
    }

    fn grant(&mut self, waiter: WaiterId, endpoint: EndpointId, permit: Permit, now: Instant) {
        self.counts.granted += 1;
        let found = self.endpoints[endpoint.0].idle.pop();
        let live = found.filter(|id| now < self.expiry(*id));
        let (connection, how) = if let Some(id) = live {
            (id, self.reuse(id, permit, now))
        } else {
            let evicted = found.or_else(|| self.oldest_idle());
            if let Some(old) = evicted {
                self.unlist_idle(old);
                self.forget_connection(old);
            }
            (self.open(endpoint, permit, now), Grant::Connect { evicted })
        };
        self.hold_trial(endpoint, connection, now);
        self.orders.push_back(Order::Grant { waiter, connection, endpoint, how });
    }

    fn reuse(&mut self, id: ConnectionId, permit: Permit, now: Instant) -> Grant {
        self.unlist_idle(id);
        self.counts.reused += 1;
        let row = self.connections.get_mut(&id).expect("`idle` of an endpoint holds only rows");
        let State::Idle { since } = row.state else { unreachable!("`idle` holds only idle ones") };
        row.lease(permit);
        let is_long = now - since > self.terms.probe_after;
        Grant::Reuse { idled: if is_long { Idled::Long } else { Idled::Briefly } }
    }

    /// The connection to give up for another endpoint's, when all permits are out.
    fn oldest_idle(&mut self) -> Option<ConnectionId> {
        if self.connections.len() < self.terms.max_connections.get() as usize {
            return None;
        }
        let (_, id) = *self.idle.first()?;
        let place = self.connections[&id].endpoint;
        self.endpoints[place.0].idle.retain(|idle| *idle != id);
        self.counts.evicted += 1;
        Some(id)
    }

    /// While a trial is out its endpoint takes no other call.
    fn hold_trial(&mut self, id: EndpointId, connection: ConnectionId, now: Instant) {
        let endpoint = &mut self.endpoints[id.0];
        let reading = endpoint.breaker.reading(now);
        if reading.circuit != Circuit::HalfOpen || !refuses(reading.mode) {
            return;
        }
        endpoint.trial = Some(connection);
        let breaker = self.terms.breaker;
        let pause = breaker.trial_lease.min(breaker.open_for).max(Duration::from_nanos(1));
        self.set_gate(id, Gate::Shut { until: now + pause }, now);
    }

    fn set_gate(&mut self, id: EndpointId, gate: Gate, now: Instant) {
        let endpoint = &mut self.endpoints[id.0];
        if endpoint.gate == gate {
            return;
        }
        endpoint.gate = gate;
        self.services[endpoint.service.0].balancer.set_gate(endpoint.replica, gate, now);
        if let Gate::Shut { until } = gate {
            self.wake_by(until);
        }
    }

    fn unlist_idle(&mut self, id: ConnectionId) {
        if let Some(Connection { state: State::Idle { since }, .. }) = self.connections.get(&id) {
            self.idle.remove(&(*since, id));
        }
    }
}

/// Whether a breaker of this mode ever says no by its record.
fn refuses(mode: Mode) -> bool {
    match mode {
        Mode::Normal | Mode::ForcedOpen => true,
        Mode::Off | Mode::WatchOnly => false,
    }
}
