//! Who is served, by which connection. Pure: messages and `now` in, orders out.
//!
//! Owns the table of connections, the queue of each service, and the breaker and the balancer over
//! the endpoints. It never sees a connection: whoever drives it holds them by their numbers.
//!
//! Keeps:
//! - connections in the table (connecting, idle, busy, closing) are never more than the cap, and
//!   `opened` − `closed` is their number;
//! - within a service first come, first served; between services too, among those that can be
//!   served: a service whose replicas are full does not hold up the others;
//! - while a replica has a slot and a permit is free, or an idle connection could give up its own,
//!   nobody waits; while all replicas' breakers are open, nobody waits either;
//! - every permit of a breaker is answered once: it lies in the state that [`Machine::end`] takes.
//!
//! Does not: watch deadlines of those who wait (the driver gives up for them), or try again.

mod connection; // one row of the table
mod endpoint; // one replica: breaker, gate, idle connections
mod serve; // who is next, and with what
mod service; // one queue and its balancer
mod words; // what is asked and answered

pub use words::*;

use crate::{
    stats::{BreakerStats, Stats, Told, Waits},
    terms::{EndpointTerms, PoolTerms},
};
use assay_rules::{
    ById, Dice, Instant,
    admission::DrainRate,
    balance::{Gate, ReplicaTerms},
    breaker::{Answer, Mode, Transition},
};
use connection::{Connection, State};
use endpoint::Endpoint;
use service::{Service, Waiting};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

/// Transitions of breakers that are kept for those who read them. A reader that is further behind
/// is told how many it missed.
const TRANSITIONS_KEPT: usize = 256;

/// The pool, without its connections. One lock owns it.
#[derive(Debug)]
pub struct Machine {
    terms: PoolTerms,
    dice: Dice,
    services: Vec<Service>,
    endpoints: Vec<Endpoint>,
    /// All permits that are out: as many as there are rows.
    connections: ById<ConnectionId, Connection>,
    /// Oldest first.
    idle: BTreeSet<(Instant, ConnectionId)>,
    orders: VecDeque<Order>,
    waiting: usize,
    drain_rate: DrainRate,
    counts: Counts,
    waits: Waits,
    transitions: VecDeque<Told>,
    wake_at: Instant,
    next_connection: u64,
    next_waiter: u64,
    is_shut_down: bool,
}

/// What has happened since the start.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    opened: u64,
    closed: u64,
    reused: u64,
    evicted: u64,
    asked: u64,
    granted: u64,
    refused: u64,
    gave_up: u64,
    deduplicated: u64,
    transitions: u64,
}

// === impl Machine ===

impl Machine {
    /// `dice` decide the choice of replicas, and all jitter.
    pub fn new(terms: PoolTerms, dice: Dice) -> Self {
        Self {
            terms,
            dice,
            services: Vec::new(),
            endpoints: Vec::new(),
            connections: ById::default(),
            idle: BTreeSet::new(),
            orders: VecDeque::new(),
            waiting: 0,
            drain_rate: DrainRate::default(),
            counts: Counts::default(),
            waits: Waits::default(),
            transitions: VecDeque::new(),
            wake_at: Instant::MAX,
            next_connection: 0,
            next_waiter: 0,
            is_shut_down: false,
        }
    }

    /// Returns the service of this name, which is made when there is none.
    pub fn service(&mut self, name: &str) -> ServiceId {
        let known = self.services.iter().position(|service| &*service.name == name);
        ServiceId(known.unwrap_or_else(|| {
            self.services.push(Service::new(name, self.terms.balance));
            self.services.len() - 1
        }))
    }

    /// Takes in a replica of the service.
    pub fn add(&mut self, service: ServiceId, terms: EndpointTerms, now: Instant) -> EndpointId {
        let id = EndpointId(self.endpoints.len());
        let EndpointTerms { zone, slots, weight, .. } = terms;
        let seat = &mut self.services[service.0];
        let replica = seat.balancer.add(ReplicaTerms { zone, slots, weight }, now);
        seat.endpoints.insert(replica, id);
        let dice = Dice::seeded(self.dice.next_u64());
        let breaker = assay_rules::breaker::Breaker::new(self.terms.breaker, dice);
        self.endpoints.push(Endpoint::new(service, replica, terms.address, breaker));
        self.dispatch(now);
        id
    }

    /// Gives a replica no new leases, and closes what idles there. Those who hold one go on.
    pub fn drain(&mut self, id: EndpointId, now: Instant) {
        let endpoint = &mut self.endpoints[id.0];
        endpoint.is_draining = true;
        self.services[endpoint.service.0].balancer.drain(endpoint.replica);
        for connection in std::mem::take(&mut endpoint.idle) {
            self.order_close(connection);
        }
        self.dispatch(now);
    }

    /// Gives a drained replica leases again. Its breaker remembers what was.
    pub fn resume(&mut self, id: EndpointId, now: Instant) {
        let endpoint = &mut self.endpoints[id.0];
        if std::mem::take(&mut endpoint.is_draining) {
            self.services[endpoint.service.0].balancer.resume(endpoint.replica, now);
            self.dispatch(now);
        }
    }

    /// Sets what an operator wants of a replica's breaker.
    pub fn set_mode(&mut self, id: EndpointId, mode: Mode, now: Instant) {
        let endpoint = &mut self.endpoints[id.0];
        endpoint.trial = None;
        let transition = endpoint.breaker.set_mode(mode, now);
        self.breaker_moved(id, transition, now);
        self.dispatch(now);
    }

    /// Asks for a lease. The answer is an order: now, or later.
    pub fn ask(&mut self, service: ServiceId, avoid: Option<EndpointId>, now: Instant) -> WaiterId {
        let waiter = WaiterId(self.next_waiter);
        self.next_waiter += 1;
        self.counts.asked += 1;
        if self.is_shut_down {
            self.refuse(waiter, Refusal::ShuttingDown);
            return waiter;
        }
        let avoid = avoid.map(|endpoint| self.endpoints[endpoint.0].replica);
        let queue = &mut self.services[service.0].waiting;
        queue.insert(waiter, Waiting { since: now, avoid });
        self.waiting += 1;
        if self.waiting == 1 {
            self.drain_rate.wake(now);
        }
        self.dispatch(now);
        if self.waiting > self.terms.queue_max {
            self.forget(service, waiter);
            let retry_after = self.drain_rate.time_for(self.waiting + 1, now);
            self.refuse(waiter, Refusal::Overloaded { waiting: self.waiting, retry_after });
        }
        waiter
    }

    /// Lets somebody who waits go. Returns whether he was still waiting: else an order for him is
    /// out, and a grant in it has to be ended.
    pub fn give_up(&mut self, waiter: WaiterId) -> bool {
        let waits = |service: &Service| service.waiting.contains_key(&waiter);
        let Some(nth) = self.services.iter().position(waits) else { return false };
        self.forget(ServiceId(nth), waiter);
        self.counts.gave_up += 1;
        true
    }

    /// A connection that was granted to be opened stands.
    pub fn connected(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.connected();
        }
    }

    /// A granted connection was found dead and is closed; its holder keeps the permit, and opens
    /// another one in its place.
    pub fn reconnect(&mut self, id: ConnectionId, now: Instant) -> Option<ConnectionId> {
        let row = self.connections.get_mut(&id)?;
        let (place, permit) = (row.endpoint, row.end(now)?);
        self.forget_connection(id);
        let fresh = self.open(place, permit, now);
        let trial = &mut self.endpoints[place.0].trial;
        if *trial == Some(id) {
            *trial = Some(fresh);
        }
        Some(fresh)
    }

    /// The holder of a connection is done with it. `answer` goes to the breaker of its endpoint.
    pub fn end(&mut self, id: ConnectionId, answer: Answer, after: After, now: Instant) -> Fate {
        let Some(row) = self.connections.get_mut(&id) else { return Fate::Gone };
        let (was_open, retire_at, place) = (row.is_open(), row.retire_at, row.endpoint);
        let Some(permit) = row.end(now) else { return Fate::Held };
        self.answer(id, permit, answer, now);
        let endpoint = &mut self.endpoints[place.0];
        let wanted = !self.is_shut_down && !endpoint.is_draining && now < retire_at;
        let fate = match after {
            After::Keep if was_open && wanted => {
                endpoint.idle.push(id);
                self.idle.insert((now, id));
                self.wake_by((now + self.terms.idle_timeout).min(retire_at));
                Fate::Held
            }
            After::Keep if was_open => {
                self.order_close(id);
                Fate::Held
            }
            After::Keep | After::Close => {
                self.forget_connection(id);
                Fate::Gone
            }
        };
        self.drained(now);
        fate
    }

    /// What an [`Order::Close`] named is closed.
    pub fn closed(&mut self, id: ConnectionId, now: Instant) {
        self.forget_connection(id);
        self.drained(now);
    }

    /// Does what the time asks for. To be called at [`Machine::wake_at`].
    pub fn sweep(&mut self, now: Instant) {
        let expired: Vec<ConnectionId> = self.idle.iter().map(|(_, id)| *id).collect();
        self.wake_at = Instant::MAX;
        for id in expired {
            let expiry = self.expiry(id);
            if expiry > now {
                self.wake_by(expiry);
                continue;
            }
            let place = self.connections[&id].endpoint;
            self.endpoints[place.0].idle.retain(|idle| *idle != id);
            self.order_close(id);
        }
        self.dispatch(now);
        for nth in 0..self.endpoints.len() {
            if let Gate::Shut { until } = self.endpoints[nth].gate
                && now < until
            {
                self.wake_by(until);
            }
        }
    }

    /// Takes no more askers, refuses those who wait, and closes what idles. Those who hold a
    /// lease go on.
    pub fn shut_down(&mut self) {
        self.is_shut_down = true;
        for nth in 0..self.services.len() {
            while let Some((waiter, _)) = self.services[nth].waiting.pop_first() {
                self.waiting -= 1;
                self.refuse(waiter, Refusal::ShuttingDown);
            }
        }
        self.drain_rate.rest();
        for nth in 0..self.endpoints.len() {
            for connection in std::mem::take(&mut self.endpoints[nth].idle) {
                self.order_close(connection);
            }
        }
    }

    /// Counts requests that were answered by the work of others: the ledger says so.
    pub fn deduplicated(&mut self, requests: u64) {
        self.counts.deduplicated += requests;
    }

    /// Returns what is to be done next.
    pub fn next_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When [`Machine::sweep`] is due. Never too late; it may be too early, which costs a sweep.
    pub fn wake_at(&self) -> Instant {
        self.wake_at
    }

    /// Returns how many permits are out.
    pub fn open_connections(&self) -> usize {
        self.connections.len()
    }

    /// Returns where the connector finds the endpoint.
    pub fn address(&self, endpoint: EndpointId) -> Arc<str> {
        Arc::clone(&self.endpoints[endpoint.0].address)
    }

    /// Returns the name of the service.
    pub fn name(&self, service: ServiceId) -> Arc<str> {
        Arc::clone(&self.services[service.0].name)
    }

    /// Returns the transitions of breakers from the given number on, oldest first, as far as they
    /// are kept. The number after the last one is where to read on.
    pub fn transitions(&self, from: u64) -> impl Iterator<Item = &Told> {
        self.transitions.iter().filter(move |told| told.number >= from)
    }

    /// Returns everything that can be counted, of one moment.
    pub fn stats(&self, now: Instant) -> Stats {
        let states = |wanted: fn(&State) -> bool| {
            self.connections.values().filter(|connection| wanted(&connection.state)).count()
        };
        let counts = self.counts;
        let is_connected = |at: usize| {
            self.connections.values().any(|connection| connection.endpoint == EndpointId(at))
        };
        let breaker = |(at, endpoint): (usize, &Endpoint)| BreakerStats {
            address: Arc::clone(&endpoint.address),
            service: Arc::clone(&self.services[endpoint.service.0].name),
            reading: endpoint.breaker.reading(now),
            is_draining: endpoint.is_draining,
            is_gone: endpoint.is_draining && !is_connected(at),
        };
        Stats {
            cap: self.terms.max_connections.get() as usize,
            connecting: states(|state| matches!(state, State::Connecting(_))),
            idle: states(|state| matches!(state, State::Idle { .. })),
            active: states(|state| matches!(state, State::Busy(_))),
            closing: states(|state| matches!(state, State::Closing)),
            waiting: self.waiting,
            opened: counts.opened,
            closed: counts.closed,
            reused: counts.reused,
            evicted: counts.evicted,
            asked: counts.asked,
            granted: counts.granted,
            refused: counts.refused,
            gave_up: counts.gave_up,
            deduplicated: counts.deduplicated,
            breakers: self.endpoints.iter().enumerate().map(breaker).collect(),
            waits: self.waits.summary(),
        }
    }

    fn wake_by(&mut self, at: Instant) {
        self.wake_at = self.wake_at.min(at);
    }

    fn tell(&mut self, endpoint: EndpointId, transition: Transition, at: Instant) {
        let number = self.counts.transitions;
        self.counts.transitions += 1;
        if self.transitions.len() == TRANSITIONS_KEPT {
            self.transitions.pop_front();
        }
        let address = Arc::clone(&self.endpoints[endpoint.0].address);
        self.transitions.push_back(Told { number, endpoint, address, at, transition });
    }
}
