//! How a run is called that its client gave no name.

use assay_model::TaskId;
use jiff::{Timestamp, tz::TimeZone};
use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// Makes a name like that of a folder of results: its second, and a number that no other run of
/// this process has in that second. It starts by chance, so that another process has others.
pub(crate) fn fresh_task() -> TaskId {
    static NEXT: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one("a start by chance")));
    let number = NEXT.fetch_add(1, Ordering::Relaxed) & 0x00ff_ffff;
    let time = Timestamp::now().to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S").to_string();
    TaskId::new(&format!("{time}-{number:06x}")).expect("digits, letters and `-`, fewer than 64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_runs_of_a_process_have_the_same_name() {
        let names: BTreeSet<TaskId> = (0..10_000).map(|_| fresh_task()).collect();
        assert_eq!(names.len(), 10_000);
    }
}
