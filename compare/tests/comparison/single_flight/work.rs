//! Work that counts its starts and its ends, and waits for a word in between.

use crate::polled;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;

/// Work that counts its starts and its ends, and waits for a word in between.
#[derive(Clone)]
pub struct Work {
    go: Arc<Semaphore>,
    starts: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Work {
    pub fn new() -> Self {
        Self { go: Arc::new(Semaphore::new(0)), starts: Arc::default(), dropped: Arc::default() }
    }

    pub async fn run<T>(self, result: T) -> T {
        self.starts.fetch_add(1, Ordering::SeqCst);
        let _dropped = Dropped(Arc::clone(&self.dropped));
        drop(self.go.acquire().await);
        result
    }

    /// Work that takes its time.
    pub async fn lasts<T>(self, time: Duration, result: T) -> T {
        self.starts.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(time).await;
        result
    }

    pub async fn panic<T>(self) -> T {
        self.starts.fetch_add(1, Ordering::SeqCst);
        drop(self.go.acquire().await);
        panic!("the work panics, as it is told to")
    }

    pub fn starts(&self) -> usize {
        self.starts.load(Ordering::SeqCst)
    }

    pub fn stopped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }

    /// Lets all that wait go on, also those that start later.
    pub fn let_go(&self) {
        self.go.add_permits(1);
    }
}

/// Whether somebody panicked when he was polled.
pub fn panics<F: Future + Unpin>(future: &mut F) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| polled(future).is_some())).is_err()
}
