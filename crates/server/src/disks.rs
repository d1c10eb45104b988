//! The disks that a server writes to, for metrics.

use assay_store::Room;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{task::spawn_blocking, time::timeout};

/// Folders that a server writes to, each with the word that metrics have for it: `book`, `results`.
/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Disks(Arc<[(&'static str, PathBuf)]>);

/// How long a disk may take to be asked. One that hangs is not told of, and holds up no scrape.
const ASK_WITHIN: Duration = Duration::from_secs(1);

// === impl Disks ===

impl Disks {
    pub fn new(folders: impl IntoIterator<Item = (&'static str, PathBuf)>) -> Self {
        Self(folders.into_iter().collect())
    }

    /// Asks all that answer.
    pub(crate) async fn look(&self) -> Vec<(&'static str, Room)> {
        let mut rooms = Vec::new();
        for number in 0..self.0.len() {
            let folders = Arc::clone(&self.0);
            let asking = spawn_blocking(move || Room::of(&folders[number].1));
            if let Ok(Ok(Ok(room))) = timeout(ASK_WITHIN, asking).await {
                rooms.push((self.0[number].0, room));
            }
        }
        rooms
    }
}
