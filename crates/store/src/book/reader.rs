//! Who reads the book: on connections of their own, beside the writer and beside other processes.
//!
//! Keeps: nothing is written; what is read is one state of the book, never half a transaction.

use super::{
    fault::Fault,
    home::Home,
    opening, results, rows,
    schema::{self, BOOK_VERSION, Found},
    task::{OpenTask, StoredEvent, TaskQuery, TaskRecord},
};
use crate::StoreError;
use assay_model::TaskId;
use bytes::Bytes;
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Semaphore;

/// Readings at once, each on a thread and a connection of its own. More only wait for the disk.
const READERS_MAX: usize = 4;

/// The reading side of a book. Clones share their connections.
#[derive(Clone, Debug)]
pub struct BookReader(Arc<Readers>);

#[derive(Debug)]
struct Readers {
    home: Home,
    idle: Mutex<Vec<Connection>>,
    room: Semaphore,
}

// === impl BookReader ===

impl BookReader {
    /// Opens the book in `folder` beside whoever writes it. It has to be there, and of this
    /// version: only who writes a book brings it to a newer one.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let home = Home::new(folder);
        let path = home.database();
        if !path.exists() {
            return Err(StoreError::NoBook { path });
        }
        let db = connect(&home).map_err(|error| Fault::from(error).at(&home))?;
        match schema::look(&db).map_err(|error| Fault::from(error).at(&home))? {
            Found::Book { version: BOOK_VERSION } => {}
            Found::Book { version } => {
                return Err(StoreError::BookVersion { path, found: version });
            }
            Found::Empty => return Err(StoreError::NoBook { path }),
            Found::Foreign => return Err(StoreError::NotABook { path }),
        }
        let reader = Self::new(home);
        reader.put_back(db);
        Ok(reader)
    }

    pub(super) fn new(home: Home) -> Self {
        let (idle, room) = (Mutex::default(), Semaphore::new(READERS_MAX));
        Self(Arc::new(Readers { home, idle, room }))
    }

    /// Returns the tasks whose end is to come, in the order in which they were accepted.
    pub async fn open_tasks(&self) -> Result<Vec<OpenTask>, StoreError> {
        self.read(rows::open_tasks).await
    }

    pub async fn task(&self, id: &TaskId) -> Result<Option<TaskRecord>, StoreError> {
        let id = id.clone();
        self.read(move |db| rows::task(db, &id)).await
    }

    /// Returns one page of the tasks that fit, newest first.
    pub async fn tasks(&self, query: TaskQuery) -> Result<Vec<TaskRecord>, StoreError> {
        self.read(move |db| rows::tasks(db, &query)).await
    }

    /// Returns the whole result of a task, if it has ended with one.
    pub async fn result(&self, id: &TaskId) -> Result<Option<Bytes>, StoreError> {
        let (id, home) = (id.clone(), self.0.home.clone());
        self.read(move |db| results::load(db, &home, &id)).await
    }

    /// Returns at most `limit` events of a task from number `from` on, in order.
    pub async fn events(
        &self,
        id: &TaskId,
        from: u32,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let id = id.clone();
        self.read(move |db| rows::events(db, &id, from, limit)).await
    }

    /// Reads one state of the book on a blocking thread.
    pub(super) async fn read<T, F>(&self, look: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let this = self.clone();
        let _room = self.0.room.acquire().await.map_err(|_| self.closed())?;
        let read = move || {
            let idle = this.idle().pop();
            let db = idle.map_or_else(|| connect(&this.0.home), Ok)?;
            let transaction = db.unchecked_transaction()?;
            let value = look(&db)?;
            drop(transaction);
            this.put_back(db);
            Ok(value)
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(outcome) => outcome.map_err(|fault: Fault| fault.at(&self.0.home)),
            // A bug of ours; the panic is told by its hook.
            Err(_) => Err(self.broke_off()),
        }
    }

    pub(super) fn home(&self) -> &Home {
        &self.0.home
    }

    pub(super) fn broke_off(&self) -> StoreError {
        StoreError::BookBrokeOff { path: self.0.home.folder.clone() }
    }

    fn closed(&self) -> StoreError {
        StoreError::BookClosed { path: self.0.home.folder.clone() }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_back(&self, db: Connection) {
        self.idle().push(db);
    }

    /// Gives idle connections back, so that the writer is the last to close.
    pub(super) fn close(&self) {
        self.0.room.close();
        self.idle().clear();
    }
}

/// A connection that cannot write. (Read-only for the system would not do: readers of a
/// write-ahead log mark what they read in a file beside it.)
fn connect(home: &Home) -> rusqlite::Result<Connection> {
    let db = opening::connect(&home.database())?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}
