//! Every order in which the steps of threads can fall, by loom. Run by `scripts/loom`.
//!
//! Each case is one hand-off: a connection that is given back while somebody asks, or leaves; a
//! chore that comes while the keeper falls asleep; the last connection that closes under a shutdown.

use super::*;
use crate::terms::{EndpointTerms, PoolTerms};
use assay_rules::Dice;
use loom::{future::block_on, thread};
use std::{future::poll_fn, num::NonZeroU32};

/// A connection.
type Wire = &'static str;

/// A pool of one permit, and its service.
fn one_permit() -> (Arc<Handoff<Wire>>, ServiceId) {
    let terms = PoolTerms { max_connections: NonZeroU32::MIN, ..PoolTerms::default() };
    let handoff = Handoff::new(Machine::new(terms, Dice::seeded(1)), || Instant::START);
    let service = handoff.tell(|machine, now| {
        let service = machine.service("static");
        machine.add(service, EndpointTerms::local("a", 8), now);
        service
    });
    (Arc::new(handoff), service)
}

/// Asks, waits, uses and gives back.
fn use_one(handoff: &Arc<Handoff<Wire>>, service: ServiceId) {
    let granted = block_on(handoff.ask(service, None)).expect("nothing refuses here");
    let wire = match granted.how {
        How::Reuse { connection, .. } => connection,
        How::Connect { .. } => {
            granted.held.connected();
            "wire"
        }
    };
    granted.held.end(Answer::Success, Some(wire));
}

/// What is left when all have gone: one idle connection at most, and nobody waits.
fn settled(handoff: &Handoff<Wire>) {
    let stats = handoff.tell(|machine, now| machine.stats(now));
    let held = stats.active + stats.connecting;
    assert_eq!((stats.waiting, held), (0, 0), "{stats:?}");
    assert_eq!(stats.opened - stats.closed, stats.open() as u64);
    let is_empty = handoff.step(|inside, _| inside.waiting.is_empty());
    assert!(is_empty, "a place is left behind");
}

#[test]
fn loom_one_permit_goes_from_hand_to_hand() {
    loom::model(|| {
        let (handoff, service) = one_permit();
        let other = Arc::clone(&handoff);
        let thread = thread::spawn(move || use_one(&other, service));
        use_one(&handoff, service);
        thread.join().expect("no thread panics");
        settled(&handoff);
    });
}

#[test]
fn loom_who_leaves_while_he_is_served_passes_it_on() {
    loom::model(|| {
        let (handoff, service) = one_permit();
        let first = block_on(handoff.ask(service, None)).expect("a permit is free");
        let leaving = handoff.ask(service, None);
        let staying = handoff.ask(service, None);
        let thread = thread::spawn(move || {
            first.held.connected();
            first.held.end(Answer::Success, Some("wire"));
        });
        let leaver = thread::spawn(move || drop(leaving));
        // With a wake-up lost this would wait for ever, and loom would say so.
        let granted = block_on(staying).expect("nothing refuses here");
        drop(granted);
        thread.join().expect("no thread panics");
        leaver.join().expect("no thread panics");
        settled(&handoff);
    });
}

#[test]
fn loom_a_dropped_grant_wakes_the_next_one() {
    loom::model(|| {
        let (handoff, service) = one_permit();
        let granted = block_on(handoff.ask(service, None)).expect("a permit is free");
        let thread = thread::spawn(move || drop(granted));
        use_one(&handoff, service);
        thread.join().expect("no thread panics");
        settled(&handoff);
    });
}

#[test]
fn loom_a_chore_finds_the_keeper() {
    loom::model(|| {
        let (handoff, service) = one_permit();
        use_one(&handoff, service);
        let keeper = Arc::clone(&handoff);
        let thread = thread::spawn(move || {
            loop {
                let chore = block_on(poll_fn(|cx| keeper.poll_chore(cx, Instant::START)));
                if let Chore::Close(wire, closing) = chore {
                    drop(closing);
                    return wire;
                }
            }
        });
        handoff.tell(|machine, _| machine.shut_down());
        block_on(poll_fn(|cx| handoff.poll_closed(cx)));
        assert_eq!(thread.join().expect("no thread panics"), "wire");
        settled(&handoff);
    });
}
