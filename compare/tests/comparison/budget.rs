//! Retry budgets.

use assay_compare::table::{OURS, Table, no, not_offered, row, yes};
use assay_rules::{
    Percent,
    retry::{Budget, BudgetSettings},
};
use std::time::Duration;
use tower::retry::budget::{Budget as _, TpsBudget};

const TOWER: &str = "tower";

pub fn table() -> Table {
    let rows = vec![
        row(
            "a share of 20 % is 20 %",
            vec![yes(OURS, || ours(20) == 20), yes(TOWER, || tower(0.2) == 20)],
        ),
        row(
            "a share of 70 % is 70 %",
            vec![
                yes(OURS, || ours(70) == 70),
                no(TOWER, || tower(0.7) == 70)
                    .note("`1 / 0.7` is cut to 1: all calls may be retried"),
            ],
        ),
        row(
            "retries in flight are bounded beside the calls in flight",
            vec![
                yes(OURS, in_flight_is_bounded),
                not_offered(TOWER, tower_in_flight_is_bounded)
                    .note("what earlier calls saved up is spent at once"),
            ],
        ),
    ];
    Table { title: "Retry budget", crates: &[OURS, TOWER], rows }
}

/// How many retries 100 calls earn.
fn ours(share: u8) -> usize {
    let settings = BudgetSettings { share: Percent::new(share), at_once: 1_000, saved_max: 1_000 };
    let mut budget = Budget::new(settings);
    let mut saved = 0;
    while budget.retry().is_ok_and(|retry| budget_ended(&mut budget, retry)) {
        saved += 1;
    }
    assert_eq!(saved, 1_000, "what is saved at the start is spent");
    let calls: Vec<_> = (0..100).map(|_| budget.call_began()).collect();
    let earned = (0..1_000).take_while(|_| budget.retry().is_ok()).count();
    calls.into_iter().for_each(|call| budget.call_ended(call));
    earned
}

fn budget_ended(budget: &mut Budget, retry: assay_rules::retry::Retry) -> bool {
    budget.retry_ended(retry);
    true
}

/// The same, with no reserve.
fn tower(share: f32) -> usize {
    let budget = TpsBudget::new(Duration::from_secs(60), 0, share);
    (0..100).for_each(|_| budget.deposit());
    (0..1_000).take_while(|_| budget.withdraw()).count()
}

fn in_flight_is_bounded() -> bool {
    let settings = BudgetSettings { share: Percent::new(20), at_once: 0, saved_max: 1_000 };
    let mut budget = Budget::new(settings);
    let earlier: Vec<_> = (0..1_000).map(|_| budget.call_began()).collect();
    earlier.into_iter().for_each(|call| budget.call_ended(call));
    let _calls: Vec<_> = (0..10).map(|_| budget.call_began()).collect();
    let retries: Vec<_> = (0..10).map_while(|_| budget.retry().ok()).collect();
    retries.len() == 2
}

fn tower_in_flight_is_bounded() -> bool {
    let budget = TpsBudget::new(Duration::from_secs(60), 0, 0.2);
    let (earlier, in_flight) = (1_000, 10);
    (0..earlier + in_flight).for_each(|_| budget.deposit());
    (0..10).take_while(|_| budget.withdraw()).count() == 2
}
