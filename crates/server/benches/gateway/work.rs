//! What a gateway and a service cost around an analysis that costs nothing itself.

use crate::{BOOK, HEARTBEAT, Server, common::until};
use assay_wire::{Connection, Utf8Bytes};
use serde_json::json;
use std::{path::Path, time::Duration};
use tokio::{task::JoinSet, time::Instant};

/// Analyses that are measured.
const ANALYSES: u32 = 2_000;

/// Own overhead for an analysis: both ways through the gateway and a service, one after the other and
/// many at once, without a book and with one on the disk of the temporary folder.
pub(super) async fn overhead() {
    let folder = tempfile::tempdir().unwrap();
    for book in [None, Some(folder.path())] {
        let variables: Vec<(&str, &Path)> = book.map(|folder| (BOOK, folder)).into_iter().collect();
        let with = if book.is_some() { "with a book" } else { "without a book" };
        let server = Server::with(&variables);
        for at_once in [1, 50] {
            let cpu = server.cpu();
            let mut times = analyses(&server, at_once).await;
            let cpu = server.cpu().saturating_sub(cpu) / ANALYSES;
            times.sort_unstable();
            let at = |permille: usize| times[(times.len() - 1) * permille / 1000];
            println!(
                "analysis that does nothing, {with}, {at_once} at once: median {:?}, p99 {:?}, {cpu:?} of the server's processor each",
                at(500),
                at(990),
            );
        }
    }
}

async fn analyses(server: &Server, at_once: u32) -> Vec<Duration> {
    let mut tasks = JoinSet::new();
    for number in 0..at_once {
        let mut client = server.connect().await;
        tasks.spawn(async move {
            let mut times = Vec::new();
            for round in 0..ANALYSES / at_once {
                let asked = Instant::now();
                analyse(&mut client, &format!("{number}-{round}")).await;
                times.push(asked.elapsed());
            }
            times
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

async fn analyse(client: &mut Connection, model: &str) {
    let data = json!({ "model": model, "app_number": 1, "analysis_type": "static" });
    let frame = json!({ "type": "analysis_request", "data": data });
    client.send(Utf8Bytes::from(frame.to_string())).await.unwrap();
    until(client, "analysis_result").await;
}

/// Whether memory stays where it is over so many requests, of which one in ten is an analysis.
pub(super) async fn flat(requests: u32) {
    // Few, so that each has asked for more than a connection remembers well before the end.
    const CLIENTS: u32 = 10;
    let server = Server::start();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(server.connect().await);
    }
    let mut resident = Vec::new();
    for tenth in 0..10 {
        let mut tasks = JoinSet::new();
        for (number, mut client) in clients.drain(..).enumerate() {
            tasks.spawn(async move {
                for round in 0..requests / 10 / CLIENTS / 10 {
                    for _ in 0..9 {
                        client.send(Utf8Bytes::from_static(HEARTBEAT)).await.unwrap();
                        client.next().await.unwrap().unwrap();
                    }
                    analyse(&mut client, &format!("{tenth}-{number}-{round}")).await;
                }
                client
            });
        }
        clients = tasks.join_all().await;
        resident.push(server.resident_kib() / 1024);
    }
    println!("resident memory after each tenth of {requests} requests, MiB: {resident:?}");
}
