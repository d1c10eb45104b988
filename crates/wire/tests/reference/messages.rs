//! Every message, with an example that our own code wrote.
//!
//! Keeps: a new variant does not compile until it is described here.

use assay_model::{Event, EventKind, TaskId, ToolId};
use assay_wire::{
    AnalysisReply, AnalysisRequest, AnalysisStatus, AnalysisType, Analyzer, ErrorCode, Fault,
    Payload, Progress, ServiceName, TaskState, TaskStatus,
    gateway::{
        self, BatchItem, BatchRequest, BatchSummary, CancelWish, Register, Registration,
        StatusReport, StatusWish,
    },
    routes::ANALYZERS,
    service::{self, Health, HealthStatus, ServiceFault},
};

/// Which messages: a dialect and a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Book {
    GatewayRequests,
    GatewayReplies,
    ServiceRequests,
    ServiceReplies,
}

/// One message as it is told.
pub(crate) struct Message {
    /// Its `type`; of `status_update`, with what it is about.
    pub(crate) kind: String,
    /// What it is for, and what answers it.
    pub(crate) about: &'static str,
    pub(crate) example: String,
}

const TIME: &str = "2026-11-23T09:05:05.023445";

// === impl Book ===

impl Book {
    pub(crate) const ALL: &'static [Self] =
        &[Self::GatewayRequests, Self::GatewayReplies, Self::ServiceRequests, Self::ServiceReplies];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GatewayRequests => "gateway-requests",
            Self::GatewayReplies => "gateway-replies",
            Self::ServiceRequests => "service-requests",
            Self::ServiceReplies => "service-replies",
        }
    }
}

/// All messages of a book.
pub(crate) fn of(book: Book) -> Vec<Message> {
    match book {
        Book::GatewayRequests => gateway_requests().into_iter().map(gateway_request).collect(),
        Book::GatewayReplies => gateway_replies().into_iter().map(gateway_reply).collect(),
        Book::ServiceRequests => service_requests(),
        Book::ServiceReplies => service_replies(),
    }
}

fn task() -> TaskId {
    TaskId::new("20261123-090505-1").unwrap()
}

fn request() -> AnalysisRequest {
    AnalysisRequest {
        model: Some("acme_demo-model".to_owned()),
        app_number: Some(1),
        analysis_type: Some(AnalysisType::new("security_python")),
        tools: vec!["bandit".to_owned()],
        timeout_s: Some(300.0),
        ..AnalysisRequest::default()
    }
}

fn progress() -> Progress {
    let event = Event {
        seq: 7,
        at_ms: 1200,
        kind: EventKind::ToolProgress { tool: ToolId::new("bandit").unwrap(), observations: 3 },
    };
    Progress {
        analysis_id: task().to_string(),
        stage: "running".to_owned(),
        progress: 0.5,
        message: "bandit: 3 so far".to_owned(),
        issues_found: 3,
        tool: Some("bandit".to_owned()),
        ..Progress::default()
    }
    .with_event(&event)
}

fn fault() -> Fault {
    let mut fault = Fault::new(ErrorCode::CircuitOpen, "`static-analyzer` failed 5 times in a row")
        .suggest("see `assay status`")
        .retry_after_ms(42_000);
    fault.correlation_id = Some("job-1".to_owned());
    fault.causes = vec!["connection refused".to_owned()];
    fault
}

fn analysis(status: AnalysisStatus) -> AnalysisReply {
    let analysis = r#"{"model_slug":"acme_demo-model","app_number":1,"status":"success","tools_used":["bandit"]}"#;
    let analysis = Payload::from_json(analysis).unwrap();
    let mut reply = AnalysisReply::new(Analyzer::Static, status, analysis);
    reply.timestamp = Some(TIME.to_owned());
    reply.task_id = Some(task());
    reply.correlation_id = Some("job-1".to_owned());
    reply
}

fn gateway_requests() -> Vec<gateway::Request> {
    use gateway::Request;
    let register = Register {
        service_type: ServiceName::CodeQuality,
        service_id: "static-2".to_owned(),
        url: "ws://10.0.0.7:2001".to_owned(),
        version: Some("1.0.0".to_owned()),
        capabilities: vec!["bandit".to_owned()],
        zone: Some("a".to_owned()),
        weight: None,
    };
    vec![
        Request::ConnectionAck,
        Request::Heartbeat,
        Request::Ping,
        Request::Status(StatusWish {
            subscribe: Some(true),
            replay: true,
            ..StatusWish::default()
        }),
        Request::Analysis(Box::new(request())),
        Request::Batch(Box::new(BatchRequest {
            requests: vec![request()],
            task_id: Some(task()),
            detach: true,
        })),
        Request::Cancel(CancelWish { task_id: Some(task()), correlation_id: None }),
        Request::Progress(Box::new(progress())),
        Request::Register(Box::new(register)),
        Request::Unregister { service_id: "static-2".to_owned() },
    ]
}

fn gateway_request(body: gateway::Request) -> Message {
    use gateway::Request;
    let about = match &body {
        Request::ConnectionAck => "Asks whether somebody is there. Answered by `connection_ack`.",
        Request::Heartbeat => "Says that the client is there. Answered by `heartbeat`.",
        Request::Ping => "Answered by `pong`.",
        Request::Status(_) => {
            "Asks for the state of the gateway, or of one task. Answered by a `status_update`, which is \
             the first frame back also where `subscribe` joins the stream of events."
        }
        Request::Analysis(_) => {
            "Asks for an analysis. Answered by a `status_update` with the state `queued`, then any \
             number of `progress_update`s, then one `analysis_result`. `model` is read for \
             `model_slug`, `options` for `config`, and `target_url` for `target_urls`."
        }
        Request::Batch(_) => {
            "Asks for many analyses. Answered by `progress_update`s, then one `batch_result`. Instead \
             of `requests`, `apps` may hold pairs `[model, number]`, to which all other fields apply."
        }
        Request::Cancel(_) => {
            "Stops a task, named by its id or by the id of the request that began it. Answered by a \
             `status_update` with the state `cancelled`, `not_found` or `already_finished`, once all \
             that the task had started is gone."
        }
        Request::Progress(_) => {
            "Is published to all who subscribed. Answered by a `status_update` with `ack`."
        }
        Request::Register(_) => {
            "Adds a replica of a service, until `service_unregister` or the end of the connection. \
             Answered by a `status_update`."
        }
        Request::Unregister { .. } => "Removes a replica. Answered by a `status_update`.",
        Request::Other { .. } => "",
    };
    let kind = body.kind().to_owned();
    let mut frame = gateway::Frame::new(body);
    "job-1".clone_into(&mut frame.envelope.id);
    frame.envelope.timestamp = Some(TIME.to_owned());
    Message { kind, about, example: frame.encode().to_string() }
}

fn gateway_replies() -> Vec<gateway::Reply> {
    use gateway::Reply;
    let services = [("code_quality".to_owned(), "ws://localhost:2001".to_owned())].into();
    let report = StatusReport {
        services,
        timestamp: TIME.to_owned(),
        subscribed: true,
        queue: Some(Payload::from_json(r#"{"waiting":3}"#).unwrap()),
        ..StatusReport::default()
    };
    let item = BatchItem {
        model_slug: Some("acme_demo-model".to_owned()),
        app_number: Some(1),
        task_id: Some(task()),
        status: AnalysisStatus::Success,
        result: Some(analysis(AnalysisStatus::Success).to_payload()),
        error: None,
    };
    let summary = BatchSummary {
        task_id: Some(task()),
        status: AnalysisStatus::Success,
        total: 1,
        succeeded: 1,
        results: vec![item],
    };
    let registration =
        Registration { registered: true, service_id: "static-2".to_owned(), message: None };
    vec![
        Reply::ConnectionAck,
        Reply::Heartbeat,
        Reply::Pong,
        Reply::Status(Box::new(report)),
        Reply::Task(Box::new(TaskStatus::new(TaskState::Queued, Some(task())))),
        Reply::Ack { stage: "running".to_owned() },
        Reply::Registration(registration),
        Reply::Missed { missed: 120 },
        Reply::Progress(Box::new(progress())),
        Reply::AnalysisResult(analysis(AnalysisStatus::Success).to_payload()),
        Reply::BatchResult(Box::new(summary)),
        Reply::Error(Box::new(fault())),
    ]
}

fn gateway_reply(body: gateway::Reply) -> Message {
    use gateway::Reply;
    let (part, about) = match &body {
        Reply::ConnectionAck => ("", "Answers `connection_ack`."),
        Reply::Heartbeat => ("", "Answers `heartbeat`."),
        Reply::Pong => ("", "Answers `ping`."),
        Reply::Status(_) => (" (gateway)", "Tells the state of the gateway."),
        Reply::Task(_) => (" (task)", "Tells the state of one task."),
        Reply::Ack { .. } => (" (ack)", "Says that progress was published."),
        Reply::Registration(_) => (" (replica)", "Says whether a replica gets work."),
        Reply::Missed { .. } => (
            " (missed)",
            "Tells a subscriber who reads too slowly how many events he was not sent.",
        ),
        Reply::Progress(_) => {
            ("", "Tells how far a task is: to who asked for it, and to subscribers.")
        }
        Reply::AnalysisResult(_) => {
            ("", "The one end of an analysis. `data` is what the service replied, as it is.")
        }
        Reply::BatchResult(_) => ("", "The one end of a batch."),
        Reply::Error(_) => ("", "Says why a request is not answered by anything better."),
    };
    let kind = format!("{}{part}", body.kind());
    let mut frame = gateway::Frame::answering("job-1", body);
    "664f1931-36a8-41d4-87fd-0f4f2e664f26".clone_into(&mut frame.envelope.id);
    frame.envelope.timestamp = Some(TIME.to_owned());
    Message { kind, about, example: frame.encode().to_string() }
}

fn service_requests() -> Vec<Message> {
    use service::Request;
    let bodies = vec![
        Request::Ping,
        Request::HealthCheck,
        Request::ServerStatus,
        Request::Cancel { task_id: Some(task()), correlation_id: None },
        Request::Status { task_id: task() },
        Request::Analysis(Box::new(AnalysisRequest {
            analysis_type: None,
            task_id: Some(task()),
            deadline_ms: Some(290_000),
            ..request()
        })),
    ];
    let mut messages = Vec::new();
    for body in bodies {
        let about = match &body {
            Request::Ping => "Answered by `pong`.",
            Request::HealthCheck => "Answered by `health_response`.",
            Request::ServerStatus => "Answered by `server_status`.",
            Request::Cancel { .. } => {
                "Stops a task. Answered by a `status_update`, once all that it had started is gone."
            }
            Request::Status { .. } => {
                "Asks for the state of a task, and for its result once it ended: for who lost the \
                 connection. Answered by a `status_update`."
            }
            Request::Analysis(_) => {
                "Asks for an analysis. Answered by any number of `progress_update`s, then by the \
                 analyzer's reply. Every service takes `analysis_request` for its own name of it."
            }
        };
        let is_analysis = matches!(body, Request::Analysis(_));
        let mut frame = service::Frame::new(body);
        "sa-1".clone_into(&mut frame.id);
        frame.timestamp = Some(TIME.to_owned());
        let own = frame.encode(Analyzer::Static).to_string();
        let kind = frame.body.kind(Analyzer::Static);
        if !is_analysis {
            messages.push(Message { kind: kind.to_owned(), about, example: own });
            continue;
        }
        let names = ANALYZERS.iter().flat_map(|row| row.requests).copied();
        for name in names.chain(["analysis_request"]) {
            let example = own.replacen(kind, name, 1);
            messages.push(Message { kind: name.to_owned(), about, example });
        }
    }
    messages
}

fn service_replies() -> Vec<Message> {
    use service::Reply;
    let service = || Analyzer::Static.to_string();
    let correlation_id = || Some("sa-1".to_owned());
    let health = Health {
        status: HealthStatus::Degraded,
        service: service(),
        version: "1.0.0".to_owned(),
        uptime: 63.4,
        available_tools: vec!["bandit".to_owned()],
        unavailable_tools: [("semgrep".to_owned(), "not installed".to_owned())].into(),
        active: 1,
        queued: 0,
        capacity: 4,
        configuration: None,
    };
    let configured = Health {
        configuration: Some(Payload::from_json(r#"{"jobs":2}"#).unwrap()),
        ..health.clone()
    };
    let status = Box::new(TaskStatus::new(TaskState::Cancelled, Some(task())));
    let bodies = vec![
        Reply::Pong { service: service() },
        Reply::Health(Box::new(health)),
        Reply::ServerStatus(Box::new(configured)),
        Reply::Task { service: service(), correlation_id: correlation_id(), status },
        Reply::Progress {
            service: service(),
            correlation_id: correlation_id(),
            progress: Box::new(progress()),
        },
        Reply::Analysis(Box::new(analysis(AnalysisStatus::Partial))),
        Reply::Error(Box::new(ServiceFault { service: service(), fault: fault() })),
    ];
    bodies.into_iter().flat_map(service_reply).collect()
}

fn service_reply(body: service::Reply) -> Vec<Message> {
    use service::Reply;
    let (kind, about) = match &body {
        Reply::Pong { .. } => ("pong", "Answers `ping`."),
        Reply::Health(_) => (
            "health_response",
            "Answers `health_check`. It is true: a service whose \
            tools are missing is `degraded`, and lists why.",
        ),
        Reply::ServerStatus(_) => (
            "server_status",
            "Answers `server_status`: as `health_response`, \
            with the effective configuration, secrets masked.",
        ),
        Reply::Task { .. } => ("status_update", "Tells the state of one task."),
        Reply::Progress { .. } => ("progress_update", "Tells how far a task is."),
        Reply::Analysis(_) => ("", "The one end of an analysis."),
        Reply::Error(_) => ("error", "Says why a request is not answered by anything better."),
    };
    let example = with_fixed_time(&body.encode());
    if !kind.is_empty() {
        return vec![Message { kind: kind.to_owned(), about, example }];
    }
    let of_row = |row: &assay_wire::routes::AnalyzerRow| {
        let name = Analyzer::Static.row().reply;
        let example = example.replacen(name, row.reply, 1);
        let example = example.replacen("static-analyzer", row.analyzer.as_str(), 1);
        Message { kind: row.reply.to_owned(), about, example }
    };
    ANALYZERS.iter().map(of_row).collect()
}

/// Puts a fixed time in the place of now.
fn with_fixed_time(text: &str) -> String {
    let marker = "\"timestamp\":\"";
    let begin = text.find(marker).unwrap() + marker.len();
    format!("{}{TIME}{}", &text[..begin], &text[begin + TIME.len()..])
}
