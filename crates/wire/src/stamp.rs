//! The id and the time that every frame carries.
//!
//! Times are UTC without an offset and with six digits of a second, as the first system wrote them:
//! its clients compare them with times that have no offset either, which Python refuses to do with
//! one that has.

use jiff::{Timestamp, tz::TimeZone};
use std::{
    cell::Cell,
    fmt::Write as _,
    hash::{BuildHasher, RandomState},
};

/// Returns a fresh id in the form of a random UUID. Unique, not secret: nobody may be trusted
/// because he knows one.
pub fn fresh_id() -> String {
    let (high, low) = (draw(), draw());
    let mut id = String::with_capacity(36);
    let version = (high & 0x0fff) | 0x4000;
    let variant = (low >> 48 & 0x3fff) | 0x8000;
    let (first, second) = (high >> 32, high >> 16 & 0xffff);
    let _ = write!(id, "{first:08x}-{second:04x}-{version:04x}-{variant:04x}-");
    let _ = write!(id, "{:012x}", low & 0xffff_ffff_ffff);
    id
}

/// Returns the time of now as frames write it: `2026-11-23T09:05:05.023445`.
pub fn now() -> String {
    written(Timestamp::now())
}

/// Writes a time as frames do.
pub fn written(time: Timestamp) -> String {
    let at = time.to_zoned(TimeZone::UTC).datetime();
    let (date, clock) = (at.date(), at.time());
    let mut text = String::with_capacity(26);
    let micros = clock.subsec_nanosecond() / 1000;
    let _ = write!(
        text,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{micros:06}",
        date.year(),
        date.month(),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
    );
    text
}

/// Draws 64 bits: splitmix64 from a seed of the system, one row for each thread.
fn draw() -> u64 {
    thread_local! {
        static ROW: Cell<u64> = Cell::new(RandomState::new().hash_one(0_u8));
    }
    let state = ROW.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
    ROW.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_form_of_a_random_uuid() {
        let id = fresh_id();
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
        assert_eq!(id.as_bytes()[14], b'4', "{id}");
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
        assert_ne!(id, fresh_id());
    }

    #[test]
    fn a_time_is_written_as_the_first_system_did() {
        let time: Timestamp = "2026-11-23T09:05:05.023445Z".parse().unwrap();
        assert_eq!(written(time), "2026-11-23T09:05:05.023445");
        let round: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!(written(round), "2026-01-02T03:04:05.000000");
    }
}
