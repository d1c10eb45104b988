//! Where in a trace something happens, as one program tells the next: W3C Trace Context
//! (<https://www.w3.org/TR/trace-context/>).
//!
//! Keeps: what is written reads the same; what is malformed is no context, and never an error.
//!
//! Does not: draw ids, or measure anything.

use std::{fmt, fmt::Write as _, sync::Arc};

/// Names a trace: 16 bytes that are not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// Names a span of a trace: 8 bytes that are not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

/// A place in a trace. Made where a span begins, or read of what another program sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub trace: TraceId,
    pub span: SpanId,
    /// Whether whoever made it records the trace.
    pub is_sampled: bool,
    /// What systems of tracing tell each other (`tracestate`); passed on as it is.
    pub state: Option<Arc<str>>,
}

/// Characters of a `traceparent` of version 00; later versions may have more.
const LENGTH: usize = 55;

/// The flag of a `traceparent` that says that the trace is recorded.
const SAMPLED: u8 = 1;

/// Characters of a `tracestate` that is passed on; section 3.3.1.5 allows to drop a longer one.
const STATE_MAX: usize = 512;

// === impl TraceId, SpanId ===

macro_rules! id {
    ($name:ident, $bytes:literal) => {
        impl $name {
            /// Takes a name; `None` where it is all zero.
            pub fn new(bytes: [u8; $bytes]) -> Option<Self> {
                bytes.iter().any(|byte| *byte != 0).then_some(Self(bytes))
            }

            /// Reads the digits of a `traceparent`: lower case, all of them.
            fn of_hex(digits: &str) -> Option<Self> {
                let mut bytes = [0; $bytes];
                for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
                    *byte = of_pair(pair)?;
                }
                (digits.len() == 2 * $bytes).then(|| Self::new(bytes)).flatten()
            }

            pub fn bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id!(TraceId, 16);
id!(SpanId, 8);

/// Reads one byte; capitals are not allowed (section 3.2.2).
fn of_pair(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let [high, low] = pair else { return None };
    Some(digit(*high)? << 4 | digit(*low)?)
}

// === impl TraceContext ===

impl TraceContext {
    /// Reads a `traceparent` (section 3.2), and the `tracestate` beside it where it can be passed on.
    /// `None` where the first is malformed: whoever reads it begins a trace of its own.
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let (known, rest) = traceparent.split_at_checked(LENGTH)?;
        let mut parts = known.split('-');
        let mut part = || parts.next();
        let (version, trace, span, flags) = (part()?, part()?, part()?, part()?);
        let [version] = byte(version)?;
        let is_whole = rest.is_empty() || (version > 0 && rest.starts_with('-'));
        if part().is_some() || version == 0xff || !is_whole {
            return None;
        }
        let [flags] = byte(flags)?;
        let state = tracestate.filter(|state| is_state(state));
        Some(Self {
            trace: TraceId::of_hex(trace)?,
            span: SpanId::of_hex(span)?,
            is_sampled: flags & SAMPLED != 0,
            state: state.map(Arc::from),
        })
    }

    /// Writes the `traceparent`, of version 00.
    pub fn traceparent(&self) -> String {
        let mut text = String::with_capacity(LENGTH);
        let flags = u8::from(self.is_sampled) * SAMPLED;
        // Text takes all.
        let _ = write!(text, "00-{}-{}-{flags:02x}", self.trace, self.span);
        text
    }
}

fn byte(digits: &str) -> Option<[u8; 1]> {
    Some([of_pair(digits.as_bytes())?])
}

/// Whether a `tracestate` may be passed on: it becomes a part of frames and of environments.
fn is_state(text: &str) -> bool {
    (1..=STATE_MAX).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let read = TraceContext::parse(text, None).map(|context| context.traceparent());
        assert_eq!(read.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_context_reads_as_it_was_written() {
        check(GOOD, Some(GOOD));
        let unsampled = GOOD.replace("-01", "-00");
        check(&unsampled, Some(&unsampled));
        let context = TraceContext::parse(GOOD, None).unwrap();
        assert_eq!(context.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span.bytes()[..3], [0x00, 0xf0, 0x67]);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        check(&GOOD.replace("00-4", "cc-4"), Some(GOOD));
        check(&(GOOD.replace("00-4", "cc-4") + "-what-comes"), Some(GOOD));
        // Flags that nobody has named yet are not passed on.
        check(&GOOD.replace("-01", "-ff"), Some(GOOD));
    }

    #[test]
    fn what_is_malformed_is_no_context() {
        for bad in [
            "",
            "x",
            &GOOD[1..],
            &GOOD[..54],
            &GOOD.replace("00-4", "ff-4"),
            &GOOD.replace("4bf9", "4BF9"),
            &GOOD.replace("00-4", "0-04"),
            &GOOD.replace('-', "_"),
            &format!("{GOOD}-more"),
            &(GOOD.replace("00-4", "cc-4") + "x"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn a_state_is_passed_on_where_it_can_be() {
        let state = |text: &str| TraceContext::parse(GOOD, Some(text)).unwrap().state;
        assert_eq!(state("rojo=00f067aa0ba902b7,congo=t61").as_deref().map(str::len), Some(31));
        for bad in ["", "a=\u{e9}", "a=1\n", "a=\0", &"x".repeat(STATE_MAX + 1)] {
            assert_eq!(state(bad), None, "{bad:?}");
        }
    }
}
