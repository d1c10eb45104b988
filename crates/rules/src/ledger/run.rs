//! One run from acceptance to its end, and who waits for it.
//!
//! Keeps: the deadline is the latest of all interests, found without looking at each.

use super::{
    msg::{Ask, ClientId, Follow, RunPhase},
    timers::TimerId,
};
use crate::Instant;
use std::collections::BTreeMap;

/// One run that has not ended. Made by a request, removed by its end.
#[derive(Debug)]
pub(super) struct Run<K> {
    pub(super) key: K,
    pub(super) phase: RunPhase,
    /// In the order in which they came.
    pub(super) interests: BTreeMap<u32, Interest>,
    /// How many interests have each deadline.
    deadlines: BTreeMap<Instant, u32>,
    next_seat: u32,
}

/// What one ticket stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interest {
    pub(super) client: ClientId,
    pub(super) follow: Follow,
    pub(super) presence: Presence,
    pub(super) deadline: Instant,
    /// When something has to be done about it. Before the deadline: its client is lost and the
    /// grace ends. After it: the run was stopped and has not ended.
    pub(super) due: Instant,
    pub(super) timer: TimerId,
}

/// Whether the holder of a ticket can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Here,
    /// Its connection broke; it may still come back for the work.
    Lost,
    /// It went and left the work to go on.
    Gone,
}

// === impl Run ===

impl<K> Run<K> {
    pub(super) fn new(key: K, phase: RunPhase) -> Self {
        Self { key, phase, interests: BTreeMap::new(), deadlines: BTreeMap::new(), next_seat: 0 }
    }

    /// Returns the latest deadline of those who wait.
    pub(super) fn deadline(&self) -> Instant {
        self.deadlines.last_key_value().map_or(Instant::START, |(latest, _)| *latest)
    }

    pub(super) fn is_stopping(&self) -> bool {
        matches!(self.phase, RunPhase::Stopping(_))
    }

    /// Whether only one ticket is left.
    pub(super) fn is_alone(&self) -> bool {
        self.interests.len() == 1
    }

    pub(super) fn take_seat(&mut self, interest: Interest) -> u32 {
        let seat = self.next_seat;
        self.next_seat += 1;
        *self.deadlines.entry(interest.deadline).or_insert(0) += 1;
        self.interests.insert(seat, interest);
        seat
    }

    pub(super) fn give_up_seat(&mut self, seat: u32) -> Option<Interest> {
        let interest = self.interests.remove(&seat)?;
        let count = self.deadlines.get_mut(&interest.deadline);
        let count = count.expect("`take_seat` counted it, and a deadline never changes");
        *count -= 1;
        if *count == 0 {
            self.deadlines.remove(&interest.deadline);
        }
        Some(interest)
    }
}

// === impl Interest ===

impl Interest {
    pub(super) fn of<K>(ask: &Ask<K>, timer: TimerId) -> Self {
        Self {
            client: ask.client,
            follow: ask.follow,
            presence: Presence::Here,
            deadline: ask.deadline,
            due: ask.deadline,
            timer,
        }
    }
}
