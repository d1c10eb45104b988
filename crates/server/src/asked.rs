//! Which run a request of one connection asked for, so that a cancel may name the request.
//!
//! Keeps: no more is remembered than a bound, however long the connection lives.

use assay_model::TaskId;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

/// Requests that are remembered for one connection; beyond it the oldest are forgotten, which have
/// ended long since: no client may have as many waiting.
const KEPT: usize = 4_096;

/// Tasks by the `id` of their request. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByRequest {
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    tasks: HashMap<String, TaskId>,
    oldest_first: VecDeque<String>,
}

// === impl ByRequest ===

impl ByRequest {
    pub(crate) fn add(&self, id: String, task: TaskId) {
        let mut known = self.known.lock().expect("nothing panics while it holds them");
        if known.tasks.insert(id.clone(), task).is_none() {
            known.oldest_first.push_back(id);
        }
        while known.oldest_first.len() > KEPT {
            let Some(oldest) = known.oldest_first.pop_front() else { break };
            known.tasks.remove(&oldest);
        }
    }

    pub(crate) fn task_of(&self, id: &str) -> Option<TaskId> {
        let known = self.known.lock().expect("nothing panics while it holds them");
        known.tasks.get(id).cloned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where its premise does")]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_asks_for_ever_is_not_remembered_for_ever() {
        let by_request = ByRequest::default();
        for number in 0..3 * KEPT {
            by_request.add(number.to_string(), TaskId::new(&format!("t{number}")).unwrap());
        }
        assert_eq!(by_request.known.lock().unwrap().tasks.len(), KEPT);
        let last = 3 * KEPT - 1;
        assert_eq!(by_request.task_of(&last.to_string()).unwrap().as_str(), format!("t{last}"));
        assert_eq!(by_request.task_of("0"), None);
    }
}
