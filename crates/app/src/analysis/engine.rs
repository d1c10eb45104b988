//! All tools, within the slots: first those that have to show themselves, then the app.

use super::{
    canary::{Bench, Showing, Shown},
    journal::Journal,
    prepare::Ready,
    tool::{Bounds, Job, ToolResult},
    toolbox::{Known, Slots, Turn},
    workplace::Workplace,
};
use crate::interrupt::Interrupt;
use assay_model::{
    CancelReason, EventKind, SourceText, ToolId, ToolPhase, ToolRun, ToolStatus, Usage,
};
use assay_rules::{Capacity, Durations, Scheduler, Work};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// How long self-tests may take. They are small; a tool that hangs in one is no tool to wait for.
const SHOWING_TIME_MAX: Duration = Duration::from_mins(2);

/// How long after the end of the whole a tool that did not take the cancel is ended by its own
/// deadline.
const LAST_RESORT: Duration = Duration::from_secs(2);

/// Memory that a tool is expected to need for each slot before it was seen: of those that we know
/// most stay below.
const MIB_UNSEEN: u64 = 400;

/// What the whole of an analysis may take.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) capacity: Capacity,
    pub(crate) whole: Duration,
    pub(crate) lines: u64,
    pub(crate) durations: Durations,
}

/// Runs tools side by side.
pub(crate) struct Engine<'a> {
    pub(crate) limits: Limits,
    pub(crate) bench: Bench,
    pub(crate) journal: &'a Arc<Journal>,
    pub(crate) workplace: &'a Arc<Workplace>,
    pub(crate) interrupt: &'a Interrupt,
}

/// What the loop noticed.
enum Seen<T> {
    Stop(CancelReason),
    Ended(Id, Result<T, String>),
}

/// Work that has no result.
enum Lost {
    NotStarted,
    /// A bug of ours broke it.
    Panicked(String),
}

// === impl Engine ===

impl Engine<'_> {
    /// Lets every tool that has not yet done so show what it finds, and adds that to what was shown
    /// before. Those that fail are ended as `untrusted`, the others come back.
    pub(crate) async fn show(
        &self,
        jobs: Vec<Job>,
        known: &mut Known,
        slots: &Slots,
    ) -> (Vec<Job>, Vec<ToolResult>) {
        let id = |job: &Job| job.ready.chosen.tool.id().clone();
        // Looked up once: bad news may end to hold while the others show themselves.
        let before: Vec<Option<Showing>> =
            jobs.iter().map(|job| known.showing(&job.ready.chosen.tool).cloned()).collect();
        let is_due = |(job, before): &(&Job, &Option<Showing>)| {
            before.is_none() && self.bench.is_due(&job.ready)
        };
        let due = jobs.iter().zip(&before).filter(is_due);
        let due: Vec<Ready> = due.map(|(job, _)| job.ready.clone()).collect();
        let ended = |ready: &Ready, _: &Shown| self.phase(ready, ToolPhase::Waiting);
        let (showings, _) = self.showings_within(due, slots, ended).await;
        let mut now: HashMap<ToolId, Showing> = HashMap::new();
        for (ready, Shown { showing, .. }) in showings {
            known.learn(&ready.chosen.tool, showing.clone());
            now.insert(ready.chosen.tool.id().clone(), showing);
        }
        let (mut kept, mut ended) = (Vec::new(), Vec::new());
        for (job, before) in jobs.into_iter().zip(before) {
            match now.remove(&id(&job)).or(before) {
                Some(Showing::Failed { why }) => {
                    ended.push(self.end(untrusted(&job.ready, &why)));
                }
                Some(Showing::Passed | Showing::Undecided { .. }) | None => kept.push(job),
            }
        }
        (kept, ended)
    }

    /// Lets tools show what they find, side by side; `ended` hears of each as it ends.
    pub(crate) async fn showings(
        &self,
        due: Vec<Ready>,
        ended: impl Fn(&Ready, &Shown),
    ) -> (Vec<(Ready, Shown)>, Option<CancelReason>) {
        self.showings_within(due, &Slots::new(self.limits.capacity.slots), ended).await
    }

    async fn showings_within(
        &self,
        due: Vec<Ready>,
        slots: &Slots,
        ended: impl Fn(&Ready, &Shown),
    ) -> (Vec<(Ready, Shown)>, Option<CancelReason>) {
        let works = due.iter().enumerate().map(|(id, ready)| self.work(id, ready, 0)).collect();
        let mut showings = Vec::new();
        let start = |id: usize, cancel: CancellationToken| {
            let (bench, ready, slots) = (self.bench.clone(), due[id].clone(), slots.clone());
            self.phase(&ready, ToolPhase::Checking);
            async move {
                let Some(_slots) = slots.take(ready.chosen.tool.weight(), &cancel).await else {
                    return stopped_early();
                };
                // From its own start: who waits behind slow ones must not be called slow.
                let deadline = Instant::now() + SHOWING_TIME_MAX;
                bench.show(&ready, &Bounds { deadline, cancel }).await
            }
        };
        let settle = |id: usize, result: Result<Shown, Lost>| {
            let shown = result.unwrap_or_else(|lost| match lost {
                Lost::NotStarted => stopped_early(),
                Lost::Panicked(why) => undecided(ToolStatus::Failed, why),
            });
            ended(&due[id], &shown);
            showings.push((due[id].clone(), shown));
        };
        let stopped = self.row(works, None, start, settle).await;
        (showings, stopped)
    }

    /// Runs the tools on the app. Every job comes back as a result. The turn is given back when
    /// the last tool has started; the time of the whole begins when the first can.
    pub(crate) async fn run(
        &self,
        jobs: Vec<Job>,
        source: Arc<dyn SourceText + Send + Sync>,
        slots: &Slots,
        turn: Turn,
    ) -> (Vec<ToolResult>, Option<CancelReason>) {
        slots.some_free(self.interrupt).await;
        let whole = Instant::now() + self.limits.whole;
        let readies: Vec<Ready> = jobs.iter().map(|job| job.ready.clone()).collect();
        let mut jobs: Vec<Option<Job>> = jobs.into_iter().map(Some).collect();
        let lines = self.limits.lines;
        let works = readies.iter().enumerate().map(|(id, ready)| self.work(id, ready, lines));
        let mut results = Vec::new();
        let (mut turn, mut unstarted) = (Some(turn), readies.len());
        let start = |id: usize, cancel: CancellationToken| {
            let job = jobs[id].take().expect("the scheduler starts each work once");
            unstarted -= 1;
            if unstarted == 0 {
                turn.take();
            }
            // When the whole is over the tool is cancelled; its own deadline is only the last resort.
            let (last, timeout) = (whole + LAST_RESORT, readies[id].chosen.timeout);
            let corner = self.workplace.corner(readies[id].chosen.tool.id());
            let (slots, source, journal) =
                (slots.clone(), Arc::clone(&source), Arc::clone(self.journal));
            async move {
                let Some(_slots) = slots.take(job.ready.chosen.tool.weight(), &cancel).await else {
                    let run = lost_run(&job.ready, Lost::NotStarted);
                    return ToolResult { run, observations: Vec::new() };
                };
                let deadline = (Instant::now() + timeout).min(last);
                job.run(corner, Bounds { deadline, cancel }, source, journal).await
            }
        };
        let settle = |id: usize, result: Result<ToolResult, Lost>| {
            let result = result.unwrap_or_else(|lost| ToolResult {
                run: lost_run(&readies[id], lost),
                observations: Vec::new(),
            });
            self.tell_end(&result.run);
            results.push(result);
        };
        let stopped = self.row(works.collect(), Some(whole), start, settle).await;
        (results, stopped)
    }

    /// The loop: starts what fits, until all has ended or somebody wants it to stop. Every work is
    /// settled once, when it ends. Returns why it was stopped, if it was.
    async fn row<T, F>(
        &self,
        works: Vec<Work>,
        deadline: Option<Instant>,
        mut start: impl FnMut(usize, CancellationToken) -> F,
        mut settle: impl FnMut(usize, Result<T, Lost>),
    ) -> Option<CancelReason>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let begun = Instant::now();
        let on_paper = |at: Instant| assay_rules::Instant::after_start(at - begun);
        let mut scheduler = Scheduler::new(self.limits.capacity, deadline.map(on_paper));
        for work in works {
            scheduler.add(work);
        }
        let cancel = CancellationToken::new();
        let mut stopped = None;
        let mut running: JoinSet<T> = JoinSet::new();
        let mut numbers: HashMap<Id, Work> = HashMap::new();
        let mut seen = self.interrupt.reason().map(Seen::Stop);
        loop {
            match seen.take() {
                None => {}
                Some(Seen::Stop(reason)) => {
                    stopped = stopped.max(Some(reason));
                    cancel.cancel();
                    for work in scheduler.give_up() {
                        settle(work.id, Err(Lost::NotStarted));
                    }
                }
                Some(Seen::Ended(id, result)) => {
                    let work = numbers.remove(&id).expect("`numbers` holds every running task");
                    scheduler.finished(&work);
                    settle(work.id, result.map_err(Lost::Panicked));
                }
            }
            while let Some(work) = scheduler.start_next(on_paper(Instant::now())) {
                let started = start(work.id, cancel.child_token());
                let task = running.spawn(started.in_current_span());
                numbers.insert(task.id(), work);
            }
            // At the deadline nothing more is started: what waits then is settled by the stop.
            if running.is_empty() && !scheduler.has_waiting() {
                return stopped;
            }
            seen = Some(self.next(&mut running, deadline, stopped).await);
        }
    }

    async fn next<T: 'static>(
        &self,
        running: &mut JoinSet<T>,
        deadline: Option<Instant>,
        stopped: Option<CancelReason>,
    ) -> Seen<T> {
        let is_over = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Stop first, then time, then results: a stop must not wait behind a row of results.
            biased;
            reason = self.interrupt.asked(), if stopped.is_none_or(|s| s == CancelReason::NobodyWaits) => {
                Seen::Stop(reason)
            }
            () = is_over, if stopped.is_none() => Seen::Stop(CancelReason::DeadlinePassed),
            Some(ended) = running.join_next_with_id() => match ended {
                Ok((id, value)) => Seen::Ended(id, Ok(value)),
                Err(error) => Seen::Ended(error.id(), Err(panic_words(error))),
            },
        }
    }

    fn work(&self, id: usize, ready: &Ready, lines: u64) -> Work {
        let tool = &ready.chosen.tool;
        let (name, durations) = (tool.id().as_str(), &self.limits.durations);
        let width = u32::try_from(tool.weight()).unwrap_or(u32::MAX);
        let memory_mib = durations.expected_mib(name).unwrap_or(MIB_UNSEEN * u64::from(width));
        Work { id, expected: durations.expected(name, lines), width, memory_mib }
    }

    fn phase(&self, ready: &Ready, phase: ToolPhase) {
        self.journal.tell(EventKind::ToolPhase { tool: ready.chosen.tool.id().clone(), phase });
    }

    fn end(&self, run: ToolRun) -> ToolResult {
        self.tell_end(&run);
        ToolResult { run, observations: Vec::new() }
    }

    fn tell_end(&self, run: &ToolRun) {
        self.journal.tell(EventKind::ToolEnded { run: Box::new(run.clone()) });
    }
}

fn stopped_early() -> Shown {
    undecided(ToolStatus::Cancelled, "it was stopped".to_owned())
}

fn undecided(status: ToolStatus, why: String) -> Shown {
    Shown { showing: Showing::Undecided { status, why }, usage: Usage::default() }
}

fn untrusted(ready: &Ready, why: &str) -> ToolRun {
    let mut run = ready.chosen.not_run(ToolStatus::Untrusted);
    run.version = Some(ready.chosen.version(&ready.installation.version));
    run.installation = Some(ready.installation.digest.clone());
    run.files_matched = ready.matched.len() as u64;
    run.reason = Some(format!("its self-test failed: {why}"));
    run.mend = Some(format!("assay tools check {}", ready.chosen.tool.id()));
    run
}

fn lost_run(ready: &Ready, lost: Lost) -> ToolRun {
    let (status, reason) = match lost {
        Lost::NotStarted => {
            (ToolStatus::Cancelled, "the analysis was stopped before its turn".to_owned())
        }
        Lost::Panicked(why) => (ToolStatus::Failed, why),
    };
    let mut run = ready.chosen.not_run(status);
    run.version = Some(ready.chosen.version(&ready.installation.version));
    run.files_matched = ready.matched.len() as u64;
    run.reason = Some(reason);
    run
}

fn panic_words(error: JoinError) -> String {
    let words = match error.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned())),
        Err(_) => None,
    };
    format!("a bug in Assay ended its run: {}", words.unwrap_or_else(|| "no words".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_exec::{Cage, Shim};

    #[tokio::test]
    async fn a_panic_of_ours_ends_one_tool_in_words_and_the_others_go_on() {
        let workplace = Arc::new(Workplace::new(Cage::bare(Shim::own())).unwrap());
        let cache = tempfile::tempdir().unwrap();
        let capacity = Capacity { slots: 1, memory_mib: 1 << 20 };
        let (whole, durations) = (Duration::from_mins(1), Durations::default());
        let engine = Engine {
            limits: Limits { capacity, whole, lines: 0, durations },
            bench: Bench::new(cache.path(), Arc::clone(&workplace)),
            journal: &Arc::new(Journal::silent()),
            workplace: &workplace,
            interrupt: &Interrupt::listen().unwrap(),
        };
        let expected = Duration::from_secs(1);
        let works = (0..3).map(|id| Work { id, expected, width: 1, memory_mib: 1 }).collect();
        let start = |id: usize, _: CancellationToken| async move {
            assert_ne!(id, 1, "on purpose");
            id
        };
        let mut ends = Vec::new();
        let settle = |id: usize, result: Result<usize, Lost>| {
            let words = match result {
                Ok(_) => None,
                Err(Lost::Panicked(why)) => Some(why),
                Err(Lost::NotStarted) => Some("not started".to_owned()),
            };
            ends.push((id, words));
        };
        assert_eq!(engine.row(works, None, start, settle).await, None);
        ends.sort();
        let words: Vec<_> = ends.iter().map(|(_, words)| words.as_deref().unwrap_or("")).collect();
        assert_eq!((words[0], words[2], words.len()), ("", "", 3));
        assert!(words[1].starts_with("a bug in Assay") && words[1].contains("on purpose"));
    }
}
