//! What was done and when, and what was found wrong.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The diary of one round.
pub(crate) struct Diary {
    seed: u64,
    begun: Instant,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    lines: Vec<String>,
    faults: Vec<String>,
    /// How often what was done.
    deeds: BTreeMap<String, u32>,
    figures: Vec<String>,
}

/// Faults that are shown; the diary holds them all.
const SHOWN: usize = 20;

// === impl Diary ===

impl Diary {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, begun: Instant::now(), pages: Mutex::default() }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(crate) fn note(&self, text: impl AsRef<str>) {
        let line = format!("{:8.3} {}", self.elapsed().as_secs_f64(), text.as_ref());
        self.pages().lines.push(line);
    }

    /// Notes something that the monkey does.
    pub(crate) fn deed(&self, sort: &str, text: impl AsRef<str>) {
        *self.pages().deeds.entry(sort.to_owned()).or_default() += 1;
        self.note(text);
    }

    /// Notes a broken promise. The round goes on, since there may be more.
    pub(crate) fn fault(&self, text: impl AsRef<str>) {
        self.note(format!("FAULT {}", text.as_ref()));
        self.pages().faults.push(text.as_ref().to_owned());
    }

    /// Something to be told at the end.
    pub(crate) fn figure(&self, text: impl Into<String>) {
        self.pages().figures.push(text.into());
    }

    pub(crate) fn has_faults(&self) -> bool {
        !self.pages().faults.is_empty()
    }

    pub(crate) fn faults(&self) -> String {
        let pages = self.pages();
        let more = pages.faults.len().saturating_sub(SHOWN);
        let shown: Vec<&str> = pages.faults.iter().take(SHOWN).map(String::as_str).collect();
        let rest = if more > 0 { format!("\n  and {more} more") } else { String::new() };
        format!("{} promises were broken:\n  {}{rest}", pages.faults.len(), shown.join("\n  "))
    }

    pub(crate) fn summary(&self) -> String {
        let pages = self.pages();
        let deeds: Vec<String> =
            pages.deeds.iter().map(|(sort, count)| format!("{sort} {count}")).collect();
        let all = [deeds.join(", "), pages.figures.join(", ")].join("; ");
        format!("{:.0} s; {all}", self.elapsed().as_secs_f64())
    }

    pub(crate) fn count(&self, sort: &str) -> u32 {
        self.pages().deeds.get(sort).copied().unwrap_or(0)
    }

    pub(crate) fn text(&self) -> String {
        self.pages().lines.join("\n")
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
