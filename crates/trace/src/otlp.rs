//! Spans as a collector reads them: `ExportTraceServiceRequest` of OTLP 1, in protobuf.
//!
//! Written by hand: what is sent are eight messages of numbers, texts and each other, and the crates
//! that could write them would be a tenth of the whole build. The numbers of the fields are those of
//! `opentelemetry/proto/trace/v1/trace.proto`; tests hold the bytes against those that the classes
//! write which OpenTelemetry generates from it.

use crate::span::{Record, Value};
use assay_model::TraceContext;
use std::time::{SystemTime, UNIX_EPOCH};

/// What all spans of a process have: `service.name` and others.
pub(crate) type Resource = Vec<(String, String)>;

/// A message that is being written.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

/// How the value of a field is written.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    Fixed32 = 5,
}

/// The name of who makes the spans.
const SCOPE: &str = "assay";

/// `STATUS_CODE_ERROR`.
const FAILED: u64 = 2;

/// Writes the request that brings these spans.
pub(crate) fn request(resource: &Resource, spans: &[Record]) -> Vec<u8> {
    request_of(env!("CARGO_PKG_VERSION"), resource, spans)
}

fn request_of(version: &str, resource: &Resource, spans: &[Record]) -> Vec<u8> {
    let mut of_scope = Message::default();
    let mut scope = Message::default();
    scope.text(1, SCOPE);
    scope.text(2, version);
    of_scope.message(1, scope);
    for span in spans {
        of_scope.message(2, span_message(span));
    }
    let mut about = Message::default();
    for (key, value) in resource {
        about.message(1, key_value(key, &Value::Text(value.clone().into())));
    }
    let mut of_resource = Message::default();
    of_resource.message(1, about);
    of_resource.message(2, of_scope);
    let mut request = Message::default();
    request.message(1, of_resource);
    request.0
}

fn span_message(span: &Record) -> Message {
    let Record { context, parent, .. } = span;
    let mut message = Message::default();
    message.bytes(1, context.trace.bytes());
    message.bytes(2, context.span.bytes());
    message.text(3, context.state.as_deref().unwrap_or_default());
    if let Some(parent) = parent {
        message.bytes(4, parent.bytes());
    }
    message.text(5, &span.name);
    message.number(6, span.part.kind());
    message.fixed64(7, nanos(span.begun));
    message.fixed64(8, nanos(span.ended));
    for (key, value) in &span.attributes {
        message.message(9, key_value(key, value));
    }
    message.number(10, u64::from(span.attributes_lost));
    for (at, name) in &span.events {
        let mut event = Message::default();
        event.fixed64(1, nanos(*at));
        event.text(2, name);
        message.message(11, event);
    }
    for linked in &span.links {
        message.message(13, link(linked));
    }
    message.number(14, u64::from(span.links_lost));
    if let Some(why) = &span.failed {
        let mut status = Message::default();
        status.text(2, why);
        status.number(3, FAILED);
        message.message(15, status);
    }
    message.fixed32(16, flags(context));
    message
}

fn link(to: &TraceContext) -> Message {
    let mut message = Message::default();
    message.bytes(1, to.trace.bytes());
    message.bytes(2, to.span.bytes());
    message.text(3, to.state.as_deref().unwrap_or_default());
    message.fixed32(6, flags(to));
    message
}

fn flags(context: &TraceContext) -> u32 {
    u32::from(context.is_sampled)
}

fn key_value(key: &str, value: &Value) -> Message {
    let mut any = Message::default();
    match value {
        // A value that is set is written also where it is empty or zero.
        Value::Text(text) => any.field(1, Wire::Bytes).long(text.as_bytes()),
        Value::Flag(flag) => any.field(2, Wire::Varint).varint(u64::from(*flag)),
        Value::Number(number) => any.field(3, Wire::Varint).varint(number.cast_unsigned()),
    }
    let mut message = Message::default();
    message.text(1, key);
    message.message(2, any);
    message
}

/// Nanoseconds since 1970; a clock before that is not taken for one.
fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

// === impl Message ===

impl Message {
    fn field(&mut self, number: u64, wire: Wire) -> &mut Self {
        self.varint(number << 3 | wire as u64);
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    fn long(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn bytes(&mut self, number: u64, bytes: &[u8]) {
        self.field(number, Wire::Bytes).long(bytes);
    }

    /// An empty text is the default, which is not written; neither is a zero, below.
    fn text(&mut self, number: u64, text: &str) {
        if !text.is_empty() {
            self.bytes(number, text.as_bytes());
        }
    }

    fn number(&mut self, number: u64, value: u64) {
        if value != 0 {
            self.field(number, Wire::Varint).varint(value);
        }
    }

    fn fixed64(&mut self, number: u64, value: u64) {
        if value != 0 {
            self.field(number, Wire::Fixed64).0.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn fixed32(&mut self, number: u64, value: u32) {
        if value != 0 {
            self.field(number, Wire::Fixed32).0.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn message(&mut self, number: u64, message: Self) {
        self.bytes(number, &message.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Part;
    use std::time::Duration;

    fn context(span: &str) -> TraceContext {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        TraceContext::parse(&format!("00-{trace}-{span}-01"), Some("rojo=1")).unwrap()
    }

    fn bare() -> Record {
        let begun = UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789);
        let context = context("00f067aa0ba902b7");
        let context = TraceContext { state: None, is_sampled: false, ..context };
        Record::begun(Part::Tool, "ruff".into(), context, begun)
    }

    fn whole() -> Record {
        let bare = bare();
        let link = TraceContext { state: Some("a=b".into()), ..context("00f067aa0ba902b7") };
        Record {
            part: Part::Attempt,
            name: "attempt".into(),
            context: context("b7ad6b7169203331"),
            parent: Some(link.span),
            ended: bare.begun + Duration::from_millis(2_500),
            attributes: vec![
                ("assay.status", "error".into()),
                ("empty", "".into()),
                ("assay.attempt", 300_u32.into()),
                ("process.exit.code", (-1_i64).into()),
                ("zero", 0_u64.into()),
                ("is_last", true.into()),
            ],
            attributes_lost: 3,
            events: vec![(bare.begun + Duration::from_nanos(1), "joined")],
            links: vec![link],
            links_lost: 2,
            failed: Some("it is gone: \u{e9}".to_owned()),
            ..bare
        }
    }

    #[test]
    fn what_is_written_is_what_the_official_classes_write() {
        let resource = [("service.name", "assay-gateway"), ("zone", "a")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let written = request_of("0.1.0", &resource.to_vec(), &[whole(), bare()]);
        let golden = include_bytes!("../tests/golden/request.binpb");
        assert_eq!(testkit::decode(&written), testkit::decode(golden));
        assert_eq!(written, golden);
    }

    #[test]
    fn a_collector_understands_it() {
        let spans = testkit::decode(&request(&Vec::new(), &[whole()])).unwrap();
        let span = &spans[0];
        assert_eq!((span.trace.len(), span.kind, span.flags), (32, 3, 1));
        assert_eq!(span.ended_ns - span.begun_ns, 2_500_000_000);
        assert_eq!(span.attributes["process.exit.code"], "-1");
        assert_eq!(span.failed.as_deref(), Some("it is gone: \u{e9}"));
        assert_eq!(span.links[0].1, span.parent);
    }
}
