//! The keys of a declared tool, as the JSON Schema of `assay.toml` says them, which is made from
//! the types.
//!
//! Does not: know any key by name, but the one that it begins at.

use crate::repo::Repo;
use serde_json::{Map, Value};
use std::fmt::Write as _;

const SCHEMA: &str = "docs/schema/assay.schema.json";
const FIRST: &str = "ToolDeclaration";

/// A closed list of more words than this is written once, below the tables.
const WORDS_IN_A_CELL: usize = 7;

/// A walk over the types that a declaration is made of.
struct Walk<'a> {
    types: &'a Map<String, Value>,
    /// Types to tell, in the order in which they are reached, each with its key.
    found: Vec<(String, &'a str)>,
    /// Long lists of words that a table names.
    lists: Vec<&'a str>,
}

/// Writes a table for each type that a declaration is made of.
pub(super) fn keys(repo: &Repo) -> String {
    let schema = repo.file(SCHEMA).and_then(|file| serde_json::from_str::<Value>(&file.text).ok());
    let Some(Value::Object(types)) = schema.as_ref().map(|schema| &schema["$defs"]) else {
        return format!("`{SCHEMA}` cannot be read.\n");
    };
    let mut walk = Walk { types, found: vec![(String::new(), FIRST)], lists: Vec::new() };
    let mut text = String::new();
    let mut at = 0;
    while let Some((key, name)) = walk.found.get(at).cloned() {
        let place = if key.is_empty() { "[tool.NAME]".to_owned() } else { key.clone() };
        let head = format!("\n`{place}`: {}", said(&types[name]));
        text.extend([head.trim_end_matches(": "), "\n\n"]);
        text.push_str(&walk.table(&key, &types[name]));
        at += 1;
    }
    for name in &walk.lists {
        let words = words(&types[*name]).join("`, `");
        write!(text, "\n*{}*: `{words}`.\n", name.to_lowercase()).expect("text takes all");
    }
    text.trim_start().to_owned()
}

// === impl Walk ===

impl<'a> Walk<'a> {
    fn table(&mut self, at: &str, object: &'a Value) -> String {
        let needed = object["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        let keys = object["properties"].as_object().into_iter().flatten();
        let rows: Vec<Vec<String>> = keys
            .map(|(key, is)| {
                let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                let mut value = self.value(&path, is);
                if let Some(default) = default(is) {
                    write!(value, "; `{default}`").expect("text takes all");
                }
                let shown = if needed.iter().any(|name| name == key) {
                    format!("**`{key}`**")
                } else {
                    format!("`{key}`")
                };
                vec![shown, value, said(is)]
            })
            .collect();
        super::parts::table(&["key", "takes", "is"], rows.into_iter())
    }

    /// Says which values a key takes, and notes the types that are met on the way.
    fn value(&mut self, path: &str, is: &'a Value) -> String {
        if let Some(name) = is["$ref"].as_str().and_then(|to| to.rsplit('/').next()) {
            return self.named(path, name);
        }
        if let Some(choice) = is["anyOf"].as_array().and_then(|all| all.first()) {
            return self.value(path, choice);
        }
        let kind = is["type"].as_str().or_else(|| is["type"][0].as_str()).unwrap_or("any");
        match kind {
            "array" => format!("list of {}", many(self.value(path, &is["items"]))),
            "object" => format!("table of {}", many(self.value(path, &is["additionalProperties"]))),
            "string" => "text".to_owned(),
            "boolean" => "`true`, `false`".to_owned(),
            "integer" | "number" => "number".to_owned(),
            other => other.to_owned(),
        }
    }

    fn named(&mut self, path: &str, name: &'a str) -> String {
        let is = &self.types[name];
        if is["properties"].is_object() {
            if !self.found.iter().any(|(_, known)| *known == name) {
                self.found.push((path.to_owned(), name));
            }
            let (place, _) =
                self.found.iter().find(|(_, known)| *known == name).expect("just put in");
            return format!("table, see `{place}`");
        }
        let words = words(is);
        if words.is_empty() {
            let from = is["oneOf"].as_array().into_iter().flatten();
            let from: Vec<&str> =
                from.filter_map(|one| one["properties"]["from"]["const"].as_str()).collect();
            return format!("table whose `from` is `{}`", from.join("`, `"));
        }
        if words.len() <= WORDS_IN_A_CELL {
            return format!("`{}`", words.join("`, `"));
        }
        let key = self.types.keys().find(|key| *key == name).expect("it was just looked up");
        if !self.lists.contains(&key.as_str()) {
            self.lists.push(key);
        }
        format!("*{}*", name.to_lowercase())
    }
}

fn many(value: String) -> String {
    value.strip_prefix("table, ").map_or(value.clone(), |rest| format!("tables, {rest}"))
}

/// The words of a closed list; none for what is no list of words.
fn words(is: &Value) -> Vec<&str> {
    let plain = is["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let told = is["oneOf"].as_array().into_iter().flatten();
    let told = told.flat_map(|one| {
        let several = one["enum"].as_array().into_iter().flatten();
        one["const"].as_str().into_iter().chain(several.filter_map(Value::as_str))
    });
    plain.chain(told).collect()
}

fn said(is: &Value) -> String {
    is["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The default where it says something: not "nothing" or "no".
fn default(is: &Value) -> Option<String> {
    match &is["default"] {
        Value::String(word) if !word.is_empty() => Some(word.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) if !items.is_empty() => Some(is["default"].to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_one_table_and_long_lists_stand_below() {
        let schema = r##"{"$defs": {
            "ToolDeclaration": {"description": "All.", "required": ["b"], "properties": {
                "a": {"type": ["string", "null"], "default": "x", "description": "Two\nlines."},
                "b": {"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}]},
                "c": {"type": "array", "items": {"$ref": "#/$defs/Long"}},
                "c2": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
                "d": {"$ref": "#/$defs/Origin"}}},
            "Part": {"properties": {"again": {"$ref": "#/$defs/Part"}, "e": {"$ref": "#/$defs/Short"}}},
            "Short": {"oneOf": [{"const": "one"}, {"const": "two"}]},
            "Long": {"enum": ["1", "2", "3", "4", "5", "6", "7", "8"]},
            "Origin": {"oneOf": [{"properties": {"from": {"const": "here"}}}, {"properties": {"from": {"const": "there"}}}]}
        }}"##;
        let text = keys(&Repo::of(&[(SCHEMA, schema)]));
        let expected = "`[tool.NAME]`: All.\n\n| key | takes | is |\n|---|---|---|\n\
            | `a` | text; `x` | Two lines. |\n| **`b`** | table, see `b` |  |\n| `c` | list of *long* |  |\n\
            | `c2` | list of tables, see `b` |  |\n\
            | `d` | table whose `from` is `here`, `there` |  |\n\n`b`\n\n| key | takes | is |\n|---|---|---|\n\
            | `again` | table, see `b` |  |\n| `e` | `one`, `two` |  |\n\n\
            *long*: `1`, `2`, `3`, `4`, `5`, `6`, `7`, `8`.\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_missing_schema_is_said_and_not_passed_over() {
        assert!(keys(&Repo::of(&[])).contains("cannot be read"));
    }
}
