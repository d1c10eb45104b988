//! How a connection is closed: the codes of RFC 6455, section 7.4, that we send or hear.

use std::fmt;

/// Why a connection is closed, as its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

/// What a close frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// `None` where the peer gave no code.
    pub code: Option<CloseCode>,
    pub reason: String,
}

/// Bytes that the reason in a close frame may have: a control frame has at most 125, two of them
/// are the code.
pub(crate) const REASON_MAX: usize = 123;

// === impl CloseCode ===

impl CloseCode {
    /// All was said.
    pub const NORMAL: Self = Self(1000);
    /// The server goes away.
    pub const AWAY: Self = Self(1001);
    /// The peer breaks the protocol of frames.
    pub const PROTOCOL: Self = Self(1002);
    /// A kind of frame that is not taken: binary.
    pub const UNSUPPORTED: Self = Self(1003);
    /// Text that is not UTF-8.
    pub const NOT_UTF8: Self = Self(1007);
    /// The peer may not do what it did.
    pub const POLICY: Self = Self(1008);
    /// A message above the limit.
    pub const TOO_LARGE: Self = Self(1009);
    /// Something of ours failed.
    pub const INTERNAL: Self = Self(1011);
    /// The server restarts; come back.
    pub const RESTART: Self = Self(1012);
    /// Too much to do; come back later.
    pub const TRY_LATER: Self = Self(1013);

    /// Returns the code of that number, if a peer may send it.
    pub fn new(number: u16) -> Option<Self> {
        matches!(number, 1000..=1003 | 1007..=1014 | 3000..=4999).then_some(Self(number))
    }

    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Shortens a reason to what fits into a close frame, between two characters.
pub(crate) fn reason_that_fits(reason: &str) -> &str {
    let mut end = reason.len().min(REASON_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_send_codes_that_are_kept_for_others() {
        for kept in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, u16::MAX] {
            assert_eq!(CloseCode::new(kept), None, "{kept}");
        }
        assert_eq!(CloseCode::new(1009), Some(CloseCode::TOO_LARGE));
        assert!(CloseCode::new(3000).is_some());
    }

    #[test]
    fn a_long_reason_is_cut_between_two_characters() {
        let long = "é".repeat(100);
        assert_eq!(reason_that_fits(&long).len(), 122);
        assert_eq!(reason_that_fits("bye"), "bye");
    }
}
