//! A disk without room, and what becomes of ends.

use crate::common::{send, until};
use crate::{World, analysis};
use assay_server::GatewayTerms;
use assay_store::{Book, BookTerms};
use serde_json::json;
use std::{fs, sync::Arc, time::Duration};
use testkit::SmallDisk;

/// Several tries long.
const SEVERAL: Duration = Duration::from_secs(2);

const LONG: Duration = Duration::from_mins(1);

/// Runs again as a process that may mount a small disk.
const NAME: &str = "full::an_end_that_finds_no_room_waits_for_it_and_is_told_then";

#[tokio::test]
async fn an_end_that_finds_no_room_waits_for_it_and_is_told_then() {
    if testkit::with_mounts_of_its_own(NAME) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path(), 8) else {
        assert!(std::env::var_os("ASSAY_TEST_REQUIRE_ALL").is_none(), "nothing may be mounted");
        eprintln!("skipped: nothing may be mounted here, so there is no small disk");
        return;
    };
    let home = folder.path().join("book");
    let (book, _) = Book::open(&home, BookTerms::default()).unwrap();
    let book = Arc::new(book);
    let world = World::with(4, GatewayTerms::default(), Some(Arc::clone(&book)));
    let (mut client, mut other) = (world.client(), world.client());
    send(&mut client, analysis("id", "waits", json!({ "task_id": "waiting" }))).await;
    until(&mut client, "progress_update").await;
    // Somebody takes all the room, and that of the reserve as soon as it is given up.
    fs::remove_file(home.join("reserve")).unwrap();
    disk.fill().unwrap();
    // The log of the book has some room in itself; it is used up.
    let is_full = async {
        for number in 0.. {
            let id = format!("filling-{number}");
            send(&mut other, analysis(&id, "quick", json!({ "task_id": id }))).await;
            let end = tokio::time::timeout(SEVERAL, until(&mut other, "analysis_result")).await;
            match end {
                Ok(end) if end["data"]["status"] == "success" => {}
                // It is refused, or its end waits already.
                Ok(_) | Err(_) => return,
            }
        }
    };
    tokio::time::timeout(LONG, is_full).await.expect("the disk is never full");
    send(&mut client, json!({ "type": "cancel_request", "data": { "task_id": "waiting" } })).await;
    let task = assay_model::TaskId::new("waiting").unwrap();
    let told = until(&mut client, "analysis_result");
    tokio::pin!(told);
    // The end is tried, and tried again; nobody hears of it meanwhile.
    assert!(tokio::time::timeout(SEVERAL, &mut told).await.is_err(), "told before it is written");
    assert_eq!(book.task(&task).await.unwrap().unwrap().end, None);
    disk.free();
    assert_eq!(told.await["data"]["status"], "cancelled");
    let end = book.task(&task).await.unwrap().unwrap().end.unwrap();
    assert_eq!(end.status, "cancelled");
}
