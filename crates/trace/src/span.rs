//! One piece of work, measured.

use crate::{
    export::{self, Outbox},
    ids,
};
use assay_model::{SpanId, TaskId, TraceContext};
use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

/// What a piece of work is in the whole of a request. The names are those of the log's spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A client's request to a server, as the client sees it.
    Request,
    /// A run of a gateway, of a service, or of a command without a server.
    Run,
    /// A gateway's attempt at a run with one replica.
    Attempt,
    /// A tool.
    Tool,
}

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(Cow<'static, str>),
    Number(i64),
    Flag(bool),
}

/// One piece of work, from its beginning to [`end`](Self::end), or to where it is dropped.
///
/// It always has a context, which is what other programs are told, and a span of the log, by which
/// lines are known to be about it. Measured and kept for a collector it is where there is one.
#[derive(Debug)]
pub struct Span {
    context: TraceContext,
    log: tracing::Span,
    measured: Option<Measured>,
}

#[derive(Debug)]
struct Measured {
    outbox: Arc<Outbox>,
    /// Taken by the end.
    record: Mutex<Option<Box<Record>>>,
}

/// What a collector is told of a span.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) part: Part,
    pub(crate) name: Cow<'static, str>,
    pub(crate) context: TraceContext,
    pub(crate) parent: Option<SpanId>,
    pub(crate) begun: SystemTime,
    pub(crate) ended: SystemTime,
    pub(crate) attributes: Vec<(&'static str, Value)>,
    pub(crate) attributes_lost: u32,
    pub(crate) events: Vec<(SystemTime, &'static str)>,
    pub(crate) links: Vec<TraceContext>,
    pub(crate) links_lost: u32,
    /// Why it did not do what it should.
    pub(crate) failed: Option<String>,
}

/// Attributes, events and links that one span keeps: OpenTelemetry's own bound. More are counted.
const KEPT: usize = 128;

// === impl Part ===

impl Part {
    /// A span of the log, whose ids are named when they are known.
    fn log(self, context: &TraceContext) -> tracing::Span {
        macro_rules! span {
            ($name:literal) => {
                tracing::info_span!(
                    target: "assay",
                    $name,
                    task_id = tracing::field::Empty,
                    trace_id = %context.trace,
                    span_id = %context.span,
                )
            };
        }
        match self {
            Self::Request => span!("request"),
            Self::Run => span!("run"),
            Self::Attempt => span!("attempt"),
            Self::Tool => span!("tool"),
        }
    }

    /// The `SpanKind` of OTLP.
    pub(crate) fn kind(self) -> u64 {
        match self {
            // INTERNAL
            Self::Tool => 1,
            // SERVER
            Self::Run => 2,
            // CLIENT
            Self::Request | Self::Attempt => 3,
        }
    }
}

// === impl Span ===

impl Span {
    /// Begins a span: a part of the trace of `parent`, or the first of a new one.
    pub fn begin(
        part: Part,
        name: impl Into<Cow<'static, str>>,
        parent: Option<&TraceContext>,
    ) -> Self {
        Self::begin_for(export::outbox(), part, name.into(), parent)
    }

    pub(crate) fn begin_for(
        outbox: Option<&Arc<Outbox>>,
        part: Part,
        name: Cow<'static, str>,
        parent: Option<&TraceContext>,
    ) -> Self {
        let trace = parent.map_or_else(ids::fresh_trace, |parent| parent.trace);
        let is_sampled = match outbox {
            Some(outbox) => outbox.sampler.takes(trace, parent),
            // Whoever has a collector decides.
            None => parent.is_none_or(|parent| parent.is_sampled),
        };
        let state = parent.and_then(|parent| parent.state.clone());
        let context = TraceContext { trace, span: ids::fresh_span(), is_sampled, state };
        let log = part.log(&context);
        let measured = outbox.filter(|_| is_sampled).map(|outbox| {
            let bare = Record::begun(part, name, context.clone(), SystemTime::now());
            let record = Record { parent: parent.map(|parent| parent.span), ..bare };
            Measured { outbox: Arc::clone(outbox), record: Mutex::new(Some(Box::new(record))) }
        });
        Self { context, log, measured }
    }

    /// Says of which task it is.
    pub fn of_task(self, task: &TaskId) -> Self {
        self.set_task(task);
        self
    }

    /// The same, where that is known later than it began.
    pub fn set_task(&self, task: &TaskId) {
        self.log.record("task_id", task.as_str());
        self.set("assay.task.id", task.as_str());
    }

    /// Says which app it is about, as far as that is known.
    pub fn set_app(&self, model: Option<&str>, number: Option<u32>) {
        if let Some(model) = model {
            self.set("assay.model", model);
        }
        if let Some(number) = number {
            self.set("assay.app", number);
        }
    }

    /// What other programs are told, so that theirs is a part of this.
    pub fn context(&self) -> &TraceContext {
        &self.context
    }

    /// The span of the log: lines that are written inside of it bear its ids.
    pub fn log(&self) -> &tracing::Span {
        &self.log
    }

    /// Says something about it. `Value` is made of texts, whole numbers and truths.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        self.edit(|record| {
            // What is said anew replaces what was said: a key stands once.
            record.attributes.retain(|(known, _)| *known != key);
            if record.attributes.len() < KEPT {
                record.attributes.push((key, value.into()));
            } else {
                record.attributes_lost += 1;
            }
        });
    }

    /// Says that something happened now.
    pub fn happened(&self, what: &'static str) {
        self.edit(|record| {
            if record.events.len() < KEPT {
                record.events.push((SystemTime::now(), what));
            }
        });
    }

    /// Says that it is the work of another trace too.
    pub fn link(&self, to: &TraceContext) {
        self.edit(|record| {
            if record.links.len() < KEPT {
                record.links.push(to.clone());
            } else {
                record.links_lost += 1;
            }
        });
    }

    /// Says that it did not do what it should, and why.
    pub fn fail(&self, why: impl Into<String>) {
        self.edit(|record| record.failed = Some(why.into()));
    }

    /// Ends it; a second end is none.
    pub fn end(&self) {
        let Some(measured) = &self.measured else { return };
        if let Some(mut record) = measured.lock().take() {
            // A clock that was put back in between makes it short, and not negative.
            record.ended = SystemTime::now().max(record.begun);
            measured.outbox.offer(*record);
        }
    }

    fn edit(&self, edit: impl FnOnce(&mut Record)) {
        let Some(measured) = &self.measured else { return };
        if let Some(record) = measured.lock().as_mut() {
            edit(record);
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.end();
    }
}

// === impl Record ===

impl Record {
    /// One that has just begun, without a parent, and of which nothing is said yet.
    pub(crate) fn begun(
        part: Part,
        name: Cow<'static, str>,
        context: TraceContext,
        now: SystemTime,
    ) -> Self {
        Self {
            part,
            name,
            context,
            parent: None,
            begun: now,
            ended: now,
            attributes: Vec::new(),
            attributes_lost: 0,
            events: Vec::new(),
            links: Vec::new(),
            links_lost: 0,
            failed: None,
        }
    }
}

// === impl Measured ===

impl Measured {
    fn lock(&self) -> MutexGuard<'_, Option<Box<Record>>> {
        self.record.lock().expect("nothing panics while it holds a span")
    }
}

// === impl Value ===

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned().into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}
