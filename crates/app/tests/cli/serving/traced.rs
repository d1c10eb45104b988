//! One trace through real processes, as a collector has it; and what the log says of it.

use super::{analysis, held, release, served::Served, with_an_app};
use crate::{
    fake::{FINDING, Fake},
    world::{LONG, Ran, World},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{fs, path::Path};
use testkit::{Collected, Collector, wait_until};

/// The trace that the client was begun as a part of.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A world with app 1 of the model `acme` and a tool that tells its trace; in a cage, where there is
/// one.
fn telling() -> World {
    let mut world = with_an_app(Fake::clean());
    world.set("sandbox", json!("auto"));
    let steps = ["complain-env=TRACEPARENT", "complain-env=TRACESTATE", FINDING, "exit=1"];
    world.tool("fake", Fake::new(steps));
    world
}

fn given() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

/// Runs `assay analyze acme 1` on a server, as a part of a trace.
fn asked(world: &World, served: &Served, collector: &str, words: &[&str]) -> Ran {
    let url = served.url();
    let mut command = world.assay([&["analyze", "acme", "1", "--server", &url], words].concat());
    command.env("TRACEPARENT", given()).env("TRACESTATE", "rojo=1");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
    world.run(&mut command)
}

/// The gateway and the service as processes of their own.
fn two(world: &World, collector: &str, words: &[&str]) -> (Served, Served) {
    let otel = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
    let args = [&["service", "static", "--listen", "127.0.0.1:0"], words].concat();
    let service = Served::start(world, &args, &[otel]);
    let args = [&["serve", "--listen", "127.0.0.1:0", "--no-service-ports"], words].concat();
    let url = service.url();
    let gateway = Served::start(world, &args, &[otel, ("STATIC_ANALYZER_URL", &url)]);
    (gateway, service)
}

/// Ends a server in order: what it has traced is with the collector then.
fn end(mut served: Served) {
    served.signal(Signal::TERM);
    assert_eq!(served.ends().code(), Some(0), "{}", served.said());
}

/// What the one run of the tool has written to its standard error.
#[track_caller]
fn complaints(results: &Path) -> String {
    let (mut found, mut folders) = (Vec::new(), vec![results.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == "fake.stderr" {
                found.push(fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// The one span of this name.
#[track_caller]
fn span<'a>(spans: &'a [Collected], name: &str) -> &'a Collected {
    let found: Vec<&Collected> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "`{name}` in {spans:#?}");
    found[0]
}

#[test]
fn one_trace_goes_through_client_gateway_service_and_tool() {
    let (world, collector) = (telling(), Collector::start(&[]).unwrap());
    let (gateway, service) = two(&world, &collector.url(), &[]);
    asked(&world, &gateway, &collector.url(), &[]).exits(0);
    let (gateway_url, service_url) = (gateway.url(), service.url());
    end(gateway);
    end(service);
    assert_eq!(collector.unreadable(), 0);
    let spans = collector.spans();
    assert_eq!(spans.len(), 5, "{spans:#?}");
    let mut parent = PARENT;
    for (name, process, kind) in [
        ("analysis request", "assay", 3),
        ("gateway run", "assay-gateway", 2),
        ("attempt", "assay-gateway", 3),
        ("static-analyzer run", "assay-static", 2),
        ("fake", "assay-static", 1),
    ] {
        let span = span(&spans, name);
        assert_eq!((span.trace.as_str(), span.parent.as_str()), (TRACE, parent), "{span:#?}");
        assert_eq!(span.resource["service.name"], process);
        assert_eq!((span.kind, span.state.as_str(), span.flags), (kind, "rojo=1", 1));
        assert!(span.begun_ns > 0 && span.begun_ns <= span.ended_ns);
        assert_eq!(span.failed, None);
        parent = &span.span;
    }
    let attributes = |name: &str| &span(&spans, name).attributes;
    assert_eq!(attributes("analysis request")["url.full"], gateway_url);
    assert_eq!(attributes("attempt")["url.full"], service_url);
    assert_eq!(attributes("gateway run")["assay.status"], "success");
    let task = &attributes("analysis request")["assay.task.id"];
    for name in ["gateway run", "attempt", "static-analyzer run"] {
        assert_eq!(&attributes(name)["assay.task.id"], task);
    }
    assert_eq!(attributes("fake")["assay.tool.status"], "ok");
    assert_eq!(attributes("fake")["process.exit.code"], "1");
    // The tool itself, in its clean environment.
    let told = format!("TRACEPARENT=00-{TRACE}-{parent}-01\nTRACESTATE=rojo=1\n");
    assert_eq!(complaints(&world.at("cwd/results")), told);
}

#[test]
fn who_joins_is_linked_and_a_trace_that_is_malformed_is_none() {
    let mut world = with_an_app(Fake::clean());
    let fake = held(&world, &[FINDING, "exit=1"]);
    world.tool("fake", fake);
    let collector = Collector::start(&[]).unwrap();
    let url = collector.url();
    let args = ["serve", "--listen", "127.0.0.1:0", "--no-service-ports"];
    let served = Served::start(&world, &args, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]);
    let (mut first, mut second) = (served.peer(), served.peer());
    let with = |id: &str, traceparent: Value| {
        let mut frame = analysis(id);
        frame["data"]["traceparent"] = traceparent;
        frame.to_string()
    };
    first.send(&with("1", json!("00-no-trace-at-all")));
    assert_eq!(first.until("status_update")["data"]["state"], "queued");
    second.send(&with("2", json!(given())));
    assert_eq!(second.until("status_update")["data"]["state"], "queued");
    world.pids("pids", 1);
    release(&world);
    for peer in [&mut first, &mut second] {
        assert_eq!(peer.until("analysis_result")["data"]["status"], "success");
    }
    end(served);
    let spans = collector.spans();
    let run = span(&spans, "gateway run");
    assert_eq!(run.parent, "");
    assert_ne!(run.trace, TRACE);
    assert_eq!(run.links, [(TRACE.to_owned(), PARENT.to_owned())]);
    let mut events = run.events.clone();
    // Its turn may have come before.
    events.sort();
    assert_eq!(events, ["begun", "joined"]);
    // The run is one, and so is its trace.
    assert!(spans.iter().all(|span| span.trace == run.trace), "{spans:#?}");
    assert_eq!(spans.len(), 4, "{spans:#?}");
}

#[test]
fn an_analysis_without_a_server_is_a_trace_too_and_a_collector_that_is_away_changes_nothing() {
    let collector = Collector::start(&[]).unwrap();
    let world = World::with(Fake::finding("high"));
    let mut command = world.analysis(&[]);
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("{}/v1/traces", collector.url()));
    world.run(&mut command).exits(0);
    let spans = collector.spans();
    let (whole, tool) = (span(&spans, "static-analyzer run"), span(&spans, "fake"));
    assert_eq!((whole.parent.as_str(), &tool.parent), ("", &whole.span));
    assert_eq!(whole.attributes["assay.status"], "success");
    assert_eq!(whole.resource["service.name"], "assay");
    let away = collector.url();
    drop(collector);
    let mut command = world.analysis(&[]);
    let ran = world.run(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &away));
    ran.exits(0);
    assert!(!ran.stderr().contains("collector"), "{}", ran.stderr());
    let mut command = world.analysis(&[]);
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &away).env(grpc.0, grpc.1);
    world.run(&mut command).exits(0).complains(&["nothing is traced", "`grpc`"]);
}

/// The lines of a log from the acceptance of a task to its end.
#[track_caller]
fn lines(log: &str) -> Vec<Value> {
    let lines = log.lines().filter(|line| line.starts_with('{'));
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    // What becomes of the server itself, such as a configuration that is read anew.
    let all: Vec<Value> = lines.filter(|line| line["target"] != "assay::serving").collect();
    let at = |message: &str, from: usize| {
        let found = all[from..].iter().position(|line| line["message"] == message);
        from + found.unwrap_or_else(|| panic!("no line `{message}` in:\n{log}"))
    };
    let begin = at("accepted", 0);
    let end = at("ended", begin);
    all[begin..=end].to_vec()
}

#[test]
fn every_line_between_acceptance_and_end_has_its_task_and_its_trace() {
    let world = telling();
    let words = ["--log-format", "json", "-vv"];
    let (gateway, service) = two(&world, "", &words);
    let ran = asked(&world, &gateway, "", &words);
    ran.exits(0);
    let is_told = |served: &Served| served.said().contains("\"ended\"");
    assert!(wait_until(LONG, || is_told(&gateway) && is_told(&service)));
    let of_client = lines(&ran.stderr());
    let task = of_client[0]["task_id"].clone();
    assert!(task.is_string(), "{of_client:?}");
    let (of_gateway, of_service) = (lines(&gateway.said()), lines(&service.said()));
    for line in of_client.iter().chain(&of_gateway).chain(&of_service) {
        assert_eq!((&line["task_id"], &line["trace_id"]), (&task, &json!(TRACE)), "{line}");
        assert_eq!(line["span_id"].as_str().map(str::len), Some(16), "{line}");
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
    }
    let messages = |lines: &[Value]| -> Vec<String> {
        lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(messages(&of_client), ["accepted", "ended"]);
    assert_eq!(messages(&of_gateway), ["accepted", "begun", "a service is asked", "ended"]);
    // The tool's lines are of its own span.
    let of_tool: Vec<&Value> = of_service.iter().filter(|line| line["tool"] == "fake").collect();
    assert_eq!(of_tool.len(), 2, "{of_service:#?}");
    assert!(of_tool.iter().all(|line| line["span_id"] != of_service[0]["span_id"]));
    // What is about no request has none.
    let said = service.said();
    let ready = said.lines().find(|line| line.contains("ready: ")).unwrap();
    assert!(!ready.contains("trace_id"), "{ready}");
}
