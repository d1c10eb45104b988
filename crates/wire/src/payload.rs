//! JSON that is only passed on: a SARIF log of 100 MiB is neither parsed twice nor copied.

use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, ops::Range};
use tungstenite::Utf8Bytes;

/// One JSON value as text, shared with the message that it came in.
#[derive(Clone)]
pub struct Payload {
    frame: Utf8Bytes,
    range: Range<usize>,
}

// === impl Payload ===

impl Payload {
    /// Writes a value down.
    ///
    /// # Errors
    ///
    /// Where the value cannot be JSON: a map whose keys are no strings.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self::whole)
    }

    /// Takes a text that claims to be one JSON value.
    ///
    /// # Errors
    ///
    /// Where it is not.
    pub fn from_json(text: impl Into<Utf8Bytes>) -> Result<Self, serde_json::Error> {
        let text = text.into();
        serde_json::from_str::<&RawValue>(&text)?;
        Ok(Self::whole(text))
    }

    /// Takes what [`to_bytes`](Self::to_bytes) gave, and somebody has kept; `None` where it is not that
    /// any more.
    pub fn from_bytes(bytes: Bytes) -> Option<Self> {
        Self::from_json(Utf8Bytes::try_from(bytes).ok()?).ok()
    }

    /// The value `null`.
    pub fn null() -> Self {
        Self::constant("null")
    }

    /// A frame of ours: it is JSON, since it was written field by field.
    pub(crate) fn written(frame: Utf8Bytes) -> Self {
        Self::whole(frame)
    }

    /// Returns the text as a message: without a copy where it is one.
    pub fn to_text(&self) -> Utf8Bytes {
        if self.range == (0..self.frame.len()) {
            return self.frame.clone();
        }
        Utf8Bytes::try_from(self.to_bytes()).expect("a part between two characters is UTF-8")
    }

    /// A text of ours that is JSON.
    pub(crate) fn constant(text: &'static str) -> Self {
        Self::whole(Utf8Bytes::from_static(text))
    }

    pub fn as_str(&self) -> &str {
        &self.frame[self.range.clone()]
    }

    /// Parses the value. It may be large: not in a task that others wait for.
    ///
    /// # Errors
    ///
    /// Where it is not a `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }

    /// Returns the text as bytes that share its memory.
    pub fn to_bytes(&self) -> Bytes {
        let whole: &Bytes = self.frame.as_ref();
        whole.slice(self.range.clone())
    }

    /// A part of a message that serde found to be one value.
    pub(crate) fn part(frame: &Utf8Bytes, value: &RawValue) -> Self {
        let begin = value.get().as_ptr() as usize - frame.as_str().as_ptr() as usize;
        Self { frame: frame.clone(), range: begin..begin + value.get().len() }
    }

    fn whole(text: impl Into<Utf8Bytes>) -> Self {
        let frame = text.into();
        let range = 0..frame.len();
        Self { frame, range }
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.as_str();
        let start: String = text.chars().take(200).collect();
        let rest = if start.len() < text.len() { "…" } else { "" };
        write!(f, "{start}{rest}")
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue =
            serde_json::from_str(self.as_str()).map_err(serde::ser::Error::custom)?;
        raw.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        Ok(Self::whole(String::from(Box::<str>::from(raw))))
    }
}

impl JsonSchema for Payload {
    fn schema_name() -> Cow<'static, str> {
        "AnyJson".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Any JSON value." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_shares_the_memory_of_its_message() {
        let frame = Utf8Bytes::from_static(r#"{"a": {"é": [1, 2]}, "b": 3}"#);
        let parts: std::collections::BTreeMap<&str, &RawValue> =
            serde_json::from_str(&frame).unwrap();
        let part = Payload::part(&frame, parts["a"]);
        assert_eq!(part.as_str(), r#"{"é": [1, 2]}"#);
        assert_eq!(part.as_str().as_ptr(), parts["a"].get().as_ptr());
        assert_eq!(part.to_bytes(), part.as_str().as_bytes());
    }

    #[test]
    fn what_is_no_json_is_no_payload() {
        assert!(Payload::from_json("{").is_err());
        assert!(Payload::from_json("1 2").is_err());
        assert_eq!(Payload::from_json("[1]").unwrap(), Payload::of(&[1]).unwrap());
    }
}
