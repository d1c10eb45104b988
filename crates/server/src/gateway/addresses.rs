//! Names of services that have several addresses: each address is a replica.
//!
//! Owns what is known of one name, and looks it up again and again. Keeps: a name with one address is
//! one replica and is met by its name; with several, each address is a replica with a breaker of its
//! own; there is a replica at every moment; where a name cannot be looked up, what was known stays.
//!
//! Does not: connect, or judge whether somebody answers at an address. That is the breaker's.

use super::{Replica, Shared};
use assay_pool::{EndpointId, EndpointTerms};
use assay_wire::{Analyzer, host_of};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tokio::{net::lookup_host, time::sleep};

/// How names are looked up: the host and the port of a URL become addresses.
#[derive(Clone)]
pub struct LookUp {
    function: Arc<LookUpFn>,
    /// How often.
    every: Duration,
}

type LookUpFn = dyn Fn(String, u16) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>
    + Send
    + Sync;

/// How often a name is looked up. A replica that is new waits so long for its first work.
const LOOK_UP_EVERY: Duration = Duration::from_secs(5);

/// Addresses of one name that are used. More than the connections that there may be have no use.
const ADDRESSES_MAX: usize = 64;

/// One configured URL whose host is a name.
pub(super) struct Named {
    pub(super) analyzer: Analyzer,
    /// By which its replicas are known.
    pub(super) id: String,
    pub(super) url: String,
    host: String,
    port: u16,
    /// Every place that was ever used. One that comes back has its breaker's memory.
    known: BTreeMap<Place, EndpointId>,
    used: BTreeSet<Place>,
}

/// Where a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Whatever the name leads to when somebody connects.
    Name,
    Address(SocketAddr),
}

// === impl LookUp ===

impl LookUp {
    /// Looks names up by this function, so often.
    pub fn by<F, R>(every: Duration, function: F) -> Self
    where
        F: Fn(String, u16) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self { function: Arc::new(move |host, port| Box::pin(function(host, port))), every }
    }
}

impl Default for LookUp {
    /// As the system does.
    fn default() -> Self {
        Self::by(LOOK_UP_EVERY, |host, port| async move {
            Ok(lookup_host((host, port)).await?.collect())
        })
    }
}

impl fmt::Debug for LookUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookUp").field("every", &self.every).finish_non_exhaustive()
    }
}

// === impl Named ===

impl Named {
    /// Takes a URL; `None` where its host is an address, or it is no URL.
    pub(super) fn of(analyzer: Analyzer, id: &str, url: &str) -> Option<Self> {
        let (host, port) = host_of(url).ok()?;
        host.parse::<IpAddr>().is_err().then(|| Self {
            analyzer,
            id: id.to_owned(),
            url: url.to_owned(),
            host,
            port,
            known: BTreeMap::new(),
            used: BTreeSet::new(),
        })
    }

    /// Remembers the endpoint that meets the service by its name.
    pub(super) fn met_by_name(mut self, endpoint: EndpointId) -> Self {
        self.known.insert(Place::Name, endpoint);
        self.used.insert(Place::Name);
        self
    }

    /// Follows the name until the gateway closes.
    pub(super) async fn follow(mut self, shared: Arc<Shared>) {
        let mut is_lost = false;
        let closing = shared.closing.clone();
        let LookUp { function, every } = shared.terms.look_up.clone();
        loop {
            let looking = function(self.host.clone(), self.port);
            let found = tokio::select! {
                () = closing.cancelled() => return,
                found = looking => found,
            };
            match found {
                Ok(found) if !found.is_empty() => {
                    is_lost = false;
                    self.is_at(&found, &shared);
                }
                // Told once: it is asked again soon, and may stay so for long.
                _ if is_lost => {}
                other => {
                    is_lost = true;
                    let why =
                        other.map_or_else(|error| error.to_string(), |_| "it has none".into());
                    tracing::warn!(name = self.host, why, "a service's addresses are not known");
                }
            }
            tokio::select! {
                () = closing.cancelled() => return,
                () = sleep(every) => {}
            }
        }
    }

    /// Has the gateway use what was found, and nothing else.
    fn is_at(&mut self, found: &[SocketAddr], shared: &Shared) {
        let wanted = places(found);
        if wanted == self.used {
            return;
        }
        // Newcomers first, so that there is always one.
        for place in wanted.difference(&self.used) {
            let known = self.known.get(place).copied();
            let endpoint = shared.use_place(self, *place, known);
            self.known.insert(*place, endpoint);
        }
        for place in self.used.difference(&wanted) {
            shared.part(&self.id_of(*place));
        }
        tracing::info!(name = self.host, replicas = wanted.len(), "a service has other addresses");
        self.used = wanted;
    }

    fn id_of(&self, place: Place) -> String {
        match place {
            Place::Name => self.id.clone(),
            Place::Address(address) => format!("{}@{}", self.id, address.ip()),
        }
    }

    /// What the pool and people call a place: a URL.
    fn url_of(&self, place: Place) -> String {
        let Place::Address(address) = place else { return self.url.clone() };
        let (scheme, rest) = self.url.split_once("://").expect("`host_of` took the URL apart");
        let path = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
        format!("{scheme}://{address}{path}")
    }
}

/// The places that addresses are. Those of one family are taken: a host has one of each, and is not to
/// count twice.
fn places(found: &[SocketAddr]) -> BTreeSet<Place> {
    let is_wanted =
        |address: &&SocketAddr| address.is_ipv4() || !found.iter().any(SocketAddr::is_ipv4);
    let all: BTreeSet<SocketAddr> = found.iter().filter(is_wanted).copied().collect();
    if all.len() < 2 {
        return BTreeSet::from([Place::Name]);
    }
    all.into_iter().take(ADDRESSES_MAX).map(Place::Address).collect()
}

// === impl Shared ===

impl Shared {
    /// Gives work to a place of a name, which may be known from before.
    fn use_place(&self, named: &Named, place: Place, known: Option<EndpointId>) -> EndpointId {
        let (id, url) = (named.id_of(place), named.url_of(place));
        if let Place::Address(address) = place {
            self.connector.alias(&url, &named.url, address);
        }
        let endpoint = known.unwrap_or_else(|| {
            let service = self.services[named.analyzer.as_str()];
            self.pool.add(service, EndpointTerms::local(&url, super::SLOTS))
        });
        // One that is new is not drained, and stays as it is.
        self.pool.resume(endpoint);
        let (analyzer, told) = (named.analyzer, named.url.clone());
        self.seat(id, Replica { analyzer, told, url, endpoint });
        endpoint
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where its premise does")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: &[&str], expected: &[&str]) {
        let found: Vec<SocketAddr> = found.iter().map(|text| text.parse().unwrap()).collect();
        let named = Named::of(Analyzer::Static, "s", "ws://static:1/path").unwrap();
        let said: Vec<String> = places(&found).into_iter().map(|at| named.url_of(at)).collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn several_addresses_of_one_family_are_several_replicas() {
        check(&["10.0.0.1:1"], &["ws://static:1/path"]);
        check(&["[::1]:1", "127.0.0.1:1"], &["ws://static:1/path"]);
        check(
            &["10.0.0.2:1", "10.0.0.1:1", "10.0.0.2:1"],
            &["ws://10.0.0.1:1/path", "ws://10.0.0.2:1/path"],
        );
        check(&["[fd00::1]:1", "[fd00::2]:1"], &["ws://[fd00::1]:1/path", "ws://[fd00::2]:1/path"]);
    }

    #[test]
    fn an_address_is_not_looked_up() {
        for (url, is_name) in [
            ("ws://static:1", true),
            ("ws://10.0.0.1:1", false),
            ("ws://[::1]:1", false),
            ("no", false),
        ] {
            assert_eq!(Named::of(Analyzer::Static, "s", url).is_some(), is_name, "{url}");
        }
    }
}
