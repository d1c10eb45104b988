//! Which names a result may have, and how a task gets its own.

use crate::{StoreError, disk::TEMPORARY};
use assay_model::TaskId;
use jiff::{Timestamp, tz::TimeZone};

pub(crate) const LOCK: &str = ".lock";
pub(crate) const TASK: &str = "task.json";
pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const EVENTS: &str = "events.ndjson";
pub(crate) const REPORT: &str = "report.json";

/// The folders that every task folder has.
pub(crate) const FOLDERS: &[&str] = &["sarif", "services", "logs"];

/// A folder that is being made, and one that is being removed; no reader looks at either.
pub(crate) const COMING: &str = ".new-";
pub(crate) const GOING: &str = ".gone-";

/// Makes a new name for an analysis that starts at `now`: `20261123-153640-4f2a9c`. Names sort by
/// time; two of the same second differ by chance, and a folder that exists is never taken.
pub fn make_task_id(now: Timestamp) -> Result<TaskId, StoreError> {
    let mut dice = [0_u8; 3];
    rustix::rand::getrandom(&mut dice, rustix::rand::GetRandomFlags::empty()).map_err(|error| {
        StoreError::io("read", "the system's random numbers".as_ref(), error.into())
    })?;
    let time = now.to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S").to_string();
    let [a, b, c] = dice;
    let id = format!("{time}-{a:02x}{b:02x}{c:02x}");
    Ok(TaskId::new(&id).expect("digits, letters and `-`, far fewer than 64"))
}

/// Whether a folder's name is one that [`make_task_id`] could have made.
pub(crate) fn looks_like_task(name: &str) -> bool {
    let name = name.strip_prefix("task_").unwrap_or(name);
    name.len() == 22
        && name.bytes().enumerate().all(|(at, byte)| match at {
            8 | 15 => byte == b'-',
            0..15 => byte.is_ascii_digit(),
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Checks the name of a result: `report.json` or `sarif/consolidated.sarif.json`.
pub(crate) fn check_result(name: &str) -> Result<(), StoreError> {
    let bad = |why| Err(StoreError::BadName { name: name.to_owned(), why });
    if [TASK, MANIFEST, EVENTS].contains(&name) {
        return bad("it is written by the store itself");
    }
    if FOLDERS.contains(&name) {
        return bad("it is a folder");
    }
    is_result(name).map_or_else(bad, Ok)
}

/// Says why `name` is not that of a file in a task folder, or in a folder of it.
pub(crate) fn is_result(name: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() > 2 {
        return Err("it lies deeper than one folder");
    }
    for part in parts {
        // `.` and `..` begin with a dot; so do the lock and unfinished files.
        if part.is_empty() || part.starts_with('.') || part.starts_with('-') {
            return Err("a part of it is empty or begins with `.` or `-`");
        }
        if part.len() > 200 {
            return Err("a part of it is longer than 200 bytes");
        }
        let tame = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+@".contains(&byte);
        if !part.bytes().all(tame) {
            return Err("it may hold letters, digits and `._-+@` alone");
        }
    }
    Ok(())
}

/// Whether a folder with nothing but such names holds nothing.
pub(crate) fn is_litter(name: &str) -> bool {
    name == LOCK || name.starts_with(TEMPORARY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_named_by_its_second_and_by_chance() {
        let now: Timestamp = "2026-11-23T15:36:40.9Z".parse().unwrap();
        let (one, two) = (make_task_id(now).unwrap(), make_task_id(now).unwrap());
        assert!(one.as_str().starts_with("20261123-153640-"), "{one}");
        assert!(looks_like_task(one.as_str()) && looks_like_task(&format!("task_{one}")));
        let many: std::collections::BTreeSet<_> =
            (0..50).map(|_| make_task_id(now).unwrap()).collect();
        assert!(one != two || many.len() > 48, "chance is not random");
    }

    #[test]
    fn a_later_task_sorts_behind_an_earlier_one() {
        let ids = ["2026-11-23T15:36:40Z", "2026-11-23T15:36:41Z", "2027-01-01T00:00:00Z"]
            .map(|time| make_task_id(time.parse().unwrap()).unwrap());
        assert!(ids.is_sorted(), "{ids:?}");
    }

    #[test]
    fn a_result_cannot_leave_its_folder_or_shadow_our_own_files() {
        for bad in [
            "",
            "..",
            "../x",
            "/etc/passwd",
            "sarif/../../x",
            "a/b/c",
            "sarif/",
            "sarif",
            ".lock",
            "logs/.tmp-1",
            "manifest.json",
            "task.json",
            "events.ndjson",
            "a\0b",
            "a\nb",
            "ä",
            "-rf",
            &"x".repeat(201),
        ] {
            assert!(check_result(bad).is_err(), "{bad:?}");
        }
        for good in ["report.json", "sarif/static_ruff.sarif.json", "logs/npm-audit.stdout"] {
            check_result(good).unwrap();
        }
    }
}
