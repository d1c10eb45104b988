//! A task has one end, with its result, of whatever size.

use crate::kit::{end, id, new_folder, noise, task};
use assay_store::{Book, BookTerms, StoreError};
use std::{fs, path::Path, sync::Arc};

/// A bit more than what is kept inside the book.
const BIG: usize = 100_001;

fn open(folder: &Path) -> Book {
    let terms = BookTerms { big_result: BIG - 1, ..BookTerms::default() };
    Book::open(folder, terms).unwrap().0
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder.join("results")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_result_comes_back_as_it_was_small_or_big() {
    let folder = new_folder();
    let book = open(folder.path());
    let sizes = [0, 1, 50_000, BIG - 1, BIG, 1 << 20];
    for (n, size) in (0..).zip(sizes) {
        book.accept(task(n)).await.unwrap();
        assert!(book.end(&id(n), end(n, Some(&noise(n, size)))).await.unwrap());
    }
    book.accept(task(10)).await.unwrap();
    book.end(&id(10), end(10, None)).await.unwrap();
    assert_eq!(files(folder.path()), 2);
    book.close().await.unwrap();
    let book = open(folder.path());
    for (n, size) in (0..).zip(sizes) {
        assert_eq!(book.result(&id(n)).await.unwrap().unwrap(), noise(n, size), "{size}");
        let end = book.task(&id(n)).await.unwrap().unwrap().end.unwrap();
        assert_eq!(end.result_bytes, Some(size as u64));
    }
    assert_eq!(book.result(&id(10)).await.unwrap(), None);
    assert_eq!(book.result(&id(11)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_ends_at_once_one_counts_and_its_result_stays() {
    let folder = new_folder();
    let book = Arc::new(open(folder.path()));
    book.accept(task(1)).await.unwrap();
    let ends: Vec<_> = (0..20)
        .map(|n| {
            let book = Arc::clone(&book);
            let size = if n % 2 == 0 { BIG } else { 100 };
            let end = async move { book.end(&id(1), end(n, Some(&noise(n, size)))).await };
            (n, size, tokio::spawn(end))
        })
        .collect();
    let mut won = Vec::new();
    for (n, size, end) in ends {
        if end.await.unwrap().unwrap() {
            won.push((n, size));
        }
    }
    let [(n, size)] = *won else { panic!("{won:?} ended it") };
    assert_eq!(book.result(&id(1)).await.unwrap().unwrap(), noise(n, size));
    assert_eq!(files(folder.path()), usize::from(size == BIG), "the others' files are gone");
    assert!(!book.end(&id(1), end(99, None)).await.unwrap());
}

#[tokio::test]
async fn an_end_of_nothing_is_refused_and_leaves_no_file() {
    let folder = new_folder();
    let book = open(folder.path());
    for result in [None, Some(&noise(1, BIG)[..])] {
        let error = book.end(&id(1), end(1, result)).await.unwrap_err();
        assert!(matches!(error, StoreError::TaskUnknown { .. }), "{error:?}");
    }
    assert_eq!(files(folder.path()), 0);
}

#[tokio::test]
async fn a_result_that_was_cut_or_blown_up_is_told_and_not_given() {
    let folder = new_folder();
    let book = open(folder.path());
    book.accept(task(1)).await.unwrap();
    book.end(&id(1), end(1, Some(&noise(1, BIG)))).await.unwrap();
    let path = fs::read_dir(folder.path().join("results")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[BIG / 2] ^= 1;
    for bad in [&whole[..BIG / 2], b"", &flipped] {
        fs::write(&path, bad).unwrap();
        let error = book.result(&id(1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
    }
    fs::remove_file(&path).unwrap();
    assert!(book.result(&id(1)).await.is_err());
}
