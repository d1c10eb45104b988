//! A gateway and services in one process under paused time, and clients that do as a script says.
//!
//! Whatever the script says must hold: no panic; each request has one end; what is sent at once is
//! answered at once; no more runs, waits or is connected than the bounds allow; and when all clients
//! have gone, nothing is left, no task either.

use crate::{
    analyzer::{AsTold, PANIC},
    peer::{Peer, Seen, With},
    script::{Action, PEERS, Script},
};
use assay_server::{
    Backend, Client, Gateway, GatewayTerms, Resolved, Scopes, Service, ServiceTerms,
};
use assay_wire::{Analyzer, Connection, Limits, Side};
use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    sync::{
        Arc, Once,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle},
    task::JoinSet,
    time::sleep,
};

const SLOTS: u32 = 2;
const SERVICE_QUEUE: usize = 3;
const CAP: u32 = 2;
const RUNNING: u32 = 3;
const QUEUE: usize = 3;

/// Bytes that a message may have.
const MESSAGE_MAX: usize = 4_096;

/// Tasks of one session and of what it asks for: far above what a script can ask for at once.
const TASKS_OF_A_PEER: usize = 500;

/// Longer than any deadline, grace and stop together, in paused time.
const FOREVER: Duration = Duration::from_mins(20);

/// Actions between two looks at the bounds: a look costs as much as many actions.
const CHECK_EVERY: u32 = 8;

/// Until everything that can be done without waiting is done.
const MOMENT: Duration = Duration::from_millis(1);

/// Panics that nobody asked for.
static PANICS: AtomicU64 = AtomicU64::new(0);

struct World {
    gateway: Gateway,
    service: Service<AsTold>,
    serving: JoinSet<()>,
    peers: Vec<Option<Peer>>,
    seen: Seen,
    /// Tasks when nobody was there yet.
    tasks: usize,
}

/// Plays a script to its end. Returns words for what clients were told.
pub(crate) fn drive(bytes: &[u8]) -> BTreeSet<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let is_told = info.payload().downcast_ref::<String>().is_some_and(|text| text == PANIC)
                || info.payload().downcast_ref::<&str>().is_some_and(|text| *text == PANIC);
            if !is_told {
                PANICS.fetch_add(1, Ordering::Relaxed);
                others(info);
            }
        }));
    });
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let seen = runtime.expect("a runtime of one thread").block_on(play(Script::new(bytes)));
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "something panicked");
    seen
}

async fn play(mut script: Script<'_>) -> BTreeSet<String> {
    let mut world = World::new(u64::from(script.byte())).await;
    let mut actions = 0_u32;
    while let Some((peer, action)) = script.next() {
        world.act(peer, action).await;
        sleep(MOMENT).await;
        world.hear().await;
        actions += 1;
        if actions.is_multiple_of(CHECK_EVERY) {
            world.check().await;
        }
    }
    world.tells_all().await;
    let seen = Seen::clone(&world.seen);
    world.leaves_nothing().await;
    seen.take()
}

// === impl World ===

impl World {
    async fn new(seed: u64) -> Self {
        let terms = ServiceTerms {
            slots: SLOTS,
            queue_max: SERVICE_QUEUE,
            timeout: Duration::from_secs(20),
            ..ServiceTerms::default()
        };
        let service = Service::start(AsTold, terms);
        let local = service.clone();
        let backend = Backend::Local { slots: SLOTS, connect: Box::new(move || local.connect()) };
        let mut terms = GatewayTerms { seed, running_max: RUNNING, ..GatewayTerms::default() };
        terms.queue_max = QUEUE;
        terms.timeout = Duration::from_secs(20);
        terms.pool.max_connections = NonZeroU32::new(CAP).expect("it is not 0");
        terms.pool.idle_timeout = Duration::from_secs(5);
        terms.rate.burst = NonZeroU32::new(4).expect("it is not 0");
        terms.rate.per_second = NonZeroU32::MIN;
        let resolve = Arc::new(|request| {
            let found = Resolved { request, digest: None };
            Box::pin(async move { Ok(found) }) as _
        });
        let gateway = Gateway::start(terms, vec![(Analyzer::Static, backend)], None, resolve);
        sleep(MOMENT).await;
        let tasks = Handle::current().metrics().num_alive_tasks();
        let peers = (0..PEERS).map(|_| None).collect();
        let seen = Seen::default();
        Self { gateway, service, serving: JoinSet::new(), peers, seen, tasks }
    }

    /// The client of this number, which connects if it is not there.
    fn peer(&mut self, number: usize) -> &mut Peer {
        if self.peers[number].is_none() {
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            let limits = Limits { message_max: MESSAGE_MAX, ..Limits::new() };
            let connection = Connection::new(Box::new(theirs), Side::Server, limits).lasting();
            // One of them speaks to the service itself.
            let with = if number == 0 { With::Service } else { With::Gateway };
            let (gateway, service) = (self.gateway.clone(), self.service.clone());
            // Two of them are the same client.
            let who = Client { who: format!("client-{}", number / 2).into(), scopes: Scopes::ALL };
            self.serving.spawn(async move {
                match with {
                    With::Gateway => gateway.serve(connection, who).await,
                    With::Service => service.serve(connection, &who.who).await,
                }
            });
            self.peers[number] = Some(Peer::new(with, Seen::clone(&self.seen), ours));
        }
        self.peers[number].as_mut().expect("it was made above")
    }

    async fn act(&mut self, number: usize, action: Action) {
        let peer = self.peer(number);
        match action {
            Action::Ask { asked, manner, same_id } => peer.ask(asked, manner, same_id).await,
            Action::Say { text, manner } => peer.say(&text, manner).await,
            Action::Raw(bytes) => peer.foul(bytes).await,
            Action::Deafen => peer.is_deaf = true,
            Action::Hear => peer.is_deaf = false,
            Action::Beat => {
                let Some(id) = peer.beat().await else { return };
                sleep(MOMENT).await;
                peer.hear().await;
                assert!(!peer.is_due(&id), "a heartbeat is not answered at once");
            }
            Action::Leave { politely } => {
                if politely {
                    peer.goodbye().await;
                }
                self.peers[number] = None;
            }
            Action::Wait { ms } => sleep(Duration::from_millis(ms)).await,
            Action::Drain => {
                let gateway = self.gateway.clone();
                self.serving.spawn(async move { gateway.shut_down(Duration::from_secs(5)).await });
            }
        }
    }

    async fn hear(&mut self) {
        for peer in &mut self.peers {
            if let Some(heard) = peer {
                heard.hear().await;
                // It comes back when the script names it again.
                if heard.is_closed {
                    *peer = None;
                }
            }
        }
        while let Some(ended) = self.serving.try_join_next() {
            ended.expect("a session panicked");
        }
    }

    /// Nothing is above its bound.
    async fn check(&self) {
        let health = self.service.health().await;
        // Beside those at the door, a refresh waits for each that runs.
        let queued = SERVICE_QUEUE as u64 + u64::from(SLOTS);
        assert!(health.active <= u64::from(SLOTS) && health.queued <= queued, "{health:?}");
        let text = self.gateway.metrics().await;
        let bounds = [
            ("assay_queued ", QUEUE as u64 + u64::from(RUNNING)),
            ("assay_running ", u64::from(RUNNING)),
            ("assay_clients ", u64::from(PEERS)),
        ];
        for (name, bound) in bounds {
            let found = number(&text, name);
            assert!(found <= bound, "{name}is {found}, above {bound}");
        }
        let open: u64 = text
            .lines()
            .filter(|line| line.starts_with("assay_pool_connections{"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum();
        assert!(open <= u64::from(CAP), "{open} connections, the cap is {CAP}");
        // A gateway that has closed has fewer tasks of its own.
        let tasks = Handle::current().metrics().num_alive_tasks().saturating_sub(self.tasks);
        assert!(tasks <= TASKS_OF_A_PEER * usize::from(PEERS), "{tasks} tasks");
    }

    /// Waits until every client that is still there was told all that it is owed.
    async fn tells_all(&mut self) {
        let mut waited = Duration::ZERO;
        while self.peers.iter().flatten().any(|peer| !peer.is_deaf && peer.is_owed()) {
            let step = Duration::from_millis(500);
            waited += step;
            let owed = || -> Vec<_> { self.peers.iter().flatten().map(Peer::due).collect() };
            assert!(waited < FOREVER, "a client waits for ever: {:?}", owed());
            sleep(step).await;
            self.hear().await;
        }
    }

    /// Waits until nothing is left, once all clients have gone.
    async fn leaves_nothing(mut self) {
        self.peers.clear();
        let mut waited = Duration::ZERO;
        loop {
            let step = Duration::from_secs(5);
            sleep(step).await;
            waited += step;
            self.hear().await;
            let text = self.gateway.metrics().await;
            let health = self.service.health().await;
            let tasks = Handle::current().metrics().num_alive_tasks();
            let left = number(&text, "assay_running ") + number(&text, "assay_queued ");
            let clients = number(&text, "assay_clients ");
            if left + clients + health.active + health.queued == 0 && tasks <= self.tasks {
                return;
            }
            assert!(waited < FOREVER, "{left} runs, {clients} clients, {tasks} tasks are left");
        }
    }
}

/// The value of a metric without labels.
fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no `{name}` in {text}"))
}
