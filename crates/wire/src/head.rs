//! The fields that any request may have, read in one pass and with nothing parsed that is not
//! needed: a heartbeat costs no more than its `id`.
//!
//! Keeps: of a field that stands twice the last counts, as in Python; what is not JSON is told from
//! what is JSON and no request.

use crate::fault::{ErrorCode, Unreadable};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// Bytes that an id may have: every reply repeats it.
pub(crate) const ID_MAX: usize = 256;

/// What stands at the top of a frame.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) kind: Cow<'a, str>,
    pub(crate) id: Option<String>,
    pub(crate) timestamp: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) correlation_id: Option<String>,
    pub(crate) service: Option<Cow<'a, str>>,
    pub(crate) task_id: Option<Cow<'a, str>>,
    pub(crate) data: Option<&'a RawValue>,
}

/// The fields as they came, each one JSON value.
#[derive(Default)]
struct Raw<'a> {
    kind: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    timestamp: Option<&'a RawValue>,
    client_id: Option<&'a RawValue>,
    correlation_id: Option<&'a RawValue>,
    service: Option<&'a RawValue>,
    task_id: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
}

// === impl Head ===

impl<'a> Head<'a> {
    /// Reads the head of a frame.
    pub(crate) fn of(text: &'a str) -> Result<Self, Unreadable> {
        let trimmed = text.trim_start_matches([' ', '\t', '\n', '\r']);
        if !trimmed.starts_with('{') {
            return Err(no_object(trimmed));
        }
        let raw: Raw<'a> = serde_json::from_str(text).map_err(|_| no_json())?;
        let id = name(raw.id, "id")?;
        match Self::of_raw(&raw) {
            Ok(head) => Ok(Self { id, ..head }),
            Err(unreadable) => Err(unreadable.of_request(id.as_ref())),
        }
    }

    /// All but the `id`.
    fn of_raw(raw: &Raw<'a>) -> Result<Self, Unreadable> {
        let kind = match raw.kind {
            Some(kind) => text_of(kind).ok_or_else(|| unknown_type(kind.get()))?,
            None => return Err(unknown_type("none given")),
        };
        Ok(Self {
            kind,
            id: None,
            timestamp: name(raw.timestamp, "timestamp")?,
            client_id: name(raw.client_id, "client_id")?,
            correlation_id: name(raw.correlation_id, "correlation_id")?,
            service: raw.service.and_then(text_of),
            task_id: raw.task_id.and_then(scalar),
            data: raw.data.filter(|data| data.get() != "null"),
        })
    }
}

/// What is said of a `type` that nobody knows.
pub(crate) fn unknown_type(kind: &str) -> Unreadable {
    let shown: String = kind.chars().take(100).collect();
    Unreadable::new(ErrorCode::UnknownType, format!("Unknown message type: {shown}"))
}

fn no_json() -> Unreadable {
    Unreadable::new(ErrorCode::InvalidJson, "Invalid JSON format")
}

/// Tells JSON that is no object from what is no JSON.
fn no_object(text: &str) -> Unreadable {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return no_json();
    }
    let what = match text.as_bytes().first() {
        Some(b'[') => "a list",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    };
    let message = format!("Unknown message type: {what} instead of an object");
    Unreadable::new(ErrorCode::InvalidMessage, message)
}

/// The text of a string, borrowed where it has no escapes.
fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(text).ok().map(Cow::Owned)
}

/// The text of a string or a number.
fn scalar(raw: &RawValue) -> Option<Cow<'_, str>> {
    let is_number = raw.get().starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if is_number { Some(Cow::Borrowed(raw.get())) } else { text_of(raw) }
}

fn name(raw: Option<&RawValue>, field: &'static str) -> Result<Option<String>, Unreadable> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(None) };
    match scalar(raw) {
        Some(text) if text.len() <= ID_MAX => Ok(Some(text.into_owned())),
        Some(_) => Err(bad_name(field, format!("longer than {ID_MAX} bytes"))),
        None => Err(bad_name(field, "no string".to_owned())),
    }
}

fn bad_name(field: &'static str, found: String) -> Unreadable {
    let message = format!("`{field}` is {found}, wanted is a short string");
    Unreadable::new(ErrorCode::InvalidMessage, message)
}

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw<'de>, A::Error> {
        let mut raw = Raw::default();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let place = match &*key.0 {
                "type" => &mut raw.kind,
                "id" => &mut raw.id,
                "timestamp" => &mut raw.timestamp,
                "client_id" => &mut raw.client_id,
                "correlation_id" => &mut raw.correlation_id,
                "service" => &mut raw.service,
                "task_id" => &mut raw.task_id,
                "data" => &mut raw.data,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *place = Some(map.next_value()?);
        }
        Ok(raw)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_whatever_else_is_there() {
        let text = r#"{"x": [1, {"type": 3}], "type": "a", "id": 7, "id": "é\n", "type":"b",
            "data": {"k": 1}, "service": null, "task_id": "t"}"#;
        let head = Head::of(text).unwrap();
        assert_eq!((&*head.kind, head.id.as_deref()), ("b", Some("é\n")));
        assert_eq!(head.data.map(RawValue::get), Some(r#"{"k": 1}"#));
        assert_eq!((head.service, head.task_id.as_deref()), (None, Some("t")));
    }

    #[test]
    fn what_is_no_json_is_told_from_what_is_no_request() {
        for bad in ["", "invalid json {]", "{", r#"{"type":"ping"} x"#, "[1,", "{'type':1}"] {
            assert_eq!(Head::of(bad).unwrap_err().code, ErrorCode::InvalidJson, "{bad}");
        }
        for bad in ["[1]", "\"ping\"", "3", "null", "true"] {
            let unreadable = Head::of(bad).unwrap_err();
            assert_eq!(unreadable.code, ErrorCode::InvalidMessage, "{bad}");
            assert!(unreadable.message.starts_with("Unknown message type: "), "{bad}");
        }
        for bad in ["{}", r#"{"type":3,"id":"a"}"#, r#"{"type":null}"#] {
            assert_eq!(Head::of(bad).unwrap_err().code, ErrorCode::UnknownType, "{bad}");
        }
        assert_eq!(Head::of(r#"{"id":"a"}"#).unwrap_err().id.as_deref(), Some("a"));
    }

    #[test]
    fn an_id_that_every_reply_would_repeat_is_short() {
        let long = format!(r#"{{"type":"ping","id":"{}"}}"#, "x".repeat(ID_MAX + 1));
        assert_eq!(Head::of(&long).unwrap_err().code, ErrorCode::InvalidMessage);
        assert_eq!(
            Head::of(r#"{"type":"p","id":{}}"#).unwrap_err().message,
            "`id` is no string, wanted is a short string"
        );
    }
}
