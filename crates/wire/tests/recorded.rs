//! What the first system really sent and answered: recorded frames, long texts and lists cut.

use assay_wire::{
    AnalysisStatus, Analyzer, ErrorCode, Utf8Bytes,
    gateway::{Frame, Reply, Request},
    service,
};
use serde_json::Value;
use std::{fs, path::Path};

/// One recorded frame, and the conversation that it is from.
struct Recorded {
    file: String,
    is_sent: bool,
    text: Utf8Bytes,
}

fn recorded() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old-frames");
    let mut frames = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let file = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("it is text");
        let all: Vec<Value> = serde_json::from_str(&text).expect("it is a list");
        for frame in all.iter().filter(|frame| frame.is_object()) {
            let text = match &frame["raw"] {
                Value::String(raw) => raw.clone(),
                _ => frame["json"].to_string(),
            };
            let is_sent = frame["dir"] == "send";
            frames.push(Recorded { file: file.clone(), is_sent, text: text.into() });
        }
    }
    assert!(frames.len() > 40, "{} frames", frames.len());
    frames
}

fn analyzer(file: &str) -> Option<Analyzer> {
    match file.split('_').next() {
        Some("static") => Some(Analyzer::Static),
        Some("dynamic") => Some(Analyzer::Dynamic),
        Some("perf") => Some(Analyzer::Performance),
        Some("ai") => Some(Analyzer::Ai),
        _ => None,
    }
}

#[test]
fn every_request_of_an_old_client_is_read() {
    for Recorded { file, text, .. } in recorded().into_iter().filter(|frame| frame.is_sent) {
        let read = match analyzer(&file) {
            Some(analyzer) => service::Frame::decode(&text, analyzer).map(drop),
            None => Frame::<Request>::decode(&text).map(drop),
        };
        let expected = match file.as_str() {
            name if name.ends_with("unknown_type") => Some(ErrorCode::UnknownType),
            name if name.ends_with("invalid_json") => Some(ErrorCode::InvalidJson),
            _ => None,
        };
        assert_eq!(read.err().map(|why| why.code), expected, "{file}: {text}");
    }
}

#[test]
fn every_answer_of_an_old_server_is_read() {
    let mut results = 0;
    for Recorded { file, text, .. } in recorded().into_iter().filter(|frame| !frame.is_sent) {
        if analyzer(&file).is_none() {
            let read = Frame::<Reply>::decode(&text);
            assert!(read.is_ok(), "{file}: {read:?}: {text}");
            continue;
        }
        match service::Reply::decode(&text) {
            Ok(service::Reply::Analysis(reply)) => {
                results += 1;
                assert_eq!(Some(reply.analyzer), analyzer(&file), "{file}");
                let partial = file == "ai_ai_analyze_no_key";
                let status =
                    if partial { AnalysisStatus::Partial } else { AnalysisStatus::Success };
                assert_eq!(reply.status, status, "{file}");
                let analysis: Value = reply.analysis.parse().expect("it is JSON");
                assert!(analysis.is_object(), "{file}");
            }
            Ok(_) => {}
            Err(why) => panic!("{file}: {why}: {text}"),
        }
    }
    assert!(results >= 6, "{results} results");
}

/// Which of the fields of the recorded frame ours lacks.
fn missing(recorded: &Value, ours: &Value, place: &str) -> Vec<String> {
    let Value::Object(fields) = recorded else { return Vec::new() };
    let mut lost = Vec::new();
    for (name, value) in fields {
        let place = format!("{place}.{name}");
        match ours.get(name) {
            None => lost.push(place),
            Some(own) => lost.extend(missing(value, own, &place)),
        }
    }
    lost
}

#[test]
fn what_we_write_has_every_field_of_the_recorded_answer() {
    for Recorded { file, text, .. } in recorded().into_iter().filter(|frame| !frame.is_sent) {
        let ours = match analyzer(&file) {
            // What a `server_status` holds beside health is each service's own.
            Some(_) if file.ends_with("server_status") => continue,
            Some(_) if file == "perf_unknown_type" => continue, // says `error` for `message`
            Some(_) => service::Reply::decode(&text).expect("read above").encode(),
            None => Frame::<Reply>::decode(&text).expect("read above").encode(),
        };
        let parse = |text: &str| serde_json::from_str::<Value>(text).expect("it is JSON");
        let lost = missing(&parse(&text), &parse(&ours), "");
        assert!(lost.is_empty(), "{file}: {lost:?} are not in {ours}");
    }
}
