//! The settings of a server: keys and words from the JSON Schema of `assay.toml`, defaults from the file that is
//! shipped, variables from the list that is read.
//!
//! Does not: know any key by name, but the one that it begins at.

use crate::repo::Repo;
use serde_json::Value;
use std::collections::BTreeMap;
use toml::Table;

const SCHEMA: &str = "docs/schema/assay.schema.json";
const DEFAULTS: &str = "crates/config/src/default-config.toml";
const VARIABLES: &str = "crates/config/src/environment.rs";
const FIRST: &str = "serve";

/// Writes a row for each key of `[serve]`.
pub(super) fn settings(repo: &Repo) -> String {
    let text = |path: &str| repo.file(path).map(|file| file.text.as_str());
    let schema = text(SCHEMA).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let defaults = text(DEFAULTS).and_then(|text| text.parse::<Table>().ok());
    let (Some(schema), Some(defaults), Some(source)) = (schema, defaults, text(VARIABLES)) else {
        return format!("One of `{SCHEMA}`, `{DEFAULTS}`, `{VARIABLES}` cannot be read.\n");
    };
    let variables = variables(source);
    let mut rows = Vec::new();
    let is = &schema["properties"][FIRST];
    walk((&schema, FIRST, is), Some(&toml::Value::Table(defaults)), &variables, &mut rows);
    super::parts::table(&["key", "default", "variable", "is"], rows.into_iter())
}

/// A row for a key, or those of the table that it is.
fn walk(
    (schema, path, is): (&Value, &str, &Value),
    above: Option<&toml::Value>,
    variables: &BTreeMap<&str, Vec<&str>>,
    rows: &mut Vec<Vec<String>>,
) {
    let last = path.rsplit('.').next().unwrap_or(path);
    let default = above.and_then(|table| table.get(last));
    let target = is["$ref"].as_str().and_then(|to| to.rsplit('/').next());
    if let Some(inner) = target.and_then(|name| schema["$defs"][name]["properties"].as_object()) {
        for (key, is) in inner {
            walk((schema, &format!("{path}.{key}"), is), default, variables, rows);
        }
        return;
    }
    let variables = variables.get(path).map(|names| names.join("`, `"));
    let said = is["description"].as_str().unwrap_or_default().split_whitespace();
    rows.push(vec![
        format!("`{path}`"),
        default.map_or("–".to_owned(), |value| format!("`{value}`")),
        variables.map_or("–".to_owned(), |names| format!("`{names}`")),
        said.collect::<Vec<_>>().join(" "),
    ]);
}

/// The variables that set each key: lines such as `("ASSAY_PORT", "serve.port", Shape::Number),`.
fn variables(source: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut all = BTreeMap::<&str, Vec<&str>>::new();
    for line in source.lines().filter(|line| line.contains("Shape::")) {
        let mut words = line.trim().split('"');
        if let (Some("("), Some(name), Some(", "), Some(key)) =
            (words.next(), words.next(), words.next(), words.next())
        {
            all.entry(key).or_default().push(name);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_default_its_variables_and_its_words() {
        let schema = r##"{"properties": {"serve": {"$ref": "#/$defs/S"}}, "$defs": {
            "S": {"properties": {
                "port": {"type": "integer", "description": "Where\nit is."},
                "pool": {"anyOf": [], "$ref": "#/$defs/P"},
                "tokens": {"type": "array", "description": "Whom."}}},
            "P": {"properties": {"max": {"description": "How many."}}}}}"##;
        let variables = "    (\"ASSAY_PORT\", \"serve.port\", Shape::Number),\n\
                         \x20   (\"GATEWAY_PORT\", \"serve.port\", Shape::Number),\n";
        let defaults = "[serve]\nport = 1\n[serve.pool]\nmax = \"x\"\n";
        let files = [(SCHEMA, schema), (DEFAULTS, defaults), (VARIABLES, variables)];
        let expected = "| key | default | variable | is |\n|---|---|---|---|\n\
            | `serve.pool.max` | `\"x\"` | – | How many. |\n\
            | `serve.port` | `1` | `ASSAY_PORT`, `GATEWAY_PORT` | Where it is. |\n\
            | `serve.tokens` | – | – | Whom. |\n";
        assert_eq!(settings(&Repo::of(&files)), expected);
    }

    #[test]
    fn a_missing_file_is_said_and_not_passed_over() {
        assert!(settings(&Repo::of(&[])).contains("cannot be read"));
    }
}
