//! Rate limits by client.

use assay_compare::table::{OURS, Table, no, not_offered, row, yes};

const GOVERNOR: &str = "governor";

pub fn table() -> Table {
    let rows = vec![
        row(
            "nothing drifts: at 30,000 a second, never more than the burst and 300,000 in 10 s",
            vec![
                yes(OURS, ours::does_not_drift),
                no(GOVERNOR, governor::does_not_drift)
                    .note("the interval is cut to whole nanoseconds, so it is a hundred-thousandth too fast"),
            ],
        ),
        row(
            "who waits as long as he is told is admitted, and not a nanosecond earlier",
            vec![yes(OURS, ours::wait_is_honest), yes(GOVERNOR, governor::wait_is_honest)],
        ),
        row(
            "forgetting clients never forgives one that still owes",
            vec![yes(OURS, ours::debtors_stay), yes(GOVERNOR, governor::debtors_stay)],
        ),
        row(
            "the table of clients has a bound, whatever names a flood makes up",
            vec![
                yes(OURS, ours::table_is_bounded),
                not_offered(GOVERNOR, governor::table_is_bounded)
                    .note("`retain_recent` forgets those who owe nothing, when the user calls it"),
            ],
        ),
        row(
            "a test can turn its time",
            vec![yes(OURS, ours::wait_is_honest), yes(GOVERNOR, governor::wait_is_honest)],
        ),
    ];
    Table { title: "Rate limit", crates: &[OURS, GOVERNOR], rows }
}

const PER_SECOND: u32 = 30_000;
const SPAN_S: u64 = 10;

mod ours {
    use super::{PER_SECOND, SPAN_S};
    use assay_rules::{
        Instant,
        rate_limit::{LimitedReason, RateLimit, Settings},
    };
    use std::{num::NonZeroU32, time::Duration};

    fn limit(per_second: u32, burst: u32, clients_max: u32) -> RateLimit<u32> {
        let [per_second, burst, clients_max] =
            [per_second, burst, clients_max].map(|n| NonZeroU32::new(n).expect("not 0"));
        RateLimit::new(Settings { per_second, burst, clients_max })
    }

    /// Asks again whenever it may.
    pub fn does_not_drift() -> bool {
        let mut limit = limit(PER_SECOND, 1, 1);
        let end = Instant::after_start(Duration::from_secs(SPAN_S));
        let (mut now, mut admitted) = (Instant::START, 0);
        while now <= end {
            match limit.admit(&1, now) {
                Ok(()) => admitted += 1,
                Err(limited) => now += limited.retry_after,
            }
        }
        admitted <= 1 + SPAN_S * u64::from(PER_SECOND)
    }

    pub fn wait_is_honest() -> bool {
        (1..1_000).all(|per_second| {
            let mut limit = limit(per_second, 1, 1);
            assert!(limit.admit(&1, Instant::START).is_ok());
            let Err(limited) = limit.admit(&1, Instant::START) else { return false };
            let then = Instant::START + limited.retry_after;
            let before = Instant::after_start(limited.retry_after - Duration::from_nanos(1));
            limit.admit(&1, before).is_err() && limit.admit(&1, then).is_ok()
        })
    }

    /// A newcomer takes a place only when somebody owes nothing.
    pub fn debtors_stay() -> bool {
        let mut limit = limit(1, 1, 2);
        (1..=2).for_each(|client| assert!(limit.admit(&client, Instant::START).is_ok()));
        let refused = limit.admit(&3, Instant::START).map_err(|limited| limited.reason);
        let owes = limit.admit(&1, Instant::START).is_err();
        let later = Instant::after_start(Duration::from_secs(1));
        refused == Err(LimitedReason::TooManyClients) && owes && limit.admit(&3, later).is_ok()
    }

    pub fn table_is_bounded() -> bool {
        let mut limit = limit(1, 1, 100);
        let admitted = (0..10_000).filter(|client| limit.admit(client, Instant::START).is_ok());
        assert_eq!(admitted.count(), 100);
        limit.clients() == 100
    }
}

mod governor {
    use super::{PER_SECOND, SPAN_S};
    use governor::{
        Quota, RateLimiter,
        clock::{Clock, FakeRelativeClock, Reference},
    };
    use std::{num::NonZeroU32, time::Duration};

    fn quota(per_second: u32) -> Quota {
        let per_second = NonZeroU32::new(per_second).expect("not 0");
        Quota::per_second(per_second).allow_burst(NonZeroU32::MIN)
    }

    /// Asks again whenever it may.
    pub fn does_not_drift() -> bool {
        let clock = FakeRelativeClock::default();
        let (start, span) = (clock.now(), Duration::from_secs(SPAN_S).into());
        let limit = RateLimiter::direct_with_clock(quota(PER_SECOND), clock.clone());
        let mut admitted = 0;
        while clock.now().duration_since(start) <= span {
            match limit.check() {
                Ok(()) => admitted += 1,
                Err(limited) => clock.advance(limited.wait_time_from(clock.now())),
            }
        }
        admitted <= 1 + SPAN_S * u64::from(PER_SECOND)
    }

    pub fn wait_is_honest() -> bool {
        (1..1_000).all(|per_second| {
            let clock = FakeRelativeClock::default();
            let limit = RateLimiter::direct_with_clock(quota(per_second), clock.clone());
            assert!(limit.check().is_ok());
            let Err(limited) = limit.check() else { return false };
            let nano = Duration::from_nanos(1);
            clock.advance(limited.wait_time_from(clock.now()) - nano);
            let too_early = limit.check().is_err();
            clock.advance(nano);
            too_early && limit.check().is_ok()
        })
    }

    pub fn debtors_stay() -> bool {
        let clock = FakeRelativeClock::default();
        let limit = RateLimiter::hashmap_with_clock(quota(1), clock.clone());
        assert!(limit.check_key(&1).is_ok());
        clock.advance(Duration::from_millis(999));
        limit.retain_recent();
        let owes = limit.check_key(&1).is_err();
        clock.advance(Duration::from_secs(10));
        limit.retain_recent();
        owes && limit.is_empty()
    }

    pub fn table_is_bounded() -> bool {
        let limit = RateLimiter::hashmap_with_clock(quota(1), FakeRelativeClock::default());
        (0..10_000).for_each(|client| drop(limit.check_key(&client)));
        limit.retain_recent();
        limit.len() < 10_000
    }
}
