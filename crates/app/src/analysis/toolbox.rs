//! The tools of one process: installed once, tested once, within one number of slots.
//!
//! Owns what is learnt about tools while many apps are analysed, and the turn of handing out work.
//! Keeps: over all apps together tools take no more slots than there are; a tool that could not be
//! installed or failed its self-test is not tried again for the next app; an app hands out its
//! tools only when the one before it has handed out all of its own, so that apps overlap in no more
//! than what still runs, and each has the whole machine before the next.
//!
//! Does not: decide the order within one app (`rules::Scheduler`).

use super::{
    Woken,
    canary::Showing,
    journal::Journal,
    prepare::{Prepared, prepare},
};
use crate::interrupt::Interrupt;
use assay_exec::Cage;
use assay_model::{ToolId, ToolRun, ToolStatus};
use assay_provision::{Installation, Provisioner};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// What all apps of one process share.
#[derive(Debug)]
pub(crate) struct Toolbox {
    provisioner: Arc<Provisioner>,
    cage: Cage,
    slots: Slots,
    known: Arc<Mutex<Known>>,
}

/// Places in which tools run.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    all: u32,
    free: Arc<Semaphore>,
}

/// The right to prepare tools and to hand them out, and what was learnt about them so far. Given
/// back when the last tool of the app has started.
pub(crate) type Turn = OwnedMutexGuard<Known>;

/// What is known about tools from the apps before.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// How each tool is installed, or why it is not.
    installed: HashMap<ToolId, Result<Installation, ToolRun>>,
    /// What the self-tests of this process showed.
    pub(crate) shown: HashMap<ToolId, Showing>,
}

// === impl Toolbox ===

impl Toolbox {
    /// `slots` is what `--jobs` says; 0 counts as 1.
    pub(crate) fn new(provisioner: Arc<Provisioner>, cage: Cage, slots: u32) -> Self {
        Self { provisioner, cage, slots: Slots::new(slots), known: Arc::default() }
    }

    /// What every tool runs in.
    pub(crate) fn cage(&self) -> &Cage {
        &self.cage
    }

    pub(crate) fn provisioner(&self) -> &Arc<Provisioner> {
        &self.provisioner
    }

    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Waits until the app before has handed out all its tools.
    ///
    /// # Cancel safety
    ///
    /// Safe: who gives up loses his place and nothing else.
    pub(crate) async fn turn(&self) -> Turn {
        Arc::clone(&self.known).lock_owned().await
    }
}

// === impl Slots ===

impl Slots {
    pub(crate) fn new(all: u32) -> Self {
        let all = all.max(1);
        Self { all, free: Arc::new(Semaphore::new(all as usize)) }
    }

    /// Waits for so many slots, in the order of asking; `None` when it is cancelled first. What is
    /// wider than all of them waits for all of them.
    ///
    /// # Cancel safety
    ///
    /// Safe: who gives up loses his place and nothing else.
    pub(crate) async fn take(
        &self,
        width: usize,
        cancel: &CancellationToken,
    ) -> Option<OwnedSemaphorePermit> {
        let width = u32::try_from(width).unwrap_or(u32::MAX).clamp(1, self.all);
        tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            permit = Arc::clone(&self.free).acquire_many_owned(width) => permit.ok(),
        }
    }

    /// Waits until a slot is free, or somebody wants it all to stop.
    pub(crate) async fn some_free(&self, interrupt: &Interrupt) {
        tokio::select! {
            biased;
            _ = interrupt.asked() => {}
            _ = self.free.acquire() => {}
        }
    }
}

// === impl Known ===

impl Known {
    /// Installs what the tools need and is not known yet.
    pub(crate) async fn prepare(
        &mut self,
        provisioner: &Arc<Provisioner>,
        woken: Vec<Woken>,
        journal: &Arc<Journal>,
        interrupt: &Interrupt,
    ) -> Prepared {
        let mut known = Prepared::default();
        let mut new = Vec::new();
        for tool in woken {
            match self.installed.get(tool.chosen.tool.id()) {
                Some(Ok(installation)) => known.ready.push(tool.ready(installation.clone())),
                Some(Err(run)) => known.not_run.push(run.clone()),
                None => new.push(tool),
            }
        }
        let Prepared { ready, not_run } = prepare(provisioner, new, journal, interrupt).await;
        for ready in &ready {
            let installation = Ok(ready.installation.clone());
            self.installed.insert(ready.chosen.tool.id().clone(), installation);
        }
        for run in not_run.iter().filter(|run| run.status != ToolStatus::Cancelled) {
            self.installed.insert(run.tool.clone(), Err(run.clone()));
        }
        known.ready.extend(ready);
        known.not_run.extend(not_run);
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_wider_than_all_slots_takes_all() {
        let (slots, cancel) = (Slots::new(2), CancellationToken::new());
        let all = slots.take(9, &cancel).await.unwrap();
        assert_eq!(slots.free.available_permits(), 0);
        drop(all);
        let one = slots.take(0, &cancel).await.unwrap();
        assert_eq!(slots.free.available_permits(), 1);
        drop(one);
    }

    #[tokio::test]
    async fn who_is_cancelled_leaves_the_queue() {
        let (slots, cancel) = (Slots::new(1), CancellationToken::new());
        let held = slots.take(1, &cancel).await.unwrap();
        let waiting = tokio::spawn({
            let (slots, cancel) = (slots.clone(), cancel.clone());
            async move { slots.take(1, &cancel).await.is_none() }
        });
        cancel.cancel();
        assert!(waiting.await.unwrap());
        drop(held);
        assert!(slots.take(1, &CancellationToken::new()).await.is_some());
    }
}
