//! The one lock, and what is handed through it: who waits finds his grant here, and who leaves
//! takes his place away.
//!
//! Owns the machine, the connections that nobody holds, and the wakers of those who wait.
//!
//! Keeps: the lock is held for one message and the orders that follow from it, never across an
//! await, and nobody is woken under it; a grant that was made is found by its waiter, or given back
//! when he is dropped; a connection is closed before its permit is given back.
//!
//! Does not: know protocols or deadlines. It is built a second time with `cfg(assay_loom)`, where
//! loom tries every order of its threads' steps.

#[cfg(all(test, assay_loom))]
mod threads; // every order of the steps of two and three threads

use crate::machine::{
    After, ConnectionId, EndpointId, Fate, Grant, Idled, Machine, Order, Refusal, ServiceId,
    WaiterId,
};
use assay_rules::{ById, Instant, breaker::Answer};
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
};

#[cfg(assay_loom)]
use loom::sync::Mutex;
#[cfg(not(assay_loom))]
use std::sync::Mutex;

/// Shared by the pool, its leases, and those who wait.
pub(crate) struct Handoff<C> {
    state: Mutex<Inside<C>>,
    /// Leases are dropped where nobody can say what time it is.
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
}

struct Inside<C> {
    machine: Machine,
    waiting: ById<WaiterId, Parked<C>>,
    /// Connections by number, from their return until they are granted or closed.
    held: ById<ConnectionId, C>,
    to_close: VecDeque<(ConnectionId, C)>,
    keeper: Keeper,
    /// Who waits until all connections are closed.
    leaving: Vec<Waker>,
}

/// What somebody who asked finds.
enum Parked<C> {
    Waits(Option<Waker>),
    Granted(ConnectionId, EndpointId, How<C>),
    Refused(Refusal),
}

/// The task that closes, and does what time asks for.
struct Keeper {
    waker: Option<Waker>,
    /// When it wakes up by itself.
    sleeps_until: Instant,
}

/// What the keeper is to do.
pub(crate) enum Chore<C> {
    Close(C, Closing<C>),
    /// The time it sleeps until is too late.
    WakeEarlier,
}

/// A connection, or the right to open one.
pub(crate) struct Granted<C> {
    pub(crate) endpoint: EndpointId,
    // Dropped before `held`: what is closed is closed before its permit is given back.
    pub(crate) how: How<C>,
    pub(crate) held: Held<C>,
}

/// How somebody comes to his connection.
pub(crate) enum How<C> {
    Reuse { connection: C, idled: Idled },
    Connect { evicted: Option<C> },
}

/// One place under the cap, and one permit of a breaker. Dropping it answers `Abandoned`.
pub(crate) struct Held<C> {
    handoff: Arc<Handoff<C>>,
    id: ConnectionId,
    is_ended: bool,
}

/// One place under the cap, of a connection that is being closed.
pub(crate) struct Closing<C> {
    handoff: Arc<Handoff<C>>,
    id: ConnectionId,
}

/// Somebody who asked. Dropping it takes him out of the queue; what he was granted meanwhile goes
/// to the next one.
#[must_use = "it asks already, and gives up when it is dropped"]
pub(crate) struct Asking<C> {
    handoff: Arc<Handoff<C>>,
    /// `None` once he has his answer.
    waiter: Option<WaiterId>,
}

// === impl Handoff ===

impl<C> Handoff<C> {
    pub(crate) fn new(
        machine: Machine,
        clock: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> Self {
        let keeper = Keeper { waker: None, sleeps_until: Instant::MAX };
        let inside = Inside {
            machine,
            waiting: ById::default(),
            held: ById::default(),
            to_close: VecDeque::new(),
            keeper,
            leaving: Vec::new(),
        };
        Self { state: Mutex::new(inside), clock: Box::new(clock) }
    }

    /// Asks for a lease, and takes a place in the queue if there is none at once.
    pub(crate) fn ask(
        self: &Arc<Self>,
        service: ServiceId,
        avoid: Option<EndpointId>,
    ) -> Asking<C> {
        let waiter = self.step(|inside, now| {
            let waiter = inside.machine.ask(service, avoid, now);
            inside.waiting.insert(waiter, Parked::Waits(None));
            waiter
        });
        Asking { handoff: Arc::clone(self), waiter: Some(waiter) }
    }

    /// Tells the machine something, and does what it orders.
    pub(crate) fn tell<R>(&self, message: impl FnOnce(&mut Machine, Instant) -> R) -> R {
        self.step(|inside, now| message(&mut inside.machine, now))
    }

    /// Returns the keeper's next chore.
    pub(crate) fn poll_chore(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        sleeps_until: Instant,
    ) -> Poll<Chore<C>> {
        self.step(|inside, _| {
            if let Some((id, connection)) = inside.to_close.pop_front() {
                let closing = Closing { handoff: Arc::clone(self), id };
                return Poll::Ready(Chore::Close(connection, closing));
            }
            if inside.machine.wake_at() < sleeps_until {
                return Poll::Ready(Chore::WakeEarlier);
            }
            inside.keeper = Keeper { waker: Some(cx.waker().clone()), sleeps_until };
            Poll::Pending
        })
    }

    /// Ready when no connection is open any more.
    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.step(|inside, _| {
            if inside.machine.open_connections() == 0 {
                return Poll::Ready(());
            }
            inside.leaving.push(cx.waker().clone());
            Poll::Pending
        })
    }

    /// One message under the lock, its orders, and then the wakers.
    fn step<R>(&self, message: impl FnOnce(&mut Inside<C>, Instant) -> R) -> R {
        let now = (self.clock)();
        let mut wakers = Vec::new();
        let answer = {
            // A panic under the lock would be the machine's, and has been told. To panic again, in
            // the drop of every lease, would end the process.
            let mut inside = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = message(&mut inside, now);
            inside.obey(&mut wakers);
            answer
        };
        wakers.into_iter().for_each(Waker::wake);
        answer
    }
}

// === impl Inside ===

impl<C> Inside<C> {
    /// Does what the machine orders; whoever has to know is woken after the lock.
    fn obey(&mut self, wakers: &mut Vec<Waker>) {
        while let Some(order) = self.machine.next_order() {
            match order {
                Order::Grant { waiter, connection, endpoint, how } => {
                    let how = self.how(connection, how);
                    self.answer(waiter, Parked::Granted(connection, endpoint, how), wakers);
                }
                Order::Refuse { waiter, refusal } => {
                    self.answer(waiter, Parked::Refused(refusal), wakers);
                }
                Order::Close { connection: id } => {
                    let connection = self.held.remove(&id).expect(HELD);
                    self.to_close.push_back((id, connection));
                }
            }
        }
        let is_early = self.machine.wake_at() < self.keeper.sleeps_until;
        if is_early || !self.to_close.is_empty() {
            wakers.extend(self.keeper.waker.take());
        }
        if self.machine.open_connections() == 0 {
            wakers.append(&mut self.leaving);
        }
    }

    fn how(&mut self, id: ConnectionId, grant: Grant) -> How<C> {
        match grant {
            Grant::Reuse { idled } => {
                How::Reuse { connection: self.held.remove(&id).expect(HELD), idled }
            }
            Grant::Connect { evicted } => {
                How::Connect { evicted: evicted.map(|id| self.held.remove(&id).expect(HELD)) }
            }
        }
    }

    fn answer(&mut self, waiter: WaiterId, answer: Parked<C>, wakers: &mut Vec<Waker>) {
        if let Some(Parked::Waits(Some(waker))) = self.waiting.insert(waiter, answer) {
            wakers.push(waker);
        }
    }
}

/// Why a connection is found that an order names.
const HELD: &str = "`Held::end` put it there when the machine said `Fate::Held`";

// === impl Asking ===

impl<C> Future for Asking<C> {
    type Output = Result<Granted<C>, Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waiter = self.waiter.expect("nobody polls what was ready");
        let answer = self.handoff.step(|inside, _| match inside.waiting.remove(&waiter) {
            Some(Parked::Waits(_)) | None => {
                inside.waiting.insert(waiter, Parked::Waits(Some(cx.waker().clone())));
                None
            }
            answered => answered,
        });
        let answer = match answer {
            None | Some(Parked::Waits(_)) => return Poll::Pending,
            Some(Parked::Refused(refusal)) => Err(refusal),
            Some(Parked::Granted(id, endpoint, how)) => {
                let held = Held { handoff: Arc::clone(&self.handoff), id, is_ended: false };
                Ok(Granted { endpoint, how, held })
            }
        };
        self.waiter = None;
        Poll::Ready(answer)
    }
}

impl<C> Drop for Asking<C> {
    fn drop(&mut self) {
        let Some(waiter) = self.waiter else { return };
        let found = self.handoff.step(|inside, _| {
            inside.machine.give_up(waiter);
            inside.waiting.remove(&waiter)
        });
        // Granted while he was leaving: what was opened goes back unused, the right to open ends.
        if let Some(Parked::Granted(id, _, how)) = found {
            let held = Held { handoff: Arc::clone(&self.handoff), id, is_ended: false };
            match how {
                How::Reuse { connection, .. } => held.end(Answer::Abandoned, Some(connection)),
                How::Connect { evicted } => drop(evicted),
            }
        }
    }
}

// === impl Held ===

impl<C> Held<C> {
    /// The connection stands.
    pub(crate) fn connected(&self) {
        self.handoff.tell(|machine, _| machine.connected(self.id));
    }

    /// The connection was found dead, and is closed: another one is opened on the same permit.
    pub(crate) fn reconnect(&mut self) {
        let fresh = self.handoff.tell(|machine, now| machine.reconnect(self.id, now));
        if let Some(fresh) = fresh {
            self.id = fresh;
        }
    }

    /// Gives everything back. The connection, if there still is one, may be used again.
    pub(crate) fn end(mut self, answer: Answer, connection: Option<C>) {
        self.is_ended = true;
        self.give_back(answer, connection);
    }

    fn give_back(&self, answer: Answer, connection: Option<C>) {
        let id = self.id;
        let after = if connection.is_some() { After::Keep } else { After::Close };
        // Dropped after the lock: closing may take a while.
        let refused = self.handoff.step(|inside, now| {
            // It is there before the machine orders something with it.
            if let Some(connection) = connection {
                inside.held.insert(id, connection);
            }
            match inside.machine.end(id, answer, after, now) {
                Fate::Held => None,
                Fate::Gone => inside.held.remove(&id),
            }
        });
        drop(refused);
    }
}

impl<C> Drop for Held<C> {
    fn drop(&mut self) {
        if !self.is_ended {
            self.give_back(Answer::Abandoned, None);
        }
    }
}

// === impl Closing ===

impl<C> Drop for Closing<C> {
    fn drop(&mut self) {
        self.handoff.tell(|machine, now| machine.closed(self.id, now));
    }
}
