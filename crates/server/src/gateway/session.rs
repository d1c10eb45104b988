//! One client: its requests, and what it is told.

use super::{
    Client, Scope, Shared,
    asking::Asking,
    batch::Batch,
    follower::Follower,
    frames::{as_status_update, error, refuse_frame},
    stream::{Got, Place},
};
use crate::{
    asked::ByRequest,
    desk::{Cancelled, Canceller, Unwanted},
    outgoing::{self, Outgoing, Say, last_words, say, tell},
    refusal::{self, UNDER_WAY_MAX},
};
use assay_model::TaskId;
use assay_pool::EndpointTerms;
use assay_rules::balance::Zone;
use assay_wire::{
    AnalysisRequest, CloseCode, Connection, ErrorCode, Fault, Reader, ServiceName, TaskState,
    TaskStatus, Utf8Bytes, WireError, Writer,
    gateway::{CancelWish, Frame, Register, Registration, Reply, Request, StatusWish},
};
use futures_util::FutureExt;
use std::sync::Arc;
use tokio::{sync::mpsc, task::JoinSet};

/// Frames that are answered before they are flushed.
const AT_ONCE: usize = 64;

struct Session {
    asking: Asking,
    client: Client,
    outgoing: Outgoing,
    followers: JoinSet<()>,
    by_request: ByRequest,
    subscription: Option<Place>,
    /// Replicas that this connection has brought, which leave with it.
    replicas: Vec<String>,
}

enum Turn {
    Heard(Result<Option<Utf8Bytes>, WireError>),
    Say(Say),
    Events,
    FollowerEnded,
    Closing,
}

pub(super) async fn serve(shared: Arc<Shared>, connection: Connection, client: Client) {
    let (reader, writer) = connection.split();
    let (outgoing, said) = outgoing::channel();
    let id = shared.desk.new_client();
    let payer = {
        let mut accounts = shared.accounts.lock().expect("nothing panics while it holds them");
        accounts.enter(&client.who, || shared.desk.new_client())
    };
    let asking = Asking {
        shared: Arc::clone(&shared),
        client: id,
        payer,
        who: Arc::clone(&client.who),
        batch: None,
    };
    let session = Session {
        asking,
        outgoing,
        followers: JoinSet::new(),
        by_request: ByRequest::default(),
        subscription: None,
        replicas: Vec::new(),
        client: client.clone(),
    };
    if let Err(error) = session.run(reader, writer, said).await {
        tracing::debug!(%error, who = %client.who, "a client is lost");
    }
    shared.accounts.lock().expect("nothing panics while it holds them").leave(&client.who);
    shared.desk.lost(id).await;
}

// === impl Session ===

impl Session {
    async fn run(
        mut self,
        mut reader: Reader,
        mut writer: Writer,
        mut said: mpsc::Receiver<Say>,
    ) -> Result<(), WireError> {
        let shared = Arc::clone(&self.asking.shared);
        let ended = loop {
            let turn = tokio::select! {
                biased;
                () = shared.closing.cancelled() => Turn::Closing,
                Some(say) = said.recv() => Turn::Say(say),
                Some(_) = self.followers.join_next() => Turn::FollowerEnded,
                heard = reader.next() => Turn::Heard(heard),
                () = ready(self.subscription.as_mut()) => Turn::Events,
            };
            let went_on = match turn {
                Turn::Closing => {
                    last_words(&mut writer, &mut said, &mut self.followers).await?;
                    writer.close(CloseCode::AWAY, "shutting down").await.ok();
                    break Ok(());
                }
                Turn::Heard(heard) => self.hear_all(heard, &mut reader, &mut writer).await,
                Turn::Say(say) => tell(&mut writer, say, &mut said).await.map(|()| true),
                Turn::Events => self.events(&mut writer).await,
                Turn::FollowerEnded => Ok(true),
            };
            match went_on {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        for id in &self.replicas {
            shared.part(id);
        }
        ended
    }

    /// Hears all that is there. Returns whether the session goes on.
    async fn hear_all(
        &mut self,
        heard: Result<Option<Utf8Bytes>, WireError>,
        reader: &mut Reader,
        writer: &mut Writer,
    ) -> Result<bool, WireError> {
        let mut heard = Some(heard);
        for at in 0..AT_ONCE {
            match heard.take() {
                None => break,
                Some(Ok(Some(text))) => self.hear(&text, writer).await?,
                Some(Ok(None)) => return Ok(false),
                Some(Err(error)) => {
                    refuse_frame(&error, writer).await;
                    return Err(error);
                }
            }
            if at + 1 < AT_ONCE {
                heard = reader.next().now_or_never();
            }
        }
        writer.flush().await?;
        Ok(true)
    }

    /// Sends what the stream has.
    async fn events(&mut self, writer: &mut Writer) -> Result<bool, WireError> {
        let shared = Arc::clone(&self.asking.shared);
        let Some(place) = &mut self.subscription else { return Ok(true) };
        match place.take(&shared.stream) {
            Got::Frames { frames, missed } => {
                if missed > 0 {
                    writer.feed(Frame::new(Reply::Missed { missed }).encode()).await?;
                }
                for frame in frames {
                    writer.feed(frame).await?;
                }
                writer.flush().await?;
                Ok(true)
            }
            Got::TooSlow => {
                writer.close(CloseCode::POLICY, "too slow: an end was missed").await.ok();
                Ok(false)
            }
        }
    }

    async fn hear(&mut self, text: &Utf8Bytes, writer: &mut Writer) -> Result<(), WireError> {
        let frame = match Frame::<Request>::decode(text) {
            Ok(frame) => frame,
            Err(unreadable) => {
                let fault = Fault::from(unreadable);
                let id = fault.correlation_id.clone();
                return writer.feed(error(id, fault)).await;
            }
        };
        let Frame { envelope, body } = frame;
        let id = envelope.id;
        if let Some(fault) = self.refused(&body) {
            return writer.feed(error(Some(id), fault)).await;
        }
        let reply = match body {
            Request::ConnectionAck => Reply::ConnectionAck,
            Request::Heartbeat => Reply::Heartbeat,
            Request::Ping => Reply::Pong,
            Request::Status(wish) => return self.status(id, wish, writer).await,
            Request::Analysis(request) => {
                self.analysis(id, *request, envelope.service);
                return Ok(());
            }
            Request::Batch(batch) => {
                let carried = Batch::new(self.asking.clone(), self.outgoing.clone(), id, &batch);
                carried.begin(*batch, &mut self.followers);
                return Ok(());
            }
            Request::Cancel(wish) => {
                self.cancel(id, wish).await;
                return Ok(());
            }
            Request::Progress(progress) => {
                let stage = progress.stage.clone();
                let frame = Frame::new(Reply::Progress(progress)).encode();
                self.asking.shared.stream.publish(frame, None);
                Reply::Ack { stage }
            }
            Request::Register(register) => self.register(*register),
            Request::Unregister { service_id } => {
                let registered = false;
                let parted = self.asking.shared.part(&service_id);
                let message = (!parted).then(|| "there was no such replica".to_owned());
                Reply::Registration(Registration { registered, service_id, message })
            }
            Request::Other { kind } => {
                let message = format!("`{kind}` is sent by servers, and not taken from clients");
                return writer
                    .feed(error(Some(id), Fault::new(ErrorCode::Unsupported, message)))
                    .await;
            }
        };
        writer.feed(Frame::answering(id, reply).encode()).await
    }

    /// Why a request is not taken at all.
    fn refused(&self, request: &Request) -> Option<Fault> {
        if let Some(scope) = self.lacks(request) {
            let message = format!("this needs the scope `{}`", scope.as_str());
            let fault = Fault::new(ErrorCode::Unauthorized, message);
            return Some(fault.suggest("use a token that has it"));
        }
        let room = match request {
            Request::Batch(batch) if !self.asking.shared.batches.have_room_for(batch) => 0,
            Request::Analysis(_) | Request::Batch(_) => UNDER_WAY_MAX,
            Request::Status(wish) if wish.health => UNDER_WAY_MAX,
            Request::Cancel(_) => 2 * UNDER_WAY_MAX,
            _ => usize::MAX,
        };
        (self.followers.len() >= room).then(refusal::too_many_under_way)
    }

    /// The scope that a request needs and the client has not.
    fn lacks(&self, request: &Request) -> Option<Scope> {
        let needed = match request {
            Request::ConnectionAck | Request::Heartbeat | Request::Ping | Request::Other { .. } => {
                return None;
            }
            Request::Status(_) => Scope::Read,
            Request::Analysis(_)
            | Request::Batch(_)
            | Request::Cancel(_)
            | Request::Progress(_) => Scope::Run,
            Request::Register(_) | Request::Unregister { .. } => Scope::Admin,
        };
        (!self.client.scopes.allows(needed)).then_some(needed)
    }

    fn analysis(&mut self, id: String, request: AnalysisRequest, service: Option<ServiceName>) {
        let (asking, outgoing, by_request) =
            (self.asking.clone(), self.outgoing.clone(), self.by_request.clone());
        // Finding the source reads the disk: the session goes on meanwhile.
        self.followers.spawn(async move {
            match asking.submit(request, service).await {
                Ok((seat, analyzer)) => {
                    by_request.add(id.clone(), &seat);
                    Follower { outgoing, id, analyzer }.follow(seat).await;
                }
                Err(fault) => say(&outgoing, error(Some(id), fault)).await,
            }
        });
    }

    async fn status(
        &mut self,
        id: String,
        wish: StatusWish,
        writer: &mut Writer,
    ) -> Result<(), WireError> {
        let shared = Arc::clone(&self.asking.shared);
        if let Some(task) = wish.task_id {
            let status = shared.task_status(task).await;
            return writer.feed(Frame::answering(id, Reply::Task(Box::new(status))).encode()).await;
        }
        match wish.subscribe {
            Some(true) if self.subscription.is_none() => {
                self.subscription = Some(shared.stream.subscribe());
            }
            Some(false) => self.subscription = None,
            Some(true) | None => {}
        }
        let mut report = shared.report(self.subscription.is_some()).await;
        if wish.health {
            // It may take a while: the session goes on meanwhile.
            let outgoing = self.outgoing.clone();
            self.followers.spawn(async move {
                report.replicas = Some(shared.health_of_replicas().await);
                let reply = Reply::Status(Box::new(report));
                say(&outgoing, Frame::answering(id, reply).encode()).await;
            });
            return Ok(());
        }
        writer.feed(Frame::answering(id, Reply::Status(Box::new(report))).encode()).await?;
        if let Some(place) = self.subscription.as_ref().filter(|_| wish.replay) {
            for frame in place.last_before(&shared.stream) {
                writer.feed(as_status_update(&frame)).await?;
            }
        }
        Ok(())
    }

    async fn cancel(&mut self, id: String, wish: CancelWish) {
        if let Some(batch) = self.asking.shared.batches.wished(&wish, self.asking.client) {
            self.followers.spawn(batch.stop(self.client.clone(), self.outgoing.clone(), id));
            return;
        }
        let by_request = wish.correlation_id.and_then(|id| self.by_request.seat_of(&id));
        let unwanted = wish.task_id.map(Unwanted::Task).or(by_request);
        let task = unwanted.as_ref().map(|unwanted| unwanted.task().clone());
        let cancelled = match unwanted {
            Some(unwanted) => {
                let who = Arc::clone(&self.client.who);
                let only_of = (!self.client.scopes.admin).then_some(who);
                let by = Canceller { client: self.asking.client, only_of };
                self.asking.shared.desk.cancel(unwanted, by).await
            }
            None => Cancelled::NotFound,
        };
        if let Cancelled::NotYours = cancelled {
            let fault = Fault::new(ErrorCode::Unauthorized, "this task is another client's")
                .suggest("use its token, or one with the scope `admin`");
            return say(&self.outgoing, error(Some(id), fault)).await;
        }
        let state = match (cancelled.state(), &task) {
            // Another process may have ended it.
            (TaskState::NotFound, Some(task)) => self.remembered(task).await,
            (state, _) => state,
        };
        let reply = Reply::Task(Box::new(TaskStatus::new(state, task)));
        let frame = Frame::answering(id, reply).encode();
        let outgoing = self.outgoing.clone();
        self.followers.spawn(async move {
            cancelled.done().await;
            say(&outgoing, frame).await;
        });
    }

    async fn remembered(&self, task: &TaskId) -> TaskState {
        match self.asking.shared.task_status(task.clone()).await.state {
            TaskState::Finished => TaskState::AlreadyFinished,
            _ => TaskState::NotFound,
        }
    }

    fn register(&mut self, register: Register) -> Reply {
        let Register { service_type, service_id, url, weight, zone, .. } = register;
        let refuse = |message: &str| {
            Reply::Registration(Registration {
                registered: false,
                service_id: service_id.clone(),
                message: Some(message.to_owned()),
            })
        };
        let Some(analyzer) = service_type.analyzer() else {
            return refuse("this service makes no analyses");
        };
        if !url.starts_with("ws://") && !url.starts_with("wss://") {
            return refuse("the `url` must begin with `ws://` or `wss://`");
        }
        let url = self.asking.shared.connector.name_of(url);
        let mut terms = EndpointTerms::local(&url, super::SLOTS);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is clamped"
        )]
        let whole = weight.unwrap_or(1.0).clamp(1.0, 1_000.0) as u32;
        terms.weight = whole;
        terms.zone = if zone.is_none() { Zone(0) } else { Zone(1) };
        self.asking.shared.join_as(analyzer, service_id.clone(), url, terms);
        if !self.replicas.contains(&service_id) {
            self.replicas.push(service_id.clone());
        }
        Reply::Registration(Registration { registered: true, service_id, message: None })
    }
}

/// Waits until a subscriber has something to take; for ever, where there is none.
async fn ready(subscription: Option<&mut Place>) {
    match subscription {
        Some(place) => place.ready().await,
        None => std::future::pending().await,
    }
}
