//! How a book is opened: begun, taken as it is, brought to this version, or saved from damage.
//!
//! Keeps: nothing that was there is removed. A damaged database is moved aside as it is, and so
//! are results that no row names any more; before a migration a copy is made.

use super::{
    BookTerms, Opened,
    fault::Fault,
    home::Home,
    rows, salvage,
    schema::{self, Found, Steps},
};
use crate::{
    StoreError,
    disk::{make_folder, sync_folder},
};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Opens the database that lies there. Who calls holds the lock of the folder.
pub(super) fn open(home: &Home, terms: &BookTerms) -> Result<(Connection, Opened), StoreError> {
    open_as(home, terms, schema::OURS)
}

/// Opens it in the shape to which `steps` lead.
fn open_as(
    home: &Home,
    terms: &BookTerms,
    steps: Steps,
) -> Result<(Connection, Opened), StoreError> {
    let at_home = |fault: Fault| fault.at(home);
    finish_exchange(home)?;
    let why = match open_whole(home, terms, steps) {
        Ok(opened) => {
            home.trust();
            return Ok(opened);
        }
        Err(fault) => fault.damage().map_err(at_home)?,
    };
    let saved = salvage::save(home, steps).map_err(at_home)?;
    let aside = exchange(home).map_err(at_home)?;
    home.trust();
    let (db, _) = open_whole(home, terms, steps).map_err(at_home)?;
    Ok((db, Opened::Damaged { aside, why, saved }))
}

fn open_whole(home: &Home, terms: &BookTerms, steps: Steps) -> Result<(Connection, Opened), Fault> {
    if let Some(why) = is_beheaded(home) {
        return Err(Fault::Damaged(why.to_owned()));
    }
    // Looked at before anything is set: it may be somebody else's.
    let db = connect_new(&home.database())?;
    let found = schema::look(&db)?;
    let version = match found {
        Found::Empty => 0,
        Found::Book { version } if version <= steps.version() => version,
        Found::Book { version } => {
            let path = home.database();
            return Err(StoreError::BookVersion { path, found: version }.into());
        }
        Found::Foreign => return Err(StoreError::NotABook { path: home.database() }.into()),
    };
    furnish(&db)?;
    if found == Found::Empty {
        steps.climb(&db, 0)?;
        sync_folder(&home.folder)?;
        return Ok((db, Opened::New));
    }
    if version == steps.version() {
        inspect(&db, home, terms)?;
        return Ok((db, Opened::Here));
    }
    let kept = keep_copy(&db, home, version)?;
    steps.climb(&db, version)?;
    inspect(&db, home, terms)?;
    Ok((db, Opened::Migrated { from: version, kept }))
}

/// Whether the main file is gone although there was one. SQLite would begin a new one in silence,
/// and throw away a log that belongs to it.
fn is_beheaded(home: &Home) -> Option<&'static str> {
    let length = |path: PathBuf| fs::metadata(path).map_or(0, |meta| meta.len());
    if length(home.database()) > 0 {
        return None;
    }
    if length(home.beside("-wal")) > 0 {
        return Some("it is empty, and a log of it is there");
    }
    let has_results = fs::read_dir(home.results()).is_ok_and(|mut all| all.next().is_some());
    has_results.then_some("it is empty, and results of it are there")
}

/// Looks for damage: in all of a small database, and of one that showed some; in a large one only
/// where the open tasks lie, since its whole would take seconds.
fn inspect(db: &Connection, home: &Home, terms: &BookTerms) -> Result<(), Fault> {
    let bytes = fs::metadata(home.database()).map_or(0, |meta| meta.len());
    if bytes <= terms.check_max || home.is_suspect() {
        let said: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if said != "ok" {
            return Err(Fault::Damaged(said));
        }
        return rows::read_all(db);
    }
    rows::open_tasks(db).map(drop)
}

/// Copies the database as it is before its version changes.
fn keep_copy(db: &Connection, home: &Home, version: u32) -> Result<PathBuf, Fault> {
    let kept = home.folder.join(format!("book.v{version}.sqlite3"));
    if kept.exists() {
        // A migration that did not come to its end. The copy may not have either.
        fs::remove_file(&kept).map_err(|error| StoreError::io("removed", &kept, error))?;
    }
    copy(db, &kept)?;
    Ok(kept)
}

/// Writes one state of the database, whole and on disk, to a file that is not there yet.
pub(super) fn copy(db: &Connection, to: &Path) -> Result<(), Fault> {
    db.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    fs::File::open(to)
        .and_then(|file| file.sync_all())
        .map_err(|error| StoreError::io("synced", to, error))?;
    Ok(())
}

/// Puts the saved database into the place of the damaged one, which is moved into a new folder.
fn exchange(home: &Home) -> Result<PathBuf, Fault> {
    let mut count = 1_u32;
    while home.aside(count).exists() {
        count += 1;
    }
    let aside = home.aside(count);
    make_folder(&aside).map_err(|error| StoreError::io("made", &aside, error))?;
    salvage::move_unnamed(home, &aside)?;
    // The main file last: without the log beside it, it could look whole.
    for end in ["-wal", "-shm", ""] {
        let from = home.beside(end);
        move_file(&from, &aside.join(from.file_name().unwrap_or_default()))?;
    }
    sync_folder(&aside)?;
    finish_exchange(home)?;
    Ok(aside)
}

/// A process that died after the damaged database went leaves the saved one to be put there. One
/// that died before leaves a saved one that is made again.
fn finish_exchange(home: &Home) -> Result<(), StoreError> {
    if !home.saved().exists() || home.database().exists() {
        return Ok(());
    }
    move_file(&home.saved(), &home.database())?;
    sync_folder(&home.folder)
}

fn move_file(from: &Path, to: &Path) -> Result<(), StoreError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("moved", from, error))
        }
        _ => Ok(()),
    }
}

/// A connection that can write, with nothing set that would.
pub(super) fn connect(database: &Path) -> rusqlite::Result<Connection> {
    connect_with(database, OpenFlags::empty())
}

/// The same, to a database that need not be there.
pub(super) fn connect_new(database: &Path) -> rusqlite::Result<Connection> {
    connect_with(database, OpenFlags::SQLITE_OPEN_CREATE)
}

fn connect_with(database: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(database, flags)?;
    db.busy_timeout(Duration::from_secs(5))?;
    // Who only looks does not move pages from the log into the main file, nor does who found
    // damage.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(db)
}

/// Sets what a book is written with.
fn furnish(db: &Connection) -> rusqlite::Result<()> {
    // Before the first table, or it changes nothing. Pruning gives space back to the disk.
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // A commit returns when the log is on the disk itself, not when the system has heard of it.
    db.pragma_update(None, "synchronous", "FULL")?;
    // A log that one large transaction blew up does not stay large.
    db.pragma_update(None, "journal_size_limit", 64 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::Range;

    /// A shape that may come one day.
    const NEXT: Steps = Steps(&[
        schema::OURS.0[0],
        "ALTER TABLE tasks ADD COLUMN note TEXT; UPDATE tasks SET note = 'of ' || client",
    ]);

    fn add(db: &Connection, tasks: Range<u32>) {
        for n in tasks {
            let sql = "INSERT INTO tasks (id, client, key, model, app, kind, service, priority, \
                       deadline_at, detach, accepted_at, request) \
                       VALUES (?1, 'me', '', 'm', 1, 'static', 's', 1, 0, 0, 0, ?2)";
            db.execute(sql, (n.to_string(), "x".repeat(500))).unwrap();
        }
    }

    fn notes(db: &Connection) -> u32 {
        let sql = "SELECT count(*) FROM tasks WHERE note = 'of me'";
        db.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn old_book() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        let (db, opened) = open(&home, &BookTerms::default()).unwrap();
        assert_eq!(opened, Opened::New);
        add(&db, 0..100);
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        (folder, home)
    }

    /// That a commit survives a power cut cannot be shown without one: a killed process leaves the
    /// system's cache behind.
    #[test]
    fn commits_are_synced() {
        let folder = tempfile::tempdir().unwrap();
        let (db, _) = open(&Home::new(folder.path()), &BookTerms::default()).unwrap();
        let set = |name| db.pragma_query_value(None, name, |row| row.get::<_, String>(0));
        assert_eq!(set("journal_mode").unwrap(), "wal");
        let full = db.pragma_query_value(None, "synchronous", |row| row.get::<_, u32>(0));
        assert_eq!(full.unwrap(), 2, "FULL: the log is synced at each commit");
    }

    #[test]
    fn an_older_book_is_brought_on_and_kept_as_it_was() {
        let (_folder, home) = old_book();
        let (db, opened) = open_as(&home, &BookTerms::default(), NEXT).unwrap();
        let Opened::Migrated { from: 1, kept } = opened else { panic!("{opened:?}") };
        assert_eq!(notes(&db), 100);
        drop(db);
        let kept = connect(&kept).unwrap();
        assert_eq!(schema::look(&kept).unwrap(), Found::Book { version: 1 });
        let (_, opened) = open_as(&home, &BookTerms::default(), NEXT).unwrap();
        assert_eq!(opened, Opened::Here);
        let error = open(&home, &BookTerms::default()).unwrap_err();
        assert!(matches!(error, StoreError::BookVersion { found: 2, .. }), "{error:?}");
    }

    #[test]
    fn a_damaged_older_book_is_saved_in_its_shape_and_brought_on() {
        let (_folder, home) = old_book();
        let mut bytes = fs::read(home.database()).unwrap();
        let length = bytes.len();
        // Its last pages hold tasks.
        bytes[length - 8192..].fill(0x55);
        fs::write(home.database(), bytes).unwrap();
        let (db, opened) = open_as(&home, &BookTerms::default(), NEXT).unwrap();
        let Opened::Damaged { saved, .. } = opened else { panic!("{opened:?}") };
        assert!((50..100).contains(&saved.tasks), "{saved:?}");
        assert_eq!(notes(&db), saved.tasks);
    }
}
