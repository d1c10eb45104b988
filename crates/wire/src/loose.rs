//! Schemas of fields that are read in several spellings: a schema must not refuse what we take.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A number, or one as text.
pub(crate) fn number(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["integer", "string"], "minimum": 0 })
}

/// A list of texts, or one text with commas.
pub(crate) fn list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["array", "string"], "items": { "type": "string" } })
}

/// True or false, or a word.
pub(crate) fn switch(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["boolean", "string"] })
}
