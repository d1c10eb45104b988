//! One request at the door: a page, or a client who is let in.
//!
//! Keeps: liveness and readiness are told to everybody, and tell nothing else; what is counted is told
//! to who may read; a WebSocket is opened on any path, since old clients use several; what was let in is
//! owned here to its end.

use super::rules::Rules;
use assay_server::{Analyze, Client, Gateway, METRICS_CONTENT_TYPE, Scope, Service};
use assay_wire::{
    Connection, Handler, ListenNote, Peer, Token,
    answer::{self, Request, Response},
    is_upgrade, upgrade,
};
use http::{Method, StatusCode};
use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};
use tokio_util::task::TaskTracker;

/// What all doors of one process share.
#[derive(Debug)]
pub(super) struct Front {
    rules: RwLock<Arc<Rules>>,
    is_draining: AtomicBool,
    /// Every client that was let in.
    pub(super) sessions: TaskTracker,
}

/// The door of one server.
pub(super) struct Door<A> {
    pub(super) front: Arc<Front>,
    pub(super) behind: Behind<A>,
}

/// Who serves those who are let in.
pub(super) enum Behind<A> {
    Gateway(Gateway),
    Service(Service<A>),
}

const NOTHING_HERE: &str = "there is no such page. This is a server of Assay: it speaks WebSocket, \
                            and tells /healthz, /readyz and /metrics\n";

// === impl Front ===

impl Front {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        let (rules, is_draining) = (RwLock::new(rules), AtomicBool::new(false));
        Self { rules, is_draining, sessions: TaskTracker::new() }
    }

    /// Lets in by other rules from now on. Who is in stays in.
    pub(super) fn let_in_by(&self, rules: Arc<Rules>) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    pub(super) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }
}

// === impl Behind ===

impl<A> Behind<A> {
    /// What somebody must be allowed to be let in at all. The gateway looks at each request; a
    /// service has nothing that is only read.
    fn needs(&self) -> Option<Scope> {
        match self {
            Self::Gateway(_) => None,
            Self::Service(_) => Some(Scope::Run),
        }
    }
}

impl<A> Clone for Behind<A> {
    fn clone(&self) -> Self {
        match self {
            Self::Gateway(gateway) => Self::Gateway(gateway.clone()),
            Self::Service(service) => Self::Service(service.clone()),
        }
    }
}

impl<A: Analyze> Behind<A> {
    async fn serve(self, connection: Connection, client: Client) {
        match self {
            Self::Gateway(gateway) => gateway.serve(connection, client).await,
            Self::Service(service) => service.serve(connection, &client.who).await,
        }
    }
}

/// Refuses a client whose token does not allow it.
fn may(client: &Client, scope: Scope) -> Result<(), Box<Response>> {
    if client.scopes.allows(scope) {
        return Ok(());
    }
    let words = format!("this token has not the scope `{}`\n", scope.as_str());
    Err(Box::new(answer::text(StatusCode::FORBIDDEN, words)))
}

// === impl Door ===

impl<A: Analyze> Door<A> {
    /// Lets a client in.
    ///
    /// # Errors
    ///
    /// The answer to send where he is not.
    fn let_in(&self, mut request: Request, peer: Peer) -> Result<Response, Box<Response>> {
        let rules = self.front.rules();
        let token = Token::of_request(request.headers(), request.uri());
        let guest = rules.guest(token.as_ref(), peer.address)?;
        if let Some(scope) = self.behind.needs() {
            may(&guest.client, scope)?;
        }
        let (response, upgrading) = upgrade(&mut request, guest.limits, &rules.origins)?;
        let behind = self.behind.clone();
        self.front.sessions.spawn(async move {
            match upgrading.connection().await {
                Ok(connection) => behind.serve(connection, guest.client).await,
                Err(error) => tracing::debug!(%error, "a client left during the handshake"),
            }
        });
        Ok(response)
    }

    async fn page(&self, request: &Request, peer: Peer) -> Response {
        let path = request.uri().path();
        if !matches!(path, "/healthz" | "/readyz" | "/metrics") {
            return answer::text(StatusCode::NOT_FOUND, NOTHING_HERE);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return answer::text(StatusCode::METHOD_NOT_ALLOWED, "this page is read by GET\n");
        }
        match path {
            "/healthz" => answer::json(StatusCode::OK, "{\"status\":\"alive\"}\n"),
            "/readyz" => self.readiness().await,
            _ => self.metrics(request, peer).await.unwrap_or_else(|refused| *refused),
        }
    }

    /// What is counted.
    ///
    /// # Errors
    ///
    /// The answer to send to who may not read it.
    async fn metrics(&self, request: &Request, peer: Peer) -> Result<Response, Box<Response>> {
        let token = Token::of_request(request.headers(), request.uri());
        let guest = self.front.rules().guest(token.as_ref(), peer.address)?;
        may(&guest.client, Scope::Read)?;
        let text = match &self.behind {
            Behind::Gateway(gateway) => gateway.metrics().await,
            Behind::Service(service) => service.metrics().await,
        };
        Ok(answer::of_type(StatusCode::OK, METRICS_CONTENT_TYPE, text))
    }

    /// Whether work is taken. A service without some of its tools does take work.
    async fn readiness(&self) -> Response {
        if self.front.is_draining.load(Ordering::Relaxed) {
            return answer::json(StatusCode::SERVICE_UNAVAILABLE, "{\"status\":\"draining\"}\n");
        }
        match &self.behind {
            Behind::Gateway(_) => answer::json(StatusCode::OK, "{\"status\":\"ready\"}\n"),
            Behind::Service(service) => {
                let health = service.health().await.status;
                let words = format!("{{\"status\":\"ready\",\"health\":\"{health}\"}}\n");
                answer::json(StatusCode::OK, words)
            }
        }
    }
}

impl<A: Analyze> Handler for Door<A> {
    async fn handle(&self, request: Request, peer: Peer) -> Response {
        if is_upgrade(request.headers()) {
            return self.let_in(request, peer).unwrap_or_else(|refused| *refused);
        }
        self.page(&request, peer).await
    }

    fn note(&self, note: ListenNote) {
        match note {
            ListenNote::AcceptFailed { source } => {
                tracing::warn!(error = %source, "a client could not be accepted");
            }
            ListenNote::TooMany { address, max } => {
                tracing::warn!(%address, max, "there are too many clients");
            }
            ListenNote::TooManyOfAddress { address, max } => {
                tracing::warn!(%address, max, "there are too many clients of one address");
            }
            ListenNote::TlsFailed { address, source } => {
                tracing::debug!(%address, error = %source, "TLS failed");
            }
            ListenNote::HttpFailed { address, source } => {
                tracing::debug!(%address, error = %source, "a request was not answered");
            }
            ListenNote::Panicked { message } => {
                tracing::error!(message, "answering a request panicked");
            }
        }
    }
}
