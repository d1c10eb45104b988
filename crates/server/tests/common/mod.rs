//! Clients that speak JSON, and an analyzer that does as its request says.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod fake;

use assay_wire::{Connection, Utf8Bytes};
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// Longer than anything takes, in paused time: what never comes fails its test, and does not hang it.
pub(crate) const FOREVER: Duration = Duration::from_mins(20);

pub(crate) type Client = Connection;

pub(crate) async fn send(client: &mut Client, frame: Value) {
    client.send(Utf8Bytes::from(frame.to_string())).await.unwrap();
}

pub(crate) async fn receive(client: &mut Client) -> Value {
    let text = timeout(FOREVER, client.next()).await.expect("nothing comes");
    let text = text.unwrap().expect("the server has closed");
    serde_json::from_str(&text).unwrap()
}

/// Reads until a frame of this type comes.
pub(crate) async fn until(client: &mut Client, kind: &str) -> Value {
    loop {
        let frame = receive(client).await;
        if frame["type"] == kind {
            return frame;
        }
    }
}
