//! What a connection may take: bytes and time, each with its reason.

use std::time::Duration;

/// Bytes that one message from anybody may have.
pub const MESSAGE_MAX: usize = 1 << 20;

/// Bytes that one message from a trusted peer may have: a SARIF log can be that large.
pub const MESSAGE_MAX_TRUSTED: usize = 100 << 20;

/// Bounds of one connection. All of them hold before a frame is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that one message of the peer may have, all its fragments together.
    pub message_max: usize,
    /// Bytes that may wait to be written before [`Writer::feed`](crate::Writer::feed) waits for the
    /// peer. One message more may stand behind them, whatever its size.
    pub queued_max: usize,
    /// How it is noticed that the peer is gone; `None` for a peer in the same process.
    pub keep_alive: Option<KeepAlive>,
    /// How long the peer may take to accept what waits, beside [`WRITE_BYTES_PER_S`].
    pub write_within: Duration,
    /// How long the peer may take to answer our close frame.
    pub close_within: Duration,
}

/// When a silent peer is asked, and when it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// A peer that was silent for this long is sent a ping.
    pub ping_every: Duration,
    /// A peer that was silent for this long is gone.
    pub gone_after: Duration,
}

/// The slowest peer for whom it is worth keeping a large message in memory, in bytes each second:
/// every so many bytes that wait give a write a second more.
pub const WRITE_BYTES_PER_S: usize = 128 << 10;

// === impl Limits ===

impl Limits {
    /// For a peer that is nobody in particular: 1 MiB a message, a ping every 20 s, gone after 60 s.
    pub const fn new() -> Self {
        Self {
            message_max: MESSAGE_MAX,
            queued_max: 64 << 10,
            keep_alive: Some(KeepAlive::new()),
            write_within: Duration::from_secs(10),
            close_within: Duration::from_secs(2),
        }
    }

    /// For a token holder or a configured service: 100 MiB a message.
    pub const fn trusted() -> Self {
        Self { message_max: MESSAGE_MAX_TRUSTED, ..Self::new() }
    }

    /// For a peer in the same process: trusted, and never asked whether it is alive, since it cannot
    /// be gone without closing.
    pub const fn local() -> Self {
        Self { keep_alive: None, ..Self::trusted() }
    }

    /// Returns how long writing so many bytes may take.
    pub(crate) fn write_time(&self, bytes: usize) -> Duration {
        let more = u64::try_from(bytes / WRITE_BYTES_PER_S).unwrap_or(u64::MAX);
        self.write_within.saturating_add(Duration::from_secs(more))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

// === impl KeepAlive ===

impl KeepAlive {
    /// A ping every 20 s, gone after 60 s: two lost pings drop nobody.
    pub const fn new() -> Self {
        Self { ping_every: Duration::from_secs(20), gone_after: Duration::from_mins(1) }
    }
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self::new()
    }
}

const _: () = assert!(
    2 * KeepAlive::new().ping_every.as_secs() < KeepAlive::new().gone_after.as_secs(),
    "one lost ping must not drop a peer"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_message_may_take_longer() {
        let limits = Limits::new();
        assert_eq!(limits.write_time(1000), limits.write_within);
        assert_eq!(limits.write_time(1 << 20), limits.write_within + Duration::from_secs(8));
    }
}
