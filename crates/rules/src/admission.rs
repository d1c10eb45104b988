//! Who may begin, who waits, and who is told to come back later.
//!
//! Owns the permits and the queue before them. Pure: it is asked, told and polled, each time with
//! `now`; whoever drives it wakes those that it names.
//!
//! Keeps:
//! - no more permits are out than there are, no more waits than the bounds allow, in number and in
//!   bytes, and no client holds more than its share of the queue;
//! - no permit is free while somebody waits, once [`admit_next`](Admission::admit_next) was polled;
//! - among those who wait, urgent ones come first, yet every priority gets its share
//!   ([stride scheduling](https://dl.acm.org/doi/10.5555/829518), Waldspurger 1995); within a
//!   priority clients take turns by what they cost (deficit round robin, Shreedhar and Varghese
//!   1995); within a client first come, first served;
//! - health and cancel have permits and places of their own: no load keeps them out, and they keep
//!   no work out;
//! - who gives up leaves no trace.
//!
//! Does not: know what the work is, watch deadlines of who waits (its driver does, and gives up
//! for it), or limit rates.

mod drain_rate; // how fast the queue gets shorter
mod lane; // one priority: clients take turns
mod priorities; // the lanes take turns
mod verdict; // what is asked and answered

pub use drain_rate::DrainRate;
pub use verdict::{AdmissionLimits, Draining, Permit, Priority, Shut, Verdict, WaiterId, Wish};

use crate::{ById, Instant, ledger::ClientId};
use lane::{Entry, Place};
use priorities::Priorities;
use std::collections::VecDeque;
use verdict::{Class, Parked};

/// The door. One task owns it.
#[derive(Debug)]
pub struct Admission {
    limits: AdmissionLimits,
    in_use: u32,
    vital_in_use: u32,
    /// Bytes of all that is inside, waiting or not.
    bytes: u64,
    waiting: ById<WaiterId, Parked>,
    shares: ById<ClientId, usize>,
    priorities: Priorities,
    vital: VecDeque<WaiterId>,
    drain_rate: DrainRate,
    next_waiter: u64,
    is_draining: bool,
}

// === impl Admission ===

impl Admission {
    pub fn new(limits: AdmissionLimits) -> Self {
        Self {
            priorities: Priorities::new(limits.quantum.max(1)),
            limits: AdmissionLimits { permits: limits.permits.max(1), ..limits },
            in_use: 0,
            vital_in_use: 0,
            bytes: 0,
            waiting: ById::default(),
            shares: ById::default(),
            vital: VecDeque::new(),
            drain_rate: DrainRate::default(),
            next_waiter: 0,
            is_draining: false,
        }
    }

    /// Asks to begin. Nobody overtakes who waits already: it begins at once only if nobody does.
    pub fn ask(&mut self, wish: Wish, now: Instant) -> Verdict {
        match wish.class {
            Class::Vital => self.ask_vital(wish),
            Class::Work(priority) => self.ask_work(wish, priority, now),
        }
    }

    /// Returns the next who may begin. Poll it until `None` after every message to the door.
    pub fn admit_next(&mut self) -> Option<(WaiterId, Permit)> {
        if self.vital_in_use < self.limits.reserve
            && let Some(waiter) = self.vital.pop_front()
        {
            let parked = self.unpark(waiter).expect("`vital` holds only who waits");
            return Some((waiter, self.issue(&parked.wish)));
        }
        if self.in_use >= self.limits.permits {
            return None;
        }
        let waiter = self.priorities.pop()?;
        let parked = self.unpark(waiter).expect("`priorities` holds only who waits");
        Some((waiter, self.issue(&parked.wish)))
    }

    /// Takes a permit back. Whoever was lost on the way gives its permit back, too.
    pub fn finished(&mut self, permit: Permit, now: Instant) {
        self.bytes = self.bytes.saturating_sub(permit.bytes);
        if permit.is_vital {
            self.vital_in_use = self.vital_in_use.saturating_sub(1);
            return;
        }
        self.in_use = self.in_use.saturating_sub(1);
        if self.work_waiting() == 0 {
            self.drain_rate.rest();
        } else {
            self.drain_rate.left(now);
        }
    }

    /// Lets somebody who waits go. Returns what it wished, or `None` if it does not wait: it may
    /// have a permit on its way.
    pub fn give_up(&mut self, waiter: WaiterId) -> Option<Wish> {
        let parked = self.unpark(waiter)?;
        match (parked.wish.class, parked.place) {
            (Class::Work(priority), Some(place)) => self.priorities.remove(priority, place),
            (Class::Vital | Class::Work(_), _) => self.vital.retain(|vital| *vital != waiter),
        }
        self.bytes = self.bytes.saturating_sub(parked.wish.bytes);
        if self.work_waiting() == 0 {
            self.drain_rate.rest();
        }
        Some(parked.wish)
    }

    /// Changes the number of permits; 0 counts as 1. Those that are out stay out.
    pub fn resize(&mut self, permits: u32) {
        self.limits.permits = permits.max(1);
    }

    /// Takes no more work. Health and cancel are served on. Returns the work that will not begin
    /// here, in the order in which it came.
    pub fn drain(&mut self, draining: Draining) -> Vec<(WaiterId, Wish)> {
        self.is_draining = true;
        if draining == Draining::Finish {
            return Vec::new();
        }
        let is_work = |parked: &Parked| matches!(parked.wish.class, Class::Work(_));
        let work = self.waiting.iter().filter(|(_, parked)| is_work(parked));
        let mut ids: Vec<WaiterId> = work.map(|(waiter, _)| *waiter).collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| Some((id, self.give_up(id)?))).collect()
    }

    /// Whether a drain is over: no work waits or runs.
    pub fn is_drained(&self) -> bool {
        self.is_draining && self.in_use == 0 && self.work_waiting() == 0
    }

    /// Counts the permits of work that are out.
    pub fn in_use(&self) -> u32 {
        self.in_use
    }

    /// Counts who waits, for work and for the reserve.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Counts the bytes of all that is inside.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn ask_vital(&mut self, wish: Wish) -> Verdict {
        if self.vital_in_use < self.limits.reserve && self.vital.is_empty() {
            return Verdict::Admitted(self.issue(&wish));
        }
        if self.vital.len() >= self.limits.reserve_queue_max {
            return Verdict::Refused(Shut::Overloaded { retry_after: drain_rate::RETRY_AFTER_MIN });
        }
        let waiter = self.park(wish, None);
        self.vital.push_back(waiter);
        Verdict::Queued(waiter)
    }

    fn ask_work(&mut self, wish: Wish, priority: Priority, now: Instant) -> Verdict {
        if self.is_draining {
            return Verdict::Refused(Shut::Draining);
        }
        if wish.bytes > self.limits.bytes_max {
            let bytes_max = self.limits.bytes_max;
            return Verdict::Refused(Shut::TooLarge { bytes: wish.bytes, bytes_max });
        }
        let fits = self.bytes.saturating_add(wish.bytes) <= self.limits.bytes_max;
        let is_busy = self.in_use >= self.limits.permits || self.work_waiting() > 0;
        if fits && !is_busy {
            self.bytes += wish.bytes;
            return Verdict::Admitted(self.issue(&wish));
        }
        let share = self.shares.get(&wish.client).copied().unwrap_or(0);
        let is_full = self.work_waiting() >= self.limits.queue_max;
        if !fits || is_full || share >= self.limits.client_max {
            let retry_after = self.drain_rate.time_for(self.work_waiting() + 1, now);
            return Verdict::Refused(Shut::Overloaded { retry_after });
        }
        if self.work_waiting() == 0 {
            self.drain_rate.wake(now);
        }
        let (id, cost) = (WaiterId(self.next_waiter), wish.cost);
        let place = self.priorities.push(priority, wish.client, Entry { waiter: id, cost });
        *self.shares.entry(wish.client).or_insert(0) += 1;
        Verdict::Queued(self.park(wish, Some(place)))
    }

    fn park(&mut self, wish: Wish, place: Option<Place>) -> WaiterId {
        let waiter = WaiterId(self.next_waiter);
        self.next_waiter += 1;
        self.bytes = self.bytes.saturating_add(wish.bytes);
        self.waiting.insert(waiter, Parked { wish, place });
        waiter
    }

    fn unpark(&mut self, waiter: WaiterId) -> Option<Parked> {
        let parked = self.waiting.remove(&waiter)?;
        if parked.place.is_some()
            && let Some(share) = self.shares.get_mut(&parked.wish.client)
        {
            *share -= 1;
            if *share == 0 {
                self.shares.remove(&parked.wish.client);
            }
        }
        Some(parked)
    }

    /// Its bytes are counted by then.
    fn issue(&mut self, wish: &Wish) -> Permit {
        let is_vital = wish.class == Class::Vital;
        if is_vital {
            self.vital_in_use += 1;
        } else {
            self.in_use += 1;
        }
        Permit { bytes: wish.bytes, is_vital }
    }

    fn work_waiting(&self) -> usize {
        self.waiting.len() - self.vital.len()
    }
}
