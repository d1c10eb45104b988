//! One app after the other, overlapping: the next begins when the one before has handed out its last
//! tool, and fills the slots that become free.

use super::{
    board::Board,
    earlier::{self, Analysed},
    flight::Flights,
    record::Record,
};
use crate::{
    analysis::Turn,
    analyzers::Here,
    exit::Exit,
    failure::Failure,
    interrupt::Interrupt,
    setup::Setup,
    target::Target,
    task::{Done, Task},
};
use assay_model::{AppEnd, BatchApp, Report};
use assay_report::{Sample, app_result};
use assay_server::Tell;
use assay_store::{Place, ResultsRoot};
use assay_term::Landed;
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

/// Apps under way beyond one for each slot. What has handed out its tools holds a slot until the last
/// has ended; then reports are written, which takes none. A bound, so that a slow disk does not
/// gather copies of apps.
const APPS_BEYOND_SLOTS: u32 = 2;

/// Apps that are under way at once.
pub(crate) fn at_once(jobs: u32) -> u32 {
    jobs.saturating_add(APPS_BEYOND_SLOTS)
}

/// A batch that is ready to run.
pub(crate) struct Batch {
    pub(crate) setup: Setup,
    pub(crate) targets: Vec<Target>,
    pub(crate) here: Here,
    pub(crate) root: ResultsRoot,
    pub(crate) board: Arc<Board>,
    /// What an earlier run has done: one entry for each target.
    pub(crate) earlier: Vec<Option<Landing>>,
    /// Written on threads for blocking work: each note waits for the disk.
    pub(crate) record: Arc<Mutex<Record<Analysed>>>,
}

/// An app that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Landing {
    pub(crate) app: BatchApp,
    /// What its tools said; absent where there is no report.
    pub(crate) sample: Option<Sample>,
}

/// The end of an app, and what its tools said.
type Ended = (AppEnd, Option<Sample>);

// === impl Batch ===

impl Batch {
    /// Runs all apps. What comes back has one entry for each target, in their order.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops every tool and removes every temporary file.
    pub(crate) async fn run(&self, interrupt: &Interrupt) -> Vec<Landing> {
        let at_once = at_once(self.setup.jobs) as usize;
        let mut landed = self.earlier.clone();
        for (number, landing) in landed.iter().enumerate() {
            if let Some(landing) = landing {
                self.board.landed(number, Landed::of(&landing.app));
            }
        }
        let mut flights = Flights::new();
        let mut waiting =
            (0..self.targets.len()).filter(|number| self.earlier[*number].is_none()).peekable();
        let mut is_stopping = false;
        loop {
            let may_begin =
                flights.len() < at_once && waiting.peek().is_some() && interrupt.reason().is_none();
            if flights.len() == 0 && !may_begin {
                break;
            }
            tokio::select! {
                biased;
                reason = interrupt.asked(), if !is_stopping => {
                    is_stopping = true;
                    self.board.stopping(reason);
                }
                (number, ended) = flights.next(), if flights.len() > 0 => {
                    let ended = ended.unwrap_or_else(|panic| Err(bug(&panic)));
                    landed[number] = Some(self.land(number, ended));
                }
                turn = self.here.toolbox().turn(), if may_begin => {
                    // The turn also comes back when somebody stopped the app that had it.
                    if interrupt.reason().is_none()
                        && let Some(number) = waiting.next()
                    {
                        flights.add(number, self.analyse(number, turn, interrupt));
                    }
                }
            }
        }
        let all = landed.into_iter().enumerate();
        let not_run = |number: usize| Landing::of(&self.targets[number], (AppEnd::NotRun, None));
        all.map(|(number, landing)| landing.unwrap_or_else(|| not_run(number))).collect()
    }

    /// Every app has had its turn, so the next run of the same batch begins anew.
    pub(crate) fn finish(self) {
        lock(&self.record).close();
    }

    async fn analyse(
        &self,
        number: usize,
        turn: Turn,
        interrupt: &Interrupt,
    ) -> Result<Ended, Failure> {
        let target = &self.targets[number];
        self.board.begun(number, target.app.to_string());
        let board = Arc::clone(&self.board);
        let (path, listener) = (target.path.clone(), interrupt.clone());
        // Beside the copy, which reads the same files: no tool waits for it.
        let looking = tokio::task::spawn_blocking(move || earlier::digest_of(&path, &listener));
        let mut show: Tell = Box::new(move |event| board.heard(number, event));
        let task = Task::begin(self.setup.for_app(target), &self.root)?;
        if let Some(why) = &task.place().fell_back {
            let Place { dir, .. } = task.place();
            let dir = dir.display();
            self.board.warn(&format!("results go to `{dir}`, since they cannot go to {why}"));
        }
        let done = self.here.run(task, turn, &mut show, interrupt).await?;
        let digest = looking.await.map_err(|error| bug(&error.to_string()))?;
        let (record, target) = (Arc::clone(&self.record), target.clone());
        let keeping = tokio::task::spawn_blocking(move || {
            let kept = keep(done)?;
            let noted = earlier::note(&mut lock(&record), &target, &kept.0, digest);
            Ok::<_, Failure>((kept, noted))
        });
        let (kept, noted) = keeping.await.map_err(|error| bug(&error.to_string()))??;
        if let Err(failure) = noted {
            self.board.warn(&format!("a stopped batch would do this app again: {failure}"));
        }
        Ok(kept)
    }

    fn land(&self, number: usize, ended: Result<Ended, Failure>) -> Landing {
        let (end, sample) = ended.unwrap_or_else(|failure| match failure.exit() {
            // It had begun, but no tool of it; its folder reads as lost.
            Exit::Interrupted | Exit::Terminated => (AppEnd::NotRun, None),
            exit => (AppEnd::Failed { why: failure.in_full(), exit_code: exit.code() }, None),
        });
        let landing = Landing::of(&self.targets[number], (end, sample));
        self.board.landed(number, Landed::of(&landing.app));
        landing
    }
}

// === impl Landing ===

impl Landing {
    pub(super) fn of(target: &Target, (end, sample): Ended) -> Self {
        let path = target.path.display().to_string();
        Self { app: BatchApp { app: target.app.clone(), path, end }, sample }
    }
}

/// Writes the app's own reports, and keeps of them what the batch is about.
fn keep(done: Done) -> Result<Ended, Failure> {
    let (finished, dir) = done.keep()?;
    Ok(analysed(&finished.report, &dir))
}

/// What a batch keeps of a report, whose results lie in `dir`.
pub(super) fn analysed(report: &Report, dir: &Path) -> Ended {
    let result = app_result(report, dir.display().to_string());
    (AppEnd::Analysed(Box::new(result)), Some(Sample::of(report)))
}

fn lock<T>(record: &Mutex<T>) -> MutexGuard<'_, T> {
    record.lock().expect("nothing panics while it holds the record")
}

fn bug(words: &str) -> Failure {
    Failure::broken(format!("a bug in Assay ended its run: {words}"))
}
