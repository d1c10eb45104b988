//! Events for all who subscribed: written once, pulled by each.
//!
//! Keeps: a slow subscriber delays nobody; of what he misses only the newest progress of each task
//! is sent, and he is told how much was left out; the end of a task is never left out: who is so
//! far behind that one would be, is disconnected.

use assay_model::TaskId;
use assay_wire::Utf8Bytes;
use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard},
};
use tokio::sync::watch;

/// Events that are kept for those who are behind. Some seconds of a busy gateway.
const KEPT: usize = 4_096;

/// Bytes of all that is kept.
const BYTES: usize = 16 << 20;

/// Frames that one subscriber takes at a time, so that others of its connection get their turn.
const AT_ONCE: usize = 256;

/// How many past events a subscriber may ask for.
pub(super) const REPLAY: usize = 50;

#[derive(Debug, Default)]
pub(super) struct Stream {
    state: Mutex<State>,
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    /// The number of the first entry.
    first: u64,
    bytes: usize,
    /// One past the last end that is no longer kept.
    ends_lost_before: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    frame: Utf8Bytes,
    /// The task whose newer progress replaces this; `None` for what nothing replaces.
    replaced_by: Option<TaskId>,
    is_end: bool,
}

/// A subscriber's place.
#[derive(Debug)]
pub(super) struct Place {
    next: u64,
    newest: watch::Receiver<u64>,
}

/// What a subscriber gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    Frames {
        frames: Vec<Utf8Bytes>,
        missed: u64,
    },
    /// He has missed the end of a task.
    TooSlow,
}

// === impl Stream ===

impl Stream {
    /// Publishes progress of a task, or something of no task.
    pub(super) fn publish(&self, frame: Utf8Bytes, replaced_by: Option<TaskId>) {
        self.push(Entry { frame, replaced_by, is_end: false });
    }

    /// Publishes the end of a task.
    pub(super) fn publish_end(&self, frame: Utf8Bytes) {
        self.push(Entry { frame, replaced_by: None, is_end: true });
    }

    /// Subscribes, from now on.
    pub(super) fn subscribe(&self) -> Place {
        let state = self.lock();
        Place { next: state.end(), newest: self.newest.subscribe() }
    }

    fn push(&self, entry: Entry) {
        let mut state = self.lock();
        state.bytes += entry.frame.len();
        state.entries.push_back(entry);
        while state.entries.len() > KEPT || state.bytes > BYTES {
            let Some(old) = state.entries.pop_front() else { break };
            state.first += 1;
            state.bytes -= old.frame.len();
            if old.is_end {
                state.ends_lost_before = state.first;
            }
        }
        let end = state.end();
        drop(state);
        self.newest.send_replace(end);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the state")
    }
}

impl State {
    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }
}

// === impl Place ===

impl Place {
    /// Waits until there is something to take.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is taken.
    pub(super) async fn ready(&mut self) {
        let next = self.next;
        // The stream outlives its sessions; were it gone, there would be nothing to wait for.
        if self.newest.wait_for(|newest| *newest > next).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns the last events that he was not and will not be sent, oldest first.
    pub(super) fn last_before(&self, stream: &Stream) -> Vec<Utf8Bytes> {
        let state = stream.lock();
        let end = usize::try_from(self.next.saturating_sub(state.first)).unwrap_or(usize::MAX);
        let end = end.min(state.entries.len());
        let range = end.saturating_sub(REPLAY)..end;
        state.entries.range(range).map(|entry| entry.frame.clone()).collect()
    }

    /// Takes what there is, up to a bound.
    pub(super) fn take(&mut self, stream: &Stream) -> Got {
        let state = stream.lock();
        if self.next < state.ends_lost_before {
            return Got::TooSlow;
        }
        let from = self.next.max(state.first);
        let mut missed = from - self.next;
        let skip = usize::try_from(from - state.first).unwrap_or(usize::MAX);
        let unread = state.entries.len().saturating_sub(skip);
        if unread <= AT_ONCE {
            let frames = state.entries.iter().skip(skip).map(|entry| entry.frame.clone()).collect();
            self.next = state.end();
            return Got::Frames { frames, missed };
        }
        // Behind: of each task's progress only the newest is worth its while.
        let mut newer: HashSet<&TaskId> = HashSet::new();
        let mut frames: VecDeque<Utf8Bytes> = VecDeque::new();
        for entry in state.entries.iter().skip(skip).rev() {
            match &entry.replaced_by {
                Some(task) if !newer.insert(task) => missed += 1,
                Some(_) | None => frames.push_front(entry.frame.clone()),
            }
        }
        self.next = state.end();
        Got::Frames { frames: frames.into(), missed }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where its premise does")]
mod tests {
    use super::*;

    fn task(name: &str) -> TaskId {
        TaskId::new(name).unwrap()
    }

    fn frame(text: String) -> Utf8Bytes {
        Utf8Bytes::from(text)
    }

    #[test]
    fn who_keeps_up_gets_all_and_who_is_behind_the_newest() {
        let stream = Stream::default();
        let (mut quick, mut slow) = (stream.subscribe(), stream.subscribe());
        for number in 0..1_000_u32 {
            stream.publish(frame(number.to_string()), Some(task("t")));
            let Got::Frames { frames, missed } = quick.take(&stream) else { panic!("too slow") };
            assert_eq!((frames.len(), missed), (1, 0));
        }
        let got = slow.take(&stream);
        assert_eq!(got, Got::Frames { frames: vec![frame("999".to_owned())], missed: 999 });
    }

    #[test]
    fn an_end_is_never_left_out() {
        let stream = Stream::default();
        let (mut slow, mut slower) = (stream.subscribe(), stream.subscribe());
        stream.publish_end(frame("end".to_owned()));
        for number in 0..u32::try_from(KEPT).unwrap() - 1 {
            stream.publish(frame(number.to_string()), Some(task("t")));
        }
        let Got::Frames { frames, .. } = slow.take(&stream) else { panic!("too slow") };
        assert_eq!(&*frames[0], "end");
        stream.publish(frame("more".to_owned()), None);
        assert_eq!(slower.take(&stream), Got::TooSlow);
    }

    #[test]
    fn a_replay_ends_where_the_live_events_begin() {
        let stream = Stream::default();
        for number in 0..60 {
            stream.publish(frame(number.to_string()), None);
        }
        let mut place = stream.subscribe();
        stream.publish(frame("live".to_owned()), None);
        let last = place.last_before(&stream);
        assert_eq!((last.len(), &*last[0], &*last[49]), (50, "10", "59"));
        let Got::Frames { frames, .. } = place.take(&stream) else { panic!("too slow") };
        assert_eq!(frames, [frame("live".to_owned())]);
    }

    #[test]
    fn what_is_kept_has_bounds() {
        let stream = Stream::default();
        for _ in 0..40 {
            stream.publish(frame("x".repeat(1 << 20)), None);
        }
        assert!(stream.lock().bytes <= BYTES);
        assert!(stream.subscribe().last_before(&stream).len() <= REPLAY);
    }
}
