//! Which replica gets the next call.
//!
//! Owns what is known of the replicas of one service: who they are, what is outstanding at each,
//! how they answered. The better of two random choices by outstanding work per slot (Mitzenmacher
//! 2001: the longest queue falls from log n / log log n to log log n), where a failure counts as a
//! call that is still out, so that a replica that fails fast does not draw all traffic. Zones by
//! preference, with spill-over as Envoy has it: a zone keeps as much traffic as 1.4 times its
//! healthy capacity, and what is beyond goes to the next one.
//!
//! Keeps:
//! - a replica that drains, is shut (its breaker is open), is full or is excluded is never picked;
//! - of two replicas with room in the zone, the busier one is never picked;
//! - what a replica is not told to carry is not counted: an answer for one that has gone changes
//!   nothing;
//! - equal messages and equal seeds give equal picks, on every machine.
//!
//! A pick costs O(log n) and allocates nothing.
//!
//! Does not: call anyone, judge failures, or hold breakers: whoever drives it tells the gate of a
//! replica whenever its breaker opens or closes.

mod fenwick; // drawing by weight
mod pick; // the choice itself
mod replica; // one replica: load, penalty, slow start
mod zone; // the replicas of one zone

use crate::Instant;
use replica::Replica;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use zone::{Members, Part};

/// How replicas are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceTerms {
    /// How much more than its healthy capacity a zone may carry before traffic spills over, in
    /// percent.
    pub overprovisioning: u32,
    /// After how long a newcomer gets its full share; until then it grows from a tenth.
    pub slow_start: Duration,
    /// After how long a failure counts for half a call that is still out.
    pub penalty_half_life: Duration,
}

/// A place of replicas. The smaller the number, the nearer: 0 is our own zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(pub u8);

/// What a replica is set up as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaTerms {
    pub zone: Zone,
    /// How many calls it takes at once. At least 1, at most 65,536.
    pub slots: u32,
    /// How much a slot does, compared with the slots of others. At least 1, at most 65,536.
    pub weight: u32,
}

/// One replica. Its place may be given again when it is gone, the id is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId {
    index: u32,
    generation: u32,
}

/// Whether a replica may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Admits,
    /// Not before `until`. Then it admits again by itself, for its breaker to try it.
    Shut {
        until: Instant,
    },
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    Served,
    /// By the replica's fault.
    Failed,
    /// It says nothing about the replica: a cancel, a bad request.
    Unjudged,
}

/// The choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    Replica(ReplicaId),
    /// All that may be called are full, or excluded.
    Full,
    /// None may be called. The first may be tried again at `earliest`.
    AllShut {
        earliest: Instant,
    },
    /// There is none, or all drain.
    NoReplica,
}

/// The replicas of one service. One task owns it.
#[derive(Debug)]
pub struct Balancer {
    terms: BalanceTerms,
    places: Vec<Seat>,
    vacant: Vec<u32>,
    zones: BTreeMap<Zone, Members>,
    /// Who is shut, by when that ends. Draining ones are not in it: nothing is tried again there.
    shut: BTreeSet<(Instant, ReplicaId)>,
}

/// A place for a replica.
#[derive(Debug)]
struct Seat {
    generation: u32,
    taken: Option<Taken>,
}

#[derive(Debug)]
struct Taken {
    replica: Replica,
    /// Where it is among the members of its zone.
    nth: usize,
}

// === impl BalanceTerms ===

/// 140 %, 30 s of slow start, failures half forgotten after 10 s.
impl Default for BalanceTerms {
    fn default() -> Self {
        Self {
            overprovisioning: 140,
            slow_start: Duration::from_secs(30),
            penalty_half_life: Duration::from_secs(10),
        }
    }
}

// === impl Balancer ===

impl Balancer {
    pub fn new(terms: BalanceTerms) -> Self {
        Self {
            terms,
            places: Vec::new(),
            vacant: Vec::new(),
            zones: BTreeMap::new(),
            shut: BTreeSet::new(),
        }
    }

    /// Takes in a replica. It starts slowly.
    pub fn add(&mut self, terms: ReplicaTerms, now: Instant) -> ReplicaId {
        let replica = Replica::new(terms, now);
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.places.push(Seat { generation: 0, taken: None });
            u32::try_from(self.places.len() - 1).expect("fewer than four milliards of replicas")
        });
        let place = &mut self.places[index as usize];
        let id = ReplicaId { index, generation: place.generation };
        let members = self.zones.entry(terms.zone).or_default();
        let nth = members.push(id, Part::of(&replica));
        place.taken = Some(Taken { replica, nth });
        id
    }

    /// Lets a replica go. What is outstanding there is no longer counted.
    pub fn remove(&mut self, id: ReplicaId) {
        let Some(Taken { replica, nth }) = self.taken(id) else { return };
        let (zone, part, nth) = (replica.terms.zone, Part::of(replica), *nth);
        self.unlist(id);
        let members = self.zones.get_mut(&zone).expect("`add` made the zone");
        if let Some(moved) = members.remove(nth, part)
            && let Some(moved) = self.taken_mut(moved)
        {
            moved.nth = nth;
        }
        let place = &mut self.places[id.index as usize];
        place.taken = None;
        place.generation = place.generation.wrapping_add(1);
        self.vacant.push(id.index);
    }

    /// Gives a replica no new calls; those that are out there go on.
    pub fn drain(&mut self, id: ReplicaId) {
        self.unlist(id);
        self.change(id, |replica| replica.is_draining = true);
    }

    /// Gives a drained replica calls again. It starts slowly, as a new one.
    pub fn resume(&mut self, id: ReplicaId, now: Instant) {
        let is_draining = self.taken(id).is_some_and(|taken| taken.replica.is_draining);
        if !is_draining {
            return;
        }
        self.change(id, |replica| {
            replica.is_draining = false;
            replica.since = now;
        });
        let Some(Taken { replica, .. }) = self.taken(id) else { return };
        // `drain` took it off the list of gates that open by themselves.
        if let Gate::Shut { until } = replica.gate {
            self.shut.insert((until, id));
        }
    }

    /// Tells whether a replica may be called: at every change of its breaker, and while its one
    /// trial is out.
    pub fn set_gate(&mut self, id: ReplicaId, gate: Gate, now: Instant) {
        self.unlist(id);
        self.change(id, |replica| {
            if gate == Gate::Admits && replica.gate != Gate::Admits {
                replica.since = now;
            }
            replica.gate = gate;
        });
        let Some(Taken { replica, .. }) = self.taken(id) else { return };
        if let (Gate::Shut { until }, false) = (gate, replica.is_draining) {
            self.shut.insert((until, id));
        }
    }

    /// Counts a call that begins.
    pub fn began(&mut self, id: ReplicaId) {
        self.change(id, |replica| replica.outstanding = replica.outstanding.saturating_add(1));
    }

    /// Counts a call that has ended.
    pub fn answered(&mut self, id: ReplicaId, answered: Answered, now: Instant) {
        let half_life = self.terms.penalty_half_life;
        self.change(id, |replica| replica.answered(answered, now, half_life));
    }

    /// Returns how many calls are out at a replica, or `None` when it has gone.
    pub fn outstanding(&self, id: ReplicaId) -> Option<u32> {
        self.taken(id).map(|taken| taken.replica.outstanding)
    }

    /// Changes a replica and what its zone knows of it.
    fn change(&mut self, id: ReplicaId, change: impl FnOnce(&mut Replica)) {
        let Some(taken) = self.taken_mut(id) else { return };
        let before = Part::of(&taken.replica);
        change(&mut taken.replica);
        let (zone, nth, after) = (taken.replica.terms.zone, taken.nth, Part::of(&taken.replica));
        if before != after {
            let members = self.zones.get_mut(&zone).expect("`add` made the zone");
            members.change(nth, before, after);
        }
    }

    /// Opens the gates whose time has come.
    fn open_gates(&mut self, now: Instant) {
        while let Some(&(until, id)) = self.shut.first().filter(|(until, _)| *until <= now) {
            if until == Instant::MAX {
                return; // it is shut for ever
            }
            self.shut.pop_first();
            self.set_gate(id, Gate::Admits, now);
        }
    }

    fn unlist(&mut self, id: ReplicaId) {
        let Some(Taken { replica, .. }) = self.taken(id) else { return };
        if let Gate::Shut { until } = replica.gate {
            self.shut.remove(&(until, id));
        }
    }

    fn taken(&self, id: ReplicaId) -> Option<&Taken> {
        let place = self.places.get(id.index as usize)?;
        place.taken.as_ref().filter(|_| place.generation == id.generation)
    }

    fn taken_mut(&mut self, id: ReplicaId) -> Option<&mut Taken> {
        let place = self.places.get_mut(id.index as usize)?;
        let generation = place.generation;
        place.taken.as_mut().filter(|_| generation == id.generation)
    }
}
