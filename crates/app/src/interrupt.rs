//! Who wants work to end: signals, of which the second ends at once, or whoever feeds it.

use assay_model::CancelReason;
use std::time::Duration;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::Instant,
};

/// Whether somebody wants the work to end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    asked: watch::Receiver<Asked>,
}

/// The one that an [`Interrupt`] listens to, where it is not the system.
#[derive(Debug)]
pub(crate) struct Feed {
    tell: watch::Sender<Asked>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    reason: Option<CancelReason>,
    times: u32,
    /// The last signal, and when it came.
    last: Option<(CancelReason, Instant)>,
}

/// Two signals of one kind within this time are one wish: GNU `timeout` tells its child, then its
/// group, and a terminal that closes does likewise. Nobody presses Ctrl-C twice as fast.
const ONE_WISH: Duration = Duration::from_millis(50);

// === impl Interrupt ===

impl Interrupt {
    /// Begins to listen. Must be called inside a runtime, once.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut ctrl_c = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (tell, asked) = watch::channel(Asked::default());
        tokio::spawn(async move {
            loop {
                let reason = tokio::select! {
                    Some(()) = ctrl_c.recv() => CancelReason::Requested,
                    Some(()) = terminate.recv() => CancelReason::ShuttingDown,
                    // Nobody is left to be told.
                    () = tell.closed() => return,
                };
                tell.send_modify(|asked| asked.heard(reason, Instant::now()));
            }
        });
        Ok(Self { asked })
    }

    /// One that hears nothing but what it is fed.
    pub(crate) fn fed() -> (Feed, Self) {
        let (tell, asked) = watch::channel(Asked::default());
        (Feed { tell }, Self { asked })
    }

    /// Waits until somebody asked once, and says why.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is consumed.
    pub(crate) async fn asked(&self) -> CancelReason {
        self.wait(1).await
    }

    /// Waits until somebody asked twice.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is consumed.
    pub(crate) async fn insisted(&self) -> CancelReason {
        self.wait(2).await
    }

    /// Tells whether somebody asked already.
    pub(crate) fn reason(&self) -> Option<CancelReason> {
        self.asked.borrow().reason
    }

    async fn wait(&self, times: u32) -> CancelReason {
        let mut asked = self.asked.clone();
        // Taken out of the guard at once: it must not be held while somebody waits.
        let heard = asked.wait_for(|asked| asked.times >= times).await.ok().map(|asked| *asked);
        match heard {
            Some(asked) => asked.reason.unwrap_or(CancelReason::Requested),
            // Whoever told is gone, so nobody can ask any more.
            None => std::future::pending().await,
        }
    }
}

// === impl Asked ===

impl Asked {
    fn heard(&mut self, reason: CancelReason, now: Instant) {
        let is_echo = self.last.is_some_and(|(last, at)| last == reason && now < at + ONE_WISH);
        self.reason = self.reason.max(Some(reason));
        if !is_echo {
            // An echo is one of the first: whoever goes on asking is heard.
            self.last = Some((reason, now));
            self.times += 1;
        }
    }
}

// === impl Feed ===

impl Feed {
    /// Asks for an orderly end. A reason only gets graver, and asking again is no second signal.
    pub(crate) fn ask(&self, reason: CancelReason) {
        self.tell.send_modify(|asked| {
            asked.reason = asked.reason.max(Some(reason));
            asked.times = 1;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_comes_twice_at_once_is_one_wish() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let mut asked = Asked::default();
        asked.heard(CancelReason::ShuttingDown, at(0));
        asked.heard(CancelReason::ShuttingDown, at(1));
        assert_eq!((asked.times, asked.reason), (1, Some(CancelReason::ShuttingDown)));
        // Another one is somebody's second thought, however soon.
        asked.heard(CancelReason::Requested, at(2));
        assert_eq!((asked.times, asked.reason), (2, Some(CancelReason::ShuttingDown)));
        let mut asked = Asked::default();
        asked.heard(CancelReason::Requested, at(0));
        asked.heard(CancelReason::Requested, at(50));
        assert_eq!(asked.times, 2);
    }

    #[tokio::test]
    async fn a_reason_that_is_fed_only_gets_graver_and_never_insists() {
        let (feed, interrupt) = Interrupt::fed();
        assert_eq!(interrupt.reason(), None);
        feed.ask(CancelReason::DeadlinePassed);
        feed.ask(CancelReason::Requested);
        assert_eq!(interrupt.asked().await, CancelReason::DeadlinePassed);
        let insisted = tokio::select! {
            biased;
            _ = interrupt.insisted() => true,
            () = tokio::task::yield_now() => false,
        };
        assert!(!insisted);
    }
}
