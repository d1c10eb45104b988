//! How clients get in: accepts connections, reads the head of each request within bounds, and hands
//! it over.
//!
//! Keeps: no more connections than allowed, together and for each address; a client that is slow to
//! say what it wants is left; whatever `accept` reports, accepting goes on; every task is owned and
//! awaited here, but a WebSocket, which belongs to who upgraded it.
//!
//! Does not: decide who may do what.

mod accepted; // a connection of a client, counted while it is open
mod counts; // how many there are, together and for each address

pub use accepted::Accepted;

use crate::{
    answer::{Request, Response},
    error::WireError,
    tls::TlsServer,
};
use counts::Counts;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible, fmt, future::Future, io, net::SocketAddr, pin::pin, sync::Arc,
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};

/// What a listener takes.
#[derive(Clone, Debug)]
pub struct ListenTerms {
    /// The certificate to show; `None` for plain TCP.
    pub tls: Option<TlsServer>,
    /// How long a client may take for the TLS handshake, and again for the head of a request.
    pub handshake_within: Duration,
    /// Bytes that the head of a request may have.
    pub head_bytes_max: usize,
    /// Connections at a time, of all clients together.
    pub connections_max: usize,
    /// Connections at a time from one address (IPv6: one network of 64 bits). Addresses of this
    /// machine are not bounded by it.
    pub per_address_max: usize,
    /// How long requests that are being answered may still take when the listener stops.
    pub drain_within: Duration,
}

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub address: SocketAddr,
    pub is_encrypted: bool,
}

/// What happened at the door and is nobody's answer: for logs and metrics.
#[derive(Debug)]
pub enum ListenNote {
    /// `accept` failed. It is tried again, after a pause if descriptors or memory are short.
    AcceptFailed { source: io::Error },
    /// There are as many connections as there may be; this client was sent away.
    TooMany { address: SocketAddr, max: usize },
    /// There are as many connections from this address as there may be.
    TooManyOfAddress { address: SocketAddr, max: usize },
    /// The TLS handshake failed, or took too long.
    TlsFailed { address: SocketAddr, source: io::Error },
    /// A request could not be read, or its answer not written.
    HttpFailed { address: SocketAddr, source: hyper::Error },
    /// Answering a request panicked. Other connections go on.
    Panicked { message: String },
}

/// Who answers.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle(&self, request: Request, peer: Peer) -> impl Future<Output = Response> + Send;

    /// Hears what happened at the door.
    fn note(&self, note: ListenNote);
}

/// A socket on which clients are accepted.
pub struct Listener {
    tcp: TcpListener,
    terms: Arc<ListenTerms>,
    counts: Arc<Counts>,
}

/// How long accepting rests when there is no descriptor or memory left.
const REST: Duration = Duration::from_millis(100);

/// Headers that a request may have.
const HEADERS_MAX: usize = 64;

// === impl ListenTerms ===

impl Default for ListenTerms {
    fn default() -> Self {
        Self {
            tls: None,
            handshake_within: Duration::from_secs(10),
            head_bytes_max: 16 << 10,
            connections_max: 16_384,
            per_address_max: 256,
            drain_within: Duration::from_secs(5),
        }
    }
}

// === impl Listener ===

impl Listener {
    /// Opens a socket.
    ///
    /// # Errors
    ///
    /// `Bind` where the address is taken or not ours.
    pub async fn bind(address: SocketAddr, terms: ListenTerms) -> Result<Self, WireError> {
        let bound = TcpListener::bind(address).await;
        let tcp = bound.map_err(|source| WireError::Bind { address, source })?;
        Ok(Self::new(tcp, terms))
    }

    /// Takes a socket that somebody else opened, as systemd does. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// `Lost` where it is no listening socket of TCP.
    pub fn from_std(tcp: std::net::TcpListener, terms: ListenTerms) -> Result<Self, WireError> {
        let lost = |source| WireError::Lost { source };
        tcp.set_nonblocking(true).map_err(lost)?;
        TcpListener::from_std(tcp).map(|tcp| Self::new(tcp, terms)).map_err(lost)
    }

    fn new(tcp: TcpListener, terms: ListenTerms) -> Self {
        Self { tcp, terms: Arc::new(terms), counts: Arc::new(Counts::default()) }
    }

    /// Returns the address, with the port that the system chose.
    ///
    /// # Errors
    ///
    /// `Lost` where the system does not know it.
    pub fn address(&self) -> Result<SocketAddr, WireError> {
        self.tcp.local_addr().map_err(|source| WireError::Lost { source })
    }

    /// Accepts until `stop` is ready, then lets requests be answered that have begun.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropping it ends all that is not a WebSocket yet.
    pub async fn serve<H: Handler>(self, handler: Arc<H>, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let (stopping, stopped) = watch::channel(());
        let mut tasks = JoinSet::new();
        loop {
            // Stop first, then the tasks that have ended, so that their number stays bounded.
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                Some(end) = tasks.join_next() => {
                    told(&*handler, end);
                    continue;
                }
                accepted = self.tcp.accept() => accepted,
            };
            match accepted {
                Ok((tcp, address)) => {
                    let door =
                        Door { handler: Arc::clone(&handler), terms: Arc::clone(&self.terms) };
                    match self.counts.enter(address.ip(), &self.terms) {
                        Ok(counted) => {
                            let stopped = stopped.clone();
                            tasks.spawn(door.welcome(tcp, address, counted, stopped));
                        }
                        Err(full) => door.send_away(tcp, full.note(address, &self.terms)).await,
                    }
                }
                Err(source) => {
                    let is_short = !is_of_one_client(&source);
                    handler.note(ListenNote::AcceptFailed { source });
                    if is_short {
                        tokio::select! { () = &mut stop => break, () = sleep(REST) => {} }
                    }
                }
            }
        }
        drop(self.tcp);
        drop(stopping);
        let drained = async {
            while let Some(end) = tasks.join_next().await {
                told(&*handler, end);
            }
        };
        // What is not answered by then is dropped with the set.
        let _ = timeout(self.terms.drain_within, drained).await;
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("tcp", &self.tcp).finish_non_exhaustive()
    }
}

fn told<H: Handler>(handler: &H, end: Result<(), JoinError>) {
    if let Err(why) = end {
        handler.note(ListenNote::Panicked { message: why.to_string() });
    }
}

/// Whether `accept` failed because of the client that was about to come in, so that the next one
/// may be fine (`accept(2)`, "Error handling").
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::Interrupted
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
            | Kind::HostUnreachable
            | Kind::PermissionDenied
    )
}

/// What one connection needs to know.
struct Door<H> {
    handler: Arc<H>,
    terms: Arc<ListenTerms>,
}

// === impl Door ===

impl<H: Handler> Door<H> {
    /// Says why, as far as that goes at once, and closes.
    async fn send_away(self, mut tcp: TcpStream, note: ListenNote) {
        const WORDS: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\n\
            content-length: 46\r\nretry-after: 5\r\nconnection: close\r\n\r\n\
            there are too many connections; come back soon";
        if self.terms.tls.is_none() {
            // The buffer of a new socket takes this at once; a client that does not read is not
            // waited for.
            let _ = timeout(Duration::from_millis(1), tcp.write_all(WORDS)).await;
        }
        self.handler.note(note);
    }

    async fn welcome(
        self,
        tcp: TcpStream,
        address: SocketAddr,
        counted: counts::Counted,
        stopped: watch::Receiver<()>,
    ) {
        // An answer is a whole write; waiting to join it with the next one only makes it late.
        let _ = tcp.set_nodelay(true);
        let within = self.terms.handshake_within;
        let accepted = match &self.terms.tls {
            None => Accepted::plain(tcp, counted),
            Some(tls) => match timeout(within, tls.accept(tcp)).await {
                Ok(Ok(stream)) => Accepted::encrypted(stream, counted),
                Ok(Err(source)) => {
                    return self.handler.note(ListenNote::TlsFailed { address, source });
                }
                Err(_) => {
                    let source = io::ErrorKind::TimedOut.into();
                    return self.handler.note(ListenNote::TlsFailed { address, source });
                }
            },
        };
        self.talk(accepted, address, stopped).await;
    }

    async fn talk(self, accepted: Accepted, address: SocketAddr, stopped: watch::Receiver<()>) {
        let peer = Peer { address, is_encrypted: self.terms.tls.is_some() };
        let handler = &self.handler;
        let service = service_fn(|request| async move {
            Ok::<_, Infallible>(handler.handle(request, peer).await)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.terms.handshake_within)
            .max_buf_size(self.terms.head_bytes_max.max(8 << 10))
            .max_header_size(self.terms.head_bytes_max)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(accepted), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let end = tokio::select! {
            end = &mut connection => end,
            () = is_stopped(stopped) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(source) = end {
            self.handler.note(ListenNote::HttpFailed { address, source });
        }
    }
}

/// Waits until the sender is gone.
async fn is_stopped(mut stopped: watch::Receiver<()>) {
    while stopped.changed().await.is_ok() {}
}
