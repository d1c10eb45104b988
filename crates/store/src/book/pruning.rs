//! What ended long ago leaves the book, and its space is given back.
//!
//! Keeps: what is open stays, and so does a batch with a task; old work is removed in small steps,
//! so that whoever takes on new work waits for one step at most; a file that a backup is about to
//! copy stays until the next time.

use super::{Book, fault::Fault, home::Home, writer::Need};
use crate::{StoreError, disk::TEMPORARY};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use std::{collections::BTreeSet, ffi::OsStr, fs, process, time::Duration};

/// Tasks that are removed in one step. Each takes its events along, a few hundred rows.
const TASKS_PER_STEP: usize = 50;

/// Free pages that are given back to the disk in one step: 4 MiB.
const PAGES_PER_STEP: u32 = 1024;

/// How long ended work is remembered. What breaks any of the limits leaves, the oldest end first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// So long after its end.
    pub keep_for: Option<Duration>,
    /// So many ended tasks.
    pub keep_max: Option<u64>,
    /// So many bytes of requests, events and results of ended tasks together, as they are kept.
    pub keep_bytes: Option<u64>,
}

/// What left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    pub tasks: u64,
    pub batches: u64,
    /// Files of removed results, and of results that never came to be named.
    pub files: u64,
    /// The bytes of those files, and of the database's pages that were given back.
    pub bytes: u64,
}

/// An ended task that is to leave.
struct Victim {
    n: i64,
    batch: Option<String>,
}

// === impl Book ===

impl Book {
    /// Removes what `retention` does not keep at `now`, and litter.
    ///
    /// # Cancel safety
    ///
    /// A caller that leaves leaves some of it to the next pruning.
    pub async fn prune(&self, retention: Retention, now: Timestamp) -> Result<Removed, StoreError> {
        let mut removed = Removed::default();
        let victims = self.read(move |db| victims(db, retention, now)).await?;
        let batches: BTreeSet<String> =
            victims.iter().filter_map(|victim| victim.batch.clone()).collect();
        for step in victims.chunks(TASKS_PER_STEP) {
            let step: Vec<i64> = step.iter().map(|victim| victim.n).collect();
            removed.tasks +=
                self.writer.write(Need::Reserve, move |db| remove_tasks(db, &step)).await?;
        }
        let old = retention.keep_for.and_then(|keep| now.checked_sub(keep).ok());
        removed.batches =
            self.writer.write(Need::Reserve, move |db| remove_batches(db, &batches, old)).await?;
        removed.bytes += self.give_back().await?;
        let home = self.home.clone();
        let (files, bytes) = self.read(move |db| sweep(db, &home)).await?;
        removed.files += files;
        removed.bytes += bytes;
        // Pruning may have taken it, and may have made room for a new one.
        self.home.keep_reserve();
        Ok(removed)
    }

    /// Gives free pages of the database back to the disk. Returns their bytes.
    async fn give_back(&self) -> Result<u64, StoreError> {
        let mut bytes = 0;
        loop {
            let step = self.writer.write(Need::Reserve, |db| Ok(shrink(db)?)).await?;
            bytes += step;
            if step == 0 {
                return Ok(bytes);
            }
        }
    }
}

/// Chooses what leaves, the newest end first.
fn victims(db: &Connection, retention: Retention, now: Timestamp) -> Result<Vec<Victim>, Fault> {
    // What it takes is asked for only where it counts: all events have to be visited.
    let cost = if retention.keep_bytes.is_some() {
        "octet_length(t.request) + coalesce((SELECT r.kept FROM results r WHERE r.task = t.n), 0) \
         + coalesce((SELECT sum(octet_length(v.json)) FROM events v WHERE v.task = t.n), 0)"
    } else {
        "0"
    };
    let sql = format!(
        "SELECT t.n, t.batch, e.at, {cost} FROM ends e JOIN tasks t ON t.n = e.task \
         ORDER BY e.at DESC, t.n DESC"
    );
    let oldest = retention.keep_for.and_then(|keep| now.checked_sub(keep).ok());
    let oldest = oldest.map_or(i64::MIN, Timestamp::as_microsecond);
    let (mut seen, mut bytes, mut full) = (0_u64, 0_u64, false);
    let mut victims = Vec::new();
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        seen += 1;
        bytes = bytes.saturating_add(row.get::<_, i64>(3)?.cast_unsigned());
        // From the first that does not fit on, all leave: a smaller older one does not outlive it.
        full = full || retention.keep_bytes.is_some_and(|keep| bytes > keep);
        let many = retention.keep_max.is_some_and(|keep| seen > keep);
        if full || many || row.get::<_, i64>(2)? < oldest {
            victims.push(Victim { n: row.get(0)?, batch: row.get(1)? });
        }
    }
    // Should we be stopped, the oldest have left.
    victims.reverse();
    Ok(victims)
}

fn remove_tasks(db: &Connection, numbers: &[i64]) -> Result<u64, Fault> {
    let mut delete =
        db.prepare_cached("DELETE FROM tasks WHERE n = ?1 AND state NOT IN ('queued', 'running')")?;
    let mut removed = 0;
    for number in numbers {
        removed += delete.execute([number])? as u64;
    }
    Ok(removed)
}

/// Removes ended batches without a task: those whose tasks have just left, and those that ended
/// before `old`.
fn remove_batches(
    db: &Connection,
    emptied: &BTreeSet<String>,
    old: Option<Timestamp>,
) -> Result<u64, Fault> {
    let is_empty = "ended_at IS NOT NULL AND NOT EXISTS \
                    (SELECT 1 FROM tasks WHERE tasks.batch = batches.id)";
    let mut removed = 0;
    let mut delete =
        db.prepare_cached(&format!("DELETE FROM batches WHERE id = ?1 AND {is_empty}"))?;
    for id in emptied {
        removed += delete.execute([id])? as u64;
    }
    if let Some(old) = old {
        let sql = format!("DELETE FROM batches WHERE ended_at < ?1 AND {is_empty}");
        removed += db.prepare_cached(&sql)?.execute([old.as_microsecond()])? as u64;
    }
    Ok(removed)
}

/// Gives some free pages back. Returns their bytes, 0 when there are none.
fn shrink(db: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let free = pragma("freelist_count")?;
    let mut step = db.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES_PER_STEP})"))?;
    let mut rows = step.query([])?;
    while rows.next()?.is_some() {}
    let given = free - pragma("freelist_count")?;
    Ok((given * pragma("page_size")?).cast_unsigned())
}

/// Removes files that no row names. Returns how many, and their bytes.
fn sweep(db: &Connection, home: &Home) -> Result<(u64, u64), Fault> {
    let (mut files, mut bytes) = (0, 0);
    let Some(_alone) = home.files_alone()? else { return Ok((0, 0)) };
    // Listed before the book is looked at: a file of now can only be named, or its task be open,
    // in a later state of the book, never in an earlier one.
    let listed: Vec<_> = fs::read_dir(home.results()).into_iter().flatten().flatten().collect();
    for file in listed {
        let name = file.file_name();
        if name.to_str().is_none_or(is_being_written) || is_wanted(db, &name)? {
            continue;
        }
        let length = file.metadata().map_or(0, |meta| meta.len());
        let path = file.path();
        fs::remove_file(&path).map_err(|error| StoreError::io("removed", &path, error))?;
        files += 1;
        bytes += length;
    }
    Ok((files, bytes))
}

/// Whether this process writes it just now. What others left half written, they left when they
/// died: they held the lock of the book.
fn is_being_written(name: &str) -> bool {
    name.starts_with(&format!("{TEMPORARY}{}-", process::id()))
}

/// Whether a row names the file, or one is about to.
fn is_wanted(db: &Connection, name: &OsStr) -> Result<bool, Fault> {
    let name = name.to_str().unwrap_or_default();
    let Some((task, _)) = name.split_once('.') else { return Ok(false) };
    let sql = "SELECT t.state IN ('queued', 'running') OR coalesce(r.file = ?2, false) \
               FROM tasks t LEFT JOIN results r ON r.task = t.n WHERE t.id = ?1";
    let wanted = db.prepare_cached(sql)?.query_row([task, name], |row| row.get(0)).optional()?;
    Ok(wanted.unwrap_or(false))
}
