//! How a frame is written: one object, fields in the order in which the first system wrote them,
//! large payloads copied as they are.

use crate::payload::Payload;
use bytes::Bytes;
use serde::Serialize;
use tungstenite::Utf8Bytes;

/// An object that is being written.
#[derive(Debug)]
pub(crate) struct Object(Vec<u8>);

/// What most frames fit in, in bytes: one allocation instead of one for each doubling.
const SMALL: usize = 320;

// === impl Object ===

impl Object {
    /// Begins a frame.
    pub(crate) fn of_type(kind: &str) -> Self {
        let mut text = Vec::with_capacity(SMALL);
        text.push(b'{');
        Self(text).field("type", kind)
    }

    /// Begins an object within a frame.
    pub(crate) fn new() -> Self {
        Self(b"{".to_vec())
    }

    /// Adds a field. Its value must be of a type that can be JSON, as all of ours can.
    pub(crate) fn field<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        self.name(name);
        serde_json::to_writer(&mut self.0, value).expect("our frames have keys that are strings");
        self
    }

    /// Adds a field if there is a value.
    pub(crate) fn maybe<T: Serialize>(self, name: &str, value: Option<&T>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// Adds a field that is JSON already.
    pub(crate) fn payload(mut self, name: &str, payload: &Payload) -> Self {
        self.name(name);
        if payload.as_str().len() > SMALL {
            // A frame is as large as its payload and a little more: do not let it grow by doubling.
            self.0.reserve(payload.as_str().len() + SMALL);
        }
        self.0.extend_from_slice(payload.as_str().as_bytes());
        self
    }

    /// Adds all fields of a struct.
    pub(crate) fn fields_of<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        let begin = self.0.len();
        serde_json::to_writer(&mut self.0, value).expect("our frames have keys that are strings");
        debug_assert_eq!(self.0.get(begin), Some(&b'{'), "only a struct has fields");
        self.0.pop();
        match (begin, self.0.len() - begin) {
            (_, 1) => self.0.truncate(begin),     // it has none
            (1, _) => drop(self.0.remove(begin)), // they are the first
            _ => self.0[begin] = b',',
        }
        self
    }

    pub(crate) fn end(mut self) -> Utf8Bytes {
        self.0.push(b'}');
        Utf8Bytes::try_from(Bytes::from(self.0)).expect("JSON that serde wrote is UTF-8")
    }

    pub(crate) fn end_payload(self) -> Payload {
        Payload::written(self.end())
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Two {
        a: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        b: Option<u8>,
    }

    #[derive(Serialize)]
    struct Nothing {}

    #[test]
    fn fields_stand_in_the_order_in_which_they_were_added() {
        let payload = Payload::from_json("[ 1 ]").unwrap();
        let frame = Object::of_type("x")
            .field("one", &1)
            .maybe("two", None::<&u8>)
            .maybe("three", Some(&3))
            .payload("four", &payload)
            .fields_of(&Two { a: 5, b: None })
            .end();
        assert_eq!(frame.as_str(), r#"{"type":"x","one":1,"three":3,"four":[ 1 ],"a":5}"#);
        let inner = Object::new().fields_of(&Nothing {}).fields_of(&Two { a: 1, b: Some(2) });
        assert_eq!(inner.end().as_str(), r#"{"a":1,"b":2}"#);
        assert_eq!(Object::new().fields_of(&Nothing {}).end().as_str(), "{}");
    }
}
