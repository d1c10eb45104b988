//! What can be read of a damaged database is carried over into a new one.
//!
//! Rows are read one after the other. Where one cannot be read, the next that can is sought ahead
//! in growing steps, and from there back towards the hole.
//!
//! Keeps: the damaged file is only read; a task whose end is known to have come is not open again.

use super::{
    Saved, batches,
    fault::Fault,
    home::Home,
    opening::{connect, connect_new},
    results::{file_names, unpack},
    rows,
    schema::{self, Found, Steps},
};
use crate::{
    StoreError,
    disk::{TEMPORARY, make_folder, sync_folder},
};
use rusqlite::{Connection, OptionalExtension, params_from_iter, types::Value};
use std::{fs, path::Path};

/// What is told of a task whose end came and cannot be read any more.
const END_LOST: &str = "it had ended, and its end was lost when the book was damaged";

/// Holes in one table that are stepped over. A tree that is damaged to no sense could show new ones
/// for ever.
const HOLES_MAX: u32 = 10_000;

/// One table, and how its rows are copied.
struct Table {
    name: String,
    columns: usize,
    select: String,
    insert: String,
}

/// Makes a new database, [`Home::saved`], of what can be read of the damaged one.
pub(super) fn save(home: &Home, steps: Steps) -> Result<Saved, Fault> {
    let unfinished = home.folder.join(format!("{TEMPORARY}saved.sqlite3"));
    for older in [&unfinished, &home.saved()] {
        if older.exists() {
            fs::remove_file(older).map_err(|error| StoreError::io("removed", older, error))?;
        }
    }
    let db = connect_new(&unfinished)?;
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let version = match open_damaged(home, steps) {
        None => 0,
        Some((old, version)) => {
            // In its own shape first, and then on like any other.
            steps.up_to(version).climb(&db, 0)?;
            carry_over(&old, &db)?;
            version
        }
    };
    steps.climb(&db, version)?;
    drop_unreadable(&db)?;
    let saved = count(&db)?;
    db.close().map_err(|(_, error)| error)?;
    let saved_file = home.saved();
    fs::File::open(&unfinished)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&unfinished, &saved_file))
        .map_err(|error| StoreError::io("written", &saved_file, error))?;
    sync_folder(&home.folder)?;
    Ok(saved)
}

/// Opens what is damaged, if it still says that it is a book.
fn open_damaged(home: &Home, steps: Steps) -> Option<(Connection, u32)> {
    if !home.database().exists() {
        return None;
    }
    let old = connect(&home.database()).ok()?;
    old.pragma_update(None, "query_only", true).ok()?;
    // Without it a file that is shorter than it should be is not read at all.
    old.pragma_update(None, "writable_schema", true).ok()?;
    match schema::look(&old) {
        Ok(Found::Book { version }) if version <= steps.version() => Some((old, version)),
        _ => None,
    }
}

fn carry_over(old: &Connection, db: &Connection) -> Result<(), Fault> {
    let transaction = db.unchecked_transaction()?;
    // What refers to a row that is lost is dropped below.
    db.pragma_update(None, "defer_foreign_keys", true)?;
    for table in tables(db)? {
        if table.name == "events" {
            // It has no row numbers of its own.
            for task in owners(db)? {
                table.copy(old, db, "task = ?1", task)?;
            }
        } else {
            table.copy_by_number(old, db)?;
        }
    }
    for orphaned in ["ends", "results", "events"] {
        let parent =
            if orphaned == "results" { "SELECT task FROM ends" } else { "SELECT n FROM tasks" };
        db.execute(&format!("DELETE FROM {orphaned} WHERE task NOT IN ({parent})"), [])?;
    }
    drop_broken_results(db)?;
    let ended = "state NOT IN ('queued', 'running')";
    db.execute(
        &format!(
            "INSERT INTO ends (task, at, status, code, message) \
             SELECT n, coalesce(started_at, accepted_at), 'error', 'internal', ?1 FROM tasks \
             WHERE {ended} AND n NOT IN (SELECT task FROM ends)"
        ),
        [END_LOST],
    )?;
    db.execute(
        &format!(
            "UPDATE tasks SET state = 'lost' WHERE NOT ({ended}) AND n IN (SELECT task FROM ends)"
        ),
        [],
    )?;
    Ok(transaction.commit()?)
}

/// Drops results that cannot be unpacked: they are in the damaged file, for whoever wants them.
fn drop_broken_results(db: &Connection) -> Result<(), Fault> {
    let mut packed = db.prepare("SELECT task, bytes, data FROM results WHERE data IS NOT NULL")?;
    let mut rows = packed.query([])?;
    let mut broken: Vec<i64> = Vec::new();
    while let Some(row) = rows.next()? {
        let data: Vec<u8> = row.get(2)?;
        if unpack(&*data, row.get::<_, i64>(1)?.cast_unsigned()).is_err() {
            broken.push(row.get(0)?);
        }
    }
    let mut delete = db.prepare("DELETE FROM results WHERE task = ?1")?;
    for task in broken {
        delete.execute([task])?;
    }
    Ok(())
}

/// Drops rows that hold what we never wrote.
fn drop_unreadable(db: &Connection) -> Result<(), Fault> {
    for (n, _) in rows::unreadable(db)? {
        db.execute("DELETE FROM tasks WHERE n = ?1", [n])?;
    }
    db.execute("DELETE FROM events WHERE seq NOT BETWEEN 0 AND ?1", [u32::MAX])?;
    let mut strange = Vec::new();
    let mut ids = db.prepare("SELECT n FROM batches")?;
    let mut numbers = ids.query([])?;
    while let Some(row) = numbers.next()? {
        let n: i64 = row.get(0)?;
        if !batches::is_readable(db, n) {
            strange.push(n);
        }
    }
    for n in strange {
        db.execute("DELETE FROM batches WHERE n = ?1", [n])?;
    }
    Ok(())
}

/// The tables of the new database, in the order in which they were made.
fn tables(db: &Connection) -> Result<Vec<Table>, Fault> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
               ORDER BY rowid";
    let mut names = db.prepare(sql)?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    names.into_iter().map(|name| Table::describe(db, name)).collect()
}

fn owners(db: &Connection) -> Result<Vec<i64>, Fault> {
    let mut tasks = db.prepare("SELECT n FROM tasks ORDER BY n")?;
    Ok(tasks.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

fn count(db: &Connection) -> Result<Saved, Fault> {
    let sql = "SELECT (SELECT count(*) FROM tasks WHERE state IN ('queued', 'running')), \
               (SELECT count(*) FROM tasks), (SELECT count(*) FROM results)";
    Ok(db.query_row(sql, [], |row| {
        Ok(Saved { open: row.get(0)?, tasks: row.get(1)?, results: row.get(2)? })
    })?)
}

/// Moves files that the saved database does not name to where the damaged one goes.
pub(super) fn move_unnamed(home: &Home, aside: &Path) -> Result<(), Fault> {
    let named = file_names(&connect(&home.saved())?)?;
    let unnamed: Vec<_> = fs::read_dir(home.results())
        .into_iter()
        .flatten()
        .flatten()
        .filter(|file| !file.file_name().to_str().is_some_and(|name| named.contains(name)))
        .collect();
    if unnamed.is_empty() {
        return Ok(());
    }
    let folder = aside.join("results");
    make_folder(&folder).map_err(|error| StoreError::io("made", &folder, error))?;
    for file in unnamed {
        fs::rename(file.path(), folder.join(file.file_name()))
            .map_err(|error| StoreError::io("moved", &file.path(), error))?;
    }
    Ok(())
}

// === impl Table ===

impl Table {
    fn describe(db: &Connection, name: String) -> Result<Self, Fault> {
        let mut columns = db.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let columns: Vec<String> =
            columns.query_map([&name], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let (list, count) = (columns.join(", "), columns.len());
        let holes = vec!["?"; count].join(", ");
        let select = format!("SELECT {list} FROM {name}");
        // A row that breaks a rule of the table is damage too.
        let insert = format!("INSERT OR IGNORE INTO {name} ({list}) VALUES ({holes})");
        Ok(Self { name, columns: count, select, insert })
    }

    /// Copies rows until the end or the first that cannot be read.
    fn copy(
        &self,
        old: &Connection,
        db: &Connection,
        which: &str,
        number: i64,
    ) -> Result<Reached, Fault> {
        let mut reached = Reached { last: None, whole: false };
        let sql = format!("{} WHERE {which}", self.select);
        let Ok(mut select) = old.prepare_cached(&sql) else { return Ok(reached) };
        let Ok(mut rows) = select.query([number]) else { return Ok(reached) };
        let mut insert = db.prepare_cached(&self.insert)?;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => {
                    reached.whole = true;
                    return Ok(reached);
                }
                Err(_) => return Ok(reached),
            };
            let values: Result<Vec<Value>, _> = (0..self.columns).map(|at| row.get(at)).collect();
            let Ok(values) = values else { return Ok(reached) };
            if let Some(Value::Integer(number)) = values.first() {
                reached.last = Some(*number);
            }
            match insert.execute(params_from_iter(values)) {
                Ok(_) => {}
                Err(error) if is_of_the_row(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Copies all rows that can be read. The first column is the number of a row.
    fn copy_by_number(&self, old: &Connection, db: &Connection) -> Result<(), Fault> {
        let mut last = -1;
        for _ in 0..HOLES_MAX {
            let reached = self.copy(old, db, "rowid > ?1 ORDER BY rowid", last)?;
            if reached.whole {
                return Ok(());
            }
            // Numbers of a damaged tree may run backwards. We do not.
            last = last.max(reached.last.unwrap_or(last));
            let Some(beyond) = self.seek_beyond(old, last) else {
                // No whole row ahead from this side; some may be reached from the other.
                self.copy(old, db, "rowid > ?1 ORDER BY rowid DESC", last)?;
                return Ok(());
            };
            let back = format!("rowid > ?1 AND rowid <= {beyond} ORDER BY rowid DESC");
            self.copy(old, db, &back, last)?;
            last = beyond;
        }
        Ok(())
    }

    /// Finds a row behind a hole.
    fn seek_beyond(&self, old: &Connection, last: i64) -> Option<i64> {
        let sql = format!("{} WHERE rowid >= ?1 ORDER BY rowid LIMIT 1", self.select);
        let mut select = old.prepare_cached(&sql).ok()?;
        let steps = (0..40).map(|power| last.saturating_add(1 << power));
        for from in steps {
            match select.query_row([from], |row| row.get::<_, i64>(0)).optional() {
                Ok(Some(found)) => return Some(found.max(from)),
                Ok(None) => return None,
                Err(_) => {}
            }
        }
        None
    }
}

/// How far a copy came.
struct Reached {
    /// The number of the last row that could be read.
    last: Option<i64>,
    /// Whether that was the last row of all.
    whole: bool,
}

/// Whether it is the row that is wrong, and not the place where it should go.
fn is_of_the_row(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{ConstraintViolation, TypeMismatch};
    matches!(error.sqlite_error_code(), Some(ConstraintViolation | TypeMismatch))
}
