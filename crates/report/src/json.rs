//! Our own shape, `report.json`, and its schema.

use assay_model::Report;
use serde_json::Value;
use std::io::{self, Write};

/// Writes the report as indented JSON.
pub fn write_json(report: &Report, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}

/// Returns the JSON Schema of `report.json`, which lies in `docs/schema/report.schema.json`.
pub fn report_schema() -> Value {
    schemars::schema_for!(Report).to_value()
}
