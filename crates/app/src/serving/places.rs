//! Where is listened.
//!
//! Keeps: an address that other machines reach is only listened on where tokens are set up.

use super::rules::Rules;
use crate::failure::Failure;
use assay_config::Serve;
use assay_wire::{
    Analyzer, ListenTerms, Listener, TlsServer, WireError,
    routes::{ANALYZERS, GATEWAY_PORT},
};
use std::{
    io,
    net::{SocketAddr, TcpListener},
};
use tokio::net::lookup_host;

/// Who is served behind a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    Gateway,
    Service(Analyzer),
}

/// One socket, on which clients already wait.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) whom: Whom,
    pub(super) listener: Listener,
    pub(super) address: SocketAddr,
}

/// All sockets of one process.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) all: Vec<Place>,
    /// The certificate that is shown, to be read again.
    pub(super) tls: Option<TlsServer>,
}

// === impl Places ===

impl Places {
    /// The gateway's socket, and those of the services that this process serves too.
    pub(super) async fn of_gateway(
        serve: &Serve,
        no_service_ports: bool,
        rules: &Rules,
        given: Vec<TcpListener>,
    ) -> Result<Self, Failure> {
        let mut wanted = vec![(Whom::Gateway, serve.host.clone(), serve.port)];
        if !no_service_ports && serve.services.static_analyzer.is_empty() {
            let host = serve.service_host.clone();
            let whom = Whom::Service(Analyzer::Static);
            wanted.push((whom, host, Analyzer::Static.row().port));
        }
        Self::open(wanted, serve, rules, given).await
    }

    /// The socket of one service.
    pub(super) async fn of_service(
        serve: &Serve,
        analyzer: Analyzer,
        rules: &Rules,
        given: Vec<TcpListener>,
    ) -> Result<Self, Failure> {
        let port = serve.service_port.unwrap_or(analyzer.row().port);
        let wanted = vec![(Whom::Service(analyzer), serve.service_host.clone(), port)];
        Self::open(wanted, serve, rules, given).await
    }

    async fn open(
        wanted: Vec<(Whom, String, u16)>,
        serve: &Serve,
        rules: &Rules,
        given: Vec<TcpListener>,
    ) -> Result<Self, Failure> {
        let tls =
            serve.tls.as_ref().map(|files| TlsServer::from_pem(&files.certificate, &files.key));
        let tls = tls.transpose()?;
        let terms = ListenTerms {
            tls: tls.clone(),
            connections_max: serve.max_clients,
            per_address_max: serve.max_clients_per_address,
            ..ListenTerms::default()
        };
        let mut given = given.into_iter();
        let mut all = Vec::new();
        for (whom, host, port) in wanted {
            // The manager's sockets are for those who come first: the gateway, then its services.
            let listener = if let Some(socket) = given.next() {
                let address = socket.local_addr().map_err(|source| WireError::Lost { source })?;
                rules.may_listen_on(address)?;
                Listener::from_std(socket, terms.clone())?
            } else {
                let address = resolved(&host, port).await?;
                rules.may_listen_on(address)?;
                let bound = Listener::bind(address, terms.clone()).await;
                bound.map_err(|error| taken(error, whom))?
            };
            let address = listener.address()?;
            all.push(Place { whom, listener, address });
        }
        Ok(Self { all, tls })
    }
}

/// Says which setting moves a server elsewhere.
fn taken(error: WireError, whom: Whom) -> Failure {
    let is_taken = matches!(&error, WireError::Bind { source, .. }
        if source.kind() == io::ErrorKind::AddrInUse);
    let failure = Failure::from(error);
    match whom {
        _ if !is_taken => failure,
        Whom::Gateway => failure.hint(
            "stop who has the port (`assay stop`, if it is a gateway of yours), or choose another: \
             --listen localhost:9000",
        ),
        Whom::Service(_) => failure.hint(
            "stop who has the port, or serve the gateway alone with --no-service-ports; for `assay \
             service` choose another: --listen localhost:9001",
        ),
    }
}

/// Takes `HOST:PORT` apart; an address of IPv6 stands in brackets. A port alone is one of this
/// machine.
pub(super) fn parted(address: &str) -> Result<(String, u16), Failure> {
    let wrong = || {
        Failure::usage(format!("`--listen {address}` is no address"))
            .hint("write HOST:PORT: `localhost:8765`, `0.0.0.0:8765`, `[::1]:8765`; port 0 is any")
    };
    if let Ok(port) = address.parse::<u16>() {
        return Ok(("127.0.0.1".to_owned(), port));
    }
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if host.is_empty() || (host.contains(':') && bare.is_none()) {
        return Err(wrong());
    }
    Ok((bare.unwrap_or(host).to_owned(), port))
}

/// The first address of a name, of IPv4 if it has one: that is what old clients reach.
async fn resolved(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let unknown = |why: String| {
        Failure::usage(format!("`{host}` is no address to listen on"))
            .because(why)
            .hint("name an address of this machine: 127.0.0.1, 0.0.0.0, ::1")
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = lookup_host((bare, port)).await.map_err(|error| unknown(error.to_string()))?;
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.into_iter().next().ok_or_else(|| unknown("it has no address".to_owned()))
}

// === impl Whom ===

impl Whom {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Service(analyzer) => analyzer.as_str(),
        }
    }
}

const _: () = assert!(
    GATEWAY_PORT == 8765 && ANALYZERS[0].port == 2001,
    "the documented defaults are those of the protocol"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, u16)>) {
        let found = parted(text).ok();
        let found = found.as_ref().map(|(host, port)| (host.as_str(), *port));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn an_address_is_taken_apart() {
        check("localhost:8765", Some(("localhost", 8765)));
        check("[::1]:1", Some(("::1", 1)));
        check("0.0.0.0:0", Some(("0.0.0.0", 0)));
        check("9000", Some(("127.0.0.1", 9000)));
        for bad in ["", "localhost", "::1:80", ":80", "a:b", "a:70000", "a:"] {
            check(bad, None);
        }
    }
}
