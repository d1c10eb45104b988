//! What the commonest request costs in memory: a heartbeat comes 100,000 times in a second.

use assay_wire::{
    Utf8Bytes,
    gateway::{Frame, Reply, Request},
};

const HEARTBEAT: &str =
    r#"{"type": "heartbeat", "id": "a2", "timestamp": "2026-11-23T09:04:45.264235"}"#;

#[test]
fn a_heartbeat_is_read_and_answered_with_few_allocations() {
    let mut answer = Utf8Bytes::default();
    // Once before, for what is made once for each thread.
    let talk = |answer: &mut Utf8Bytes| {
        let frame = Frame::<Request>::decode(HEARTBEAT).expect("it is one");
        *answer = Frame::answering(frame.envelope.id, Reply::Heartbeat).encode();
    };
    talk(&mut answer);
    let used = allocation_counter::measure(|| talk(&mut answer));
    // Read: id and time. Answer: id, time, text, and its count of owners.
    assert!(used.count_total <= 6, "{used:?}");
    assert!(answer.contains(r#""correlation_id":"a2""#), "{answer}");
}
