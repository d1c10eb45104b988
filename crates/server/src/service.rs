//! The base of every service: frames, slots, queue, health, cancelling. Only the analyzer differs.
//!
//! Keeps: every frame of the protocol is answered on every connection at any time, also while
//! analyses run; analyses know nothing of each other; closing a connection cancels what only it
//! waits for; a result is kept for a while, for who lost its connection.
//!
//! Does not: listen. Whoever accepts connections hands them in.

mod carry_out; // what the service does with a run
mod own; // runs that this process itself waits for
mod session; // one connection

use crate::{
    analyzer::Analyze,
    desk::{Desk, DeskTerms, Kept},
    disks::Disks,
    metrics::{Metrics, Seen},
};
use assay_rules::{admission::AdmissionLimits, ledger::LedgerTerms};
use assay_wire::{
    Connection, Limits,
    service::{Health, HealthStatus},
};
use carry_out::CarryOut;
pub use own::{OwnRun, OwnStep};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How a service works.
#[derive(Clone, Debug)]
pub struct ServiceTerms {
    /// Analyses at once. At least 1.
    pub slots: u32,
    /// Analyses that may wait; beyond it the answer is `overloaded` at once.
    pub queue_max: usize,
    /// How long an analysis may take whose request does not say.
    pub timeout: Duration,
    /// How long the work of a connection that broke lives on, so that the client may come back
    /// for it by `task_id`. A connection that is closed in order ends its work at once.
    pub lost_grace: Duration,
    /// How long an analysis has to end once it is told to. What it does then is to kill, to read what
    /// is there, and to write it. Beyond that it is dropped, and there is no answer.
    pub end_within: Duration,
    /// The version that health tells.
    pub version: String,
    /// Whose room metrics tell.
    pub disks: Disks,
}

/// A running service. Cheap to clone.
pub struct Service<A> {
    shared: Arc<Shared<A>>,
}

struct Shared<A> {
    analyzer: Arc<A>,
    terms: ServiceTerms,
    desk: Desk,
    metrics: Arc<Metrics>,
    connections: AtomicU64,
    started: Instant,
    /// Every task of the service, so that none is left behind.
    tasks: TaskTracker,
    /// Sessions end when it is cancelled.
    closing: CancellationToken,
}

/// Runs whose end stays in memory for who lost its connection, and the bytes of their results.
const KEPT: Kept = Kept { runs: 1_000, bytes: 256 << 20 };

/// Bytes that all requests of one service may occupy.
const BYTES_MAX: u64 = 256 << 20;

// === impl ServiceTerms ===

impl Default for ServiceTerms {
    fn default() -> Self {
        Self {
            slots: 4,
            queue_max: 100,
            timeout: Duration::from_mins(30),
            lost_grace: Duration::from_secs(10),
            end_within: Duration::from_secs(20),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            disks: Disks::default(),
        }
    }
}

// === impl Service ===

impl<A> Clone for Service<A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<A> std::fmt::Debug for Service<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("terms", &self.shared.terms).finish_non_exhaustive()
    }
}

impl<A: Analyze> Service<A> {
    /// Starts a service. Must be called within a tokio runtime.
    pub fn start(analyzer: A, terms: ServiceTerms) -> Self {
        let analyzer = Arc::new(analyzer);
        let metrics = Arc::<Metrics>::default();
        let work =
            Arc::new(CarryOut::new(Arc::clone(&analyzer), Arc::clone(&metrics), terms.end_within));
        let name = analyzer.sort().as_str();
        let (desk, office) = Desk::open(desk_terms(name, &terms), work);
        let tasks = TaskTracker::new();
        tasks.spawn(office);
        let closing = CancellationToken::new();
        let started = Instant::now();
        let connections = AtomicU64::new(0);
        let shared =
            Shared { analyzer, terms, desk, metrics, connections, started, tasks, closing };
        Self { shared: Arc::new(shared) }
    }

    /// Serves one connection to its end. `who` is accounted for its requests.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses the connection: what only it waits for ends after the grace.
    pub async fn serve(&self, connection: Connection, who: &str) {
        session::serve(Arc::clone(&self.shared), connection, who).await;
    }

    /// Opens a connection from within this process.
    pub fn connect(&self) -> Connection {
        let (ours, theirs) = assay_wire::pair(Limits::local());
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move { session::serve(shared, theirs, "gateway").await });
        ours
    }

    /// Returns the service's health, as it tells it.
    pub async fn health(&self) -> Health {
        self.shared.health().await
    }

    /// Says everything that is counted, in the text format of OpenMetrics.
    pub async fn metrics(&self) -> String {
        let (desk, _) = self.shared.desk.stats().await;
        let clients = self.shared.connections.load(Ordering::Relaxed);
        let rooms = self.shared.terms.disks.look().await;
        self.shared.metrics.text(&Seen { desk, pool: None, clients, rooms })
    }

    /// Takes nothing new, and waits for what runs. What still runs after `within` is cancelled;
    /// then every connection is closed.
    pub async fn shut_down(&self, within: Duration) {
        let shared = &self.shared;
        if tokio::time::timeout(within, shared.desk.drain()).await.is_err() {
            shared.desk.shut_down().await;
            tokio::time::timeout(STOP_WITHIN, shared.desk.drain()).await.ok();
        }
        shared.closing.cancel();
        shared.tasks.close();
    }
}

/// How long runs have to stop once they were told; then the process ends over them, and the shims
/// of their tools stop what is left.
const STOP_WITHIN: Duration = Duration::from_secs(5);

impl<A: Analyze> Shared<A> {
    async fn health(&self) -> Health {
        let (stats, _) = self.desk.stats().await;
        let tools = self.analyzer.tools();
        let status = match (stats.is_draining, tools.unavailable.is_empty()) {
            (true, _) => HealthStatus::Draining,
            (false, false) => HealthStatus::Degraded,
            (false, true) => HealthStatus::Healthy,
        };
        Health {
            status,
            service: self.name().to_owned(),
            version: self.terms.version.clone(),
            uptime: self.started.elapsed().as_secs_f64(),
            available_tools: tools.available,
            unavailable_tools: tools.unavailable,
            active: stats.running as u64,
            queued: stats.queued as u64,
            capacity: u64::from(stats.capacity),
            configuration: None,
        }
    }

    fn name(&self) -> &'static str {
        self.analyzer.sort().as_str()
    }
}

fn desk_terms(name: &'static str, terms: &ServiceTerms) -> DeskTerms {
    DeskTerms {
        name,
        ledger: LedgerTerms { lost_grace: terms.lost_grace, ..LedgerTerms::default() },
        door: AdmissionLimits {
            permits: terms.slots,
            queue_max: terms.queue_max,
            client_max: terms.queue_max,
            bytes_max: BYTES_MAX,
            reserve: 1,
            reserve_queue_max: 1,
            quantum: 1,
        },
        kept: KEPT,
    }
}
