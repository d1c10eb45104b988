//! Signals: the first asks for an orderly end, the second ends at once.

use assay_model::CancelReason;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Whether somebody wants the program to end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    asked: watch::Receiver<Asked>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    reason: Option<CancelReason>,
    times: u32,
}

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
                tell.send_modify(|asked| {
                    asked.reason = asked.reason.max(Some(reason));
                    asked.times += 1;
                });
            }
        });
        Ok(Self { asked })
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
        match asked.wait_for(|asked| asked.times >= times).await {
            Ok(asked) => asked.reason.unwrap_or(CancelReason::Requested),
            // The listener is gone, so nobody can ask any more.
            Err(_) => std::future::pending().await,
        }
    }
}
