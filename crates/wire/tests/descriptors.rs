//! Accepting goes on after there were no descriptors left. Alone in its program: it lowers the limit
//! of the whole process.

#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]

use assay_wire::{
    Handler, ListenNote, ListenTerms, Listener, Peer,
    answer::{Request, Response, text},
};
use http::StatusCode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    fs,
    net::TcpStream,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

#[derive(Default)]
struct Greeter(Mutex<Vec<ListenNote>>);

impl Handler for Greeter {
    async fn handle(&self, _: Request, _: Peer) -> Response {
        text(StatusCode::OK, "hello")
    }

    fn note(&self, note: ListenNote) {
        self.0.lock().expect("nothing panics here").push(note);
    }
}

impl Greeter {
    fn saw_a_failed_accept(&self) -> bool {
        let notes = self.0.lock().expect("nothing panics here");
        notes.iter().any(|note| matches!(note, ListenNote::AcceptFailed { .. }))
    }
}

#[tokio::test]
async fn accepting_goes_on_after_there_were_no_descriptors_left() {
    let listener =
        Listener::bind("127.0.0.1:0".parse().unwrap(), ListenTerms::default()).await.unwrap();
    let address = listener.address().unwrap();
    let greeter = Arc::new(Greeter::default());
    let serving = tokio::spawn(listener.serve(Arc::clone(&greeter), std::future::pending()));

    let open = fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let limit = Rlimit { current: Some(open + 20), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).unwrap();
    // The kernel completes these in the backlog while this thread does not yield to the server.
    let mut crowd = Vec::new();
    while let Ok(client) = TcpStream::connect(address) {
        crowd.push(client);
    }
    assert!(crowd.len() > 10, "{}", crowd.len());

    let minute = Duration::from_mins(1);
    let failed = async {
        while !greeter.saw_a_failed_accept() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(minute, failed).await.expect("`accept` fails while nothing is free");
    crowd.clear();
    let answer = async {
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = timeout(minute, answer).await.expect("a client is served again");
    assert!(answer.ends_with("hello"), "{answer}");
    serving.abort();
}
