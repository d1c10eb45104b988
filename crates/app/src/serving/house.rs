//! What one process serves, from its sockets to its end.
//!
//! Keeps: a configuration that is wrong leaves the old one in force; at the end nothing new is taken,
//! what runs is finished or cancelled, everybody hears of his end, and the book is closed last.

use super::{
    Told,
    door::{Behind, Door, Front},
    places::{Place, Places, Whom},
    rules::{Rules, own_token},
    shelf::{book_folder, open_book, prune},
};
use crate::{
    analyzers::{StaticAnalyzer, Subjects, Surroundings},
    cli::Global,
    commands::results_root,
    failure::Failure,
    host,
};
use assay_config::{Config, Loaded, Serve};
use assay_server::{
    Analyze, Answer, Backend, Disks, Gateway, GatewayTerms, Job, Recovered, Resume, Service,
    ServiceTerms, Tell, ToolsAtHand,
};
use assay_store::Book;
use assay_wire::{Analyzer, ConnectTerms, Connection, Limits, Payload, TlsServer, pair};
use std::{
    collections::hash_map::RandomState, hash::BuildHasher as _, net::SocketAddr, num::NonZeroU32,
    path::PathBuf, sync::Arc, time::Duration,
};
use tokio::{sync::watch, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What one process serves.
pub(super) struct House {
    told: Told,
    front: Arc<Front>,
    gateway: Option<Gateway>,
    service: Option<Service<Shared>>,
    analyzer: Option<Shared>,
    subjects: Option<Arc<Subjects>>,
    book: Option<(Book, String)>,
    recovered: Recovered,
    tls: Option<TlsServer>,
    addresses: Vec<(Whom, SocketAddr)>,
    /// The loops that accept, and the one that prunes.
    accepting: TaskTracker,
    closing: CancellationToken,
}

/// The analyzer, which its service owns and a reload reaches.
#[derive(Clone)]
struct Shared(Arc<StaticAnalyzer>);

/// How long clients may take to hear of the end of everything.
const GOODBYE_WITHIN: Duration = Duration::from_secs(5);

impl Analyze for Shared {
    fn sort(&self) -> Analyzer {
        self.0.sort()
    }

    fn tools(&self) -> ToolsAtHand {
        self.0.tools()
    }

    fn configuration(&self) -> Payload {
        self.0.configuration()
    }

    fn analyse(&self, job: Job, tell: Tell) -> impl Future<Output = Answer> + Send {
        self.0.analyse(job, tell)
    }
}

// === impl House ===

impl House {
    /// The gateway, before the services of this process and those that run elsewhere.
    pub(super) async fn with_gateway(
        told: Told,
        places: Places,
        rules: Arc<Rules>,
        global: &Global,
    ) -> Result<Self, Failure> {
        let serve = told.config.serve.clone();
        let book = open_book(&serve).await?;
        let mut house = Self::empty(told, &places, rules);
        let mut backends = elsewhere(&serve);
        let (begun, beginning) = watch::channel(None);
        let is_ours = serve.services.static_analyzer.is_empty();
        if is_ours {
            let (slots, sessions) = (slots(&serve), house.front.sessions.clone());
            let connect = Box::new(move || connect_to(&beginning, &sessions));
            backends.push((Analyzer::Static, Backend::Local { slots, connect }));
        }
        let subjects = Arc::new(Subjects::new(house.told.config.source_roots.clone()));
        let mut terms = gateway_terms(&serve)?;
        let mut disks = results_disk(&house.told.config)?;
        disks.push(("book", book_folder(&serve)?));
        terms.disks = Disks::new(disks);
        let shelf = Some(Arc::new(book.0.clone()));
        let gateway = Gateway::start(terms, backends, shelf, Arc::clone(&subjects).resolver());
        let resume = match serve.resume {
            assay_config::Resume::Restart => Resume::Restart,
            assay_config::Resume::Lose => Resume::Lose,
        };
        // Before clients are let in, so that whoever comes back finds his work.
        house.recovered = gateway.recover(resume).await?;
        house.gateway = Some(gateway);
        house.subjects = Some(subjects);
        let (shelf, retention) = (book.0.clone(), serve.retention.clone());
        let closing = house.closing.clone();
        house.accepting.spawn(async move { prune(&shelf, &retention, &closing).await });
        house.book = Some(book);
        let (gateways, services) =
            places.all.into_iter().partition(|place| place.whom == Whom::Gateway);
        // Reading the catalogue takes longer than all else: clients of the gateway are served while
        // the service begins.
        house.open(gateways);
        if is_ours {
            begun.send_replace(Some(house.begin_static(global).await?));
        }
        house.open(services);
        Ok(house)
    }

    /// One service alone.
    pub(super) async fn with_service(
        told: Told,
        places: Places,
        rules: Arc<Rules>,
        global: &Global,
    ) -> Result<Self, Failure> {
        let mut house = Self::empty(told, &places, rules);
        house.begin_static(global).await?;
        house.open(places.all);
        Ok(house)
    }

    fn empty(told: Told, places: &Places, rules: Arc<Rules>) -> Self {
        let addresses = places.all.iter().map(|place| (place.whom, place.address)).collect();
        Self {
            told,
            front: Arc::new(Front::new(rules)),
            gateway: None,
            service: None,
            analyzer: None,
            subjects: None,
            book: None,
            recovered: Recovered::default(),
            tls: places.tls.clone(),
            addresses,
            accepting: TaskTracker::new(),
            closing: CancellationToken::new(),
        }
    }

    async fn begin_static(&mut self, global: &Global) -> Result<Service<Shared>, Failure> {
        let analyzer = StaticAnalyzer::start(Surroundings::of(global)?).await?;
        let analyzer = Shared(Arc::new(analyzer));
        let Config { timeout, serve, .. } = &self.told.config;
        let terms = ServiceTerms {
            slots: slots(serve),
            queue_max: serve.queue,
            timeout: *timeout,
            disks: Disks::new(results_disk(&self.told.config)?),
            ..ServiceTerms::default()
        };
        let service = Service::start(analyzer.clone(), terms);
        self.analyzer = Some(analyzer);
        self.service = Some(service.clone());
        Ok(service)
    }

    /// Accepts clients at every socket.
    fn open(&self, places: Vec<Place>) {
        for place in places {
            let behind = match (place.whom, &self.gateway, &self.service) {
                (Whom::Gateway, Some(gateway), _) => Behind::Gateway(gateway.clone()),
                (Whom::Service(_), _, Some(service)) => Behind::Service(service.clone()),
                // Sockets are only made for who is served.
                (Whom::Gateway, None, _) | (Whom::Service(_), _, None) => continue,
            };
            let door = Arc::new(Door { front: Arc::clone(&self.front), behind });
            let closing = self.closing.clone();
            self.accepting.spawn(place.listener.serve(door, closing.cancelled_owned()));
        }
    }

    /// What there is to say when clients are served.
    pub(super) fn welcome(&self) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        let places: Vec<String> = self
            .addresses
            .iter()
            .map(|(whom, address)| format!("{} {scheme}://{address}", whom.name()))
            .collect();
        let mut said = format!("ready: {}", places.join(", "));
        if let Some((_, book)) = &self.book {
            said = format!("{said}; {book}");
        }
        let Recovered { restarted, late, lost, batches } = self.recovered;
        for (count, what) in [
            (restarted, "open tasks of before begun again"),
            (late, "open tasks of before ended, since their time is over"),
            (lost, "open tasks of before ended as lost"),
            (batches, "open batches go on"),
        ] {
            if count > 0 {
                said = format!("{said}; {count} {what}");
            }
        }
        said
    }

    /// The files in which its configuration stands, or would.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let here = self.told.loader.working_dir.join("assay.toml");
        let named = self.told.loader.named.clone();
        let mut files = self.told.files.clone();
        files.extend(named.or(Some(here)).filter(|file| !self.told.files.contains(file)));
        files
    }

    pub(super) fn drain_timeout(&self) -> Duration {
        self.told.config.serve.drain_timeout
    }

    /// Reads the configuration again. Returns what there is to say.
    ///
    /// # Errors
    ///
    /// Where it is wrong; the old one then stays in force.
    pub(super) fn reload(&mut self) -> Result<String, Failure> {
        let Loaded { config, files, .. } = self.told.loader.check()?;
        let rules = Rules::of(&config.serve)?;
        for (_, address) in &self.addresses {
            rules.may_listen_on(*address)?;
        }
        if let Some(tls) = &self.tls {
            tls.reload()?;
        }
        if let Some(Shared(analyzer)) = &self.analyzer {
            analyzer.reload()?;
        }
        if let Some(subjects) = &self.subjects {
            subjects.look_in(config.source_roots.clone());
        }
        self.front.let_in_by(Arc::new(rules));
        let fixed = needs_a_restart(&self.told.config.serve, &config.serve);
        self.told.config = config;
        self.told.files = files;
        Ok(if fixed {
            "the configuration is reloaded; some of `[serve]` changes with the next start only"
                .to_owned()
        } else {
            "the configuration is reloaded".to_owned()
        })
    }

    /// Ends: takes nothing new, finishes what runs within the time, cancels the rest. Returns whether
    /// something had to be cancelled.
    pub(super) async fn end(self, within: Duration) -> Result<bool, Failure> {
        let begun = Instant::now();
        self.front.drain();
        self.closing.cancel();
        if let Some(gateway) = &self.gateway {
            gateway.shut_down(within).await;
        }
        let was_cut = begun.elapsed() >= within;
        if let Some(service) = &self.service {
            // After the gateway, whose work it does.
            service.shut_down(within.saturating_sub(begun.elapsed())).await;
        }
        let was_cut = was_cut || begun.elapsed() >= within;
        self.front.sessions.close();
        self.accepting.close();
        let goodbye = async { tokio::join!(self.front.sessions.wait(), self.accepting.wait()) };
        if tokio::time::timeout(GOODBYE_WITHIN, goodbye).await.is_err() {
            tracing::warn!("some clients did not hear of the end");
        }
        if let Some((book, _)) = self.book {
            book.close().await?;
        }
        Ok(was_cut)
    }
}

/// Connects to the service of this process. What is sent before it has begun waits for it.
fn connect_to(
    beginning: &watch::Receiver<Option<Service<Shared>>>,
    sessions: &TaskTracker,
) -> Connection {
    let (ours, theirs) = pair(Limits::local());
    let mut beginning = beginning.clone();
    sessions.spawn(async move {
        let begun = beginning.wait_for(Option::is_some).await.ok().and_then(|begun| begun.clone());
        // A service that cannot begin ends the process, and this connection with it.
        if let Some(service) = begun {
            service.serve(theirs, "gateway").await;
        }
    });
    ours
}

/// Whether something differs that is only looked at when a server begins.
fn needs_a_restart(old: &Serve, new: &Serve) -> bool {
    let same = Serve {
        tokens: new.tokens.clone(),
        origins: new.origins.clone(),
        drain_timeout: new.drain_timeout,
        ..old.clone()
    };
    same != *new
}

/// Services that run elsewhere.
fn elsewhere(serve: &Serve) -> Vec<(Analyzer, Backend)> {
    let urls = &serve.services;
    let of = |analyzer: Analyzer, urls: &[String]| {
        let remote = |url: &String| (analyzer, Backend::Remote { url: url.clone() });
        urls.iter().map(remote).collect::<Vec<_>>()
    };
    [
        of(Analyzer::Static, &urls.static_analyzer),
        of(Analyzer::Dynamic, &urls.dynamic),
        of(Analyzer::Performance, &urls.performance),
        of(Analyzer::Ai, &urls.ai),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where results go, unless they have to fall back.
fn results_disk(config: &Config) -> Result<Vec<(&'static str, PathBuf)>, Failure> {
    let folder = match &config.output {
        Some(folder) => Some(folder.clone()),
        None => results_root()?.roots().into_iter().next(),
    };
    Ok(folder.map(|folder| ("results", folder)).into_iter().collect())
}

/// Analyses at once. Each runs several tools, and the first is not to hold up the second.
fn slots(serve: &Serve) -> u32 {
    serve.slots.map_or_else(|| (host::cpus() / 2).max(2), NonZeroU32::get)
}

fn gateway_terms(serve: &Serve) -> Result<GatewayTerms, Failure> {
    let mut terms = GatewayTerms {
        running_max: serve.pool.max_connections.get(),
        timeout: serve.analysis_timeout,
        lost_grace: serve.lost_grace,
        connect: ConnectTerms {
            token: own_token()?,
            within: serve.pool.connect_timeout,
            ..ConnectTerms::default()
        },
        // What is drawn by lot must differ between gateways.
        seed: RandomState::new().hash_one(0),
        ..GatewayTerms::default()
    };
    terms.pool.max_connections = serve.pool.max_connections;
    terms.pool.connect_timeout = serve.pool.connect_timeout;
    terms.pool.idle_timeout = serve.pool.idle_timeout;
    terms.pool.breaker.failure_threshold = serve.breaker.failures;
    terms.pool.breaker.open_for = serve.breaker.open_for;
    terms.pool.breaker.successes_to_close = serve.breaker.successes;
    Ok(terms)
}
