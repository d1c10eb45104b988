//! What a client of the gateway sends.
//!
//! Keeps: a request without `data` is read without parsing anything but its envelope; what is
//! written reads the same.

use super::{Envelope, Frame};
use crate::{
    analysis::{AnalysisRequest, task_id},
    encode::Object,
    fault::{ErrorCode, Unreadable},
    fields::{Fields, switch_word},
    head::{Head, unknown_type},
    loose,
    payload::Payload,
    routes::ServiceName,
    task::Progress,
};
use assay_model::TaskId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use tungstenite::Utf8Bytes;

/// What is asked of the gateway.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    ConnectionAck,
    Heartbeat,
    Ping,
    Status(StatusWish),
    Analysis(Box<AnalysisRequest>),
    Batch(Box<BatchRequest>),
    Cancel(CancelWish),
    /// Published to all who subscribed.
    Progress(Box<Progress>),
    Register(Box<Register>),
    Unregister {
        service_id: String,
    },
    /// A type of the protocol that only servers send.
    Other {
        kind: String,
    },
}

/// The body of a `status_request`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StatusWish {
    /// Joins the stream of events, or leaves it. Also read from words: "events" and "yes" join,
    /// "none" and "no" leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "loose::switch")]
    pub subscribe: Option<bool>,
    /// Whether the last 50 events are sent first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replay: bool,
    /// Whether every replica is asked for its health. It may take some seconds then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub health: bool,
    /// The task whose state is asked for, and its result once it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
}

/// The body of a `cancel_request`: one of the two names the work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CancelWish {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The `id` of the request that began the work, on this connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

/// The body of a `batch_request`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct BatchRequest {
    /// One for each app. `apps` beside shared fields is read as such a list too.
    pub requests: Vec<AnalysisRequest>,
    /// A name for the batch that the client chose. By it its state is told, also when the client has
    /// left or the gateway was started anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// Whether the work goes on when the client has left; what was not begun yet, too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub detach: bool,
}

/// The body of a `service_register`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Register {
    pub service_type: ServiceName,
    pub service_id: String,
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// Calls stay in one zone where they can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// How much work it takes beside others; 1 is meant where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
}

/// Requests that one batch may hold: ten times the apps of the largest that was ever measured.
pub(crate) const BATCH_MAX: usize = 10_000;

const ANALYSIS: &str = "analysis_request";

// === impl Frame<Request> ===

impl Frame<Request> {
    /// Reads what a client sent.
    ///
    /// # Errors
    ///
    /// What to answer by an error frame.
    pub fn decode(text: &str) -> Result<Self, Unreadable> {
        let mut head = Head::of(text)?;
        let envelope = Envelope::of_head(&mut head);
        match Request::of_head(&head, &envelope) {
            Ok(body) => Ok(Self { envelope, body }),
            Err(unreadable) => Err(unreadable.of_request(Some(&envelope.id))),
        }
    }

    /// Writes what a client sends.
    pub fn encode(&self) -> Utf8Bytes {
        let Envelope { id, service, client_id, correlation_id, .. } = &self.envelope;
        let mut object = Object::of_type(self.body.kind())
            .field("id", id)
            .field("timestamp", &self.envelope.time())
            .maybe("service", service.as_ref());
        if let Some(data) = self.body.data() {
            object = object.payload("data", &data);
        }
        object
            .maybe("client_id", client_id.as_ref())
            .maybe("correlation_id", correlation_id.as_ref())
            .end()
    }
}

// === impl Request ===

impl Request {
    /// Returns the `type`.
    pub fn kind(&self) -> &str {
        match self {
            Self::ConnectionAck => "connection_ack",
            Self::Heartbeat => "heartbeat",
            Self::Ping => "ping",
            Self::Status(_) => "status_request",
            Self::Analysis(_) => ANALYSIS,
            Self::Batch(_) => "batch_request",
            Self::Cancel(_) => "cancel_request",
            Self::Progress(_) => "progress_update",
            Self::Register(_) => "service_register",
            Self::Unregister { .. } => "service_unregister",
            Self::Other { kind } => kind,
        }
    }

    fn of_head(head: &Head<'_>, envelope: &Envelope) -> Result<Self, Unreadable> {
        let data = head.data.map_or("{}", RawValue::get);
        match &*head.kind {
            "connection_ack" => Ok(Self::ConnectionAck),
            "heartbeat" => Ok(Self::Heartbeat),
            "ping" => Ok(Self::Ping),
            "status_request" if head.data.is_none() => Ok(Self::Status(StatusWish::default())),
            "status_request" => StatusWish::read(Fields::parse(data, "")?).map(Self::Status),
            "cancel_request" => {
                CancelWish::read(Fields::parse(data, "")?, head, envelope).map(Self::Cancel)
            }
            "progress_update" => progress(data).map(|progress| Self::Progress(Box::new(progress))),
            "service_register" => {
                Register::read(Fields::parse(data, "")?).map(|body| Self::Register(Box::new(body)))
            }
            "service_unregister" => {
                let mut fields = Fields::parse(data, "")?;
                let service_id = fields.text("service_id")?;
                let service_id =
                    service_id.ok_or_else(|| fields.missing("service_id", "a text"))?;
                Ok(Self::Unregister { service_id })
            }
            ANALYSIS | "batch_request" => Self::work(head, data),
            kind @ ("analysis_result" | "batch_result" | "status_update" | "error" | "pong") => {
                Ok(Self::Other { kind: kind.to_owned() })
            }
            kind => Err(unknown_type(kind)),
        }
    }

    fn work(head: &Head<'_>, data: &str) -> Result<Self, Unreadable> {
        // A name that no service has must not fall back to another service in silence.
        if let Some(word) = head.service.as_deref().filter(|word| !word.is_empty()) {
            word.parse::<ServiceName>()
                .map_err(|why| Unreadable::new(ErrorCode::InvalidMessage, why.to_string()))?;
        }
        let mut fields = Fields::parse(data, "")?;
        if head.kind == ANALYSIS {
            return Ok(Self::Analysis(Box::new(one(&mut fields)?)));
        }
        BatchRequest::read(fields).map(|batch| Self::Batch(Box::new(batch)))
    }

    fn data(&self) -> Option<Payload> {
        let object = match self {
            Self::ConnectionAck | Self::Heartbeat | Self::Ping | Self::Other { .. } => return None,
            Self::Status(wish) if *wish == StatusWish::default() => return None,
            Self::Status(wish) => Object::new().fields_of(wish),
            Self::Analysis(request) => request.write(Object::new()),
            Self::Batch(batch) => Object::new().fields_of(&**batch),
            Self::Cancel(wish) => Object::new().fields_of(wish),
            Self::Progress(progress) => Object::new().fields_of(&**progress),
            Self::Register(register) => Object::new().fields_of(&**register),
            Self::Unregister { service_id } => Object::new().field("service_id", service_id),
        };
        Some(object.end_payload())
    }
}

fn progress(data: &str) -> Result<Progress, Unreadable> {
    serde_json::from_str(data).map_err(|why| {
        let message = format!("the progress cannot be read: {why}");
        Unreadable::new(ErrorCode::InvalidMessage, message)
    })
}

/// Reads one analysis. An app, or a path, must be named.
fn one(fields: &mut Fields) -> Result<AnalysisRequest, Unreadable> {
    let request = AnalysisRequest::read(fields)?;
    if request.source_path.is_none() && request.target_urls.is_empty() {
        if request.model.is_none() {
            return Err(fields.missing("model_slug", "the model that wrote the app"));
        }
        if request.app_number.is_none() {
            return Err(fields.missing("app_number", "the number of the app"));
        }
    }
    Ok(request)
}

// === impl StatusWish ===

impl StatusWish {
    fn read(mut fields: Fields) -> Result<Self, Unreadable> {
        let subscribe = match fields.take("subscribe") {
            Some(Value::String(word)) => {
                // Whatever else is named is a stream that somebody wants to join.
                let word = word.to_ascii_lowercase();
                Some(word != "none" && switch_word(&word).unwrap_or(true))
            }
            Some(Value::Array(names)) => Some(!names.is_empty()),
            Some(Value::Bool(switch)) => Some(switch),
            Some(Value::Number(number)) => Some(number.as_f64() != Some(0.0)),
            Some(Value::Object(_)) => Some(true),
            Some(Value::Null) | None => None,
        };
        let replay = fields.switch("replay")?.unwrap_or(false);
        let health = fields.switch("health")?.unwrap_or(false);
        Ok(Self { subscribe, replay, health, task_id: task_id(&mut fields)? })
    }
}

// === impl CancelWish ===

impl CancelWish {
    fn read(mut fields: Fields, head: &Head<'_>, envelope: &Envelope) -> Result<Self, Unreadable> {
        if let Some(id) = &head.task_id {
            fields.fill_from(&[("task_id".to_owned(), Value::from(&**id))].into_iter().collect());
        }
        let task_id = task_id(&mut fields)?;
        let correlation_id = fields.text("correlation_id")?;
        let correlation_id = correlation_id.or_else(|| envelope.correlation_id.clone());
        if task_id.is_none() && correlation_id.is_none() {
            return Err(
                fields.missing("task_id", "the task, or the `correlation_id` of its request")
            );
        }
        Ok(Self { task_id, correlation_id })
    }
}

// === impl BatchRequest ===

impl BatchRequest {
    fn read(mut fields: Fields) -> Result<Self, Unreadable> {
        let task_id = task_id(&mut fields)?;
        let detach = fields.switch("detach")?.unwrap_or(false);
        let (requests, apps) = (fields.take("requests"), fields.take("apps"));
        let requests = match (requests, apps) {
            (Some(Value::Array(items)), None) => each(items)?,
            (None, Some(Value::Array(items))) => of_apps(fields, items)?,
            (Some(_), Some(_)) => {
                let message = "`requests` and `apps` are both there, wanted is one of them";
                return Err(Unreadable::new(ErrorCode::InvalidMessage, message));
            }
            (Some(other), None) => return Err(fields.bad("requests", &other, "a list")),
            (None, Some(other)) => return Err(fields.bad("apps", &other, "a list")),
            (None, None) => return Err(fields.missing("requests", "a list, or `apps`")),
        };
        Ok(Self { requests, task_id, detach })
    }
}

fn each(items: Vec<Value>) -> Result<Vec<AnalysisRequest>, Unreadable> {
    bounded(items.len())?;
    let mut requests = Vec::with_capacity(items.len());
    for (place, item) in items.into_iter().enumerate() {
        let mut fields = Fields::of(item, &format!("requests[{place}]."))?;
        // A whole frame may stand there, with its own `data`.
        let data = fields.object("data")?;
        fields.fill_from(&data);
        requests.push(one(&mut fields)?);
    }
    Ok(requests)
}

/// Reads `[model, number]` pairs, to which all other fields apply.
fn of_apps(mut fields: Fields, apps: Vec<Value>) -> Result<Vec<AnalysisRequest>, Unreadable> {
    bounded(apps.len())?;
    let shared = AnalysisRequest::read(&mut fields)?;
    let mut requests = Vec::with_capacity(apps.len());
    for (place, app) in apps.into_iter().enumerate() {
        let place = format!("apps[{place}]");
        let pair = match app {
            Value::Array(pair) if pair.len() == 2 => pair,
            other => return Err(fields.bad(&place, &other, "a pair of model and app number")),
        };
        let named = ["model_slug", "app_number"].map(str::to_owned).into_iter().zip(pair);
        let mut app = Fields::of(Value::Object(named.collect()), &format!("{place}."))?;
        let AnalysisRequest { model, app_number, .. } = one(&mut app)?;
        requests.push(AnalysisRequest { model, app_number, ..shared.clone() });
    }
    Ok(requests)
}

fn bounded(length: usize) -> Result<(), Unreadable> {
    if length <= BATCH_MAX {
        return Ok(());
    }
    let message = format!("a batch of {length} requests is above the limit of {BATCH_MAX}");
    Err(Unreadable::new(ErrorCode::TooLarge, message))
}

// === impl Register ===

impl Register {
    fn read(mut fields: Fields) -> Result<Self, Unreadable> {
        let word = fields.text("service_type")?;
        let word = word.ok_or_else(|| fields.missing("service_type", "the name of a service"))?;
        let service_type = word.parse().map_err(|why: assay_model::UnknownWord| {
            Unreadable::new(ErrorCode::InvalidMessage, format!("`service_type`: {why}"))
        })?;
        let service_id = fields.text("service_id")?;
        let url = fields.text("url")?;
        Ok(Self {
            service_type,
            service_id: service_id.ok_or_else(|| fields.missing("service_id", "a text"))?,
            url: url.ok_or_else(|| fields.missing("url", "a URL"))?,
            version: fields.text("version")?,
            capabilities: fields.list("capabilities")?,
            zone: fields.text("zone")?,
            weight: fields.amount("weight", 1000.0)?,
        })
    }
}
