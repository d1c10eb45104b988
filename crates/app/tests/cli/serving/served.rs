//! A running server of the real binary, and clients that speak to it over a socket.

use crate::world::{LONG, World};
use assay_wire::{CloseCode, ConnectTerms, Connection, Token, Utf8Bytes, connect};
use serde_json::Value;
use std::{
    ops::{Deref, DerefMut},
    process::Command,
};
use testkit::Daemon;
use tokio::runtime::Runtime;

/// A server of a world, which is stopped when the test ends.
pub(crate) struct Served(Daemon);

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
    pub(crate) fn of(command: Command) -> Self {
        Self(Daemon::of(command))
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer::connect(&self.url(), &ConnectTerms::default())
    }

    /// A client of the first system: it asks for no subprotocol.
    pub(crate) fn old_peer(&self) -> Peer {
        Peer::connect(&self.url(), &ConnectTerms { lasting: false, ..ConnectTerms::default() })
    }
}

impl Deref for Served {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.0
    }
}

impl DerefMut for Served {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.0
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
