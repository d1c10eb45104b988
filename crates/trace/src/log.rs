//! Lines of the log, with the ids of the work that they are about.
//!
//! Keeps: a line that is written inside of a span of ours has its task, its trace and its span, also
//! where a span knows its task later than it began; an id that the line itself gives is not given
//! twice.

use assay_model::{TaskId, TraceContext, is_unsafe};
use serde_json::Value as Json;
use std::{
    fmt::{self, Write as _},
    sync::Arc,
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    field::RecordFields,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::Context,
    registry::LookupSpan,
};

/// Whether a span is one of ours, which tells on what a line is about, whatever the level of the log.
pub fn is_of_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("assay")
}

/// Runs work on another thread as a part of what is done on this one: its lines have the same ids.
pub fn here<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let span = tracing::Span::current();
    move || span.in_scope(work)
}

/// A span of the log alone, for what is done about a request before it has a run.
pub fn about(task: Option<&TaskId>, trace: Option<&TraceContext>) -> tracing::Span {
    let task_id = task.map(TaskId::as_str);
    let trace_id = trace.map(|trace| tracing::field::display(trace.trace));
    tracing::info_span!(target: "assay", "asked", task_id, trace_id)
}

/// The ids of a span, as the log knows them.
#[derive(Clone, Debug, Default)]
struct Known([Option<Arc<str>>; 3]);

/// Names of the fields that are ids.
const NAMES: [&str; 3] = ["task_id", "trace_id", "span_id"];

/// Remembers the ids of spans, for [`JsonLines`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Ids;

/// A line is one JSON object: time, level, message, the fields of the event, its target, the ids.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonLines;

/// Fields as text, without the ids that only machines look for.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextFields;

// === impl Ids ===

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ids {
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let mut known = Known::default();
        attributes.record(&mut known);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(known);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(known) = span.extensions_mut().get_mut::<Known>()
        {
            values.record(known);
        }
    }
}

impl Visit for Known {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.learn(field, || format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.learn(field, || value.to_owned());
    }
}

impl Known {
    fn learn(&mut self, field: &Field, text: impl FnOnce() -> String) {
        if let Some(at) = NAMES.iter().position(|name| *name == field.name()) {
            self.0[at] = Some(text().into());
        }
    }
}

// === impl JsonLines ===

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = Line::begin();
        line.text("timestamp", &format!("{:.6}", jiff::Timestamp::now()));
        line.text("level", metadata.level().as_str());
        event.record(&mut line);
        line.text("target", metadata.target());
        let scope = context.event_scope();
        for span in scope.into_iter().flatten() {
            let extensions = span.extensions();
            let Some(Known(known)) = extensions.get::<Known>() else { continue };
            for (at, id) in known.iter().enumerate() {
                if let (Some(id), false) = (id, line.given[at]) {
                    line.text(NAMES[at], id);
                }
            }
        }
        writeln!(writer, "{}}}", line.text)
    }
}

/// A JSON object that is being written.
struct Line {
    text: String,
    /// Which of the ids it has already.
    given: [bool; 3],
}

// === impl Line ===

impl Line {
    fn begin() -> Self {
        Self { text: String::with_capacity(256), given: [false; 3] }
    }

    fn text(&mut self, name: &str, value: &str) {
        self.value(name, &Json::from(value));
    }

    fn value(&mut self, name: &str, value: &Json) {
        if let Some(at) = NAMES.iter().position(|known| *known == name) {
            self.given[at] = true;
        }
        let comma = if self.text.is_empty() { '{' } else { ',' };
        // Text takes all.
        let _ = write!(self.text, "{comma}{}:{value}", Json::from(name));
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field.name(), &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.value(field.name(), &value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.value(field.name(), &value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.value(field.name(), &value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.value(field.name(), &value.into());
    }
}

// === impl TextFields ===

impl<'a> FormatFields<'a> for TextFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'a>, fields: R) -> fmt::Result {
        let mut text = Text { writer: &mut writer, is_first: true, written: Ok(()) };
        fields.record(&mut text);
        text.written
    }
}

struct Text<'a, 'w> {
    writer: &'a mut Writer<'w>,
    is_first: bool,
    written: fmt::Result,
}

// === impl Text ===

impl Text<'_, '_> {
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if matches!(field.name(), "trace_id" | "span_id") {
            return;
        }
        let gap = if std::mem::take(&mut self.is_first) { "" } else { " " };
        let name = field.name();
        self.written = self.written.and_then(|()| {
            match (name, self.writer.has_ansi_escapes()) {
                ("message", _) => self.writer.write_str(gap),
                // The name in italics, as tracing's own text has it.
                (_, true) => write!(self.writer, "{gap}\x1b[3m{name}\x1b[0m="),
                (_, false) => write!(self.writer, "{gap}{name}="),
            }?;
            Harmless(self.writer).write_fmt(value)
        });
    }
}

/// Shows what could steer a terminal, or begin a line of its own: a value may be a stranger's words.
struct Harmless<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for Harmless<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '\n' | '\r' | '\t' => self.0.write_char(' '),
            bad if is_unsafe(bad) => write!(self.0, "{}", bad.escape_unicode()),
            good => self.0.write_char(good),
        })
    }
}

impl Visit for Text<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.write(field, format_args!("{value}"));
        } else {
            self.write(field, format_args!("{value:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Part, Span};
    use std::{
        io,
        sync::{Mutex, PoisonError},
    };
    use tracing_subscriber::{fmt::layer, layer::SubscriberExt as _};

    /// What was logged.
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn logged(work: impl FnOnce()) -> Vec<Json> {
        let (sink, ids) = (Sink::default(), Ids);
        let to = sink.clone();
        let lines = layer().event_format(JsonLines).with_writer(move || to.clone());
        let subscriber = tracing_subscriber::registry().with(ids).with(lines);
        tracing::subscriber::with_default(subscriber, work);
        sink.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_has_the_ids_of_the_innermost_that_has_them() {
        let mut inner_span = String::new();
        let lines = logged(|| {
            let task = TaskId::new("t-1").unwrap();
            let run = Span::begin(Part::Run, "run", None).of_task(&task);
            let _run = run.log().enter();
            let tool = Span::begin(Part::Tool, "tool", Some(run.context()));
            inner_span = tool.context().span.to_string();
            tool.log().in_scope(|| tracing::warn!(count = 3, is_late = true, "it is \"late\""));
            tracing::info!(task_id = "another", "of its own");
        });
        let [inner, own] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(inner["message"], "it is \"late\"");
        assert_eq!((&inner["count"], &inner["is_late"]), (&Json::from(3), &Json::from(true)));
        assert_eq!((&inner["level"], &inner["task_id"]), (&"WARN".into(), &"t-1".into()));
        assert_eq!(inner["span_id"], inner_span.as_str());
        assert_eq!(inner["trace_id"], own["trace_id"]);
        assert_ne!(inner["span_id"], own["span_id"]);
        assert_eq!(own["task_id"], "another");
        assert!(inner["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn a_thread_goes_on_with_the_ids_and_a_line_about_nothing_has_none() {
        let lines = logged(|| {
            tracing::info!("before");
            let run = Span::begin(Part::Run, "run", None);
            let subscriber = tracing::dispatcher::get_default(Clone::clone);
            let work = run.log().in_scope(|| here(|| tracing::info!("on a thread")));
            let thread = std::thread::spawn(move || {
                tracing::dispatcher::with_default(&subscriber, work);
            });
            thread.join().unwrap();
        });
        assert_eq!(lines[0].get("trace_id"), None);
        assert_eq!(lines[1]["trace_id"].as_str().unwrap().len(), 32);
        assert_eq!(lines[1].get("task_id"), None);
    }

    #[test]
    fn a_strangers_words_steer_no_terminal_and_begin_no_line() {
        let sink = Sink::default();
        let to = sink.clone();
        let text = layer().fmt_fields(TextFields).with_ansi(false).with_level(false);
        let text = text.without_time().with_target(false).with_writer(move || to.clone());
        let theirs = "\u{1b}[2J\u{9b}1m\nready: \u{202e}x";
        tracing::subscriber::with_default(tracing_subscriber::registry().with(text), || {
            tracing::warn!(shown = %theirs, quoted = theirs, "said: {theirs}");
        });
        let said = sink.text();
        assert!(!said.trim_end().chars().any(is_unsafe), "{said:?}");
        assert!(said.contains("said: \\u{1b}[2J\\u{9b}1m ready: \\u{202e}x shown="), "{said:?}");
    }

    #[test]
    fn text_is_without_what_only_machines_read() {
        let sink = Sink::default();
        let to = sink.clone();
        let text = layer().fmt_fields(TextFields).with_ansi(false);
        let text = text.without_time().with_target(false).with_writer(move || to.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(text), || {
            let run = Span::begin(Part::Run, "run", None);
            let run = run.of_task(&TaskId::new("t-1").unwrap());
            run.log().in_scope(|| tracing::warn!(attempt = 2, "again"));
        });
        assert_eq!(sink.text(), " WARN run{task_id=\"t-1\"}: again attempt=2\n");
    }
}
