//! One priority: clients take turns by what they cost.
//!
//! Deficit round robin (Shreedhar and Varghese, "Efficient Fair Queuing using Deficit Round
//! Robin", SIGCOMM 1995). A client's turn adds the quantum to its deficit, and its work is taken
//! while the deficit covers it; what is left is carried over to its next turn.
//!
//! Keeps: between two clients that both wait all the time, what they were given differs by no more
//! than a quantum and two of the dearest pieces of work; a client that waits for nothing saves
//! nothing up.
//!
//! Costs: O(log n); where the head of a queue is dearer than the quantum, at most
//! [`COST_MAX`](super::Wish::COST_MAX) turns for each client that waits.

use super::verdict::WaiterId;
use crate::{ById, ledger::ClientId};
use std::collections::BTreeMap;

/// The turns of one priority.
#[derive(Debug, Default)]
pub(super) struct Lane {
    quantum: u32,
    flows: ById<ClientId, Flow>,
    /// Whose turn it is when; the first one's is now.
    turns: BTreeMap<u64, ClientId>,
    next_turn: u64,
    next_number: u64,
}

/// What one client waits for.
#[derive(Debug)]
struct Flow {
    turn: u64,
    deficit: u32,
    /// Whether this turn's quantum is in the deficit.
    is_paid: bool,
    queue: BTreeMap<u64, Entry>,
}

/// One piece of work in a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) waiter: WaiterId,
    pub(super) cost: u32,
}

/// Where an entry is, so that it is found without a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    client: ClientId,
    number: u64,
}

// === impl Lane ===

impl Lane {
    pub(super) fn new(quantum: u32) -> Self {
        Self { quantum, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    pub(super) fn push(&mut self, client: ClientId, entry: Entry) -> Place {
        let (next_turn, turns) = (&mut self.next_turn, &mut self.turns);
        let flow = self.flows.entry(client).or_insert_with(|| {
            let turn = *next_turn;
            *next_turn += 1;
            turns.insert(turn, client);
            Flow { turn, deficit: 0, is_paid: false, queue: BTreeMap::new() }
        });
        let number = self.next_number;
        self.next_number += 1;
        flow.queue.insert(number, entry);
        Place { client, number }
    }

    /// Takes out whose turn it is.
    pub(super) fn pop(&mut self) -> Option<WaiterId> {
        loop {
            let client = *self.turns.first_key_value()?.1;
            let flow = self.flows.get_mut(&client).expect("`turns` holds only clients that wait");
            if !flow.is_paid {
                flow.deficit += self.quantum;
                flow.is_paid = true;
            }
            let (&number, &head) = flow.queue.first_key_value().expect("a flow has work");
            if head.cost <= flow.deficit {
                flow.deficit -= head.cost;
                self.remove(Place { client, number });
                return Some(head.waiter);
            }
            self.pass_on(client);
        }
    }

    pub(super) fn remove(&mut self, place: Place) {
        let Some(flow) = self.flows.get_mut(&place.client) else { return };
        flow.queue.remove(&place.number);
        if flow.queue.is_empty() {
            self.turns.remove(&flow.turn);
            self.flows.remove(&place.client);
        } else if flow.is_paid && flow.deficit == 0 {
            self.pass_on(place.client);
        }
    }

    /// Ends a client's turn. What it did not spend it keeps.
    fn pass_on(&mut self, client: ClientId) {
        let Some(flow) = self.flows.get_mut(&client) else { return };
        self.turns.remove(&flow.turn);
        flow.turn = self.next_turn;
        flow.is_paid = false;
        self.next_turn += 1;
        self.turns.insert(flow.turn, client);
    }
}
