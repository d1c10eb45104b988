//! What a service sends.
//!
//! Keeps: the analysis itself, which may be 100 MiB, is neither parsed nor copied on its way in.

use crate::{
    encode::Object,
    fault::{ErrorCode, Fault, Unreadable},
    head::{Head, unknown_type},
    payload::Payload,
    routes::{ANALYZERS, Analyzer},
    stamp,
    task::{AnalysisStatus, Progress, TaskStatus},
    words::words,
};
use assay_model::TaskId;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};
use tungstenite::Utf8Bytes;

/// What a service says.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Pong {
        service: String,
    },
    Health(Box<Health>),
    /// As health, with the effective configuration, secrets masked.
    ServerStatus(Box<Health>),
    /// A `status_update` about one task.
    Task {
        service: String,
        correlation_id: Option<String>,
        status: Box<TaskStatus>,
    },
    Progress {
        service: String,
        correlation_id: Option<String>,
        progress: Box<Progress>,
    },
    Analysis(Box<AnalysisReply>),
    Error(Box<ServiceFault>),
}

words! {
    /// What a service thinks of itself.
    HealthStatus, "health" {
        /// All of its tools work.
        Healthy = "healthy",
        /// It works, but some of its tools do not; `unavailable_tools` says which and why.
        Degraded = "degraded",
        /// It finishes what runs, and takes nothing new.
        Draining = "draining",
    }
}

/// A `health_response`, or a `server_status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    #[serde(deserialize_with = "health_of_reply")]
    pub status: HealthStatus,
    #[serde(default)]
    pub service: String,
    #[serde(default)]
    pub version: String,
    /// Seconds since it was started.
    #[serde(default)]
    pub uptime: f64,
    #[serde(default)]
    pub available_tools: Vec<String>,
    /// Why a tool is not available, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unavailable_tools: BTreeMap<String, String>,
    /// Analyses that run.
    #[serde(default)]
    pub active: u64,
    /// Analyses that wait.
    #[serde(default)]
    pub queued: u64,
    /// Analyses that may run at once.
    #[serde(default)]
    pub capacity: u64,
    /// The effective configuration; in a `server_status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Payload>,
}

/// The one end of an analysis.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalysisReply {
    pub analyzer: Analyzer,
    pub status: AnalysisStatus,
    /// What was found; a service's own words.
    pub analysis: Payload,
    pub task_id: Option<TaskId>,
    pub correlation_id: Option<String>,
    /// As the sender wrote it; in what we send, `None` means now.
    pub timestamp: Option<String>,
}

/// An error, and who says so.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceFault {
    pub service: String,
    pub fault: Fault,
}

/// The top of an [`AnalysisReply`].
#[derive(Deserialize)]
struct AnalysisHead<'a> {
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    analysis: Option<&'a RawValue>,
    task_id: Option<TaskId>,
}

/// The fields of an error frame, old ones included.
#[derive(Deserialize)]
struct LooseFault {
    code: Option<String>,
    message: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

// === impl Reply ===

impl Reply {
    /// Writes what a service sends.
    pub fn encode(&self) -> Utf8Bytes {
        let time = stamp::now();
        match self {
            Self::Pong { service } => {
                Object::of_type("pong").field("timestamp", &time).field("service", service)
            }
            Self::Health(health) => health.write("health_response", &time),
            Self::ServerStatus(health) => health.write("server_status", &time),
            Self::Task { service, correlation_id, status } => Object::of_type("status_update")
                .maybe("correlation_id", correlation_id.as_ref())
                .field("service", service)
                .field("data", status)
                .field("timestamp", &time),
            Self::Progress { service, correlation_id, progress } => {
                Object::of_type("progress_update")
                    .maybe("correlation_id", correlation_id.as_ref())
                    .field("stage", &progress.stage)
                    .field("message", &progress.message)
                    .field("service", service)
                    .field("data", progress)
                    .field("timestamp", &time)
            }
            Self::Analysis(reply) => reply.write(),
            Self::Error(error) => Object::of_type("error")
                .fields_of(&error.fault)
                .field("service", &error.service)
                .field("timestamp", &time),
        }
        .end()
    }

    /// Reads what a service sent. The analysis shares the frame's memory.
    ///
    /// # Errors
    ///
    /// What does not fit. Fields that are not known are no error.
    pub fn decode(frame: &Utf8Bytes) -> Result<Self, Unreadable> {
        let head = Head::of(frame)?;
        let service = || head.service.as_deref().unwrap_or_default().to_owned();
        let correlation_id = head.correlation_id.clone();
        match &*head.kind {
            "pong" => Ok(Self::Pong { service: service() }),
            "health_response" => read(frame).map(|health| Self::Health(Box::new(health))),
            "server_status" => read(frame).map(|health| Self::ServerStatus(Box::new(health))),
            "status_update" => {
                let Data { data } = read(frame)?;
                Ok(Self::Task { service: service(), correlation_id, status: Box::new(data) })
            }
            "progress_update" => {
                let Data { data } = read(frame)?;
                Ok(Self::Progress { service: service(), correlation_id, progress: Box::new(data) })
            }
            "error" => {
                let fault = loose_fault(frame)?;
                Ok(Self::Error(Box::new(ServiceFault { service: service(), fault })))
            }
            kind => {
                let row = ANALYZERS.iter().find(|row| row.reply == kind);
                let analyzer = row.ok_or_else(|| unknown_type(kind))?.analyzer;
                let reply = AnalysisReply::read(frame, &head, analyzer)?;
                Ok(Self::Analysis(Box::new(reply)))
            }
        }
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(unfit)
}

fn unfit(why: serde_json::Error) -> Unreadable {
    Unreadable::new(ErrorCode::InvalidMessage, format!("the reply cannot be read: {why}"))
}

/// An old service gives no code, and one of them says `error` for `message`.
fn loose_fault(text: &str) -> Result<Fault, Unreadable> {
    if let Ok(fault) = serde_json::from_str::<Fault>(text) {
        return Ok(fault);
    }
    let LooseFault { code, message, error } = read(text)?;
    let code = code.as_deref().and_then(ErrorCode::of_word).unwrap_or(ErrorCode::Internal);
    let message = message.or(error).unwrap_or_else(|| "the service gave no reason".to_owned());
    Ok(Fault::new(code, message))
}

/// What a service says of itself in words that we do not know is nothing to rely on.
fn health_of_reply<'de, D: Deserializer<'de>>(from: D) -> Result<HealthStatus, D::Error> {
    let word = Cow::<'de, str>::deserialize(from)?;
    Ok(HealthStatus::of_word(&word).unwrap_or(HealthStatus::Degraded))
}

// === impl Health ===

impl Health {
    fn write(&self, kind: &str, time: &str) -> Object {
        Object::of_type(kind).fields_of(self).field("timestamp", time)
    }
}

// === impl AnalysisReply ===

impl AnalysisReply {
    pub fn new(analyzer: Analyzer, status: AnalysisStatus, analysis: Payload) -> Self {
        Self { analyzer, status, analysis, task_id: None, correlation_id: None, timestamp: None }
    }

    /// Returns the reply as JSON, which is what the gateway passes on as `data`.
    pub fn to_payload(&self) -> Payload {
        Payload::written(self.write().end())
    }

    /// Reads what the gateway passed on, or what a service sent.
    ///
    /// # Errors
    ///
    /// What does not fit.
    pub fn decode(frame: &Utf8Bytes) -> Result<Self, Unreadable> {
        match Reply::decode(frame)? {
            Reply::Analysis(reply) => Ok(*reply),
            _ => {
                Err(Unreadable::new(ErrorCode::InvalidMessage, "this is no result of an analysis"))
            }
        }
    }

    fn write(&self) -> Object {
        let time = self.timestamp.clone().unwrap_or_else(stamp::now);
        Object::of_type(self.analyzer.row().reply)
            .field("status", &self.status)
            .field("service", &self.analyzer)
            .payload("analysis", &self.analysis)
            .field("timestamp", &time)
            .maybe("task_id", self.task_id.as_ref())
            .maybe("correlation_id", self.correlation_id.as_ref())
    }

    fn read(frame: &Utf8Bytes, head: &Head<'_>, analyzer: Analyzer) -> Result<Self, Unreadable> {
        let AnalysisHead { status, analysis, task_id } =
            serde_json::from_str(frame).map_err(unfit)?;
        Ok(Self {
            analyzer,
            status: AnalysisStatus::of_reply(status.as_deref().unwrap_or_default()),
            analysis: analysis.map_or_else(Payload::null, |raw| Payload::part(frame, raw)),
            task_id,
            correlation_id: head.correlation_id.clone(),
            timestamp: head.timestamp.clone(),
        })
    }
}
