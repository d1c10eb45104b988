//! Bytes to messages: however they are cut they mean the same, and the same as tungstenite reads.

use assay_wire::{Connection, Limits, Side, WireError};
use proptest::{collection::vec, prelude::*, sample::select};
use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::{
    Message, WebSocket,
    protocol::{Role, WebSocketConfig},
};

/// A stream that gives bytes in pieces, and swallows what is written.
struct Pieces(VecDeque<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(mut piece) = self.0.pop_front() else { return Poll::Ready(Ok(())) };
        let rest = piece.split_off(piece.len().min(buffer.remaining()));
        if !rest.is_empty() {
            self.0.push_front(rest);
        }
        buffer.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    /// The bytes ended.
    Lost,
    /// The bytes break the protocol.
    Broken,
}

const MAX: usize = 400;

fn ours(bytes: &[u8], sizes: &[usize]) -> (Vec<String>, End) {
    let mut pieces = VecDeque::new();
    let (mut rest, mut sizes) = (bytes, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().copied().unwrap_or(usize::MAX).clamp(1, rest.len());
        let (piece, after) = rest.split_at(size);
        pieces.push_back(piece.to_vec());
        rest = after;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let limits = Limits { message_max: MAX, ..Limits::new() };
        let mut connection = Connection::new(Box::new(Pieces(pieces)), Side::Server, limits);
        let mut texts = Vec::new();
        loop {
            match connection.next().await {
                Ok(Some(text)) => texts.push(text.to_string()),
                Ok(None) => return (texts, End::Closed),
                Err(WireError::Lost { .. }) => return (texts, End::Lost),
                Err(error) => {
                    assert!(error.close_code().is_some(), "{error:?}");
                    return (texts, End::Broken);
                }
            }
        }
    })
}

struct Source<'a>(&'a [u8]);

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Source<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(bytes: &[u8]) -> (Vec<String>, End) {
    let config = WebSocketConfig::default().max_message_size(Some(MAX)).max_frame_size(Some(MAX));
    let mut socket = WebSocket::from_raw_socket(Source(bytes), Role::Server, Some(config));
    let mut texts = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => texts.push(text.to_string()),
            Ok(Message::Close(_)) => return (texts, End::Closed),
            Ok(_) => {}
            Err(tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => return (texts, End::Lost),
            Err(_) => return (texts, End::Broken),
        }
    }
}

/// A frame of a client, mostly well formed.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let kind = select(vec![0x81_u8, 0x81, 0x81, 0x01, 0x00, 0x80, 0x89, 0x8a, 0x09, 0x83, 0xc1]);
    let payload = prop_oneof![
        "[a-zé€]{0,40}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..20),
        vec(Just(b'x'), 100..200),
    ];
    (kind, payload, any::<[u8; 4]>(), 0_u8..20).prop_map(|(first, payload, mask, odd)| {
        let is_masked = if odd == 0 { 0 } else { 0x80 };
        let mut frame = vec![first];
        if let Ok(short @ 0..=125) = u8::try_from(payload.len()) {
            frame.push(is_masked | short);
        } else {
            frame.push(is_masked | 0x7e);
            frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
        if is_masked != 0 {
            frame.extend(mask);
            frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            frame.extend(payload);
        }
        frame
    })
}

proptest! {
    #[test]
    fn frames_mean_what_another_implementation_reads(
        frames in vec(frame(), 0..12),
        is_closed in any::<bool>(),
        sizes in vec(1_usize..40, 1..5),
    ) {
        let mut bytes = frames.concat();
        if is_closed {
            bytes.extend([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
        }
        prop_assert_eq!(ours(&bytes, &sizes), theirs(&bytes));
    }

    #[test]
    fn bytes_mean_the_same_however_they_are_cut(
        bytes in vec(any::<u8>(), 0..300),
        sizes in vec(1_usize..40, 1..5),
    ) {
        prop_assert_eq!(ours(&bytes, &sizes), ours(&bytes, &[]));
    }
}
