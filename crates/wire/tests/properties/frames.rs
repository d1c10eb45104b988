//! Texts to requests and replies, and back.

use assay_wire::{
    AnalysisReply, AnalysisRequest, AnalysisStatus, AnalysisType, Analyzer, ErrorCode, Fault,
    Payload, Progress, ServiceName, TaskState, TaskStatus, Utf8Bytes,
    gateway::{self, BatchRequest, CancelWish, Register, StatusWish},
    service::{self, Health, HealthStatus, ServiceFault},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// Reads a text in every way there is.
fn read_as_anything(text: &str) {
    let frame = Utf8Bytes::from(text.to_owned());
    let _ = gateway::Frame::<gateway::Request>::decode(text);
    let _ = gateway::Frame::<gateway::Reply>::decode(&frame);
    let _ = service::Reply::decode(&frame);
    for analyzer in Analyzer::ALL {
        let _ = service::Frame::decode(text, *analyzer);
    }
}

const KINDS: &[&str] = &[
    "ping",
    "heartbeat",
    "connection_ack",
    "status_request",
    "analysis_request",
    "batch_request",
    "cancel_request",
    "progress_update",
    "service_register",
    "service_unregister",
    "static_analyze",
    "health_check",
    "server_status",
    "status_update",
    "analysis_result",
    "batch_result",
    "error",
    "static_analysis_result",
    "health_response",
    "sing",
];

const FIELDS: &[&str] = &[
    "type",
    "id",
    "data",
    "task_id",
    "correlation_id",
    "model",
    "model_slug",
    "app_number",
    "tools",
    "config",
    "options",
    "timeout",
    "priority",
    "subscribe",
    "health",
    "replay",
    "requests",
    "apps",
    "state",
    "services",
    "ack",
    "code",
    "message",
    "status",
    "analysis",
    "service",
    "target_url",
    "detach",
    "service_type",
    "service_id",
    "url",
    "weight",
    "stage",
    "progress",
    "event",
    "duration",
    "users",
];

/// Any JSON whose fields have names that mean something.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        select(vec!["queued", "app3", "7", "true", "ruff, mypy", "static", "code_quality"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((select(FIELDS), inner), 0..6).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    // A text of blanks counts as absent.
    "[!-~é]{1}.{0,20}".prop_filter("short enough", |text| text.len() <= 200)
}

/// Amounts that JSON can hold exactly, above 0.
fn amount() -> impl Strategy<Value = f64> {
    (1_u32..600_000_000).prop_map(|thousandths| f64::from(thousandths) / 1000.0)
}

fn words() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set("[a-z0-9-]{1,12}", 0..4)
        .prop_map(|set| set.into_iter().collect())
}

fn config() -> impl Strategy<Value = Map<String, Value>> {
    prop_oneof![
        Just(Map::new()),
        Just(json!({"ruff": {"select": "E"}, "x": [1, 2.5, null]}).as_object().unwrap().clone()),
    ]
}

fn task() -> impl Strategy<Value = assay_model::TaskId> {
    "[A-Za-z0-9_-]{1,64}".prop_map(|text| text.parse().unwrap())
}

prop_compose! {
    fn where_it_is()(
        model in name(),
        app_number in any::<u32>(),
        source_path in option::of(name()),
        target_urls in vec("http://[a-z]{1,8}:[1-9]{2}", 0..3),
    ) -> AnalysisRequest {
        let (model, app_number) = (Some(model), Some(app_number));
        let target_urls = target_urls
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        AnalysisRequest { model, app_number, source_path, target_urls, ..Default::default() }
    }
}

prop_compose! {
    fn analysis()(
        base in where_it_is(),
        analysis_type in option::of("[a-z_]{1,20}"),
        tools in words(),
        config in config(),
        timeout_s in option::of(amount()),
        duration_s in option::of(amount()),
        priority in option::of(1_u8..=3),
        users in option::of(1_u32..1000),
        task_id in option::of(task()),
        deadline_ms in option::of(0_u64..1_000_000),
        switches in any::<(bool, bool)>(),
        trace in option::of(("00-[0-9a-f]{31}1-[0-9a-f]{15}1-0[01]", option::of("[a-z]=[0-9]"))),
    ) -> AnalysisRequest {
        let (traceparent, tracestate) = trace.unzip();
        AnalysisRequest {
            analysis_type: analysis_type.map(|word| AnalysisType::new(&word)),
            tools, config, timeout_s, duration_s, priority, users, task_id, deadline_ms,
            detach: switches.0,
            refresh: switches.1,
            traceparent,
            tracestate: tracestate.flatten(),
            ..base
        }
    }
}

prop_compose! {
    fn progress()(
        texts in vec(".{0,12}", 4),
        thousandths in 0_u16..=1000,
        counts in any::<(u64, u64, u64)>(),
        tool in option::of(name()),
    ) -> Progress {
        let [analysis_id, stage, message, current_file] = texts.try_into().unwrap();
        Progress {
            analysis_id, stage, message, current_file, tool,
            progress: f64::from(thousandths) / 1000.0,
            files_processed: counts.0, total_files: counts.1, issues_found: counts.2,
            event: None,
        }
    }
}

prop_compose! {
    fn fault()(
        code in select(ErrorCode::ALL),
        message in ".{0,30}",
        suggestion in option::of(".{0,30}"),
        retry_after_ms in option::of(any::<u64>()),
        tool in option::of(".{0,9}"),
        causes in vec(".{0,9}", 0..3),
    ) -> Fault {
        Fault { suggestion, retry_after_ms, tool, causes, ..Fault::new(code, message) }
    }
}

prop_compose! {
    fn task_status()(
        state in select(TaskState::ALL),
        task_id in option::of(task()),
        position in option::of(any::<u64>()),
        status in option::of(select(AnalysisStatus::ALL)),
        result in option::of(value()),
    ) -> TaskStatus {
        let result = result.filter(|value| !value.is_null()).map(|value| Payload::of(&value).unwrap());
        TaskStatus { state, task_id, position, status, result }
    }
}

fn gateway_request() -> impl Strategy<Value = gateway::Request> {
    use gateway::Request;
    prop_oneof![
        Just(Request::ConnectionAck),
        Just(Request::Heartbeat),
        Just(Request::Ping),
        (option::of(any::<bool>()), any::<[bool; 2]>(), option::of(task())).prop_map(
            |(subscribe, [replay, health], task_id)| Request::Status(StatusWish {
                subscribe,
                replay,
                health,
                task_id
            })
        ),
        analysis().prop_map(|request| Request::Analysis(Box::new(request))),
        (vec(analysis(), 0..4), option::of(task()), any::<bool>()).prop_map(
            |(requests, task_id, detach)| {
                Request::Batch(Box::new(BatchRequest { requests, task_id, detach }))
            }
        ),
        task().prop_map(|id| {
            Request::Cancel(CancelWish { task_id: Some(id), correlation_id: Some("c".to_owned()) })
        }),
        progress().prop_map(|progress| Request::Progress(Box::new(progress))),
        (
            select(ServiceName::ALL),
            name(),
            name(),
            option::of(name()),
            words(),
            option::of(amount())
        )
            .prop_filter("a weight is at most 1000", |all| all
                .5
                .is_none_or(|weight| weight <= 1000.0))
            .prop_map(|(service_type, service_id, url, version, capabilities, weight)| {
                let zone = version.clone();
                Request::Register(Box::new(Register {
                    service_type,
                    service_id,
                    url,
                    version,
                    capabilities,
                    zone,
                    weight,
                }))
            }),
        name().prop_map(|service_id| Request::Unregister { service_id }),
    ]
}

fn service_reply() -> impl Strategy<Value = service::Reply> {
    use service::Reply;
    prop_oneof![
        name().prop_map(|service| Reply::Pong { service }),
        (select(HealthStatus::ALL), name(), words(), any::<(u64, u64, u32)>()).prop_map(
            |(status, service, available_tools, (active, queued, uptime))| {
                let unavailable_tools = [("x".to_owned(), "absent".to_owned())].into();
                Reply::Health(Box::new(Health {
                    status,
                    service,
                    available_tools,
                    active,
                    queued,
                    unavailable_tools,
                    version: "1".to_owned(),
                    uptime: f64::from(uptime) / 8.0,
                    capacity: active,
                    configuration: None,
                }))
            }
        ),
        (name(), option::of(name()), task_status()).prop_map(
            |(service, correlation_id, status)| {
                Reply::Task { service, correlation_id, status: Box::new(status) }
            }
        ),
        (name(), option::of(name()), progress()).prop_map(|(service, correlation_id, progress)| {
            Reply::Progress { service, correlation_id, progress: Box::new(progress) }
        }),
        (name(), fault()).prop_map(|(service, fault)| {
            Reply::Error(Box::new(ServiceFault { service, fault }))
        }),
        (select(Analyzer::ALL), select(AnalysisStatus::ALL), value(), option::of(task())).prop_map(
            |(analyzer, status, value, task_id)| {
                let mut reply = AnalysisReply::new(analyzer, status, Payload::of(&value).unwrap());
                reply.task_id = task_id;
                reply.timestamp = Some("now".to_owned());
                Reply::Analysis(Box::new(reply))
            }
        ),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in ".{0,200}") {
        read_as_anything(&text);
    }

    #[test]
    fn any_json_of_our_names_is_read_without_a_panic(
        kind in select(KINDS),
        mut value in value(),
        cut in any::<prop::sample::Index>(),
    ) {
        if let Value::Object(fields) = &mut value {
            fields.insert("type".to_owned(), Value::from(kind));
        }
        let text = value.to_string();
        read_as_anything(&text);
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        read_as_anything(&text[..*cut.get(&ends)]);
    }

    #[test]
    fn a_request_that_cannot_be_read_says_why_and_whose_it_is(
        kind in select(KINDS),
        data in value(),
    ) {
        let text = json!({"type": kind, "id": "mine", "data": data}).to_string();
        if let Err(unreadable) = gateway::Frame::<gateway::Request>::decode(&text) {
            prop_assert!(!unreadable.message.is_empty());
            prop_assert_eq!(unreadable.id.as_deref(), Some("mine"));
        }
    }

    #[test]
    fn what_is_asked_of_the_gateway_reads_as_it_was_written(body in gateway_request()) {
        let mut frame = gateway::Frame::new(body);
        frame.envelope.timestamp = Some("2026".to_owned());
        frame.envelope.client_id = Some("me".to_owned());
        let read = gateway::Frame::<gateway::Request>::decode(&frame.encode());
        prop_assert_eq!(read, Ok(frame));
    }

    #[test]
    fn what_is_asked_of_a_service_reads_as_it_was_written(
        request in analysis(),
        analyzer in select(Analyzer::ALL),
    ) {
        let mut frame = service::Frame::new(service::Request::Analysis(Box::new(request)));
        frame.timestamp = Some("2026".to_owned());
        frame.correlation_id = Some("c".to_owned());
        let read = service::Frame::decode(&frame.encode(analyzer), analyzer);
        prop_assert_eq!(read, Ok(frame));
    }

    #[test]
    fn what_a_service_says_reads_as_it_was_written(reply in service_reply()) {
        prop_assert_eq!(service::Reply::decode(&reply.encode()), Ok(reply));
    }

    #[test]
    fn what_the_gateway_says_reads_as_it_was_written(
        status in task_status(),
        progress in progress(),
        fault in fault(),
        data in value().prop_filter("no data at all is another frame", |value| !value.is_null()),
    ) {
        use gateway::Reply;
        for body in [
            Reply::Task(Box::new(status)),
            Reply::Progress(Box::new(progress)),
            Reply::Error(Box::new(fault)),
            Reply::AnalysisResult(Payload::of(&data).unwrap()),
        ] {
            let mut frame = gateway::Frame::answering("id", body);
            frame.envelope.timestamp = Some("2026".to_owned());
            prop_assert_eq!(gateway::Frame::<Reply>::decode(&frame.encode()), Ok(frame));
        }
    }
}
