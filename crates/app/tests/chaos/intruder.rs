//! Strangers at the gateway's own door: they speak no protocol, or speak it badly, or not at all.

use assay_rules::Dice;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// How somebody is a nuisance.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sort {
    /// Says nothing.
    Mute,
    /// Sends bytes that mean nothing.
    Garbage,
    /// Sends its handshake byte by byte.
    Loris,
    /// Sends a header without an end.
    Header,
    /// Sends frames that may not be, after a handshake.
    Frames,
    /// Announces a message of an exabyte.
    Giant,
    /// Wants all events, and reads none.
    Deaf,
    /// Comes and goes, many times.
    Crowd,
}

const ALL: [Sort; 8] = [
    Sort::Mute,
    Sort::Garbage,
    Sort::Loris,
    Sort::Header,
    Sort::Frames,
    Sort::Giant,
    Sort::Deaf,
    Sort::Crowd,
];

/// One who stays until it is dropped.
pub(crate) struct Intruder {
    pub(crate) sort: Sort,
    _stream: TcpStream,
    leaves: Arc<AtomicBool>,
}

/// A handshake as RFC 6455 wants it.
const HANDSHAKE: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Nobody waits longer for a gateway that may stand still.
const PATIENCE: Duration = Duration::from_millis(300);

// === impl Intruder ===

impl Intruder {
    /// `None` where the gateway is not there, or does not take it.
    pub(crate) fn start(address: SocketAddr, dice: &mut Dice) -> Option<Self> {
        let sort = ALL[usize::try_from(dice.below(ALL.len() as u64)).ok()?];
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let leaves = Arc::new(AtomicBool::new(false));
        let noise: Vec<u8> = (0..2_000).map(|_| dice.next_u64().to_le_bytes()[0]).collect();
        // That it is not let do this is what is hoped for.
        let _ = match sort {
            Sort::Mute => Ok(()),
            Sort::Garbage => stream.write_all(&noise),
            Sort::Loris => {
                drip(stream.try_clone().ok()?, Arc::clone(&leaves));
                Ok(())
            }
            Sort::Header => {
                let endless = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(200 << 10));
                stream.write_all(endless.as_bytes())
            }
            Sort::Frames => shaken(&mut stream, &noise),
            Sort::Giant => {
                shaken(&mut stream, &[0x81, 0xFF, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])
            }
            Sort::Deaf => {
                let wish = r#"{"type":"status_request","data":{"subscribe":true,"replay":true}}"#;
                shaken(&mut stream, &masked(wish))
            }
            Sort::Crowd => (0..20).try_for_each(|_| {
                TcpStream::connect_timeout(&address, PATIENCE)?.write_all(&noise[..50])
            }),
        };
        Some(Self { sort, _stream: stream, leaves })
    }
}

impl Drop for Intruder {
    fn drop(&mut self) {
        self.leaves.store(true, Ordering::SeqCst);
    }
}

fn drip(mut stream: TcpStream, leaves: Arc<AtomicBool>) {
    thread::spawn(move || {
        for byte in HANDSHAKE.as_bytes() {
            if leaves.load(Ordering::SeqCst) || stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    });
}

/// Gets in, then sends this.
fn shaken(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(HANDSHAKE.as_bytes())?;
    let _ = stream.read(&mut [0; 1_000])?;
    stream.write_all(bytes)
}

/// A text as one short frame of a client, masked by zeros.
fn masked(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap_or(125).min(125);
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}
