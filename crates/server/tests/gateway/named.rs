//! Tasks that clients name: a name stands for one task, also when that has ended.

use crate::common::{fake, receive, send, until};
use crate::{World, analysis};
use assay_server::GatewayTerms;
use assay_store::{Book, BookTerms};
use serde_json::{Value, json};
use std::sync::Arc;

fn world(terms: GatewayTerms) -> (tempfile::TempDir, World) {
    let folder = tempfile::tempdir().unwrap();
    let (book, _) = Book::open(folder.path(), BookTerms::default()).unwrap();
    (folder, World::with(4, terms, Some(Arc::new(book))))
}

/// Asks on a connection of its own, and returns the end.
async fn asked(world: &World, model: &str, more: Value) -> Value {
    let mut client = world.client();
    send(&mut client, analysis("id", model, more)).await;
    until(&mut client, "analysis_result").await["data"].clone()
}

async fn status(world: &World, task: &str) -> Value {
    let mut client = world.client();
    send(&mut client, json!({ "type": "status_request", "data": { "task_id": task } })).await;
    receive(&mut client).await["data"].clone()
}

#[tokio::test]
async fn who_asks_again_by_a_name_is_told_the_end_that_there_is() {
    let (_folder, world) = world(GatewayTerms::default());
    let name = json!({ "task_id": "once" });
    let first = asked(&world, "quick", name.clone()).await;
    assert_eq!(first["status"], "success");
    let mut client = world.client();
    send(&mut client, analysis("again", "quick", name)).await;
    let queued = receive(&mut client).await;
    assert_eq!(queued["data"], json!({ "state": "queued", "task_id": "once" }));
    assert_eq!(until(&mut client, "analysis_result").await["data"], first);
    assert_eq!(fake::runs_of("once"), 1);
    // Afresh it is done under another name, and the first end stays what it was.
    send(&mut client, analysis("new", "quick", json!({ "task_id": "once", "refresh": true })))
        .await;
    let task = receive(&mut client).await["data"]["task_id"].as_str().unwrap().to_owned();
    assert_ne!(task, "once");
    assert_eq!(until(&mut client, "analysis_result").await["data"]["task_id"], *task);
    assert_eq!((fake::runs_of("once"), fake::runs_of(&task)), (1, 1));
    assert_eq!(status(&world, "once").await["status"], "success");
}

#[tokio::test]
async fn a_name_of_another_task_is_refused_in_words_and_changes_nothing() {
    let terms = GatewayTerms { running_max: 1, ..GatewayTerms::default() };
    let (_folder, world) = world(terms);
    let name = json!({ "task_id": "taken" });
    assert_eq!(asked(&world, "quick", name.clone()).await["status"], "success");
    // More often than there are turns: each is given back.
    for _ in 0..3 {
        let refused = asked(&world, "another", name.clone()).await;
        assert_eq!(refused["status"], "error");
        let words = refused["analysis"]["error"].as_str().unwrap();
        assert!(words.contains("`taken` is another task's"), "{refused}");
        assert_eq!(refused["analysis"]["suggestion"], "choose another `task_id`");
        let now = status(&world, "taken").await;
        assert_eq!((&now["state"], &now["status"]), (&json!("finished"), &json!("success")));
    }
    assert_eq!(asked(&world, "another", json!({})).await["status"], "success");
    let mut client = world.client();
    send(&mut client, json!({ "type": "status_request" })).await;
    assert_eq!(receive(&mut client).await["data"]["tasks"]["running"], 0);
}

#[tokio::test]
async fn who_meets_a_task_that_is_being_stopped_is_told_to_come_back() {
    let (_folder, world) = world(GatewayTerms::default());
    let (mut client, mut other) = (world.client(), world.client());
    let name = json!({ "task_id": "stopping" });
    // A service that is deaf for a while: the run is stopping until it answers.
    let deaf =
        json!({ "task_id": "stopping", "config": { "fake": { "ms": 1_500, "is_deaf": true } } });
    send(&mut client, analysis("id", "own-1", deaf)).await;
    until(&mut client, "progress_update").await;
    send(&mut client, json!({ "type": "cancel_request", "data": { "task_id": "stopping" } })).await;
    // A request behind it, so that the cancel has been heard.
    send(&mut client, json!({ "type": "heartbeat" })).await;
    until(&mut client, "heartbeat").await;
    send(&mut other, analysis("again", "own-1", name.clone())).await;
    let refused = until(&mut other, "analysis_result").await["data"]["analysis"].clone();
    assert_eq!(refused["code"], "unavailable", "{refused}");
    assert!(refused["retry_after_ms"].is_u64(), "{refused}");
    let end = until(&mut client, "analysis_result").await["data"].clone();
    send(&mut other, analysis("later", "own-1", name)).await;
    assert_eq!(until(&mut other, "analysis_result").await["data"], end);
}

/// Who loses its connection has no other name for its work than that which the server has told.
#[tokio::test]
async fn a_task_that_the_server_named_is_joined_by_that_name() {
    let (_folder, world) = world(GatewayTerms::default());
    let slow = json!({ "fake": { "ms": 1_500 } });
    for app in
        [json!({ "model_slug": "own-1", "app_number": 1 }), json!({ "source_path": "/apps/one" })]
    {
        let ask = |id: &str, task: Option<&str>| {
            let mut data = app.clone();
            data["config"] = slow.clone();
            data["task_id"] = task.into();
            json!({ "type": "analysis_request", "id": id, "data": data })
        };
        let mut first = world.client();
        send(&mut first, ask("first", None)).await;
        let told = until(&mut first, "status_update").await;
        let task = told["data"]["task_id"].as_str().unwrap().to_owned();
        let mut second = world.client();
        send(&mut second, ask("second", Some(&task))).await;
        let end = until(&mut first, "analysis_result").await["data"].clone();
        assert_eq!(until(&mut second, "analysis_result").await["data"], end);
        assert_eq!(
            (end["status"].as_str(), end["task_id"].as_str()),
            (Some("success"), Some(&*task))
        );
        // It has ended by now.
        send(&mut second, ask("third", Some(&task))).await;
        assert_eq!(until(&mut second, "analysis_result").await["data"], end);
        assert_eq!(fake::runs_of(&task), 1);
        let another = json!({ "model_slug": "another", "app_number": 1, "task_id": task });
        send(&mut second, json!({ "type": "analysis_request", "data": another })).await;
        let refused = until(&mut second, "analysis_result").await;
        assert_eq!(refused["data"]["status"], "error", "{refused}");
    }
}
