//! Who asks, what he may, and how often.

use assay_rules::{
    Instant as Moment,
    ledger::ClientId,
    rate_limit::{Limited, RateLimit, Settings},
};
use std::{collections::HashMap, sync::Arc};
use tokio::time::Instant;

/// Whoever is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its token's name, else its address without the port: who is accounted.
    pub who: Arc<str>,
    pub scopes: Scopes,
}

/// Something that a client may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// See what there is.
    Read,
    /// Have work done, and cancel it.
    Run,
    /// Change which services there are.
    Admin,
}

/// What a client may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    pub read: bool,
    pub run: bool,
    pub admin: bool,
}

/// Clients that are accounted, and how fast they ask.
#[derive(Debug)]
pub(super) struct Accounts {
    rate: RateLimit<Arc<str>>,
    payers: HashMap<Arc<str>, Payer>,
    started: Instant,
}

#[derive(Debug)]
struct Payer {
    id: ClientId,
    connections: u32,
}

// === impl Scopes ===

impl Scopes {
    /// What a client of this machine may do where no tokens are set up.
    pub const ALL: Self = Self { read: true, run: true, admin: true };

    pub fn allows(self, scope: Scope) -> bool {
        match scope {
            Scope::Read => self.read,
            Scope::Run => self.run,
            Scope::Admin => self.admin,
        }
    }
}

// === impl Scope ===

impl Scope {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Admin => "admin",
        }
    }
}

// === impl Accounts ===

impl Accounts {
    pub(super) fn new(rate: Settings) -> Self {
        Self { rate: RateLimit::new(rate), payers: HashMap::new(), started: Instant::now() }
    }

    /// Counts a connection in. All connections of one client are accounted together.
    pub(super) fn enter(&mut self, who: &Arc<str>, fresh: impl FnOnce() -> ClientId) -> ClientId {
        let make = || Payer { id: fresh(), connections: 0 };
        let payer = self.payers.entry(Arc::clone(who)).or_insert_with(make);
        payer.connections += 1;
        payer.id
    }

    /// Counts a connection out.
    pub(super) fn leave(&mut self, who: &Arc<str>) {
        if let Some(payer) = self.payers.get_mut(who) {
            payer.connections -= 1;
            if payer.connections == 0 {
                self.payers.remove(who);
            }
        }
    }

    /// Asks whether a client may have one more analysis now.
    pub(super) fn admit(&mut self, who: &Arc<str>) -> Result<(), Limited> {
        let now = Moment::after_start(self.started.elapsed());
        self.rate.admit(who, now)
    }

    pub(super) fn connections(&self) -> u64 {
        self.payers.values().map(|payer| u64::from(payer.connections)).sum()
    }
}
