//! A server that echoes, and a client that sends bytes as told.

use assay_wire::{
    Handler, Limits, ListenNote, ListenTerms, Listener, Origins, Peer, Utf8Bytes,
    answer::{Request, Response, text},
    is_upgrade, part, upgrade,
};
use http::StatusCode;
use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

/// Longer than anything here takes; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A server that runs until it is dropped or stopped.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) echo: Arc<Echo>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// Echoes every message; other requests by their path.
pub(crate) struct Echo {
    limits: Limits,
    origins: Origins,
    notes: Mutex<Vec<String>>,
}

impl Handler for Echo {
    async fn handle(&self, mut request: Request, _: Peer) -> Response {
        if !is_upgrade(request.headers()) {
            return match request.uri().path() {
                "/panic" => panic!("as asked"),
                "/slow" => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    text(StatusCode::OK, "at last")
                }
                _ => text(StatusCode::UNAUTHORIZED, "who are you?\n"),
            };
        }
        match upgrade(&mut request, self.limits, &self.origins) {
            Err(refusal) => *refusal,
            Ok((answer, upgrading)) => {
                tokio::spawn(async move {
                    if let Ok(connection) = upgrading.connection().await {
                        echo(connection).await;
                    }
                });
                answer
            }
        }
    }

    fn note(&self, note: ListenNote) {
        self.notes.lock().expect("no test panics here").push(format!("{note:?}"));
    }
}

async fn echo(connection: assay_wire::Connection) {
    let (mut reader, mut writer) = connection.split();
    let error = loop {
        match reader.next().await {
            Ok(Some(message)) => match writer.send(message).await {
                Ok(()) => {}
                Err(error) => break error,
            },
            Ok(None) => return part(reader, writer, assay_wire::CloseCode::NORMAL, "").await,
            Err(error) => break error,
        }
    };
    if let Some(code) = error.close_code() {
        let words = error.to_string();
        let _ = writer.send(Utf8Bytes::from(format!("error: {words}"))).await;
        part(reader, writer, code, &words).await;
    }
}

// === impl House ===

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(Limits::new(), ListenTerms::default()).await
    }

    pub(crate) async fn with(limits: Limits, terms: ListenTerms) -> Self {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Listener::bind(local, terms).await.expect("a free port");
        let address = listener.address().expect("it is bound");
        let origins = Origins::allow(&["http://good.example"]);
        let echo = Arc::new(Echo { limits, origins, notes: Mutex::default() });
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(listener.serve(Arc::clone(&echo), stopped));
        Self { address, echo, stop, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.echo.notes.lock().expect("no test panics here").clone()
    }

    /// Waits for a note that says `words`.
    pub(crate) async fn noted(&self, words: &str) {
        patiently(async {
            while !self.notes().iter().any(|note| note.contains(words)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).expect("it serves");
        patiently(self.serving).await.expect("serving does not panic");
    }

    /// A raw client after its handshake.
    pub(crate) async fn raw(&self) -> Raw {
        let mut raw = self.bare().await;
        raw.say(&handshake("")).await;
        let answer = raw.head().await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        raw
    }

    /// A raw client that has said nothing.
    pub(crate) async fn bare(&self) -> Raw {
        Raw(TcpStream::connect(self.address).await.expect("it listens"))
    }

    /// Whether a good client is still served.
    pub(crate) async fn is_well(&self) {
        let mut raw = self.raw().await;
        raw.say(&masked(0x81, b"still there")).await;
        assert_eq!(raw.frame().await, Some((0x81, b"still there".to_vec())));
    }
}

/// The request by which a WebSocket begins, with further headers.
pub(crate) fn handshake(headers: &str) -> Vec<u8> {
    format!(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
    .into_bytes()
}

/// A frame of a client, whose first byte is as given.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | u8::try_from(short).expect("below 126")),
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The header of a frame of a client that announces so many bytes.
pub(crate) fn announced(first: u8, length: u64) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | 127];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&[1, 2, 3, 4]);
    frame
}

/// A client that sends bytes as told.
pub(crate) struct Raw(TcpStream);

// === impl Raw ===

impl Raw {
    /// Sends, whether or not the server still listens.
    pub(crate) async fn say(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// The head of an answer.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        patiently(async {
            while !head.ends_with(b"\r\n\r\n") {
                match self.0.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
        })
        .await;
        String::from_utf8(head).expect("heads are text")
    }

    /// One frame of the server as its first byte and its payload; `None` at the end.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        patiently(async {
            let first = self.0.read_u8().await.ok()?;
            let length = match self.0.read_u8().await.ok()? {
                126 => u64::from(self.0.read_u16().await.ok()?),
                127 => self.0.read_u64().await.ok()?,
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(length).expect("it fits")];
            self.0.read_exact(&mut payload).await.ok()?;
            Some((first, payload))
        })
        .await
    }

    /// The code of the close frame, after whatever comes before it.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        while let Some((first, payload)) = self.frame().await {
            if first == 0x88 {
                return Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
        None
    }

    /// Reads until the server closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = patiently(self.0.read_to_end(&mut rest)).await;
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// Waits, but not for ever.
pub(crate) async fn patiently<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes too long")
}
