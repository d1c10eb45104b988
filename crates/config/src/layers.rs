//! Merging, and where each value came from.

use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt, path::PathBuf};

/// Where a value came from, weakest first: the order is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    BuiltIn,
    UserFile(PathBuf),
    /// A file under `configs/`.
    ToolFile(PathBuf),
    ProjectFile(PathBuf),
    /// The file that `--config` names.
    NamedFile(PathBuf),
    Environment(String),
    Flag(String),
}

/// Where each value came from, by its dotted key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, Origin>);

/// Values of all layers so far.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    pub(crate) value: Map<String, Value>,
    pub(crate) origins: Origins,
}

/// The list that grows from layer to layer; every other list is replaced.
const GROWING: &str = "ignore";

// === impl Layers ===

impl Layers {
    /// Lays a table over what is there: tables are merged, everything else is replaced.
    pub(crate) fn lay(&mut self, over: &Value, origin: &Origin) {
        let Some(over) = over.as_object() else { return };
        merge(&mut self.value, over, &mut |key, _| {
            self.origins.0.retain(|known, _| !is_under(known, key));
            self.origins.0.insert(key.to_owned(), origin.clone());
        });
    }

    /// Lays a single value over what is there.
    pub(crate) fn lay_at(&mut self, key: &[&str], value: Value, origin: &Origin) {
        self.lay(&nested(key, value), origin);
    }
}

/// Wraps a value in tables, so that it stands under the key.
pub(crate) fn nested(key: &[&str], value: Value) -> Value {
    let wrap = |inner, part: &&str| Value::Object(Map::from_iter([((*part).to_owned(), inner)]));
    key.iter().rev().fold(value, wrap)
}

fn merge(
    base: &mut Map<String, Value>,
    over: &Map<String, Value>,
    told: &mut dyn FnMut(&str, &Value),
) {
    merge_at(base, over, String::new(), told);
}

fn merge_at(
    base: &mut Map<String, Value>,
    over: &Map<String, Value>,
    prefix: String,
    told: &mut dyn FnMut(&str, &Value),
) {
    for (key, value) in over {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match (base.get_mut(key), value) {
            (Some(Value::Object(inner)), Value::Object(over)) => merge_at(inner, over, path, told),
            (None, Value::Object(over)) => {
                let mut inner = Map::new();
                merge_at(&mut inner, over, path, told);
                base.insert(key.clone(), Value::Object(inner));
            }
            (Some(Value::Array(items)), Value::Array(more)) if path == GROWING => {
                items.extend(more.iter().cloned());
                told(&path, value);
            }
            _ => {
                told(&path, value);
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

fn is_under(known: &str, key: &str) -> bool {
    known.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

// === impl Origins ===

impl Origins {
    /// Returns where the value of a dotted key came from.
    pub fn of(&self, key: &str) -> Option<&Origin> {
        self.0.get(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.0.iter().map(|(key, origin)| (key.as_str(), origin))
    }
}

// === impl Origin ===

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::UserFile(path)
            | Self::ProjectFile(path)
            | Self::ToolFile(path)
            | Self::NamedFile(path) => {
                write!(f, "{}", path.display())
            }
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_merge_deeply_and_the_stronger_layer_is_named() {
        let mut layers = Layers::default();
        layers.lay(&json!({"a": {"b": 1, "c": 2}, "l": [1]}), &Origin::BuiltIn);
        layers.lay(&json!({"a": {"c": 3}, "l": [2]}), &Origin::Flag("--set".into()));
        assert_eq!(Value::Object(layers.value), json!({"a": {"b": 1, "c": 3}, "l": [2]}));
        assert_eq!(layers.origins.of("a.b"), Some(&Origin::BuiltIn));
        assert_eq!(layers.origins.of("a.c"), Some(&Origin::Flag("--set".into())));
    }

    #[test]
    fn ignore_entries_of_all_layers_hold() {
        let mut layers = Layers::default();
        layers.lay(&json!({"ignore": [1]}), &Origin::BuiltIn);
        layers.lay(&json!({"ignore": [2]}), &Origin::Flag("x".into()));
        assert_eq!(Value::Object(layers.value), json!({"ignore": [1, 2]}));
    }

    #[test]
    fn a_value_that_replaces_a_table_leaves_no_stale_origin() {
        let mut layers = Layers::default();
        layers.lay(&json!({"a": {"b": 1}}), &Origin::BuiltIn);
        layers.lay(&json!({"a": 2}), &Origin::Flag("x".into()));
        assert_eq!(layers.origins.of("a.b"), None);
    }
}
