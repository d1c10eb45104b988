//! Servers in the background: started, found, logged, stopped.

use super::{
    analysis,
    served::{Peer, Served},
    with_a_held_tool, with_an_app,
};
use crate::{
    fake::Fake,
    world::{LONG, World},
};
use serde_json::Value;
use std::{fs, net::TcpListener};
use testkit::{lives, wait_until};

/// Stops what a test started, also when it fails.
struct Background<'a>(&'a World);

impl Drop for Background<'_> {
    fn drop(&mut self) {
        self.0.says(&["stop", "--now"]);
    }
}

/// A port that is free, as far as anybody can know.
fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

fn start(world: &World, port: &str) -> u32 {
    let ran = world.says(&["start", "--no-service-ports", "--listen", port]);
    ran.exits(0);
    assert!(ran.stdout().contains(&format!("ready: gateway ws://127.0.0.1:{port}")), "{ran:?}");
    let pid = fs::read_to_string(world.at("home/.local/state/assay/servers/gateway.pid")).unwrap();
    pid.trim().parse().unwrap()
}

#[test]
fn a_server_is_started_once_and_stopped_when_its_work_is_done() {
    let world = with_a_held_tool();
    let port = free_port();
    let _background = Background(&world);
    let pid = start(&world, &port);
    let url = format!("ws://localhost:{port}");
    world.says(&["ping", "--server", &url]).exits(0);
    let again = world.says(&["start", "--listen", &port]);
    again.exits(0).complains(&[&format!("runs already (process {pid})")]);
    let mut peer = Peer::at(&url);
    peer.send(&analysis("1").to_string());
    world.pids("pids", 1);
    super::release(&world);
    let ran = world.says(&["stop"]);
    ran.exits(0);
    assert_eq!(ran.stdout(), "gateway is stopped\n");
    assert!(!lives(pid));
    assert_eq!(peer.until("analysis_result")["data"]["status"], "success");
    world.says(&["stop"]).exits(0).complains(&["no gateway runs in the background"]);
}

#[test]
fn what_a_server_logs_is_shown() {
    let world = with_an_app(Fake::clean());
    let port = free_port();
    let _background = Background(&world);
    world.says(&["logs"]).exits(2).complains(&["there is no log of the gateway", "assay start"]);
    start(&world, &port);
    let ran = world.says(&["logs"]);
    ran.exits(0);
    assert!(ran.stdout().contains("INFO  ready: gateway"), "{}", ran.stdout());
    let line: Value =
        serde_json::from_str(world.says(&["logs", "--json", "-n", "1"]).stdout().trim()).unwrap();
    assert_eq!(line["level"], "INFO");
    world.says(&["restart", "--no-service-ports", "--listen", &port]).exits(0);
    world.says(&["stop", "--now"]).exits(0);
    let log = world.says(&["logs"]).stdout();
    assert_eq!(log.matches("ready: gateway").count(), 2, "{log}");
    assert!(log.contains("draining"), "{log}");
}

#[test]
fn a_server_that_does_not_come_up_says_why() {
    let mut world = with_an_app(Fake::clean());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = world.says(&["start", "--no-service-ports", "--listen", &port]);
    ran.exits(2).complains(&["the gateway did not start", "cannot be listened on"]);
    world.set("serve", serde_json::json!({ "host": "0.0.0.0" }));
    let ran = world.says(&["start", "--no-service-ports"]);
    ran.exits(2).complains(&["no token is set up"]);
    assert!(wait_until(LONG, || world.says(&["stop"]).code() == Some(0)));
}

#[test]
fn a_service_alone_runs_beside_the_gateway() {
    let world = with_an_app(Fake::finding("high"));
    let port = free_port();
    let ran = world.says(&["start", "static", "--listen", &port]);
    ran.exits(0);
    let args = ["serve", "--listen", "127.0.0.1:0"];
    let urls = [("STATIC_ANALYZER_URLS", &*format!("ws://localhost:{port}"))];
    let gateway = Served::start(&world, &args, &urls);
    let mut peer = gateway.peer();
    peer.send(&analysis("1").to_string());
    assert_eq!(peer.until("analysis_result")["data"]["status"], "success");
    drop(gateway);
    let ran = world.says(&["stop", "static"]);
    assert_eq!(ran.stdout(), "static is stopped\n");
}
