//! Which runs ended well, for those who ask again.
//!
//! Keeps: no more than its bound, the oldest going first; nothing beyond its time.
//!
//! Does not: hold the results. Whoever asks again reads the log of the run.

use super::msg::RunId;
use crate::Instant;
use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    time::Duration,
};

#[derive(Debug)]
pub(super) struct Memory<K> {
    keep_for: Duration,
    max: usize,
    by_key: HashMap<K, (RunId, Instant)>,
    /// Oldest first. An entry whose run is no longer that of its key was replaced.
    order: VecDeque<(K, RunId)>,
}

// === impl Memory ===

impl<K: Clone + Eq + Hash> Memory<K> {
    pub(super) fn new(keep_for: Duration, max: usize) -> Self {
        Self { keep_for, max, by_key: HashMap::new(), order: VecDeque::new() }
    }

    pub(super) fn remember(&mut self, key: &K, run: RunId, now: Instant) {
        if self.max == 0 || self.keep_for.is_zero() {
            return;
        }
        self.by_key.insert(key.clone(), (run, now + self.keep_for));
        self.order.push_back((key.clone(), run));
        if self.order.len() > self.max
            && let Some((oldest, run)) = self.order.pop_front()
        {
            self.drop_if(&oldest, run);
        }
    }

    /// Returns the run that answers for `key` at `now`.
    pub(super) fn recall(&mut self, key: &K, now: Instant) -> Option<RunId> {
        let &(run, until) = self.by_key.get(key)?;
        if now < until {
            return Some(run);
        }
        self.drop_if(key, run);
        None
    }

    fn drop_if(&mut self, key: &K, run: RunId) {
        if self.by_key.get(key).is_some_and(|(known, _)| *known == run) {
            self.by_key.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Instant {
        Instant::after_start(Duration::from_secs(s))
    }

    #[test]
    fn the_oldest_goes_first_and_time_ends_the_rest() {
        let mut memory = Memory::new(Duration::from_secs(10), 2);
        for (run, key) in ["a", "b", "c"].into_iter().enumerate() {
            memory.remember(&key, RunId(run as u64), at(0));
        }
        assert_eq!(memory.recall(&"a", at(0)), None);
        assert_eq!(memory.recall(&"b", at(9)), Some(RunId(1)));
        assert_eq!(memory.recall(&"c", at(10)), None);
        assert_eq!(memory.by_key.len(), 1, "what has had its time is dropped when it is seen");
    }

    #[test]
    fn a_newer_run_of_the_key_is_not_dropped_with_the_older_one() {
        let mut memory = Memory::new(Duration::from_secs(10), 2);
        for run in 0..3 {
            memory.remember(&"a", RunId(run), at(run));
        }
        assert_eq!(memory.recall(&"a", at(5)), Some(RunId(2)));
        assert_eq!(memory.order.len(), 2);
    }

    #[test]
    fn without_time_or_room_nothing_is_remembered() {
        for (seconds, max) in [(0, 5), (5, 0)] {
            let mut memory = Memory::new(Duration::from_secs(seconds), max);
            memory.remember(&"a", RunId(0), at(0));
            assert!(memory.by_key.is_empty() && memory.order.is_empty());
        }
    }
}
