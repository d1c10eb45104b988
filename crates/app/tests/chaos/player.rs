//! One client that behaves: it asks, cancels, leaves and comes back, and holds the gateway to its word.

use crate::{
    ledger::{Ledger, Wanted},
    stage::{APPS, MODEL},
};
use assay_rules::Dice;
use assay_wire::{ConnectTerms, Connection, KeepAlive, Limits, Utf8Bytes, connect};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

pub(crate) struct Player {
    who: String,
    url: String,
    dice: Dice,
    ledger: Arc<Ledger>,
    next: u32,
    /// Tasks whose connection was lost: they are asked for by name.
    orphans: BTreeMap<String, Wanted>,
}

/// One connection, with all that was said on it.
struct Line {
    connection: Connection,
    open: BTreeMap<String, Asked>,
    /// Requests that have had their end: nothing may follow.
    ended: BTreeSet<String>,
    questions: BTreeMap<String, Question>,
    cancels: BTreeSet<String>,
}

struct Asked {
    wanted: Wanted,
    /// The name of its task, once it is known.
    task: Option<String>,
    is_accepted: bool,
}

/// A question about a task.
struct Question {
    task: String,
    /// Somebody had been told by then that it is accepted. Who is told that while the answer is on its
    /// way makes no lie of it.
    was_promised: bool,
}

/// The connection is no more.
struct Lost;

/// Names of tasks that all clients use for the same work.
const SHARED_NAMES: u64 = 3;

/// A client's own patience with a gateway that says nothing at all.
const PATIENCE: Duration = Duration::from_secs(8);

// === impl Player ===

impl Player {
    pub(crate) fn new(number: u64, url: String, seed: u64, ledger: Arc<Ledger>) -> Self {
        let (who, dice) = (format!("player-{number}"), Dice::seeded(seed));
        Self { who, url, dice, ledger, next: 0, orphans: BTreeMap::new() }
    }

    /// Plays until it is over, then brings everything to its end.
    pub(crate) async fn play(mut self, over: watch::Receiver<bool>) {
        loop {
            let is_over = *over.borrow();
            if is_over && self.orphans.is_empty() {
                return;
            }
            if let Some(mut line) = self.connect().await {
                let played = if is_over {
                    self.ask_for_orphans(&mut line).await
                } else {
                    self.session(&mut line).await
                };
                self.ledger.count(if played.is_ok() { "sessions" } else { "sessions lost" });
                self.leave(line);
            }
            self.think(300).await;
        }
    }

    async fn connect(&self) -> Option<Line> {
        let keep_alive = Some(KeepAlive {
            ping_every: Duration::from_secs(2),
            gone_after: Duration::from_secs(6),
        });
        let limits = Limits { keep_alive, ..Limits::trusted() };
        let terms =
            ConnectTerms { within: Duration::from_secs(3), limits, ..ConnectTerms::default() };
        let connection = connect(&self.url, &terms).await.ok()?;
        Some(Line {
            connection,
            open: BTreeMap::new(),
            ended: BTreeSet::new(),
            questions: BTreeMap::new(),
            cancels: BTreeSet::new(),
        })
    }

    /// What is left open is asked for later, if it has a name.
    fn leave(&mut self, line: Line) {
        for asked in line.open.into_values() {
            if let Some(task) = asked.task {
                self.orphans.insert(task, asked.wanted);
            }
        }
    }

    async fn session(&mut self, line: &mut Line) -> Result<(), Lost> {
        for _ in 0..=self.dice.below(6) {
            match self.dice.below(10) {
                0..=3 => {
                    for _ in 0..=self.dice.below(3) {
                        self.ask(line).await?;
                    }
                }
                4 => self.cancel(line).await?,
                5 => self.ask_for_orphans(line).await?,
                _ => {
                    let pause = Duration::from_millis(self.dice.below(2_000));
                    self.listen_until(line, Instant::now() + pause).await?;
                }
            }
        }
        if self.dice.below(3) == 0 {
            return Ok(()); // without a word
        }
        while !line.open.is_empty() {
            let before = line.open.len();
            self.listen_until_fewer(line, before).await?;
        }
        Ok(())
    }

    async fn ask(&mut self, line: &mut Line) -> Result<(), Lost> {
        let (id, named) = (self.fresh(), self.dice.below(5));
        let app = 1 + u32::try_from(self.dice.below(u64::from(APPS))).unwrap();
        let mut wanted = Wanted { app, both: self.dice.below(3) > 0 };
        let mut data = json!({
            "model": MODEL, "analysis_type": "static", "timeout": 4 + self.dice.below(12),
            "priority": 1 + self.dice.below(3), "detach": self.dice.below(4) == 0,
            "refresh": self.dice.below(3) == 0,
        });
        let task = match named {
            0 | 1 => Some(format!("{}-{id}", self.ledger.diary.seed())),
            2 => {
                // The same name is the same work, so everybody asks for the same.
                let epoch = self.ledger.diary.elapsed().as_secs() / 5;
                let number = self.dice.below(SHARED_NAMES);
                wanted = Wanted { app: 1 + u32::try_from(number).unwrap(), both: true };
                Some(format!("shared-{epoch}-{number}"))
            }
            _ => None,
        };
        if let Some(task) = &task {
            data["task_id"] = json!(task);
        }
        data["app_number"] = json!(wanted.app);
        data["tools"] = if wanted.both { json!(["reader", "parent"]) } else { json!(["reader"]) };
        line.open.insert(id.clone(), Asked { wanted, task, is_accepted: false });
        self.ledger.count("requests");
        line.send(json!({ "type": "analysis_request", "id": id, "data": data })).await
    }

    async fn cancel(&mut self, line: &mut Line) -> Result<(), Lost> {
        let at = self.dice.below(line.open.len().max(1) as u64);
        let Some((request, asked)) = line.open.iter().nth(usize::try_from(at).unwrap()) else {
            return Ok(());
        };
        let data = match &asked.task {
            Some(task) if self.dice.below(2) == 0 => json!({ "task_id": task }),
            _ => json!({ "correlation_id": request }),
        };
        let id = self.fresh();
        line.cancels.insert(id.clone());
        self.ledger.count("cancels");
        line.send(json!({ "type": "cancel_request", "id": id, "data": data })).await
    }

    /// Asks for what was lost, and waits until all is answered.
    async fn ask_for_orphans(&mut self, line: &mut Line) -> Result<(), Lost> {
        let orphans: Vec<String> = self.orphans.keys().cloned().collect();
        for task in orphans {
            let id = self.fresh();
            let data = json!({ "task_id": task });
            let was_promised = self.ledger.is_promised(&task);
            line.questions.insert(id.clone(), Question { task, was_promised });
            line.send(json!({ "type": "status_request", "id": id, "data": data })).await?;
        }
        while !line.questions.is_empty() {
            let frame = self.receive(line, Instant::now() + PATIENCE).await?.ok_or(Lost)?;
            self.hear(line, &frame);
        }
        Ok(())
    }

    async fn listen_until(&mut self, line: &mut Line, by: Instant) -> Result<(), Lost> {
        while let Some(frame) = self.receive(line, by).await? {
            self.hear(line, &frame);
        }
        Ok(())
    }

    /// Listens for an end. Whoever hears none in time goes, and asks later.
    async fn listen_until_fewer(&mut self, line: &mut Line, than: usize) -> Result<(), Lost> {
        let by = Instant::now() + 3 * PATIENCE;
        while line.open.len() >= than {
            let frame = self.receive(line, by).await?.ok_or(Lost)?;
            self.hear(line, &frame);
        }
        Ok(())
    }

    /// The next frame; `None` when none comes in time.
    async fn receive(&self, line: &mut Line, by: Instant) -> Result<Option<Value>, Lost> {
        let Ok(next) = timeout_at(by, line.connection.next()).await else { return Ok(None) };
        let text = next.map_err(|_| Lost)?.ok_or(Lost)?;
        match serde_json::from_str(&text) {
            Ok(frame) => Ok(Some(frame)),
            Err(error) => {
                self.fault(format!("a message that is no JSON: {error}: {text}"));
                Err(Lost)
            }
        }
    }

    fn hear(&mut self, line: &mut Line, frame: &Value) {
        let id = frame["correlation_id"].as_str().unwrap_or_default();
        let data = &frame["data"];
        if let Some(question) = line.questions.remove(id) {
            return self.answered(&question, data);
        }
        match frame["type"].as_str().unwrap_or_default() {
            "analysis_result" => self.ended(line, id, data),
            "error" => self.refused(line, id, data),
            "status_update" if line.cancels.remove(id) => {}
            "status_update" => match line.open.get_mut(id) {
                Some(asked) if data["state"] == "queued" => {
                    let task = data["task_id"].as_str().unwrap_or_default();
                    self.ledger.accepted(task, asked.wanted, &self.who);
                    asked.task = Some(task.to_owned());
                    asked.is_accepted = true;
                }
                Some(_) => {}
                None => self.after_the_end(line, id, frame),
            },
            "progress_update" if !line.open.contains_key(id) => self.after_the_end(line, id, frame),
            _ => {}
        }
    }

    fn ended(&mut self, line: &mut Line, id: &str, body: &Value) {
        let Some(asked) = line.open.remove(id) else {
            return self.after_the_end(line, id, body);
        };
        line.ended.insert(id.to_owned());
        // What was refused is no end of the task that bears the name.
        let task = asked.task.as_deref().filter(|_| asked.is_accepted);
        self.ledger.ended(task, asked.wanted, body, &self.who);
    }

    /// An error is the answer to a request that gets no other.
    fn refused(&mut self, line: &mut Line, id: &str, fault: &Value) {
        let code = fault["code"].as_str().unwrap_or("none");
        line.cancels.remove(id);
        match line.open.remove(id) {
            Some(asked) => {
                line.ended.insert(id.to_owned());
                self.ledger.count(&format!("refused: {code}"));
                if asked.is_accepted {
                    self.fault(format!("{id} was accepted, and then refused: {fault}"));
                }
            }
            None if line.ended.contains(id) => self.after_the_end(line, id, fault),
            // About a message that was spoilt on its way.
            None => {}
        }
    }

    fn after_the_end(&self, line: &Line, id: &str, frame: &Value) {
        let what = if line.ended.contains(id) { "after its end" } else { "without a question" };
        self.fault(format!("{id}: a message {what}: {frame}"));
    }

    /// What a task that was lost has come to.
    fn answered(&mut self, question: &Question, data: &Value) {
        let Question { task, was_promised } = question;
        let Some(wanted) = self.orphans.get(task).copied() else { return };
        match data["state"].as_str() {
            Some("finished") => {
                self.ledger.count("ends heard of later");
                if data["result"].is_object() {
                    self.ledger.ended(Some(task), wanted, &data["result"], &self.who);
                }
            }
            Some("queued" | "running") => return,
            _ if *was_promised => {
                self.fault(format!("task {task} was accepted, and the gateway says {data}"));
            }
            // Nobody was told that it is accepted.
            _ => {}
        }
        self.orphans.remove(task);
    }

    fn fault(&self, what: String) {
        self.ledger.diary.fault(format!("{}: {what}", self.who));
    }

    fn fresh(&mut self) -> String {
        self.next += 1;
        format!("{}-{}", self.who, self.next)
    }

    async fn think(&mut self, ms: u64) {
        sleep(Duration::from_millis(20 + self.dice.below(ms))).await;
    }
}

// === impl Line ===

impl Line {
    async fn send(&mut self, frame: Value) -> Result<(), Lost> {
        self.connection.send(Utf8Bytes::from(frame.to_string())).await.map_err(|_| Lost)
    }
}
