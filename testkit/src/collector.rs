//! A collector of traces: takes `ExportTraceServiceRequest` of OTLP over HTTP, as protobuf.
//!
//! Keeps: a body that is no such message is answered 400 and counted, so that a test of what is sent
//! cannot pass on bytes that nobody understands.
//!
//! The numbers of the fields are those of `opentelemetry/proto/trace/v1/trace.proto`.

use crate::{
    http::{Answer, Question, Server},
    protobuf::{Field, fields},
};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// A span, as a collector has it. Ids are lower-case hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// `service.name` and what else is said of the process.
    pub resource: BTreeMap<String, String>,
    pub trace: String,
    pub span: String,
    /// Empty for the first of a trace.
    pub parent: String,
    pub state: String,
    pub name: String,
    /// The `SpanKind`: 1 internal, 2 server, 3 client.
    pub kind: u64,
    pub begun_ns: u64,
    pub ended_ns: u64,
    pub attributes: BTreeMap<String, String>,
    pub events: Vec<String>,
    /// The traces and spans that are linked.
    pub links: Vec<(String, String)>,
    /// Why it failed, if it did.
    pub failed: Option<String>,
    pub flags: u64,
}

/// A running collector. It stops when dropped.
#[derive(Debug)]
pub struct Collector {
    server: Server,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    spans: Vec<Collected>,
    headers: Vec<BTreeMap<String, String>>,
    unreadable: usize,
    /// What the next requests are answered instead.
    refusals: Vec<u16>,
}

// === impl Collector ===

impl Collector {
    /// Listens on a free port of loopback. The first requests are answered with these statuses, and
    /// what they bring is not taken.
    pub fn start(refusals: &[u16]) -> io::Result<Self> {
        let refusals = refusals.iter().rev().copied().collect();
        let taken = Arc::new(Mutex::new(Taken { refusals, ..Taken::default() }));
        let taking = Arc::clone(&taken);
        let server = Server::start(move |question| take(question, &taking))?;
        Ok(Self { server, taken })
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` has to be.
    pub fn url(&self) -> String {
        self.server.url()
    }

    pub fn spans(&self) -> Vec<Collected> {
        self.lock().spans.clone()
    }

    /// The headers of all requests that were taken.
    pub fn headers(&self) -> Vec<BTreeMap<String, String>> {
        self.lock().headers.clone()
    }

    /// Requests whose body was no message.
    pub fn unreadable(&self) -> usize {
        self.lock().unreadable
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(question: &Question, taken: &Mutex<Taken>) -> Answer {
    let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
    let is_protobuf =
        question.headers.get("content-type").is_some_and(|kind| kind == "application/x-protobuf");
    if question.method != "POST" || question.path != "/v1/traces" || !is_protobuf {
        taken.unreadable += 1;
        return Answer::status(404);
    }
    if let Some(status) = taken.refusals.pop() {
        return Answer::status(status);
    }
    let Some(spans) = decode(&question.body) else {
        taken.unreadable += 1;
        return Answer::status(400);
    };
    taken.spans.extend(spans);
    taken.headers.push(question.headers.clone());
    // An empty `ExportTraceServiceResponse`: all was taken.
    Answer { status: 200, content_type: "application/x-protobuf", body: Vec::new() }
}

/// Reads an `ExportTraceServiceRequest`; `None` where it is none.
pub fn decode(body: &[u8]) -> Option<Vec<Collected>> {
    let mut spans = Vec::new();
    for (number, of_resource) in fields(body)? {
        let (1, Field::Bytes(of_resource)) = (number, of_resource) else { return None };
        let mut resource = BTreeMap::new();
        for (number, field) in fields(of_resource)? {
            match (number, field) {
                (1, Field::Bytes(about)) => resource = attributes(about, 1)?,
                (2, Field::Bytes(of_scope)) => {
                    for (number, field) in fields(of_scope)? {
                        if let (2, Field::Bytes(bytes)) = (number, field) {
                            spans.push(Collected { resource: resource.clone(), ..span(bytes)? });
                        }
                    }
                }
                _ => return None,
            }
        }
    }
    Some(spans)
}

fn span(bytes: &[u8]) -> Option<Collected> {
    let mut span = Collected { attributes: attributes(bytes, 9)?, ..Collected::default() };
    for (number, field) in fields(bytes)? {
        match (number, field) {
            (1, Field::Bytes(id)) => span.trace = hex(id, 16)?,
            (2, Field::Bytes(id)) => span.span = hex(id, 8)?,
            (3, Field::Bytes(state)) => span.state = text(state)?,
            (4, Field::Bytes(id)) => span.parent = hex(id, 8)?,
            (5, Field::Bytes(name)) => span.name = text(name)?,
            (6, Field::Varint(kind)) => span.kind = kind,
            (7, Field::Fixed64(time)) => span.begun_ns = time,
            (8, Field::Fixed64(time)) => span.ended_ns = time,
            (9, Field::Bytes(_)) | (10 | 12 | 14, Field::Varint(_)) => {}
            (11, Field::Bytes(event)) => span.events.push(text(bytes_of(event, 2)?)?),
            (13, Field::Bytes(link)) => {
                span.links.push((hex(bytes_of(link, 1)?, 16)?, hex(bytes_of(link, 2)?, 8)?));
            }
            (15, Field::Bytes(status)) => {
                let code = fields(status)?.into_iter().find(|(number, _)| *number == 3);
                let is_error = matches!(code, Some((3, Field::Varint(2))));
                let why = bytes_of(status, 2).and_then(text).unwrap_or_default();
                span.failed = is_error.then_some(why);
            }
            (16, Field::Fixed32(flags)) => span.flags = u64::from(flags),
            _ => return None,
        }
    }
    Some(span)
}

/// The key-value pairs that a message has in this field.
fn attributes(bytes: &[u8], number: u64) -> Option<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    for (found, field) in fields(bytes)? {
        let (true, Field::Bytes(pair)) = (found == number, field) else { continue };
        let value = fields(bytes_of(pair, 2)?)?;
        let value = match value.first()? {
            (1, Field::Bytes(value)) => text(value)?,
            (2, Field::Varint(value)) => (*value != 0).to_string(),
            (3, Field::Varint(value)) => value.cast_signed().to_string(),
            _ => return None,
        };
        // A key that stands twice is a mistake.
        if pairs.insert(text(bytes_of(pair, 1)?)?, value).is_some() {
            return None;
        }
    }
    Some(pairs)
}

fn bytes_of(message: &[u8], number: u64) -> Option<&[u8]> {
    fields(message)?.into_iter().find_map(|(found, field)| match field {
        Field::Bytes(bytes) if found == number => Some(bytes),
        _ => None,
    })
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// An id of so many bytes.
fn hex(bytes: &[u8], length: usize) -> Option<String> {
    let mut digits = String::new();
    for byte in bytes {
        // Text takes all.
        let _ = write!(digits, "{byte:02x}");
    }
    (bytes.len() == length).then_some(digits)
}
