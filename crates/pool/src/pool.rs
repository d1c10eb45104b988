//! The shell: deadlines, and the world.
//!
//! Owns the connector and the one task of the pool, its keeper, which closes connections and
//! wakes the machine when its time has come. Whoever wants a lease opens his connection himself, so
//! that leaving stops it.
//!
//! Keeps: every wait has a deadline.

use crate::{
    connect::Connect,
    error::LeaseError,
    handoff::{Chore, Granted, Handoff, Held, How},
    lease::Lease,
    machine::{EndpointId, Idled, Machine, ServiceId},
    stats::{Stats, Told},
    terms::{EndpointTerms, PoolTerms},
};
use assay_rules::{
    Dice,
    breaker::{Answer, Mode},
};
use std::{fmt, future::poll_fn, sync::Arc, time::Duration};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until, timeout, timeout_at},
};

/// How long a goodbye may take. Then the connection is dropped.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// How long an idle connection may take to show that it is alive. Opening another is quicker than
/// waiting longer.
const PROBE_WITHIN: Duration = Duration::from_secs(1);

/// A caller's deadline may end soon after his turn came. An endpoint that had less time than this
/// to accept is not to blame for it.
const BLAMED_AFTER: Duration = Duration::from_secs(1);

/// Leases on connections to services.
///
/// Dropping it stops its task. Leases that are out stay good; all connections are closed when the
/// last of them has ended.
pub struct Pool<K: Connect> {
    shared: Arc<Shared<K>>,
    keeper: JoinHandle<()>,
}

struct Shared<K: Connect> {
    connector: K,
    connect_timeout: Duration,
    handoff: Arc<Handoff<K::Connection>>,
    clock: Clock,
}

/// What somebody wants.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub service: ServiceId,
    /// Of waiting and connecting together.
    pub deadline: Instant,
    /// The endpoint that the same call failed at before; it is taken only when no other has room.
    pub avoid: Option<EndpointId>,
}

/// The machine's time: since the pool was made.
#[derive(Clone, Copy)]
struct Clock {
    start: Instant,
}

// === impl Pool ===

impl<K: Connect> Pool<K> {
    /// Starts the pool and its task. Must be called in a runtime whose time is enabled.
    pub fn start(connector: K, terms: PoolTerms, dice: Dice) -> Self {
        let clock = Clock { start: Instant::now() };
        let handoff = Arc::new(Handoff::new(Machine::new(terms, dice), move || clock.now()));
        let connect_timeout = terms.connect_timeout;
        let shared = Arc::new(Shared { connector, connect_timeout, handoff, clock });
        let keeper = tokio::spawn(keep(Arc::clone(&shared)));
        Self { shared, keeper }
    }

    /// Returns the service of this name, which is made when there is none.
    pub fn service(&self, name: &str) -> ServiceId {
        self.shared.handoff.tell(|machine, _| machine.service(name))
    }

    /// Takes in a replica of the service.
    pub fn add(&self, service: ServiceId, terms: EndpointTerms) -> EndpointId {
        self.shared.handoff.tell(|machine, now| machine.add(service, terms, now))
    }

    /// Gives a replica no new leases, and closes what idles there.
    pub fn drain(&self, endpoint: EndpointId) {
        self.shared.handoff.tell(|machine, now| machine.drain(endpoint, now));
    }

    /// Gives a drained replica leases again.
    pub fn resume(&self, endpoint: EndpointId) {
        self.shared.handoff.tell(|machine, now| machine.resume(endpoint, now));
    }

    /// Returns where a replica is.
    pub fn address(&self, endpoint: EndpointId) -> Arc<str> {
        self.shared.handoff.tell(|machine, _| machine.address(endpoint))
    }

    /// Sets what an operator wants of a replica's breaker.
    pub fn set_mode(&self, endpoint: EndpointId, mode: Mode) {
        self.shared.handoff.tell(|machine, now| machine.set_mode(endpoint, mode, now));
    }

    /// Waits for a connection, and opens it if need be. Asks once: trying again is for the caller
    /// to decide.
    ///
    /// # Cancel safety
    ///
    /// Safe: who stops waiting leaves the queue, and what he was granted goes to the next one.
    pub async fn lease(&self, wish: Wish) -> Result<Lease<K::Connection>, LeaseError<K::Error>> {
        let shared = &*self.shared;
        let began = Instant::now();
        let asking = shared.handoff.ask(wish.service, wish.avoid);
        let name = || shared.handoff.tell(|machine, _| machine.name(wish.service));
        match timeout_at(wish.deadline, asking).await {
            Ok(Ok(granted)) => shared.open(granted, wish.deadline).await,
            Ok(Err(refusal)) => Err(LeaseError::of(refusal, name())),
            Err(_) => Err(LeaseError::Deadline { service: name(), waited: began.elapsed() }),
        }
    }

    /// Counts requests that were answered by the work of others.
    pub fn deduplicated(&self, requests: u64) {
        self.shared.handoff.tell(|machine, _| machine.deduplicated(requests));
    }

    /// Returns everything that can be counted, of one moment.
    pub fn stats(&self) -> Stats {
        self.shared.handoff.tell(|machine, now| machine.stats(now))
    }

    /// Returns the transitions of breakers from this number on, as far as they are kept: the last
    /// 256. A first number that is higher than the one asked for says how many were missed.
    pub fn transitions(&self, from: u64) -> Vec<Told> {
        self.shared.handoff.tell(|machine, _| machine.transitions(from).cloned().collect())
    }

    /// Takes no more callers, refuses those who wait, closes what idles, and waits for the leases
    /// that are out. Returns how many connections were still open at the deadline.
    ///
    /// # Cancel safety
    ///
    /// Safe: the pool stays shut; calling it again waits again.
    pub async fn shut_down(&self, deadline: Instant) -> usize {
        let handoff = &self.shared.handoff;
        handoff.tell(|machine, _| machine.shut_down());
        let closed = timeout_at(deadline, poll_fn(|cx| handoff.poll_closed(cx))).await;
        if closed.is_ok() { 0 } else { handoff.tell(|machine, _| machine.open_connections()) }
    }
}

impl<K: Connect> Drop for Pool<K> {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

// === impl Shared ===

impl<K: Connect> Shared<K> {
    /// Makes a lease of what was granted. In every local order of drops the connection goes before
    /// the place that it takes.
    async fn open(
        &self,
        granted: Granted<K::Connection>,
        deadline: Instant,
    ) -> Result<Lease<K::Connection>, LeaseError<K::Error>> {
        let Granted { endpoint, how, held } = granted;
        match how {
            How::Reuse { connection, idled: Idled::Briefly } => {
                Ok(Lease::new(connection, endpoint, held))
            }
            How::Reuse { connection, idled: Idled::Long } => {
                let mut lease = Lease::new(connection, endpoint, held);
                let until = deadline.min(Instant::now() + PROBE_WITHIN);
                let probe = self.connector.is_alive(&mut lease);
                if matches!(timeout_at(until, probe).await, Ok(true)) {
                    return Ok(lease);
                }
                self.connect(lease.into_place(), endpoint, deadline).await
            }
            How::Connect { evicted } => {
                if let Some(old) = evicted {
                    // A goodbye that is too slow is cut off, and nothing is lost by it.
                    let until = deadline.min(Instant::now() + CLOSE_WITHIN);
                    timeout_at(until, self.connector.close(old)).await.ok();
                }
                self.connect(held, endpoint, deadline).await
            }
        }
    }

    async fn connect(
        &self,
        held: Held<K::Connection>,
        endpoint: EndpointId,
        deadline: Instant,
    ) -> Result<Lease<K::Connection>, LeaseError<K::Error>> {
        let address = self.handoff.tell(|machine, _| machine.address(endpoint));
        let began = Instant::now();
        let until = deadline.min(began + self.connect_timeout);
        match timeout_at(until, self.connector.connect(&address)).await {
            Ok(Ok(connection)) => {
                held.connected();
                Ok(Lease::new(connection, endpoint, held))
            }
            Ok(Err(source)) => {
                held.end(Answer::Failure, None);
                Err(LeaseError::Connect { address, source })
            }
            Err(_) => {
                let after = began.elapsed();
                let is_to_blame = after >= BLAMED_AFTER.min(self.connect_timeout);
                held.end(if is_to_blame { Answer::Failure } else { Answer::Ignored }, None);
                Err(LeaseError::ConnectTimeout { address, after })
            }
        }
    }
}

/// What wakes the keeper.
enum Seen<C> {
    Chore(Chore<C>),
    Time,
    /// A connection is closed; nothing is left to do for it.
    Closed,
}

/// Closes connections, all at the same time, and wakes the machine when its time has come. Ends
/// with the pool.
async fn keep<K: Connect>(shared: Arc<Shared<K>>) {
    let (handoff, clock) = (&shared.handoff, shared.clock);
    let mut goodbyes = JoinSet::new();
    loop {
        let wake_at = handoff.tell(|machine, _| machine.wake_at());
        let seen = tokio::select! {
            biased;
            // Closing frees permits, so it comes first.
            chore = poll_fn(|cx| handoff.poll_chore(cx, wake_at)) => Seen::Chore(chore),
            Some(_) = goodbyes.join_next() => Seen::Closed,
            () = clock.sleep_until(wake_at) => Seen::Time,
        };
        match seen {
            Seen::Chore(Chore::Close(connection, closing)) => {
                let shared = Arc::clone(&shared);
                goodbyes.spawn(async move {
                    let _closing = closing;
                    timeout(CLOSE_WITHIN, shared.connector.close(connection)).await.ok();
                });
            }
            Seen::Chore(Chore::WakeEarlier) | Seen::Closed => {}
            Seen::Time => handoff.tell(Machine::sweep),
        }
    }
}

// === impl Clock ===

impl Clock {
    fn now(self) -> assay_rules::Instant {
        assay_rules::Instant::after_start(self.start.elapsed())
    }

    /// Sleeps until that time: for some centuries where it is the last one.
    async fn sleep_until(self, at: assay_rules::Instant) {
        match self.start.checked_add(Duration::from_nanos(at.as_nanos())) {
            Some(alarm) => sleep_until(alarm).await,
            None => std::future::pending().await,
        }
    }
}

impl<K: Connect> fmt::Debug for Pool<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
