//! Real tools, stopped at random moments by a signal, a kill or the deadline: nothing is left of
//! them, and the exit code says what happened.
//!
//! `ASSAY_TEST_STOPS=200` stops that often.
#![allow(clippy::unwrap_used, reason = "a test ends where its premise does")]

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use testkit::{TempDir, children_of, lives, marked_beginning, wait_until};

/// Programs of Python with helpers, programs of Node with threads, and native ones.
const TOOLS: &str = "semgrep,eslint,pylint,mypy,bandit,ruff,oxlint";

/// With fewer of them ended, an analysis that is stopped cannot come to its end.
const MOST_OF_THEM: usize = 4;

/// Enough for every way at some moments; more by hand.
const STOPS: u32 = 24;

/// Later than this is not tried: on a busy machine a whole analysis takes a minute, and what is held
/// does not depend on it.
const MOMENT_MS_MAX: u64 = 5_000;

/// No condition of this test takes so long on any machine that is worth testing on.
const LONG: Duration = Duration::from_mins(1);

/// How an analysis is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Interrupt,
    Terminate,
    Kill,
    Deadline,
}

const WAYS: [Way; 4] = [Way::Interrupt, Way::Terminate, Way::Kill, Way::Deadline];

/// What became of one.
struct Stopped {
    /// From the signal to the end of the program. For the deadline: nothing.
    took: Option<Duration>,
    /// Processes of tools that ran in the moment of the signal.
    running: usize,
    was_before_the_end: bool,
}

/// The same moments every time: a failure can be seen again.
struct Dice(u64);

/// Everything around the analyses. They share one folder for temporary files.
struct World {
    root: TempDir,
}

// === impl Dice ===

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % bound
    }
}

// === impl World ===

impl World {
    fn new() -> Self {
        let world = Self { root: testkit::tempdir().unwrap() };
        for name in ["home", "tmp"] {
            fs::create_dir(world.at(name)).unwrap();
        }
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/notes");
        let copied = Command::new("cp").arg("-R").arg(sample).arg(world.at("app")).status();
        assert!(copied.unwrap().success());
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn start(&self, number: u32, more: &[String]) -> Child {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../assay-test-cache");
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("ASSAY_") {
                command.env_remove(name);
            }
        }
        command
            .args(["analyze", "--tools", TOOLS, "--jobs", "4", "--no-ignore", "--output"])
            .arg(self.results(number))
            .args(more)
            .arg(self.at("app"))
            .env("ASSAY_CACHE", cache)
            .env("HOME", self.at("home"))
            .env("TMPDIR", self.at("tmp"))
            .current_dir(self.root.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().unwrap()
    }

    fn results(&self, number: u32) -> PathBuf {
        self.at(&format!("results-{number}"))
    }

    fn left_over(&self) -> Vec<PathBuf> {
        fs::read_dir(self.at("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// How many tools have ended by now.
    fn tools_ended(&self, number: u32) -> usize {
        let events = fs::read_to_string(self.results(number).join("events.ndjson"));
        events.unwrap_or_default().matches("\"tool_ended\"").count()
    }

    /// The report, where one was written.
    fn report(&self, number: u32) -> Option<Value> {
        let text = fs::read(self.results(number).join("report.json")).ok()?;
        Some(serde_json::from_slice(&text).expect("a report is whole or not there"))
    }

    /// Stops one analysis at `moment` and looks at what is left.
    fn stop(&self, number: u32, way: Way, moment: Duration) -> Stopped {
        let deadline = format!("{}ms", moment.as_millis().max(1));
        let more = [String::from("--timeout"), deadline];
        let mut child = self.start(number, if way == Way::Deadline { &more } else { &[] });
        let context = format!("{number}, {way:?} after {moment:?}");
        let signal = match way {
            Way::Interrupt => Some(Signal::INT),
            Way::Terminate => Some(Signal::TERM),
            Way::Kill => Some(Signal::KILL),
            Way::Deadline => None,
        };
        let (mut guards, mut running, mut sent) = (Vec::new(), 0, None);
        let mut had_ended = MOST_OF_THEM;
        if let Some(signal) = signal {
            // Its moment has come, or it has ended before.
            wait_until(moment, || !lives(child.id()));
            guards = children_of(child.id());
            guards.extend(guards.clone().into_iter().flat_map(children_of));
            running = tools_of(&child).len();
            had_ended = self.tools_ended(number);
            sent = Some(now());
            kill_process(Pid::from_child(&child), signal).ok();
        }
        assert!(wait_until(LONG, || child.try_wait().unwrap().is_some()), "{context}: it stays");
        let took = sent.map(|sent| sent.elapsed());
        let status = child.wait().unwrap();
        let is_gone = || tools_of(&child).is_empty() && !guards.iter().any(|pid| lives(*pid));
        if way == Way::Kill {
            assert!(wait_until(LONG, is_gone), "{context}: {:?}", tools_of(&child));
        } else {
            assert!(is_gone(), "{context}: {:?} are left", tools_of(&child));
        }
        let was_before_the_end = match (status.code(), status.signal()) {
            (Some(0), _) => {
                assert!(had_ended >= MOST_OF_THEM, "{context}: it was not heard");
                false
            }
            (Some(code), _) => {
                self.says_that_it_was_stopped(number, way, code, &context);
                true
            }
            (None, ended_by) => {
                // Before it listens it has started nothing, and ends as any program does.
                let is_first = way == Way::Kill || self.report(number).is_none();
                assert_eq!((ended_by, is_first), (signal.map(Signal::as_raw), true), "{context}");
                true
            }
        };
        // What a killed one left is removed by the next.
        if way != Way::Kill && status.code().is_some() {
            assert_eq!(self.left_over(), Vec::<PathBuf>::new(), "{context}");
        }
        fs::remove_dir_all(self.results(number)).ok();
        Stopped { took, running, was_before_the_end }
    }

    /// The exit code is that of the way, and the report says the same.
    fn says_that_it_was_stopped(&self, number: u32, way: Way, code: i32, context: &str) {
        let (expected, outcome) = match way {
            Way::Interrupt => (130, "interrupted"),
            Way::Terminate => (143, "terminated"),
            Way::Deadline => (124, "timed_out"),
            Way::Kill => panic!("{context}: it ended with {code} and was to be killed"),
        };
        assert_eq!(code, expected, "{context}");
        let Some(report) = self.report(number) else {
            // Stopped before there was anything to report.
            assert_ne!(way, Way::Deadline, "{context}: a deadline comes with a report");
            return;
        };
        assert_eq!(report["outcome"], outcome, "{context}");
        assert_eq!(report["verdict"]["exit_code"], code, "{context}");
        let is_clean = |run: &&Value| run["status"] != "ok" && run["clean"] == true;
        assert_eq!(report["tools"].as_array().unwrap().iter().find(is_clean), None, "{context}");
    }
}

/// The living processes of all tools that this program started, whatever they have left.
fn tools_of(child: &Child) -> Vec<u32> {
    marked_beginning(&format!("ASSAY_RUN={}-", child.id()))
}

#[expect(clippy::disallowed_methods, reason = "real processes, whose time cannot be paused")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn real_tools_stopped_at_random_moments_leave_nothing() {
    let stops = env::var("ASSAY_TEST_STOPS").map_or(STOPS, |text| text.parse().unwrap());
    let world = World::new();
    // Installs, lets every tool show itself, and is the measure of how long one takes.
    assert!(world.start(0, &[]).wait().unwrap().success());
    fs::remove_dir_all(world.results(0)).unwrap();
    let begun = now();
    assert!(world.start(1, &[]).wait().unwrap().success());
    let whole = u64::try_from(begun.elapsed().as_millis()).unwrap();
    let mut dice = Dice(11);
    let mut all: BTreeMap<Way, Vec<Stopped>> = BTreeMap::new();
    for number in 0..stops {
        let way = WAYS[number as usize % WAYS.len()];
        let moment = Duration::from_millis(dice.below(whole.min(MOMENT_MS_MAX)));
        all.entry(way).or_default().push(world.stop(2 + number, way, moment));
    }
    // The last one sweeps after those that were killed.
    assert!(world.start(2 + stops, &[]).wait().unwrap().success());
    assert_eq!(world.left_over(), Vec::<PathBuf>::new());
    println!("a whole one takes {whole} ms");
    for (way, stopped) in &all {
        let early = stopped.iter().filter(|one| one.was_before_the_end).count();
        let with_tools = stopped.iter().filter(|one| one.running > 0).count();
        let mut took: Vec<Duration> = stopped.iter().filter_map(|one| one.took).collect();
        took.sort();
        let at = |part: usize| took.get(took.len().saturating_sub(1) * part / 100);
        println!(
            "{way:?}: {} stops, {early} before the end, {with_tools} while tools ran; \
             to the end of assay: p50 {:?}, p99 {:?}, max {:?}",
            stopped.len(),
            at(50),
            at(99),
            at(100)
        );
        assert!(early > 0, "{way:?} stopped none before its end");
    }
    assert!(all.values().flatten().any(|one| one.running > 0), "no tool ran at any moment");
}
