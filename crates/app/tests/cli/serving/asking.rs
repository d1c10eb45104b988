//! The commands that ask a running server, and what they say where there is none.

use super::{analysis, served::Served, with_a_held_tool, with_an_app};
use crate::{
    fake::Fake,
    world::{LONG, World},
};
use serde_json::{Value, json};
use std::{fs, net::TcpListener, process::Stdio};
use testkit::wait_until;

pub(super) fn json_of(ran: &crate::world::Ran) -> Value {
    serde_json::from_str(&ran.stdout()).unwrap_or_else(|why| panic!("{why}: {ran:?}"))
}

/// An address at which nobody listens.
fn nobody() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("ws://{}", free.local_addr().unwrap())
}

#[test]
fn where_no_server_answers_it_is_said_which_and_how_to_start_one() {
    let world = World::new();
    let url = nobody();
    for words in [&["status"][..], &["health"], &["ping"], &["cancel", "abc"]] {
        let ran = world.says(&[words, &["--server", &url]].concat());
        ran.exits(2).complains(&["no gateway answers at", &url, "assay start", "--server"]);
        assert_eq!(ran.stdout(), "");
    }
    let mut command = world.assay(["ping", "static"]);
    command.env("STATIC_ANALYZER_URL", &url);
    let ran = world.run(&mut command);
    ran.exits(2).complains(&["no static-analyzer answers at", &url, "assay service static"]);
    world.says(&["ping", "statik"]).exits(2).complains(&["there is no service `statik`"]);
    world.says(&["status", "--server", "http://x"]).exits(2).complains(&["ws://"]);
}

#[test]
fn a_running_gateway_is_asked() {
    let world = with_an_app(Fake::clean());
    let gateway = Served::gateway(&world, &[]);
    let url = gateway.url();
    let ran = world.says(&["status", "--server", &url]);
    ran.exits(0);
    assert!(ran.stdout().contains("security_analyzer"), "{}", ran.stdout());
    let status = json_of(world.says(&["status", "--json", "--server", &url]).exits(0));
    assert_eq!(status["gateway"], url);
    assert_eq!(status["status"]["tasks"]["running"], 0);
    let ping = json_of(world.says(&["ping", "--json", "--server", &url]).exits(0));
    assert_eq!((&ping["service"], &ping["url"]), (&json!("gateway"), &json!(url)));
    let service = Served::service(&world, &[]);
    let mut command = world.assay(["ping", "static"]);
    command.env("STATIC_ANALYZER_URL", service.url());
    let ran = world.run(&mut command);
    ran.exits(0);
    assert!(ran.stdout().contains("static-analyzer at ws://"), "{}", ran.stdout());
}

#[test]
fn the_health_of_a_service_elsewhere_is_told() {
    let world = with_an_app(Fake::missing());
    let service = Served::service(&world, &[]);
    let args = ["serve", "--listen", "127.0.0.1:0"];
    let gateway = Served::start(&world, &args, &[("STATIC_ANALYZER_URLS", &service.url())]);
    let mut health = Value::Null;
    // The tools are looked for while clients are served already.
    let is_told = wait_until(LONG, || {
        let ran = world.says(&["health", "--json", "--server", &gateway.url()]);
        health = json_of(&ran);
        health["services"][0]["health"]["unavailable_tools"]["fake"].is_string()
    });
    assert!(is_told, "{health:#}");
    assert_eq!(health["services"][0]["health"]["status"], "degraded");
    let ran = world.says(&["health", "--server", &gateway.url()]);
    ran.exits(3);
    assert!(ran.stdout().contains("degraded"), "{}", ran.stdout());
}

/// Its ports are not there to be asked: the gateway says how it is.
#[test]
fn the_health_of_a_service_of_the_gateways_own_process_is_told() {
    let world = with_an_app(Fake::clean());
    let gateway = Served::gateway(&world, &[]);
    let mut health = Value::Null;
    let is_well = wait_until(LONG, || {
        let ran = world.says(&["health", "--json", "--server", &gateway.url()]);
        health = json_of(&ran);
        // What else is at hand is the machine's: npm brings a tool of its own.
        let tools = health["services"][0]["health"]["available_tools"].as_array();
        tools.is_some_and(|tools| tools.contains(&json!("fake")))
    });
    assert!(is_well, "{health:#}");
    world.says(&["health", "--server", &gateway.url()]).exits(0);
    world.says(&["test", "--server", &gateway.url()]).exits(0);
}

#[test]
fn work_is_cancelled_by_its_name() {
    let world = with_a_held_tool();
    let gateway = Served::gateway(&world, &[]);
    let mut peer = gateway.peer();
    peer.send(&analysis("1").to_string());
    let task = peer.until("status_update")["data"]["task_id"].as_str().unwrap().to_owned();
    let pids = world.pids("pids", 1);
    let ran = world.says(&["cancel", &task, "--server", &gateway.url()]);
    ran.exits(0);
    assert_eq!(ran.stdout(), format!("{task}: cancelled\n"));
    assert!(pids.iter().all(|pid| !testkit::lives(*pid)), "it was said before it was true");
    assert_eq!(peer.until("analysis_result")["data"]["status"], "cancelled");
    let ran = world.says(&["cancel", "nosuch", "--server", &gateway.url()]);
    ran.exits(2).complains(&["has no task `nosuch`"]);
}

#[test]
fn an_app_is_analysed_by_a_server() {
    let world = with_an_app(Fake::finding("high"));
    let gateway = Served::gateway(&world, &[]);
    let url = gateway.url();
    let words = ["analyze", "acme", "1", "--server", &url];
    let ran = world.says(&words);
    ran.exits(0);
    assert!(ran.stdout().contains("acme app1: analysis complete (task "), "{}", ran.stdout());
    assert!(ran.stderr().contains("fake"), "progress is shown: {}", ran.stderr());
    world.says(&[&words[..], &["--fail-on", "high"]].concat()).exits(1);
    world.says(&[&words[..], &["--fail-on", "critical"]].concat()).exits(0);
    let path = world.at("cwd/generated/apps/acme/app1").display().to_string();
    let ran = world.says(&["analyze", &path, "--server", &url, "--format", "json"]);
    ran.exits(0);
    assert_eq!(json_of(&ran)["analysis"]["summary"]["total_findings"], 1);
    let ran = world.says(&["analyze", "acme", "7", "--server", &url]);
    ran.exits(3);
    assert!(ran.stdout().contains("not found"), "{}", ran.stdout());
    let outside = world.app().display().to_string();
    let ran = world.says(&["analyze", &outside, "--server", &url]);
    ran.exits(2).complains(&["path_not_allowed"]);
    let ran = world.says(&["analyze", &path, "--server", &url, "--format", "sarif"]);
    ran.exits(2).complains(&["reports stay with the server"]);
}

#[test]
fn a_task_is_listed_and_watched_while_it_runs_and_after() {
    let world = with_a_held_tool();
    let gateway = Served::gateway(&world, &[]);
    let url = gateway.url();
    let mut peer = gateway.peer();
    peer.send(&analysis("1").to_string());
    let task = peer.until("status_update")["data"]["task_id"].as_str().unwrap().to_owned();
    world.pids("pids", 1);
    let tasks = json_of(world.says(&["tasks", "--json", "--server", &url]).exits(0));
    let listed = tasks.as_array().unwrap();
    let found: Vec<&Value> = listed.iter().filter(|entry| entry["task"] == *task).collect();
    assert_eq!(found.len(), 1, "{tasks}");
    assert_eq!((&found[0]["state"], &found[0]["server"]), (&json!("running"), &json!(url)));
    let mut watching = world.assay(["watch", &task, "--server", &url]);
    let watching = watching.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    super::release(&world);
    let output = watching.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(shown.contains(&format!("acme app1: analysis complete (task {task})")), "{shown}");
    let ran = world.says(&["watch", &task, "--json", "--server", &url]);
    ran.exits(0);
    assert_eq!(json_of(&ran)["status"], "success");
    world.says(&["watch", "nosuch", "--server", &url]).exits(2).complains(&["no task `nosuch`"]);
    drop(gateway);
    let tasks = json_of(world.says(&["tasks", "--json"]).exits(0));
    assert!(tasks.as_array().unwrap().iter().any(|entry| entry["task"] == *task), "{tasks}");
}

/// The folder of a service on another machine is not here: what it has sent is.
#[test]
fn a_result_whose_folder_is_elsewhere_is_read_from_the_book() {
    let world = with_an_app(Fake::finding("high"));
    let gateway = Served::gateway(&world, &[]);
    let mut peer = gateway.peer();
    peer.send(&analysis("1").to_string());
    let task = peer.until("analysis_result")["data"]["task_id"].as_str().unwrap().to_owned();
    drop(gateway);
    fs::remove_dir_all(world.at("cwd/results")).unwrap();
    let listed = json_of(world.says(&["results", "list", "--json"]).exits(0));
    assert_eq!(listed[0]["task"], *task, "{listed}");
    let ran = world.says(&["results", "show", &task[..18]]);
    ran.exits(0);
    assert!(ran.stdout().contains(&format!("analysis complete (task {task})")), "{}", ran.stdout());
    let reply = json_of(world.says(&["results", "show", &task, "--json"]).exits(0));
    assert_eq!(reply["analysis"]["summary"]["total_findings"], 1);
    let ran = world.says(&["results", "export", &task, "--format", "sarif"]);
    ran.exits(2).complains(&["lies with the service that made it"]);
    world.says(&["results", "show", "nosuch"]).exits(2);
}

#[test]
fn a_copy_of_the_book_is_a_book() {
    let world = with_an_app(Fake::clean());
    let copy = world.at("copy").display().to_string();
    world.says(&["backup", &copy]).exits(2).complains(&["there is no book", "assay serve"]);
    let gateway = Served::gateway(&world, &[]);
    let mut peer = gateway.peer();
    peer.send(&analysis("1").to_string());
    let task = peer.until("status_update")["data"]["task_id"].clone();
    peer.until("analysis_result");
    world.says(&["backup", &copy]).exits(0);
    let args = ["serve", "--listen", "127.0.0.1:0", "--no-service-ports"];
    let other = Served::start(&world, &args, &[("ASSAY_BOOK", &copy)]);
    let asked = json!({ "type": "status_request", "data": { "task_id": task } });
    let status = other.peer().ask(&asked);
    assert_eq!(status["data"]["status"], "success", "{status}");
}

#[test]
fn a_gateway_is_tried() {
    let world = with_an_app(Fake::finding("high"));
    let service = Served::service(&world, &[]);
    let args = ["serve", "--listen", "127.0.0.1:0"];
    let gateway = Served::start(&world, &args, &[("STATIC_ANALYZER_URLS", &service.url())]);
    let words = ["test", "acme", "1", "--server", &gateway.url(), "--json"];
    let tried = json_of(world.says(&words).exits(0));
    let what: Vec<&str> =
        tried.as_array().unwrap().iter().map(|one| one["tried"].as_str().unwrap()).collect();
    let health = format!("static-analyzer at {}: health", service.url());
    assert_eq!(what, ["gateway: ping", &health, "analysis of acme 1"]);
    drop(service);
    // What a replica has said of itself is shared for a second.
    let again = || world.says(&["test", "--server", &gateway.url()]);
    wait_until(LONG, || again().code() != Some(0));
    again().exits(3).complains(&["the gateway does not reach `ws://"]);
}
