//! Question: how much can one gateway answer, and what does an idle or a stalled client cost?
//! Expected: more than 100,000 heartbeats for each second of its CPU time, since a heartbeat costs one
//! read, one parse of a few bytes, and a part of one write.
//!
//! The server is a process of its own, pinned to one core; the clients are another, on another core.
//! `cargo bench -p assay-server --bench gateway`, each figure on a line of its own; with `-- WORD` only
//! the part of that name: heartbeats, deliveries, idle, overhead, flat, start, busy. The last two need
//! `cargo build --release -p assay`.

#![allow(clippy::unwrap_used, reason = "a bench ends where its premise does")]

#[path = "../../tests/common/mod.rs"]
mod common; // an analyzer that does nothing
mod real; // the real binary with real tools
mod work; // analyses that cost nothing themselves

use assay_rules::rate_limit;
use assay_server::{
    Backend, Client, Gateway, GatewayTerms, Resolved, Scopes, Service, ServiceTerms,
};
use assay_store::{Book, BookTerms};
use assay_wire::{
    Analyzer, ConnectTerms, Connection, Limits, ListenNote, ListenTerms, Listener, Origins, Peer,
    Utf8Bytes,
    answer::{Request, Response},
    connect, upgrade,
};
use common::fake::Fake;
use rustix::{
    process::{Pid, Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_setaffinity},
};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    num::NonZeroU32,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::{
    runtime::Builder,
    task::JoinSet,
    time::{Instant, sleep},
};

const SERVER: &str = "ASSAY_BENCH_SERVER";
const BOOK: &str = "ASSAY_BENCH_BOOK";
const HEARTBEAT: &str = r#"{"type":"heartbeat","id":"a2"}"#;
const SUBSCRIBE: &str = r#"{"type":"status_request","data":{"subscribe":"events"}}"#;
const PROGRESS: &str = r#"{"type":"progress_update","data":{"stage":"scanning","progress":0.5,"message":"half of it"}}"#;

fn main() {
    raise_descriptors();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    if env::var_os(SERVER).is_some() {
        pin(0);
        runtime.block_on(serve());
        return;
    }
    pin(1);
    runtime.block_on(async {
        if is_wanted("heartbeats") {
            heartbeats(50, 1).await;
            heartbeats(50, 16).await;
        }
        if is_wanted("deliveries") {
            // To and fro, so that what changes with time falls on both.
            for with_stalled in [false, true, true, false] {
                deliveries(500, with_stalled).await;
            }
        }
        if is_wanted("idle") {
            idle(10_000).await;
        }
        if is_wanted("overhead") {
            work::overhead().await;
        }
        if is_wanted("flat") {
            work::flat(1_000_000).await;
        }
    });
    // The binary and its tools have all cores.
    unpin();
    runtime.block_on(async {
        if is_wanted("start") {
            real::start(50).await;
        }
        if is_wanted("busy") {
            real::busy(Duration::from_secs(20)).await;
        }
    });
}

/// Whether this part was asked for: by its name, or by no name.
fn is_wanted(part: &str) -> bool {
    let mut words = env::args().skip(1).filter(|word| !word.starts_with("--")).peekable();
    words.peek().is_none() || words.any(|word| word == part)
}

// === the server ===

struct Door {
    gateway: Gateway,
}

impl assay_wire::Handler for Door {
    async fn handle(&self, mut request: Request, peer: Peer) -> Response {
        match upgrade(&mut request, Limits::new(), &Origins::default()) {
            Err(refused) => *refused,
            Ok((response, upgrading)) => {
                let gateway = self.gateway.clone();
                tokio::spawn(async move {
                    if let Ok(connection) = upgrading.connection().await {
                        let who = peer.address.ip().to_string().as_str().into();
                        gateway.serve(connection, Client { who, scopes: Scopes::ALL }).await;
                    }
                });
                response
            }
        }
    }

    fn note(&self, note: ListenNote) {
        eprintln!("{note:?}");
    }
}

async fn serve() {
    let service = Service::start(Fake, ServiceTerms::default());
    let backend = Backend::Local { slots: 4, connect: Box::new(move || service.connect()) };
    let resolve =
        Arc::new(|request| Box::pin(async move { Ok(Resolved { request, digest: None }) }) as _);
    // One client asks for everything, and is not to be told that it asks too often.
    let rate = rate_limit::Settings {
        per_second: NonZeroU32::MAX,
        burst: NonZeroU32::MAX,
        ..rate_limit::Settings::default()
    };
    let terms = GatewayTerms { rate, ..GatewayTerms::default() };
    let book = env::var_os(BOOK)
        .map(|folder| Arc::new(Book::open(folder.as_ref(), BookTerms::default()).unwrap().0));
    let gateway = Gateway::start(terms, vec![(Analyzer::Static, backend)], book, resolve);
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(address, ListenTerms::default()).await.unwrap();
    println!("{}", listener.address().unwrap());
    listener.serve(Arc::new(Door { gateway }), std::future::pending()).await;
}

struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(variables: &[(&str, &Path)]) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .env(SERVER, "1")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, url: format!("ws://{}", line.trim()) }
    }

    async fn connect(&self) -> Connection {
        connect(&self.url, &ConnectTerms::default()).await.unwrap()
    }

    /// CPU time that it has used.
    fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

// === the clients ===

/// So many connections, each with so many heartbeats on their way.
async fn heartbeats(connections: u32, in_flight: u32) {
    const ROUNDS: u32 = 4_000;
    let server = Server::start();
    let mut tasks = JoinSet::new();
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(server.connect().await);
    }
    let (begun, cpu) = (Instant::now(), server.cpu());
    let rounds = ROUNDS / if in_flight == 1 { 1 } else { 4 };
    for mut client in clients {
        tasks.spawn(async move {
            let mut slowest = Duration::ZERO;
            for _ in 0..rounds {
                let asked = Instant::now();
                let (reader, writer) = client.halves();
                for _ in 0..in_flight {
                    writer.feed(Utf8Bytes::from_static(HEARTBEAT)).await.unwrap();
                }
                writer.flush().await.unwrap();
                for _ in 0..in_flight {
                    reader.next().await.unwrap().unwrap();
                }
                slowest = slowest.max(asked.elapsed());
            }
            slowest
        });
    }
    let mut slowest = Duration::ZERO;
    while let Some(one) = tasks.join_next().await {
        slowest = slowest.max(one.unwrap());
    }
    let (took, cpu) = (begun.elapsed(), server.cpu().saturating_sub(cpu));
    let count = f64::from(connections * rounds * in_flight);
    println!(
        "heartbeats, {connections} connections, {in_flight} in flight: {:.0}/s, {:.0} per server CPU second, slowest round {slowest:?}",
        count / took.as_secs_f64(),
        count / cpu.as_secs_f64(),
    );
}

/// One publisher, so many subscribers; perhaps one more that never reads.
async fn deliveries(subscribers: u32, with_stalled: bool) {
    const EVENTS: u32 = 2_000;
    let server = Server::start();
    let mut clients = Vec::new();
    for _ in 0..subscribers {
        let mut client = server.connect().await;
        client.send(Utf8Bytes::from_static(SUBSCRIBE)).await.unwrap();
        client.next().await.unwrap().unwrap();
        clients.push(client);
    }
    let mut stalled = server.connect().await;
    if with_stalled {
        stalled.send(Utf8Bytes::from_static(SUBSCRIBE)).await.unwrap();
    }
    let mut publisher = server.connect().await;
    let (begun, cpu) = (Instant::now(), server.cpu());
    let mut tasks = JoinSet::new();
    for mut client in clients {
        tasks.spawn(async move {
            for _ in 0..EVENTS {
                client.next().await.unwrap().unwrap();
            }
        });
    }
    tasks.spawn(async move {
        for _ in 0..EVENTS / 20 {
            let (reader, writer) = publisher.halves();
            for _ in 0..20 {
                writer.feed(Utf8Bytes::from_static(PROGRESS)).await.unwrap();
            }
            writer.flush().await.unwrap();
            for _ in 0..20 {
                reader.next().await.unwrap().unwrap();
            }
        }
    });
    while let Some(one) = tasks.join_next().await {
        one.unwrap();
    }
    let (took, cpu) = (begun.elapsed(), server.cpu().saturating_sub(cpu));
    let count = f64::from(subscribers * EVENTS);
    let beside = if with_stalled { ", one more stalled" } else { "" };
    println!(
        "deliveries to {subscribers} subscribers{beside}: {:.0}/s, {:.0} per server CPU second",
        count / took.as_secs_f64(),
        count / cpu.as_secs_f64(),
    );
}

/// What a connection costs that says nothing.
async fn idle(connections: u32) {
    let server = Server::start();
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(server.connect().await);
    }
    let before = server.resident_kib();
    for _ in 100..connections {
        clients.push(server.connect().await);
    }
    sleep(Duration::from_secs(1)).await;
    let after = server.resident_kib();
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    let each = (after - before) as f64 / f64::from(connections - 100);
    println!("idle connections: {each:.2} KiB each, at {connections}");
}

fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    // On a machine with one core both share it, and the figures say less.
    sched_setaffinity(None::<Pid>, &cores).ok();
}

fn unpin() {
    let mut cores = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|core| cores.set(core));
    sched_setaffinity(None::<Pid>, &cores).ok();
}

fn raise_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).ok();
}
