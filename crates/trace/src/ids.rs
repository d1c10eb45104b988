//! Names that nobody else has: drawn from the keys that the standard library has drawn for this thread.

use assay_model::{SpanId, TraceId};
use std::hash::{BuildHasher as _, RandomState};

pub(crate) fn fresh_trace() -> TraceId {
    loop {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&eight());
        bytes[8..].copy_from_slice(&eight());
        if let Some(trace) = TraceId::new(bytes) {
            return trace;
        }
    }
}

pub(crate) fn fresh_span() -> SpanId {
    loop {
        if let Some(span) = SpanId::new(eight()) {
            return span;
        }
    }
}

/// Each state has keys of its own.
fn eight() -> [u8; 8] {
    RandomState::new().hash_one("a span").to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_are_the_same() {
        assert_eq!((0..10_000).map(|_| fresh_span()).collect::<HashSet<_>>().len(), 10_000);
        assert_eq!((0..10_000).map(|_| fresh_trace()).collect::<HashSet<_>>().len(), 10_000);
    }
}
