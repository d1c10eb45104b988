//! A small HTTP/1.1 server that answers as told, on loopback, one thread a connection.
//!
//! Keeps: it hears only 127.0.0.1; a question has at most [`BODY_MAX`] bytes; when it is dropped
//! it takes no more connections.
//!
//! Does not: keep connections open, or speak TLS.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// No test asks more than this; a broken client must not fill the memory.
const BODY_MAX: u64 = 64 << 20;

/// A client that connects and says nothing must not hold its thread for ever.
const READ_MAX: Duration = Duration::from_secs(30);

/// What a client asked.
#[derive(Clone, Debug)]
pub struct Question {
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Already unpacked where it was sent with gzip.
    pub body: Vec<u8>,
}

/// What it is told.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

/// A running server. It stops when dropped.
pub struct Server {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
}

type Handler = dyn Fn(&Question) -> Answer + Send + Sync;

// === impl Answer ===

impl Answer {
    pub fn json(value: &serde_json::Value) -> Self {
        let body = value.to_string().into_bytes();
        Self { status: 200, content_type: "application/json", body }
    }

    pub fn status(status: u16) -> Self {
        Self { status, content_type: "text/plain", body: Vec::new() }
    }
}

// === impl Server ===

impl Server {
    /// Listens on a free port of loopback and answers with `handler`.
    pub fn start(
        handler: impl Fn(&Question) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let handler: Arc<Handler> = Arc::new(handler);
        let (stop, log) = (Arc::clone(&stopped), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (handler, log) = (Arc::clone(&handler), Arc::clone(&log));
                thread::spawn(move || drop(serve(stream, &*handler, &log)));
            }
        });
        Ok(Self { address, stopped, asked })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every question so far: `GET /simple/uv/`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().map_or_else(|_| Vec::new(), |asked| asked.clone())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The thread waits for a connection: this one lets it see the flag.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: TcpStream, handler: &Handler, log: &Mutex<Vec<String>>) -> io::Result<()> {
    stream.set_read_timeout(Some(READ_MAX))?;
    let Some(question) = read(&stream)? else { return Ok(()) };
    if let Ok(mut log) = log.lock() {
        log.push(format!("{} {}", question.method, question.path));
    }
    let answer = handler(&question);
    let head = format!(
        "HTTP/1.1 {} Told\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.status,
        answer.content_type,
        answer.body.len()
    );
    stream.write_all(head.as_bytes())?;
    if question.method != "HEAD" {
        stream.write_all(&answer.body)?;
    }
    stream.flush()
}

fn read(stream: &TcpStream) -> io::Result<Option<Question>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let body = read_body(&mut reader, &headers)?;
    Ok(Some(Question { method, path, headers, body }))
}

fn read_body(reader: &mut impl BufRead, headers: &BTreeMap<String, String>) -> io::Result<Vec<u8>> {
    let mut sent = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|encoding| encoding.contains("chunked")) {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            reader.by_ref().take(size.min(BODY_MAX)).read_to_end(&mut sent)?;
            reader.read_line(&mut String::new())?;
            if size == 0 || sent.len() as u64 > BODY_MAX {
                break;
            }
        }
    } else {
        let length = headers.get("content-length").and_then(|length| length.parse().ok());
        reader.by_ref().take(length.unwrap_or(0).min(BODY_MAX)).read_to_end(&mut sent)?;
    }
    if headers.get("content-encoding").is_none_or(|encoding| encoding != "gzip") {
        return Ok(sent);
    }
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(&*sent).take(BODY_MAX).read_to_end(&mut body)?;
    Ok(body)
}
