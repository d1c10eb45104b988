//! The real binary, with real tools.

use assay_wire::{ConnectTerms, Connection, Utf8Bytes, connect};
use serde_json::{Value, json};
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// The pause of a client between two heartbeats, so that the clients leave the cores to the tools.
const PAUSE: Duration = Duration::from_millis(5);

struct Served {
    child: Child,
    url: String,
}

impl Served {
    /// Starts `assay serve` in a folder, at a port that was free a moment ago.
    fn begin(folder: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let binary = root.join("target/release/assay");
        assert!(binary.exists(), "first: cargo build --release -p assay");
        let child = Command::new(binary)
            .args(["serve", "--listen", &free.to_string(), "--no-service-ports"])
            .current_dir(folder)
            .env("ASSAY_BOOK", folder.join("book"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, url: format!("ws://{free}") }
    }

    /// Connects as soon as the server accepts.
    async fn connect(&self) -> Connection {
        loop {
            if let Ok(connection) = connect(&self.url, &ConnectTerms::default()).await {
                return connection;
            }
            sleep(Duration::from_micros(200)).await;
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn ask(client: &mut Connection, frame: Value) -> Value {
    client.send(Utf8Bytes::from(frame.to_string())).await.unwrap();
    serde_json::from_str(&client.next().await.unwrap().unwrap()).unwrap()
}

/// From the start of the process until it has answered.
pub(super) async fn start(rounds: u32) {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let folder = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let served = Served::begin(folder.path());
        let mut client = served.connect().await;
        let answer = ask(&mut client, json!({ "type": "ping" })).await;
        assert_eq!(answer["type"], "pong");
        times.push(begun.elapsed());
    }
    told("from exec to the first answer, a new book each", &mut times);
}

/// Heartbeats while every slot is busy with real tools.
pub(super) async fn busy(within: Duration) {
    let folder = tempfile::tempdir().unwrap();
    apps(folder.path(), 64);
    let served = Served::begin(folder.path());
    let mut asking = served.connect().await;
    for number in 1..=64 {
        let data = json!({ "model": "notes", "app_number": number, "analysis_type": "static" });
        let frame = json!({ "type": "analysis_request", "id": format!("{number}"), "data": data });
        asking.send(Utf8Bytes::from(frame.to_string())).await.unwrap();
    }
    let mut watching = served.connect().await;
    let (running, capacity) = until_full(&mut watching).await;
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..10 {
        let mut client = served.connect().await;
        tasks.spawn(async move {
            let mut times = Vec::new();
            while begun.elapsed() < within {
                let asked = Instant::now();
                ask(&mut client, json!({ "type": "heartbeat" })).await;
                times.push(asked.elapsed());
                sleep(PAUSE).await;
            }
            times
        });
    }
    let mut times: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    let (still, _) = slots(&mut watching).await;
    assert!(still == running, "the slots were not busy to the end: {still} of {running}");
    told(&format!("heartbeat while {running} of {capacity} slots run real tools"), &mut times);
}

/// So many apps, all different.
fn apps(folder: &Path, count: u32) {
    let notes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/notes");
    for number in 1..=count {
        let app = folder.join(format!("generated/apps/notes/app{number}"));
        copy(&notes, &app);
        fs::write(app.join("number.py"), format!("number = {number}\n")).unwrap();
    }
}

fn copy(from: &Path, to: &PathBuf) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Analyses that run in the service, and how many may.
async fn slots(client: &mut Connection) -> (u64, u64) {
    let wish = json!({ "type": "status_request", "data": { "health": true } });
    let told = ask(client, wish).await;
    let health = &told["data"]["replicas"][0]["health"];
    (health["active"].as_u64().unwrap_or(0), health["capacity"].as_u64().unwrap_or(0))
}

async fn until_full(client: &mut Connection) -> (u64, u64) {
    loop {
        let (running, capacity) = slots(client).await;
        if running == capacity && capacity > 0 {
            return (running, capacity);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

fn told(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |permille: usize| times[(times.len() - 1) * permille / 1000];
    println!(
        "{what}: median {:?}, p99 {:?}, slowest {:?}, of {}",
        at(500),
        at(990),
        at(1000),
        times.len()
    );
}
