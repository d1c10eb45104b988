//! The tools of one process: installed once, tested once, within one number of slots.
//!
//! Owns what is learnt about tools while many apps are analysed, and the turn of handing out work.
//! Keeps: over all apps together tools take no more slots than there are; a tool that could not be
//! installed or failed its self-test is not tried again for the next app, in a batch never and in a
//! service not for a while; what one request set about a tool reaches no other; an app hands out its
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
use crate::{interrupt::Interrupt, setup::Chosen};
use assay_exec::Cage;
use assay_model::{ToolId, ToolRun, ToolStatus};
use assay_provision::{Installation, Provisioner};
use assay_tools::Tool;
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
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
    installed: HashMap<ToolId, (Arc<Tool>, Result<Installation, Lack>)>,
    /// What the self-tests of this process showed, and when.
    shown: HashMap<ToolId, (Arc<Tool>, Showing, Instant)>,
    /// How long bad news holds; for ever where there is none.
    bad_news_hold: Option<Duration>,
}

/// Why a tool is not installed.
#[derive(Clone, Debug)]
struct Lack {
    status: ToolStatus,
    reason: Option<String>,
    mend: Option<String>,
    since: Instant,
}

// === impl Toolbox ===

impl Toolbox {
    /// `slots` is what `--jobs` says; 0 counts as 1.
    pub(crate) fn new(provisioner: Arc<Provisioner>, cage: Cage, slots: u32) -> Self {
        Self { provisioner, cage, slots: Slots::new(slots), known: Arc::default() }
    }

    /// Tries again what could not be had, or failed its self-test, when that is so long ago: the
    /// network may be back, and somebody may have made room.
    pub(crate) fn forgiving(mut self, after: Duration) -> Self {
        let known = Known { bad_news_hold: Some(after), ..Known::default() };
        self.known = Arc::new(Mutex::new(known));
        self
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
            match self.installation(&tool.chosen.tool) {
                Some(Ok(installation)) => known.ready.push(tool.ready(installation.clone())),
                Some(Err(lack)) => known.not_run.push(lack.of(&tool.chosen)),
                None => new.push(tool),
            }
        }
        let tools: Vec<Arc<Tool>> = new.iter().map(|new| Arc::clone(&new.chosen.tool)).collect();
        let Prepared { ready, not_run } = prepare(provisioner, new, journal, interrupt).await;
        for tool in tools {
            let installed = ready.iter().find(|ready| ready.chosen.tool.id() == tool.id());
            let lacking = not_run.iter().find(|run| run.tool == *tool.id());
            let outcome = match (installed, lacking) {
                (Some(ready), _) => Ok(ready.installation.clone()),
                (None, Some(run)) if run.status != ToolStatus::Cancelled => Err(Lack::told_by(run)),
                (None, _) => continue,
            };
            self.installed.insert(tool.id().clone(), (tool, outcome));
        }
        known.ready.extend(ready);
        known.not_run.extend(not_run);
        known
    }

    /// How a tool is installed, or why it is not, if that still holds.
    fn installation(&self, tool: &Arc<Tool>) -> Option<&Result<Installation, Lack>> {
        let (known, outcome) = self.installed.get(tool.id())?;
        let still = match outcome {
            Ok(installation) => is_there(installation),
            Err(lack) => self.holds(lack.since),
        };
        (still && is_same(known, tool)).then_some(outcome)
    }

    /// What a self-test showed, if that still holds.
    pub(crate) fn showing(&self, tool: &Arc<Tool>) -> Option<&Showing> {
        let (known, showing, at) = self.shown.get(tool.id())?;
        let still = *showing == Showing::Passed || self.holds(*at);
        (still && is_same(known, tool)).then_some(showing)
    }

    /// Takes in what a self-test showed. One that was stopped showed nothing.
    pub(crate) fn learn(&mut self, tool: &Arc<Tool>, showing: Showing) {
        if !matches!(showing, Showing::Undecided { status: ToolStatus::Cancelled, .. }) {
            let known = (Arc::clone(tool), showing, Instant::now());
            self.shown.insert(tool.id().clone(), known);
        }
    }

    fn holds(&self, since: Instant) -> bool {
        self.bad_news_hold.is_none_or(|hold| since.elapsed() < hold)
    }
}

/// Whether it is the same tool: a configuration that was read again may mean another by its name.
fn is_same(a: &Arc<Tool>, b: &Arc<Tool>) -> bool {
    Arc::ptr_eq(a, b) || a.declaration() == b.declaration()
}

/// Whether an installation is still on disk: somebody may have made room.
fn is_there(installation: &Installation) -> bool {
    let Installation { prefix, program, .. } = installation;
    let named = [Some(prefix), program.as_ref()].into_iter().flatten();
    named.filter(|path| path.is_absolute()).all(|path: &PathBuf| path.exists())
}

// === impl Lack ===

impl Lack {
    fn told_by(run: &ToolRun) -> Self {
        let ToolRun { status, reason, mend, .. } = run.clone();
        Self { status, reason, mend, since: Instant::now() }
    }

    /// Says it of the tool as somebody else has chosen it.
    fn of(&self, chosen: &Chosen) -> ToolRun {
        let mut run = chosen.not_run(self.status);
        run.reason.clone_from(&self.reason);
        run.mend.clone_from(&self.mend);
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_tools::Catalogue;

    fn tool(id: &str) -> Arc<Tool> {
        Arc::clone(Catalogue::shipped().unwrap().get(id).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn bad_news_hold_for_a_while_and_good_ones_for_good() {
        let (ruff, bandit) = (tool("ruff"), tool("bandit"));
        let failed = Showing::Failed { why: "x".to_owned() };
        for hold in [None, Some(Duration::from_mins(5))] {
            let mut known = Known { bad_news_hold: hold, ..Known::default() };
            known.learn(&ruff, failed.clone());
            known.learn(&bandit, Showing::Passed);
            assert_eq!(known.showing(&ruff), Some(&failed));
            // Another catalogue with the same row in it changes nothing; another row does.
            assert_eq!(known.showing(&tool("ruff")), Some(&failed));
            known.shown.get_mut("ruff").unwrap().0 = tool("vulture");
            assert_eq!(known.showing(&ruff), None);
            known.learn(&ruff, failed.clone());
            tokio::time::advance(Duration::from_mins(5)).await;
            assert_eq!(known.showing(&ruff).is_some(), hold.is_none());
            assert_eq!(known.showing(&bandit), Some(&Showing::Passed));
        }
    }

    #[test]
    fn a_self_test_that_was_stopped_is_not_remembered() {
        let mut known = Known::default();
        let stopped = |status| Showing::Undecided { status, why: "x".to_owned() };
        known.learn(&tool("ruff"), stopped(ToolStatus::Cancelled));
        assert_eq!(known.showing(&tool("ruff")), None);
        known.learn(&tool("ruff"), stopped(ToolStatus::TimedOut));
        assert!(known.showing(&tool("ruff")).is_some());
    }

    #[test]
    fn what_a_tool_lacks_is_told_of_it_as_the_next_one_chose_it() {
        let mut first = Chosen::plain(tool("ruff"));
        first.required = false;
        first.note = Some("the first one's".to_owned());
        let mut run = first.not_run(ToolStatus::Unavailable);
        run.reason = Some("no network".to_owned());
        let next = Chosen::plain(tool("ruff"));
        let told = Lack::told_by(&run).of(&next);
        assert_eq!((told.required, told.reason.as_deref()), (true, Some("no network")));
        assert!(!told.notes.contains(&"the first one's".to_owned()));
    }

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
