//! Question: what does a span cost whoever does the work? Expected: without a collector well under a
//! microsecond, and with one that is away not much more.

use assay_trace::{Export, Part, Settings, Span};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn one() {
    let run = Span::begin(Part::Run, "run", None);
    let tool = Span::begin(Part::Tool, "tool", Some(black_box(run.context())));
    tool.set("assay.tool.status", "ok");
    tool.end();
}

fn spans(criterion: &mut Criterion) {
    criterion.bench_function("two spans, no collector", |bench| bench.iter(one));
    // A collector that is away: the dearest case for whoever offers, since the queue is full.
    let url = |name: &str| {
        let is_asked = name == "OTEL_EXPORTER_OTLP_ENDPOINT";
        is_asked.then(|| "http://127.0.0.1:9".to_owned())
    };
    let settings = Settings::read("bench", url).expect("the settings are sound");
    let _export = Export::begin(settings.as_ref()).expect("a thread can be started");
    criterion.bench_function("two spans, a collector that is away", |bench| bench.iter(one));
}

criterion_group!(benches, spans);
criterion_main!(benches);
