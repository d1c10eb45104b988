//! A program of your own that has apps analysed by a running gateway: a connection from a pool under
//! its limit, an analysis with its progress, a cancel, the statistics. `docs/integrating.md`
//! explains it piece by piece.
//!
//! ```sh
//! cargo run -p assay --example integrate -- ws://localhost:8765 MODEL APP
//! ```
//!
//! Keeps: nothing waits without a deadline; a connection on which something unread may be on the way
//! is closed and not lent again.

use assay_model::TaskId;
use assay_pool::{Connect, EndpointTerms, Lease, LeaseError, Pool, PoolTerms, ServiceId, Wish};
use assay_rules::{Dice, breaker::Answer};
use assay_wire::{
    AnalysisReply, AnalysisRequest, AnalysisType, CloseCode, ConnectTerms, Connection, Fault,
    TaskState, Token, WireError, connect,
    gateway::{CancelWish, Frame, Reply, Request, StatusReport, StatusWish},
};
use std::{error::Error, num::NonZeroU32, process::ExitCode, time::Duration};
use tokio::time::{Instant, timeout_at};

// [connector]
/// How the pool makes, tries and closes its connections.
#[derive(Debug)]
pub struct ToGateway {
    terms: ConnectTerms,
}

impl Connect for ToGateway {
    type Connection = Connection;
    type Error = WireError;

    async fn connect(&self, url: &str) -> Result<Connection, WireError> {
        connect(url, &self.terms).await
    }

    /// What has idled for half a second is tried before it is lent again.
    async fn is_alive(&self, connection: &mut Connection) -> bool {
        let ping = Frame::new(Request::Ping).encode();
        connection.send(ping).await.is_ok()
            && matches!(next(connection).await, Ok(frame) if frame.body == Reply::Pong)
    }

    async fn close(&self, mut connection: Connection) {
        if connection.close(CloseCode::NORMAL, "").await.is_ok() {
            while let Ok(Some(_)) = connection.next().await {}
        }
    }
}
// [end]

// [pool]
/// Connections to one gateway, never more than the cap.
#[derive(Debug)]
pub struct Gateway {
    pool: Pool<ToGateway>,
    service: ServiceId,
}

impl Gateway {
    /// Must be called in a tokio runtime. Nothing is connected to yet.
    pub fn new(url: &str, token: Option<&str>, cap: NonZeroU32) -> Self {
        let token = token.and_then(Token::new);
        let connector = ToGateway { terms: ConnectTerms { token, ..ConnectTerms::default() } };
        let terms = PoolTerms { max_connections: cap, ..PoolTerms::default() };
        let pool = Pool::start(connector, terms, Dice::seeded(0));
        let service = pool.service("gateway");
        pool.add(service, EndpointTerms::local(url, cap.get()));
        Self { pool, service }
    }

    /// Waits for a connection. Who comes when all are lent waits in order, and fails only when his
    /// deadline passes, when more than a thousand wait already, or when the gateway is away.
    pub async fn lease(&self, within: Duration) -> Result<Lease<Connection>, NoConnection> {
        let deadline = Instant::now() + within;
        self.pool.lease(Wish { service: self.service, deadline, avoid: None }).await
    }
}

pub type NoConnection = LeaseError<WireError>;
// [end]

// [analyze]
impl Gateway {
    /// Has one app analysed. `tell` hears the name of the task, then of every step.
    pub async fn analyze(
        &self,
        (model, app): (&str, u32),
        within: Duration,
        mut tell: impl FnMut(&Reply),
    ) -> Result<AnalysisReply, Failed> {
        let deadline = Instant::now() + within;
        let mut lease = self.lease(within).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        let request = Request::Analysis(Box::new(AnalysisRequest {
            model: Some(model.to_owned()),
            app_number: Some(app),
            analysis_type: Some(AnalysisType::new("static")),
            // The gateway answers by then, with what was found until then.
            deadline_ms: Some(u64::try_from(left.as_millis())?),
            ..AnalysisRequest::default()
        }));
        let frame = Frame::new(request);
        lease.send(frame.encode()).await?;
        loop {
            // A little later than the gateway, so that its answer is heard.
            let heard = timeout_at(deadline + Duration::from_secs(5), next(&mut lease)).await;
            let Frame { envelope, body } = heard??;
            if envelope.correlation_id.as_ref() != Some(&frame.envelope.id) {
                continue; // of somebody else, who had this connection before
            }
            match body {
                Reply::AnalysisResult(reply) => {
                    lease.finish(Answer::Success);
                    return Ok(AnalysisReply::decode(&reply.to_text())?);
                }
                Reply::Error(fault) => {
                    lease.finish(Answer::Ignored);
                    return Err(refused(&fault));
                }
                step => tell(&step),
            }
        }
    }
}
// [end]

// [cancel]
impl Gateway {
    /// Stops a task. `cancelled` comes when the last process of its tools is gone.
    pub async fn cancel(&self, task: &TaskId, within: Duration) -> Result<TaskState, Failed> {
        let wish = CancelWish { task_id: Some(task.clone()), correlation_id: None };
        match self.ask(Request::Cancel(wish), within).await? {
            Reply::Task(status) => Ok(status.state),
            other => Err(unexpected(&other)),
        }
    }
}
// [end]

// [statistics]
impl Gateway {
    /// Asks the gateway for everything that it counts.
    pub async fn status(&self, within: Duration) -> Result<StatusReport, Failed> {
        match self.ask(Request::Status(StatusWish::default()), within).await? {
            Reply::Status(report) => Ok(*report),
            other => Err(unexpected(&other)),
        }
    }

    /// Says how this program's own pool stands.
    pub fn own_connections(&self) -> String {
        let stats = self.pool.stats();
        format!(
            "{} of {} connections are lent, {} idle, {} callers wait",
            stats.active, stats.cap, stats.idle, stats.waiting
        )
    }
}
// [end]

// [ask]
impl Gateway {
    /// One question and its answer, over a connection of its own: an analysis that runs holds
    /// another.
    async fn ask(&self, request: Request, within: Duration) -> Result<Reply, Failed> {
        let deadline = Instant::now() + within;
        let mut lease = self.lease(within).await?;
        let frame = Frame::new(request);
        lease.send(frame.encode()).await?;
        loop {
            // When the time is over the lease is dropped, which closes the connection.
            let reply = timeout_at(deadline, next(&mut lease)).await??;
            if reply.envelope.correlation_id.as_ref() == Some(&frame.envelope.id) {
                lease.finish(Answer::Success);
                return match reply.body {
                    Reply::Error(fault) => Err(refused(&fault)),
                    body => Ok(body),
                };
            }
        }
    }
}
// [end]

pub type Failed = Box<dyn Error + Send + Sync>;

async fn next(connection: &mut Connection) -> Result<Frame<Reply>, Failed> {
    let text = connection.next().await?.ok_or("the gateway has closed the connection")?;
    Ok(Frame::<Reply>::decode(&text)?)
}

/// What the gateway refused, in words; `retry_after_ms` says when to ask again.
fn refused(fault: &Fault) -> Failed {
    let when = fault.retry_after_ms.map(|ms| format!("; try again in {ms} ms"));
    format!("{}: {}{}", fault.code, fault.message, when.unwrap_or_default()).into()
}

fn unexpected(reply: &Reply) -> Failed {
    format!("this is no answer to what was asked: {reply:?}").into()
}

/// A line for what happens while an app is analysed.
fn line(step: &Reply) -> String {
    match step {
        Reply::Task(status) => format!("{}: {:?}", status.state, status.task_id),
        Reply::Progress(told) => format!("{:3.0} %  {}", told.progress * 100.0, told.message),
        other => format!("{other:?}"),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, model, app] = words.as_slice() else {
        eprintln!("usage: integrate URL MODEL APP");
        return ExitCode::from(2);
    };
    match run(url, model, app).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(url: &str, model: &str, app: &str) -> Result<(), Failed> {
    let token = std::env::var("ASSAY_TOKEN").ok();
    let gateway = Gateway::new(url, token.as_deref(), assay_pool::terms::MAX_CONNECTIONS);
    let within = Duration::from_mins(10);
    let reply =
        gateway.analyze((model, app.parse()?), within, |step| println!("{}", line(step))).await?;
    println!("{}: {}", reply.status, reply.analysis.as_str());
    let status = gateway.status(Duration::from_secs(10)).await?;
    let own = gateway.own_connections();
    println!("gateway: {}\nhere: {own}", status.pool.as_ref().map_or("-", |pool| pool.as_str()));
    Ok(())
}
