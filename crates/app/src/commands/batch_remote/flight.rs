//! The requests of a batch, each to its end, through everything that may happen to a server meanwhile.
//!
//! Keeps: an app that was analysed is on disk before it is told; a connection that is lost loses no
//! work, since what the server has is asked for again by its name; a server that puts work off is
//! asked again when it says so.

use super::landing::Landing;
use crate::{
    batch::{Board, Record},
    client::{Addresses, Client, STOPPED_WITHIN, Traced, retry_after, said_no},
    failure::Failure,
    interrupt::Interrupt,
};
use assay_model::CancelReason;
use assay_wire::{
    AnalysisRequest, Fault, Payload, TaskStatus,
    gateway::{CancelWish, Frame, Reply, Request},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};

/// Requests of one batch that are with the server at once: it has a queue of its own, and what is
/// not sent needs no place in it.
const AT_ONCE: usize = 32;

/// How long the server may be away: one that is upgraded or moved is back by then.
const AWAY_AT_MOST: Duration = Duration::from_mins(5);

/// How long until a server that is away is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// For how long the server may put everything off. Where a service stays away, every app of a large
/// batch would be put off as long.
const PUT_OFF_AT_MOST: Duration = Duration::from_mins(10);

/// How often an app is begun: it may be what ends the service.
const ATTEMPTS_MAX: u32 = 3;

/// The bounds of what the server may say about when to come again.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// A request for one app. As JSON it is a part of what makes two batches the same.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Order {
    /// By this name the app is in the record.
    pub(super) name: String,
    /// What it is called before a person.
    pub(super) app: String,
    pub(super) request: AnalysisRequest,
}

/// What came of a batch.
pub(super) struct Flown {
    /// Of the apps that have ended, in the order in which they were asked for.
    pub(super) landings: Vec<Landing>,
    /// Why it was stopped, if it was: what the server had then goes no further.
    pub(super) stopped: Option<CancelReason>,
    /// What kept it from going on.
    pub(super) failure: Option<Failure>,
}

/// A batch under way.
pub(super) struct Flight<'a> {
    addresses: &'a Addresses,
    board: &'a Board,
    record: &'a mut Record<Landing>,
    interrupt: &'a Interrupt,
    /// By their number: what is put off keeps its place.
    waiting: BTreeMap<usize, Going>,
    /// By the `id` of the request.
    with_server: HashMap<String, Going>,
    landings: BTreeMap<usize, Landing>,
    /// Until when the server is not asked for more.
    paused_until: Option<Instant>,
    /// Since when it has put everything off.
    put_off_since: Option<Instant>,
    /// Since when nothing is heard from it, while it is away.
    away_since: Option<Instant>,
    stopped: Option<CancelReason>,
    /// Until when the server may say that what it had is stopped.
    give_up_at: Option<Instant>,
}

/// An app that has not ended.
struct Going {
    number: usize,
    order: Order,
    traced: Option<Traced>,
    /// The server has told what it does.
    is_begun: bool,
    /// Asked for once more, since the connection was lost.
    is_resumed: bool,
    /// How often it was begun and put off all the same.
    attempts: u32,
}

/// Why it cannot go on as it is.
enum Broken {
    /// The connection.
    Lost(Failure),
    /// The record on this machine's disk.
    Record(Failure),
}

// === impl Flight ===

impl<'a> Flight<'a> {
    /// Prepares it. What the record has is not asked for again.
    pub(super) fn new(
        addresses: &'a Addresses,
        board: &'a Board,
        record: &'a mut Record<Landing>,
        interrupt: &'a Interrupt,
        orders: Vec<Order>,
    ) -> Self {
        let (mut waiting, mut landings) = (BTreeMap::new(), BTreeMap::new());
        for (number, order) in orders.into_iter().enumerate() {
            if let Some(landing) = record.landed().get(&order.name) {
                board.landed(number, landing.line());
                landings.insert(number, landing.clone());
            } else {
                waiting.insert(number, Going::new(number, order));
            }
        }
        Self {
            addresses,
            board,
            record,
            interrupt,
            waiting,
            with_server: HashMap::new(),
            landings,
            paused_until: None,
            put_off_since: None,
            away_since: None,
            stopped: None,
            give_up_at: None,
        }
    }

    /// Has all analysed.
    ///
    /// # Errors
    ///
    /// If no server answers at the beginning. What comes later is told beside what has ended.
    pub(super) async fn run(mut self) -> Result<Flown, Failure> {
        let mut client = self.addresses.connect().await?;
        let failure = loop {
            let lost = match self.fly(&mut client).await {
                Ok(()) => {
                    client.leave().await;
                    break None;
                }
                Err(Broken::Record(failure)) => break Some(failure),
                Err(Broken::Lost(failure)) => failure,
            };
            if self.stopped.is_some() {
                self.board.warn("the server is gone, and may go on with what it has");
                break None;
            }
            match self.come_back(lost).await {
                Ok(Some(back)) => client = back,
                Ok(None) => break None,
                Err(lost) => break Some(lost),
            }
        };
        let landings = self.landings.into_values().collect();
        Ok(Flown { landings, stopped: self.stopped, failure })
    }

    /// Goes on until all have ended, or the connection has.
    async fn fly(&mut self, client: &mut Client) -> Result<(), Broken> {
        loop {
            self.send(client).await?;
            let is_all = self.waiting.is_empty() || self.stopped.is_some();
            if is_all && self.with_server.is_empty() {
                return Ok(());
            }
            let (again, give_up_at) = (self.paused_until, self.give_up_at);
            tokio::select! {
                biased;
                reason = self.interrupt.asked(), if self.stopped.is_none() => {
                    self.stop(client, reason).await?;
                }
                frame = client.next() => self.take(client.url(), frame.map_err(Broken::Lost)?)?,
                () = reached(again) => self.paused_until = None,
                () = reached(give_up_at) => {
                    self.board.warn("the server does not say that it has stopped, and may go on");
                    return Ok(());
                }
            }
        }
    }

    /// Sends what may be sent.
    async fn send(&mut self, client: &mut Client) -> Result<(), Broken> {
        // All at once would be too much for a service that has just come back.
        let at_once = if self.put_off_since.is_some() { 1 } else { AT_ONCE };
        while self.stopped.is_none()
            && self.paused_until.is_none()
            && self.with_server.len() < at_once
        {
            let Some((_, mut going)) = self.waiting.pop_first() else { return Ok(()) };
            if going.traced.is_none() {
                going.traced = Some(Traced::begin(&mut going.order.request, client.url()));
            }
            let request = Request::Analysis(Box::new(going.order.request.clone()));
            match client.send(request).await {
                Ok(id) => self.with_server.insert(id, going),
                Err(failure) => {
                    self.waiting.insert(going.number, going);
                    return Err(Broken::Lost(failure));
                }
            };
        }
        Ok(())
    }

    async fn stop(&mut self, client: &mut Client, reason: CancelReason) -> Result<(), Broken> {
        self.stopped = Some(reason);
        self.give_up_at = Some(Instant::now() + STOPPED_WITHIN);
        self.board.stopping(reason);
        for id in self.with_server.keys() {
            let wish = CancelWish { task_id: None, correlation_id: Some(id.clone()) };
            client.send(Request::Cancel(wish)).await.map_err(Broken::Lost)?;
        }
        Ok(())
    }

    /// Takes in what the server says.
    fn take(&mut self, url: &str, frame: Frame<Reply>) -> Result<(), Broken> {
        self.away_since = None;
        let Some(id) = frame.envelope.correlation_id else { return Ok(()) };
        let Some(going) = self.with_server.get_mut(&id) else { return Ok(()) };
        match frame.body {
            Reply::Task(status) => going.accepted(*status),
            Reply::Progress(told) => {
                let Some(event) = told.event() else { return Ok(()) };
                if !going.is_begun {
                    going.is_begun = true;
                    self.board.begun(going.number, going.order.app.clone());
                }
                self.board.heard(going.number, &event);
                self.put_off_since = None;
            }
            Reply::AnalysisResult(reply) => {
                if let Some(going) = self.with_server.remove(&id) {
                    return self.ended(going, &reply);
                }
            }
            Reply::Error(fault) => {
                if let Some(going) = self.with_server.remove(&id) {
                    self.refused(going, url, &fault);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn ended(&mut self, going: Going, reply: &Payload) -> Result<(), Broken> {
        let Order { app, request, .. } = &going.order;
        let landing = Landing::of(app.clone(), request.task_id.clone(), reply);
        if landing.is_cancelled() && self.stopped.is_some() {
            // We have cancelled it ourselves: it is as if it had not begun.
            return Ok(());
        }
        if landing.is_cancelled() && going.is_resumed {
            // The server took us for gone.
            self.again(going);
            return Ok(());
        }
        if let Some((after, why)) = landing.again()
            && self.may_put_off(&going)
        {
            self.put_off(going, after, why);
            return Ok(());
        }
        if landing.is_analysed() {
            (self.paused_until, self.put_off_since) = (None, None);
            self.record.keep(going.order.name, landing.clone()).map_err(Broken::Record)?;
        }
        if let Some(traced) = going.traced {
            traced.answered(reply);
        }
        self.land(going.number, landing);
        Ok(())
    }

    /// Takes in that the server does not do it: now, or at all.
    fn refused(&mut self, going: Going, url: &str, fault: &Fault) {
        if let Some(after) = retry_after(fault.code, fault.retry_after_ms)
            && self.may_put_off(&going)
        {
            self.put_off(going, after, &fault.message);
            return;
        }
        if let Some(traced) = going.traced {
            traced.refused(&fault.message);
        }
        let landing = Landing::refused(going.order.app, said_no(url, fault).in_full());
        self.land(going.number, landing);
    }

    fn may_put_off(&self, going: &Going) -> bool {
        let is_short = |since: Instant| since.elapsed() < PUT_OFF_AT_MOST;
        let is_poison = going.is_begun && going.attempts + 1 >= ATTEMPTS_MAX;
        self.stopped.is_none() && !is_poison && self.put_off_since.is_none_or(is_short)
    }

    /// Asks no more until the server takes more.
    fn put_off(&mut self, mut going: Going, after: Duration, why: &str) {
        going.attempts += u32::from(going.is_begun);
        if self.put_off_since.is_none() {
            self.board.warn(&format!("the server does no more for now, and is asked again: {why}"));
        }
        let now = Instant::now();
        self.put_off_since.get_or_insert(now);
        self.paused_until = self.paused_until.max(Some(now + after.clamp(PAUSE_MIN, PAUSE_MAX)));
        self.again(going);
    }

    /// Asks once more, for a task of a new name: the one that it had stands for its end.
    fn again(&mut self, mut going: Going) {
        going.order.request.task_id = None;
        (going.is_begun, going.is_resumed) = (false, false);
        self.waiting.insert(going.number, going);
    }

    fn land(&mut self, number: usize, landing: Landing) {
        self.board.landed(number, landing.line());
        self.landings.insert(number, landing);
    }

    /// Waits for a server that is away. `None` comes back where somebody stops the batch meanwhile,
    /// and an error, why it was lost, where it stays away.
    async fn come_back(&mut self, lost: Failure) -> Result<Option<Client>, Failure> {
        let away_since = *self.away_since.get_or_insert_with(Instant::now);
        tracing::warn!("{lost}");
        self.board.warn("the connection to the server is lost, and is tried again");
        for (_, mut going) in self.with_server.drain() {
            going.is_resumed = going.order.request.task_id.is_some();
            going.is_begun = false;
            self.waiting.insert(going.number, going);
        }
        self.paused_until = None;
        while away_since.elapsed() < AWAY_AT_MOST {
            let connecting = async {
                sleep(AGAIN_AFTER).await;
                self.addresses.connect().await
            };
            tokio::select! {
                biased;
                reason = self.interrupt.asked() => {
                    self.stopped = Some(reason);
                    self.board.stopping(reason);
                    return Ok(None);
                }
                connected = connecting => match connected {
                    Ok(client) => return Ok(Some(client)),
                    Err(failure) => tracing::info!("{failure}"),
                },
            }
        }
        Err(lost)
    }
}

/// Waits until then; for ever where there is no such time.
async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

// === impl Going ===

impl Going {
    fn new(number: usize, order: Order) -> Self {
        Self { number, order, traced: None, is_begun: false, is_resumed: false, attempts: 0 }
    }

    /// The server has taken it. By the name of the task it is asked for again.
    fn accepted(&mut self, status: TaskStatus) {
        let Some(task) = status.task_id else { return };
        if self.order.request.task_id.as_ref() != Some(&task)
            && let Some(traced) = &self.traced
        {
            traced.accepted(&task);
        }
        self.order.request.task_id = Some(task);
    }
}
