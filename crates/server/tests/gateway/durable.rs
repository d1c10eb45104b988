//! What was accepted comes to one end, whatever becomes of the process.

use crate::common::{fake, receive, send, until};
use crate::{World, analysis};
use assay_server::{GatewayTerms, Recovered, Resume, Scopes};
use assay_store::{Book, BookReader, BookTerms, StoreError, TaskQuery};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

/// No condition of a test takes so long on any machine that is worth testing on.
const LONG: Duration = Duration::from_mins(1);

/// A process, as far as a test can have one: all that it runs ends with it.
struct Process {
    runtime: Runtime,
}

impl Process {
    fn new() -> Self {
        Self { runtime: Builder::new_current_thread().enable_all().build().unwrap() }
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let bounded = async { timeout(LONG, future).await.expect("it goes on for ever") };
        self.runtime.block_on(bounded)
    }

    /// Nothing is said, finished or written any more.
    fn kill(self) {
        self.runtime.shutdown_background();
    }
}

fn world_with_book(folder: &Path) -> World {
    // What the killed process was just writing holds the book until it is written.
    let book = loop {
        match Book::open(folder, BookTerms::default()) {
            Ok((book, _)) => break book,
            Err(StoreError::BookInUse { .. }) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    World::with(4, GatewayTerms::default(), Some(Arc::new(book)))
}

async fn accepted(world: &World, model: &str, task: &str, timeout: u32) {
    let mut client = world.client();
    let more = json!({ "task_id": task, "timeout": timeout, "detach": true });
    send(&mut client, analysis(task, model, more)).await;
    assert_eq!(receive(&mut client).await["data"]["state"], "queued");
    until(&mut client, "progress_update").await;
}

/// Asks until the task has ended.
async fn ended(world: &World, task: &str) -> Value {
    let mut client = world.client();
    loop {
        send(&mut client, json!({ "type": "status_request", "data": { "task_id": task } })).await;
        let status = receive(&mut client).await;
        if !["queued", "running"].contains(&status["data"]["state"].as_str().unwrap()) {
            return status["data"].clone();
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn what_a_killed_process_had_accepted_is_done_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let first = Process::new();
    first.run(async {
        let world = world_with_book(folder.path());
        accepted(&world, "waits-once", "recovered", 600).await;
    });
    first.kill();
    let second = Process::new();
    second.run(async {
        let world = world_with_book(folder.path());
        let recovered = world.gateway.recover(Resume::Restart).await.unwrap();
        assert_eq!(recovered, Recovered { restarted: 1, ..Recovered::default() });
        let end = ended(&world, "recovered").await;
        assert_eq!((&end["state"], &end["status"]), (&json!("finished"), &json!("success")));
        assert_eq!(end["result"]["analysis"]["model"], "waits-once");
        assert_eq!(fake::runs_of("recovered"), 2);
    });
    second.kill();
    // The third has nothing to do, and still knows the result.
    Process::new().run(async {
        let world = world_with_book(folder.path());
        let recovered = world.gateway.recover(Resume::Restart).await.unwrap();
        assert_eq!(recovered, Recovered::default());
        let end = ended(&world, "recovered").await;
        assert_eq!(end["result"]["analysis"]["model"], "waits-once");
        let wish = json!({ "type": "cancel_request", "data": { "task_id": "recovered" } });
        let mut client = world.client_of("other", Scopes::ALL);
        send(&mut client, wish).await;
        assert_eq!(receive(&mut client).await["data"]["state"], "already_finished");
    });
}

#[test]
fn by_policy_it_is_ended_as_lost_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = Process::new();
    first.run(async {
        accepted(&world_with_book(folder.path()), "waits", "lost", 600).await;
    });
    first.kill();
    let mut told = None;
    for expected in [1, 0] {
        let process = Process::new();
        process.run(async {
            let world = world_with_book(folder.path());
            assert_eq!(world.gateway.recover(Resume::Lose).await.unwrap().lost, expected);
            let end = ended(&world, "lost").await;
            assert_eq!((&end["state"], &end["status"]), (&json!("finished"), &json!("error")));
            // Whoever asks for it by its name is told one end, as old as it is.
            let mut client = world.client();
            send(&mut client, analysis("again", "waits", json!({ "task_id": "lost" }))).await;
            let end = until(&mut client, "analysis_result").await["data"].clone();
            assert!(end["timestamp"].is_string(), "{end}");
            assert_eq!(*told.get_or_insert_with(|| end.clone()), end);
        });
        process.kill();
    }
}

#[test]
fn what_nobody_can_wait_for_any_more_is_ended_as_late() {
    let folder = tempfile::tempdir().unwrap();
    let first = Process::new();
    first.run(async {
        accepted(&world_with_book(folder.path()), "waits", "late", 1).await;
    });
    first.kill();
    let process = Process::new();
    process.run(async {
        // The clock that counts is that of the wall.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let world = world_with_book(folder.path());
        assert_eq!(world.gateway.recover(Resume::Restart).await.unwrap().late, 1);
        assert_eq!(ended(&world, "late").await["status"], "timeout");
    });
}

#[test]
fn asking_again_for_what_has_ended_is_answered_by_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let again = |more: Value| {
        let mut data = json!({ "task_id": "again" });
        for (key, value) in more.as_object().unwrap() {
            data[key] = value.clone();
        }
        analysis("again", "own", data)
    };
    // The second process knows it from the book.
    for _ in 0..2 {
        let process = Process::new();
        process.run(async {
            let world = world_with_book(folder.path());
            let mut client = world.client();
            for _ in 0..2 {
                send(&mut client, again(json!({}))).await;
                let end = until(&mut client, "analysis_result").await;
                assert_eq!(end["data"]["status"], "success");
                assert_eq!(end["data"]["analysis"]["model"], "own");
            }
            assert_eq!(fake::runs_of("again"), 1);
            // Other work may not have its name.
            send(&mut client, again(json!({ "app_number": 2 }))).await;
            let analysis = until(&mut client, "analysis_result").await["data"]["analysis"].take();
            assert_eq!(analysis["code"], "invalid_message", "{analysis}");
        });
        process.kill();
    }
}

#[test]
fn of_two_equal_tasks_that_were_open_each_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::new();
    process.run(async {
        let now = jiff::Timestamp::now();
        let (book, _) = Book::open(folder.path(), BookTerms::default()).unwrap();
        for name in ["twin-1", "twin-2"] {
            let task = assay_store::NewTask {
                id: assay_model::TaskId::new(name).unwrap(),
                client: "here".to_owned(),
                key: format!("{:032x}", 7),
                model: "quick".to_owned(),
                app: 1,
                kind: "static".to_owned(),
                service: "static-analyzer".to_owned(),
                request: r#"{"model_slug":"quick","app_number":1}"#.to_owned(),
                priority: 1,
                deadline_at: now + jiff::SignedDuration::from_mins(1),
                detach: true,
                batch: None,
                accepted_at: now,
                traceparent: None,
            };
            book.accept(task).await.unwrap();
        }
        book.close().await.unwrap();
        let world = world_with_book(folder.path());
        let recovered = world.gateway.recover(Resume::Restart).await.unwrap();
        assert_eq!(recovered, Recovered { restarted: 2, ..Recovered::default() });
        for name in ["twin-1", "twin-2"] {
            assert_eq!(ended(&world, name).await["status"], "success");
        }
        assert_eq!(fake::runs_of("twin-1") + fake::runs_of("twin-2"), 1);
    });
}

fn batch_of(apps: u32, detach: bool) -> Value {
    let apps: Vec<Value> = (0..apps).map(|number| json!(["waits-once", number])).collect();
    let data = json!({ "apps": apps, "task_id": "many", "detach": detach });
    json!({ "type": "batch_request", "id": "b", "data": data })
}

/// A window of 32 is asked for at a time, so some of its apps were no tasks yet.
#[test]
fn a_batch_that_a_killed_process_had_taken_goes_on_with_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let first = Process::new();
    first.run(async {
        let world = world_with_book(folder.path());
        let mut client = world.client();
        send(&mut client, batch_of(50, false)).await;
        assert_eq!(receive(&mut client).await["data"]["state"], "queued");
        while world.service.health().await.active < 4 {
            tokio::task::yield_now().await;
        }
    });
    first.kill();
    let second = Process::new();
    second.run(async {
        let world = world_with_book(folder.path());
        let recovered = world.gateway.recover(Resume::Restart).await.unwrap();
        assert_eq!((recovered.batches, recovered.lost), (1, 0));
        // Those that had begun are done at once, and the others wait for the first time: they end by
        // their cancel.
        let all = async {
            let mut client = world.client();
            loop {
                send(&mut client, json!({ "type": "status_request" })).await;
                let tasks = receive(&mut client).await["data"]["tasks"].clone();
                for task in tasks["live"].as_array().unwrap() {
                    let data = json!({ "task_id": task["task_id"] });
                    send(&mut client, json!({ "type": "cancel_request", "data": data })).await;
                    until(&mut client, "status_update").await;
                }
                let wish = json!({ "type": "status_request", "data": { "task_id": "many" } });
                send(&mut client, wish).await;
                let status = receive(&mut client).await["data"].clone();
                if status["state"] == "finished" {
                    return status;
                }
            }
        };
        assert!(all.await["status"].is_string());
        let query =
            TaskQuery { batch: Some("many".to_owned()), limit: 100, ..TaskQuery::default() };
        let book = BookReader::open(folder.path()).unwrap();
        let tasks = book.tasks(query).await.unwrap();
        assert_eq!(tasks.len(), 50, "each of its apps is one task, and none is two");
        assert!(tasks.iter().all(|task| task.end.is_some()));
        assert_eq!(book.open_batches().await.unwrap(), []);
    });
    second.kill();
    let third = Process::new();
    third.run(async {
        let world = world_with_book(folder.path());
        assert_eq!(world.gateway.recover(Resume::Restart).await.unwrap(), Recovered::default());
        let mut client = world.client();
        send(&mut client, batch_of(1, false)).await;
        let refused = receive(&mut client).await;
        assert_eq!(refused["data"]["code"], "invalid_message", "{refused}");
    });
}

#[test]
fn a_detached_batch_needs_no_client_and_outlives_the_end_of_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let state =
        |task: &'static str| json!({ "type": "status_request", "data": { "task_id": task } });
    let first = Process::new();
    first.run(async {
        let world = world_with_book(folder.path());
        let apps: Vec<Value> = (0..50).map(|number| json!(["quick", number])).collect();
        let data = json!({ "apps": apps, "task_id": "quick", "detach": true });
        let mut client = world.client();
        send(&mut client, json!({ "type": "batch_request", "data": data })).await;
        assert_eq!(receive(&mut client).await["data"]["state"], "queued");
        drop(client);
        let mut other = world.client();
        let end = loop {
            send(&mut other, state("quick")).await;
            let status = receive(&mut other).await["data"].clone();
            if status["state"] == "finished" {
                break status;
            }
            assert_eq!(status["state"], "running");
        };
        assert_eq!(end["status"], "success");
        // One whose tasks have no end before the server's.
        send(&mut other, batch_of(50, true)).await;
        while world.service.health().await.active < 4 {
            tokio::task::yield_now().await;
        }
        world.gateway.shut_down(Duration::ZERO).await;
    });
    first.kill();
    let second = Process::new();
    second.run(async {
        let world = world_with_book(folder.path());
        assert_eq!(world.gateway.recover(Resume::Restart).await.unwrap().batches, 1);
        let mut client = world.client();
        send(&mut client, state("many")).await;
        assert_eq!(receive(&mut client).await["data"]["state"], "running");
        send(&mut client, state("quick")).await;
        let status = receive(&mut client).await["data"].clone();
        assert_eq!((&status["state"], &status["status"]), (&json!("finished"), &json!("success")));
    });
    second.kill();
}
