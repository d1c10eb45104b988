//! What one session still has to say, from the tasks that follow its runs.

use assay_wire::{Utf8Bytes, WireError, Writer};
use std::time::Duration;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

/// Frames that may wait for one client. Beyond it whoever follows a run for it waits; the run does
/// not.
const WAITING: usize = 64;

/// Something to say.
#[derive(Clone, Debug)]
pub(crate) struct Say {
    pub(crate) frame: Utf8Bytes,
    /// It is the end of something that the client asked for. An old client reads until the
    /// connection closes, so this one does when nothing else is under way.
    pub(crate) is_end: bool,
}

pub(crate) type Outgoing = mpsc::Sender<Say>;

pub(crate) fn channel() -> (Outgoing, mpsc::Receiver<Say>) {
    mpsc::channel(WAITING)
}

/// Says something, unless the session is over.
pub(crate) async fn say(outgoing: &Outgoing, frame: Utf8Bytes) {
    outgoing.send(Say { frame, is_end: false }).await.ok();
}

/// Says the end of something.
pub(crate) async fn say_end(outgoing: &Outgoing, frame: Utf8Bytes) {
    outgoing.send(Say { frame, is_end: true }).await.ok();
}

/// Sends what is to be said, with all that waits behind it, in one write.
pub(crate) async fn tell(
    writer: &mut Writer,
    say: Say,
    said: &mut mpsc::Receiver<Say>,
) -> Result<(), WireError> {
    writer.feed(say.frame).await?;
    while let Ok(say) = said.try_recv() {
        writer.feed(say.frame).await?;
    }
    writer.flush().await
}

/// How long those who follow runs have to say how these ended, when the server closes. All runs have
/// ended by then.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(5);

/// Says what is still to be said before a connection is closed: whoever was promised an end hears it.
pub(crate) async fn last_words(
    writer: &mut Writer,
    said: &mut mpsc::Receiver<Say>,
    followers: &mut JoinSet<()>,
) -> Result<(), WireError> {
    let until_told = async {
        loop {
            tokio::select! {
                biased;
                Some(say) = said.recv() => writer.feed(say.frame).await?,
                ended = followers.join_next() => if ended.is_none() { return Ok(()) },
            }
        }
    };
    if let Ok(told) = timeout(LAST_WORDS_WITHIN, until_told).await {
        told?;
    } else {
        tracing::warn!("a client did not hear of every end");
    }
    while let Ok(say) = said.try_recv() {
        writer.feed(say.frame).await?;
    }
    Ok(())
}
