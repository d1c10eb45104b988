//! The gateway's dialect: an envelope with a `type`, and a body in `data`.

mod reply; // what the gateway sends
mod request; // what a client sends

pub use reply::{BatchItem, BatchSummary, Registration, ReplicaHealth, Reply, StatusReport};
pub use request::{BatchRequest, CancelWish, Register, Request, StatusWish};

use crate::{head::Head, routes::ServiceName, stamp};

/// A message of the gateway's dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame<B> {
    pub envelope: Envelope,
    pub body: B,
}

/// What stands around every body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Filled in where the sender gave none.
    pub id: String,
    /// As the sender wrote it; in what we send, `None` means now.
    pub timestamp: Option<String>,
    pub service: Option<ServiceName>,
    pub client_id: Option<String>,
    /// The `id` of the request, in a reply.
    pub correlation_id: Option<String>,
}

// === impl Envelope ===

impl Envelope {
    /// A fresh one.
    pub fn new() -> Self {
        Self {
            id: stamp::fresh_id(),
            timestamp: None,
            service: None,
            client_id: None,
            correlation_id: None,
        }
    }

    /// A fresh one that answers a request.
    pub fn answering(id: impl Into<String>) -> Self {
        Self { correlation_id: Some(id.into()), ..Self::new() }
    }

    fn of_head(head: &mut Head<'_>) -> Self {
        Self {
            id: head.id.take().unwrap_or_else(stamp::fresh_id),
            timestamp: head.timestamp.take(),
            service: head.service.as_deref().and_then(ServiceName::of_word),
            client_id: head.client_id.take(),
            correlation_id: head.correlation_id.take(),
        }
    }

    fn time(&self) -> String {
        self.timestamp.clone().unwrap_or_else(stamp::now)
    }
}

impl Default for Envelope {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Frame ===

impl<B> Frame<B> {
    pub fn new(body: B) -> Self {
        Self { envelope: Envelope::new(), body }
    }

    /// A frame that answers a request by its `id`.
    pub fn answering(id: impl Into<String>, body: B) -> Self {
        Self { envelope: Envelope::answering(id), body }
    }
}
