//! Whether a client may ask now.
//!
//! Owns a token bucket for each client, in a table of bounded size.
//!
//! Keeps: in any span of time a client gets at most its burst and what the rate yields in that
//! span; who waits for `retry_after` is admitted then, and not a nanosecond earlier; a client with
//! a bucket that is not full is never forgotten, since that would fill it. All is counted in whole
//! billionths of a token, of which a rate of N a second yields N in each nanosecond: nothing is
//! rounded, so nothing drifts. Asking for a client that is known allocates nothing. (The map's hash
//! is seeded by the process, against names made to collide; no answer depends on it.)
//!
//! Does not: know who a client is, or tell a real newcomer from one who changes his name: a flood
//! of names fills the table, and then newcomers wait until a place is free while all who are known
//! are served.

use crate::{Instant, clock::whole_nanos};
use std::{
    borrow::Borrow,
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    hash::Hash,
    num::NonZeroU32,
    time::Duration,
};

/// A dashboard that polls ten values five times a second stays below.
pub const PER_SECOND: NonZeroU32 = NonZeroU32::new(50).expect("50 is not 0");

/// A batch over hundreds of apps is handed in at once.
pub const BURST: NonZeroU32 = NonZeroU32::new(600).expect("600 is not 0");

/// Some 100 bytes each. More clients than these at once are a flood.
pub const CLIENTS_MAX: NonZeroU32 = NonZeroU32::new(16_384).expect("16384 is not 0");

/// What each client may. [`Settings::default`] is what the documents promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Requests a second, in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once after a pause.
    pub burst: NonZeroU32,
    /// Clients that are remembered at once.
    pub clients_max: NonZeroU32,
}

/// The buckets of all clients.
#[derive(Debug)]
pub struct RateLimit<C> {
    settings: Settings,
    places: HashMap<C, usize>,
    clients: Vec<Client<C>>,
    /// Every place once, by when its bucket is full. The times are lower bounds: a bucket that
    /// was taken from since is full later. They are put right when a newcomer needs a place.
    by_full: BinaryHeap<Reverse<(Instant, usize)>>,
}

/// Why a client may not ask now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// How long to wait before asking again.
    pub retry_after: Duration,
    pub reason: LimitedReason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedReason {
    /// The client has used up its bucket.
    TooFast,
    /// The client is new, and the table is full of clients that still owe. After `retry_after`
    /// there is a place, unless another newcomer takes it.
    TooManyClients,
}

#[derive(Debug)]
struct Client<C> {
    name: C,
    bucket: Bucket,
}

/// Tokens at one time.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Billionths of a token.
    level: u64,
    at: Instant,
}

/// What is said at the very end of the clock, where there is no later instant to name: never
/// "refused, and come back at once".
const SOONEST: Duration = Duration::from_nanos(1);

/// Billionths in a token.
const TOKEN: u64 = 1_000_000_000;

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self { per_second: PER_SECOND, burst: BURST, clients_max: CLIENTS_MAX }
    }
}

impl Settings {
    fn full(&self) -> u64 {
        u64::from(self.burst.get()) * TOKEN
    }

    /// How long it takes to yield so many billionths of a token.
    fn time_for(&self, billionths: u64) -> Duration {
        Duration::from_nanos(billionths.div_ceil(u64::from(self.per_second.get())))
    }
}

// === impl RateLimit ===

impl<C: Clone + Eq + Hash> RateLimit<C> {
    /// Starts knowing nobody.
    pub fn new(settings: Settings) -> Self {
        let (places, by_full) = (HashMap::new(), BinaryHeap::new());
        Self { settings, places, clients: Vec::new(), by_full }
    }

    /// Asks for one request of `client` now.
    ///
    /// A newcomer to a full table takes the place of a client whose bucket is full, which is
    /// found in amortised logarithmic time.
    pub fn admit<Q>(&mut self, client: &Q, now: Instant) -> Result<(), Limited>
    where
        C: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = C> + ?Sized,
    {
        if let Some(&place) = self.places.get(client) {
            return self.clients[place].bucket.take(&self.settings, now);
        }
        let mut bucket = Bucket { level: self.settings.full(), at: now };
        let taken = bucket.take(&self.settings, now);
        let newcomer = Client { name: client.to_owned(), bucket };
        if self.clients.len() < self.settings.clients_max.get() as usize {
            self.settle(newcomer);
        } else {
            self.replace(newcomer, now)?;
        }
        taken
    }

    /// Returns how many clients are remembered.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    fn settle(&mut self, newcomer: Client<C>) {
        let place = self.clients.len();
        self.places.insert(newcomer.name.clone(), place);
        self.by_full.push(Reverse((newcomer.bucket.full_at(&self.settings), place)));
        self.clients.push(newcomer);
    }

    /// Forgets a client whose bucket is full: a new bucket would be full too.
    fn replace(&mut self, newcomer: Client<C>, now: Instant) -> Result<(), Limited> {
        let Reverse((full_at, place)) = self.first_full();
        if !self.clients[place].bucket.is_full(&self.settings, now) {
            let wait = full_at.saturating_duration_since(now);
            let retry_after = wait.max(SOONEST);
            return Err(Limited { retry_after, reason: LimitedReason::TooManyClients });
        }
        self.note_first(newcomer.bucket.full_at(&self.settings), place);
        self.places.remove(&self.clients[place].name);
        self.places.insert(newcomer.name.clone(), place);
        self.clients[place] = newcomer;
        Ok(())
    }

    /// Finds the client whose bucket is full before all others. Puts right what is out of date on
    /// the way; each such correction was paid for by a request since the last one.
    fn first_full(&mut self) -> Reverse<(Instant, usize)> {
        loop {
            let first = self.by_full.peek().copied();
            let Reverse((noted, place)) = first.expect("`settle` notes each client of the table");
            let full_at = self.clients[place].bucket.full_at(&self.settings);
            if full_at == noted {
                return Reverse((noted, place));
            }
            self.note_first(full_at, place);
        }
    }

    /// Puts another time in place of the first one.
    fn note_first(&mut self, full_at: Instant, place: usize) {
        let mut first = self.by_full.peek_mut().expect("`first_full` found it");
        *first = Reverse((full_at, place));
    }
}

// === impl Bucket ===

impl Bucket {
    fn take(&mut self, settings: &Settings, now: Instant) -> Result<(), Limited> {
        self.refill(settings, now);
        if let Some(rest) = self.level.checked_sub(TOKEN) {
            self.level = rest;
            return Ok(());
        }
        // Counted from the bucket's time, which is later than `now` after a step back.
        let ready = self.at + settings.time_for(TOKEN - self.level);
        let retry_after = ready.saturating_duration_since(now).max(SOONEST);
        Err(Limited { retry_after, reason: LimitedReason::TooFast })
    }

    fn refill(&mut self, settings: &Settings, now: Instant) {
        // A clock that steps back yields nothing, and what it yielded once it does not yield
        // again when it comes by for the second time.
        let elapsed = whole_nanos(now.saturating_duration_since(self.at));
        let yielded = elapsed.saturating_mul(u64::from(settings.per_second.get()));
        self.level = self.level.saturating_add(yielded).min(settings.full());
        self.at = self.at.max(now);
    }

    fn is_full(mut self, settings: &Settings, now: Instant) -> bool {
        self.refill(settings, now);
        self.level == settings.full()
    }

    fn full_at(&self, settings: &Settings) -> Instant {
        self.at + settings.time_for(settings.full() - self.level)
    }
}
