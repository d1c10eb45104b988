//! The door and the connection over real sockets: good clients, old clients, hostile ones.

#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]

mod clients; // two implementations of WebSockets understand each other
mod door; // limits, stopping, panics, origins
mod hostile; // what peers send that they may not
mod house; // a server that echoes, and a raw client
mod tls; // certificates and whom they convince
