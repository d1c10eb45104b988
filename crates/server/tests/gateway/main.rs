//! The gateway before services of the same process, under paused time.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

#[path = "../common/mod.rs"]
mod common; // clients, and an analyzer that does as its request says

mod addresses; // a name with several addresses is several replicas
mod durable; // what was accepted comes to one end
mod full; // a disk without room
mod limits; // those that clients know
mod named; // tasks that clients name
mod old; // before a service of the first system

use assay_server::{
    Backend, Client as Who, Gateway, GatewayTerms, Resolved, Scopes, Service, ServiceTerms,
};
use assay_wire::{Analyzer, Connection, Limits, pair};
use common::{
    fake::{self, Fake},
    receive, send, until,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

struct World {
    gateway: Gateway,
    service: Service<Fake>,
}

impl World {
    fn new(slots: u32, terms: GatewayTerms) -> Self {
        Self::with(slots, terms, None)
    }

    fn with(slots: u32, terms: GatewayTerms, book: Option<Arc<assay_store::Book>>) -> Self {
        let service = Service::start(
            Fake,
            ServiceTerms { slots, queue_max: 1_000, ..ServiceTerms::default() },
        );
        let local = service.clone();
        let backend = Backend::Local { slots, connect: Box::new(move || local.connect()) };
        let resolve = Arc::new(|request| {
            let found = Resolved { request, digest: Some("d".to_owned()) };
            Box::pin(async move { Ok(found) }) as _
        });
        let gateway = Gateway::start(terms, vec![(Analyzer::Static, backend)], book, resolve);
        Self { gateway, service }
    }

    fn client(&self) -> Connection {
        self.client_of("here", Scopes::ALL)
    }

    fn client_of(&self, who: &str, scopes: Scopes) -> Connection {
        connect(&self.gateway, Who { who: who.into(), scopes })
    }

    fn client_at(gateway: &Gateway) -> Connection {
        connect(gateway, Who { who: "here".into(), scopes: Scopes::ALL })
    }
}

fn connect(gateway: &Gateway, who: Who) -> Connection {
    let (ours, theirs) = pair(Limits::local());
    let gateway = gateway.clone();
    tokio::spawn(async move { gateway.serve(theirs, who).await });
    ours
}

fn world() -> World {
    World::new(50, GatewayTerms::default())
}

fn analysis(id: &str, model: &str, more: Value) -> Value {
    let mut data = json!({ "model": model, "app_number": 1, "analysis_type": "security_python" });
    for (key, value) in more.as_object().unwrap() {
        data[key] = value.clone();
    }
    json!({ "type": "analysis_request", "id": id, "data": data })
}

#[tokio::test(start_paused = true)]
async fn what_is_answered_at_once_is_answered_as_recorded() {
    let world = world();
    let mut client = world.client();
    for (kind, reply, data) in
        [("heartbeat", "heartbeat", json!({ "status": "alive" })), ("ping", "pong", Value::Null)]
    {
        send(&mut client, json!({ "type": kind, "id": "a2" })).await;
        let frame = receive(&mut client).await;
        assert_eq!((&frame["type"], &frame["correlation_id"]), (&json!(reply), &json!("a2")));
        assert_eq!(frame["data"], data);
    }
    send(&mut client, json!({ "type": "connection_ack", "id": "a1" })).await;
    assert_eq!(receive(&mut client).await["data"]["status"], "acknowledged");
    send(&mut client, json!({ "type": "status_request", "id": "st1" })).await;
    let status = receive(&mut client).await;
    assert_eq!(status["data"]["services"]["security_analyzer"], "ws://localhost:2001");
    assert_eq!(status["data"]["subscribed"], false);
    assert_eq!(status["data"]["pool"]["max_concurrent_connections"], 50);
    send(&mut client, json!({ "type": "dance", "id": "d" })).await;
    let error = receive(&mut client).await;
    assert_eq!((&error["type"], &error["data"]["code"]), (&json!("error"), &json!("unknown_type")));
}

#[tokio::test(start_paused = true)]
async fn an_analysis_is_queued_then_told_then_ended_once() {
    let world = world();
    let mut client = world.client();
    send(&mut client, analysis("job", "quick", json!({}))).await;
    let queued = receive(&mut client).await;
    assert_eq!(
        (&queued["type"], &queued["data"]["state"]),
        (&json!("status_update"), &json!("queued"))
    );
    let task = queued["data"]["task_id"].clone();
    let result = until(&mut client, "analysis_result").await;
    assert_eq!(result["correlation_id"], "job");
    assert_eq!(result["data"]["type"], "static_analysis_result");
    assert_eq!(result["data"]["status"], "success");
    assert_eq!(result["data"]["analysis"]["model"], "quick");
    send(&mut client, json!({ "type": "status_request", "data": { "task_id": task } })).await;
    let status = receive(&mut client).await;
    assert_eq!(status["data"]["state"], "finished");
    assert_eq!(status["data"]["result"]["analysis"]["model"], "quick");
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_how_long_the_oldest_waits() {
    let world = World::new(1, GatewayTerms { running_max: 1, ..GatewayTerms::default() });
    let age = async || {
        let told = world.gateway.metrics().await;
        let line = told.lines().find_map(|line| line.strip_prefix("assay_queue_oldest_seconds "));
        line.unwrap().parse::<f64>().unwrap()
    };
    let mut client = world.client();
    send(&mut client, analysis("1", "waits", json!({}))).await;
    until(&mut client, "progress_update").await;
    assert!(age().await.abs() < f64::EPSILON);
    for (id, app) in [("2", 2), ("3", 3)] {
        send(&mut client, analysis(id, "quick", json!({ "app_number": app }))).await;
        until(&mut client, "status_update").await;
        tokio::time::sleep(Duration::from_secs(40)).await;
    }
    assert!((80.0..81.0).contains(&age().await), "{}", age().await);
    send(&mut client, json!({ "type": "cancel_request", "data": { "correlation_id": "1" } })).await;
    for _ in 0..3 {
        until(&mut client, "analysis_result").await;
    }
    assert!(age().await.abs() < f64::EPSILON);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_equal_requests_are_one_run_and_who_leaves_disturbs_nobody() {
    let world = world();
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = world.client();
        send(&mut client, analysis("e", "slow", json!({ "task_id": "equal" }))).await;
        until(&mut client, "progress_update").await;
        clients.push(client);
    }
    // The first to ask cancels; the second just goes.
    send(&mut clients[0], json!({ "type": "cancel_request", "data": { "task_id": "equal" } }))
        .await;
    assert_eq!(until(&mut clients[0], "analysis_result").await["data"]["status"], "cancelled");
    drop(clients.remove(1));
    for client in &mut clients[1..] {
        let result = until(client, "analysis_result").await;
        assert_eq!(result["data"]["status"], "success");
    }
    assert_eq!(fake::runs_of("equal"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_reaches_the_service_and_the_request_still_gets_its_one_result() {
    let world = world();
    let mut client = world.client();
    send(&mut client, analysis("job", "waits", json!({}))).await;
    until(&mut client, "progress_update").await;
    send(&mut client, json!({ "type": "heartbeat", "id": "h" })).await;
    until(&mut client, "heartbeat").await;
    send(&mut client, json!({ "type": "cancel_request", "data": { "correlation_id": "job" } }))
        .await;
    let (mut results, mut said) = (0, 0);
    while results + said < 2 {
        let frame = receive(&mut client).await;
        match frame["type"].as_str().unwrap() {
            "analysis_result" => {
                assert_eq!(frame["data"]["status"], "cancelled");
                results += 1;
            }
            "status_update" => {
                assert_eq!(frame["data"]["state"], "cancelled");
                said += 1;
            }
            _ => {}
        }
    }
    assert_eq!(world.service.health().await.active, 0);
}

#[tokio::test(start_paused = true)]
async fn what_no_service_takes_is_told_in_the_words_of_the_service_that_was_asked() {
    let world = world();
    let mut client = world.client();
    let asked = json!({ "analysis_type": "performance_load", "target_url": "http://localhost" });
    send(&mut client, analysis("load", "acme", asked)).await;
    let data = until(&mut client, "analysis_result").await["data"].take();
    assert_eq!(data["type"], "performance_analysis_result");
    assert_eq!(
        (&data["service"], &data["status"]),
        (&json!("performance-tester"), &json!("error"))
    );
    let analysis = &data["analysis"];
    assert_eq!((&analysis["model_slug"], &analysis["app_number"]), (&json!("acme"), &json!(1)));
    assert_eq!(analysis["code"], "unavailable");
    assert!(data["task_id"].is_string());
}

#[tokio::test(start_paused = true)]
async fn of_equal_requests_of_one_client_the_one_that_is_named_is_cancelled() {
    let world = world();
    let mut client = world.client();
    for id in ["one", "two", "three", "four"] {
        send(&mut client, analysis(id, "waits", json!({ "task_id": "same" }))).await;
        until(&mut client, "progress_update").await;
    }
    let cancel = |data: Value| json!({ "type": "cancel_request", "id": "c", "data": data });
    for id in ["three", "two"] {
        send(&mut client, cancel(json!({ "correlation_id": id }))).await;
        let end = until(&mut client, "analysis_result").await;
        assert_eq!(
            (&end["correlation_id"], &end["data"]["status"]),
            (&json!(id), &json!("cancelled"))
        );
    }
    assert_eq!(world.service.health().await.active, 1);
    // By its task, all that are left.
    send(&mut client, cancel(json!({ "task_id": "same" }))).await;
    let mut ended = Vec::new();
    while ended.len() < 2 {
        let end = until(&mut client, "analysis_result").await;
        assert_eq!(end["data"]["status"], "cancelled");
        ended.push(end["correlation_id"].as_str().unwrap().to_owned());
    }
    ended.sort();
    assert_eq!(ended, ["four", "one"]);
    send(&mut client, cancel(json!({ "correlation_id": "three" }))).await;
    let state = until(&mut client, "status_update").await;
    assert_eq!(world.service.health().await.active, 0);
    assert!(state["data"]["state"].is_string());
}

#[tokio::test(start_paused = true)]
async fn one_deadline_passes_down_and_what_was_found_comes_back() {
    let world = world();
    let mut client = world.client();
    let begun = Instant::now();
    send(&mut client, analysis("job", "waits", json!({ "timeout": 3 }))).await;
    let result = until(&mut client, "analysis_result").await;
    let took = begun.elapsed().as_millis();
    assert_eq!(result["data"]["status"], "timeout");
    assert_eq!(result["data"]["analysis"]["found"], 1);
    let had = result["data"]["analysis"]["had_ms"].as_u64().unwrap();
    assert!((2_600..=2_800).contains(&had), "the analyzer had {had} ms");
    assert!((2_500..=3_000).contains(&took), "{took} ms");
}

#[tokio::test(start_paused = true)]
async fn a_lost_clients_work_lives_on_for_its_grace() {
    let world = world();
    let begun = Instant::now();
    let mut client = world.client();
    send(&mut client, analysis("job", "waits", json!({}))).await;
    until(&mut client, "progress_update").await;
    drop(client);
    while world.service.health().await.active > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let took = begun.elapsed().as_secs();
    assert!((29..=31).contains(&took), "{took} s");
}

#[tokio::test(start_paused = true)]
async fn subscribers_hear_of_all_work_and_a_late_one_of_the_last() {
    let world = world();
    let mut early = world.client();
    send(&mut early, json!({ "type": "status_request", "data": { "subscribe": "events" } })).await;
    assert_eq!(receive(&mut early).await["data"]["subscribed"], true);
    let mut client = world.client();
    send(&mut client, analysis("job", "quick", json!({}))).await;
    until(&mut client, "analysis_result").await;
    let end = loop {
        let frame = receive(&mut early).await;
        if frame["data"]["state"] == "finished" {
            break frame;
        }
        assert_eq!(frame["type"], "progress_update");
    };
    assert_eq!(end["data"]["status"], "success");
    let mut late = world.client();
    let wish = json!({ "subscribe": true, "replay": true });
    send(&mut late, json!({ "type": "status_request", "data": wish })).await;
    assert_eq!(receive(&mut late).await["data"]["subscribed"], true);
    assert_eq!(receive(&mut late).await["type"], "status_update");
    send(&mut client, json!({ "type": "progress_update", "data": { "stage": "mine" } })).await;
    assert_eq!(
        until(&mut client, "status_update").await["data"],
        json!({ "ack": true, "stage": "mine" })
    );
    assert_eq!(until(&mut late, "progress_update").await["data"]["stage"], "mine");
}

#[tokio::test(start_paused = true)]
async fn who_asks_too_often_is_told_when_to_come_back_and_heartbeats_are_exempt() {
    let mut terms = GatewayTerms::default();
    terms.rate.burst = 5.try_into().unwrap();
    let world = World::new(50, terms);
    let mut client = world.client();
    for number in 0..8 {
        send(&mut client, analysis(&format!("j{number}"), "quick", json!({}))).await;
    }
    let mut limited = 0;
    while limited < 3 {
        let error = until(&mut client, "error").await;
        assert_eq!(error["data"]["code"], "rate_limited");
        assert!(error["data"]["retry_after_ms"].as_u64().unwrap() > 0);
        limited += 1;
    }
    for _ in 0..1_000 {
        send(&mut client, json!({ "type": "heartbeat" })).await;
        until(&mut client, "heartbeat").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_answers_once_for_all_its_apps() {
    let world = world();
    let mut client = world.client();
    let apps: Vec<Value> =
        (0..100).map(|number| json!([format!("own-{number}"), number])).collect();
    let data = json!({ "apps": apps, "analysis_type": "static" });
    send(&mut client, json!({ "type": "batch_request", "id": "b", "data": data })).await;
    let result = until(&mut client, "batch_result").await;
    assert_eq!(
        (&result["data"]["total"], &result["data"]["succeeded"]),
        (&json!(100), &json!(100))
    );
    for (number, item) in result["data"]["results"].as_array().unwrap().iter().enumerate() {
        assert_eq!(item["result"]["analysis"]["model"], format!("own-{number}"));
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_connections_than_the_cap_whatever_is_asked() {
    let world = World::new(200, GatewayTerms::default());
    let mut client = world.client();
    for number in 0..200 {
        send(
            &mut client,
            analysis(&format!("j{number}"), "waits", json!({ "task_id": format!("cap{number}") })),
        )
        .await;
    }
    let mut seen = 0;
    while seen < 200 {
        let frame = until(&mut client, "status_update").await;
        seen += usize::from(frame["data"]["state"] == "queued");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    send(&mut client, json!({ "type": "status_request", "id": "s" })).await;
    let status = until(&mut client, "status_update").await;
    let pool = &status["data"]["pool"];
    assert_eq!(pool["active"].as_u64().unwrap() + pool["idle"].as_u64().unwrap(), 50);
    assert_eq!(world.service.health().await.active, 50);
    assert_eq!(status["data"]["tasks"]["queued"], 150);
}

#[tokio::test(start_paused = true)]
async fn a_client_may_do_what_its_scopes_allow() {
    let world = world();
    let mut reader = world.client_of("token", Scopes { read: true, ..Scopes::default() });
    send(&mut reader, json!({ "type": "status_request" })).await;
    assert_eq!(receive(&mut reader).await["type"], "status_update");
    send(&mut reader, analysis("j", "quick", json!({}))).await;
    let error = receive(&mut reader).await;
    assert_eq!(error["data"]["code"], "unauthorized");
    let register =
        json!({ "service_type": "security_analyzer", "service_id": "x", "url": "ws://x" });
    send(&mut reader, json!({ "type": "service_register", "data": register })).await;
    assert_eq!(receive(&mut reader).await["data"]["code"], "unauthorized");
}

#[tokio::test(start_paused = true)]
async fn a_large_batch_is_not_refused_for_being_large() {
    let mut terms = GatewayTerms::default();
    terms.rate.burst = 5.try_into().unwrap();
    let world = World::new(50, terms);
    let mut client = world.client();
    let apps: Vec<Value> =
        (0..200).map(|number| json!([format!("own-{number}"), number])).collect();
    send(&mut client, json!({ "type": "batch_request", "data": { "apps": apps } })).await;
    let result = until(&mut client, "batch_result").await;
    assert_eq!(result["data"]["succeeded"], 200);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_cancelled_answers_once_and_leaves_nothing() {
    let world = World::new(4, GatewayTerms::default());
    let mut client = world.client();
    let apps: Vec<Value> = (0..100).map(|number| json!(["waits", number])).collect();
    let data = json!({ "apps": apps, "task_id": "b1" });
    send(&mut client, json!({ "type": "batch_request", "id": "b", "data": data })).await;
    while world.service.health().await.active < 4 {
        tokio::task::yield_now().await;
    }
    let ask = json!({ "type": "status_request", "id": "s", "data": { "task_id": "b1" } });
    let mut other = world.client();
    send(&mut other, ask).await;
    assert_eq!(receive(&mut other).await["data"]["state"], "running");
    let cancel = json!({ "type": "cancel_request", "id": "c", "data": { "task_id": "b1" } });
    send(&mut other, cancel.clone()).await;
    assert_eq!(receive(&mut other).await["data"]["state"], "cancelled");
    let result = until(&mut client, "batch_result").await;
    assert_eq!(
        (&result["data"]["status"], &result["data"]["total"]),
        (&json!("cancelled"), &json!(100))
    );
    for item in result["data"]["results"].as_array().unwrap() {
        assert_eq!(item["status"], "cancelled");
    }
    assert_eq!(world.service.health().await.active, 0);
    send(&mut other, cancel).await;
    assert_eq!(receive(&mut other).await["data"]["state"], "not_found");
}

#[tokio::test(start_paused = true)]
async fn nobody_cancels_the_work_of_another_client_but_an_admin() {
    let world = world();
    let mut owner = world.client_of("owner", Scopes { run: true, ..Scopes::default() });
    send(&mut owner, analysis("job", "waits", json!({ "task_id": "owned" }))).await;
    until(&mut owner, "progress_update").await;
    let cancel = json!({ "type": "cancel_request", "data": { "task_id": "owned" } });
    let mut other = world.client_of("other", Scopes { run: true, ..Scopes::default() });
    send(&mut other, cancel.clone()).await;
    assert_eq!(until(&mut other, "error").await["data"]["code"], "unauthorized");
    assert_eq!(world.service.health().await.active, 1);
    let mut admin = world.client_of("admin", Scopes::ALL);
    send(&mut admin, cancel).await;
    assert_eq!(until(&mut admin, "status_update").await["data"]["state"], "cancelled");
    assert_eq!(until(&mut owner, "analysis_result").await["data"]["status"], "cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_draining_gateway_finishes_what_runs() {
    let world = world();
    let mut client = world.client();
    send(&mut client, analysis("j", "slow", json!({}))).await;
    until(&mut client, "progress_update").await;
    let gateway = world.gateway.clone();
    let stopping = tokio::spawn(async move { gateway.shut_down(Duration::from_mins(1)).await });
    tokio::task::yield_now().await;
    send(&mut client, analysis("k", "quick", json!({}))).await;
    assert_eq!(until(&mut client, "error").await["data"]["code"], "draining");
    assert_eq!(until(&mut client, "analysis_result").await["data"]["status"], "success");
    stopping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_of_one_connection_are_under_way_than_the_bound() {
    let world = world();
    let mut client = world.client();
    let deaf = json!({ "fake": { "ms": 20_000, "is_deaf": true } });
    let more = json!({ "task_id": "deaf", "config": deaf });
    send(&mut client, analysis("job", "own", more)).await;
    until(&mut client, "progress_update").await;
    // Each waits until the task is gone, so none of them is answered.
    let (mut refused, many) = (0, 17_000);
    let cancel = json!({ "type": "cancel_request", "id": "c", "data": { "task_id": "deaf" } });
    let asking = async |client: &mut Connection| {
        for _ in 0..100 {
            send(client, cancel.clone()).await;
        }
        // What is said at once has been said when this is answered.
        send(client, json!({ "type": "ping" })).await;
        let mut refused = 0;
        loop {
            let frame = receive(client).await;
            match frame["type"].as_str().unwrap() {
                "pong" => return refused,
                "error" => {
                    assert_eq!(frame["data"]["code"], "overloaded");
                    refused += 1;
                }
                _ => {}
            }
        }
    };
    for _ in 0..many / 100 {
        refused += asking(&mut client).await;
    }
    assert!((600..1_000).contains(&refused), "{refused} of {many} were refused");
    // It is still heard, and can still stop what it began.
    send(&mut client, analysis("more", "own", json!({}))).await;
    assert_eq!(until(&mut client, "error").await["data"]["code"], "overloaded");
    assert_eq!(until(&mut client, "analysis_result").await["correlation_id"], "job");
}

#[tokio::test(start_paused = true)]
async fn every_metric_of_a_gateway_is_in_the_operators_list() {
    let world = world();
    let mut client = world.client();
    send(&mut client, analysis("job", "quick", json!({}))).await;
    until(&mut client, "analysis_result").await;
    let text = world.gateway.metrics().await;
    let list = include_str!("../../../../docs/operating/metrics.md");
    let mut seen = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        assert!(list.contains(&format!("`{name}`")), "`{name}` is not in the list");
        seen += usize::from(name.contains("pool") || name.contains("breaker"));
    }
    assert!(seen >= 8, "{seen} metrics of pool and breakers: {text}");
}
