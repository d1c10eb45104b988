//! The base of a service, over connections within the process and under paused time.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

#[path = "../common/mod.rs"]
mod common; // clients, and an analyzer that does as its request says
mod own; // runs that the process itself waits for

use assay_server::{Service, ServiceTerms};
use assay_wire::Utf8Bytes;
use common::{
    fake::{self, Fake},
    receive, send, until,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

fn service(slots: u32, queue_max: usize) -> Service<Fake> {
    Service::start(Fake, ServiceTerms { slots, queue_max, ..ServiceTerms::default() })
}

fn analysis(model: &str, more: Value) -> Value {
    let mut frame = json!({ "type": "static_analyze", "model_slug": model, "app_number": 1 });
    for (key, value) in more.as_object().unwrap() {
        frame[key] = value.clone();
    }
    frame
}

#[tokio::test(start_paused = true)]
async fn everything_is_answered_while_an_analysis_runs_on_the_same_connection() {
    let service = service(1, 10);
    let mut client = service.connect();
    send(&mut client, analysis("waits", json!({ "id": "a", "task_id": "t1" }))).await;
    until(&mut client, "progress_update").await;
    send(&mut client, json!({ "type": "ping" })).await;
    assert_eq!(until(&mut client, "pong").await["service"], "static-analyzer");
    send(&mut client, json!({ "type": "health_check" })).await;
    let health = until(&mut client, "health_response").await;
    assert_eq!((&health["status"], &health["active"]), (&json!("degraded"), &json!(1)));
    assert_eq!(health["unavailable_tools"]["broken"], "it is not installed");
    send(&mut client, json!({ "type": "get_capabilities", "id": "x" })).await;
    let error = receive(&mut client).await;
    assert_eq!(error["message"], "Unknown message type: get_capabilities");
    client.send(Utf8Bytes::from_static("invalid json {]")).await.unwrap();
    let error = receive(&mut client).await;
    assert_eq!(error["message"], "Invalid JSON format");
    assert_eq!(error["code"], "invalid_json");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_is_said_once_and_ends_the_analysis() {
    let service = service(1, 10);
    let mut client = service.connect();
    send(&mut client, analysis("waits", json!({ "id": "a", "task_id": "t1" }))).await;
    until(&mut client, "progress_update").await;
    send(&mut client, json!({ "type": "cancel_request", "task_id": "t1", "id": "c" })).await;
    let (mut result, mut said) = (None, None);
    while result.is_none() || said.is_none() {
        let frame = receive(&mut client).await;
        match frame["type"].as_str().unwrap() {
            "static_analysis_result" => assert!(result.replace(frame).is_none()),
            "status_update" => assert!(said.replace(frame).is_none()),
            _ => {}
        }
    }
    assert_eq!(result.unwrap()["status"], "cancelled");
    assert_eq!(said.unwrap()["data"]["state"], "cancelled");
    send(&mut client, json!({ "type": "cancel_request", "task_id": "t1" })).await;
    assert_eq!(receive(&mut client).await["data"]["state"], "already_finished");
    send(&mut client, json!({ "type": "cancel_request", "task_id": "t2" })).await;
    assert_eq!(receive(&mut client).await["data"]["state"], "not_found");
    assert_eq!(service.health().await.active, 0);
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_ends_it_with_what_was_found() {
    let service = service(1, 10);
    let mut client = service.connect();
    let begun = Instant::now();
    send(&mut client, analysis("waits", json!({ "deadline_ms": 3_000 }))).await;
    let result = until(&mut client, "static_analysis_result").await;
    assert_eq!(result["status"], "timeout");
    assert_eq!(result["analysis"]["found"], 1);
    let took = begun.elapsed();
    assert!((2_700..=3_000).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn analyses_wait_for_a_slot_and_beyond_the_queue_they_are_refused_at_once() {
    let service = service(2, 3);
    let mut client = service.connect();
    for number in 0..8 {
        let id = format!("a{number}");
        send(&mut client, analysis("waits", json!({ "id": id, "task_id": id }))).await;
    }
    for number in 5..8 {
        let error = until(&mut client, "error").await;
        assert_eq!(error["code"], "overloaded");
        assert_eq!(error["correlation_id"], format!("a{number}"));
        assert!(error["retry_after_ms"].as_u64().unwrap() > 0);
    }
    let health = service.health().await;
    assert_eq!((health.active, health.queued, health.capacity), (2, 3, 2));
    for number in 0..5 {
        send(&mut client, json!({ "type": "cancel_request", "task_id": format!("a{number}") }))
            .await;
    }
    for _ in 0..5 {
        assert_eq!(until(&mut client, "static_analysis_result").await["status"], "cancelled");
    }
    assert_eq!(service.health().await.queued, 0);
    // Those that were cancelled before their turn hold no place: five fit again.
    for number in 0..5 {
        send(&mut client, analysis("quick", json!({ "id": format!("b{number}") }))).await;
    }
    for _ in 0..5 {
        assert_eq!(until(&mut client, "static_analysis_result").await["status"], "success");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_cancelled_before_its_turn_holds_no_place() {
    let service = service(1, 3);
    let mut client = service.connect();
    send(&mut client, analysis("waits", json!({ "id": "first" }))).await;
    for round in 0..5 {
        for number in 0..3 {
            let id = format!("r{round}-{number}");
            send(&mut client, analysis("waits", json!({ "id": id, "task_id": id }))).await;
            send(&mut client, json!({ "type": "cancel_request", "task_id": id })).await;
        }
        for _ in 0..3 {
            assert_eq!(until(&mut client, "static_analysis_result").await["status"], "cancelled");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_one_analysis_and_no_other() {
    let service = service(4, 10);
    let mut client = service.connect();
    send(&mut client, analysis("panics", json!({ "id": "p" }))).await;
    send(&mut client, analysis("quick", json!({ "id": "q" }))).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let frame = until(&mut client, "static_analysis_result").await;
        let word = |key: &str| frame[key].as_str().unwrap().to_owned();
        seen.push((word("correlation_id"), word("status")));
    }
    seen.sort();
    let expected = [("p", "error"), ("q", "success")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(seen, expected);
    assert_eq!(service.health().await.active, 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_client_finds_its_result_by_the_name_of_its_task() {
    let service = service(1, 10);
    let mut client = service.connect();
    send(&mut client, analysis("slow", json!({ "task_id": "resumed" }))).await;
    until(&mut client, "progress_update").await;
    drop(client);
    let mut again = service.connect();
    send(&mut again, analysis("slow", json!({ "task_id": "resumed" }))).await;
    let result = until(&mut again, "static_analysis_result").await;
    assert_eq!((&result["status"], &result["task_id"]), (&json!("success"), &json!("resumed")));
    send(&mut again, json!({ "type": "status_request", "task_id": "resumed" })).await;
    let status = receive(&mut again).await;
    assert_eq!(status["data"]["state"], "finished");
    assert_eq!(status["data"]["result"]["analysis"]["model"], "slow");
    assert_eq!(service.health().await.active, 0, "it ran once");
    assert_eq!(fake::runs_of("resumed"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_only_a_gone_client_waited_for_is_stopped() {
    let service = service(1, 10);
    for is_polite in [true, false] {
        let mut client = service.connect();
        let begun = Instant::now();
        send(&mut client, analysis("waits", json!({}))).await;
        until(&mut client, "progress_update").await;
        if is_polite {
            client.close(assay_wire::CloseCode::NORMAL, "").await.unwrap();
            while let Ok(Some(_)) = client.next().await {}
        } else {
            drop(client);
        }
        while service.health().await.active > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let took = begun.elapsed();
        let expected = if is_polite { 0..=1 } else { 9..=11 };
        assert!(expected.contains(&took.as_secs()), "{took:?}, polite {is_polite}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_draining_service_finishes_what_runs_and_takes_nothing_new() {
    let service = service(1, 10);
    let mut client = service.connect();
    send(&mut client, analysis("slow", json!({ "id": "a" }))).await;
    until(&mut client, "progress_update").await;
    let stopping = tokio::spawn({
        let service = service.clone();
        async move { service.shut_down(Duration::from_mins(1)).await }
    });
    while service.health().await.status.as_str() != "draining" {
        tokio::task::yield_now().await;
    }
    send(&mut client, analysis("quick", json!({ "id": "b" }))).await;
    assert_eq!(until(&mut client, "error").await["code"], "draining");
    assert_eq!(until(&mut client, "static_analysis_result").await["status"], "success");
    stopping.await.unwrap();
    assert!(matches!(client.next().await, Ok(None)));
}

#[tokio::test(start_paused = true)]
async fn many_analyses_at_once_each_get_their_own_result() {
    let service = service(8, 100);
    let mut clients = Vec::new();
    for number in 0..60 {
        let mut client = service.connect();
        let model = format!("own-{number}");
        send(&mut client, analysis(&model, json!({ "id": model }))).await;
        clients.push((client, model));
    }
    for (mut client, model) in clients {
        let result = until(&mut client, "static_analysis_result").await;
        assert_eq!(result["analysis"]["model"], model.as_str());
        assert_eq!(result["correlation_id"], model.as_str());
    }
}
