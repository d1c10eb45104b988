//! The analyzer within a service, over a connection as clients have it.

use super::{
    fake::Fake,
    stopping::{processes, with_a_hanging_tool},
    world::World,
};
use crate::analyzers::StaticAnalyzer;
use assay_server::{Service, ServiceTerms};
use assay_wire::{Connection, Utf8Bytes};
use serde_json::{Value, json};

fn service(analyzer: StaticAnalyzer) -> Service<StaticAnalyzer> {
    Service::start(analyzer, ServiceTerms { slots: 2, ..ServiceTerms::default() })
}

async fn send(client: &mut Connection, frame: Value) {
    client.send(Utf8Bytes::from(frame.to_string())).await.unwrap();
}

/// Reads until a frame of this type comes.
async fn until(client: &mut Connection, kind: &str) -> Value {
    loop {
        let text = client.next().await.unwrap().expect("the service has closed");
        let frame: Value = serde_json::from_str(&text).unwrap();
        if frame["type"] == kind {
            return frame;
        }
    }
}

#[tokio::test]
async fn a_client_hears_progress_and_one_result() {
    let world = World::with(&[("fake", Fake::finding("high"))]);
    let service = service(world.analyzer().await);
    let mut client = service.connect();
    let ask = json!({
        "type": "static_analyze", "model_slug": "acme_demo", "app_number": 1, "tools": ["Fake"],
        "id": "sa-1", "task_id": "t-1",
    });
    send(&mut client, ask).await;
    let progress = until(&mut client, "progress_update").await;
    assert_eq!(progress["correlation_id"], "sa-1");
    let result = until(&mut client, "static_analysis_result").await;
    assert_eq!(
        (&result["status"], &result["service"]),
        (&json!("success"), &json!("static-analyzer"))
    );
    assert_eq!(result["analysis"]["tool_results"]["fake"]["total_issues"], 1);
    assert_eq!(world.tasks("acme_demo/app1"), ["task_t-1"]);
    send(&mut client, json!({"type": "health_check"})).await;
    let health = until(&mut client, "health_response").await;
    assert!(health["available_tools"].as_array().unwrap().contains(&json!("fake")), "{health}");
}

#[tokio::test]
async fn a_cancel_over_the_wire_reaches_every_process() {
    let world = with_a_hanging_tool();
    let service = service(world.analyzer().await);
    let mut client = service.connect();
    let ask = json!({
        "type": "static_analyze", "model_slug": "acme_demo", "app_number": 1, "task_id": "t-2",
    });
    send(&mut client, ask).await;
    let pids = processes(&world).await;
    send(&mut client, json!({"type": "ping"})).await;
    until(&mut client, "pong").await;
    send(&mut client, json!({"type": "cancel_request", "task_id": "t-2"})).await;
    let result = until(&mut client, "static_analysis_result").await;
    assert_eq!(result["status"], "cancelled");
    for pid in pids {
        assert!(!testkit::lives(pid), "process {pid} is left");
    }
}
