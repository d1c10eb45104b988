//! One client that does what the dice say, and holds the gateway to its promises.

use crate::{
    common::{Client, send},
    world::World,
};
use assay_rules::Dice;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

/// What is left of the time of a request before its answer counts as late: the stop of a service
/// that does not answer, and then some.
const LATE_AFTER: Duration = Duration::from_secs(30);

/// What happened, to know that everything has.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    statuses: BTreeMap<String, u32>,
    errors: BTreeMap<String, u32>,
    cancels: BTreeMap<String, u32>,
}

pub(crate) struct Player {
    who: String,
    world: World,
    dice: Dice,
    client: Client,
    open: BTreeMap<String, Asked>,
    seen: Seen,
    next: u32,
    /// Answers to cancels that are due.
    cancels_due: BTreeSet<String>,
}

/// A request whose end is to come.
struct Asked {
    model: String,
    due: Instant,
    task: Option<String>,
}

// === impl Seen ===

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.statuses, &other.statuses),
            (&mut self.errors, &other.errors),
            (&mut self.cancels, &other.cancels),
        ] {
            for (word, count) in theirs {
                *mine.entry(word.clone()).or_default() += count;
            }
        }
    }

    pub(crate) fn has_seen_everything(&self) -> bool {
        let has = |map: &BTreeMap<String, u32>, words: &[&str]| {
            words.iter().all(|word| map.contains_key(*word))
        };
        has(&self.statuses, &["success", "error", "timeout", "cancelled"])
            && has(&self.cancels, &["cancelled", "not_found", "already_finished"])
    }
}

// === impl Player ===

impl Player {
    pub(crate) fn new(number: u64, world: World, dice: Dice) -> Self {
        let who = format!("player-{number}");
        let client = world.client(&who);
        Self {
            who,
            world,
            dice,
            client,
            open: BTreeMap::new(),
            seen: Seen::default(),
            next: 0,
            cancels_due: BTreeSet::new(),
        }
    }

    pub(crate) async fn play(mut self) -> Seen {
        for _ in 0..12 {
            match self.dice.below(10) {
                0..=4 => self.ask().await,
                5 | 6 => self.cancel().await,
                7 => self.beat().await,
                8 => self.reconnect(),
                _ => {
                    let pause = self.dice.below(3_000);
                    self.listen_until(Instant::now() + Duration::from_millis(pause)).await;
                }
            }
        }
        while !self.open.is_empty() || !self.cancels_due.is_empty() {
            let due = self.open.values().map(|asked| asked.due).max();
            let due = due.unwrap_or_else(Instant::now) + LATE_AFTER;
            let before = self.open.len() + self.cancels_due.len();
            self.listen_until_fewer(due, before).await;
            let open: Vec<_> = self.open.keys().collect();
            let after = self.open.len() + self.cancels_due.len();
            assert!(after < before, "no end came for {open:?}, {:?}", self.cancels_due);
        }
        self.seen
    }

    async fn ask(&mut self) {
        self.next += 1;
        let id = format!("{}-{}", self.who, self.next);
        let model = format!("own-{}", self.dice.below(4));
        let timeout = 1 + self.dice.below(20);
        let is_deaf = self.dice.below(10) == 0;
        // Who is deaf may take longer than the gateway waits for a stop.
        let ms = self.dice.below(8_000) + if is_deaf { self.dice.below(15_000) } else { 0 };
        let panics = self.dice.below(20) == 0;
        let fake = json!({ "ms": ms, "panics": panics, "is_deaf": is_deaf });
        let mut data = json!({
            "model": model, "app_number": 1, "analysis_type": "static", "timeout": timeout,
            "priority": 1 + self.dice.below(3), "config": { "fake": fake },
            "detach": self.dice.below(10) == 0, "refresh": self.dice.below(10) == 0,
        });
        let mut task = None;
        if self.dice.below(2) == 0 {
            let name = format!("{model}-{}", self.dice.below(3));
            data["task_id"] = json!(name);
            task = Some(name);
        }
        send(&mut self.client, json!({ "type": "analysis_request", "id": id, "data": data })).await;
        let due = Instant::now() + Duration::from_secs(timeout);
        assert!(self.open.insert(id, Asked { model, due, task }).is_none());
    }

    async fn cancel(&mut self) {
        self.next += 1;
        let id = format!("{}-{}", self.who, self.next);
        let open: Vec<_> = self.open.iter().collect();
        let data = match open.as_slice() {
            [] => json!({ "task_id": "own-0-0" }),
            open => {
                let at = usize::try_from(self.dice.below(open.len() as u64)).unwrap();
                let (request, asked) = open[at];
                match &asked.task {
                    Some(task) => json!({ "task_id": task }),
                    None => json!({ "correlation_id": request }),
                }
            }
        };
        send(&mut self.client, json!({ "type": "cancel_request", "id": id, "data": data })).await;
        self.cancels_due.insert(id);
    }

    /// A heartbeat is answered whatever else goes on, in no time.
    async fn beat(&mut self) {
        self.next += 1;
        let id = format!("{}-{}", self.who, self.next);
        send(&mut self.client, json!({ "type": "heartbeat", "id": id })).await;
        let by = Instant::now() + Duration::from_secs(1);
        loop {
            let frame = self.receive(by).await.expect("a heartbeat is not answered");
            if frame["correlation_id"] == id.as_str() {
                return;
            }
            self.hear(&frame);
        }
    }

    /// Goes without a word. What was asked is nobody's now.
    fn reconnect(&mut self) {
        self.client = self.world.client(&self.who);
        self.open.clear();
        self.cancels_due.clear();
    }

    async fn listen_until(&mut self, by: Instant) {
        while let Some(frame) = self.receive(by).await {
            self.hear(&frame);
        }
    }

    async fn listen_until_fewer(&mut self, by: Instant, than: usize) {
        while self.open.len() + self.cancels_due.len() >= than {
            let Some(frame) = self.receive(by).await else { return };
            self.hear(&frame);
        }
    }

    async fn receive(&mut self, by: Instant) -> Option<Value> {
        let text = timeout_at(by, self.client.next()).await.ok()?;
        let text = text.unwrap().expect("the gateway has closed");
        Some(serde_json::from_str(&text).unwrap())
    }

    fn hear(&mut self, frame: &Value) {
        let id = frame["correlation_id"].as_str().unwrap_or_default();
        let kind = frame["type"].as_str().unwrap();
        match kind {
            "analysis_result" => self.ended(id, &frame["data"]),
            "error" => {
                let code = frame["data"]["code"].as_str().unwrap().to_owned();
                *self.seen.errors.entry(code).or_default() += 1;
                assert!(self.open.remove(id).is_some(), "an error for what is not open: {frame}");
            }
            "status_update" if self.cancels_due.remove(id) => {
                let state = frame["data"]["state"].as_str().unwrap().to_owned();
                *self.seen.cancels.entry(state).or_default() += 1;
            }
            "status_update" | "progress_update" => {
                assert!(self.open.contains_key(id), "{kind} after the end: {frame}");
            }
            _ => {}
        }
    }

    fn ended(&mut self, id: &str, data: &Value) {
        let asked = self.open.remove(id).unwrap_or_else(|| panic!("a second end for {id}: {data}"));
        let status = data["status"].as_str().unwrap();
        *self.seen.statuses.entry(status.to_owned()).or_default() += 1;
        if status == "success" {
            assert_eq!(data["analysis"]["model"], asked.model.as_str(), "another app's result");
        }
        let late = Instant::now().saturating_duration_since(asked.due);
        assert!(late <= LATE_AFTER, "{id} was answered {late:?} too late: {data}");
    }
}
