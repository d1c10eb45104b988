//! Whether a book is what it should be, all of it.
//!
//! Keeps: nothing is changed; every result is unpacked, so that damage of a disk is found before
//! somebody asks for it.

use super::{BookReader, fault::Fault, results};
use crate::StoreError;
use assay_model::TaskId;
use rusqlite::Connection;

/// Problems that are listed. One damaged page makes many of them.
const PROBLEMS_MAX: usize = 100;

/// Results that are looked at in one reading, so that the log of the writer does not grow long.
const RESULTS_PER_STEP: u32 = 100;

/// What was looked at, and what was wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub tasks: u64,
    pub results: u64,
    /// In words, at most a hundred. None: the book is whole.
    pub problems: Vec<String>,
}

// === impl BookReader ===

impl BookReader {
    /// Looks over the whole book: every page of the database, what its rows say of each other, and
    /// every result. Takes seconds for gigabytes; whoever writes goes on meanwhile.
    pub async fn check(&self) -> Result<Checked, StoreError> {
        let mut checked = self.read(check_database).await?;
        let mut from = 0;
        loop {
            let home = self.home().clone();
            let step = self.read(move |db| some_results(db, from)).await?;
            let Some((last, _)) = step.last() else { break };
            from = last + 1;
            checked.results += step.len() as u64;
            let tasks: Vec<TaskId> = step.into_iter().map(|(_, task)| task).collect();
            let look = move |db: &Connection| {
                let bad = |task: &TaskId| match results::load(db, &home, task) {
                    Ok(_) => None,
                    Err(fault) => Some(fault.at(&home).in_full()),
                };
                Ok(tasks.iter().filter_map(bad).collect::<Vec<_>>())
            };
            checked.problems.extend(self.read(look).await?);
        }
        checked.problems.truncate(PROBLEMS_MAX);
        Ok(checked)
    }
}

fn check_database(db: &Connection) -> Result<Checked, Fault> {
    let mut problems = Vec::new();
    let mut pages = db.prepare(&format!("PRAGMA integrity_check({PROBLEMS_MAX})"))?;
    let said = pages.query_map([], |row| row.get::<_, String>(0));
    match said.and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(said) => problems.extend(said.into_iter().filter(|line| line != "ok")),
        Err(error) => problems.push(error.to_string()),
    }
    for (sql, what) in [
        ("SELECT count(*) FROM pragma_foreign_key_check", "rows refer to what is not there"),
        (
            "SELECT count(*) FROM tasks t LEFT JOIN ends e ON e.task = t.n \
             WHERE (t.state IN ('queued', 'running')) <> (e.task IS NULL)",
            "tasks are open and have an end, or neither",
        ),
    ] {
        match db.query_row(sql, [], |row| row.get::<_, i64>(0)) {
            Ok(0) => {}
            Ok(count) => problems.push(format!("{count} {what}")),
            Err(error) => problems.push(error.to_string()),
        }
    }
    let tasks = db.query_row("SELECT count(*) FROM tasks", [], |row| row.get::<_, i64>(0));
    Ok(Checked { tasks: tasks.unwrap_or(0).cast_unsigned(), results: 0, problems })
}

fn some_results(db: &Connection, from: i64) -> Result<Vec<(i64, TaskId)>, Fault> {
    let sql = "SELECT t.n, t.id FROM results r JOIN tasks t ON t.n = r.task \
               WHERE r.task >= ?1 ORDER BY r.task LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query((from, RESULTS_PER_STEP))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get(1)?;
        let id = TaskId::new(&id).map_err(|error| Fault::Damaged(error.to_string()))?;
        found.push((row.get(0)?, id));
    }
    Ok(found)
}
