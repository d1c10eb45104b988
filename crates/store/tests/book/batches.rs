//! Batches are taken on whole and end once.

use crate::kit::{at, end, id, new_folder, open, task};
use assay_store::{BatchEnd, NewBatch, NewTask, StoreError, TaskQuery};

fn batch(name: &str) -> NewBatch {
    NewBatch {
        id: name.to_owned(),
        client: "client".to_owned(),
        request: "[[\"model\", 1]]".to_owned(),
        accepted_at: at(0),
    }
}

fn of(name: &str, n: u32) -> NewTask {
    NewTask { batch: Some(name.to_owned()), ..task(n) }
}

fn finished(n: u32) -> BatchEnd {
    BatchEnd { at: at(n), status: "success".to_owned() }
}

#[tokio::test]
async fn a_batch_is_open_until_it_is_ended_and_says_how_far_it_is() {
    let folder = new_folder();
    let book = open(folder.path());
    book.accept_batch(batch("a"), (0..5).map(|n| of("a", n)).collect()).await.unwrap();
    book.accept_batch(batch("b"), Vec::new()).await.unwrap();
    for n in 0..2 {
        book.end(&id(n), end(n, None)).await.unwrap();
    }
    book.close().await.unwrap();
    let book = open(folder.path());
    let names = async || {
        let open = book.open_batches().await.unwrap();
        open.into_iter().map(|record| record.batch.id).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["a", "b"]);
    let record = book.batch("a").await.unwrap().unwrap();
    assert_eq!((record.batch, record.open, record.tasks), (batch("a"), 3, 5));
    assert!(book.end_batch("a", finished(9)).await.unwrap());
    assert!(!book.end_batch("a", finished(10)).await.unwrap(), "it has one end");
    assert_eq!(book.batch("a").await.unwrap().unwrap().end, Some(finished(9)));
    assert_eq!(names().await, ["b"]);
    assert_eq!(book.batch("c").await.unwrap(), None);
    let error = book.end_batch("c", finished(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::BatchUnknown { .. }), "{error:?}");
}

#[tokio::test]
async fn a_batch_with_one_wrong_task_is_not_there_at_all() {
    let folder = new_folder();
    let book = open(folder.path());
    book.accept(task(3)).await.unwrap();
    let wrong = (0..5).map(|n| of("a", n)).collect();
    let error = book.accept_batch(batch("a"), wrong).await.unwrap_err();
    assert!(matches!(&error, StoreError::TaskTaken { task } if *task == id(3)), "{error:?}");
    assert_eq!(book.batch("a").await.unwrap(), None);
    assert_eq!(book.tasks(TaskQuery::default()).await.unwrap().len(), 1);
    book.accept_batch(batch("a"), vec![of("a", 0)]).await.unwrap();
    let error = book.accept_batch(batch("a"), Vec::new()).await.unwrap_err();
    assert!(matches!(error, StoreError::BatchTaken { .. }), "{error:?}");
}
