//! What went wrong inside a transaction, and what we call it outside.

use super::home::Home;
use crate::StoreError;
use rusqlite::ErrorCode;

/// Why an order was not carried out.
#[derive(Debug)]
pub(super) enum Fault {
    /// The database could not.
    Database(rusqlite::Error),
    /// What the database holds is not what was written.
    Damaged(String),
    /// It would be wrong.
    Refused(StoreError),
}

// === impl Fault ===

impl Fault {
    /// The error of the book that lies there.
    pub(super) fn at(self, home: &Home) -> StoreError {
        let source = match self {
            Self::Refused(error) => return error,
            Self::Damaged(why) => return broken(home, why),
            Self::Database(error) => error,
        };
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::BookFull { path: home.database() },
            _ if is_damage(&source) => broken(home, source.to_string()),
            _ => StoreError::Book { path: home.database(), source },
        }
    }

    pub(super) fn is_full(&self) -> bool {
        let Self::Database(error) = self else { return false };
        error.sqlite_error_code() == Some(ErrorCode::DiskFull)
    }

    /// Why the database is damaged; or the fault, if it is another.
    pub(super) fn damage(self) -> Result<String, Self> {
        match self {
            Self::Damaged(why) => Ok(why),
            Self::Database(error) if is_damage(&error) => Ok(error.to_string()),
            other => Err(other),
        }
    }
}

fn broken(home: &Home, why: String) -> StoreError {
    home.suspect();
    StoreError::BookBroken { path: home.database(), why }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error,
    };
    let is_code = |code| matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase);
    match error {
        // Values that no column of ours ever held.
        FromSqlConversionFailure(..)
        | IntegralValueOutOfRange(..)
        | InvalidColumnType(..)
        | Utf8Error(..) => true,
        _ => error.sqlite_error_code().is_some_and(is_code),
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}
