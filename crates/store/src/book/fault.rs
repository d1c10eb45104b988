//! What went wrong inside a transaction, and what we call it outside.

use super::home::Home;
use crate::StoreError;
use rusqlite::ErrorCode;

/// Why an order was not carried out.
#[derive(Debug)]
pub(super) enum Fault {
    /// The database could not.
    Database(rusqlite::Error),
    /// It would be wrong.
    Refused(StoreError),
}

// === impl Fault ===

impl Fault {
    /// The error of the book that lies there.
    pub(super) fn at(self, home: &Home) -> StoreError {
        let source = match self {
            Self::Refused(error) => return error,
            Self::Database(error) => error,
        };
        let path = home.database();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::BookFull { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::BookBroken { path, why: source.to_string() }
            }
            _ => StoreError::Book { path, source },
        }
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
