//! What one session still has to say, from the tasks that follow its runs.

use assay_wire::Utf8Bytes;
use tokio::sync::mpsc;

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
