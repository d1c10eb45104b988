//! Gateway and services, joined by connections that break.

use crate::{
    common::{fake::Fake, receive, send},
    toxic::Toxic,
};
use assay_rules::Dice;
use assay_server::{
    Backend, Client, Gateway, GatewayTerms, Resolved, Scopes, Service, ServiceTerms,
};
use assay_wire::{Analyzer, Connection, Limits, Side, pair};
use serde_json::json;
use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::sleep;

/// Bytes that a connection to a service carries before it breaks, if it does: a few frames.
const BREAKS_AFTER: u64 = 6_000;

#[derive(Clone)]
pub(crate) struct World {
    gateway: Gateway,
    services: Vec<Service<Fake>>,
    pub(crate) cap: u64,
}

// === impl World ===

impl World {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let mut terms = GatewayTerms { seed: dice.next_u64(), ..GatewayTerms::default() };
        let cap = 1 + dice.below(6);
        terms.pool.max_connections = NonZeroU32::new(u32::try_from(cap).unwrap()).unwrap();
        // Sometimes more run than there are connections, so that they wait in the pool, too.
        terms.running_max = u32::try_from(1 + dice.below(10)).unwrap();
        let (mut services, mut backends) = (Vec::new(), Vec::new());
        for _ in 0..=dice.below(3) {
            let slots = u32::try_from(1 + dice.below(4)).unwrap();
            let queue_max = usize::try_from(dice.below(20)).unwrap();
            let service =
                Service::start(Fake, ServiceTerms { slots, queue_max, ..ServiceTerms::default() });
            let breaks_in_percent = dice.below(40);
            let dice = Mutex::new(Dice::seeded(dice.next_u64()));
            let local = service.clone();
            let connect =
                Box::new(move || dial(&local, &mut dice.lock().unwrap(), breaks_in_percent));
            backends.push((Analyzer::Static, Backend::Local { slots, connect }));
            services.push(service);
        }
        let resolve = Arc::new(|request| {
            let found = Resolved { request, digest: Some("d".to_owned()) };
            Box::pin(async move { Ok(found) }) as _
        });
        let gateway = Gateway::start(terms, backends, None, resolve);
        Self { gateway, services, cap }
    }

    pub(crate) fn client(&self, who: &str) -> Connection {
        let (ours, theirs) = pair(Limits::local());
        let client = Client { who: who.into(), scopes: Scopes::ALL };
        let gateway = self.gateway.clone();
        tokio::spawn(async move { gateway.serve(theirs, client).await });
        ours
    }

    /// Returns when nothing runs or waits anywhere.
    pub(crate) async fn is_quiet(&self) {
        let mut client = self.client("observer");
        loop {
            send(&mut client, json!({ "type": "status_request" })).await;
            let status = receive(&mut client).await["data"].clone();
            let open = ["active", "idle", "connecting"]
                .map(|key| status["pool"][key].as_u64().unwrap())
                .iter()
                .sum::<u64>();
            assert!(open <= self.cap, "{open} connections, the cap is {}", self.cap);
            let mut busy = status["tasks"]["running"].as_u64().unwrap()
                + status["tasks"]["queued"].as_u64().unwrap()
                + status["pool"]["active"].as_u64().unwrap();
            for service in &self.services {
                let health = service.health().await;
                busy += health.active + health.queued;
            }
            if busy == 0 {
                let (accepted, ended) = (&status["tasks"]["accepted"], &status["tasks"]["ended"]);
                assert_eq!(accepted, ended, "what was accepted has not ended: {status}");
                return;
            }
            sleep(Duration::from_millis(500)).await;
        }
    }
}

fn dial(service: &Service<Fake>, dice: &mut Dice, breaks_in_percent: u64) -> Connection {
    if dice.below(100) >= breaks_in_percent {
        return service.connect();
    }
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let ours = Toxic::new(ours, 1 + dice.below(BREAKS_AFTER));
    let theirs = Connection::new(Box::new(theirs), Side::Local, Limits::local()).lasting();
    let service = service.clone();
    tokio::spawn(async move { service.serve(theirs, "gateway").await });
    Connection::new(Box::new(ours), Side::Local, Limits::local()).lasting()
}
