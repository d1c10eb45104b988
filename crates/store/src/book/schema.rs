//! The shape of the book's tables, and the way from any older shape to it.
//!
//! Keeps: a step is taken whole or not at all; a step that was released is never changed; a file
//! that is not ours, or that a newer Assay wrote, is not touched.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// The version that this Assay reads and writes.
pub const BOOK_VERSION: u32 = OURS.version();

/// The steps from an empty file to the shape of today. After the first `n` of them a book has
/// version `n`.
pub(super) const OURS: Steps = Steps(&[include_str!("schema/v1.sql")]);

/// Steps from an empty file to some shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps(pub(super) &'static [&'static str]);

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

// === impl Steps ===

impl Steps {
    #[expect(clippy::cast_possible_truncation, reason = "one file each, written by hand")]
    pub(super) const fn version(self) -> u32 {
        self.0.len() as u32
    }

    /// The steps that lead to version `to`.
    pub(super) fn up_to(self, to: u32) -> Self {
        Self(self.0.get(..to as usize).unwrap_or(self.0))
    }

    /// Brings the tables from version `from` to that of the last step.
    pub(super) fn climb(self, db: &Connection, from: u32) -> rusqlite::Result<()> {
        let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
        for step in self.0.iter().skip(from as usize) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", self.version())?;
        transaction.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROKEN: Steps = Steps(&[OURS.0[0], "CREATE TABLE a (b); CREATE TABLE a (b)"]);

    #[test]
    fn a_step_that_fails_leaves_everything_as_it_was() {
        let db = Connection::open_in_memory().unwrap();
        OURS.climb(&db, 0).unwrap();
        BROKEN.climb(&db, 1).unwrap_err();
        assert_eq!(look(&db).unwrap(), Found::Book { version: 1 });
        db.prepare("SELECT * FROM a").unwrap_err();
    }

    #[test]
    fn what_another_program_made_is_not_taken_for_ours() {
        let db = Connection::open_in_memory().unwrap();
        assert_eq!(look(&db).unwrap(), Found::Empty);
        db.execute_batch("CREATE TABLE tasks (n)").unwrap();
        assert_eq!(look(&db).unwrap(), Found::Foreign);
        db.pragma_update(None, "user_version", 1).unwrap();
        assert_eq!(look(&db).unwrap(), Found::Foreign);
    }
}
