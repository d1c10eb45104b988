//! `assay status`, `health`, `ping` and `cancel`: what is asked of a running server.

use crate::{
    cli::{Cancel, Global, Health, Ping, Status},
    client::{Addresses, Client},
    exit::Exit,
    failure::{Failure, Outcome},
    session::{self, Session},
};
use assay_model::TaskId;
use assay_wire::{
    Analyzer, Payload, TaskState,
    gateway::{CancelWish, ReplicaHealth, Reply, Request, StatusReport, StatusWish},
    service::{self, HealthStatus},
};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

/// How long a cancel may take: the processes of every tool must be gone first.
const CANCEL_WITHIN: Duration = Duration::from_mins(2);

pub(crate) fn status(words: &Status, global: &Global) -> Outcome {
    let addresses = Addresses::of(&words.server, global)?;
    session::block_on(async |_| {
        let mut client = addresses.connect().await?;
        let report = report(&mut client).await?;
        let url = client.url().to_owned();
        client.leave().await;
        if words.json {
            session::print_json(&json!({ "gateway": url, "status": report }))?;
        } else {
            session::print(&shown(&url, &report))?;
        }
        Ok(Exit::Done)
    })
}

/// Asks the gateway for all that it counts.
pub(super) async fn report(client: &mut Client) -> Result<StatusReport, Failure> {
    wished(client, StatusWish::default()).await
}

async fn wished(client: &mut Client, wish: StatusWish) -> Result<StatusReport, Failure> {
    match client.ask(Request::Status(wish)).await? {
        Reply::Status(report) => Ok(*report),
        other => Err(odd(client.url(), &other)),
    }
}

/// A server that answers something else than what was asked.
pub(crate) fn odd(url: &str, reply: &Reply) -> Failure {
    Failure::usage(format!("`{url}` answers by a `{}`, which is none", reply.kind()))
        .hint("is it a gateway, of this version?")
}

fn value(part: Option<&Payload>) -> Value {
    part.and_then(|part| part.parse().ok()).unwrap_or_default()
}

fn shown(url: &str, report: &StatusReport) -> String {
    let (pool, queue) = (value(report.pool.as_ref()), value(report.queue.as_ref()));
    let (tasks, breakers) = (value(report.tasks.as_ref()), value(report.breakers.as_ref()));
    let number = |of: &Value, key: &str| of[key].as_u64().unwrap_or(0);
    let state = if queue["draining"] == true { "draining" } else { "up" };
    let uptime = assay_term::duration(number(&queue, "uptime_s").saturating_mul(1000));
    let mut text = format!("gateway {url}: {state} for {uptime}\n\n");
    let rows: Vec<Vec<String>> =
        report.services.iter().map(|(name, url)| vec![name.clone(), url.clone()]).collect();
    text += &assay_term::table(&["service", "at"], &rows, assay_term::stdout_width());
    let rows: Vec<Vec<String>> = breakers
        .as_array()
        .into_iter()
        .flatten()
        .map(|breaker| {
            let word = |key: &str| breaker[key].as_str().unwrap_or_default().to_owned();
            let is_draining = breaker["draining"] == true;
            let state = if is_draining { "leaving".to_owned() } else { word("state") };
            vec![word("url"), word("service"), state]
        })
        .collect();
    text += "\n";
    text += &assay_term::table(&["replica", "of", "breaker"], &rows, assay_term::stdout_width());
    // Text takes all.
    let _ = write!(
        text,
        "\ntasks        {} running, {} queued, {} ended, {} joined others, {} cancelled, {} refused\n\
         connections  {} in use, {} idle, {} waited for, of {}\n\
         clients      {}\n",
        number(&tasks, "running"),
        number(&tasks, "queued"),
        number(&tasks, "ended"),
        number(&tasks, "deduplicated"),
        number(&tasks, "cancelled"),
        number(&tasks, "refused"),
        number(&pool, "active"),
        number(&pool, "idle"),
        number(&pool, "waiting"),
        number(&pool, "max_concurrent_connections"),
        number(&queue, "clients"),
    );
    text
}

/// The health of one server.
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) health: Result<service::Health, Failure>,
}

/// Asks the gateway how its services are. One of the first system does not say: its services are
/// asked one by one.
pub(super) async fn check(
    addresses: &Addresses,
    client: &mut Client,
) -> Result<(StatusReport, Vec<Checked>), Failure> {
    let mut report = wished(client, StatusWish { health: true, ..StatusWish::default() }).await?;
    if let Some(replicas) = report.replicas.take() {
        return Ok((report, replicas.into_iter().map(Checked::of).collect()));
    }
    let mut all = Vec::new();
    for (analyzer, url) in analyzers(&report) {
        let asked = addresses.ask_service(analyzer, &url, service::Request::HealthCheck).await;
        let health = asked.and_then(|reply| match reply {
            service::Reply::Health(health) => Ok(*health),
            _ => Err(Failure::usage(format!("`{url}` tells no health"))),
        });
        all.push(Checked { name: analyzer.to_string(), url, health });
    }
    Ok((report, all))
}

impl Checked {
    fn of(replica: ReplicaHealth) -> Self {
        let ReplicaHealth { service, url, health, error, .. } = replica;
        let health = health.ok_or_else(|| {
            let why = error.unwrap_or_else(|| "it does not say how it is".to_owned());
            Failure::usage(format!("the gateway does not reach `{url}`: {why}"))
                .hint(format!("start it, and see `assay logs` there; it is a {service}"))
        });
        Self { name: service, url, health }
    }
}

pub(crate) fn health(words: &Health, global: &Global, session: &Session) -> Outcome {
    let addresses = Addresses::of(&words.server, global)?;
    session::block_on(async |_| {
        let mut client = addresses.connect().await?;
        let (report, all) = check(&addresses, &mut client).await?;
        let url = client.url().to_owned();
        client.leave().await;
        let draining = value(report.queue.as_ref())["draining"] == true;
        let gateway = if draining { HealthStatus::Draining } else { HealthStatus::Healthy };
        if words.json {
            session::print_json(&health_json(&url, gateway, &all))?;
        } else {
            session::print(&health_table(&url, gateway, &all))?;
            for failure in all.iter().filter_map(|checked| checked.health.as_ref().err()) {
                session.complain(failure);
            }
        }
        let is_well = !draining
            && all.iter().all(|checked| {
                matches!(&checked.health, Ok(health) if health.status == HealthStatus::Healthy)
            });
        Ok(if is_well { Exit::Done } else { Exit::Incomplete })
    })
}

/// Each analyzer that the gateway names, once.
fn analyzers(report: &StatusReport) -> Vec<(Analyzer, String)> {
    let url = |analyzer: &Analyzer| {
        let mut names = analyzer.row().services.iter().map(|name| name.as_str());
        let url = names.find_map(|name| report.services.get(name))?;
        Some((*analyzer, url.clone()))
    };
    Analyzer::ALL.iter().filter_map(url).collect()
}

fn health_json(url: &str, gateway: HealthStatus, all: &[Checked]) -> Value {
    let services = all.iter().map(|Checked { name, url, health }| match health {
        Ok(health) => json!({ "service": name, "url": url, "health": health }),
        Err(failure) => json!({
            "service": name, "url": url, "error": failure.in_full(), "mend": failure.advice(),
        }),
    });
    let services: Vec<Value> = services.collect();
    json!({ "gateway": { "url": url, "status": gateway }, "services": services })
}

fn health_table(url: &str, gateway: HealthStatus, all: &[Checked]) -> String {
    let none = || vec![String::new(); 3];
    let mut rows = vec![[vec!["gateway".to_owned(), gateway.to_string()], none()].concat()];
    rows[0].push(url.to_owned());
    let mut lacking = Vec::new();
    for Checked { name, url, health } in all {
        let mut row = vec![name.clone()];
        match health {
            Ok(health) => {
                let load = format!("{} of {}", health.active, health.capacity);
                row.extend([
                    health.status.to_string(),
                    load,
                    health.queued.to_string(),
                    health.available_tools.len().to_string(),
                ]);
                lacking.extend(&health.unavailable_tools);
            }
            Err(_) => row.extend([vec!["not reached".to_owned()], none()].concat()),
        }
        row.push(url.clone());
        rows.push(row);
    }
    let headers = ["server", "health", "running", "queued", "tools", "at"];
    let mut text = assay_term::table(&headers, &rows, assay_term::stdout_width());
    if !lacking.is_empty() {
        let rows: Vec<Vec<String>> =
            lacking.into_iter().map(|(tool, why)| vec![tool.clone(), why.clone()]).collect();
        text += "\n";
        text += &assay_term::table(&["lacking", "why"], &rows, assay_term::stdout_width());
    }
    text
}

pub(crate) fn ping(words: &Ping, global: &Global) -> Outcome {
    let addresses = Addresses::of(&words.server, global)?;
    let analyzer = match words.service.trim().to_lowercase().as_str() {
        "gateway" => None,
        name => Some(analyzer(name)?),
    };
    session::block_on(async |_| {
        let (name, url, took) = match analyzer {
            None => {
                let mut client = addresses.connect().await?;
                let begun = now();
                match client.ask(Request::Ping).await? {
                    Reply::Pong => {}
                    other => return Err(odd(client.url(), &other)),
                }
                let took = begun.elapsed();
                let url = client.url().to_owned();
                client.leave().await;
                ("gateway", url, took)
            }
            Some(analyzer) => {
                let url = addresses.of_service(analyzer);
                let begun = now();
                addresses.ask_service(analyzer, &url, service::Request::Ping).await?;
                (analyzer.as_str(), url, begun.elapsed())
            }
        };
        let ms = took.as_secs_f64() * 1000.0;
        if words.json {
            session::print_json(&json!({ "service": name, "url": url, "ms": ms }))?;
        } else {
            session::print(&format!("{name} at {url} answers: {ms:.1} ms\n"))?;
        }
        Ok(Exit::Done)
    })
}

#[expect(clippy::disallowed_methods, reason = "what a person is told is real time")]
fn now() -> Instant {
    Instant::now()
}

/// The analyzer of a name: a service's own, its first word, or one of the gateway's names.
pub(crate) fn analyzer(name: &str) -> Result<Analyzer, Failure> {
    let found = Analyzer::ALL.iter().copied().find(|analyzer| {
        let row = analyzer.row();
        let full = analyzer.as_str();
        full == name
            || full.split('-').next() == Some(name)
            || row.services.iter().any(|service| service.as_str() == name)
    });
    found.ok_or_else(|| {
        let known: Vec<&str> =
            Analyzer::ALL.iter().filter_map(|one| one.as_str().split('-').next()).collect();
        Failure::usage(format!("there is no service `{name}`"))
            .hint(format!("known: gateway, {}", known.join(", ")))
    })
}

pub(crate) fn cancel(words: &Cancel, global: &Global) -> Outcome {
    let addresses = Addresses::of(&words.server, global)?;
    let tasks: Vec<TaskId> =
        words.tasks.iter().map(|text| task_id(text)).collect::<Result<_, _>>()?;
    session::block_on(async |_| {
        let mut client = addresses.connect().await?;
        let mut said = Vec::new();
        for task in tasks {
            let wish = CancelWish { task_id: Some(task.clone()), correlation_id: None };
            match client.ask_within(Request::Cancel(wish), CANCEL_WITHIN).await? {
                Reply::Task(status) => said.push((task, status.state)),
                other => return Err(odd(client.url(), &other)),
            }
        }
        let url = client.url().to_owned();
        client.leave().await;
        if words.json {
            let said = said.iter().map(|(task, state)| json!({ "task": task, "state": state }));
            session::print_json(&said.collect::<Vec<_>>())?;
        } else {
            for (task, state) in &said {
                session::print(&format!("{task}: {}\n", state.as_str().replace('_', " ")))?;
            }
        }
        match said.iter().find(|(_, state)| *state == TaskState::NotFound) {
            None => Ok(Exit::Done),
            Some((task, _)) => {
                Err(Failure::usage(format!("`{url}` has no task `{task}`"))
                    .hint("see `assay tasks`"))
            }
        }
    })
}

/// Reads the name of a task, as a person typed it.
pub(crate) fn task_id(text: &str) -> Result<TaskId, Failure> {
    TaskId::new(text).map_err(|error| {
        Failure::usage(format!("`{text}` is no task")).because(error).hint("see `assay tasks`")
    })
}
