//! What the gateway sends.

use super::{Envelope, Frame};
use crate::{
    encode::Object,
    fault::{ErrorCode, Fault, Unreadable},
    head::Head,
    payload::Payload,
    service::Health,
    stamp,
    task::{AnalysisStatus, Progress, TaskStatus},
};
use assay_model::TaskId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use tungstenite::Utf8Bytes;

/// What the gateway says.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    ConnectionAck,
    Heartbeat,
    Pong,
    /// A `status_update` about the gateway.
    Status(Box<StatusReport>),
    /// A `status_update` about one task.
    Task(Box<TaskStatus>),
    /// A `status_update` that says that progress was published.
    Ack {
        stage: String,
    },
    /// A `status_update` about a replica.
    Registration(Registration),
    /// A `status_update` that tells a slow subscriber how many events it was not sent.
    Missed {
        missed: u64,
    },
    Progress(Box<Progress>),
    /// The one end of an analysis: what the service replied.
    AnalysisResult(Payload),
    BatchResult(Box<BatchSummary>),
    Error(Box<Fault>),
}

/// The body of a `status_update` about the gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatusReport {
    /// URLs by the names of services.
    pub services: BTreeMap<String, String>,
    pub timestamp: String,
    /// Whether this connection is sent events.
    pub subscribed: bool,
    /// Connections to services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Payload>,
    /// Tasks by their state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Payload>,
    /// Circuit breakers by URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakers: Option<Payload>,
    /// What waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Payload>,
    /// The health of each replica; where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Vec<ReplicaHealth>>,
}

/// How one replica of a service is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplicaHealth {
    pub service_id: String,
    /// What it is one of: `static-analyzer`.
    pub service: String,
    pub url: String,
    /// As it tells it; absent where it did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The body of a `status_update` about a replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registration {
    /// Whether it gets work now.
    pub registered: bool,
    pub service_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The body of a `batch_result`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BatchSummary {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// `success` only if every app is.
    pub status: AnalysisStatus,
    /// Requests in it.
    pub total: u64,
    /// Those that ended with `success`.
    pub succeeded: u64,
    /// In the order of the requests.
    pub results: Vec<BatchItem>,
}

/// One app of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BatchItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_slug: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_number: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    pub status: AnalysisStatus,
    /// The `data` of its `analysis_result`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Payload>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
}

#[derive(Deserialize)]
struct Acknowledged {
    stage: String,
}

#[derive(Deserialize)]
struct Missed {
    missed: u64,
}

// === impl Frame<Reply> ===

impl Frame<Reply> {
    /// Writes what the gateway sends.
    pub fn encode(&self) -> Utf8Bytes {
        let Envelope { id, service, client_id, correlation_id, .. } = &self.envelope;
        let time = self.envelope.time();
        let object = Object::of_type(self.body.kind())
            .field("id", id)
            .field("timestamp", &time)
            .maybe("service", service.as_ref());
        self.body
            .write_data(object, &time)
            .maybe("client_id", client_id.as_ref())
            .maybe("correlation_id", correlation_id.as_ref())
            .end()
    }

    /// Reads what the gateway sent. What is only passed on shares the frame's memory.
    ///
    /// # Errors
    ///
    /// What does not fit. Fields that are not known are no error.
    pub fn decode(frame: &Utf8Bytes) -> Result<Self, Unreadable> {
        let mut head = Head::of(frame)?;
        let envelope = Envelope::of_head(&mut head);
        Ok(Self { body: Reply::of_head(frame, &head)?, envelope })
    }
}

// === impl Reply ===

impl Reply {
    /// Returns the `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ConnectionAck => "connection_ack",
            Self::Heartbeat => "heartbeat",
            Self::Pong => "pong",
            Self::Status(_)
            | Self::Task(_)
            | Self::Ack { .. }
            | Self::Registration(_)
            | Self::Missed { .. } => "status_update",
            Self::Progress(_) => "progress_update",
            Self::AnalysisResult(_) => "analysis_result",
            Self::BatchResult(_) => "batch_result",
            Self::Error(_) => "error",
        }
    }

    fn write_data(&self, object: Object, time: &str) -> Object {
        let data = match self {
            Self::Pong => return object,
            Self::AnalysisResult(payload) => return object.payload("data", payload),
            Self::Heartbeat => return object.payload("data", &Payload::alive()),
            Self::ConnectionAck => {
                Object::new().field("status", "acknowledged").field("server_time", time)
            }
            Self::Status(report) => return object.field("data", report),
            Self::Task(status) => return object.field("data", status),
            Self::Ack { stage } => Object::new().field("ack", &true).field("stage", stage),
            Self::Registration(registration) => return object.field("data", registration),
            Self::Missed { missed } => Object::new().field("missed", missed),
            Self::Progress(progress) => return object.field("data", progress),
            Self::BatchResult(summary) => return object.field("data", summary),
            Self::Error(fault) => return object.field("data", fault),
        };
        object.payload("data", &data.end_payload())
    }

    fn of_head(frame: &Utf8Bytes, head: &Head<'_>) -> Result<Self, Unreadable> {
        let data = head.data.map_or("{}", RawValue::get);
        match &*head.kind {
            "connection_ack" => Ok(Self::ConnectionAck),
            "heartbeat" => Ok(Self::Heartbeat),
            "pong" => Ok(Self::Pong),
            "status_update" => status_update(data),
            "progress_update" => read(data).map(|body| Self::Progress(Box::new(body))),
            "analysis_result" => {
                let payload = head.data.map(|data| Payload::part(frame, data));
                Ok(Self::AnalysisResult(payload.unwrap_or_else(Payload::null)))
            }
            "batch_result" => read(data).map(|body| Self::BatchResult(Box::new(body))),
            "error" => read(data).map(|body| Self::Error(Box::new(body))),
            kind => Err(crate::head::unknown_type(kind)),
        }
    }
}

impl Payload {
    /// The body of every heartbeat.
    fn alive() -> Self {
        Self::constant(r#"{"status":"alive"}"#)
    }
}

fn read<T: DeserializeOwned>(data: &str) -> Result<T, Unreadable> {
    serde_json::from_str(data).map_err(|why| {
        Unreadable::new(ErrorCode::InvalidMessage, format!("the reply cannot be read: {why}"))
    })
}

/// A `status_update` says by its fields what it is about.
fn status_update(data: &str) -> Result<Reply, Unreadable> {
    let fields: BTreeMap<&str, &RawValue> = read_borrowed(data)?;
    let has = |name| fields.contains_key(name);
    if has("services") {
        read(data).map(|body| Reply::Status(Box::new(body)))
    } else if has("state") {
        read(data).map(|body| Reply::Task(Box::new(body)))
    } else if has("ack") {
        read(data).map(|Acknowledged { stage }| Reply::Ack { stage })
    } else if has("registered") {
        read(data).map(Reply::Registration)
    } else if has("missed") {
        read(data).map(|Missed { missed }| Reply::Missed { missed })
    } else if has("stage") {
        // A past event that is told again.
        read(data).map(|body| Reply::Progress(Box::new(body)))
    } else {
        let message = "a `status_update` about nothing that is known";
        Err(Unreadable::new(ErrorCode::InvalidMessage, message))
    }
}

fn read_borrowed(data: &str) -> Result<BTreeMap<&str, &RawValue>, Unreadable> {
    serde_json::from_str(data).map_err(|why| {
        Unreadable::new(ErrorCode::InvalidMessage, format!("the reply cannot be read: {why}"))
    })
}

// === impl StatusReport ===

impl StatusReport {
    /// One of now, about nothing yet.
    pub fn new() -> Self {
        Self { timestamp: stamp::now(), ..Self::default() }
    }
}
