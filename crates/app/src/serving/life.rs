//! What is asked of a server: SIGTERM and SIGINT ask for the end, the second ends at once; SIGHUP, and
//! a change of its files, have the configuration read again.

use crate::{
    failure::{Failure, Outcome},
    interrupt::Interrupt,
    session::Session,
};
use assay_model::CancelReason;
use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
    time::sleep,
};

/// Hears what is asked of a server.
#[derive(Debug)]
pub(super) struct Life {
    interrupt: Interrupt,
    hang_up: Signal,
    watched: Vec<(PathBuf, Stamp)>,
}

/// By what it is seen that a file has changed; `None` where there is none.
type Stamp = Option<(SystemTime, u64)>;

/// How often files are looked at. Nobody edits a file and expects it to count sooner.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Reload,
    End(CancelReason),
}

/// How long that which is dropped at the end may take.
const DROPS: Duration = Duration::from_secs(2);

/// Runs a server to its end. A second signal drops it.
pub(super) fn live<F: Future<Output = Outcome>>(
    session: &Session,
    serve: impl FnOnce(Life) -> F,
) -> Outcome {
    let runtime = Runtime::new()
        .map_err(|error| Failure::usage("no threads can be started").because(error))?;
    let outcome = runtime.block_on(async {
        let deaf =
            |error: std::io::Error| Failure::usage("signals cannot be listened to").because(error);
        let interrupt = Interrupt::listen().map_err(deaf)?;
        let hang_up = signal(SignalKind::hangup()).map_err(deaf)?;
        let listener = interrupt.clone();
        tokio::select! {
            biased;
            reason = listener.insisted() => {
                super::say(session, "ended at once; what still ran is cut off");
                Ok(Failure::stopped(Some(reason)).exit())
            }
            outcome = serve(Life { interrupt, hang_up, watched: Vec::new() }) => outcome,
        }
    });
    runtime.shutdown_timeout(DROPS);
    outcome
}

// === impl Life ===

impl Life {
    /// Looks at these files from now on.
    pub(super) fn watch(&mut self, files: Vec<PathBuf>) {
        self.watched = files.into_iter().map(|file| (file.clone(), stamp(&file))).collect();
    }

    /// Waits until something is asked.
    ///
    /// # Cancel safety
    ///
    /// Safe: the wish for an end stays.
    pub(super) async fn next(&mut self) -> Wish {
        tokio::select! {
            biased;
            reason = self.interrupt.asked() => Wish::End(reason),
            Some(()) = self.hang_up.recv() => Wish::Reload,
            () = changed(&self.watched) => Wish::Reload,
        }
    }
}

/// Waits until one of the files is another than it was.
async fn changed(watched: &[(PathBuf, Stamp)]) {
    loop {
        sleep(LOOK_EVERY).await;
        let watched = watched.to_vec();
        let looking = spawn_blocking(move || watched.iter().any(|(file, was)| stamp(file) != *was));
        if looking.await.unwrap_or(false) {
            return;
        }
    }
}

fn stamp(file: &PathBuf) -> Stamp {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
