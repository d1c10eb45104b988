//! One connection of a service.

use super::Shared;
use crate::{
    analyzer::{Analyze, Answer},
    asked::ByRequest,
    desk::{Asked, Before, Cancelled, Canceller, Seat, Unwanted, WorkKey},
    following::{Following, Step, end_of_seat},
    log::Log,
    outgoing::{self, Outgoing, Say, last_words, say, say_end},
    progress::Progress,
    refusal::{self, UNDER_WAY_MAX},
};
use assay_model::TaskId;
use assay_rules::{
    admission::Priority,
    ledger::{Age, ClientId, Follow, Released},
};
use assay_wire::{
    AnalysisRequest, AnalysisStatus, CloseCode, Connection, ErrorCode, Fault, Payload, Reader,
    TaskState, TaskStatus, Utf8Bytes, WireError, Writer,
    service::{AnalysisReply, Frame, Reply, Request, ServiceFault},
};
use futures_util::FutureExt;
use std::{
    hash::Hash,
    sync::{Arc, atomic::Ordering},
};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

/// Frames that are answered before they are flushed. A client that sends many at once is answered
/// in one write.
const AT_ONCE: usize = 64;

struct Session<A> {
    shared: Arc<Shared<A>>,
    client: ClientId,
    who: Arc<str>,
    is_lasting: bool,
    outgoing: Outgoing,
    /// What follows runs, or waits for an end.
    followers: JoinSet<()>,
    by_request: ByRequest,
}

/// How a session went on.
enum Turn {
    Heard(Result<Option<Utf8Bytes>, WireError>),
    Say(Say),
    FollowerEnded,
    Closing,
}

pub(super) async fn serve<A: Analyze>(shared: Arc<Shared<A>>, connection: Connection, who: &str) {
    let is_lasting = connection.is_lasting();
    let (reader, writer) = connection.split();
    let (outgoing, said) = outgoing::channel();
    let client = shared.desk.new_client();
    let session = Session {
        client,
        who: who.into(),
        is_lasting,
        outgoing,
        followers: JoinSet::new(),
        by_request: ByRequest::default(),
        shared: Arc::clone(&shared),
    };
    shared.connections.fetch_add(1, Ordering::Relaxed);
    let ended = session.run(reader, writer, said).await;
    shared.connections.fetch_sub(1, Ordering::Relaxed);
    match ended {
        // A client that says goodbye does not come back.
        Ok(()) => shared.desk.gone(client).await,
        Err(error) => {
            tracing::debug!(%error, who, "a connection is lost");
            shared.desk.lost(client).await;
        }
    }
}

// === impl Session ===

impl<A: Analyze> Session<A> {
    async fn run(
        mut self,
        mut reader: Reader,
        mut writer: Writer,
        mut said: mpsc::Receiver<Say>,
    ) -> Result<(), WireError> {
        let mut is_ending = false;
        loop {
            let turn = tokio::select! {
                biased;
                () = self.shared.closing.cancelled() => Turn::Closing,
                Some(say) = said.recv() => Turn::Say(say),
                Some(_) = self.followers.join_next() => Turn::FollowerEnded,
                heard = reader.next() => Turn::Heard(heard),
            };
            match turn {
                Turn::Closing => {
                    last_words(&mut writer, &mut said, &mut self.followers).await?;
                    writer.close(CloseCode::AWAY, "shutting down").await.ok();
                    return Ok(());
                }
                Turn::Heard(heard) => {
                    let mut heard = Some(heard);
                    for at in 0..AT_ONCE {
                        let Some(text) = heard.take() else { break };
                        match text {
                            Ok(Some(text)) => self.hear(&text, &mut writer).await?,
                            Ok(None) => return Ok(()),
                            Err(error) => {
                                return self.refuse_frame(error, &mut writer).await;
                            }
                        }
                        if at + 1 < AT_ONCE {
                            heard = reader.next().now_or_never();
                        }
                    }
                    writer.flush().await?;
                }
                Turn::Say(say) => {
                    is_ending |= say.is_end && !self.is_lasting;
                    writer.feed(say.frame).await?;
                    while let Ok(say) = said.try_recv() {
                        is_ending |= say.is_end && !self.is_lasting;
                        writer.feed(say.frame).await?;
                    }
                    writer.flush().await?;
                }
                Turn::FollowerEnded => {}
            }
            if is_ending && self.followers.is_empty() && said.is_empty() {
                writer.close(CloseCode::NORMAL, "Analysis complete").await?;
                return drained(reader).await;
            }
        }
    }

    /// Answers what can be answered at once, and has the rest followed.
    async fn hear(&mut self, text: &Utf8Bytes, writer: &mut Writer) -> Result<(), WireError> {
        let shared = Arc::clone(&self.shared);
        let frame = match Frame::decode(text, shared.analyzer.sort()) {
            Ok(frame) => frame,
            Err(unreadable) => {
                let mut fault = Fault::from(unreadable);
                if fault.code == ErrorCode::InvalidJson {
                    "Invalid JSON format".clone_into(&mut fault.message);
                }
                return writer.feed(self.error(fault)).await;
            }
        };
        let correlation = frame.correlation().to_owned();
        let room = match frame.body {
            Request::Analysis(_) => UNDER_WAY_MAX,
            Request::Cancel { .. } => 2 * UNDER_WAY_MAX,
            _ => usize::MAX,
        };
        if self.followers.len() >= room {
            let fault = refusal::too_many_under_way();
            let fault = Fault { correlation_id: Some(correlation), ..fault };
            return writer.feed(self.error(fault)).await;
        }
        match frame.body {
            Request::Ping => {
                let service = shared.name().to_owned();
                writer.feed(Reply::Pong { service }.encode()).await
            }
            Request::HealthCheck => {
                let health = Reply::Health(Box::new(shared.health().await));
                writer.feed(health.encode()).await
            }
            Request::ServerStatus => {
                let mut health = shared.health().await;
                health.configuration = Some(shared.analyzer.configuration());
                writer.feed(Reply::ServerStatus(Box::new(health)).encode()).await
            }
            Request::Cancel { task_id, correlation_id } => {
                let by_request = correlation_id.and_then(|id| self.by_request.seat_of(&id));
                // What it carries as `correlation_id` names the request that is to stop, and what is
                // answered is this one.
                self.cancel(task_id.map(Unwanted::Task).or(by_request), frame.id).await;
                Ok(())
            }
            Request::Status { task_id } => {
                let status = self.status_of(task_id).await;
                writer.feed(self.task(status, Some(correlation)).encode()).await
            }
            Request::Analysis(request) => match self.submit(*request, &frame.id).await {
                Ok(seat) => {
                    self.follow(seat, correlation);
                    Ok(())
                }
                Err(fault) => {
                    let fault = Fault { correlation_id: Some(correlation), ..fault };
                    writer.feed(self.error(fault)).await
                }
            },
        }
    }

    async fn submit(&mut self, request: AnalysisRequest, id: &str) -> Result<Seat, Fault> {
        let task = request.task_id.clone().unwrap_or_else(crate::names::fresh_task);
        let timeout = request.timeout().unwrap_or(self.shared.terms.timeout);
        let asked = Asked {
            key: key_of(&request, &task),
            task,
            priority: request.priority.and_then(Priority::from_number).unwrap_or_default(),
            follow: if request.detach { Follow::Detach } else { Follow::Wait },
            age: if request.refresh { Age::Fresh } else { Age::Any },
            before: Before::default(),
            batch: None,
            request: Arc::new(request),
            client: self.client,
            payer: self.client,
            who: Arc::clone(&self.who),
            bytes: 0,
            deadline: Instant::now() + timeout,
        };
        let seat = self.shared.desk.submit(asked).await.map_err(refusal::fault)?;
        self.by_request.add(id.to_owned(), &seat);
        Ok(seat)
    }

    fn follow(&mut self, seat: Seat, correlation: String) {
        let follower = Follower {
            outgoing: self.outgoing.clone(),
            shared: Arc::clone(&self.shared),
            task: seat.task.clone(),
            correlation,
            is_lasting: self.is_lasting,
        };
        self.followers.spawn(follower.follow(seat));
    }

    async fn cancel(&mut self, unwanted: Option<Unwanted>, correlation: String) {
        let task = unwanted.as_ref().map(|unwanted| unwanted.task().clone());
        let cancelled = match unwanted {
            Some(unwanted) => {
                // A service is told by gateways, which have asked who may.
                let by = Canceller { client: self.client, only_of: None };
                self.shared.desk.cancel(unwanted, by).await
            }
            None => Cancelled::NotFound,
        };
        let frame = self.task(TaskStatus::new(cancelled.state(), task), Some(correlation)).encode();
        let outgoing = self.outgoing.clone();
        self.followers.spawn(async move {
            cancelled.done().await;
            say(&outgoing, frame).await;
        });
    }

    async fn status_of(&self, task: TaskId) -> TaskStatus {
        let log = self.shared.desk.find(task.clone()).await;
        let Some(log) = log else { return TaskStatus::new(TaskState::NotFound, Some(task)) };
        task_status(&self.shared, &log, task)
    }

    fn task(&self, status: TaskStatus, correlation_id: Option<String>) -> Reply {
        let service = self.shared.name().to_owned();
        Reply::Task { service, correlation_id, status: Box::new(status) }
    }

    fn error(&self, fault: Fault) -> Utf8Bytes {
        let service = self.shared.name().to_owned();
        Reply::Error(Box::new(ServiceFault { service, fault })).encode()
    }

    /// A frame that may not be: the client is told, and the connection ends.
    async fn refuse_frame(&self, error: WireError, writer: &mut Writer) -> Result<(), WireError> {
        if let Some(fault) = refusal::of_wire(&error) {
            writer.feed(self.error(fault)).await.ok();
            writer.flush().await.ok();
        }
        if let Some(code) = error.close_code() {
            writer.close(code, &error.to_string()).await.ok();
        }
        Err(error)
    }
}

/// Reads on until the peer has closed as well.
async fn drained(mut reader: Reader) -> Result<(), WireError> {
    while reader.next().await?.is_some() {}
    Ok(())
}

/// The state of a task, and its result once it ended.
fn task_status<A: Analyze>(shared: &Shared<A>, log: &Log, task: TaskId) -> TaskStatus {
    let Some(end) = log.ended() else { return TaskStatus::new(TaskState::Running, Some(task)) };
    let mut reply = AnalysisReply::new(shared.analyzer.sort(), end.status, end.body.clone());
    reply.task_id = Some(task.clone());
    let mut status = TaskStatus::new(TaskState::Finished, Some(task));
    status.status = Some(end.status);
    status.result = Some(reply.to_payload());
    status
}

/// Requests that name a task are the same work when they name the same one of the same app.
fn key_of(request: &AnalysisRequest, task: &TaskId) -> WorkKey {
    WorkKey::of(|hasher| (&request.model, request.app_number, task).hash(hasher))
}

/// Follows one run for one client.
struct Follower<A> {
    shared: Arc<Shared<A>>,
    outgoing: Outgoing,
    task: TaskId,
    correlation: String,
    is_lasting: bool,
}

// === impl Follower ===

impl<A: Analyze> Follower<A> {
    async fn follow(self, seat: Seat) {
        let mut following = Following::new(seat);
        if self.is_lasting {
            let queued = TaskStatus::new(TaskState::Queued, Some(self.task.clone()));
            let service = self.shared.name().to_owned();
            let correlation_id = Some(self.correlation.clone());
            let reply = Reply::Task { service, correlation_id, status: Box::new(queued) };
            say(&self.outgoing, reply.encode()).await;
        }
        let mut progress = Progress::new(self.task.clone());
        loop {
            match following.next().await {
                Step::Events(events) => {
                    for event in events {
                        let reply = Reply::Progress {
                            service: self.shared.name().to_owned(),
                            correlation_id: Some(self.correlation.clone()),
                            progress: Box::new(progress.of(&event)),
                        };
                        say(&self.outgoing, reply.encode()).await;
                    }
                }
                Step::End(end) => return self.reply(end.status, end.body.clone()).await,
                Step::Released(why) => return self.released(why).await,
            }
        }
    }

    async fn released(&self, why: Released) {
        let (status, fault) = end_of_seat(why);
        self.reply(status, Answer::refused((None, None), status, &fault).analysis).await;
    }

    async fn reply(&self, status: AnalysisStatus, analysis: Payload) {
        let mut reply = AnalysisReply::new(self.shared.analyzer.sort(), status, analysis);
        reply.task_id = Some(self.task.clone());
        reply.correlation_id = Some(self.correlation.clone());
        say_end(&self.outgoing, Reply::Analysis(Box::new(reply)).encode()).await;
    }
}
