//! Frames that stand for themselves.

use crate::refusal;
use assay_wire::{
    Fault, Utf8Bytes, WireError, Writer,
    gateway::{Frame, Reply},
};

/// Says why a request is not answered otherwise.
pub(super) fn error(id: Option<String>, mut fault: Fault) -> Utf8Bytes {
    fault.correlation_id.clone_from(&id);
    let mut frame = Frame::new(Reply::Error(Box::new(fault)));
    frame.envelope.correlation_id = id;
    frame.encode()
}

/// A past event is told as a `status_update`, as the first system did.
pub(super) fn as_status_update(frame: &Utf8Bytes) -> Utf8Bytes {
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(frame) else {
        return frame.clone();
    };
    value["type"] = "status_update".into();
    Utf8Bytes::from(value.to_string())
}

/// A frame that may not be: the client is told, and the connection ends.
pub(super) async fn refuse_frame(error_of: &WireError, writer: &mut Writer) {
    if let Some(fault) = refusal::of_wire(error_of) {
        writer.feed(error(None, fault)).await.ok();
        writer.flush().await.ok();
    }
    if let Some(code) = error_of.close_code() {
        writer.close(code, &error_of.to_string()).await.ok();
    }
}
