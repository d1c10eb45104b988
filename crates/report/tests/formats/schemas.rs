//! The official SARIF schema, and our own of `report.json` and `batch.json`.

use crate::sample::report;
use assay_report::{
    SarifLimits, batch_schema, report_schema, write_batch_json, write_sarif, write_tool_sarif,
};
use serde_json::Value;

const SARIF_SCHEMA: &str = include_str!("../data/sarif-2.1.0.schema.json");
const REPORT_SCHEMA: &str = "../../docs/schema/report.schema.json";
const BATCH_SCHEMA: &str = "../../docs/schema/batch.schema.json";

#[track_caller]
pub(crate) fn check_sarif(text: &[u8]) -> Value {
    let schema: Value = serde_json::from_str(SARIF_SCHEMA).unwrap();
    check(&schema, serde_json::from_slice(text).unwrap())
}

#[track_caller]
fn check(schema: &Value, value: Value) -> Value {
    let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path))
        .take(5)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    value
}

#[test]
fn sarif_is_what_the_official_schema_says() {
    let report = report();
    let mut out = Vec::new();
    write_sarif(&report, SarifLimits::default(), &mut out).unwrap();
    let value = check_sarif(&out);
    assert_eq!(value["runs"].as_array().unwrap().len(), report.tools.len());
    for run in &report.tools {
        let mut out = Vec::new();
        write_tool_sarif(&report, &run.tool, SarifLimits::default(), &mut out).unwrap();
        check_sarif(&out);
    }
}

#[test]
fn the_official_schema_refuses_what_is_wrong() {
    let schema: Value = serde_json::from_str(SARIF_SCHEMA).unwrap();
    let wrong = serde_json::json!({"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]});
    assert!(!jsonschema::is_valid(&schema, &wrong));
}

#[test]
fn a_report_is_what_our_schema_says() {
    let value = serde_json::to_value(report()).unwrap();
    check(&report_schema(), value.clone());
    let read: assay_model::Report = serde_json::from_value(value).unwrap();
    assert_eq!(read, report());
}

/// Run with `UPDATE_SCHEMA=1` to write them anew, and read the diff.
#[test]
fn the_schemas_that_are_checked_in_are_current() {
    for (path, schema) in [(REPORT_SCHEMA, report_schema()), (BATCH_SCHEMA, batch_schema())] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let current = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &current).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == current,
            "`UPDATE_SCHEMA=1 cargo test -p assay-report schema` writes it"
        );
    }
}

#[test]
fn a_batch_is_what_our_schema_says() {
    let batch = crate::batch::batch();
    let mut out = Vec::new();
    write_batch_json(&batch, &mut out).unwrap();
    let value = check(&batch_schema(), serde_json::from_slice(&out).unwrap());
    assert_eq!(serde_json::from_value::<assay_model::BatchReport>(value).unwrap(), batch);
}
