//! One client that may send anything at all, and holds the server to its promises: each request has
//! one end, nothing follows it, and no end comes that nobody asked for.

use crate::script::{Asked, Manner, Unwanted, named};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::timeout,
};

/// Which dialect is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum With {
    Gateway,
    Service,
}

/// Words for what clients were told, to know that all of it has happened.
pub(crate) type Seen = Rc<RefCell<BTreeSet<String>>>;

#[derive(Debug)]
pub(crate) struct Peer {
    with: With,
    seen: Seen,
    stream: DuplexStream,
    /// What was read and is no whole frame yet.
    unread: Vec<u8>,
    /// What is left of a message of which a part was sent.
    unsent: Vec<u8>,
    /// Answers that are to come, by the `id` of the request.
    due: BTreeMap<String, u32>,
    asked: Vec<String>,
    /// Tasks that it was told of.
    told: Vec<String>,
    next: u32,
    pub(crate) is_deaf: bool,
    /// It sent what no client may: whatever comes, comes.
    is_foul: bool,
    pub(crate) is_closed: bool,
}

/// Longer than the server waits for who does not read.
const WRITE_WITHIN: Duration = Duration::from_mins(2);

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What is added to the size of a frame that is masked.
const MASKED: u8 = 0x80;

// === impl Peer ===

impl Peer {
    pub(crate) fn new(with: With, seen: Seen, stream: DuplexStream) -> Self {
        Self {
            with,
            seen,
            stream,
            unread: Vec::new(),
            unsent: Vec::new(),
            due: BTreeMap::new(),
            asked: Vec::new(),
            told: Vec::new(),
            next: 0,
            is_deaf: false,
            is_foul: false,
            is_closed: false,
        }
    }

    /// What it still has to be told; nothing, where the connection has ended or is spoilt.
    pub(crate) fn is_owed(&self) -> bool {
        !self.is_closed && !self.is_foul && self.unsent.is_empty() && !self.due.is_empty()
    }

    pub(crate) fn due(&self) -> Vec<&String> {
        self.due.keys().collect()
    }

    // === what it sends ===

    pub(crate) async fn ask(&mut self, asked: Asked, manner: Manner, same_id: bool) {
        let (letter, kind, data) = match asked {
            Asked::Analysis(data) if self.with == With::Gateway => ('a', "analysis_request", data),
            Asked::Analysis(data) => ('a', "static_analyze", data),
            Asked::Cancel(unwanted) => ('k', "cancel_request", self.named(unwanted)),
            Asked::Batch(data) => ('b', "batch_request", data),
            Asked::Status(data) => ('s', "status_request", data),
            Asked::Publish(data) => ('p', "progress_update", data),
            Asked::Register(data) => ('r', "service_register", data),
            Asked::Unregister(data) => ('u', "service_unregister", data),
        };
        let again = self.asked.iter().rev().find(|id| same_id && id.starts_with(letter)).cloned();
        let id = again.unwrap_or_else(|| {
            self.next += 1;
            format!("{letter}{}", self.next)
        });
        let frame = match self.with {
            With::Gateway => json!({ "type": kind, "id": id, "data": data }),
            With::Service => {
                let mut flat = data;
                flat["type"] = json!(kind);
                flat["id"] = json!(id);
                flat
            }
        };
        *self.due.entry(id.clone()).or_default() += 1;
        self.asked.push(id);
        self.say(&frame.to_string(), manner).await;
    }

    fn named(&self, unwanted: Unwanted) -> Value {
        let last = |of: &[String], back: u8| of.iter().rev().nth(usize::from(back % 8)).cloned();
        match unwanted {
            Unwanted::Named(byte) => json!({ "task_id": named(byte) }),
            Unwanted::Told(back) => json!({ "task_id": last(&self.told, back) }),
            Unwanted::Request(back) => json!({ "correlation_id": last(&self.asked, back) }),
            Unwanted::Nothing => json!({}),
        }
    }

    pub(crate) async fn say(&mut self, text: &str, manner: Manner) {
        let bytes = text.as_bytes();
        match manner {
            Manner::Whole => self.write(frame(TEXT, true, bytes)).await,
            Manner::Half(at) => {
                let mut first = frame(TEXT, true, bytes);
                let rest = first.split_off(usize::from(at).min(first.len()));
                self.write(first).await;
                self.unsent = rest;
            }
            Manner::Fragments => {
                let (first, second) = bytes.split_at(bytes.len() / 2);
                let mut all = frame(TEXT, false, first);
                all.extend(frame(PING, true, b"x"));
                all.extend(frame(0, true, second));
                self.write(all).await;
            }
        }
    }

    /// Sends bytes that are no frames of ours. From then on the connection owes nothing.
    pub(crate) async fn foul(&mut self, bytes: Vec<u8>) {
        self.is_foul = true;
        self.write(bytes).await;
    }

    /// Sends a ping of the protocol's, and returns its name: it is answered at once.
    pub(crate) async fn beat(&mut self) -> Option<String> {
        if self.with == With::Service || self.is_deaf {
            return None;
        }
        self.next += 1;
        let id = format!("h{}", self.next);
        self.due.insert(id.clone(), 1);
        self.say(&json!({ "type": "heartbeat", "id": id }).to_string(), Manner::Whole).await;
        Some(id)
    }

    pub(crate) fn is_due(&self, id: &str) -> bool {
        self.is_owed() && self.due.contains_key(id)
    }

    /// Says goodbye, as a client does that closes.
    pub(crate) async fn goodbye(&mut self) {
        self.write(frame(CLOSE, true, &1000_u16.to_be_bytes())).await;
    }

    async fn write(&mut self, bytes: Vec<u8>) {
        let mut all = std::mem::take(&mut self.unsent);
        all.extend(bytes);
        if self.is_closed {
            return;
        }
        let written = timeout(WRITE_WITHIN, self.stream.write_all(&all)).await;
        let written = written.expect("the server neither reads nor leaves");
        self.is_closed |= written.is_err();
    }

    // === what it is told ===

    /// Takes what is there. Answers pings, as any library does.
    pub(crate) async fn hear(&mut self) {
        if self.is_deaf || self.is_closed {
            return;
        }
        let mut buffer = [0; 4 << 10];
        while let Ok(read) = timeout(Duration::ZERO, self.stream.read(&mut buffer)).await {
            match read {
                Ok(0) | Err(_) => {
                    self.is_closed = true;
                    break;
                }
                Ok(many) => self.unread.extend_from_slice(&buffer[..many]),
            }
        }
        let mut pongs = Vec::new();
        while let Some((operation, payload)) = self.frame() {
            match operation {
                TEXT => self.take(&String::from_utf8(payload).expect("text is UTF-8")),
                PING => pongs.extend(frame(PONG, true, &payload)),
                CLOSE => {
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    self.note(format!("closed by {}", code.unwrap_or(0)));
                    self.is_closed = true;
                }
                PONG => {}
                other => panic!("a server sends no frame {other}"),
            }
        }
        if self.unsent.is_empty() && !pongs.is_empty() {
            self.write(pongs).await;
        }
    }

    /// Takes the next whole frame out of what was read.
    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let [first, second, ..] = *self.unread else { return None };
        assert!(first & 0x80 != 0 && second & 0x80 == 0, "a server sends whole unmasked frames");
        let (size, begin) = match second {
            126 => (usize::from(u16::from_be_bytes(*self.unread.get(2..)?.first_chunk()?)), 4),
            127 => (
                usize::try_from(u64::from_be_bytes(*self.unread.get(2..)?.first_chunk()?)).ok()?,
                10,
            ),
            short => (usize::from(short), 2),
        };
        if self.unread.len() < begin + size {
            return None;
        }
        let rest = self.unread.split_off(begin + size);
        let payload = std::mem::replace(&mut self.unread, rest).split_off(begin);
        Some((first & 15, payload))
    }

    fn note(&self, word: String) {
        self.seen.borrow_mut().insert(word);
    }

    fn take(&mut self, text: &str) {
        let frame: Value = serde_json::from_str(text).expect("a server sends JSON");
        let kind = frame["type"].as_str().expect("every frame has a type");
        let body = if self.with == With::Gateway { &frame["data"] } else { &frame };
        for word in [&body["status"], &body["state"], &body["code"]] {
            if let Some(word) = word.as_str() {
                self.note(format!("{kind} {word}"));
            }
        }
        if body["missed"].is_u64() {
            self.note("missed".to_owned());
        }
        if let Some(task) = frame["data"]["task_id"].as_str() {
            self.told.push(task.to_owned());
        }
        // What nobody asked for: events of the stream, and what could not be read.
        let Some(id) = frame["correlation_id"].as_str() else { return };
        if !self.asked.iter().any(|asked| asked == id) && !self.due.contains_key(id) {
            let is_ours = id.len() < 8 && id.starts_with(['a', 'b', 'k', 'h']);
            assert!(!is_ours || self.is_foul, "an answer to what was not asked: {text}");
            return;
        }
        let is_end = match id.as_bytes().first() {
            Some(b'a') => kind == "error" || kind.ends_with("analysis_result"),
            Some(b'b') => kind == "error" || kind == "batch_result",
            _ => true,
        };
        assert!(self.due.contains_key(id) || self.is_foul, "{id} is over, and then came {text}");
        if !is_end {
            return;
        }
        assert!(kind != "error" || body["code"].is_string(), "an error without a code: {text}");
        if let Some(due) = self.due.get_mut(id) {
            *due -= 1;
            if *due == 0 {
                self.due.remove(id);
            }
        }
    }
}

/// A frame as a client sends it: masked, by a mask that changes nothing.
fn frame(operation: u8, is_last: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![operation | if is_last { 0x80 } else { 0 }];
    match u16::try_from(payload.len()) {
        Ok(size) if size < 126 => bytes.push(MASKED + u8::try_from(size).unwrap_or(0)),
        Ok(size) => {
            bytes.push(MASKED + 126);
            bytes.extend(size.to_be_bytes());
        }
        Err(_) => {
            bytes.push(MASKED + 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}
