//! Any text as a frame of either dialect and direction: no panic; what can be read can be written and
//! reads the same again; what cannot is answered in words.
#![no_main]

use assay_wire::{
    Analyzer, Utf8Bytes,
    gateway::{Frame, Reply, Request},
    service,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let frame = Utf8Bytes::from(text.to_owned());
    match Frame::<Request>::decode(text) {
        Ok(read) => {
            if !matches!(read.body, Request::Other { .. }) {
                let again = Frame::<Request>::decode(&read.encode());
                assert_eq!(again.map(|frame| frame.body), Ok(read.body));
            }
        }
        Err(unreadable) => assert!(!unreadable.message.is_empty()),
    }
    for analyzer in Analyzer::ALL {
        if let Ok(read) = service::Frame::decode(text, *analyzer) {
            let again = service::Frame::decode(&read.encode(*analyzer), *analyzer);
            assert_eq!(again.map(|frame| frame.body), Ok(read.body));
        }
    }
    if let Ok(read) = service::Reply::decode(&frame) {
        // The first writing fills in the time of a result that has none.
        let read = service::Reply::decode(&read.encode()).expect("it was read once");
        assert_eq!(service::Reply::decode(&read.encode()), Ok(read));
    }
    if let Ok(read) = Frame::<Reply>::decode(&frame) {
        let again = Frame::<Reply>::decode(&read.encode());
        assert_eq!(again.map(|frame| frame.body), Ok(read.body));
    }
});
