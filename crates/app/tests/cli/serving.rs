//! Servers: how they begin, whom they let in, what they answer, and how they end.

mod alerts; // the rules for Prometheus
mod asking; // the commands that ask a running server
mod background; // servers that a command starts and stops
mod batches; // many apps, analysed by a server
mod examples; // the programs of the integrator's guide
pub(crate) mod served; // a server, and clients that speak to it
mod traced; // one trace through all processes, and the ids in their logs

use crate::{
    fake::{FINDING, Fake},
    world::{LONG, World},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use served::{Peer, Served};
use std::{
    fs,
    net::TcpListener,
    process::{Command, Stdio},
};
use testkit::{lives, wait_until};

/// A world with app 1 of the model `acme`, and one tool.
pub(crate) fn with_an_app(fake: Fake) -> World {
    let mut world = World::empty();
    world.without_a_cage();
    world.tool("fake", fake);
    let app = world.at("cwd/generated/apps/acme/app1");
    fs::create_dir_all(&app).unwrap();
    fs::write(app.join("a.py"), "one = 1\ntwo = 2\nthree = 3\n").unwrap();
    world
}

/// A tool that notes itself in `pids`, and goes on when somebody else has noted himself too.
fn held(world: &World, last: &[&str]) -> Fake {
    let note = format!("pid-file={}", world.at("pids").display());
    let last: Vec<String> = last.iter().map(|&step| step.to_owned()).collect();
    Fake::new([vec![note, "until-noted=2".to_owned()], last].concat())
}

fn with_a_held_tool() -> World {
    let mut world = with_an_app(Fake::clean());
    let fake = held(&world, &[FINDING, "exit=1"]);
    world.tool("fake", fake);
    world
}

/// Lets the held tool go on.
fn release(world: &World) {
    let path = world.at("pids");
    let noted = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{noted}0\n")).unwrap();
}

pub(crate) fn analysis(id: &str) -> Value {
    let data = json!({ "model": "acme", "app_number": 1, "analysis_type": "static" });
    json!({ "type": "analysis_request", "id": id, "data": data })
}

#[test]
fn a_gateway_answers_and_tells_how_it_is() {
    let world = with_an_app(Fake::finding("high"));
    let served = Served::gateway(&world, &[]);
    let mut peer = served.peer();
    assert_eq!(peer.ask(&json!({ "type": "ping", "id": "1" }))["type"], "pong");
    let heartbeat = peer.ask(&json!({ "type": "heartbeat", "id": "2" }));
    assert_eq!(heartbeat["data"], json!({ "status": "alive" }));
    let status = peer.ask(&json!({ "type": "status_request", "id": "3" }));
    assert_eq!(status["data"]["services"]["security_analyzer"], "ws://localhost:2001");
    peer.send(&analysis("4").to_string());
    let result = peer.until("analysis_result");
    assert_eq!(result["data"]["status"], "success", "{result}");
    assert_eq!(result["data"]["analysis"]["summary"]["total_findings"], 1);
    for (path, status, words) in [
        ("/healthz", 200, "alive"),
        ("/readyz", 200, "ready"),
        ("/metrics", 200, "# EOF"),
        ("/", 404, "WebSocket"),
        ("/nowhere?token=x", 404, "/healthz"),
    ] {
        let (found, body) = served.page(path, "");
        assert_eq!(found, status, "{path}: {body}");
        assert!(body.contains(words), "{path}: {body}");
    }
    assert!(served.said().contains("a new book at"), "{}", served.said());
}

#[test]
fn a_service_speaks_to_clients_of_the_first_system() {
    let world = with_an_app(Fake::finding("high"));
    let served = Served::service(&world, &[]);
    let mut peer = served.old_peer();
    assert_eq!(peer.ask(&json!({ "type": "ping" }))["service"], "static-analyzer");
    assert_eq!(peer.ask(&json!({ "type": "health_check" }))["type"], "health_response");
    peer.send("{");
    let error = peer.receive().unwrap();
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!("invalid_json"), &json!("Invalid JSON format"))
    );
    peer.send(
        &json!({ "type": "static_analyze", "model_slug": "acme", "app_number": 1 }).to_string(),
    );
    let reply = peer.until("static_analysis_result");
    assert_eq!(reply["status"], "success", "{reply}");
    assert_eq!(reply["analysis"]["tool_results"]["fake"]["total_issues"], 1);
    assert_eq!(peer.receive(), None);
    assert_eq!(peer.closed(), (Some(1000), "Analysis complete".to_owned()));
}

#[test]
fn nobody_of_another_machine_gets_in_without_a_token() {
    let world = with_an_app(Fake::clean());
    for words in [["serve", "--listen", "0.0.0.0:0"], ["serve", "--listen", "[::]:0"]] {
        let ran = world.says(&words);
        ran.exits(2).complains(&["no token is set up", "set ASSAY_TOKEN", "[[serve.tokens]]"]);
    }
    let args = ["serve", "--listen", "0.0.0.0:0", "--no-service-ports"];
    let served = Served::start(&world, &args, &[("ASSAY_TOKEN", "open-sesame")]);
    let port = served.address.rsplit(':').next().unwrap();
    let url = format!("ws://127.0.0.1:{port}");
    for bad in ["", "open-sesam", "open-sesame2"] {
        let why = Peer::with_token(&url, bad).err().expect("it must not get in");
        assert!(why.contains("401"), "{why}");
    }
    let mut peer = Peer::with_token(&url, "open-sesame").unwrap();
    assert_eq!(peer.ask(&json!({ "type": "ping" }))["type"], "pong");
    let mut peer = Peer::with_token(&format!("{url}/?token=open-sesame"), "").unwrap();
    assert_eq!(peer.ask(&json!({ "type": "ping" }))["type"], "pong");
    assert!(!served.said().contains("sesame"), "{}", served.said());
}

#[test]
fn a_token_does_what_its_scopes_allow() {
    let mut world = with_an_app(Fake::clean());
    // SHA-256 of `abc`.
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let token = json!({ "name": "reader", "secret-sha256": sha256, "scopes": ["read"] });
    world.set("serve", json!({ "tokens": [token] }));
    let served = Served::gateway(&world, &[]);
    let mut peer = Peer::with_token(&served.url(), "abc").unwrap();
    assert_eq!(peer.ask(&json!({ "type": "status_request" }))["type"], "status_update");
    let refused = peer.ask(&analysis("1"));
    assert_eq!(refused["data"]["code"], "unauthorized");
    // This machine is no exception.
    assert!(Peer::with_token(&served.url(), "").err().unwrap().contains("401"));
    assert_eq!(served.page("/readyz", "").0, 200);
    assert_eq!(served.page("/metrics", "").0, 401);
    assert_eq!(served.page("/metrics", "authorization: Bearer abc\r\n").0, 200);
    let service = Served::service(&world, &[]);
    let why = Peer::with_token(&service.url(), "abc").err().unwrap();
    assert!(why.contains("403") && why.contains("`run`"), "{why}");
}

#[test]
fn pages_of_a_browser_connect_from_allowed_origins_only() {
    let mut world = with_an_app(Fake::clean());
    world.set("serve", json!({ "origins": ["http://dash.example"] }));
    let served = Served::gateway(&world, &[]);
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let (status, body) = served.page("/", &format!("{upgrade}origin: http://evil.example\r\n"));
    assert_eq!(status, 403, "{body}");
}

#[test]
fn sigterm_finishes_what_runs_and_then_ends() {
    let world = with_a_held_tool();
    let mut served = Served::gateway(&world, &[]);
    let mut peer = served.peer();
    peer.send(&analysis("1").to_string());
    world.pids("pids", 1);
    served.signal(Signal::TERM);
    served.until_said("draining");
    let refused = peer.ask_beside(&json!({
        "type": "analysis_request", "id": "2", "data": { "model": "other", "app_number": 1 },
    }));
    assert_eq!(refused["data"]["code"], "draining", "{refused}");
    release(&world);
    assert_eq!(peer.until("analysis_result")["data"]["status"], "success");
    assert_eq!(served.ends().code(), Some(0), "{}", served.said());
    assert!(served.said().ends_with("ended\n"), "{}", served.said());
}

#[test]
fn what_does_not_finish_in_time_is_cancelled() {
    let world = with_a_held_tool();
    for served in [Served::gateway, Served::service] {
        let mut served = served(&world, &["--drain-timeout", "1s"]);
        let mut peer = served.peer();
        peer.send(&analysis("1").to_string());
        let pids = world.pids("pids", 1);
        served.signal(Signal::INT);
        let end = loop {
            let frame = peer.receive().expect("it closed without an end");
            let kind = frame["type"].as_str().unwrap();
            if kind.ends_with("_result") {
                break frame;
            }
        };
        let status = end["data"]["status"].as_str().or(end["status"].as_str());
        assert_eq!(status, Some("cancelled"), "{end}");
        assert_eq!(served.ends().code(), Some(0), "{}", served.said());
        assert!(served.said().contains("was cancelled"), "{}", served.said());
        assert!(pids.iter().all(|pid| !lives(*pid)));
        fs::remove_file(world.at("pids")).unwrap();
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let world = with_a_held_tool();
        let mut served = Served::gateway(&world, &["--drain-timeout", "1h"]);
        let mut peer = served.peer();
        peer.send(&analysis("1").to_string());
        let pids = world.pids("pids", 1);
        served.signal(signal);
        served.until_said("draining");
        // Two that come within hundredths of a second count as one, so it is asked until it obeys.
        let gone = wait_until(LONG, || {
            let alive = served.lives();
            if alive {
                served.signal(signal);
            }
            !alive
        });
        assert!(gone, "it waits for the tool: {}", served.said());
        assert_eq!(served.ends().code(), Some(code), "{}", served.said());
        assert!(wait_until(LONG, || pids.iter().all(|pid| !lives(*pid))), "a tool is left");
    }
}

#[test]
fn a_new_configuration_is_taken_and_a_wrong_one_is_not() {
    let mut world = with_an_app(Fake::clean());
    let mut served = Served::gateway(&world, &[]);
    let file = world.at("assay.toml");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, "serv = 1\n").unwrap();
    // Nobody has to say so: it is seen.
    served.until_said("the old one stays in force");
    served.until_said("there is no setting `serv`");
    assert_eq!(served.peer().ask(&json!({ "type": "ping" }))["type"], "pong");
    // SHA-256 of `abc`.
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let tokens = json!([{ "name": "abc", "secret-sha256": sha256 }]);
    world.set("serve", json!({ "tokens": tokens }));
    drop(world.assay(["--version"]));
    assert_ne!(fs::read_to_string(&file).unwrap(), good);
    served.signal(Signal::HUP);
    served.until_said("the configuration is reloaded");
    assert!(Peer::with_token(&served.url(), "").is_err());
    assert!(Peer::with_token(&served.url(), "abc").is_ok());
}

#[test]
fn the_configuration_is_read_again_when_asked() {
    let world = with_an_app(Fake::clean());
    let mut served = Served::gateway(&world, &[]);
    served.signal(Signal::HUP);
    served.until_said("the configuration is reloaded");
}

#[test]
fn the_secret_may_be_in_a_file_which_is_read_again() {
    let world = with_an_app(Fake::clean());
    let file = world.at("secret");
    let path = file.display().to_string();
    fs::write(&file, "first-secret\n").unwrap();
    let args = ["serve", "--listen", "127.0.0.1:0", "--no-service-ports"];
    let mut served = Served::start(&world, &args, &[("ASSAY_TOKEN_FILE", &path)]);
    let url = served.url();
    let ping = |path: &str| {
        let mut command = world.assay(["ping", "--server", &url]);
        world.run(command.env("ASSAY_TOKEN_FILE", path))
    };
    ping(&path).exits(0);
    assert!(Peer::with_token(&served.url(), "").is_err());
    fs::write(&file, "second-secret\n").unwrap();
    ping(&path).exits(2).complains(&["does not know this token"]);
    ping("/nonexistent").exits(2).complains(&["ASSAY_TOKEN_FILE (`/nonexistent`) cannot be read"]);
    served.signal(Signal::HUP);
    served.until_said("the configuration is reloaded");
    assert!(Peer::with_token(&served.url(), "second-secret").is_ok());
    assert!(Peer::with_token(&served.url(), "first-secret").is_err());
    assert!(!served.said().contains("-secret"), "{}", served.said());
}

#[test]
fn a_server_that_cannot_begin_says_why() {
    let mut world = with_an_app(Fake::clean());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = world.says(&["serve", "--listen", &address, "--no-service-ports"]);
    ran.exits(2).complains(&[&address, "cannot be listened on", "assay stop"]);
    let ran = world.says(&["service", "static", "--listen", &address]);
    ran.exits(2).complains(&[&address, "cannot be listened on", "localhost:9001"]);
    world.says(&["serve", "--listen", "nonsense"]).exits(2).complains(&["HOST:PORT"]);
    world.says(&["serve", "--drain-timeout", "soon"]).exits(2).complains(&["--drain-timeout"]);
    world.says(&["service", "dynamic"]).exits(2).complains(&["not built yet"]);
    world.says(&["service", "statik"]).exits(2).complains(&["there is no service"]);
    world.set("serve", json!({ "tls-key": "key.pem" }));
    world.says(&["serve"]).exits(2).complains(&["tls-certificate"]);
    world.set("serve", json!({ "tls-certificate": "no.pem", "tls-key": "no.pem" }));
    world.says(&["serve"]).exits(2).complains(&["no.pem"]);
}

#[test]
fn work_of_a_gateway_that_was_killed_is_done_by_the_next() {
    let world = with_a_held_tool();
    let mut served = Served::gateway(&world, &[]);
    let mut peer = served.peer();
    peer.send(&analysis("1").to_string());
    let task = peer.until("status_update")["data"]["task_id"].clone();
    let pids = world.pids("pids", 1);
    served.signal(Signal::KILL);
    served.ends();
    assert!(wait_until(LONG, || pids.iter().all(|pid| !lives(*pid))), "a tool is left");
    // The next attempt goes on: the first has noted itself already.
    let served = Served::gateway(&world, &[]);
    assert!(served.said().contains("1 open tasks of before begun again"), "{}", served.said());
    let mut peer = served.peer();
    let asked = json!({ "type": "status_request", "data": { "task_id": task } });
    let mut status = Value::Null;
    let has_ended = wait_until(LONG, || {
        status = peer.ask(&asked);
        status["data"]["state"] == "finished"
    });
    assert!(has_ended, "{status}");
    assert_eq!(status["data"]["status"], "success", "{status}");
}

#[test]
fn two_gateways_do_not_share_a_book() {
    let world = with_an_app(Fake::clean());
    let served = Served::gateway(&world, &[]);
    let ran = world.says(&["serve", "--listen", "127.0.0.1:0", "--no-service-ports"]);
    ran.exits(2).complains(&["book"]);
    drop(served);
}

#[test]
fn a_socket_that_the_systems_manager_has_opened_is_served_on() {
    let world = with_an_app(Fake::clean());
    // What systemd does: a socket as descriptor 3, and the number of the process that gets it.
    let script = "import os, socket, sys\n\
        listening = socket.create_server(('127.0.0.1', 0))\n\
        os.dup2(listening.fileno(), 3)\n\
        os.set_inheritable(3, True)\n\
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n\
        print(f'given {listening.getsockname()[1]}', file=sys.stderr, flush=True)\n\
        os.execv(sys.argv[1], sys.argv[1:])\n";
    let inner = world.assay(["serve", "--no-service-ports", "--listen", "127.0.0.1:1"]);
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(inner.get_program()).args(inner.get_args()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(inner.get_current_dir().unwrap()).stdin(Stdio::null());
    let served = Served::of(command);
    let port = served.address.rsplit(':').next().unwrap().to_owned();
    assert!(served.said().contains(&format!("given {port}\n")), "{}", served.said());
    assert_eq!(served.peer().ask(&json!({ "type": "ping" }))["type"], "pong");
}

#[test]
fn old_names_say_where_to_listen() {
    let world = with_an_app(Fake::clean());
    let args = ["serve", "--no-service-ports"];
    let old = [("GATEWAY_HOST", "localhost"), ("GATEWAY_PORT", "0")];
    let served = Served::start(&world, &args, &old);
    assert!(served.address.starts_with("127.0.0.1:"), "{}", served.address);
    let args = ["service", "static"];
    let both =
        [("WEBSOCKET_HOST", "0.0.0.0"), ("WEBSOCKET_PORT", "0"), ("ASSAY_LISTEN", "127.0.0.1:0")];
    let served = Served::start(&world, &args, &both);
    assert!(served.address.starts_with("127.0.0.1:"), "{}", served.address);
}
