//! Sessions of the gateway and of a service under scripts of random bytes: the body of the fuzz
//! target `sessions`, by seed. A failing seed is printed; `ASSAY_SEED=N` replays it,
//! `ASSAY_SEEDS=N` tries more.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

mod analyzer; // does as its request says
mod drive; // gateway, service, and what must hold
mod peer; // a client that may send anything
mod script; // what clients do, as bytes say

use assay_rules::Dice;
use std::collections::BTreeSet;

/// Seeds that are tried by default: some seconds.
const SEEDS: u64 = 200;

/// What clients are told in some script or other.
const HAPPENS: &[&str] = &[
    "analysis_result cancelled",
    "analysis_result error",
    "analysis_result success",
    "analysis_result timeout",
    "batch_result cancelled",
    "batch_result success",
    "closed by 1001",
    "closed by 1002",
    "closed by 1003",
    "closed by 1009",
    "error draining",
    "error invalid_json",
    "error invalid_message",
    "error overloaded",
    "error rate_limited",
    "error too_large",
    "error unknown_type",
    "static_analysis_result cancelled",
    "static_analysis_result success",
    "static_analysis_result timeout",
    "status_update already_finished",
    "status_update cancelled",
    "status_update finished",
    "status_update not_found",
];

#[test]
fn every_request_has_one_end_and_nothing_is_left_whatever_clients_send() {
    let mut seen = BTreeSet::new();
    testkit::each_seed("-p assay-server --test sessions", SEEDS, |seed| {
        let mut dice = Dice::seeded(seed);
        let many = dice.below(600);
        let bytes: Vec<u8> = (0..many).map(|_| dice.next_u64().to_le_bytes()[0]).collect();
        seen.extend(drive::drive(&bytes));
    });
    // Scripts in which something never happens prove nothing about it.
    if !testkit::replays_a_seed() {
        let missing: Vec<_> = HAPPENS.iter().filter(|word| !seen.contains(**word)).collect();
        assert!(missing.is_empty(), "it never happens: {missing:?}, only {seen:#?}");
    }
}
