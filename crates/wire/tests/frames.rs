//! Frames as the first system's clients send them, and as they expect the answers.

use assay_wire::{
    AnalysisStatus, Analyzer, ErrorCode, Fault, Payload, Progress, ServiceName, TaskState,
    TaskStatus, Utf8Bytes,
    gateway::{self, Envelope, StatusWish},
    service::{self, AnalysisReply, ServiceFault},
};
use serde_json::{Value, json};

fn parsed(frame: &Utf8Bytes) -> Value {
    serde_json::from_str(frame).expect("what we send is JSON")
}

/// The names of the fields, in their order.
fn names(frame: &Utf8Bytes) -> Vec<String> {
    let text = frame.as_str();
    let fields: serde_json::Map<String, Value> =
        serde_json::from_str(text).expect("it is an object");
    let mut names: Vec<String> = fields.keys().cloned().collect();
    names.sort_by_key(|name| text.find(&format!("\"{name}\":")));
    names
}

fn gateway_request(text: &str) -> gateway::Frame<gateway::Request> {
    gateway::Frame::<gateway::Request>::decode(text).expect("it can be read")
}

#[test]
fn the_requests_of_old_clients_of_the_gateway_are_read() {
    let heartbeat = gateway_request(r#"{"type": "heartbeat", "id": "a2"}"#);
    assert_eq!(
        (heartbeat.envelope.id.as_str(), heartbeat.body),
        ("a2", gateway::Request::Heartbeat)
    );
    let subscribe = r#"{"type":"status_request","data":{"subscribe":"events","replay":true}}"#;
    let wish = StatusWish { subscribe: Some(true), replay: true, ..StatusWish::default() };
    assert_eq!(gateway_request(subscribe).body, gateway::Request::Status(wish));
    assert_eq!(gateway_request(subscribe).envelope.id.len(), 36, "an id is filled in");
    let frame = gateway_request(
        r#"{"type":"analysis_request","id":"job-2","service":"code_quality","data":{"model":"nosuch",
            "app_number":7,"analysis_type":"security_python","options":{"tools":["vulture"]}}}"#,
    );
    assert_eq!(frame.envelope.service, Some(ServiceName::CodeQuality));
    let gateway::Request::Analysis(request) = frame.body else { panic!("{:?}", frame.body) };
    assert_eq!((request.model.as_deref(), request.app_number), (Some("nosuch"), Some(7)));
    assert_eq!((request.tools, request.config.len()), (vec!["vulture".to_owned()], 0));
}

#[test]
fn a_batch_is_a_list_of_requests_or_of_apps() {
    let apps = r#"{"type":"batch_request","data":{"apps":[["a",1],["b","app2"]],
        "analysis_type":"security","tools":"ruff,bandit","task_id":"t1"}}"#;
    let gateway::Request::Batch(batch) = gateway_request(apps).body else { panic!() };
    assert_eq!((batch.requests.len(), batch.requests[1].app_number), (2, Some(2)));
    assert_eq!(batch.requests[1].tools, ["ruff", "bandit"]);
    let bad = r#"{"type":"batch_request","id":"x","data":{"requests":[
        {"model":"a","app_number":1},{"data":{"model":"b","app_number":"z"}}]}}"#;
    let unreadable = gateway::Frame::<gateway::Request>::decode(bad).unwrap_err();
    assert_eq!((unreadable.code, unreadable.id.as_deref()), (ErrorCode::InvalidMessage, Some("x")));
    assert!(unreadable.message.starts_with("`requests[1].app_number` is \"z\""), "{unreadable}");
}

#[test]
fn what_the_gateway_answers_has_the_recorded_shape() {
    let reply = |body: gateway::Reply| gateway::Frame::answering("a2", body).encode();
    let heartbeat = reply(gateway::Reply::Heartbeat);
    assert_eq!(names(&heartbeat), ["type", "id", "timestamp", "data", "correlation_id"]);
    assert_eq!(parsed(&heartbeat)["data"], json!({"status": "alive"}));
    let ack = parsed(&reply(gateway::Reply::ConnectionAck));
    assert_eq!(ack["data"]["status"], "acknowledged");
    assert!(ack["data"]["server_time"].is_string());
    let queued = TaskStatus::new(TaskState::Queued, Some("t-1".parse().unwrap()));
    let queued = parsed(&reply(gateway::Reply::Task(Box::new(queued))));
    assert_eq!(queued["type"], "status_update");
    assert_eq!(queued["data"], json!({"state": "queued", "task_id": "t-1"}));
    assert_eq!(queued["correlation_id"], "a2");
}

#[test]
fn progress_has_all_the_fields_that_old_clients_read() {
    let progress = Progress { stage: "x".to_owned(), progress: 0.5, ..Progress::default() };
    let frame = gateway::Frame {
        envelope: Envelope::new(),
        body: gateway::Reply::Progress(Box::new(progress.clone())),
    };
    let fields = json!({
        "analysis_id": "", "stage": "x", "progress": 0.5, "message": "", "current_file": "",
        "files_processed": 0, "total_files": 0, "issues_found": 0,
    });
    assert_eq!(parsed(&frame.encode())["data"], fields);
    let of_service = service::Reply::Progress {
        service: "static-analyzer".to_owned(),
        correlation_id: Some("c".to_owned()),
        progress: Box::new(progress),
    };
    let frame = of_service.encode();
    assert_eq!(
        names(&frame),
        ["type", "correlation_id", "stage", "message", "service", "data", "timestamp"]
    );
    assert_eq!(service::Reply::decode(&frame).unwrap(), of_service);
}

#[test]
fn a_result_goes_through_the_gateway_as_it_is() {
    let analysis = Payload::from_json(r#"{ "model_slug" : "é", "n": 1e2 }"#).unwrap();
    let mut reply = AnalysisReply::new(Analyzer::Static, AnalysisStatus::Partial, analysis);
    reply.task_id = Some("t-1".parse().unwrap());
    let sent = service::Reply::Analysis(Box::new(reply.clone())).encode();
    assert_eq!(names(&sent), ["type", "status", "service", "analysis", "timestamp", "task_id"]);
    let service::Reply::Analysis(arrived) = service::Reply::decode(&sent).unwrap() else {
        panic!()
    };
    assert_eq!((&arrived.analysis, arrived.status), (&reply.analysis, AnalysisStatus::Partial));
    let passed = Payload::from_json(sent.clone()).unwrap();
    let result = gateway::Frame::answering("job", gateway::Reply::AnalysisResult(passed)).encode();
    assert!(result.contains(r#"{ "model_slug" : "é", "n": 1e2 }"#), "{result}");
    let back = gateway::Frame::<gateway::Reply>::decode(&result).unwrap();
    let gateway::Reply::AnalysisResult(data) = back.body else { panic!("{:?}", back.body) };
    assert_eq!(data.as_str(), sent.as_str());
    assert_eq!(AnalysisReply::decode(&data.to_text()).unwrap().task_id, reply.task_id);
}

#[test]
fn a_service_takes_its_own_requests_under_all_their_names() {
    let decode = |text: &str, analyzer| service::Frame::decode(text, analyzer);
    for kind in ["static_analyze", "analysis_request"] {
        let text = format!(r#"{{"type":"{kind}","model_slug":"m","app_number":1,"id":"sa-1"}}"#);
        let frame = decode(&text, Analyzer::Static).unwrap();
        assert_eq!(frame.correlation(), "sa-1");
        assert!(matches!(frame.body, service::Request::Analysis(_)), "{frame:?}");
    }
    let other = decode(r#"{"type":"static_analyze","id":"x"}"#, Analyzer::Ai).unwrap_err();
    assert_eq!(other.code, ErrorCode::UnknownType);
    assert_eq!(other.message, "Unknown message type: static_analyze");
    let inner = r#"{"type":"analysis_request","data":{"model":"m","tools":["a"]},"tools":["b"]}"#;
    let service::Request::Analysis(request) = decode(inner, Analyzer::Static).unwrap().body else {
        panic!()
    };
    assert_eq!((request.model.as_deref(), request.tools), (Some("m"), vec!["b".to_owned()]));
}

#[test]
fn an_error_is_flat_at_a_service_and_in_data_at_the_gateway() {
    let fault = Fault::new(ErrorCode::InvalidJson, "Invalid JSON format");
    let flat = service::Reply::Error(Box::new(ServiceFault {
        service: "static-analyzer".to_owned(),
        fault: fault.clone(),
    }));
    let sent = parsed(&flat.encode());
    assert_eq!((&sent["type"], &sent["code"]), (&json!("error"), &json!("invalid_json")));
    assert_eq!(
        (&sent["message"], &sent["service"]),
        (&json!("Invalid JSON format"), &json!("static-analyzer"))
    );
    let inner = gateway::Frame::answering("x", gateway::Reply::Error(Box::new(fault))).encode();
    assert_eq!(parsed(&inner)["data"]["code"], "invalid_json");
}

#[test]
fn the_errors_of_old_services_are_read() {
    let old = Utf8Bytes::from_static(r#"{"type":"error","error":"Unknown message type: x"}"#);
    let service::Reply::Error(error) = service::Reply::decode(&old).unwrap() else { panic!() };
    assert_eq!(error.fault.message, "Unknown message type: x");
}

#[test]
fn a_client_of_ours_reads_back_what_a_server_of_ours_writes() {
    let request = gateway::Frame::new(gateway::Request::Cancel(gateway::CancelWish {
        task_id: Some("t".parse().unwrap()),
        correlation_id: None,
    }));
    let read = gateway_request(&request.encode());
    assert_eq!(read.body, request.body);
    let status = gateway::Reply::Status(Box::new(gateway::StatusReport {
        services: [("ai_analyzer".to_owned(), "ws://localhost:2004".to_owned())].into(),
        timestamp: "2026-11-23T09:04:46.411393".to_owned(),
        subscribed: true,
        queue: Some(Payload::from_json("{\"waiting\":3}").unwrap()),
        ..gateway::StatusReport::default()
    }));
    for body in [
        status,
        gateway::Reply::Pong,
        gateway::Reply::Missed { missed: 7 },
        gateway::Reply::Ack { stage: "s".to_owned() },
    ] {
        let frame = gateway::Frame::answering("id", body);
        let read = gateway::Frame::<gateway::Reply>::decode(&frame.encode()).unwrap();
        assert_eq!(read.body, frame.body);
    }
}
