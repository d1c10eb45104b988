//! The gateway: sessions of clients, the desk, and the pool of services behind it.
//!
//! Owns what becomes of a request between a client and a service. Keeps: one connection carries any
//! number of requests at once; what was told `queued` is in the book; a slow client delays nobody;
//! equal work runs once.
//!
//! Does not: analyse, listen, or read a configuration.

mod acceptance; // what is written down before a request is accepted
mod accounts; // who asks, what he may, and how often
mod addresses; // names of services that have several addresses
mod asking; // from a request to a seat at its work
mod batch; // many apps, one answer
mod breakers; // what becomes of breakers, in the log
mod call; // one call of a service for a run
mod connector; // from an address to a service
mod dispatch; // what the gateway does with a run: a service does it
mod ends; // how an end is written down
mod follower; // one run, for one client
mod frames; // frames that stand for themselves
mod health; // how every replica is, as it tells itself
mod key; // what makes two requests the same work
mod recovery; // what was open when the process before this one ended
mod session; // one client
mod status; // what there is, for those who ask
mod stream; // events for all who subscribed

pub use accounts::{Client, Scope, Scopes};
pub use addresses::LookUp;
pub use connector::{Backend, Dial};
pub use recovery::{Recovered, Resume};

use crate::desk::{Desk, DeskTerms, Kept};
use crate::{
    disks::Disks,
    metrics::{Metrics, Seen},
};
use accounts::Accounts;
use addresses::Named;
use assay_pool::{EndpointId, EndpointTerms, Pool, PoolTerms, ServiceId};
use assay_rules::{Dice, admission::AdmissionLimits, ledger::LedgerTerms, rate_limit};
use assay_store::Book;
use assay_wire::{AnalysisRequest, Analyzer, ConnectTerms, Connection, Fault};
use batch::Batches;
use connector::Connector;
use dispatch::{Dispatch, GatewayPool, Means};
use health::LastHealth;
use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use stream::Stream;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How a gateway works.
#[derive(Clone, Debug)]
pub struct GatewayTerms {
    pub pool: PoolTerms,
    /// Analyses that are with services at once. More than connections make no sense.
    pub running_max: u32,
    /// Analyses that may wait; beyond it the answer is `overloaded` at once.
    pub queue_max: usize,
    /// Analyses of one client that may wait.
    pub client_queue_max: usize,
    /// Bytes that all requests may occupy.
    pub bytes_max: u64,
    /// Of analysis requests, for each client.
    pub rate: rate_limit::Settings,
    /// How long an analysis may take whose request does not say.
    pub timeout: Duration,
    /// How long the work of a client that is gone lives on.
    pub lost_grace: Duration,
    /// How services are met.
    pub connect: ConnectTerms,
    /// How the names in their URLs are looked up.
    pub look_up: LookUp,
    /// Whose room metrics tell.
    pub disks: Disks,
    pub seed: u64,
}

/// Looks for the source of a request: inside a root, and what it holds.
pub type Resolve = Arc<
    dyn Fn(AnalysisRequest) -> Pin<Box<dyn Future<Output = Result<Resolved, Fault>> + Send>>
        + Send
        + Sync,
>;

/// What was found out about a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// As it is passed on: names normalised.
    pub request: AnalysisRequest,
    /// Names the content of the source; `None` where the gateway cannot see it, or it is not there.
    pub digest: Option<String>,
}

/// A running gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    terms: GatewayTerms,
    desk: Desk,
    pool: Arc<GatewayPool>,
    /// The pool's, once more, for what is not work.
    connector: Connector,
    last_health: LastHealth,
    stream: Arc<Stream>,
    metrics: Arc<Metrics>,
    accounts: Mutex<Accounts>,
    resolve: Resolve,
    book: Option<Arc<Book>>,
    /// Analyzers by the name under which the pool knows them.
    services: BTreeMap<&'static str, ServiceId>,
    batches: Batches,
    replicas: Mutex<BTreeMap<String, Replica>>,
    started: Instant,
    tasks: TaskTracker,
    /// Those that write down ends of tasks that were taken up together with an equal one.
    sharing: TaskTracker,
    closing: CancellationToken,
}

/// A replica that work is given to.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    analyzer: Analyzer,
    /// As it was configured, or has registered.
    told: String,
    /// By which it is met: another one where it is one address of a name.
    url: String,
    endpoint: EndpointId,
}

/// Runs whose end stays in memory; older ones are in the book.
const KEPT: Kept = Kept { runs: 1_000, bytes: 256 << 20 };

/// Slots of a service that did not say how many it has.
const SLOTS: u32 = 8;

// === impl GatewayTerms ===

impl Default for GatewayTerms {
    fn default() -> Self {
        let pool = PoolTerms::default();
        Self {
            running_max: pool.max_connections.get(),
            pool,
            queue_max: 10_000,
            client_queue_max: 5_000,
            bytes_max: 1 << 30,
            rate: rate_limit::Settings::default(),
            timeout: Duration::from_mins(5),
            lost_grace: Duration::from_secs(30),
            connect: ConnectTerms::default(),
            look_up: LookUp::default(),
            disks: Disks::default(),
            seed: 0,
        }
    }
}

// === impl Gateway ===

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("terms", &self.shared.terms).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Starts a gateway before these services. Must be called within a tokio runtime.
    pub fn start(
        terms: GatewayTerms,
        backends: Vec<(Analyzer, Backend)>,
        book: Option<Arc<Book>>,
        resolve: Resolve,
    ) -> Self {
        let connector = Connector::new(terms.connect.clone());
        let pool = Arc::new(Pool::start(connector.clone(), terms.pool, Dice::seeded(terms.seed)));
        let services: BTreeMap<&'static str, ServiceId> = assay_wire::routes::ANALYZERS
            .iter()
            .map(|row| (row.analyzer.as_str(), pool.service(row.analyzer.as_str())))
            .collect();
        let stream = Arc::new(Stream::default());
        let metrics = Arc::<Metrics>::default();
        let dispatch = Dispatch::new(
            Means {
                pool: Arc::clone(&pool),
                services: services.clone(),
                book: book.clone(),
                stream: Arc::clone(&stream),
                metrics: Arc::clone(&metrics),
            },
            terms.seed,
        );
        let (desk, office) = Desk::open(desk_terms(&terms), Arc::new(dispatch));
        let tasks = TaskTracker::new();
        tasks.spawn(office);
        let shared = Shared {
            accounts: Mutex::new(Accounts::new(terms.rate)),
            desk,
            pool,
            connector,
            last_health: LastHealth::default(),
            stream,
            metrics,
            resolve,
            book,
            services,
            batches: Batches::default(),
            replicas: Mutex::default(),
            started: Instant::now(),
            tasks,
            sharing: TaskTracker::new(),
            closing: CancellationToken::new(),
            terms,
        };
        let named = shared.join_all(backends);
        let shared = Arc::new(shared);
        shared.tasks.spawn(breakers::log_transitions(Arc::clone(&shared)));
        for name in named {
            shared.tasks.spawn(name.follow(Arc::clone(&shared)));
        }
        Self { shared }
    }

    /// Serves one client to the end of its connection.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses the connection: its work lives on for the grace.
    pub async fn serve(&self, connection: Connection, client: Client) {
        session::serve(Arc::clone(&self.shared), connection, client).await;
    }

    /// Says everything that is counted, in the text format of OpenMetrics.
    pub async fn metrics(&self) -> String {
        let shared = &self.shared;
        let (desk, _) = shared.desk.stats().await;
        let (pool, rooms) = (Some(shared.pool.stats()), shared.terms.disks.look().await);
        shared.metrics.text(&Seen { desk, pool, clients: shared.clients(), rooms })
    }

    /// Takes nothing new, and waits for what runs. What still runs after `within` is cancelled;
    /// then every connection is closed.
    pub async fn shut_down(&self, within: Duration) {
        let shared = &self.shared;
        if tokio::time::timeout(within, shared.desk.drain()).await.is_err() {
            shared.desk.shut_down().await;
            tokio::time::timeout(STOP_WITHIN, shared.desk.drain()).await.ok();
        }
        shared.sharing.close();
        tokio::time::timeout(CLOSE_WITHIN, shared.sharing.wait()).await.ok();
        shared.closing.cancel();
        shared.pool.shut_down(Instant::now() + CLOSE_WITHIN).await;
        shared.tasks.close();
    }
}

/// How long runs have to stop once they were told.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// How long connections to services have to close.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

// === impl Shared ===

impl Shared {
    /// Gives work to the services that the gateway starts with. Returns those whose address has to be
    /// looked up.
    fn join_all(&self, backends: Vec<(Analyzer, Backend)>) -> Vec<Named> {
        let local = self.connector.local();
        let mut named = Vec::new();
        for (number, (analyzer, backend)) in backends.into_iter().enumerate() {
            let id = format!("{}-{number}", analyzer.as_str());
            match backend {
                Backend::Remote { url } => {
                    let url = self.connector.name_of(url);
                    let name = Named::of(analyzer, &id, &url);
                    let endpoint = self.join(analyzer, id, url, SLOTS);
                    named.extend(name.map(|name| name.met_by_name(endpoint)));
                }
                Backend::Local { slots, connect } => {
                    let url = format!("local:{}/{number}", analyzer.as_str());
                    local.add(&url, connect);
                    self.join(analyzer, id, url, slots);
                }
            }
        }
        named
    }

    /// Gives work to one more replica.
    fn join(&self, analyzer: Analyzer, id: String, url: String, slots: u32) -> EndpointId {
        let terms = EndpointTerms::local(&url, slots.max(1));
        self.join_as(analyzer, id, url, terms)
    }

    fn join_as(
        &self,
        analyzer: Analyzer,
        id: String,
        url: String,
        terms: EndpointTerms,
    ) -> EndpointId {
        let endpoint = self.pool.add(self.services[analyzer.as_str()], terms);
        self.seat(id, Replica { analyzer, told: url.clone(), url, endpoint });
        endpoint
    }

    /// Knows a replica by its id; one that had it before gets no more work.
    fn seat(&self, id: String, replica: Replica) {
        let mut replicas = self.replicas.lock().expect("nothing panics while it holds them");
        if let Some(before) = replicas.insert(id, replica) {
            self.pool.drain(before.endpoint);
        }
    }

    /// Gives a replica no more work. Returns whether there was one.
    fn part(&self, id: &str) -> bool {
        let mut replicas = self.replicas.lock().expect("nothing panics while it holds them");
        let parted = replicas.remove(id);
        if let Some(replica) = &parted {
            self.pool.drain(replica.endpoint);
        }
        parted.is_some()
    }
}

fn desk_terms(terms: &GatewayTerms) -> DeskTerms {
    DeskTerms {
        name: "gateway",
        ledger: LedgerTerms { lost_grace: terms.lost_grace, ..LedgerTerms::default() },
        door: AdmissionLimits {
            permits: terms.running_max,
            queue_max: terms.queue_max,
            client_max: terms.client_queue_max,
            bytes_max: terms.bytes_max,
            reserve: 1,
            reserve_queue_max: 1,
            quantum: 1,
        },
        kept: KEPT,
    }
}
