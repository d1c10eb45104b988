//! Single flight: equal work once, whoever leaves.

mod group; // async_singleflight
mod moka; // moka
mod ours; // the ledger
mod work; // what is run

use assay_compare::table::{OURS, Table, no, not_offered, row, yes};

const MOKA: &str = "moka";
const GROUP: &str = "async_singleflight";

const AFRESH_IN_TIME: &str = "with a timeout around each: when the first gives up the work starts afresh, and the next one misses it";

pub fn table() -> Table {
    let rows = vec![
        row(
            "equal requests at one time are one piece of work",
            vec![
                yes(OURS, ours::runs_once),
                yes(MOKA, moka::runs_once),
                yes(GROUP, group::runs_once),
            ],
        ),
        row(
            "the first to ask may leave, and the work goes on for the others",
            vec![
                yes(OURS, ours::first_may_leave),
                no(MOKA, moka::first_may_leave)
                    .note("another caller's future starts the work afresh"),
                no(GROUP, group::first_may_leave)
                    .note("another caller's future starts the work afresh"),
            ],
        ),
        row(
            "a panic in the work is told to all who wait, and is not tried again by each of them",
            vec![
                yes(OURS, ours::panic_reaches_all),
                no(MOKA, moka::panic_reaches_all),
                no(GROUP, group::panic_reaches_all),
            ],
        ),
        row(
            "a failure reaches all who wait, with its reason",
            vec![
                yes(OURS, ours::failure_reaches_all),
                yes(MOKA, moka::failure_reaches_all),
                no(GROUP, group::failure_reaches_all).note("all but the first get `Err(None)`"),
            ],
        ),
        row(
            "a failure is not remembered",
            vec![
                yes(OURS, ours::failure_is_forgotten),
                yes(MOKA, moka::failure_is_forgotten),
                yes(GROUP, group::failure_is_forgotten),
            ],
        ),
        row(
            "the work stops when the last one has left",
            vec![
                yes(OURS, ours::stops_with_the_last),
                yes(MOKA, moka::stops_with_the_last),
                yes(GROUP, group::stops_with_the_last),
            ],
        ),
        row(
            "the work can go on without its caller (detached), until its deadline",
            vec![
                yes(OURS, ours::detached_goes_on),
                not_offered(MOKA, moka::detached_goes_on),
                not_offered(GROUP, group::detached_goes_on),
            ],
        ),
        row(
            "the deadline of the work is the latest of those who wait",
            vec![
                yes(OURS, ours::deadline_is_the_latest),
                not_offered(MOKA, moka::deadline_is_the_latest).note(AFRESH_IN_TIME),
                not_offered(GROUP, group::deadline_is_the_latest).note(AFRESH_IN_TIME),
            ],
        ),
        row(
            "a refresh runs after the work that it doubts, once for all who ask for it",
            vec![
                yes(OURS, ours::refresh_waits),
                not_offered(MOKA, moka::refresh_waits)
                    .note("who invalidates the key and asks again joins what is under way"),
                not_offered(GROUP, group::refresh_waits),
            ],
        ),
    ];
    Table { title: "Single flight", crates: &[OURS, MOKA, GROUP], rows }
}
