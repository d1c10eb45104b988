//! The limits that clients of the first system know, as the protocol names them.

use crate::{
    World, analysis,
    common::{receive, send, until},
};
use assay_pool::PoolTerms;
use assay_rules::breaker;
use assay_server::GatewayTerms;
use assay_wire::{ConnectTerms, Connection, MESSAGE_MAX, MESSAGE_MAX_TRUSTED};
use serde_json::json;
use std::time::Duration;
use tokio::time::advance;

#[test]
fn the_defaults_are_those_of_the_protocol() {
    let pool = PoolTerms::default();
    assert_eq!(pool.max_connections.get(), 50);
    assert_eq!(pool.connect_timeout, Duration::from_secs(10));
    assert_eq!(pool.idle_timeout, Duration::from_mins(5));
    assert_eq!(ConnectTerms::default().within, Duration::from_secs(10));
    let breaker::Settings { failure_threshold, open_for, successes_to_close, .. } = pool.breaker;
    assert_eq!((failure_threshold.get(), successes_to_close.get()), (5, 3));
    assert_eq!(open_for, Duration::from_mins(1));
    assert_eq!((MESSAGE_MAX, MESSAGE_MAX_TRUSTED), (1 << 20, 100 << 20));
}

async fn idle(client: &mut Connection) -> u64 {
    send(client, json!({ "type": "status_request" })).await;
    receive(client).await["data"]["pool"]["idle"].as_u64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_connection_to_a_service_that_is_idle_is_closed_after_300_seconds() {
    let world = World::new(1, GatewayTerms::default());
    let mut client = world.client();
    send(&mut client, analysis("job", "quick", json!({}))).await;
    until(&mut client, "analysis_result").await;
    advance(Duration::from_secs(295)).await;
    assert_eq!(idle(&mut client).await, 1);
    advance(Duration::from_secs(10)).await;
    // The reaper has its turn first.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(idle(&mut client).await, 0);
}
