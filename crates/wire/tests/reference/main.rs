//! The reference of the protocol: JSON Schemas and a page, made from the types.
//!
//! `UPDATE_DOCS=1 cargo test -p assay-wire --test reference` writes `docs/protocol/*.schema.json` and
//! `docs/protocol.md`; without it they are compared.

#![allow(clippy::unwrap_used, reason = "its helpers are tests too")]

mod messages; // every message, with an example
mod page; // the page for people
mod schemas; // the schemas for programs

use messages::Book;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Writes a file, or compares it.
fn keep(path: &Path, text: &str) {
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let held = fs::read_to_string(path).unwrap_or_default();
    assert!(held == text, "{}: run with UPDATE_DOCS=1 and read the diff", path.display());
}

#[test]
fn the_schemas_are_current() {
    for book in Book::ALL {
        let text = serde_json::to_string_pretty(&schemas::of(*book)).unwrap() + "\n";
        keep(&docs().join("protocol").join(format!("{}.schema.json", book.name())), &text);
    }
}

#[test]
fn the_page_is_current() {
    keep(&docs().join("protocol.md"), &page::write());
}

#[test]
fn every_example_fits_its_schema_and_every_message_has_one() {
    for book in Book::ALL {
        let schema = schemas::of(*book);
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mut seen = BTreeSet::new();
        for message in messages::of(*book) {
            let value: Value = serde_json::from_str(&message.example).unwrap();
            let errors: Vec<String> =
                validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", message.example);
            seen.insert(message.kind);
        }
        let defined = schema["$defs"].as_object().unwrap().keys();
        let kinds: BTreeSet<String> =
            defined.filter_map(|name| name.strip_prefix("message.")).map(str::to_owned).collect();
        assert_eq!(seen, kinds, "{}", book.name());
    }
}

#[test]
fn a_frame_that_is_none_fits_no_schema() {
    for book in Book::ALL {
        let validator = jsonschema::validator_for(&schemas::of(*book)).unwrap();
        for bad in [r"{}", r#"{"type":"sing"}"#, "[]", r#"{"type":"error","data":{"code":"x"}}"#] {
            assert!(!validator.is_valid(&serde_json::from_str(bad).unwrap()), "{bad}");
        }
    }
}

/// What the first system's clients were recorded to send.
#[test]
fn the_requests_of_old_clients_fit_the_schemas() {
    let gateway = jsonschema::validator_for(&schemas::of(Book::GatewayRequests)).unwrap();
    let service = jsonschema::validator_for(&schemas::of(Book::ServiceRequests)).unwrap();
    for (validator, text) in [
        (
            &gateway,
            r#"{"type":"connection_ack","id":"a1","timestamp":"2026-11-23T09:04:44.704808"}"#,
        ),
        (&gateway, r#"{"type":"heartbeat","id":"a2"}"#),
        (&gateway, r#"{"type":"status_request","id":"sub","data":{"subscribe":"events"}}"#),
        (
            &gateway,
            r#"{"type":"analysis_request","id":"job-2","data":{"model":"nosuch","app_number":7,
                "analysis_type":"security_python","options":{"tools":["vulture"]}}}"#,
        ),
        (&service, r#"{"type":"ping","timestamp":"2026-11-23T09:04:33.995695"}"#),
        (&service, r#"{"type":"server_status"}"#),
        (
            &service,
            r#"{"type":"performance_test","model_slug":"m","app_number":1,"users":5,"duration":5,
                "target_url":"http://127.0.0.1:6010","tools":["ab"],"id":"pf-1"}"#,
        ),
    ] {
        let value = serde_json::from_str(text).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
    }
}
