//! A name with several addresses is several replicas: over real sockets, in real time.

use crate::analysis;
use crate::common::{fake::Fake, send, until};
use assay_server::{
    Backend, Client as Who, Gateway, GatewayTerms, LookUp, Resolved, Scopes, Service, ServiceTerms,
};
use assay_wire::{
    Analyzer, Connection, Handler, Limits, ListenNote, ListenTerms, Listener, Origins, Peer,
    answer::{Request, Response},
    pair, upgrade,
};
use serde_json::json;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// A service behind a socket, which counts who came.
struct Served {
    service: Service<Fake>,
    came: Arc<AtomicU32>,
    /// The query by which the last one came.
    query: Arc<Mutex<Option<String>>>,
}

impl Handler for Served {
    async fn handle(&self, mut request: Request, _: Peer) -> Response {
        let upgraded = upgrade(&mut request, Limits::trusted(), &Origins::default());
        let (response, upgrading) = upgraded.expect("a gateway asks for nothing else");
        self.came.fetch_add(1, Ordering::Relaxed);
        *self.query.lock().unwrap() = request.uri().query().map(str::to_owned);
        let service = self.service.clone();
        tokio::spawn(async move {
            service.serve(upgrading.connection().await.unwrap(), "gateway").await;
        });
        response
    }

    fn note(&self, _: ListenNote) {}
}

/// Serves at this address. Returns where, and who came.
async fn served_at(address: &str) -> (SocketAddr, Arc<AtomicU32>) {
    let (at, came, _) = asked_at(address).await;
    (at, came)
}

/// As [`served_at`]. Returns also by which query.
async fn asked_at(address: &str) -> (SocketAddr, Arc<AtomicU32>, Arc<Mutex<Option<String>>>) {
    let service = Service::start(Fake, ServiceTerms::default());
    let listener = Listener::bind(address.parse().unwrap(), ListenTerms::default()).await.unwrap();
    let (at, came) = (listener.address().unwrap(), Arc::<AtomicU32>::default());
    let query = Arc::<Mutex<Option<String>>>::default();
    let door = Served { service, came: Arc::clone(&came), query: Arc::clone(&query) };
    tokio::spawn(listener.serve(Arc::new(door), std::future::pending()));
    (at, came, query)
}

/// What a name leads to, and how often that was asked.
#[derive(Default)]
struct Names {
    found: Mutex<Vec<SocketAddr>>,
    asked: AtomicU32,
}

impl Names {
    fn lead_to(&self, found: &[SocketAddr]) {
        *self.found.lock().unwrap() = found.to_vec();
    }
}

/// A gateway that knows its service by such a name.
fn gateway(names: &Arc<Names>) -> Gateway {
    gateway_of(names, "ws://static.test:2001")
}

fn gateway_of(names: &Arc<Names>, url: &str) -> Gateway {
    let names = Arc::clone(names);
    let look_up = LookUp::by(Duration::from_millis(5), move |host, port| {
        assert_eq!((host.as_str(), port), ("static.test", 2001));
        let found = names.found.lock().unwrap().clone();
        names.asked.fetch_add(1, Ordering::Relaxed);
        async move {
            if found.is_empty() { Err(io::Error::other("nobody is asked")) } else { Ok(found) }
        }
    });
    let terms = GatewayTerms { look_up, ..GatewayTerms::default() };
    let backend = Backend::Remote { url: url.to_owned() };
    let resolve = Arc::new(|request| {
        let found = Resolved { request, digest: None };
        Box::pin(async move { Ok(found) }) as _
    });
    Gateway::start(terms, vec![(Analyzer::Static, backend)], None, resolve)
}

fn client(gateway: &Gateway) -> Connection {
    let (ours, theirs) = pair(Limits::local());
    let (gateway, who) = (gateway.clone(), Who { who: "here".into(), scopes: Scopes::ALL });
    tokio::spawn(async move { gateway.serve(theirs, who).await });
    ours
}

/// The replicas that get new work, as the gateway tells them.
async fn told(client: &mut Connection) -> Vec<String> {
    send(client, json!({ "type": "status_request" })).await;
    let status = until(client, "status_update").await;
    let all = status["data"]["breakers"].as_array().unwrap().clone();
    let urls = all.iter().filter(|one| one["draining"] == false);
    let mut urls: Vec<String> = urls.map(|one| one["url"].as_str().unwrap().to_owned()).collect();
    urls.sort();
    urls
}

/// Asks until these are the replicas.
async fn until_told(client: &mut Connection, expected: &[String]) {
    let asking = async { while told(client).await != expected {} };
    tokio::time::timeout(Duration::from_mins(1), asking).await.expect("they are others");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_address_of_a_name_is_a_replica() {
    let [one, two] = [served_at("127.0.0.2:0").await, served_at("127.0.0.3:0").await];
    let urls = [&one, &two].map(|(at, _)| format!("ws://{at}"));
    let names = Arc::<Names>::default();
    names.lead_to(&[two.0, one.0]);
    let gateway = gateway(&names);
    let mut asking = client(&gateway);
    until_told(&mut asking, &urls).await;
    // So many at once that one replica alone has no room for them.
    let mut clients: Vec<Connection> = (0..12).map(|_| client(&gateway)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let fake = json!({ "config": { "fake": { "ms": 100 } } });
        send(client, analysis(&number.to_string(), &format!("m{number}"), fake)).await;
    }
    for client in &mut clients {
        assert_eq!(until(client, "analysis_result").await["data"]["status"], "success");
    }
    assert!(one.1.load(Ordering::Relaxed) > 0, "both of them are used");
    assert!(two.1.load(Ordering::Relaxed) > 0, "both of them are used");

    // One address is met by its name; nobody to ask changes nothing; what comes back is used again.
    names.lead_to(&[one.0]);
    until_told(&mut asking, &["ws://static.test:2001".to_owned()]).await;
    names.lead_to(&[]);
    let before = names.asked.load(Ordering::Relaxed);
    while names.asked.load(Ordering::Relaxed) < before + 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(told(&mut asking).await, ["ws://static.test:2001"]);
    names.lead_to(&[one.0, two.0]);
    until_told(&mut asking, &urls).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_in_a_url_is_sent_and_never_shown() {
    let [one, two] = [asked_at("127.0.0.4:0").await, asked_at("127.0.0.5:0").await];
    let names = Arc::<Names>::default();
    names.lead_to(&[one.0, two.0]);
    let gateway_by_name = gateway_of(&names, "ws://static.test:2001/?token=secret");
    let mut asking = client(&gateway_by_name);
    let urls = [one.0, two.0].map(|at| format!("ws://{at}/"));
    until_told(&mut asking, &urls).await;
    send(&mut asking, analysis("id", "quick", json!({}))).await;
    assert_eq!(until(&mut asking, "analysis_result").await["data"]["status"], "success");
    let queries = [&one.2, &two.2].map(|query| query.lock().unwrap().clone());
    assert!(queries.iter().any(|query| query.as_deref() == Some("token=secret")), "{queries:?}");
    assert!(!gateway_by_name.metrics().await.contains("secret"));
    // Nobody is there, which is told to the client with the URL.
    let nobody = gateway_of(&names, "ws://127.0.0.1:1/?token=secret");
    let mut asking = client(&nobody);
    send(&mut asking, analysis("id", "quick", json!({}))).await;
    let end = until(&mut asking, "analysis_result").await.to_string();
    assert!(end.contains("ws://127.0.0.1:1/") && !end.contains("secret"), "{end}");
    send(&mut asking, json!({ "type": "status_request", "data": { "health": true } })).await;
    let status = until(&mut asking, "status_update").await.to_string();
    assert!(status.contains("ws://127.0.0.1:1/") && !status.contains("secret"), "{status}");
}
