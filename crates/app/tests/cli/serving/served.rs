//! A running server of the real binary, and clients that speak to it over a socket.

use crate::world::{LONG, World};
use assay_wire::{CloseCode, ConnectTerms, Connection, Token, Utf8Bytes, connect};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
};
use testkit::wait_until;
use tokio::runtime::Runtime;

/// A server, which is stopped when the test ends.
pub(crate) struct Served {
    child: Child,
    said: Arc<Mutex<String>>,
    /// Ends when the server has nothing more to say.
    hearing: Option<thread::JoinHandle<()>>,
    /// Where clients connect: `127.0.0.1:40000`.
    pub(crate) address: String,
}

/// A client that speaks JSON.
pub(crate) struct Peer {
    runtime: Runtime,
    connection: Option<Connection>,
}

// === impl Served ===

impl Served {
    /// `assay serve` on a free port.
    pub(crate) fn gateway(world: &World, args: &[&str]) -> Self {
        let fixed = ["serve", "--listen", "127.0.0.1:0", "--no-service-ports"];
        Self::start(world, &[&fixed, args].concat(), &[])
    }

    /// `assay service static` on a free port.
    pub(crate) fn service(world: &World, args: &[&str]) -> Self {
        Self::start(world, &[&["service", "static", "--listen", "127.0.0.1:0"], args].concat(), &[])
    }

    /// A server with these words and variables. Returns when it says that it is ready.
    #[track_caller]
    pub(crate) fn start(world: &World, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = world.assay(args);
        command.envs(variables.iter().copied());
        Self::of(command)
    }

    /// The server that a command becomes.
    #[track_caller]
    pub(crate) fn of(mut command: Command) -> Self {
        command.stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (heard, stderr) = (Arc::clone(&said), child.stderr.take().unwrap());
        let hearing = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut heard = heard.lock().unwrap();
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        let mut served = Self { child, said, hearing: Some(hearing), address: String::new() };
        served.until_said("ready: ");
        let ready = served.said();
        let url = ready.split("ws://").nth(1).or_else(|| ready.split("wss://").nth(1)).unwrap();
        let end = |c: char| c == ',' || c == ';' || c.is_whitespace();
        url.split(end).next().unwrap().clone_into(&mut served.address);
        served
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// What it has written to standard error so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    #[track_caller]
    pub(crate) fn until_said(&mut self, words: &str) {
        let said = Arc::clone(&self.said);
        let is_said = move || said.lock().unwrap().contains(words);
        let mut has_ended = false;
        wait_until(LONG, || {
            has_ended = self.child.try_wait().unwrap().is_some();
            is_said() || has_ended
        });
        if let (true, Some(hearing)) = (has_ended, self.hearing.take()) {
            hearing.join().unwrap();
        }
        assert!(is_said(), "it does not say `{words}`:\n{}", self.said());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until it has ended.
    #[track_caller]
    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn ends(&mut self) -> ExitStatus {
        assert!(wait_until(LONG, || !self.lives()), "it does not end:\n{}", self.said());
        self.child.wait().unwrap()
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer::connect(&self.url(), &ConnectTerms::default())
    }

    /// A client of the first system: it asks for no subprotocol.
    pub(crate) fn old_peer(&self) -> Peer {
        Peer::connect(&self.url(), &ConnectTerms { lasting: false, ..ConnectTerms::default() })
    }

    /// The status and the body of a page.
    pub(crate) fn page(&self, path: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        (status, text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

// === impl Peer ===

impl Peer {
    fn connect(url: &str, terms: &ConnectTerms) -> Self {
        let runtime = Runtime::new().unwrap();
        let connection = runtime.block_on(connect(url, terms)).unwrap();
        Self { runtime, connection: Some(connection) }
    }

    pub(crate) fn at(url: &str) -> Self {
        Self::connect(url, &ConnectTerms::default())
    }

    /// One that shows a token; or how it was refused.
    pub(crate) fn with_token(url: &str, token: &str) -> Result<Self, String> {
        let terms = ConnectTerms { token: Token::new(token), ..ConnectTerms::default() };
        let runtime = Runtime::new().unwrap();
        let connection = runtime.block_on(connect(url, &terms)).map_err(|why| why.to_string())?;
        Ok(Self { runtime, connection: Some(connection) })
    }

    pub(crate) fn send(&mut self, text: &str) {
        let connection = self.connection.as_mut().unwrap();
        self.runtime.block_on(connection.send(Utf8Bytes::from(text.to_owned()))).unwrap();
    }

    /// The next frame; `None` when the server has closed.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> Option<Value> {
        let connection = self.connection.as_mut().unwrap();
        let next = async { tokio::time::timeout(LONG, connection.next()).await };
        let text = self.runtime.block_on(next).expect("nothing comes").unwrap()?;
        Some(serde_json::from_str(&text).unwrap())
    }

    /// Sends one frame, and takes the next.
    #[track_caller]
    pub(crate) fn ask(&mut self, frame: &Value) -> Value {
        self.send(&frame.to_string());
        self.receive().expect("the server closed")
    }

    /// Sends one frame, and takes the answer to it among what else comes.
    #[track_caller]
    pub(crate) fn ask_beside(&mut self, frame: &Value) -> Value {
        self.send(&frame.to_string());
        loop {
            let answer = self.receive().expect("the server closed");
            if answer["correlation_id"] == frame["id"] {
                return answer;
            }
        }
    }

    /// The next frame of this type.
    #[track_caller]
    pub(crate) fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.receive().unwrap_or_else(|| panic!("closed before a `{kind}`"));
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// How the server closed.
    pub(crate) fn closed(&self) -> (Option<u16>, String) {
        let closed = self.connection.as_ref().unwrap().closed().expect("it is closed");
        (closed.code.map(CloseCode::number), closed.reason.clone())
    }
}
