//! What a service is asked.
//!
//! Keeps: a `ping` is read without parsing anything but its head; what is written reads the same.

use crate::{
    analysis::{AnalysisRequest, task_id},
    encode::Object,
    fault::Unreadable,
    fields::Fields,
    head::{Head, unknown_type},
    routes::Analyzer,
    stamp,
};
use assay_model::TaskId;
use serde_json::{Value, value::RawValue};
use tungstenite::Utf8Bytes;

/// A request with what stands around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Filled in where the sender gave none.
    pub id: String,
    /// As the sender wrote it; in what we send, `None` means now.
    pub timestamp: Option<String>,
    pub correlation_id: Option<String>,
    pub body: Request,
}

/// What is asked of a service.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    Ping,
    HealthCheck,
    ServerStatus,
    Cancel {
        task_id: Option<TaskId>,
        /// The `id` of the request that began the work, on this connection.
        correlation_id: Option<String>,
    },
    /// The state of a task, and its result once it ended: for who lost the connection.
    Status {
        task_id: TaskId,
    },
    Analysis(Box<AnalysisRequest>),
}

/// The name under which every service takes its own request.
const COMMON: &str = "analysis_request";

// === impl Frame ===

impl Frame {
    pub fn new(body: Request) -> Self {
        Self { id: stamp::fresh_id(), timestamp: None, correlation_id: None, body }
    }

    /// Returns the name by which replies say whose they are: the `correlation_id` that the request
    /// carries, else its `id`.
    pub fn correlation(&self) -> &str {
        self.correlation_id.as_deref().unwrap_or(&self.id)
    }

    /// Reads what a client of `analyzer` sent.
    ///
    /// # Errors
    ///
    /// What to answer by an error frame. The request of another service is of an unknown type.
    pub fn decode(text: &str, analyzer: Analyzer) -> Result<Self, Unreadable> {
        let mut head = Head::of(text)?;
        let id = head.id.take().unwrap_or_else(stamp::fresh_id);
        let correlation_id = head.correlation_id.take();
        match Request::of_head(text, &head, analyzer, correlation_id.as_ref()) {
            Ok(body) => Ok(Self { id, timestamp: head.timestamp, correlation_id, body }),
            Err(unreadable) => Err(unreadable.of_request(Some(&id))),
        }
    }

    /// Writes what is sent to `analyzer`.
    pub fn encode(&self, analyzer: Analyzer) -> Utf8Bytes {
        let time = self.timestamp.clone().unwrap_or_else(stamp::now);
        let object = Object::of_type(self.body.kind(analyzer));
        let object = match &self.body {
            Request::Ping | Request::HealthCheck | Request::ServerStatus => object,
            Request::Cancel { task_id, .. } => object.maybe("task_id", task_id.as_ref()),
            Request::Status { task_id } => object.field("task_id", task_id),
            Request::Analysis(request) => request.write(object),
        };
        let of_cancel = match &self.body {
            Request::Cancel { correlation_id, .. } => correlation_id.as_ref(),
            _ => None,
        };
        object
            .field("id", &self.id)
            .maybe("correlation_id", of_cancel.or(self.correlation_id.as_ref()))
            .field("timestamp", &time)
            .end()
    }
}

// === impl Request ===

impl Request {
    /// Returns the `type` that `analyzer` knows it by.
    pub fn kind(&self, analyzer: Analyzer) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::HealthCheck => "health_check",
            Self::ServerStatus => "server_status",
            Self::Cancel { .. } => "cancel_request",
            Self::Status { .. } => "status_request",
            Self::Analysis(_) => analyzer.row().requests[0],
        }
    }

    fn of_head(
        text: &str,
        head: &Head<'_>,
        analyzer: Analyzer,
        correlation_id: Option<&String>,
    ) -> Result<Self, Unreadable> {
        match &*head.kind {
            "ping" => Ok(Self::Ping),
            "health_check" => Ok(Self::HealthCheck),
            "server_status" => Ok(Self::ServerStatus),
            "cancel_request" => Self::cancel(head, correlation_id),
            "status_request" => {
                let (mut fields, _) = named(head)?;
                let task_id = task_id(&mut fields)?;
                let task_id = task_id.ok_or_else(|| fields.missing("task_id", "the task"))?;
                Ok(Self::Status { task_id })
            }
            kind if kind == COMMON || analyzer.row().requests.contains(&kind) => {
                let mut fields = Fields::parse(text, "")?;
                // Whoever knows the gateway's dialect puts the fields there.
                let data = fields.object("data")?;
                fields.fill_from(&data);
                AnalysisRequest::read(&mut fields).map(|request| Self::Analysis(Box::new(request)))
            }
            kind => Err(unknown_type(kind)),
        }
    }

    fn cancel(head: &Head<'_>, correlation_id: Option<&String>) -> Result<Self, Unreadable> {
        let (mut fields, inner) = named(head)?;
        let task_id = task_id(&mut fields)?;
        let correlation_id = inner.or_else(|| correlation_id.cloned());
        if task_id.is_none() && correlation_id.is_none() {
            let wanted = "the task, or the `correlation_id` of its request";
            return Err(fields.missing("task_id", wanted));
        }
        Ok(Self::Cancel { task_id, correlation_id })
    }
}

/// The name of a task at the top or in `data`, and a `correlation_id` in `data`.
fn named(head: &Head<'_>) -> Result<(Fields, Option<String>), Unreadable> {
    let mut fields = Fields::parse(head.data.map_or("{}", RawValue::get), "")?;
    let inner = fields.text("correlation_id")?;
    if let Some(id) = &head.task_id {
        let top = [("task_id".to_owned(), Value::from(&**id))].into_iter().collect();
        fields = Fields::of(Value::Object(top), "")?;
    }
    Ok((fields, inner))
}
