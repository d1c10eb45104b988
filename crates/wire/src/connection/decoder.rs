//! Bytes to messages: the reading half of RFC 6455, section 5.
//!
//! Pure: bytes are put in, messages come out. Keeps: no more memory than bytes that came in, and
//! none while nothing is half read; a limit is looked at as soon as a header tells the size.
//!
//! Does not: know `permessage-deflate` or any other extension; none is ever offered or accepted.

use crate::{
    Limits,
    close::{CloseCode, Closed},
    error::WireError,
};
use bytes::{Buf, Bytes, BytesMut};
use tungstenite::Utf8Bytes;

/// Whether the payloads of a direction are masked (RFC 6455, section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Masks {
    /// From a client to a server.
    Always,
    /// From a server to a client, and within one process.
    Never,
}

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(Utf8Bytes),
    Ping(Bytes),
    Pong,
    Close(Closed),
}

/// What is known about the bytes that came in and are not a message yet.
#[derive(Debug)]
pub(crate) struct Decoder {
    masks: Masks,
    message_max: usize,
    bytes: BytesMut,
    /// The frame whose payload is awaited.
    header: Option<Header>,
    /// A message that comes in several frames, as far as it is there.
    parts: Option<Parts>,
}

/// The fragments of a message so far.
#[derive(Debug, Default)]
struct Parts {
    bytes: BytesMut,
    /// How many of them are known to be whole characters.
    sound: usize,
}

#[derive(Clone, Copy, Debug)]
struct Header {
    is_final: bool,
    opcode: u8,
    mask: Option<[u8; 4]>,
    length: usize,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Bytes that a control frame may carry.
const CONTROL_MAX: usize = 125;

/// How much room is made at once for a message that is awaited: a peer that announces 100 MiB and
/// sends nothing costs no more than this.
const ROOM_STEP: usize = 256 << 10;

// === impl Decoder ===

impl Decoder {
    pub(crate) fn new(masks: Masks, limits: &Limits) -> Self {
        let message_max = limits.message_max;
        Self { masks, message_max, bytes: BytesMut::new(), header: None, parts: None }
    }

    /// Puts bytes in.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the buffer with room for what is surely still to come, where that is much; reading
    /// into it spares a copy. `None` where little or nothing is awaited.
    pub(crate) fn room(&mut self) -> Option<&mut BytesMut> {
        let awaited = self.header?.length.saturating_sub(self.bytes.len());
        if awaited < 4096 {
            return None;
        }
        self.bytes.reserve(awaited.min(ROOM_STEP));
        Some(&mut self.bytes)
    }

    /// Whether the peer stands between two messages.
    pub(crate) fn is_between(&self) -> bool {
        self.bytes.is_empty() && self.header.is_none() && self.parts.is_none()
    }

    /// Lets go of the buffer if nothing is in it.
    pub(crate) fn rest(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }

    /// Takes the next message out, if it is there as a whole.
    ///
    /// After an error nothing more can be read: where the next frame begins is not known.
    pub(crate) fn take(&mut self) -> Result<Option<Incoming>, WireError> {
        loop {
            let Some(header) = self.next_header()? else { return Ok(None) };
            if self.bytes.len() < header.length {
                return Ok(None);
            }
            self.header = None;
            let mut payload = self.bytes.split_to(header.length);
            if let Some(mask) = header.mask {
                apply_mask(&mut payload, mask);
            }
            if let Some(incoming) = self.finish(header, payload)? {
                return Ok(Some(incoming));
            }
        }
    }

    fn next_header(&mut self) -> Result<Option<Header>, WireError> {
        if self.header.is_none()
            && let Some((header, size)) = parse(&self.bytes, self.masks)?
        {
            self.check(&header)?;
            self.bytes.advance(size);
            self.header = Some(header);
        }
        Ok(self.header)
    }

    /// Refuses a frame by its header, before its payload is awaited.
    fn check(&self, header: &Header) -> Result<(), WireError> {
        match (header.opcode, &self.parts) {
            (CONTINUATION, None) => Err(broken("a continuation of nothing")),
            (TEXT | BINARY, Some(_)) => Err(broken("a new message within a message")),
            (BINARY, None) => Err(WireError::Binary),
            (CONTINUATION | TEXT, parts) => {
                let before = parts.as_ref().map_or(0, |parts| parts.bytes.len());
                let size = before.saturating_add(header.length);
                let too_large = || WireError::TooLarge { size: size as u64, max: self.message_max };
                if size > self.message_max { Err(too_large()) } else { Ok(()) }
            }
            (CLOSE | PING | PONG, _) if !header.is_final => Err(broken("a control frame in parts")),
            (CLOSE | PING | PONG, _) if header.length > CONTROL_MAX => {
                Err(broken("a control frame above 125 bytes"))
            }
            (CLOSE | PING | PONG, _) => Ok(()),
            _ => Err(broken("an unknown kind of frame")),
        }
    }

    fn finish(&mut self, header: Header, payload: BytesMut) -> Result<Option<Incoming>, WireError> {
        match header.opcode {
            PING => return Ok(Some(Incoming::Ping(payload.freeze()))),
            PONG => return Ok(Some(Incoming::Pong)),
            CLOSE => return closed(&payload).map(|closed| Some(Incoming::Close(closed))),
            _ => {}
        }
        let whole = match (self.parts.take(), header.is_final) {
            (None, true) => payload,
            (parts, is_final) => {
                let mut parts = parts.unwrap_or_default();
                parts.add(&payload)?;
                if !is_final {
                    self.parts = Some(parts);
                    return Ok(None);
                }
                parts.bytes
            }
        };
        let text = Utf8Bytes::try_from(whole.freeze()).map_err(|_| WireError::NotUtf8)?;
        Ok(Some(Incoming::Text(text)))
    }
}

// === impl Parts ===

impl Parts {
    /// Adds a fragment. A character may be cut between two of them; what can become none is refused
    /// before more of it is taken.
    fn add(&mut self, fragment: &[u8]) -> Result<(), WireError> {
        self.bytes.extend_from_slice(fragment);
        match std::str::from_utf8(&self.bytes[self.sound..]) {
            Ok(text) => self.sound += text.len(),
            Err(bad) if bad.error_len().is_some() => return Err(WireError::NotUtf8),
            Err(cut) => self.sound += cut.valid_up_to(),
        }
        Ok(())
    }
}

fn broken(what: &'static str) -> WireError {
    WireError::Protocol { what }
}

/// Reads a header and its size; `None` if it is not there as a whole.
fn parse(bytes: &[u8], masks: Masks) -> Result<Option<(Header, usize)>, WireError> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(broken("a bit of an extension that was not agreed on"));
    }
    let is_masked = second & 0x80 != 0;
    match (masks, is_masked) {
        (Masks::Always, false) => return Err(broken("a frame of a client without a mask")),
        (Masks::Never, true) => return Err(broken("a masked frame of a server")),
        (Masks::Always, true) | (Masks::Never, false) => {}
    }
    let (length, mut size) = match second & 0x7f {
        126 => {
            let Some(field) = bytes.get(2..4) else { return Ok(None) };
            (u64::from(u16::from_be_bytes([field[0], field[1]])), 4)
        }
        127 => {
            let Some(field) = bytes.get(2..10) else { return Ok(None) };
            let field = field.try_into().expect("`get` returned 8 bytes");
            (u64::from_be_bytes(field), 10)
        }
        short => (u64::from(short), 2),
    };
    let mut mask = None;
    if is_masked {
        let Some(field) = bytes.get(size..size + 4) else { return Ok(None) };
        mask = Some(field.try_into().expect("`get` returned 4 bytes"));
        size += 4;
    }
    let is_final = first & 0x80 != 0;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(Some((Header { is_final, opcode: first & 0x0f, mask, length }, size)))
}

fn closed(payload: &[u8]) -> Result<Closed, WireError> {
    let Some((code, reason)) = payload.split_at_checked(2) else {
        let nothing = Closed { code: None, reason: String::new() };
        return if payload.is_empty() { Ok(nothing) } else { Err(broken("half a close code")) };
    };
    let code = CloseCode::new(u16::from_be_bytes([code[0], code[1]]))
        .ok_or_else(|| broken("a close code that may not be sent"))?;
    let reason = std::str::from_utf8(reason).map_err(|_| WireError::NotUtf8)?;
    Ok(Closed { code: Some(code), reason: reason.to_owned() })
}

/// Masks or unmasks: each byte is XORed with the byte of the mask at its place.
pub(crate) fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (eights, rest) = payload.as_chunks_mut::<8>();
    for eight in eights {
        *eight = (u64::from_ne_bytes(*eight) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= mask;
    }
}
