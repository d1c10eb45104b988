//! What clients do, as bytes say. Any bytes are a script: those of a fuzzer, or of dice.

use serde_json::{Value, json};

/// Clients that there are at a time.
pub(crate) const PEERS: u8 = 4;

/// Names of tasks that clients give, few enough that they meet.
const TASKS: u8 = 4;

#[derive(Clone, Debug)]
pub(crate) struct Script<'a> {
    rest: &'a [u8],
}

/// What one client does next.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Asks for something that is to be answered.
    Ask {
        asked: Asked,
        manner: Manner,
        same_id: bool,
    },
    /// Says a text of which nothing is expected.
    Say {
        text: String,
        manner: Manner,
    },
    /// Sends bytes that need not be frames.
    Raw(Vec<u8>),
    /// Sends a heartbeat or a ping, which is answered at once.
    Beat,
    /// Reads no more, or does again.
    Deafen,
    Hear,
    Leave {
        politely: bool,
    },
    Wait {
        ms: u64,
    },
    /// The gateway is told to end.
    Drain,
}

/// How a message is cut into frames and writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    Whole,
    /// So many bytes now, the rest with the next thing that is sent, if there is one.
    Half(u8),
    /// Two frames, with a ping between them.
    Fragments,
}

/// Something that is to be answered, with what stands in its `data`.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Analysis(Value),
    Batch(Value),
    Cancel(Unwanted),
    Status(Value),
    Publish(Value),
    Register(Value),
    Unregister(Value),
}

/// What is to be cancelled.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unwanted {
    /// A name that clients give.
    Named(u8),
    /// A task that this client was told of, counted from the last.
    Told(u8),
    /// A request of this connection, counted from the last.
    Request(u8),
    Nothing,
}

// === impl Script ===

impl<'a> Script<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    fn one_in(&mut self, many: u8) -> bool {
        self.byte().is_multiple_of(many)
    }

    /// Who does what next; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<(usize, Action)> {
        if self.rest.is_empty() {
            return None;
        }
        let peer = usize::from(self.byte() % PEERS);
        Some((peer, self.action()))
    }

    fn action(&mut self) -> Action {
        match self.byte() % 32 {
            0..=8 => self.ask(|script| Asked::Analysis(script.analysis())),
            9..=12 => self.ask(|script| Asked::Cancel(script.unwanted())),
            13 | 14 => self.ask(|script| Asked::Batch(script.batch())),
            15..=17 => self.ask(|script| Asked::Status(script.status())),
            18 => self.ask(|script| Asked::Publish(json!({ "stage": script.text() }))),
            19 => self.ask(Self::replica),
            20 | 21 => Action::Say { text: self.nonsense(), manner: self.manner() },
            22 => {
                let many = usize::from(self.byte() % 32).min(self.rest.len());
                let (bytes, rest) = self.rest.split_at(many);
                self.rest = rest;
                Action::Raw(bytes.to_vec())
            }
            23..=25 => Action::Beat,
            26 => Action::Deafen,
            27 => Action::Hear,
            28 => Action::Leave { politely: self.one_in(2) },
            29 if self.byte() % 8 == 7 => Action::Drain,
            _ => Action::Wait { ms: u64::from(self.byte()) * 20 },
        }
    }

    fn ask(&mut self, what: impl FnOnce(&mut Self) -> Asked) -> Action {
        let asked = what(self);
        Action::Ask { asked, manner: self.manner(), same_id: self.byte() % 16 == 1 }
    }

    fn manner(&mut self) -> Manner {
        match self.byte() % 16 {
            1 => Manner::Half(self.byte()),
            2 => Manner::Fragments,
            _ => Manner::Whole,
        }
    }

    fn analysis(&mut self) -> Value {
        let mut data = json!({ "model": format!("m{}", self.byte() % 3), "app_number": 1 });
        let (flags, how) = (self.byte(), self.byte());
        let kinds = ["static", "security_python", "comprehensive", "performance_load", "dance"];
        data["analysis_type"] = json!(kinds[usize::from(how % 16).saturating_sub(11)]);
        let fake = json!({
            "ms": u64::from(self.byte()) * 30, "panics": how / 16 == 1, "is_deaf": how / 16 == 2,
            "events": if how / 16 == 3 { 500 } else { u32::from(how) / 64 },
        });
        data["config"] = json!({ "fake": fake });
        if flags & 1 != 0 {
            data["task_id"] = json!(named(self.byte()));
        }
        data["detach"] = json!(flags & 0b110 == 0b110);
        data["refresh"] = json!(flags & 0b1_1000 == 0b1_1000);
        data["priority"] = json!(flags % 5);
        data["timeout"] = match flags / 32 {
            0 => json!(0.001),
            1 => json!("2"),
            2 => json!(1e12),
            other => json!(other),
        };
        data
    }

    fn batch(&mut self) -> Value {
        let many = self.byte() % 6;
        let requests: Vec<Value> = (0..many).map(|_| self.analysis()).collect();
        let mut data = json!({ "requests": requests, "detach": self.one_in(4) });
        if self.one_in(4) {
            data["task_id"] = json!(named(self.byte()));
        }
        data
    }

    fn unwanted(&mut self) -> Unwanted {
        match self.byte() % 8 {
            0..=2 => Unwanted::Named(self.byte()),
            3 | 4 => Unwanted::Told(self.byte()),
            5 | 6 => Unwanted::Request(self.byte()),
            _ => Unwanted::Nothing,
        }
    }

    fn status(&mut self) -> Value {
        match self.byte() % 8 {
            0..=2 => json!({ "subscribe": "events", "replay": self.one_in(2) }),
            3 => json!({ "subscribe": false }),
            4 | 5 => json!({ "task_id": named(self.byte()) }),
            _ => json!({}),
        }
    }

    fn replica(&mut self) -> Asked {
        let id = format!("replica-{}", self.byte() % 3);
        if self.one_in(2) {
            return Asked::Unregister(json!({ "service_id": id }));
        }
        let services = ["code_quality", "performance_tester", "gateway"];
        let service = services[usize::from(self.byte() % 3)];
        // No host, so that nothing of the world is asked.
        let url = if self.one_in(4) { "http://x" } else { "ws://" };
        let weight = f64::from(self.byte()) - 100.0;
        Asked::Register(
            json!({ "service_type": service, "service_id": id, "url": url, "weight": weight }),
        )
    }

    /// Text that is no request, or nearly one.
    fn nonsense(&mut self) -> String {
        let text = self.text();
        match self.byte() % 6 {
            0 => text,
            1 => json!({ "type": text }).to_string(),
            2 => json!({ "type": "analysis_request", "data": text }).to_string(),
            3 => format!("{{\"type\":\"cancel_request\",\"data\":{{\"task_id\":\"{text}"),
            4 => json!({ "type": "progress_update", "id": { "x": 1 } }).to_string(),
            _ => json!({ "type": "analysis_result", "padding": "x".repeat(5_000) }).to_string(),
        }
    }

    fn text(&mut self) -> String {
        let many = usize::from(self.byte() % 24).min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(many);
        self.rest = rest;
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// A name that clients give.
pub(crate) fn named(byte: u8) -> String {
    format!("t{}", byte % TASKS)
}
