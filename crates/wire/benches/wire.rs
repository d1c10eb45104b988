//! Question: what does the server's side of the wire cost: a heartbeat there and back with 16 of them in
//! flight, one frame to 500 subscribers, a connection that is idle?
//! Expected: at least 100,000 round trips and 500,000 deliveries in a second of one processor, at most
//! 8 KiB for each of 9,000 idle connections, and none of it dearer than with tungstenite.
//!
//! `cargo bench -p assay-wire --bench wire`. Each server is one thread; what counts is the time that
//! this thread was on a processor, so that a busy machine changes little. The clients speak raw TCP
//! in the same program, so an idle connection takes two descriptors (`ulimit -n`). Memory is of the
//! whole program, and measured of one server only: of tungstenite with `-- tungstenite`.

#![allow(clippy::unwrap_used, reason = "a bench")]
#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use assay_wire::{
    Connection, Handler, Limits, ListenNote, ListenTerms, Listener, Origins, Peer, Progress,
    Utf8Bytes,
    answer::{Request, Response},
    gateway::{self, Frame, Reply},
    pair, upgrade,
};
use futures_util::{SinkExt, StreamExt};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::broadcast;
use tokio_tungstenite::{
    accept_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

const CONNECTIONS: usize = 50;
const IN_FLIGHT: usize = 16;
const ROUNDS: usize = 500;
const SUBSCRIBERS: usize = 500;
const EVENTS: usize = 4_000;
const IDLE: usize = 9_000;
const RESULT: usize = 50 << 20;

fn main() {
    println!("{IDLE} idle connections, each after one heartbeat");
    if std::env::args().any(|argument| argument == "tungstenite") {
        return idle("tungstenite", serve_tungstenite);
    }
    idle("ours", serve_ours);
    println!(
        "{CONNECTIONS} connections, {IN_FLIGHT} heartbeats in flight on each, {ROUNDS} rounds"
    );
    round_trips("ours", serve_ours);
    round_trips("tungstenite", serve_tungstenite);
    println!("{EVENTS} events to {SUBSCRIBERS} subscribers, 16 for each flush");
    deliveries("ours", serve_ours);
    deliveries("tungstenite", serve_tungstenite);
    println!("a result of {} MiB between two ends in one process", RESULT >> 20);
    large_result();
}

/// What a server does with a connection.
#[derive(Clone)]
enum Work {
    Answer,
    /// Sends what comes, 16 for each flush.
    Publish(broadcast::Sender<Utf8Bytes>),
}

type Serve = fn(TcpListener, Work) -> std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// A server on a thread of its own.
struct Server {
    address: SocketAddr,
    /// Where the kernel counts the thread's time.
    counter: String,
}

// === impl Server ===

impl Server {
    fn start(serve: Serve, work: Work) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let id = fs::read_link("/proc/thread-self").unwrap();
            tell.send(format!("/proc/{}/schedstat", id.display())).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(serve(listener, work));
        });
        Self { address, counter: told.recv().unwrap() }
    }

    /// The time that the server was on a processor.
    fn time(&self) -> Duration {
        let text = fs::read_to_string(&self.counter).unwrap();
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    }

    fn client(&self) -> TcpStream {
        let mut client = TcpStream::connect(self.address).unwrap();
        client.set_nodelay(true).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        client.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            client.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        client
    }
}

/// A heartbeat as a client frames it; the mask is zero, which changes nothing.
fn heartbeat() -> Vec<u8> {
    let text =
        br#"{"type":"heartbeat","id":"client-000001","timestamp":"2026-11-23T09:04:45.264235"}"#;
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(text);
    frame
}

/// Reads one frame of the server, and returns how long it was.
fn read_frame(client: &mut TcpStream) -> usize {
    let mut head = [0; 4];
    client.read_exact(&mut head).unwrap();
    assert_eq!(head[..2], [0x81, 126], "a frame of 126 bytes to 64 KiB");
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let mut payload = vec![0; length];
    client.read_exact(&mut payload).unwrap();
    4 + length
}

fn tell(name: &str, what: &str, count: usize, busy: Duration, began: Instant) {
    let count = u32::try_from(count).unwrap();
    println!(
        "  {name:12} {:>9.0} {what} in a second of the server's processor, {:>8.0} in a second",
        f64::from(count) / busy.as_secs_f64(),
        f64::from(count) / began.elapsed().as_secs_f64(),
    );
}

fn round_trips(name: &str, serve: Serve) {
    let server = Server::start(serve, Work::Answer);
    let one = heartbeat();
    let mut clients: Vec<TcpStream> = (0..CONNECTIONS).map(|_| server.client()).collect();
    let mut length = 0;
    for client in &mut clients {
        client.write_all(&one).unwrap();
        length = read_frame(client);
    }
    let batch = one.repeat(IN_FLIGHT);
    let mut answers = vec![0; length * IN_FLIGHT];
    let (before, began) = (server.time(), Instant::now());
    for _ in 0..ROUNDS {
        for client in &mut clients {
            client.write_all(&batch).unwrap();
        }
        for client in &mut clients {
            client.read_exact(&mut answers).unwrap();
        }
    }
    let busy = server.time().saturating_sub(before);
    tell(name, "round trips", CONNECTIONS * IN_FLIGHT * ROUNDS, busy, began);
}

fn event() -> Utf8Bytes {
    let progress = Progress {
        analysis_id: "20261123-090505-1".to_owned(),
        stage: "running".to_owned(),
        progress: 0.5,
        message: "bandit: 3 so far".to_owned(),
        ..Progress::default()
    };
    Frame::new(Reply::Progress(Box::new(progress))).encode()
}

fn deliveries(name: &str, serve: Serve) {
    let (events, _) = broadcast::channel(EVENTS + 1);
    let server = Server::start(serve, Work::Publish(events.clone()));
    let mut clients: Vec<TcpStream> = (0..SUBSCRIBERS).map(|_| server.client()).collect();
    while events.receiver_count() < SUBSCRIBERS {
        thread::sleep(Duration::from_millis(1));
    }
    let event = event();
    let length = 4 + event.len();
    let (before, began) = (server.time(), Instant::now());
    let publisher = thread::spawn(move || {
        for _ in 0..EVENTS {
            events.send(event.clone()).unwrap();
        }
        events
    });
    let mut room = vec![0; length * 100];
    for _ in 0..EVENTS / 100 {
        for client in &mut clients {
            client.read_exact(&mut room).unwrap();
        }
    }
    let busy = server.time().saturating_sub(before);
    tell(name, "deliveries", SUBSCRIBERS * EVENTS, busy, began);
    drop(publisher.join());
}

fn large_result() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let text = Utf8Bytes::from("x".repeat(RESULT));
        let (mut one, mut other) = pair(Limits::local());
        let began = Instant::now();
        let (sent, arrived) = tokio::join!(one.send(text.clone()), other.next());
        sent.unwrap();
        assert_eq!(arrived.unwrap().unwrap().len(), RESULT);
        println!("  ours         {:>6} ms", began.elapsed().as_millis());

        let (one, other) = tokio::io::duplex(64 << 10);
        let config = Some(
            WebSocketConfig::default().max_message_size(Some(RESULT)).max_frame_size(Some(RESULT)),
        );
        let role = tungstenite::protocol::Role::Server;
        let mut one = tokio_tungstenite::WebSocketStream::from_raw_socket(one, role, config).await;
        let role = tungstenite::protocol::Role::Client;
        let mut other =
            tokio_tungstenite::WebSocketStream::from_raw_socket(other, role, config).await;
        let began = Instant::now();
        let (sent, arrived) = tokio::join!(one.send(Message::Text(text)), other.next());
        sent.unwrap();
        assert_eq!(arrived.unwrap().unwrap().len(), RESULT);
        println!("  tungstenite  {:>6} ms", began.elapsed().as_millis());
    });
}

fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn idle(name: &str, serve: Serve) {
    let server = Server::start(serve, Work::Answer);
    let one = heartbeat();
    let mut clients = Vec::with_capacity(IDLE);
    for _ in 0..100 {
        clients.push(server.client());
    }
    let before = resident();
    for _ in 0..IDLE {
        let mut client = server.client();
        client.write_all(&one).unwrap();
        read_frame(&mut client);
        clients.push(client);
    }
    let each = (resident() - before) / u64::try_from(IDLE).unwrap();
    println!("  {name:12} {each:>6} bytes each");
}

// === The servers ===

struct Door(Work);

impl Handler for Door {
    async fn handle(&self, mut request: Request, _: Peer) -> Response {
        let (answer, upgrading) =
            upgrade(&mut request, Limits::new(), &Origins::default()).unwrap();
        let work = self.0.clone();
        tokio::spawn(async move { work_ours(upgrading.connection().await.unwrap(), work).await });
        answer
    }

    fn note(&self, _: ListenNote) {}
}

fn serve_ours(listener: TcpListener, work: Work) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async {
        let terms = ListenTerms { connections_max: 20_000, ..ListenTerms::default() };
        let listener = Listener::from_std(listener, terms).unwrap();
        listener.serve(Arc::new(Door(work)), std::future::pending()).await;
    })
}

async fn work_ours(connection: Connection, work: Work) {
    let (mut reader, mut writer) = connection.split();
    match work {
        Work::Answer => {
            while let Ok(Some(text)) = reader.next().await {
                let mut text = Some(text);
                while let Some(request) = text {
                    writer.feed(answer(&request)).await.unwrap();
                    text = reader.next_arrived().unwrap();
                }
                writer.flush().await.unwrap();
            }
        }
        Work::Publish(events) => {
            let mut events = events.subscribe();
            while let Ok(event) = events.recv().await {
                writer.feed(event).await.unwrap();
                for _ in 1..16 {
                    let Ok(event) = events.try_recv() else { break };
                    writer.feed(event).await.unwrap();
                }
                if writer.flush().await.is_err() {
                    break;
                }
            }
        }
    }
}

fn serve_tungstenite(
    listener: TcpListener,
    work: Work,
) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let work = work.clone();
            tokio::spawn(async move {
                // What its documentation recommends for many connections.
                let config = WebSocketConfig::default().read_buffer_size(4 << 10);
                let socket = accept_async_with_config(stream, Some(config)).await.unwrap();
                work_tungstenite(socket, work).await;
            });
        }
    })
}

async fn work_tungstenite(
    mut socket: tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>,
    work: Work,
) {
    match work {
        Work::Answer => {
            while let Some(Ok(Message::Text(text))) = socket.next().await {
                socket.feed(Message::Text(answer(&text))).await.unwrap();
                while let Some(Some(Ok(Message::Text(text)))) =
                    futures_util::FutureExt::now_or_never(socket.next())
                {
                    socket.feed(Message::Text(answer(&text))).await.unwrap();
                }
                socket.flush().await.unwrap();
            }
        }
        Work::Publish(events) => {
            let mut events = events.subscribe();
            while let Ok(event) = events.recv().await {
                socket.feed(Message::Text(event)).await.unwrap();
                for _ in 1..16 {
                    let Ok(event) = events.try_recv() else { break };
                    socket.feed(Message::Text(event)).await.unwrap();
                }
                if socket.flush().await.is_err() {
                    break;
                }
            }
        }
    }
}

fn answer(text: &str) -> Utf8Bytes {
    let frame = Frame::<gateway::Request>::decode(text).unwrap();
    assert_eq!(frame.body, gateway::Request::Heartbeat);
    Frame::answering(frame.envelope.id, Reply::Heartbeat).encode()
}
