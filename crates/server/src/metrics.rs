//! What is counted, for Prometheus.
//!
//! Keeps: names are stable and listed in `docs/operating/metrics.md`; a label's values are bounded,
//! whatever clients and services send.
//!
//! Does not: count what the desk and the pool count themselves: that is read at each scrape, as one
//! snapshot of each.

use crate::desk::DeskStats;
use assay_model::{Event, EventKind, ToolRun, ToolStatus};
use assay_pool::Stats;
use assay_rules::breaker::Circuit;
use assay_store::Room;
use assay_wire::AnalysisStatus;
use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use std::{collections::BTreeSet, sync::Mutex};

type Labels = Vec<(&'static str, String)>;

/// The content type of what [`Metrics::text`] makes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Names of tools that have a label of their own. The catalogue has a few dozen; what a service
/// invents beyond this is `other`.
const TOOLS_MAX: usize = 200;

/// What others count, at the moment of a scrape.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) desk: DeskStats,
    /// A service has none.
    pub(crate) pool: Option<Stats>,
    pub(crate) clients: u64,
    pub(crate) rooms: Vec<(&'static str, Room)>,
}

/// What happened since the start.
#[derive(Debug)]
pub(crate) struct Metrics {
    analyses: Family<Labels, Counter>,
    tools: Family<Labels, Counter>,
    tool_seconds: Family<Labels, Histogram, fn() -> Histogram>,
    findings: Family<Labels, Counter>,
    retries: Counter,
    rate_limited: Counter,
    known_tools: Mutex<BTreeSet<String>>,
}

// === impl Metrics ===

impl Default for Metrics {
    fn default() -> Self {
        // A quarter of a second to more than half an hour, each bound the double of the last.
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.25, 2.0, 14));
        Self {
            analyses: Family::default(),
            tools: Family::default(),
            tool_seconds: Family::new_with_constructor(seconds),
            findings: Family::default(),
            retries: Counter::default(),
            rate_limited: Counter::default(),
            known_tools: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Counts what happened in a run.
    pub(crate) fn happened(&self, events: &[Event]) {
        for event in events {
            if let EventKind::ToolEnded { run } = &event.kind {
                self.tool_ended(run);
            }
        }
    }

    pub(crate) fn analysis_ended(&self, service: &str, status: AnalysisStatus) {
        let labels = vec![("service", service.to_owned()), ("status", status.as_str().to_owned())];
        self.analyses.get_or_create(&labels).inc();
    }

    pub(crate) fn retried(&self) {
        self.retries.inc();
    }

    pub(crate) fn rate_limited(&self) {
        self.rate_limited.inc();
    }

    fn tool_ended(&self, run: &ToolRun) {
        let tool = self.label_of(run.tool.as_str());
        let status = status_word(run.status).to_owned();
        self.tools.get_or_create(&vec![("tool", tool.clone()), ("status", status)]).inc();
        let labels = vec![("tool", tool)];
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of one tool")]
        let seconds = run.usage.wall_ms as f64 / 1_000.0;
        self.tool_seconds.get_or_create(&labels).observe(seconds);
        self.findings.get_or_create(&labels).inc_by(run.observations);
    }

    fn label_of(&self, tool: &str) -> String {
        let mut known = self.known_tools.lock().expect("nothing panics while it holds them");
        if known.contains(tool) {
            return tool.to_owned();
        }
        if known.len() >= TOOLS_MAX {
            return "other".to_owned();
        }
        known.insert(tool.to_owned());
        tool.to_owned()
    }

    /// Says everything in the text format of OpenMetrics.
    pub(crate) fn text(&self, seen: &Seen) -> String {
        let mut registry = Registry::with_prefix("assay");
        self.own(&mut registry);
        desk_metrics(&mut registry, &seen.desk, seen.clients);
        if let Some(pool) = &seen.pool {
            pool_metrics(&mut registry, pool);
        }
        disk_metrics(&mut registry, &seen.rooms);
        let mut text = String::new();
        // A `String` takes everything.
        encode(&mut text, &registry).ok();
        text
    }

    fn own(&self, registry: &mut Registry) {
        registry.register("analyses", "Analyses that have ended", self.analyses.clone());
        registry.register("tools", "Tools that have ended", self.tools.clone());
        registry.register_with_unit(
            "tool_duration",
            "What tools took",
            Unit::Seconds,
            self.tool_seconds.clone(),
        );
        registry.register("tool_findings", "What tools found", self.findings.clone());
        registry.register(
            "retries",
            "Calls of services that were made again",
            self.retries.clone(),
        );
        registry.register(
            "rate_limited",
            "Requests that were refused since their client asks too often",
            self.rate_limited.clone(),
        );
    }
}

fn desk_metrics(registry: &mut Registry, desk: &DeskStats, clients: u64) {
    let mut gauge = |name: &str, help: &str, value: u64| {
        registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
    };
    gauge("running", "Analyses that run", desk.running as u64);
    gauge("queued", "Analyses that wait", desk.queued as u64);
    gauge("capacity", "Analyses that may run at once", u64::from(desk.capacity));
    gauge("clients", "Connections of clients", clients);
    gauge("draining", "1 while nothing new is taken", u64::from(desk.is_draining));
    let oldest = ConstGauge::new(desk.oldest_waits.unwrap_or_default().as_secs_f64());
    registry.register_with_unit(
        "queue_oldest",
        "How long the analysis has waited that has waited longest",
        Unit::Seconds,
        oldest,
    );
    let mut counter = |name: &str, help: &str, value: u64| {
        registry.register(name, help, ConstCounter::new(value));
    };
    counter("accepted", "Analyses that were accepted", desk.accepted);
    counter("deduplicated", "Requests that joined work which was under way", desk.deduplicated);
    counter("cancellations", "Wishes to cancel that met a run", desk.cancelled);
    counter("refused", "Requests that were refused at the door", desk.refused);
}

fn disk_metrics(registry: &mut Registry, rooms: &[(&'static str, Room)]) {
    let (free, size) = (Family::<Labels, Gauge>::default(), Family::<Labels, Gauge>::default());
    for (place, room) in rooms {
        let labels = vec![("place", (*place).to_owned())];
        free.get_or_create(&labels).set(i64::try_from(room.free).unwrap_or(i64::MAX));
        size.get_or_create(&labels).set(i64::try_from(room.size).unwrap_or(i64::MAX));
    }
    registry.register_with_unit("disk_free", "What is free on the disk", Unit::Bytes, free);
    registry.register_with_unit("disk_size", "What the disk holds", Unit::Bytes, size);
}

fn pool_metrics(registry: &mut Registry, pool: &Stats) {
    let connections = Family::<Labels, Gauge>::default();
    for (state, count) in [
        ("active", pool.active),
        ("idle", pool.idle),
        ("connecting", pool.connecting),
        ("closing", pool.closing),
    ] {
        let gauge = connections.get_or_create(&vec![("state", state.to_owned())]);
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    registry.register("pool_connections", "Connections to services", connections);
    let mut gauge = |name: &str, help: &str, value: usize| {
        registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
    };
    gauge("pool_connections_max", "Connections to services that may be open", pool.cap);
    gauge("pool_waiting", "Callers that wait for a connection", pool.waiting);
    let mut counter = |name: &str, help: &str, value: u64| {
        registry.register(name, help, ConstCounter::new(value));
    };
    counter("pool_opened", "Connections that were opened", pool.opened);
    counter("pool_closed", "Connections that were closed", pool.closed);
    counter("pool_reused", "Leases of a connection that stood already", pool.reused);
    counter("pool_refused", "Callers that were refused a connection", pool.refused);
    counter("pool_gave_up", "Callers that stopped waiting", pool.gave_up);
    let breakers = Family::<Labels, Gauge>::default();
    for breaker in pool.breakers.iter().filter(|breaker| !breaker.is_gone) {
        let labels =
            vec![("service", breaker.service.to_string()), ("url", breaker.address.to_string())];
        breakers.get_or_create(&labels).set(match breaker.reading.circuit {
            Circuit::Closed => 0,
            Circuit::HalfOpen => 1,
            Circuit::Open { .. } => 2,
        });
    }
    registry.register("breaker_state", "0 closed, 1 half-open, 2 open", breakers);
}

fn status_word(status: ToolStatus) -> &'static str {
    match status {
        ToolStatus::Ok => "ok",
        ToolStatus::NoInputs => "no_inputs",
        ToolStatus::Unavailable => "unavailable",
        ToolStatus::Failed => "failed",
        ToolStatus::TimedOut => "timed_out",
        ToolStatus::Cancelled => "cancelled",
        ToolStatus::OutputInvalid => "output_invalid",
        ToolStatus::Untrusted => "untrusted",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends where its premise does")]
mod tests {
    use super::*;
    use assay_model::ToolId;
    use std::time::Duration;

    fn ended(tool: &str, status: ToolStatus) -> Event {
        let run = ToolRun::not_run(ToolId::new(tool).unwrap(), status, true);
        Event { seq: 0, at_ms: 0, kind: EventKind::ToolEnded { run: Box::new(run) } }
    }

    #[test]
    fn every_metric_is_in_the_operators_list() {
        let metrics = Metrics::default();
        metrics.happened(&[ended("ruff", ToolStatus::Ok)]);
        metrics.analysis_ended("static-analyzer", AnalysisStatus::Success);
        let desk =
            DeskStats { oldest_waits: Some(Duration::from_millis(1500)), ..Default::default() };
        let rooms = vec![("book", Room { free: 5, size: 10 })];
        let text = metrics.text(&Seen { desk, rooms, ..Seen::default() });
        let list = include_str!("../../../docs/operating/metrics.md");
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let name = line.split(' ').next().unwrap();
            assert!(list.contains(&format!("| `{name}` |")), "`{name}` is not in the list");
        }
        assert!(text.contains(r#"assay_tools_total{tool="ruff",status="ok"} 1"#), "{text}");
        assert!(text.contains("\nassay_queue_oldest_seconds 1.5\n"), "{text}");
        assert!(text.contains("\nassay_disk_free_bytes{place=\"book\"} 5\n"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_service_that_invents_tools_makes_no_endless_labels() {
        let metrics = Metrics::default();
        for number in 0..1_000 {
            metrics.happened(&[ended(&format!("tool-{number}"), ToolStatus::Ok)]);
        }
        let text = metrics.text(&Seen::default());
        let labels = text.lines().filter(|line| line.starts_with("assay_tools_total")).count();
        assert_eq!(labels, TOOLS_MAX + 1);
    }
}
