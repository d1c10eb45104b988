//! The machine's answers at the edges, by example: exact times, exact numbers.

use assay_pool::{
    EndpointId, EndpointTerms, PoolTerms, ServiceId,
    machine::{After, ConnectionId, Fate, Grant, Idled, Machine, Order, Refusal},
};
use assay_rules::{
    Dice, Instant,
    breaker::{Answer, Circuit, Mode, Settings},
};
use std::{num::NonZeroU32, time::Duration};

const FOREVER: Duration = Duration::from_hours(10_000);

fn at(s: u64) -> Instant {
    Instant::after_start(Duration::from_secs(s))
}

/// A cap of so many, one endpoint, a circuit that opens with the first failure.
fn machine(cap: u32, terms: PoolTerms) -> (Machine, ServiceId, EndpointId) {
    let max_connections = NonZeroU32::new(cap).expect("at least 1");
    let breaker = Settings { failure_threshold: NonZeroU32::MIN, ..Settings::default() };
    let terms = PoolTerms { max_connections, breaker, ..terms };
    let mut machine = Machine::new(terms, Dice::seeded(1));
    let service = machine.service("static");
    let endpoint = machine.add(service, EndpointTerms::local("a", 100), Instant::START);
    (machine, service, endpoint)
}

/// Asks, and takes the grant; it stands from then on.
#[track_caller]
fn lease(machine: &mut Machine, service: ServiceId, now: Instant) -> (ConnectionId, Grant) {
    machine.ask(service, None, now);
    match machine.next_order() {
        Some(Order::Grant { connection, how, .. }) => {
            machine.connected(connection);
            (connection, how)
        }
        other => panic!("{other:?}"),
    }
}

fn open_until(machine: &Machine, now: Instant) -> Instant {
    match machine.stats(now).breakers[0].reading.circuit {
        Circuit::Open { until } => until,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_refused_hears_how_long_the_queue_and_he_would_take() {
    let (mut machine, service, _) = machine(1, PoolTerms { queue_max: 2, ..PoolTerms::default() });
    let (first, _) = lease(&mut machine, service, at(0));
    machine.ask(service, None, at(1));
    let leaves = machine.ask(service, None, at(2));
    assert!(machine.give_up(leaves), "that one waits on");
    machine.end(first, Answer::Success, After::Keep, at(5));
    assert!(matches!(machine.next_order(), Some(Order::Grant { .. })), "4 s after he asked");
    machine.ask(service, None, at(100));
    machine.ask(service, None, at(101));
    let refused = machine.ask(service, None, at(101));
    let retry_after = Duration::from_secs(3 * 4);
    let refusal = Refusal::Overloaded { waiting: 2, retry_after };
    assert_eq!(machine.next_order(), Some(Order::Refuse { waiter: refused, refusal }));
}

#[test]
fn what_comes_back_to_a_drained_endpoint_or_a_pool_that_shuts_down_is_closed() {
    let shuts: [fn(&mut Machine, EndpointId); 2] =
        [|machine, endpoint| machine.drain(endpoint, at(1)), |machine, _| machine.shut_down()];
    for shut in shuts {
        let (mut machine, service, endpoint) = machine(1, PoolTerms::default());
        let (connection, _) = lease(&mut machine, service, at(0));
        shut(&mut machine, endpoint);
        assert_eq!(machine.end(connection, Answer::Success, After::Keep, at(2)), Fate::Held);
        assert_eq!(machine.next_order(), Some(Order::Close { connection }));
    }
}

#[test]
fn a_connection_is_retired_at_the_end_of_its_lifetime_and_not_before() {
    // A tenth of it, which is the jitter, is less than the clock can tell.
    let lifetime = Duration::from_nanos(9);
    let terms = PoolTerms { max_lifetime: lifetime, ..PoolTerms::default() };
    for (age, is_closed) in [(8, false), (9, true)] {
        let (mut machine, service, _) = machine(1, terms);
        let (connection, _) = lease(&mut machine, service, Instant::START);
        let now = Instant::after_start(Duration::from_nanos(age));
        machine.end(connection, Answer::Success, After::Keep, now);
        let closes = machine.next_order() == Some(Order::Close { connection });
        assert_eq!(closes, is_closed, "at {age} ns");
    }
}

#[test]
fn a_connection_that_idled_for_its_whole_time_is_replaced_and_not_used() {
    let limit = PoolTerms::default().idle_timeout;
    for (idled, is_used) in [(limit.saturating_sub(Duration::from_nanos(1)), true), (limit, false)]
    {
        let (mut machine, service, _) = machine(1, PoolTerms::default());
        let (first, _) = lease(&mut machine, service, at(0));
        machine.end(first, Answer::Success, After::Keep, at(0));
        let (_, how) = lease(&mut machine, service, Instant::after_start(idled));
        let replaced = Grant::Connect { evicted: Some(first) };
        let used = Grant::Reuse { idled: Idled::Long };
        assert_eq!(how, if is_used { used } else { replaced }, "after {idled:?}");
    }
}

#[test]
fn a_breaker_that_only_watches_lets_others_in_beside_its_trial() {
    for mode in [Mode::WatchOnly, Mode::Off] {
        let (mut machine, service, endpoint) = machine(3, PoolTerms::default());
        machine.set_mode(endpoint, mode, at(0));
        let (fails, _) = lease(&mut machine, service, at(0));
        machine.end(fails, Answer::Failure, After::Close, at(0));
        for now in [at(1), at(3_600), at(3_601)] {
            lease(&mut machine, service, now);
        }
    }
}

#[test]
fn a_sweep_asks_for_the_time_at_which_a_gate_opens_and_not_for_one_that_is_over() {
    let (mut machine, service, _) = machine(1, PoolTerms::default());
    let (connection, _) = lease(&mut machine, service, at(0));
    machine.end(connection, Answer::Failure, After::Close, at(0));
    let until = open_until(&machine, at(0));
    assert_eq!(machine.wake_at(), until);
    machine.sweep(at(1));
    assert_eq!(machine.wake_at(), until, "the gate is still shut");
    machine.sweep(until);
    assert!(machine.wake_at() > until, "nothing is left to wait for");
}

#[test]
fn an_answer_from_before_the_trip_opens_no_gate_beside_a_trial() {
    let (mut machine, service, _) = machine(3, PoolTerms::default());
    let (straggler, _) = lease(&mut machine, service, at(0));
    let (fails, _) = lease(&mut machine, service, at(0));
    machine.end(fails, Answer::Failure, After::Close, at(0));
    let now = open_until(&machine, at(0));
    lease(&mut machine, service, now);
    let later = now + Duration::from_secs(1);
    machine.end(straggler, Answer::Success, After::Close, later);
    let waiter = machine.ask(service, None, later);
    // The trial has the first open time from its start on, and a second of it is over.
    let retry_after = Settings::default().open_for.saturating_sub(Duration::from_secs(1));
    let refusal = Refusal::CircuitOpen { retry_after };
    assert_eq!(machine.next_order(), Some(Order::Refuse { waiter, refusal }));
}

#[test]
fn a_trial_on_a_dead_connection_goes_on_with_the_one_in_its_place() {
    let terms = PoolTerms { idle_timeout: FOREVER, max_lifetime: FOREVER, ..PoolTerms::default() };
    let (mut machine, service, _) = machine(2, terms);
    let (idle, _) = lease(&mut machine, service, at(0));
    let (fails, _) = lease(&mut machine, service, at(0));
    machine.end(idle, Answer::Success, After::Keep, at(0));
    machine.end(fails, Answer::Failure, After::Close, at(0));
    let now = open_until(&machine, at(0));
    let (trial, how) = lease(&mut machine, service, now);
    assert_eq!((trial, how), (idle, Grant::Reuse { idled: Idled::Long }));
    let fresh = machine.reconnect(trial, now).expect("it is leased");
    machine.connected(fresh);
    let beside = machine.ask(service, None, now);
    let refused = machine.next_order();
    assert!(matches!(refused, Some(Order::Refuse { waiter, .. }) if waiter == beside));
    machine.end(fresh, Answer::Success, After::Keep, now);
    assert_eq!(lease(&mut machine, service, now).0, fresh, "the next trial, at once");
}
