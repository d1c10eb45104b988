//! How every replica is, as it tells itself. For clients that cannot reach a replica on their own.

use super::{Replica, Shared, connector::Connector};
use assay_pool::Connect as _;
use assay_wire::{
    Analyzer,
    gateway::ReplicaHealth,
    service::{Frame, Health, Reply, Request},
};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long a replica may take to say how it is. It answers from memory.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// How old what they said may be. Whoever asks meanwhile shares it, so that no client has the gateway
/// open more connections than one for each replica.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// What the replicas said last.
#[derive(Debug, Default)]
pub(super) struct LastHealth(tokio::sync::Mutex<Option<(Instant, Vec<ReplicaHealth>)>>);

impl Shared {
    /// Asks all replicas at once, by connections of their own: the pool's are for work, and a
    /// breaker that is open hides no health.
    ///
    /// # Cancel safety
    ///
    /// Safe: connections are dropped.
    pub(super) async fn health_of_replicas(&self) -> Vec<ReplicaHealth> {
        let mut last = self.last_health.0.lock().await;
        if let Some((_, said)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH_FOR) {
            return said.clone();
        }
        let said = self.ask_replicas().await;
        *last = Some((Instant::now(), said.clone()));
        said
    }

    async fn ask_replicas(&self) -> Vec<ReplicaHealth> {
        let replicas: Vec<(String, Replica)> = {
            let known = self.replicas.lock().expect("nothing panics while it holds them");
            known.iter().map(|(id, replica)| (id.clone(), replica.clone())).collect()
        };
        join_all(replicas.into_iter().map(|(service_id, replica)| async move {
            let Replica { analyzer, url, .. } = replica;
            let asked = timeout(ANSWER_WITHIN, ask(&self.connector, &url, analyzer)).await;
            let told = asked.unwrap_or_else(|_| Err("it does not answer in time".to_owned()));
            let (health, error) = match told {
                Ok(health) => (Some(health), None),
                Err(why) => (None, Some(why)),
            };
            let url = super::status::shown(&url, analyzer.row().port);
            ReplicaHealth { service_id, service: analyzer.as_str().to_owned(), url, health, error }
        }))
        .await
    }
}

async fn ask(connector: &Connector, url: &str, analyzer: Analyzer) -> Result<Health, String> {
    let mut connection = connector.connect(url).await.map_err(|error| error.to_string())?;
    let frame = Frame::new(Request::HealthCheck).encode(analyzer);
    connection.send(frame).await.map_err(|error| error.to_string())?;
    let answer = connection.next().await.map_err(|error| error.to_string())?;
    let text = answer.ok_or("it closes the connection")?;
    let told = match Reply::decode(&text) {
        Ok(Reply::Health(health)) => Ok(*health),
        Ok(Reply::Error(error)) => Err(error.fault.message),
        Ok(_) => Err("it answers with something else than its health".to_owned()),
        Err(unreadable) => Err(unreadable.to_string()),
    };
    connector.close(connection).await;
    told
}
