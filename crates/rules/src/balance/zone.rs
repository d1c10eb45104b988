//! The replicas of one zone, for drawing two of them.

use super::{ReplicaId, fenwick::Fenwick, replica::Replica};

/// One zone. Made when its first replica comes, kept for the next when the last one goes.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) ids: Vec<ReplicaId>,
    /// The capacity of those that have room, by index into `ids`; 0 for the others.
    pub(super) room: Fenwick,
    /// The capacity of all.
    pub(super) total: u64,
    /// The capacity of those that are to get calls.
    pub(super) healthy: u64,
}

/// What a replica adds to the sums of its zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    total: u64,
    healthy: u64,
    room: u64,
}

// === impl Part ===

impl Part {
    pub(super) fn of(replica: &Replica) -> Self {
        let capacity = replica.capacity();
        Self {
            total: capacity,
            healthy: if replica.is_healthy() { capacity } else { 0 },
            room: if replica.has_room() { capacity } else { 0 },
        }
    }
}

// === impl Members ===

impl Members {
    /// Takes in a replica. Returns its index.
    pub(super) fn push(&mut self, id: ReplicaId, part: Part) -> usize {
        self.ids.push(id);
        self.room.push(part.room);
        self.total += part.total;
        self.healthy += part.healthy;
        self.ids.len() - 1
    }

    /// Takes out a replica. Returns the one that has its index now, if one has. Costs O(n): it is
    /// rare.
    pub(super) fn remove(&mut self, index: usize, part: Part) -> Option<ReplicaId> {
        let mut weights: Vec<u64> = (0..self.ids.len()).map(|at| self.room.weight(at)).collect();
        weights.swap_remove(index);
        self.ids.swap_remove(index);
        self.room = Fenwick::default();
        for weight in weights {
            self.room.push(weight);
        }
        self.total -= part.total;
        self.healthy -= part.healthy;
        self.ids.get(index).copied()
    }

    pub(super) fn change(&mut self, index: usize, before: Part, after: Part) {
        self.healthy = self.healthy - before.healthy + after.healthy;
        if before.room != after.room {
            self.room.set(index, after.room);
        }
    }
}
