//! Why there is no seat, in words.

use crate::desk::Refused;
use assay_rules::admission::Shut;
use assay_wire::{ErrorCode, Fault, WireError};
use std::time::Duration;

/// After this it is worth to ask a desk again that is behind.
const STUCK_FOR: Duration = Duration::from_secs(1);

/// Requests of one connection that may be under way: more than one client may have waiting, with as
/// many that share the work of others. Who has more is refused, so that no client costs more than so
/// many tasks. Cancels have as much room again: whatever was asked for can be cancelled.
pub(crate) const UNDER_WAY_MAX: usize = 8_192;

/// What a client is told of whose requests too many are under way.
pub(crate) fn too_many_under_way() -> Fault {
    Fault::new(ErrorCode::Overloaded, "too many requests of this connection are under way")
        .retry_after_ms(whole_ms(STUCK_FOR))
        .suggest("wait for answers before you ask for more")
}

/// Says why a request was refused.
pub(crate) fn fault(refused: Refused) -> Fault {
    match refused {
        Refused::Shut(Shut::Overloaded { retry_after }) => {
            Fault::new(ErrorCode::Overloaded, "too many analyses wait already")
                .retry_after_ms(whole_ms(retry_after))
                .suggest("try again later, or add replicas")
        }
        Refused::Shut(Shut::Draining) => {
            Fault::new(ErrorCode::Draining, "the server stops and takes no new work")
        }
        Refused::Shut(Shut::TooLarge { bytes, bytes_max }) => Fault::new(
            ErrorCode::TooLarge,
            format!("the request takes {bytes} bytes, the limit is {bytes_max}"),
        ),
        Refused::DeadlinePassed => {
            Fault::new(ErrorCode::Timeout, "the deadline passed before the request could be taken")
                .suggest("give it a longer `timeout` or `deadline_ms`")
        }
        Refused::Stuck => Fault::new(ErrorCode::Overloaded, "the server is behind")
            .retry_after_ms(whole_ms(STUCK_FOR)),
    }
}

/// What the peer is told about a frame that may not be, before the connection ends.
pub(crate) fn of_wire(error: &WireError) -> Option<Fault> {
    let code = match error {
        WireError::TooLarge { .. } => ErrorCode::TooLarge,
        WireError::Binary => ErrorCode::InvalidMessage,
        // Nothing that could be said would be understood, or heard.
        _ => return None,
    };
    Some(Fault { suggestion: error.hint(), ..Fault::new(code, error.to_string()) })
}

/// Rounds up, so that nobody comes too early; what is not zero is not told as zero.
pub(crate) fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
