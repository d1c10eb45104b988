//! Who writes the book: one at a time, many orders in one transaction.
//!
//! Owns the writing connection and the queue before it. There is no thread of its own: who finds
//! nobody leading leads, on a blocking thread, until the queue is empty. What comes in meanwhile
//! waits for the next transaction, so a disk that is slow to sync makes groups larger, not the
//! queue longer. (And a test that pauses time keeps it paused: a runtime's clock stands while one
//! of its blocking threads is at work.)
//!
//! Keeps: an order is answered after its transaction is on disk; it is carried out whole or not at
//! all, also when its caller has left; one that fails takes no other along.

use super::{fault::Fault, home::Home};
use crate::{StoreError, lock::Lock};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::{
    collections::VecDeque,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
};

/// Orders in one transaction. More do not make it cheaper, and the first waits for the last.
const GROUP_MAX: usize = 512;

/// The writing side of a book.
pub(super) struct Writer {
    home: Home,
    /// Absent once the book is closed. The lock goes after the connection.
    open: Mutex<Option<(Connection, Lock)>>,
    queue: Mutex<Queue>,
    /// Orders that may wait or be carried out. Who finds none waits, in order.
    room: Arc<Semaphore>,
    room_max: u32,
}

#[derive(Default)]
struct Queue {
    orders: VecDeque<Box<dyn Order>>,
    /// Whether somebody carries out orders, or is about to.
    led: bool,
}

/// Something to be written, and somebody to be told.
trait Order: Send {
    /// Writes it inside a transaction. May be asked again after that was rolled back.
    fn perform(&mut self, db: &Connection) -> Result<(), Fault>;

    fn need(&self) -> Need;

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// What an order may take when the disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: it brings new work, and is refused.
    Room,
    /// The reserve: it ends or removes what is there.
    Reserve,
}

struct Written<T, F> {
    need: Need,
    act: F,
    value: Option<T>,
    tell: oneshot::Sender<Result<T, StoreError>>,
    /// Given back when the order is gone.
    _room: OwnedSemaphorePermit,
}

/// Somebody leads. If he breaks off, nobody is left waiting.
struct Leading {
    writer: Arc<Writer>,
    done: bool,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(home: Home, db: Connection, lock: Lock, room_max: u32) -> Arc<Self> {
        Arc::new(Self {
            home,
            open: Mutex::new(Some((db, lock))),
            queue: Mutex::default(),
            room: Arc::new(Semaphore::new(room_max as usize)),
            room_max,
        })
    }

    /// Carries `act` out and returns what it gave, once that is on disk. It writes through the
    /// connection that it is given and does nothing else, since it may be asked twice.
    ///
    /// # Cancel safety
    ///
    /// A caller that leaves while it waits for room has asked nothing; later it has asked, and the
    /// order is carried out without it.
    pub(super) async fn write<T, F>(self: &Arc<Self>, need: Need, act: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let room = self.room().await?;
        let told = self.order(room, need, act);
        told.await.unwrap_or_else(|_| Err(self.broke_off()))
    }

    /// Waits until one more order may wait.
    pub(super) async fn room(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        self.room.clone().acquire_owned().await.map_err(|_| self.closed())
    }

    /// Puts an order into the queue. It is carried out whether somebody waits for it or not.
    pub(super) fn order<T, F>(
        self: &Arc<Self>,
        room: OwnedSemaphorePermit,
        need: Need,
        act: F,
    ) -> oneshot::Receiver<Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let order = Box::new(Written { need, act, value: None, tell, _room: room });
        let mut queue = self.queue();
        queue.orders.push_back(order);
        if !mem::replace(&mut queue.led, true) {
            let leading = Leading { writer: Arc::clone(self), done: false };
            drop(queue);
            Handle::current().spawn_blocking(move || leading.lead());
        }
        told
    }

    /// Waits for all that was asked, brings it into the main file and gives the book free.
    pub(super) async fn close(self: &Arc<Self>) -> Result<(), StoreError> {
        // Nobody asks any more, and all orders are gone.
        let all = self.room.acquire_many(self.room_max).await.map_err(|_| self.closed())?;
        self.room.close();
        drop(all);
        let this = Arc::clone(self);
        let close = move || {
            let taken = this.open().take();
            let Some((db, lock)) = taken else { return Ok(()) };
            // Where that fails, on a full disk say, the log stays beside the main file, and is read
            // with it.
            fold(&db).ok();
            let closed = db.close().map_err(|(_, error)| error);
            drop(lock);
            closed.map_err(|error| Fault::from(error).at(&this.home))
        };
        tokio::task::spawn_blocking(close).await.unwrap_or_else(|_| Err(self.closed()))
    }

    fn carry_out(&self, orders: Vec<Box<dyn Order>>) {
        let open = self.open();
        let Some((db, _)) = &*open else {
            for order in orders {
                order.answer(Err(self.closed()));
            }
            return;
        };
        if let Err(orders) = self.together(db, orders) {
            // One that finds no room on the disk, say, must not take the others along.
            for order in orders {
                self.alone(db, order);
            }
        }
    }

    /// Carries out all orders in one transaction. Gives them back if that could not be.
    fn together(
        &self,
        db: &Connection,
        mut orders: Vec<Box<dyn Order>>,
    ) -> Result<(), Vec<Box<dyn Order>>> {
        if orders.len() == 1 {
            return Err(orders);
        }
        let mut outcomes = Vec::with_capacity(orders.len());
        let mut all = || {
            let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
            for order in &mut orders {
                db.prepare_cached("SAVEPOINT one")?.execute([])?;
                let outcome = order.perform(db);
                // A full disk may have ended the whole transaction.
                if outcome.is_err() && !db.is_autocommit() {
                    db.prepare_cached("ROLLBACK TO one")?.execute([])?;
                }
                db.prepare_cached("RELEASE one")?.execute([])?;
                outcomes.push(outcome);
            }
            transaction.commit()
        };
        let done: rusqlite::Result<()> = all();
        if done.is_err() {
            return Err(orders);
        }
        for (order, outcome) in orders.into_iter().zip(outcomes) {
            order.answer(outcome.map_err(|fault| fault.at(&self.home)));
        }
        Ok(())
    }

    fn alone(&self, db: &Connection, mut order: Box<dyn Order>) {
        let mut outcome = perform_alone(db, &mut *order);
        // On a full disk the log may hold what the main file has room for.
        if is_full(&outcome) && fold(db).is_ok() {
            outcome = perform_alone(db, &mut *order);
        }
        if is_full(&outcome) && order.need() == Need::Reserve && self.home.spend_reserve() {
            outcome = perform_alone(db, &mut *order);
        }
        order.answer(outcome.map_err(|fault| fault.at(&self.home)));
    }

    fn open(&self) -> MutexGuard<'_, Option<(Connection, Lock)>> {
        // A panic rolls its transaction back, so the connection stays good.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error of an order that was dropped without an answer.
    pub(super) fn broke_off(&self) -> StoreError {
        StoreError::BookBrokeOff { path: self.home.folder.clone() }
    }

    fn closed(&self) -> StoreError {
        StoreError::BookClosed { path: self.home.folder.clone() }
    }
}

fn perform_alone(db: &Connection, order: &mut dyn Order) -> Result<(), Fault> {
    let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    order.perform(db)?;
    Ok(transaction.commit()?)
}

fn is_full(outcome: &Result<(), Fault>) -> bool {
    outcome.as_ref().is_err_and(Fault::is_full)
}

/// Brings the log into the main file and makes it empty.
fn fold(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

// === impl Written ===

impl<T, F> Order for Written<T, F>
where
    T: Send + 'static,
    F: FnMut(&Connection) -> Result<T, Fault> + Send + 'static,
{
    fn perform(&mut self, db: &Connection) -> Result<(), Fault> {
        self.value = Some((self.act)(db)?);
        Ok(())
    }

    fn need(&self) -> Need {
        self.need
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { value, act, tell, .. } = *self;
        // What the order holds goes first: the file of a result that does not count is gone when its
        // caller hears so.
        drop(act);
        let outcome = outcome.map(|()| value.expect("`perform` leaves a value when it succeeds"));
        // Who has left does not hear it.
        tell.send(outcome).ok();
    }
}

// === impl Leading ===

impl Leading {
    fn lead(mut self) {
        loop {
            let orders: Vec<_> = {
                let mut queue = self.writer.queue();
                if queue.orders.is_empty() {
                    // Under the lock: who comes later sees that nobody leads.
                    queue.led = false;
                    self.done = true;
                    return;
                }
                let count = queue.orders.len().min(GROUP_MAX);
                queue.orders.drain(..count).collect()
            };
            // A bug in one breaks its group off, whose callers are told, and nobody who comes later.
            // What it had begun is rolled back.
            catch_unwind(AssertUnwindSafe(|| self.writer.carry_out(orders))).ok();
        }
    }
}

impl Drop for Leading {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        // The runtime ends. Dropped orders tell their callers.
        let mut queue = self.writer.queue();
        queue.led = false;
        let left = mem::take(&mut queue.orders);
        drop(queue);
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::opening;
    use std::path::Path;

    fn writer(folder: &Path) -> Arc<Writer> {
        let home = Home::new(folder);
        let (db, _) = opening::open(&home, &crate::BookTerms::default()).unwrap();
        Writer::new(home, db, Lock::take(folder).unwrap(), 8)
    }

    fn insert(name: &'static str) -> impl FnMut(&Connection) -> Result<(), Fault> {
        move |db| {
            let sql =
                "INSERT INTO batches (id, client, request, accepted_at) VALUES (?1, '', '', 0)";
            db.execute(sql, [name])?;
            Ok(())
        }
    }

    async fn names(writer: &Arc<Writer>) -> Vec<String> {
        let look = |db: &Connection| {
            let mut names = db.prepare("SELECT id FROM batches ORDER BY id")?;
            Ok(names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        };
        writer.write(Need::Room, look).await.unwrap()
    }

    #[tokio::test]
    async fn a_panic_tells_its_callers_and_the_next_order_is_carried_out() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        let mut first = insert("half");
        let panics = move |db: &Connection| -> Result<(), Fault> {
            first(db)?;
            panic!("a bug");
        };
        let error = writer.write(Need::Room, panics).await.unwrap_err();
        assert!(matches!(error, StoreError::BookBrokeOff { .. }), "{error:?}");
        writer.write(Need::Room, insert("next")).await.unwrap();
        assert_eq!(names(&writer).await, ["next"]);
        writer.close().await.unwrap();
    }

    /// While the first is carried out the others wait, so they make one group, whose second fails.
    #[tokio::test]
    async fn a_group_shares_a_transaction_and_not_its_failures() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = move |_: &Connection| wait.recv().map_err(|_| Fault::Damaged("gone".into()));
        let mut told = vec![writer.order(writer.room().await.unwrap(), Need::Room, first)];
        for name in ["a", "a", "b"] {
            told.push(writer.order(writer.room().await.unwrap(), Need::Room, insert(name)));
        }
        go.send(()).unwrap();
        let mut outcomes = Vec::new();
        for one in told {
            outcomes.push(one.await.unwrap().is_ok());
        }
        assert_eq!(outcomes, [true, true, false, true]);
        assert_eq!(names(&writer).await, ["a", "b"]);
    }

    #[tokio::test]
    async fn who_finds_no_room_waits_and_who_leaves_meanwhile_has_asked_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        let mut rooms = Vec::new();
        for _ in 0..8 {
            rooms.push(writer.room().await.unwrap());
        }
        {
            let mut waits = Box::pin(writer.write(Need::Room, insert("leaves")));
            let polled = std::future::poll_fn(|context| {
                std::task::Poll::Ready(waits.as_mut().poll(context).is_ready())
            });
            assert!(!polled.await, "there is no room");
        }
        rooms.clear();
        writer.write(Need::Room, insert("stays")).await.unwrap();
        assert_eq!(names(&writer).await, ["stays"]);
    }

    #[test]
    fn a_runtime_that_ends_leaves_no_caller_waiting_and_another_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        let one_thread = || {
            tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap()
        };
        let runtime = one_thread();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        // Its only blocking thread is taken, so nobody leads before it ends.
        runtime.spawn_blocking(move || wait.recv());
        let room = runtime.block_on(writer.room()).unwrap();
        let context = runtime.enter();
        let told = writer.order(room, Need::Room, insert("never"));
        drop(context);
        runtime.shutdown_background();
        go.send(()).ok();
        let runtime = one_thread();
        let told = runtime.block_on(told);
        assert!(!matches!(told, Ok(Err(_))), "it was carried out whole or dropped: {told:?}");
        runtime.block_on(writer.write(Need::Room, insert("next"))).unwrap();
        let expected: &[&str] = if told.is_ok() { &["never", "next"] } else { &["next"] };
        assert_eq!(runtime.block_on(names(&writer)), expected);
    }
}
