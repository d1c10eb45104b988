//! From an address to a service: over the network, or within this process.

use assay_pool::Connect;
use assay_wire::{
    CloseCode, ConnectTerms, Connection, Utf8Bytes, WireError, connect, connect_at,
    service::{Frame, Reply, Request},
    without_query,
};
use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, RwLock},
};

/// Opens a connection within this process.
pub type Dial = Box<dyn Fn() -> Connection + Send + Sync>;

/// A service that the gateway starts with.
pub enum Backend {
    Remote {
        url: String,
    },
    /// A service of this process. It is met as any other, over frames.
    Local {
        slots: u32,
        connect: Dial,
    },
}

/// Services of this process, by their address.
#[derive(Clone, Default)]
pub(super) struct Local {
    services: Arc<RwLock<BTreeMap<String, Dial>>>,
}

/// Replicas that are one address of a name, by the URL that the pool knows them by.
#[derive(Clone, Default)]
struct Aliases {
    known: Arc<RwLock<BTreeMap<String, (String, SocketAddr)>>>,
}

/// URLs with a query, by what is left without it. A query may hold a token, and what the pool calls an
/// endpoint is logged, counted and told to clients.
#[derive(Clone, Default)]
struct Queries {
    known: Arc<RwLock<BTreeMap<String, String>>>,
}

/// Makes connections to services. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connector {
    terms: ConnectTerms,
    local: Local,
    aliases: Aliases,
    queries: Queries,
}

// === impl Backend ===

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote { url } => f.debug_struct("Remote").field("url", url).finish(),
            Self::Local { slots, .. } => {
                f.debug_struct("Local").field("slots", slots).finish_non_exhaustive()
            }
        }
    }
}

// === impl Local ===

impl Local {
    pub(super) fn add(&self, address: &str, connect: Dial) {
        let mut services = self.services.write().expect("nothing panics while it holds them");
        services.insert(address.to_owned(), connect);
    }

    fn connect(&self, address: &str) -> Option<Connection> {
        let services = self.services.read().expect("nothing panics while it holds them");
        services.get(address).map(|connect| connect())
    }
}

// === impl Aliases ===

impl Aliases {
    fn add(&self, alias: &str, url: &str, address: SocketAddr) {
        let mut known = self.known.write().expect("nothing panics while it holds them");
        known.insert(alias.to_owned(), (url.to_owned(), address));
    }

    fn of(&self, alias: &str) -> Option<(String, SocketAddr)> {
        self.known.read().expect("nothing panics while it holds them").get(alias).cloned()
    }
}

// === impl Queries ===

impl Queries {
    fn add(&self, shown: &str, url: &str) {
        let mut known = self.known.write().expect("nothing panics while it holds them");
        known.insert(shown.to_owned(), url.to_owned());
    }

    fn of(&self, shown: &str) -> Option<String> {
        self.known.read().expect("nothing panics while it holds them").get(shown).cloned()
    }
}

// === impl Connector ===

impl Connector {
    pub(super) fn new(terms: ConnectTerms) -> Self {
        let (local, aliases, queries) = <(Local, Aliases, Queries)>::default();
        Self { terms, local, aliases, queries }
    }

    /// Returns what a URL is called everywhere but on the connection itself.
    pub(super) fn name_of(&self, url: String) -> String {
        let name = without_query(&url);
        if name == url {
            return url;
        }
        self.queries.add(name, &url);
        name.to_owned()
    }

    /// Has connections to `alias` made to this address of the URL's host.
    pub(super) fn alias(&self, alias: &str, url: &str, address: SocketAddr) {
        self.aliases.add(alias, url, address);
    }

    pub(super) fn local(&self) -> Local {
        self.local.clone()
    }
}

impl Connect for Connector {
    type Connection = Connection;
    type Error = WireError;

    async fn connect(&self, address: &str) -> Result<Connection, WireError> {
        if let Some(connection) = self.local.connect(address) {
            return Ok(connection);
        }
        let alias = self.aliases.of(address);
        let (name, at) = alias.map_or((address.to_owned(), None), |(name, at)| (name, Some(at)));
        let url = self.queries.of(&name).unwrap_or(name);
        match at {
            Some(at) => connect_at(&url, at, &self.terms).await,
            None => connect(&url, &self.terms).await,
        }
    }

    /// A service answers a ping whatever it does. Anything else that comes was meant for who had
    /// the connection before.
    async fn is_alive(&self, connection: &mut Connection) -> bool {
        let ping = Frame::new(Request::Ping).encode(assay_wire::Analyzer::Static);
        connection.send(ping).await.is_ok()
            && matches!(connection.next().await, Ok(Some(text)) if is_pong(&text))
    }

    async fn close(&self, mut connection: Connection) {
        if connection.close(CloseCode::NORMAL, "").await.is_ok() {
            while let Ok(Some(_)) = connection.next().await {}
        }
    }
}

fn is_pong(text: &Utf8Bytes) -> bool {
    matches!(Reply::decode(text), Ok(Reply::Pong { .. }))
}
