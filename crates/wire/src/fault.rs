//! What is answered where a request cannot be: the codes, and the frame's body in both dialects.

use crate::words::words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

words! {
    /// The kind of an error, for programs. Every code of the protocol.
    ErrorCode, "error code" {
        /// The frame is not JSON.
        InvalidJson = "invalid_json",
        /// The frame is JSON, but not a request: a field is missing or has a value that it cannot have.
        InvalidMessage = "invalid_message",
        /// There is no such `type`.
        UnknownType = "unknown_type",
        /// The `type` exists, and this server does not take it.
        Unsupported = "unsupported",
        /// A token is needed, or the one that was given does not allow this.
        Unauthorized = "unauthorized",
        /// This client asks too often; `retry_after_ms` says when it may again.
        RateLimited = "rate_limited",
        /// There is too much to do for all clients together; `retry_after_ms` says when to try again.
        Overloaded = "overloaded",
        /// The service failed too often and is left alone for `retry_after_ms`.
        CircuitOpen = "circuit_open",
        /// No service can be reached that could do it.
        Unavailable = "unavailable",
        /// The deadline passed.
        Timeout = "timeout",
        /// Somebody cancelled it.
        Cancelled = "cancelled",
        /// There is no such task, app or replica.
        NotFound = "not_found",
        /// A message is above the limit.
        TooLarge = "too_large",
        /// The source lies outside the configured roots.
        PathNotAllowed = "path_not_allowed",
        /// The server stops, and takes no new work.
        Draining = "draining",
        /// A fault of ours.
        Internal = "internal",
    }
}

/// What an error frame says: in `data` at the gateway, flat at a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    pub code: ErrorCode,
    /// One sentence for a person.
    pub message: String,
    /// Facts for programs: the field, what was found, what is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// The `id` of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// When to try again, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The app as `MODEL/appN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// What caused it, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

/// A request that is answered by an error frame, since it could not be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Unreadable {
    pub code: ErrorCode,
    pub message: String,
    pub suggestion: Option<String>,
    /// The field, what was found, and what is wanted, where it is one field.
    pub details: Option<Value>,
    /// The request's `id`, where that could be read.
    pub id: Option<String>,
}

// === impl Fault ===

impl Fault {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: None,
            correlation_id: None,
            suggestion: None,
            retry_after_ms: None,
            tool: None,
            app: None,
            task_id: None,
            causes: Vec::new(),
        }
    }

    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    pub fn retry_after_ms(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }
}

impl From<Unreadable> for Fault {
    fn from(unreadable: Unreadable) -> Self {
        let Unreadable { code, message, suggestion, details, id } = unreadable;
        Self { details, correlation_id: id, suggestion, ..Self::new(code, message) }
    }
}

// === impl Unreadable ===

impl Unreadable {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), suggestion: None, details: None, id: None }
    }

    pub(crate) fn of_request(mut self, id: Option<&String>) -> Self {
        self.id = self.id.or_else(|| id.cloned());
        self
    }
}
