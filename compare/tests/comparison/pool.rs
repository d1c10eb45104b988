//! Pools of connections.

mod bb8;
mod deadpool;
mod ours;

use assay_compare::table::{OURS, Table, no, not_offered, row, yes};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

const BB8: &str = "bb8";
const DEADPOOL: &str = "deadpool";

pub fn table() -> Table {
    let rows = vec![
        row(
            "the cap counts connections that are being made",
            vec![
                yes(OURS, ours::cap_counts_connecting),
                yes(BB8, bb8::cap_counts_connecting),
                yes(DEADPOOL, deadpool::cap_counts_connecting),
            ],
        ),
        row(
            "who waits is served before who comes later",
            vec![
                yes(OURS, ours::waiters_come_first),
                no(BB8, bb8::waiters_come_first).note(
                    "a connection given back is there for whoever asks before the waiter wakes",
                ),
                yes(DEADPOOL, deadpool::waiters_come_first),
            ],
        ),
        row(
            "5 permits, 50 callers, 4 s: nobody waits longer than 3 times the mean",
            vec![
                yes(OURS, ours::is_fair),
                no(BB8, bb8::is_fair)
                    .note("callers that hold for 1 ms and ask again at once, on paper time"),
                yes(DEADPOOL, deadpool::is_fair),
            ],
        ),
        row(
            "a waiter that is dropped just as its turn comes leaves no trace",
            vec![
                yes(OURS, ours::dropped_waiter_leaves_no_trace),
                yes(BB8, bb8::dropped_waiter_leaves_no_trace),
                yes(DEADPOOL, deadpool::dropped_waiter_leaves_no_trace),
            ],
        ),
        row(
            "the queue of those who wait has a bound, beyond which a caller is refused at once",
            vec![
                yes(OURS, ours::queue_is_bounded),
                not_offered(BB8, bb8::queue_is_bounded),
                not_offered(DEADPOOL, deadpool::queue_is_bounded)
                    .note("all may wait, or with a timeout of 0 nobody"),
            ],
        ),
    ];
    Table { title: "Pool", crates: &[OURS, BB8, DEADPOOL], rows }
}

const PERMITS: usize = 5;
const CALLERS: usize = 50;
/// More than a house could serve in time.
const CROWD: usize = 10_000;

const HOLDS: Duration = Duration::from_millis(1);
const LASTS: Duration = Duration::from_secs(4);

/// Counts connections that are being made or stand.
#[derive(Clone, Debug, Default)]
struct Count {
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// One connection. It takes a millisecond to make.
#[derive(Debug)]
struct Connection(Arc<AtomicUsize>);

impl Count {
    async fn connect(&self) -> Connection {
        let open = 1 + self.open.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(open, Ordering::SeqCst);
        let connection = Connection(Arc::clone(&self.open));
        tokio::time::sleep(HOLDS).await;
        connection
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether no wait is longer than three times the mean, when all ask again as soon as they gave back.
///
/// `hold` takes a connection, notes that it has it, holds it and gives it back.
async fn is_fair<H, F>(hold: H) -> bool
where
    H: Fn(Noted) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let waits = Arc::new(Mutex::new(Vec::new()));
    let end = Instant::now() + LASTS;
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (hold, waits) = (hold.clone(), Arc::clone(&waits));
            tokio::spawn(async move {
                while Instant::now() < end {
                    hold(Noted { asked: Instant::now(), waits: Arc::clone(&waits) }).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("a caller does not panic");
    }
    let waits = waits.lock().expect("nobody panicked");
    let longest = waits.iter().max().copied().unwrap_or_default();
    let mean = waits.iter().sum::<Duration>() / u32::try_from(waits.len()).unwrap_or(u32::MAX);
    assert!(mean > Duration::ZERO, "there are more callers than connections");
    longest <= 3 * mean
}

/// Notes how long somebody waited.
struct Noted {
    asked: Instant,
    waits: Arc<Mutex<Vec<Duration>>>,
}

impl Noted {
    fn got(self) {
        self.waits.lock().expect("nobody panicked").push(self.asked.elapsed());
    }
}
