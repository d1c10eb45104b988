//! Any orders in any order, with restarts in between, leave a book that answers as a plain map
//! would.

use crate::kit::{at, event, id, new_folder, noise, task};
use assay_store::{
    Book, BookTerms, EndRecord, EndState, NewTask, OpenTask, Removed, Retention, StateFilter,
    StoreError, StoredEvent, TaskEnd, TaskQuery, TaskRecord, WorkState,
};
use bytes::Bytes;
use proptest::prelude::*;
use std::{collections::BTreeMap, path::Path, time::Duration};

/// Few names, so that orders meet.
const TASKS: u32 = 6;

#[derive(Clone, Debug)]
enum Step {
    Accept {
        n: u32,
    },
    Start {
        n: u32,
        attempt: u32,
    },
    Append {
        n: u32,
        from: u32,
        count: u32,
    },
    End {
        n: u32,
        state: EndState,
        last: u32,
        result: Option<usize>,
    },
    /// At once, and the callers do not wait.
    Leave {
        n: u32,
    },
    Prune {
        keep_max: Option<u64>,
        keep_for: Option<u64>,
    },
    Reopen,
    /// As a process that dies: the folder as it is is opened again.
    Crash,
}

/// What a book should know: everything in plain maps.
#[derive(Clone, Debug, Default)]
struct Model {
    /// In the order of acceptance.
    tasks: Vec<Known>,
    clock: u32,
}

#[derive(Clone, Debug)]
struct Known {
    task: NewTask,
    attempt: u32,
    started: Option<u32>,
    events: BTreeMap<u32, StoredEvent>,
    end: Option<(u32, TaskEnd)>,
}

// === impl Step ===

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let n = || 0..TASKS;
    let state = prop::sample::select(EndState::ALL.to_vec());
    let result = prop::option::of(prop::sample::select(vec![0, 1, 90, 100, 101, 3000]));
    let step = prop_oneof![
        4 => n().prop_map(|n| Step::Accept { n }),
        2 => (n(), 1..4_u32).prop_map(|(n, attempt)| Step::Start { n, attempt }),
        3 => (n(), 0..6_u32, 0..4_u32).prop_map(|(n, from, count)| Step::Append { n, from, count }),
        4 => (n(), state, 0..3_u32, result)
            .prop_map(|(n, state, last, result)| Step::End { n, state, last, result }),
        1 => n().prop_map(|n| Step::Leave { n }),
        1 => (prop::option::of(0..4_u64), prop::option::of(0..20_u64))
            .prop_map(|(keep_max, keep_for)| Step::Prune { keep_max, keep_for }),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..40)
}

fn ended(n: u32, state: EndState, result: Option<usize>) -> TaskEnd {
    TaskEnd {
        at: at(n),
        state,
        status: if state == EndState::Finished { "success" } else { "error" }.to_owned(),
        code: (state == EndState::TimedOut).then(|| "timeout".to_owned()),
        message: (state == EndState::Failed).then(|| "it\0broke \u{1f4a5}".to_owned()),
        result: result.map(|length| Bytes::from(noise(n, length))),
    }
}

/// A task whose fields are of all kinds.
fn any_task(n: u32, clock: u32) -> NewTask {
    let traceparent = n.is_multiple_of(2).then(|| format!("00-{clock:032x}-{n:016x}-01"));
    NewTask { accepted_at: at(clock), traceparent, ..task(n) }
}

// === impl Model ===

impl Model {
    fn known(&mut self, n: u32) -> Option<&mut Known> {
        self.tasks.iter_mut().find(|known| known.task.id == id(n))
    }

    fn open(&mut self, n: u32) -> Result<&mut Known, &'static str> {
        let known = self.known(n).ok_or("unknown")?;
        if known.end.is_some() { Err("ended") } else { Ok(known) }
    }

    fn accept(&mut self, task: NewTask) -> Result<(), &'static str> {
        if self.tasks.iter().any(|known| known.task.id == task.id) {
            return Err("taken");
        }
        let events = BTreeMap::new();
        self.tasks.push(Known { task, attempt: 0, started: None, events, end: None });
        Ok(())
    }

    fn end(&mut self, n: u32, last: Vec<StoredEvent>, end: TaskEnd) -> Result<bool, &'static str> {
        let clock = self.clock;
        let known = self.known(n).ok_or("unknown")?;
        if known.end.is_some() {
            return Ok(false);
        }
        known.append(last);
        known.end = Some((clock, end));
        Ok(true)
    }

    /// Returns how many left.
    fn prune(&mut self, keep_max: Option<u64>, keep_for: Option<u64>) -> u64 {
        let clock = self.clock;
        // Newest end first; of equal ones, which there are none, the newest task.
        let mut ends: Vec<u32> =
            self.tasks.iter().filter_map(|known| known.end.as_ref().map(|end| end.0)).collect();
        ends.sort_unstable_by(|one, other| other.cmp(one));
        let leaves = |end: u32| {
            let newer = ends.iter().position(|one| *one == end).unwrap_or(0) as u64;
            keep_max.is_some_and(|keep| newer >= keep)
                || keep_for.is_some_and(|keep| u64::from(end) + keep < u64::from(clock))
        };
        let before = self.tasks.len();
        self.tasks.retain(|known| known.end.as_ref().is_none_or(|end| !leaves(end.0)));
        (before - self.tasks.len()) as u64
    }
}

impl Known {
    fn append(&mut self, events: Vec<StoredEvent>) {
        for event in events {
            self.events.entry(event.seq).or_insert(event);
        }
    }

    fn record(&self) -> TaskRecord {
        let state = match &self.end {
            Some((_, end)) => WorkState::Ended(end.state),
            None if self.started.is_some() => WorkState::Running,
            None => WorkState::Queued,
        };
        let end = self.end.as_ref().map(|(_, end)| EndRecord {
            at: end.at,
            status: end.status.clone(),
            code: end.code.clone(),
            message: end.message.clone(),
            result_bytes: end.result.as_ref().map(|result| result.len() as u64),
        });
        let (task, attempt) = (self.task.clone(), self.attempt);
        TaskRecord { task, state, attempt, started_at: self.started.map(at), end }
    }
}

fn word<T>(outcome: Result<T, StoreError>) -> Result<T, &'static str> {
    outcome.map_err(|error| match error {
        StoreError::TaskUnknown { .. } => "unknown",
        StoreError::TaskTaken { .. } => "taken",
        StoreError::TaskEnded { .. } => "ended",
        other => panic!("{other:?}"),
    })
}

/// Takes one step in both and compares what they say.
async fn take(book: &Book, model: &mut Model, step: &Step) {
    model.clock += 1;
    let clock = model.clock;
    match step.clone() {
        Step::Accept { n } => {
            let task = any_task(n, clock);
            assert_eq!(word(book.accept(task.clone()).await), model.accept(task));
        }
        Step::Start { n, attempt } => {
            let said = word(book.started(&id(n), attempt, at(clock)).await);
            let expected = model.open(n).map(|known| {
                known.attempt = attempt;
                known.started = Some(clock);
            });
            assert_eq!(said, expected);
        }
        Step::Append { n, from, count } => {
            let events: Vec<_> = (from..from + count).map(event).collect();
            let said = word(book.append(&id(n), events.clone()).await);
            assert_eq!(said, model.open(n).map(|known| known.append(events)));
        }
        Step::End { n, state, last, result } => {
            let events: Vec<_> = (10..10 + last).map(event).collect();
            let end = TaskEnd { at: at(clock), ..ended(n, state, result) };
            let said = word(book.end_with(&id(n), events.clone(), end.clone()).await);
            assert_eq!(said, model.end(n, events, end));
        }
        Step::Leave { n } => {
            let task = any_task(n, clock);
            tokio::select! {
                biased;
                _ = book.accept(task.clone()) => {}
                () = std::future::ready(()) => {}
            }
            model.accept(task).ok();
        }
        Step::Prune { keep_max, keep_for } => {
            let keep = keep_for.map(Duration::from_secs);
            let retention = Retention { keep_max, keep_for: keep, keep_bytes: None };
            let Removed { tasks, .. } = book.prune(retention, at(clock)).await.unwrap();
            assert_eq!(tasks, model.prune(keep_max, keep_for));
        }
        Step::Reopen | Step::Crash => {}
    }
}

async fn compare(book: &Book, model: &Model) {
    let mut expected: Vec<_> = model.tasks.iter().map(Known::record).collect();
    let open = model.tasks.iter().filter(|known| known.end.is_none());
    let open: Vec<_> = open
        .map(|known| OpenTask {
            task: known.task.clone(),
            running: known.started.is_some(),
            attempt: known.attempt,
            next_seq: known.events.keys().max().map_or(0, |last| last + 1),
        })
        .collect();
    assert_eq!(book.open_tasks().await.unwrap(), open);
    expected.reverse();
    assert_eq!(book.tasks(TaskQuery::default()).await.unwrap(), expected);
    let ended = TaskQuery { state: Some(StateFilter::Ended), limit: 2, ..TaskQuery::default() };
    let few: Vec<_> =
        expected.iter().filter(|record| record.end.is_some()).take(2).cloned().collect();
    assert_eq!(book.tasks(ended).await.unwrap(), few);
    for known in &model.tasks {
        let task = &known.task.id;
        let events: Vec<_> = known.events.values().cloned().collect();
        assert_eq!(book.events(task, 0, 100).await.unwrap(), events);
        let result = known.end.as_ref().and_then(|(_, end)| end.result.clone());
        assert_eq!(book.result(task).await.unwrap(), result);
    }
    assert_eq!(book.check().await.unwrap().problems, Vec::<String>::new());
}

fn open(folder: &Path) -> Book {
    let terms = BookTerms { big_result: 100, ..BookTerms::default() };
    Book::open(folder, terms).unwrap().0
}

/// The files as they are, without a word to who writes them.
fn snapshot(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            snapshot(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_book_answers_as_a_plain_map_would(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut folder = new_folder();
            let (mut book, mut model) = (open(folder.path()), Model::default());
            for step in &steps {
                take(&book, &mut model, step).await;
                // What left its caller is done when all that was asked before it is.
                match step {
                    Step::Reopen | Step::Leave { .. } => {
                        book.close().await.unwrap();
                        book = open(folder.path());
                    }
                    Step::Crash => {
                        let after = new_folder();
                        snapshot(folder.path(), after.path());
                        book = open(after.path());
                        folder = after;
                    }
                    _ => {}
                }
            }
            compare(&book, &model).await;
        });
    }
}
