//! Which traces are recorded. The words are those of OpenTelemetry's `OTEL_TRACES_SAMPLER`.

use assay_model::{TraceContext, TraceId};

/// Decides once for a trace, where it begins; whoever is a part of one follows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sampler {
    pub(crate) root: Root,
    /// Whether a trace that another began is decided by that other.
    pub(crate) follows: bool,
}

/// What becomes of a trace that begins here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Root {
    Always,
    Never,
    /// This part of all, from 0 to 1.
    Ratio(f64),
}

// === impl Sampler ===

impl Default for Sampler {
    fn default() -> Self {
        Self { root: Root::Always, follows: true }
    }
}

impl Sampler {
    /// Reads the name of a sampler and its argument. `None` where there is no such one.
    pub(crate) fn of(name: &str, argument: Option<&str>) -> Option<Self> {
        let (follows, root) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, name),
        };
        let root = match root {
            "always_on" => Root::Always,
            "always_off" => Root::Never,
            // Without a sound argument all are taken, as the specification has it.
            "traceidratio" => Root::Ratio(
                argument
                    .and_then(|ratio| ratio.trim().parse().ok())
                    .filter(|ratio| (0.0..=1.0).contains(ratio))
                    .unwrap_or(1.0),
            ),
            _ => return None,
        };
        Some(Self { root, follows })
    }

    pub(crate) fn takes(self, trace: TraceId, parent: Option<&TraceContext>) -> bool {
        match parent {
            Some(parent) if self.follows => parent.is_sampled,
            _ => self.root.takes(trace),
        }
    }
}

// === impl Root ===

impl Root {
    fn takes(self, trace: TraceId) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Ratio(ratio) => part_of(trace) < ratio,
        }
    }
}

/// Where in 0 to 1 a trace lies: by its last seven bytes, which are drawn by chance, so that every
/// process decides alike.
fn part_of(trace: TraceId) -> f64 {
    let mut bytes = [0; 8];
    bytes[1..].copy_from_slice(&trace.bytes()[9..]);
    #[expect(clippy::cast_precision_loss, reason = "53 of 56 bits are enough to choose by")]
    let part = u64::from_be_bytes(bytes) as f64 / (1_u64 << 56) as f64;
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    fn trace(last: u8) -> TraceId {
        let mut bytes = [1; 16];
        bytes[9] = last;
        TraceId::new(bytes).unwrap()
    }

    fn parent(is_sampled: bool) -> TraceContext {
        TraceContext { trace: trace(0), span: ids::fresh_span(), is_sampled, state: None }
    }

    #[test]
    fn a_trace_is_decided_where_it_begins() {
        let check = |name, argument, expected: [bool; 4]| {
            let sampler = Sampler::of(name, argument).unwrap();
            let roots = [0x10, 0xf0].map(|last| sampler.takes(trace(last), None));
            let parts =
                [false, true].map(|sampled| sampler.takes(trace(0), Some(&parent(sampled))));
            assert_eq!([roots, parts].concat(), expected, "{name} {argument:?}");
        };
        check("always_on", None, [true; 4]);
        check("always_off", None, [false; 4]);
        check("traceidratio", Some("0.5"), [true, false, true, true]);
        check("traceidratio", Some("nonsense"), [true; 4]);
        check("parentbased_always_on", None, [true, true, false, true]);
        check("parentbased_always_off", None, [false, false, false, true]);
        check("parentbased_traceidratio", Some("0.5"), [true, false, false, true]);
        assert_eq!(Sampler::of("jaeger_remote", None), None);
        assert_eq!(Sampler::of("parentbased_always_on", None), Some(Sampler::default()));
    }
}
