//! What waits for a collector, and the thread that brings it there.
//!
//! Keeps: offering a span costs a lock and no wait; what waits has a bound, beyond which the newest is
//! lost and counted; a collector that is away is told of once, and once when it is back; the end of
//! the process waits for it no longer than it was told to.

use crate::{
    courier::{Courier, Refused},
    otlp::{self, Resource},
    sampler::Sampler,
    settings::Settings,
    span::Record,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock},
    thread,
    time::Duration,
};

/// Spans that wait for the collector. A hundred analyses with twenty tools each; beyond it the newest
/// are lost, so that the beginnings of what is shown are there.
const WAITING_MAX: usize = 2_048;

/// Spans of one request. As many waiting are sent at once.
const REQUEST_MAX: usize = 512;

/// How long fewer wait; and how long until a collector that was away is asked again.
const SEND_EVERY: Duration = Duration::from_secs(5);

/// Where the spans of this process go. There is one log for a process, and one way to a collector.
static OUTBOX: OnceLock<Arc<Outbox>> = OnceLock::new();

/// Spans on their way, and who takes them.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) sampler: Sampler,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Record>,
    lost: u64,
    is_closing: bool,
    is_closed: bool,
}

/// The way to the collector, held by `main`. Dropping it sends nothing more.
#[derive(Debug, Default)]
pub struct Export(Option<Arc<Outbox>>);

/// Whether spans go to a collector.
pub fn is_exported() -> bool {
    outbox().is_some()
}

pub(crate) fn outbox() -> Option<&'static Arc<Outbox>> {
    OUTBOX.get()
}

// === impl Export ===

impl Export {
    /// Begins to bring the spans of this process to a collector, if there is one. To be called once,
    /// before the first span.
    ///
    /// # Errors
    ///
    /// In words, what is wrong with the settings.
    pub fn begin(settings: Option<&Settings>) -> Result<Self, String> {
        let Some(settings) = settings else { return Ok(Self(None)) };
        let outbox = begin(settings)?;
        // Only a second call could fail.
        OUTBOX.set(Arc::clone(&outbox)).ok();
        Ok(Self(Some(outbox)))
    }

    /// Brings what is left to the collector, for as long as this. Blocks.
    pub fn end(self, within: Duration) {
        if let Some(outbox) = &self.0 {
            outbox.close(within);
        }
    }
}

/// Starts the thread.
fn begin(settings: &Settings) -> Result<Arc<Outbox>, String> {
    let courier = Courier::new(settings)?;
    let outbox = Arc::new(Outbox {
        sampler: settings.sampler,
        state: Mutex::default(),
        changed: Condvar::new(),
    });
    let (resource, taking) = (settings.resource.clone(), Arc::clone(&outbox));
    thread::Builder::new()
        .name("traces".to_owned())
        .spawn(move || work(&taking, &courier, &resource))
        .map_err(|error| format!("no thread can be started: {error}"))?;
    Ok(outbox)
}

// === impl Outbox ===

impl Outbox {
    pub(crate) fn offer(&self, record: Record) {
        let mut state = self.lock();
        if state.waiting.len() >= WAITING_MAX || state.is_closing {
            state.lost += 1;
            return;
        }
        state.waiting.push_back(record);
        if state.waiting.len() == REQUEST_MAX {
            self.changed.notify_all();
        }
    }

    /// Waits until there is a request's worth, or it is time. Returns it, and whether it is the end.
    fn take(&self) -> (Vec<Record>, bool) {
        let is_too_few = |state: &mut State| state.waiting.len() < REQUEST_MAX && !state.is_closing;
        let waited = self.changed.wait_timeout_while(self.lock(), SEND_EVERY, is_too_few);
        let (mut state, _) = waited.expect(LOCKED);
        let count = state.waiting.len().min(REQUEST_MAX);
        let records = state.waiting.drain(..count).collect();
        (records, state.is_closing && state.waiting.is_empty())
    }

    /// Waits out the time after a failure. Returns whether it is the end.
    fn rest(&self) -> bool {
        let waited =
            self.changed.wait_timeout_while(self.lock(), SEND_EVERY, |state| !state.is_closing);
        waited.expect(LOCKED).0.is_closing
    }

    fn close(&self, within: Duration) {
        let mut state = self.lock();
        state.is_closing = true;
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(state, within, |state| !state.is_closed);
        let (state, late) = waited.expect(LOCKED);
        let left = state.waiting.len();
        drop(state);
        if late.timed_out() {
            tracing::warn!(left, "the collector did not take the last spans in time");
        }
    }

    fn lost(&self) -> u64 {
        self.lock().lost
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(LOCKED)
    }
}

const LOCKED: &str = "nothing panics while it holds the spans";

/// Says that nobody takes spans any more, however the thread ended.
struct Taker<'a>(&'a Outbox);

impl Drop for Taker<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        (state.is_closing, state.is_closed) = (true, true);
        self.0.changed.notify_all();
    }
}

/// Brings spans until the outbox closes.
fn work(outbox: &Outbox, courier: &Courier, resource: &Resource) {
    let _taker = Taker(outbox);
    let mut trouble = Trouble::default();
    loop {
        let (records, mut is_last) = outbox.take();
        if !records.is_empty() {
            let body = otlp::request(resource, &records);
            loop {
                let brought = courier.bring(body.clone());
                trouble.tell(&brought, outbox.lost());
                // What the collector will never take is let go.
                if !brought.is_err_and(|refused| refused.for_now) {
                    break;
                }
                if outbox.rest() {
                    // One more try is made of what comes after the end began, and no third.
                    is_last |= courier.bring(body.clone()).is_err();
                    break;
                }
            }
        }
        if is_last {
            return;
        }
    }
}

/// Whether the log knows that the collector takes nothing.
#[derive(Debug, Default)]
struct Trouble {
    is_told: bool,
}

// === impl Trouble ===

impl Trouble {
    fn tell(&mut self, brought: &Result<(), Refused>, lost: u64) {
        match brought {
            Err(refused) if !self.is_told => {
                self.is_told = true;
                let Refused { why, for_now } = refused;
                tracing::warn!(why, again = for_now, "the collector takes no spans");
            }
            Ok(()) if self.is_told => {
                self.is_told = false;
                tracing::info!(lost, "the collector takes spans again");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{Part, Span};
    use testkit::Collector;

    /// No collector of a test takes so long.
    const LONG: Duration = Duration::from_mins(1);

    fn outbox(url: &str) -> Arc<Outbox> {
        let settings = Settings::read("assay-test", |name| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(url.to_owned()),
            "OTEL_EXPORTER_OTLP_HEADERS" => Some("authorization=Bearer%20x".to_owned()),
            _ => None,
        });
        begin(&settings.unwrap().unwrap()).unwrap()
    }

    fn spans(outbox: &Arc<Outbox>, count: usize) {
        for _ in 0..count {
            Span::begin_for(Some(outbox), Part::Tool, "ruff".into(), None).end();
        }
    }

    #[test]
    fn all_spans_are_brought_before_the_end() {
        let collector = Collector::start(&[]).unwrap();
        let outbox = outbox(&collector.url());
        let parent = Span::begin_for(Some(&outbox), Part::Run, "run".into(), None);
        let child =
            Span::begin_for(Some(&outbox), Part::Tool, "ruff".into(), Some(parent.context()));
        child.set("assay.tool.status", "ok");
        child.set("assay.tool.status", "failed");
        child.fail("it broke");
        drop((child, parent));
        spans(&outbox, REQUEST_MAX + 1);
        outbox.close(LONG);
        let got = collector.spans();
        assert_eq!((got.len(), collector.unreadable()), (REQUEST_MAX + 3, 0));
        let (child, parent) = (&got[0], &got[1]);
        assert_eq!((&child.trace, &child.parent), (&parent.trace, &parent.span));
        assert_eq!(child.attributes["assay.tool.status"], "failed");
        assert_eq!(child.failed.as_deref(), Some("it broke"));
        assert_eq!((parent.parent.as_str(), parent.kind), ("", 2));
        assert!(child.begun_ns >= parent.begun_ns && child.ended_ns <= parent.ended_ns);
        assert_eq!(child.resource["service.name"], "assay-test");
        assert_eq!(collector.headers()[0]["authorization"], "Bearer x");
    }

    #[test]
    fn what_a_collector_cannot_take_now_it_gets_again_and_what_it_never_takes_is_let_go() {
        let collector = Collector::start(&[503]).unwrap();
        let outbox_of_503 = outbox(&collector.url());
        spans(&outbox_of_503, 1);
        outbox_of_503.close(LONG);
        assert_eq!(collector.spans().len(), 1);
        let collector = Collector::start(&[400]).unwrap();
        let outbox_of_400 = outbox(&collector.url());
        spans(&outbox_of_400, REQUEST_MAX + 1);
        outbox_of_400.close(LONG);
        assert_eq!(collector.spans().len(), 1);
    }

    #[test]
    fn a_collector_that_is_away_holds_up_nobody_and_what_waits_has_a_bound() {
        // Nobody listens there any more.
        let url = Collector::start(&[]).unwrap().url();
        let outbox = outbox(&url);
        spans(&outbox, 3 * WAITING_MAX);
        let state = outbox.lock();
        assert!(state.waiting.len() <= WAITING_MAX);
        assert!(state.lost >= (WAITING_MAX - REQUEST_MAX) as u64, "{}", state.lost);
        drop(state);
        outbox.close(LONG);
        assert!(outbox.lock().is_closed);
    }

    #[test]
    fn a_trace_that_another_does_not_record_is_not_recorded_here() {
        let collector = Collector::start(&[]).unwrap();
        let outbox = outbox(&collector.url());
        let context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        let parent = assay_model::TraceContext::parse(context, Some("a=1")).unwrap();
        let span = Span::begin_for(Some(&outbox), Part::Run, "run".into(), Some(&parent));
        assert_eq!(span.context().trace, parent.trace);
        assert_eq!((span.context().is_sampled, &span.context().state), (false, &parent.state));
        drop(span);
        outbox.close(LONG);
        assert_eq!(collector.spans(), []);
    }
}
