//! Messages to bytes: the writing half of RFC 6455, section 5, and what waits to be written.
//!
//! Keeps: frames stand whole and in order; small ones are gathered, so that many leave in one
//! system call; a large payload is written from where it lies; an empty outbox holds no memory.

use super::decoder::{Masks, apply_mask};
use crate::close::{CloseCode, reason_that_fits};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::AsyncWrite;
use tungstenite::Utf8Bytes;

/// What waits to be written.
#[derive(Debug)]
pub(crate) struct Outbox {
    masks: Masks,
    /// State of the generator of masks.
    dice: u64,
    /// Whole and in order. Only the last is appended to.
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that were written.
    written: usize,
    /// Bytes in all pieces that are not written yet.
    waiting: usize,
    /// Bytes that were ever written.
    total: u64,
    needs_flush: bool,
}

#[derive(Debug)]
enum Piece {
    Gathered(Vec<u8>),
    Large(Bytes),
}

/// Payloads up to this many bytes are copied beside others; above it, the copy costs more than a
/// system call of its own.
const GATHERED_MAX: usize = 16 << 10;

/// Bytes in one gathered piece, and so in one system call.
const PIECE: usize = 64 << 10;

// === impl Piece ===

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Gathered(bytes) => bytes,
            Self::Large(bytes) => bytes,
        }
    }
}

// === impl Outbox ===

impl Outbox {
    pub(crate) fn new(masks: Masks) -> Self {
        let dice = RandomState::new().hash_one(0_u8) | 1;
        let pieces = VecDeque::new();
        Self { masks, dice, pieces, written: 0, waiting: 0, total: 0, needs_flush: false }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many bytes were ever written.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn is_flushed(&self) -> bool {
        self.waiting == 0 && !self.needs_flush
    }

    pub(crate) fn push_text(&mut self, text: Utf8Bytes) {
        let payload = Bytes::from(text);
        if self.masks == Masks::Never && payload.len() > GATHERED_MAX {
            self.push_header(1, payload.len(), None);
            self.waiting += payload.len();
            self.pieces.push_back(Piece::Large(payload));
        } else {
            self.push_frame(1, &payload);
        }
    }

    pub(crate) fn push_ping(&mut self) {
        self.push_frame(9, b"");
    }

    pub(crate) fn push_pong(&mut self, payload: &[u8]) {
        self.push_frame(10, payload);
    }

    pub(crate) fn push_close(&mut self, code: Option<CloseCode>, reason: &str) {
        let mut payload = Vec::new();
        if let Some(code) = code {
            payload.extend_from_slice(&code.number().to_be_bytes());
            payload.extend_from_slice(reason_that_fits(reason).as_bytes());
        }
        self.push_frame(8, &payload);
    }

    fn push_frame(&mut self, opcode: u8, payload: &[u8]) {
        let mask = (self.masks == Masks::Always).then(|| self.next_mask());
        let out = self.push_header(opcode, payload.len(), mask);
        let begin = out.len();
        out.extend_from_slice(payload);
        if let Some(mask) = mask {
            apply_mask(&mut out[begin..], mask);
        }
        self.waiting += payload.len();
    }

    /// Writes a header, and returns the piece to which its payload may be appended.
    fn push_header(&mut self, opcode: u8, length: usize, mask: Option<[u8; 4]>) -> &mut Vec<u8> {
        let mut header = [0_u8; 14];
        header[0] = 0x80 | opcode;
        let mut size = 2;
        if let (Ok(short), true) = (u8::try_from(length), length < 126) {
            header[1] = short;
        } else if let Ok(short) = u16::try_from(length) {
            header[1] = 126;
            header[2..4].copy_from_slice(&short.to_be_bytes());
            size = 4;
        } else {
            header[1] = 127;
            header[2..10].copy_from_slice(&(length as u64).to_be_bytes());
            size = 10;
        }
        if let Some(mask) = mask {
            header[1] |= 0x80;
            header[size..size + 4].copy_from_slice(&mask);
            size += 4;
        }
        self.waiting += size;
        let out = self.gathered(size + length.min(GATHERED_MAX));
        out.extend_from_slice(&header[..size]);
        out
    }

    /// Returns the last piece if it has room for so many bytes, else a new one.
    fn gathered(&mut self, more: usize) -> &mut Vec<u8> {
        let fits =
            |piece: &Piece| matches!(piece, Piece::Gathered(bytes) if bytes.len() + more <= PIECE);
        if !self.pieces.back().is_some_and(fits) {
            self.pieces.push_back(Piece::Gathered(Vec::with_capacity(more.max(512))));
        }
        match self.pieces.back_mut() {
            Some(Piece::Gathered(bytes)) => bytes,
            Some(Piece::Large(_)) | None => unreachable!("a gathered piece was pushed above"),
        }
    }

    /// Returns four bytes that a page in a browser could not foresee, which is all that masks are
    /// for; `xorshift64*` from a seed of the system.
    fn next_mask(&mut self) -> [u8; 4] {
        self.dice ^= self.dice >> 12;
        self.dice ^= self.dice << 25;
        self.dice ^= self.dice >> 27;
        let drawn = self.dice.wrapping_mul(0x2545_F491_4F6C_DD1D).to_be_bytes();
        [drawn[0], drawn[1], drawn[2], drawn[3]]
    }

    /// Writes until no more than `most` bytes wait; with 0, all are also flushed.
    pub(crate) fn poll_down_to<S: AsyncWrite + Unpin>(
        &mut self,
        most: usize,
        io: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.waiting > most
            && let Some(piece) = self.pieces.front()
        {
            let rest = &piece.bytes()[self.written..];
            let length = rest.len();
            let taken = ready!(Pin::new(&mut *io).poll_write(cx, rest))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.needs_flush = true;
            self.waiting -= taken;
            self.total += taken as u64;
            self.written += taken;
            if taken == length {
                self.pieces.pop_front();
                self.written = 0;
            }
        }
        if self.waiting == 0 {
            self.pieces = VecDeque::new();
            if self.needs_flush {
                ready!(Pin::new(io).poll_flush(cx))?;
                self.needs_flush = false;
            }
        }
        Poll::Ready(Ok(()))
    }
}
