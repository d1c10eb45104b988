//! Which seat a request of one connection has, so that a cancel may name the request.
//!
//! Keeps: no more is remembered than a bound, however long the connection lives.

use crate::desk::{Seat, Unwanted};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

/// Requests that are remembered for one connection; beyond it the oldest are forgotten, which have
/// ended long since: no client may have as many waiting.
const KEPT: usize = 4_096;

/// Seats by the `id` of their request. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByRequest {
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    seats: HashMap<String, Unwanted>,
    oldest_first: VecDeque<String>,
}

// === impl ByRequest ===

impl ByRequest {
    pub(crate) fn add(&self, id: String, seat: &Seat) {
        self.remember(id, Unwanted::Request(seat.task.clone(), seat.ticket));
    }

    fn remember(&self, id: String, seat: Unwanted) {
        let mut known = self.known.lock().expect("nothing panics while it holds them");
        if known.seats.insert(id.clone(), seat).is_none() {
            known.oldest_first.push_back(id);
        }
        while known.oldest_first.len() > KEPT {
            let Some(oldest) = known.oldest_first.pop_front() else { break };
            known.seats.remove(&oldest);
        }
    }

    pub(crate) fn seat_of(&self, id: &str) -> Option<Unwanted> {
        let known = self.known.lock().expect("nothing panics while it holds them");
        known.seats.get(id).cloned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where its premise does")]
mod tests {
    use super::*;
    use assay_model::TaskId;

    #[test]
    fn a_connection_that_asks_for_ever_is_not_remembered_for_ever() {
        let by_request = ByRequest::default();
        for number in 0..3 * KEPT {
            let task = TaskId::new(&format!("t{number}")).unwrap();
            by_request.remember(number.to_string(), Unwanted::Task(task));
        }
        assert_eq!(by_request.known.lock().unwrap().seats.len(), KEPT);
        let last = 3 * KEPT - 1;
        let found = by_request.seat_of(&last.to_string()).unwrap();
        assert_eq!(found.task().as_str(), format!("t{last}"));
        assert_eq!(by_request.seat_of("0"), None);
    }
}
