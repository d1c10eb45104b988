//! The request for an analysis: one type for both dialects.
//!
//! Keeps: what is read is written so that it reads the same; a value that cannot be meant is refused
//! with its field, what was found, and what is wanted.
//!
//! Does not: look whether the app exists, or which tools there are.

use crate::{
    encode::Object,
    fault::Unreadable,
    fields::{Fields, whole},
    loose,
    routes::AnalysisType,
};
use assay_model::{TaskId, TraceContext};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::time::Duration;

/// What somebody wants analysed, and how. All is optional, since a client of the first system may
/// leave out anything; what is needed is for the one who answers to say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct AnalysisRequest {
    /// The model that wrote the app, as it was given (`model_slug`, or `model`).
    #[serde(rename = "model_slug", skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The number of the app: a number, a text of digits, or `app3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "loose::number")]
    pub app_number: Option<u32>,
    /// What is looked for: a word of the table of types, or one that begins as they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis_type: Option<AnalysisType>,
    /// Where the source is. It must lie inside a configured root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_path: Option<String>,
    /// Names of tools, in lower case; none means the default set. Also read from `config.tools` and
    /// `options.tools`, and from one text with commas.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "loose::list")]
    pub tools: Vec<String>,
    /// Settings of tools, by the name of the tool (`config`, or `options`).
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// URLs of the running app. Also read from `target_url`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_urls: Vec<String>,
    /// Seconds that the analysis may take, with or without a fraction.
    #[serde(rename = "timeout", serialize_with = "seconds")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<f64>,
    /// 1 to 3; 3 is most urgent, and 1 is meant where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3))]
    pub priority: Option<u8>,
    /// Simulated users of a performance test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<u32>,
    /// Seconds that a performance test takes.
    #[serde(rename = "duration", serialize_with = "seconds")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<f64>,
    /// A name for the task that the client chose. Asking again with it joins the same work, or gets
    /// the end that this came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// Milliseconds that are left of the caller's own budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Whether the work goes on when the client has left.
    #[serde(skip_serializing_if = "is_false")]
    pub detach: bool,
    /// Whether an earlier result must not be used.
    #[serde(skip_serializing_if = "is_false")]
    pub refresh: bool,
    /// The trace that this is part of (W3C Trace Context).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What systems of tracing tell each other beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
}

/// The longest time that can be asked for: a week, in seconds.
pub const TIMEOUT_S_MAX: f64 = 604_800.0;

/// The largest number of an app.
pub const APP_NUMBER_MAX: u64 = u32::MAX as u64;

/// Writes whole seconds as whole numbers: an old service may count with them.
#[expect(clippy::ref_option, reason = "serde gives a reference")]
fn seconds<S: Serializer>(amount: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) if amount.fract() == 0.0 && *amount <= TIMEOUT_S_MAX =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "checked above")]
            to.serialize_i64(*amount as i64)
        }
        other => other.serialize(to),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(switch: &bool) -> bool {
    !switch
}

// === impl AnalysisRequest ===

impl AnalysisRequest {
    /// Returns how long the analysis may take, where the request says so.
    pub fn timeout(&self) -> Option<Duration> {
        let asked = self.timeout_s.map(Duration::from_secs_f64);
        let left = self.deadline_ms.map(Duration::from_millis);
        asked.into_iter().chain(left).min()
    }

    /// Whether `other` is about the same app: that of a model, or what lies at a path.
    pub fn is_of_same_app(&self, other: &Self) -> bool {
        if other.model.is_some() {
            let is_same = other.app_number.is_none() || other.app_number == self.app_number;
            return is_same && other.model == self.model;
        }
        other.source_path.is_some() && other.source_path == self.source_path
    }

    /// Reads the fields of a request, of either dialect.
    pub(crate) fn read(fields: &mut Fields) -> Result<Self, Unreadable> {
        let mut config = fields.object("config")?;
        let mut options = fields.object("options")?;
        let tools = tools(fields, &mut config, &mut options)?;
        for (name, value) in options {
            config.entry(name).or_insert(value);
        }
        let mut target_urls = fields.list("target_urls")?;
        if let Some(url) = fields.text("target_url")?
            && !target_urls.contains(&url)
        {
            target_urls.push(url);
        }
        let priority = fields.whole("priority", 1..=3)?;
        let users = fields.whole("users", 1..=1_000_000)?;
        let trace = trace(fields);
        Ok(Self {
            model: fields.text_of(&["model_slug", "model"])?,
            app_number: app_number(fields)?,
            analysis_type: fields.text("analysis_type")?.map(|word| AnalysisType::new(&word)),
            source_path: fields.text("source_path")?,
            tools,
            config,
            target_urls,
            timeout_s: fields.amount("timeout", TIMEOUT_S_MAX)?,
            priority: priority.and_then(|number| u8::try_from(number).ok()),
            users: users.and_then(|number| u32::try_from(number).ok()),
            duration_s: fields.amount("duration", TIMEOUT_S_MAX)?,
            task_id: task_id(fields)?,
            deadline_ms: fields.whole("deadline_ms", 0..=DEADLINE_MS_MAX)?,
            detach: fields.switch("detach")?.unwrap_or(false),
            refresh: fields.switch("refresh")?.unwrap_or(false),
            traceparent: trace.as_ref().map(TraceContext::traceparent),
            tracestate: trace.and_then(|trace| trace.state).map(|state| state.to_string()),
        })
    }

    /// Returns the trace that the request is part of, if it is.
    pub fn trace(&self) -> Option<TraceContext> {
        TraceContext::parse(self.traceparent.as_deref()?, self.tracestate.as_deref())
    }

    /// Makes the request a part of a trace.
    pub fn set_trace(&mut self, trace: &TraceContext) {
        self.traceparent = Some(trace.traceparent());
        self.tracestate = trace.state.as_deref().map(str::to_owned);
    }

    /// Writes the fields as `data` of the gateway, or at the top of a service's frame.
    pub(crate) fn write(&self, object: Object) -> Object {
        object.fields_of(self)
    }
}

/// A caller's budget cannot be longer than the longest timeout by much; above this it is a mistake.
const DEADLINE_MS_MAX: u64 = 2 * 604_800_000;

/// The first of the three places in which tools are named that names any.
fn tools(
    fields: &mut Fields,
    config: &mut Map<String, Value>,
    options: &mut Map<String, Value>,
) -> Result<Vec<String>, Unreadable> {
    let mut named = fields.list("tools")?;
    for (place, map) in [("config.", config), ("options.", options)] {
        let Some(value) = map.remove("tools") else { continue };
        let mut inner =
            Fields::of(Value::Object(Map::from_iter([("tools".to_owned(), value)])), place)?;
        let list = inner.list("tools")?;
        if named.is_empty() {
            named = list;
        }
    }
    let mut tools: Vec<String> = Vec::with_capacity(named.len());
    for tool in named {
        let tool = tool.to_lowercase();
        if !tools.contains(&tool) {
            tools.push(tool);
        }
    }
    Ok(tools)
}

fn app_number(fields: &mut Fields) -> Result<Option<u32>, Unreadable> {
    let Some(value) = fields.take("app_number") else { return Ok(None) };
    let digits = match &value {
        Value::String(text) => {
            let text = text.trim();
            whole(&Value::from(text.strip_prefix("app").unwrap_or(text)))
        }
        other => whole(other),
    };
    let number = digits.and_then(|number| u32::try_from(number).ok());
    let wanted = "a number such as 3, \"3\" or \"app3\"";
    number.map(Some).ok_or_else(|| fields.bad("app_number", &value, wanted))
}

/// Reads the name of a task.
pub(crate) fn task_id(fields: &mut Fields) -> Result<Option<TaskId>, Unreadable> {
    let Some(text) = fields.text("task_id")? else { return Ok(None) };
    let wanted = "up to 64 letters, digits, `-` and `_`";
    TaskId::new(&text).map(Some).map_err(|_| fields.bad("task_id", &Value::from(text), wanted))
}

/// Reads the trace that a request is part of. One that is malformed is none: no request is refused
/// for it.
fn trace(fields: &mut Fields) -> Option<TraceContext> {
    let (parent, state) = (fields.take("traceparent"), fields.take("tracestate"));
    TraceContext::parse(parent?.as_str()?, state.as_ref().and_then(Value::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<AnalysisRequest, String> {
        let mut fields = Fields::of(value, "").map_err(|bad| bad.message)?;
        AnalysisRequest::read(&mut fields).map_err(|bad| bad.message)
    }

    #[test]
    fn old_spellings_are_understood() {
        let request = read(json!({
            "model": "acme", "app_number": "app3", "options": {"tools": ["Vulture", "RUFF", "ruff"]},
            "config": {"ruff": {"select": "E"}}, "target_url": "http://a", "timeout": "2.5",
            "unknown": {"x": 1},
        }));
        let request = request.unwrap();
        assert_eq!((request.model.as_deref(), request.app_number), (Some("acme"), Some(3)));
        assert_eq!(request.tools, ["vulture", "ruff"]);
        assert_eq!(request.config.keys().collect::<Vec<_>>(), ["ruff"]);
        assert_eq!(request.target_urls, ["http://a"]);
        assert_eq!(request.timeout(), Some(Duration::from_millis(2500)));
    }

    #[track_caller]
    fn check(value: Value, expected: &str) {
        assert_eq!(read(value).unwrap_err(), expected);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_field() {
        let app = "wanted is a number such as 3, \"3\" or \"app3\"";
        check(json!({"app_number": "x"}), &format!("`app_number` is \"x\", {app}"));
        check(json!({"app_number": -1}), &format!("`app_number` is -1, {app}"));
        check(json!({"app_number": 1.5}), &format!("`app_number` is 1.5, {app}"));
        let priority = "`priority` is 9, wanted is a whole number from 1 to 3";
        check(json!({"priority": 9}), priority);
        let timeout = "wanted is a number above 0 and up to 604800";
        check(json!({"timeout": -1}), &format!("`timeout` is -1, {timeout}"));
        check(json!({"timeout": 1e300}), &format!("`timeout` is 1e+300, {timeout}"));
        check(json!({"timeout": "NaN"}), &format!("`timeout` is \"NaN\", {timeout}"));
        let list = "wanted is a list of texts, or one text with commas";
        check(json!({"tools": 5}), &format!("`tools` is 5, {list}"));
        check(json!({"config": {"tools": 5}}), &format!("`config.tools` is 5, {list}"));
        check(json!({"config": []}), "`config` is [], wanted is an object");
        check(
            json!({"task_id": "../x"}),
            "`task_id` is \"../x\", wanted is up to 64 letters, digits, `-` and `_`",
        );
    }

    #[test]
    fn a_trace_that_is_none_is_left_out() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(read(json!({"traceparent": good})).unwrap().traceparent.as_deref(), Some(good));
        let capital = good.replace("bf", "BF");
        for bad in [json!("x"), json!(good[1..]), json!(capital), json!(5), json!(null)] {
            let request = read(json!({"traceparent": &bad, "tracestate": "a=1"})).unwrap();
            assert_eq!((request.traceparent, request.tracestate), (None, None), "{bad}");
        }
        let mut request = read(json!({"traceparent": good, "tracestate": "a=1"})).unwrap();
        assert_eq!(request.tracestate.as_deref(), Some("a=1"));
        let trace = request.trace().unwrap();
        request.set_trace(&trace);
        assert_eq!(request.trace(), Some(trace));
    }

    #[test]
    fn the_nearest_of_two_deadlines_counts() {
        let request = read(json!({"timeout": 300, "deadline_ms": 1500})).unwrap();
        assert_eq!(request.timeout(), Some(Duration::from_millis(1500)));
    }
}
