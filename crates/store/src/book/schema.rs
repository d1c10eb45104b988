//! The shape of the book's tables, and the way from any older shape to it.
//!
//! Keeps: a step is taken whole or not at all; a step that was released is never changed; a file
//! that is not ours, or that a newer Assay wrote, is not touched.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// The steps from an empty file. After the first `n` of them a book has version `n`.
const STEPS: &[&str] = &[include_str!("schema/v1.sql")];

/// The version that this Assay reads and writes.
pub const BOOK_VERSION: u32 = 1;

const _: () = assert!(BOOK_VERSION as usize == STEPS.len(), "each step makes the next version");

/// Marks a SQLite file as a book of ours: `Asay`.
const APPLICATION_ID: i32 = 0x4173_6179;

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Empty,
    Book {
        version: u32,
    },
    /// A database that somebody else made.
    Foreign,
}

pub(super) fn look(db: &Connection) -> rusqlite::Result<Found> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables: u32 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let (mark, version) = (pragma("application_id")?, pragma("user_version")?);
    Ok(match (mark, u32::try_from(version)) {
        (0, Ok(0)) if tables == 0 => Found::Empty,
        (APPLICATION_ID, Ok(version)) if version > 0 => Found::Book { version },
        _ => Found::Foreign,
    })
}

/// Brings the tables from version `from` to [`BOOK_VERSION`].
pub(super) fn migrate(db: &Connection, from: u32) -> rusqlite::Result<()> {
    climb(db, from, STEPS)
}

/// Takes only the steps up to version `to`.
pub(super) fn climb_to(db: &Connection, from: u32, to: u32) -> rusqlite::Result<()> {
    climb(db, from, STEPS.get(..to as usize).unwrap_or(STEPS))
}

fn climb(db: &Connection, from: u32, steps: &[&str]) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    for step in steps.iter().skip(from as usize) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", i64::try_from(steps.len()).unwrap_or(0))?;
    transaction.commit()
}
