//! What a caller of single flight counts on, case by case.

use crate::seeds::{at, ms};
use assay_model::CancelReason;
use assay_rules::{
    Instant,
    ledger::{
        Age, Ask, ClientId, Cursor, Follow, Joined, Ledger, LedgerTerms, Msg, Order, Refusal,
        Released, RunEnd, RunId, RunPhase, Ticket,
    },
};

const A: ClientId = ClientId(1);
const B: ClientId = ClientId(2);
const FIRST: RunId = RunId(0);
const SECOND: RunId = RunId(1);

/// A way to go.
type Go = fn(Ticket) -> Msg<&'static str>;

/// A ledger with one way to talk to it.
struct Desk {
    ledger: Ledger<&'static str>,
    now: Instant,
}

impl Desk {
    fn new() -> Self {
        let terms = LedgerTerms { remember_for: ms(10_000), remember_max: 8, ..Default::default() };
        Self { ledger: Ledger::new(terms), now: at(0) }
    }

    fn on(&mut self, msg: Msg<&'static str>) -> Vec<Order<&'static str>> {
        let mut orders = Vec::new();
        self.ledger.on(msg, self.now, &mut orders);
        orders
    }

    fn tick(&mut self, millis: u64) -> Vec<Order<&'static str>> {
        self.now = at(millis);
        self.on(Msg::Tick)
    }

    fn ended(&mut self, run: RunId, end: RunEnd) -> Vec<Order<&'static str>> {
        self.on(Msg::Ended { run, end })
    }

    #[track_caller]
    fn submit(&mut self, ask: Ask<&'static str>) -> Ticket {
        accepted(&self.on(Msg::Submit(ask)))
    }
}

#[track_caller]
fn accepted(orders: &[Order<&'static str>]) -> Ticket {
    match orders.first() {
        Some(Order::Accept { ticket, .. }) => *ticket,
        other => panic!("not accepted: {other:?}"),
    }
}

fn ask(client: ClientId) -> Ask<&'static str> {
    let (follow, age) = (Follow::Wait, Age::Any);
    Ask { client, key: "demo", deadline: at(60_000), follow, age, seen: None }
}

fn fresh(client: ClientId) -> Ask<&'static str> {
    Ask { age: Age::Fresh, ..ask(client) }
}

fn told(client: ClientId, ticket: Ticket, end: RunEnd) -> Order<&'static str> {
    Order::Tell { client, ticket, end }
}

fn stopped(run: RunId, reason: CancelReason) -> Order<&'static str> {
    Order::Stop { run, reason }
}

fn released(client: ClientId, ticket: Ticket, why: Released) -> Order<&'static str> {
    Order::Release { client, ticket, why }
}

#[test]
fn registration_a_request_is_accepted_before_its_run_starts() {
    let mut desk = Desk::new();
    let ticket = Ticket { run: FIRST, seat: 0 };
    let expected = [
        Order::Accept { client: A, ticket, from: 0, joined: Joined::Started },
        Order::Start { run: FIRST, key: "demo", deadline: at(60_000) },
    ];
    assert_eq!(desk.on(Msg::Submit(ask(A))), expected);
    assert_eq!(desk.ledger.phase(FIRST), Some(RunPhase::Running));
    assert_eq!(desk.ledger.live(), 1);
}

#[test]
fn deduplication_equal_requests_share_one_run_and_one_result() {
    let mut desk = Desk::new();
    let tickets: Vec<Ticket> = (0..100).map(|n| desk.submit(ask(ClientId(n)))).collect();
    assert_eq!(desk.ledger.live(), 1);
    let told = desk.ended(FIRST, RunEnd::Done);
    let expected: Vec<_> = tickets
        .iter()
        .zip(0..)
        .map(|(ticket, n)| self::told(ClientId(n), *ticket, RunEnd::Done))
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn other_work_has_its_own_run() {
    let mut desk = Desk::new();
    let first = desk.submit(ask(A));
    let second = desk.submit(Ask { key: "other", ..ask(B) });
    assert_ne!(first.run, second.run);
}

#[test]
fn a_late_joiner_reads_from_the_beginning_and_one_that_comes_back_goes_on() {
    let mut desk = Desk::new();
    desk.submit(ask(A));
    let from = |orders: Vec<Order<_>>| match orders[0] {
        Order::Accept { from, .. } => from,
        other => panic!("{other:?}"),
    };
    assert_eq!(from(desk.on(Msg::Submit(ask(B)))), 0);
    let seen = |run| Ask { seen: Some(Cursor { run, next: 7 }), ..ask(B) };
    assert_eq!(from(desk.on(Msg::Submit(seen(FIRST)))), 7);
    assert_eq!(from(desk.on(Msg::Submit(seen(SECOND)))), 0, "it had read another run");
}

#[test]
fn cancellation_the_first_callers_cancel_leaves_the_run_to_the_others() {
    let mut desk = Desk::new();
    let (a, b) = (desk.submit(ask(A)), desk.submit(ask(B)));
    assert_eq!(desk.on(Msg::Cancel { ticket: a }), [released(A, a, Released::Cancelled)]);
    assert_eq!(desk.ended(FIRST, RunEnd::Done), [told(B, b, RunEnd::Done)]);
}

#[test]
fn cancellation_propagates_from_the_last_who_wants_the_work_and_is_answered_when_it_has_stopped() {
    let mut desk = Desk::new();
    let a = desk.submit(ask(A));
    assert_eq!(desk.on(Msg::Cancel { ticket: a }), [stopped(FIRST, CancelReason::Requested)]);
    assert_eq!(desk.on(Msg::Cancel { ticket: a }), [], "a second cancel says nothing new");
    assert_eq!(desk.ended(FIRST, RunEnd::Stopped), [told(A, a, RunEnd::Stopped)]);
}

#[test]
fn cleanup_the_last_who_leaves_stops_the_run_and_nothing_of_it_stays() {
    let mut desk = Desk::new();
    let (a, b) = (desk.submit(ask(A)), desk.submit(ask(B)));
    assert_eq!(desk.on(Msg::Leave { ticket: a }), []);
    assert_eq!(desk.on(Msg::Leave { ticket: b }), [stopped(FIRST, CancelReason::NobodyWaits)]);
    assert_eq!(desk.ended(FIRST, RunEnd::Stopped), []);
    assert_eq!((desk.ledger.live(), desk.ledger.next_due()), (0, None));
    assert_eq!(desk.ended(FIRST, RunEnd::Stopped), [], "an end is taken once");
}

#[test]
fn timeouts_cascade_each_waits_until_its_own_deadline_and_the_run_until_the_latest() {
    let mut desk = Desk::new();
    let a = desk.submit(Ask { deadline: at(3_000), ..ask(A) });
    let later = desk.on(Msg::Submit(Ask { deadline: at(9_000), ..ask(B) }));
    let b = accepted(&later);
    assert_eq!(later[1..], [Order::Deadline { run: FIRST, deadline: at(9_000) }]);
    assert_eq!(desk.ledger.next_due(), Some(at(3_000)));
    assert_eq!(desk.tick(2_999), []);
    assert_eq!(desk.tick(3_000), [released(A, a, Released::DeadlinePassed)]);
    assert_eq!(desk.ledger.next_due(), Some(at(9_000)));
    assert_eq!(desk.tick(9_000), [stopped(FIRST, CancelReason::DeadlinePassed)]);
    // What the tools found until then is kept: the run says so by its end.
    assert_eq!(desk.ended(FIRST, RunEnd::Stopped), [told(B, b, RunEnd::Stopped)]);
}

#[test]
fn a_run_that_does_not_stop_hangs_nobody() {
    let mut desk = Desk::new();
    let a = desk.submit(Ask { deadline: at(3_000), ..ask(A) });
    desk.tick(3_000);
    assert_eq!(desk.ledger.next_due(), Some(at(5_000)));
    assert_eq!(desk.tick(5_000), [released(A, a, Released::DeadlinePassed)]);
    assert_eq!(desk.ledger.live(), 1, "it has not ended, and is not called so");
    assert_eq!(desk.ended(FIRST, RunEnd::Stopped), []);
}

#[test]
fn the_deadline_shrinks_when_the_one_who_waits_longest_leaves() {
    let mut desk = Desk::new();
    desk.submit(Ask { deadline: at(3_000), ..ask(A) });
    let b = desk.submit(Ask { deadline: at(9_000), ..ask(B) });
    let earlier = Order::Deadline { run: FIRST, deadline: at(3_000) };
    assert_eq!(desk.on(Msg::Leave { ticket: b }), [earlier]);
    assert_eq!(desk.ledger.deadline(FIRST), Some(at(3_000)));
}

#[test]
fn a_stopping_run_takes_no_newcomers() {
    let mut desk = Desk::new();
    let a = desk.submit(ask(A));
    desk.on(Msg::Leave { ticket: a });
    let b = desk.submit(ask(B));
    assert_eq!(b.run, SECOND);
    assert_eq!(desk.ended(FIRST, RunEnd::Stopped), []);
    assert_eq!(desk.ended(SECOND, RunEnd::Done), [told(B, b, RunEnd::Done)]);
}

#[test]
fn who_cancels_a_run_that_stops_already_hears_its_end_with_the_others() {
    let mut desk = Desk::new();
    let (a, b) = (desk.submit(ask(A)), desk.submit(ask(B)));
    desk.on(Msg::Stop { run: FIRST, reason: CancelReason::Requested });
    assert_eq!(desk.on(Msg::Cancel { ticket: a }), [], "it is stopping for that reason");
    let end = RunEnd::Stopped;
    assert_eq!(desk.ended(FIRST, end), [told(A, a, end), told(B, b, end)]);
}

#[test]
fn failures_and_panics_reach_all_and_are_not_remembered() {
    for end in [RunEnd::Failed, RunEnd::Panicked, RunEnd::Stopped] {
        let mut desk = Desk::new();
        let (a, b) = (desk.submit(ask(A)), desk.submit(ask(B)));
        assert_eq!(desk.ended(FIRST, end), [told(A, a, end), told(B, b, end)]);
        assert_eq!(desk.submit(ask(A)).run, SECOND, "{end:?} was remembered");
    }
}

#[test]
fn a_run_that_ended_well_answers_until_it_is_forgotten_or_doubted() {
    let mut desk = Desk::new();
    desk.submit(ask(A));
    desk.ended(FIRST, RunEnd::Done);
    let again = desk.on(Msg::Submit(ask(B)));
    let ticket = accepted(&again);
    assert_eq!(ticket.run, FIRST);
    assert_eq!(again[1..], [told(B, ticket, RunEnd::Done)]);
    assert_eq!(desk.on(Msg::Leave { ticket }), [], "it was answered as it was given");
    assert_eq!(desk.submit(fresh(B)).run, SECOND);
    desk.ended(SECOND, RunEnd::Failed);
    assert_eq!(desk.submit(ask(A)).run, FIRST);
    desk.now = at(10_000);
    assert_eq!(desk.submit(ask(A)).run, RunId(2));
}

#[test]
fn what_was_done_while_it_was_stopped_is_not_remembered() {
    let mut desk = Desk::new();
    let a = desk.submit(ask(A));
    desk.on(Msg::Cancel { ticket: a });
    assert_eq!(desk.ended(FIRST, RunEnd::Done), [told(A, a, RunEnd::Done)]);
    assert_eq!(desk.submit(ask(A)).run, SECOND);
}

#[test]
fn a_refresh_starts_when_the_run_before_it_is_over_and_is_shared() {
    let mut desk = Desk::new();
    let a = desk.submit(ask(A));
    let accept = |ticket| Order::Accept { client: B, ticket, from: 0, joined: Joined::Queued };
    let first = Ticket { run: SECOND, seat: 0 };
    assert_eq!(desk.on(Msg::Submit(fresh(B))), [accept(first)]);
    let second = Ticket { run: SECOND, seat: 1 };
    assert_eq!(desk.on(Msg::Submit(fresh(B))), [accept(second)]);
    assert_eq!(desk.ended(SECOND, RunEnd::Done), [], "it has not even started");
    assert_eq!(desk.submit(ask(A)).run, FIRST, "who does not mind joins the one under way");
    let over = desk.ended(FIRST, RunEnd::Failed);
    assert_eq!(over[0], told(A, a, RunEnd::Failed));
    let start = Order::Start { run: SECOND, key: "demo", deadline: at(60_000) };
    assert_eq!(over.last(), Some(&start));
    assert_eq!(desk.ended(SECOND, RunEnd::Done).len(), 2);
}

#[test]
fn a_refresh_starts_at_once_when_the_run_before_it_stops() {
    let mut desk = Desk::new();
    let a = desk.submit(ask(A));
    desk.submit(fresh(B));
    let start = Order::Start { run: SECOND, key: "demo", deadline: at(60_000) };
    let expected = [stopped(FIRST, CancelReason::Requested), start];
    assert_eq!(desk.on(Msg::Cancel { ticket: a }), expected);
}

#[test]
fn a_refresh_that_nobody_wants_any_more_is_withdrawn() {
    let mut desk = Desk::new();
    desk.submit(ask(A));
    let b = desk.submit(fresh(B));
    let reason = CancelReason::Requested;
    let expected = [Order::Withdraw { run: SECOND, reason }, told(B, b, RunEnd::Stopped)];
    assert_eq!(desk.on(Msg::Cancel { ticket: b }), expected);
    assert_eq!(desk.ended(FIRST, RunEnd::Done).len(), 1, "and nothing starts");
    assert_eq!(desk.ledger.live(), 0);
}

#[test]
fn a_lost_clients_work_lives_on_for_the_grace_unless_others_wait() {
    let mut desk = Desk::new();
    desk.submit(ask(A));
    assert_eq!(desk.on(Msg::Lost { client: A }), []);
    assert_eq!(desk.ledger.next_due(), Some(at(30_000)));
    assert_eq!(desk.tick(29_999), []);
    assert_eq!(desk.tick(30_000), [stopped(FIRST, CancelReason::NobodyWaits)]);

    let mut desk = Desk::new();
    desk.submit(ask(A));
    desk.on(Msg::Lost { client: A });
    desk.now = at(20_000);
    let b = desk.submit(ask(B)); // A over a new connection, or anybody else
    assert_eq!(desk.tick(30_000), []);
    assert_eq!(desk.ended(FIRST, RunEnd::Done), [told(B, b, RunEnd::Done)]);
}

#[test]
fn a_lost_client_is_told_nothing() {
    let mut desk = Desk::new();
    desk.submit(ask(A));
    desk.on(Msg::Lost { client: A });
    assert_eq!(desk.ended(FIRST, RunEnd::Done), []);
}

#[test]
fn detached_work_goes_on_until_its_deadline_whoever_leaves() {
    let detached = Ask { follow: Follow::Detach, ..ask(A) };
    let ways: [Go; 2] = [|ticket| Msg::Leave { ticket }, |_| Msg::Lost { client: A }];
    for go in ways {
        let mut desk = Desk::new();
        let ticket = desk.submit(detached);
        let b = desk.submit(ask(B));
        assert_eq!(desk.on(go(ticket)), []);
        assert_eq!(desk.on(Msg::Leave { ticket: b }), []);
        assert_eq!(desk.tick(59_999), []);
        assert_eq!(desk.tick(60_000), [stopped(FIRST, CancelReason::DeadlinePassed)]);
        assert_eq!(desk.ended(FIRST, RunEnd::Stopped), []);
    }
}

#[test]
fn what_waited_may_be_detached_later_also_for_a_lost_client() {
    let mut desk = Desk::new();
    let ticket = desk.submit(ask(A));
    desk.on(Msg::Lost { client: A });
    desk.on(Msg::Detach { ticket });
    assert_eq!(desk.tick(59_999), []);
    assert_eq!(desk.on(Msg::Cancel { ticket }), [stopped(FIRST, CancelReason::Requested)]);
}

#[test]
fn a_detached_client_that_is_there_is_told() {
    let mut desk = Desk::new();
    let ticket = desk.submit(Ask { follow: Follow::Detach, ..ask(A) });
    assert_eq!(desk.ended(FIRST, RunEnd::Done), [told(A, ticket, RunEnd::Done)]);
}

#[test]
fn a_reason_only_gets_graver() {
    let mut desk = Desk::new();
    desk.submit(ask(A));
    let stop = |reason| Msg::Stop { run: FIRST, reason };
    let requested = CancelReason::Requested;
    assert_eq!(desk.on(stop(requested)), [stopped(FIRST, requested)]);
    assert_eq!(desk.on(stop(CancelReason::NobodyWaits)), []);
    assert_eq!(desk.on(stop(requested)), []);
    let passed = CancelReason::DeadlinePassed;
    assert_eq!(desk.tick(60_000), [stopped(FIRST, passed)]);
    assert_eq!(desk.ledger.phase(FIRST), Some(RunPhase::Stopping(passed)));
}

#[test]
fn shutting_down_stops_all_and_takes_nothing_more() {
    let mut desk = Desk::new();
    let (a, b) = (desk.submit(ask(A)), desk.submit(fresh(B)));
    let reason = CancelReason::ShuttingDown;
    let expected = [
        Order::Withdraw { run: SECOND, reason },
        told(B, b, RunEnd::Stopped),
        stopped(FIRST, reason),
    ];
    assert_eq!(desk.on(Msg::ShutDown), expected);
    let refused = Order::Refuse { client: B, why: Refusal::ShuttingDown };
    assert_eq!(desk.on(Msg::Submit(ask(B))), [refused]);
    assert_eq!(desk.ended(FIRST, RunEnd::Stopped), [told(A, a, RunEnd::Stopped)]);
}

#[test]
fn who_comes_after_its_deadline_is_refused() {
    let mut desk = Desk::new();
    desk.now = at(60_000);
    let refused = Order::Refuse { client: A, why: Refusal::DeadlinePassed };
    assert_eq!(desk.on(Msg::Submit(ask(A))), [refused]);
}

#[test]
fn the_end_of_time_is_a_deadline_like_any() {
    let mut desk = Desk::new();
    let a = desk.submit(Ask { deadline: Instant::MAX, ..ask(A) });
    assert_eq!(desk.ledger.next_due(), None);
    desk.now = Instant::MAX;
    assert_eq!(desk.on(Msg::Tick), []);
    desk.on(Msg::Lost { client: A });
    assert_eq!(desk.on(Msg::Tick), []);
    assert_eq!(desk.on(Msg::Leave { ticket: a }), [stopped(FIRST, CancelReason::NobodyWaits)]);
}
