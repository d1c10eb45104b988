//! What was taken on is there, for everybody and after everything.

use crate::kit::{at, end, event, id, new_folder, open, task};
use assay_store::{
    Book, BookReader, BookTerms, EndState, OpenTask, Opened, StateFilter, StoreError, TaskQuery,
    WorkState,
};
use std::sync::Arc;

#[tokio::test]
async fn a_task_is_there_from_its_acceptance_to_after_a_restart() {
    let folder = new_folder();
    let (book, opened) = Book::open(folder.path(), BookTerms::default()).unwrap();
    assert_eq!(opened, Opened::New);
    for n in 0..3 {
        book.accept(task(n)).await.unwrap();
    }
    book.started(&id(1), 1, at(7)).await.unwrap();
    book.append(&id(1), vec![event(0), event(1)]).await.unwrap();
    assert!(book.end(&id(2), end(9, None)).await.unwrap());
    book.close().await.unwrap();

    let (book, opened) = Book::open(folder.path(), BookTerms::default()).unwrap();
    assert_eq!(opened, Opened::Here);
    let open = [
        OpenTask { task: task(0), running: false, attempt: 0, next_seq: 0 },
        OpenTask { task: task(1), running: true, attempt: 1, next_seq: 2 },
    ];
    assert_eq!(book.open_tasks().await.unwrap(), open);
    let record = book.task(&id(1)).await.unwrap().unwrap();
    assert_eq!((record.state, record.started_at), (WorkState::Running, Some(at(7))));
    let record = book.task(&id(2)).await.unwrap().unwrap();
    assert_eq!(record.state, WorkState::Ended(EndState::Finished));
    assert_eq!(record.end.unwrap().at, at(9));
    assert_eq!(book.task(&id(3)).await.unwrap(), None);
}

#[tokio::test]
async fn a_reader_of_another_process_sees_what_the_writer_has_returned() {
    let folder = new_folder();
    assert!(matches!(BookReader::open(folder.path()), Err(StoreError::NoBook { .. })));
    let book = open(folder.path());
    let reader = BookReader::open(folder.path()).unwrap();
    for n in 0..20 {
        book.accept(task(n)).await.unwrap();
        assert_eq!(reader.task(&id(n)).await.unwrap().unwrap().task, task(n));
    }
    let error = Book::open(folder.path(), BookTerms::default()).unwrap_err();
    assert!(matches!(error, StoreError::BookInUse { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("assay stop"));
}

#[tokio::test]
async fn tasks_are_found_by_what_is_asked_newest_first_and_page_by_page() {
    let folder = new_folder();
    let book = open(folder.path());
    for n in 0..30 {
        book.accept(task(n)).await.unwrap();
    }
    book.started(&id(3), 1, at(50)).await.unwrap();
    book.end(&id(5), end(60, None)).await.unwrap();
    let found = async |query| {
        let tasks = book.tasks(query).await.unwrap();
        let number = |id: &str| id.trim_start_matches("task-").parse().unwrap();
        tasks.iter().map(|found| number(found.task.id.as_str())).collect::<Vec<u32>>()
    };
    let all = TaskQuery::default;
    assert_eq!(found(all()).await, (0..30).rev().collect::<Vec<_>>());
    assert_eq!(found(TaskQuery { limit: 2, ..all() }).await, [29, 28]);
    assert_eq!(found(TaskQuery { limit: 2, before: Some(id(28)), ..all() }).await, [27, 26]);
    let of_app = TaskQuery { model: Some("model-1".into()), app: Some(3), ..all() };
    assert_eq!(found(of_app).await, [23, 13, 3]);
    let of_client = TaskQuery { client: Some("client-2".into()), limit: 2, ..all() };
    assert_eq!(found(of_client).await, [29, 26]);
    assert_eq!(found(TaskQuery { batch: Some("batch-1".into()), ..all() }).await.len(), 8);
    let with = |state| TaskQuery { state: Some(state), ..all() };
    assert_eq!(found(with(StateFilter::Only(WorkState::Running))).await, [3]);
    assert_eq!(found(with(StateFilter::Ended)).await, [5]);
    assert_eq!(found(with(StateFilter::Open)).await.len(), 29);
    let hostile = TaskQuery { model: Some("' OR 1=1 --".into()), ..all() };
    assert_eq!(found(hostile).await, Vec::<u32>::new());
}

#[tokio::test]
async fn what_would_be_wrong_is_refused_and_changes_nothing() {
    let folder = new_folder();
    let book = open(folder.path());
    book.accept(task(1)).await.unwrap();
    let error = book.accept(task(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::TaskTaken { .. }), "{error:?}");
    let error = book.started(&id(9), 1, at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::TaskUnknown { .. }), "{error:?}");
    book.append(&id(1), vec![event(0)]).await.unwrap();
    book.end(&id(1), end(2, None)).await.unwrap();
    for error in [
        book.started(&id(1), 2, at(3)).await.unwrap_err(),
        book.append(&id(1), vec![event(1)]).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::TaskEnded { .. }), "{error:?}");
    }
    assert_eq!(book.events(&id(1), 0, 10).await.unwrap(), [event(0)]);
    assert_eq!(book.task(&id(1)).await.unwrap().unwrap().attempt, 0);
}

#[tokio::test]
async fn events_are_read_from_a_number_on_and_a_repeated_append_changes_nothing() {
    let folder = new_folder();
    let book = open(folder.path());
    book.accept(task(1)).await.unwrap();
    book.append(&id(1), (0..5).map(event).collect()).await.unwrap();
    book.append(&id(1), (3..8).map(event).collect()).await.unwrap();
    assert_eq!(book.events(&id(1), 6, 10).await.unwrap(), [event(6), event(7)]);
    assert_eq!(book.events(&id(1), 2, 2).await.unwrap(), [event(2), event(3)]);
    assert_eq!(book.events(&id(2), 0, 10).await.unwrap(), []);
}

/// Many at once go into few transactions, so a wrong one among them is alone with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_order_takes_no_other_along() {
    let folder = new_folder();
    let book = Arc::new(open(folder.path()));
    book.accept(task(0)).await.unwrap();
    let orders: Vec<_> = (0..200)
        .map(|n| {
            let book = Arc::clone(&book);
            tokio::spawn(async move {
                // Every fourth wants an id that is taken.
                let n = if n % 4 == 0 { 0 } else { n };
                (n, book.accept(task(n)).await)
            })
        })
        .collect();
    for order in orders {
        let (n, outcome) = order.await.unwrap();
        assert_eq!(outcome.is_ok(), n != 0, "{n}: {outcome:?}");
    }
    assert_eq!(book.open_tasks().await.unwrap().len(), 151);
}

#[tokio::test]
async fn a_caller_that_leaves_has_asked_nothing_or_the_whole() {
    let folder = new_folder();
    let book = open(folder.path());
    for n in 0..100 {
        let mut accept = Box::pin(book.accept(task(n)));
        // Polled once it is ordered, dropped before it is answered.
        tokio::select! {
            biased;
            _ = &mut accept => {}
            () = std::future::ready(()) => {}
        }
    }
    let never_polled = book.accept(task(100));
    drop(never_polled);
    book.close().await.unwrap();
    let open = open(folder.path()).open_tasks().await.unwrap();
    assert_eq!(open.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_stands_while_the_book_writes() {
    let folder = new_folder();
    let book = open(folder.path());
    let before = tokio::time::Instant::now();
    let hour = std::time::Duration::from_hours(1);
    for n in 0..50 {
        tokio::time::timeout(hour, book.accept(task(n))).await.unwrap().unwrap();
        tokio::time::timeout(hour, book.task(&id(n))).await.unwrap().unwrap().unwrap();
    }
    assert_eq!(before.elapsed(), std::time::Duration::ZERO);
}

#[tokio::test]
async fn a_closed_book_says_so_and_can_be_opened_again_at_once() {
    let folder = new_folder();
    for round in 0..10 {
        let book = open(folder.path());
        let clone = book.clone();
        book.accept(task(round)).await.unwrap();
        book.close().await.unwrap();
        for error in [
            clone.accept(task(99)).await.unwrap_err(),
            clone.end(&id(round), end(1, Some(b"x"))).await.unwrap_err(),
            clone.open_tasks().await.unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::BookClosed { .. }), "{error:?}");
        }
    }
    assert_eq!(open(folder.path()).open_tasks().await.unwrap().len(), 10);
}
