//! Circuit breakers: what they keep.

use crate::breaker_checks::{failsafe, ours, recloser, tower};
use assay_compare::table::{OURS, Table, no, not_offered, row, yes};

const TOWER: &str = "tower-resilience-circuitbreaker";
const RECLOSER: &str = "recloser";
const FAILSAFE: &str = "failsafe";

const NOT_A_FAILURE: &str =
    "what is no failure is recorded as a success, and ends a row of failures";

const SETTINGS: &str = "shown by the list of its settings, which `Debug` writes";

const UNLIMITED: &str = "it holds no place, since trials are not limited";

pub fn table() -> Table {
    let mut rows = judging();
    rows.extend(trying());
    rows.extend(telling());
    Table { title: "Circuit breaker", crates: &[OURS, TOWER, RECLOSER, FAILSAFE], rows }
}

/// When it opens.
fn judging() -> Vec<assay_compare::table::Row> {
    vec![
        row(
            "a window of calls slides: after 1,000 successes, ten failures fill a window of ten",
            vec![
                yes(OURS, ours::window_of_calls_slides),
                no(TOWER, tower::window_of_calls_slides)
                    .note("it counts since the last transition, and never forgets a call"),
                yes(RECLOSER, recloser::window_of_calls_slides),
                not_offered(FAILSAFE, failsafe::window_of_calls_slides)
                    .note("by calls it counts only a row of failures; its rate is over time"),
            ],
        ),
        row(
            "a window of time slides: failures older than it no longer count",
            vec![
                yes(OURS, ours::window_of_time_slides),
                yes(TOWER, tower::window_of_time_slides),
                not_offered(RECLOSER, recloser::window_of_time_slides).note(SETTINGS),
                no(FAILSAFE, failsafe::window_of_time_slides)
                    .note("an average that fades: a third of a failure is left after a window"),
            ],
        ),
        row(
            "slow calls open it, though they succeed",
            vec![
                yes(OURS, ours::slow_calls_open),
                yes(TOWER, tower::slow_calls_open),
                not_offered(RECLOSER, recloser::slow_calls_open).note(SETTINGS),
                not_offered(FAILSAFE, failsafe::slow_calls_open),
            ],
        ),
        row(
            "a failure that is the caller's own counts neither way",
            vec![
                yes(OURS, ours::ignored_counts_for_nothing),
                no(TOWER, tower::ignored_counts_for_nothing).note(NOT_A_FAILURE),
                no(RECLOSER, recloser::ignored_counts_for_nothing).note(NOT_A_FAILURE),
                no(FAILSAFE, failsafe::ignored_counts_for_nothing).note(NOT_A_FAILURE),
            ],
        ),
        row(
            "an answer to a call from before the trip changes nothing",
            vec![
                yes(OURS, ours::straggler_changes_nothing),
                no(TOWER, tower::straggler_changes_nothing)
                    .note("a slow success from before the trip closes it while its trial is out"),
                no(RECLOSER, recloser::straggler_changes_nothing),
                no(FAILSAFE, failsafe::straggler_changes_nothing),
            ],
        ),
    ]
}

/// What it does half-open.
fn trying() -> Vec<assay_compare::table::Row> {
    vec![
        row(
            "half-open, one trial at a time",
            vec![
                yes(OURS, ours::one_trial_at_a_time),
                yes(TOWER, tower::one_trial_at_a_time),
                no(RECLOSER, recloser::one_trial_at_a_time),
                no(FAILSAFE, failsafe::one_trial_at_a_time),
            ],
        ),
        row(
            "three successes close it, and still one trial at a time",
            vec![
                yes(OURS, ours::three_trials_one_after_the_other),
                no(TOWER, tower::three_trials_one_after_the_other)
                    .note("successes to close and trials at once are one number"),
                no(RECLOSER, recloser::one_trial_at_a_time),
                no(FAILSAFE, failsafe::three_trials_one_after_the_other)
                    .note("one success closes it"),
            ],
        ),
        row(
            "a trial that is dropped gives its place back",
            vec![
                yes(OURS, ours::dropped_trial_gives_back),
                yes(TOWER, tower::dropped_trial_gives_back),
                yes(RECLOSER, recloser::dropped_trial_gives_back).note(UNLIMITED),
                yes(FAILSAFE, failsafe::dropped_trial_gives_back).note(UNLIMITED),
            ],
        ),
        row(
            "a trial that never answers does not shut the others out for ever",
            vec![
                yes(OURS, ours::lost_trial_gives_back),
                not_offered(TOWER, tower::lost_trial_gives_back).note("put a timeout inside it"),
                yes(RECLOSER, recloser::dropped_trial_gives_back).note(UNLIMITED),
                yes(FAILSAFE, failsafe::dropped_trial_gives_back).note(UNLIMITED),
            ],
        ),
        row(
            "the open time grows while trials keep failing, up to a cap",
            vec![
                yes(OURS, ours::open_time_grows),
                not_offered(TOWER, tower::open_time_grows),
                yes(RECLOSER, recloser::open_time_grows).note("by a function that the user writes"),
                yes(FAILSAFE, failsafe::open_time_grows),
            ],
        ),
    ]
}

/// What it tells.
fn telling() -> Vec<assay_compare::table::Row> {
    vec![
        row(
            "a refusal says when to come back",
            vec![
                yes(OURS, ours::refusal_says_when),
                not_offered(TOWER, tower::refusal_says_when),
                not_offered(RECLOSER, recloser::refusal_says_when),
                not_offered(FAILSAFE, failsafe::refusal_says_when),
            ],
        ),
        row(
            "an endpoint's own `Retry-After` lengthens the open time",
            vec![
                yes(OURS, ours::retry_after_is_heard),
                not_offered(TOWER, tower::retry_after_is_heard),
                not_offered(RECLOSER, recloser::retry_after_is_heard),
                not_offered(FAILSAFE, failsafe::retry_after_is_heard),
            ],
        ),
        row(
            "its state can be read, and reading changes nothing",
            vec![
                yes(OURS, ours::reading_changes_nothing),
                yes(TOWER, tower::reading_changes_nothing),
                not_offered(RECLOSER, recloser::state_is_hidden),
                no(FAILSAFE, failsafe::reading_changes_nothing)
                    .note("`is_call_permitted` makes an open circuit half-open"),
            ],
        ),
        row(
            "a test can turn its time",
            vec![
                yes(OURS, ours::time_can_be_turned),
                no(TOWER, tower::time_can_be_turned)
                    .note("it asks the system's clock, tokio's paused or not"),
                no(RECLOSER, recloser::time_can_be_turned).note("only its own tests can"),
                yes(FAILSAFE, failsafe::time_can_be_turned)
                    .note("`clock::freeze`, hidden from its documentation"),
            ],
        ),
    ]
}
