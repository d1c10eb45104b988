//! The schemas for programs: of each dialect and direction one file, with every message by its name.

use crate::messages::Book;
use assay_model::TaskId;
use assay_wire::{
    AnalysisRequest, AnalysisStatus, Fault, Payload, Progress, ServiceName, TaskStatus,
    gateway::{
        BatchRequest, BatchSummary, CancelWish, Register, Registration, StatusReport, StatusWish,
    },
    routes::ANALYZERS,
    service::Health,
};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// One schema for all messages of a book.
pub(crate) fn of(book: Book) -> Value {
    let mut writer = Writer::new();
    match book {
        Book::GatewayRequests => writer.gateway_requests(),
        Book::GatewayReplies => writer.gateway_replies(),
        Book::ServiceRequests => writer.service_requests(),
        Book::ServiceReplies => writer.service_replies(),
    }
    writer.end(book)
}

struct Writer {
    types: SchemaGenerator,
    messages: Map<String, Value>,
}

/// What is known of a field without a type of its own.
fn text(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

fn time() -> Value {
    text("UTC, without an offset, with six digits of a second")
}

// === impl Writer ===

impl Writer {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        Self { types: settings.into_generator(), messages: Map::new() }
    }

    fn of<T: JsonSchema>(&mut self) -> Value {
        self.types.subschema_for::<T>().to_value()
    }

    fn end(mut self, book: Book) -> Value {
        let mut types = self.types.take_definitions(true);
        types.sort_keys();
        let names: Vec<Value> = self
            .messages
            .keys()
            .map(|name| json!({"$ref": format!("#/$defs/{}", name.replace(' ', "%20"))}))
            .collect();
        types.extend(self.messages);
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": format!("Assay: {}", book.name().replace('-', " ")),
            "anyOf": names,
            "$defs": types,
        })
    }

    fn add(&mut self, name: &str, required: &[&str], mut properties: Value) {
        let kind = name.split(' ').next().unwrap();
        properties["type"] = json!({"const": kind});
        let required: Vec<&str> = ["type"].iter().chain(required).copied().collect();
        let message = json!({"type": "object", "required": required, "properties": properties});
        self.messages.insert(format!("message.{name}"), message);
    }

    fn gateway_request(&mut self, kind: &str, data: Option<Value>) {
        let mut properties = json!({
            "id": text("chosen by the client; replies carry it as `correlation_id`"),
            "timestamp": time(),
            "client_id": text("a name that the client gives itself"),
            "correlation_id": text("the request that this is about"),
        });
        properties["service"] = self.of::<ServiceName>();
        let mut required = Vec::new();
        if let Some(data) = data {
            properties["data"] = data;
            required.push("data");
        }
        if kind == "status_request" {
            required.clear();
        }
        self.add(kind, &required, properties);
    }

    fn gateway_requests(&mut self) {
        for kind in ["connection_ack", "heartbeat", "ping"] {
            self.gateway_request(kind, None);
        }
        let unregister = json!({"type": "object", "required": ["service_id"], "properties": {
                "service_id": text("the replica")}});
        for (kind, data) in [
            ("status_request", self.of::<StatusWish>()),
            ("analysis_request", self.of::<AnalysisRequest>()),
            ("batch_request", self.of::<BatchRequest>()),
            ("cancel_request", self.of::<CancelWish>()),
            ("progress_update", self.of::<Progress>()),
            ("service_register", self.of::<Register>()),
            ("service_unregister", unregister),
        ] {
            self.gateway_request(kind, Some(data));
        }
    }

    fn gateway_reply(&mut self, name: &str, data: Option<Value>) {
        let mut properties = json!({
            "id": text("unique"),
            "timestamp": time(),
            "correlation_id": text("the `id` of the request; absent in what a subscriber is sent"),
        });
        let mut required = vec!["id", "timestamp"];
        if let Some(data) = data {
            properties["data"] = data;
            required.push("data");
        }
        self.add(name, &required, properties);
    }

    fn gateway_replies(&mut self) {
        let object = |required: &[&str], properties: Value| json!({"type": "object", "required": required, "properties": properties});
        let acknowledged = object(
            &["status", "server_time"],
            json!({"status": {"const": "acknowledged"}, "server_time": time()}),
        );
        let alive = object(&["status"], json!({"status": {"const": "alive"}}));
        let ack = object(
            &["ack", "stage"],
            json!({"ack": {"const": true}, "stage": text("of the progress")}),
        );
        let missed = object(
            &["missed"],
            json!({"missed": {"type": "integer", "minimum": 1, "description": "events"}}),
        );
        self.gateway_reply("pong", None);
        for (name, data) in [
            ("connection_ack", acknowledged),
            ("heartbeat", alive),
            ("status_update (gateway)", self.of::<StatusReport>()),
            ("status_update (task)", self.of::<TaskStatus>()),
            ("status_update (ack)", ack),
            ("status_update (replica)", self.of::<Registration>()),
            ("status_update (missed)", missed),
            ("progress_update", self.of::<Progress>()),
            ("analysis_result", self.analysis_reply()),
            ("batch_result", self.of::<BatchSummary>()),
            ("error", self.of::<Fault>()),
        ] {
            self.gateway_reply(name, Some(data));
        }
    }

    /// The fields of a type, to stand at the top of a frame.
    fn fields_of<T: JsonSchema>(&mut self) -> (Value, Vec<String>) {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let mut whole = settings.into_generator().into_root_schema_for::<T>().to_value();
        // Also known to this file's generator, so that what it refers to is defined.
        let _ = self.of::<T>();
        let required = whole["required"].take();
        let required = serde_json::from_value(required).unwrap_or_default();
        (whole["properties"].take(), required)
    }

    fn service_requests(&mut self) {
        let envelope = |mut properties: Value| {
            properties["id"] = text("chosen by the client");
            properties["timestamp"] = time();
            properties["correlation_id"] = text("replies carry it; else they carry `id`");
            properties
        };
        for kind in ["ping", "health_check", "server_status"] {
            self.add(kind, &[], envelope(json!({})));
        }
        let task = self.of::<TaskId>();
        self.add("cancel_request", &[], envelope(json!({"task_id": task})));
        self.add("status_request", &["task_id"], envelope(json!({"task_id": task})));
        let (fields, _) = self.fields_of::<AnalysisRequest>();
        let names = ANALYZERS.iter().flat_map(|row| row.requests).copied();
        for name in names.chain(["analysis_request"]) {
            self.add(name, &[], envelope(fields.clone()));
        }
    }

    fn service_replies(&mut self) {
        let service = text("the service's own name");
        let envelope = |mut properties: Value| {
            properties["service"] = service.clone();
            properties["timestamp"] = time();
            properties
        };
        self.add("pong", &["service", "timestamp"], envelope(json!({})));
        let (health, required) = self.fields_of::<Health>();
        let mut required: Vec<&str> = required.iter().map(String::as_str).collect();
        required.push("timestamp");
        for kind in ["health_response", "server_status"] {
            self.add(kind, &required, envelope(health.clone()));
        }
        let correlation = text("the `correlation_id` of the request, else its `id`");
        let (task, progress) = (self.of::<TaskStatus>(), self.of::<Progress>());
        let update = json!({"data": task, "correlation_id": correlation});
        self.add("status_update", &["data", "timestamp"], envelope(update));
        let update = json!({
            "data": progress,
            "correlation_id": correlation,
            "stage": text("as in `data`"),
            "message": text("as in `data`"),
        });
        self.add("progress_update", &["data", "timestamp"], envelope(update));
        let (fault, required) = self.fields_of::<Fault>();
        let required: Vec<&str> = required.iter().map(String::as_str).collect();
        self.add("error", &required, envelope(fault));
        for row in ANALYZERS {
            let reply = self.analysis_reply();
            let required = ["status", "service", "analysis", "timestamp"];
            self.add(row.reply, &required, reply["properties"].clone());
        }
    }

    fn analysis_reply(&mut self) -> Value {
        let mut properties = json!({
            "service": text("who analysed"),
            "timestamp": time(),
            "correlation_id": text("the `correlation_id` of the request, else its `id`"),
        });
        let replies: Vec<&str> = ANALYZERS.iter().map(|row| row.reply).collect();
        properties["type"] = json!({"enum": replies});
        properties["status"] = self.of::<AnalysisStatus>();
        properties["analysis"] = self.of::<Payload>();
        properties["task_id"] = self.of::<TaskId>();
        let required = ["type", "status", "service", "analysis", "timestamp"];
        json!({"type": "object", "required": required, "properties": properties})
    }
}
