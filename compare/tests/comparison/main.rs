//! Asks each crate for each property, and holds `docs/comparison.md` against the answers.
//!
//! Each crate is used as its documentation says. When a crate mends what it did not keep, its check
//! fails here and says so: change the cell, then write the page with `UPDATE_DOCS=1`.

mod balance; // choice of replica
mod breaker; // circuit breakers: the properties
mod breaker_checks; // circuit breakers: how ours and each crate are asked
mod budget; // retry budgets
mod pool; // pools of connections
mod rate_limit; // token buckets
mod single_flight; // equal work once

use assay_compare::table::Table;
use futures_util::FutureExt;
use std::{env, fs, path::Path};
use tokio::runtime::{Builder, Runtime};

const HEAD: &str = "\
# Our rules beside the crates that a user would pick instead

Written by the tests of `compare/` (`UPDATE_DOCS=1 cargo test` there); every cell is a check that ran against the crate of that
version, used as its documentation says. *Not offered* means that the crate has no such feature and does not claim it; its check takes
what it has instead, and sees that the property does not hold.
Ours, but for the pool, are state machines without a clock, a task or a lock; most of the others are finished services, which is a virtue of its own.
What a step costs is in [performance.md](performance.md).

";

fn tables() -> Vec<Table> {
    vec![
        breaker::table(),
        single_flight::table(),
        pool::table(),
        budget::table(),
        rate_limit::table(),
        balance::table(),
    ]
}

fn check(table: Table) {
    let faults = table.faults();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Polls a future once, and leaves it where it is.
fn polled<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    (&mut future).now_or_never()
}

/// One thread, paper time: the same on every machine.
fn paused() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime can be made")
}

#[test]
fn breakers_are_as_the_page_says() {
    check(breaker::table());
}

#[test]
fn single_flights_are_as_the_page_says() {
    check(single_flight::table());
}

#[test]
fn pools_are_as_the_page_says() {
    check(pool::table());
}

#[test]
fn budgets_are_as_the_page_says() {
    check(budget::table());
}

#[test]
fn rate_limits_are_as_the_page_says() {
    check(rate_limit::table());
}

#[test]
fn balancers_are_as_the_page_says() {
    check(balance::table());
}

#[test]
fn the_page_is_current() {
    let sections: String = tables().iter().map(Table::section).collect();
    let page = format!("{HEAD}{}\n", sections.trim_end());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/comparison.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("the page can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(page == written, "write it anew with UPDATE_DOCS=1, and read the diff");
}
