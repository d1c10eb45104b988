//! Unknown keys, and the nearest known one.
//!
//! The keys that are known come from the JSON Schema that is generated from the types, so there is
//! no second list to forget.

use crate::{
    files::{ReadFile, line_of},
    problem::Problem,
};
use serde_json::{Map, Value};

/// Two words are near if this much of them agrees (Jaro-Winkler): `fail_on` and `fail-on` are.
const NEAR: f64 = 0.75;

/// Finds every key of `file` that the schema does not have.
pub(crate) fn unknown_keys(file: &ReadFile, place: &str, schema: &Value) -> Vec<Problem> {
    let mut walk = Walk { file, place, schema, path: Vec::new(), problems: Vec::new() };
    walk.table(&file.value, schema);
    walk.problems
}

/// Returns the nearest of `known`, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(score, _)| *score >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

struct Walk<'a> {
    file: &'a ReadFile,
    place: &'a str,
    schema: &'a Value,
    path: Vec<String>,
    problems: Vec<Problem>,
}

// === impl Walk ===

impl Walk<'_> {
    fn table(&mut self, value: &Value, schema: &Value) {
        let schema = self.resolve(schema).clone();
        if let Some(items) = value.as_array() {
            let item_schema = schema.get("items").cloned().unwrap_or_default();
            for item in items {
                self.table(item, &item_schema);
            }
        }
        let Some(table) = value.as_object() else { return };
        let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        let known = properties(&schema);
        for (key, inner) in table {
            let inner_schema = known
                .get(key)
                .or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()));
            self.path.push(key.clone());
            match inner_schema {
                Some(inner_schema) => self.table(inner, &inner_schema.clone()),
                None if closed => self.unknown(key, &known),
                None => {}
            }
            self.path.pop();
        }
    }

    fn unknown(&mut self, key: &str, known: &Map<String, Value>) {
        let line = self.line(key).map(|line| format!(":{line}")).unwrap_or_default();
        let what = format!("there is no setting `{}`", self.path.join("."));
        let problem = Problem::new(format!("{}{line}", self.place), what);
        let hint = nearest(key, known.keys().map(String::as_str)).map_or_else(
            || {
                let keys: Vec<&str> = known.keys().map(String::as_str).collect();
                format!("known here: {}", keys.join(", "))
            },
            |near| format!("did you mean `{near}`?"),
        );
        self.problems.push(problem.hint(hint));
    }

    /// Finds the line on which the key is written.
    fn line(&self, key: &str) -> Option<usize> {
        let text = &self.file.text;
        text.match_indices(key).map(|(at, _)| at).find_map(|at| {
            let line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
            let before = text[line_start..at].trim_start().trim_matches(['"', '[', '-', ' ']);
            let after = text[at + key.len()..].trim_start_matches('"').trim_start();
            let is_key = after.starts_with(['=', ':', ']', '.']);
            let is_last_of_path =
                before.is_empty() || before.ends_with('.') || before.ends_with('{');
            (is_key && is_last_of_path).then(|| line_of(text, at))
        })
    }

    /// Follows `$ref`, and takes the table out of "table or nothing".
    fn resolve<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let mut schema = schema;
        loop {
            if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
                let Some(target) = self.schema.pointer(pointer.trim_start_matches('#')) else {
                    return schema;
                };
                schema = target;
            } else if let Some(some) =
                schema.get("anyOf").and_then(Value::as_array).and_then(|any| {
                    any.iter().find(|one| one.get("type") != Some(&Value::from("null")))
                })
            {
                schema = some;
            } else {
                return schema;
            }
        }
    }
}

/// The keys of a table; for a choice between tables, those of all of them.
fn properties(schema: &Value) -> Map<String, Value> {
    let mut all = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    for one in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        all.extend(properties(one));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let value = crate::files::from_toml(toml::Value::Table(text.parse().unwrap()));
        let file = ReadFile { value, text: text.to_owned(), is_toml: true };
        let problems = unknown_keys(&file, "assay.toml", &crate::schema());
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_shipped_file_has_no_unknown_key() {
        assert_eq!(told(crate::DEFAULTS), [""; 0]);
    }

    #[test]
    fn an_unknown_key_is_told_with_its_line_and_the_nearest_known_one() {
        let text = "profile = \"quick\"\nfail_on = \"high\"\n[settings.ruff]\ntimout = \"1m\"\n";
        let expected = [
            "assay.toml:2: there is no setting `fail_on`\n  hint: did you mean `fail-on`?",
            "assay.toml:4: there is no setting `settings.ruff.timout`\n  hint: did you mean `timeout`?",
        ];
        assert_eq!(told(text), expected);
    }

    #[test]
    fn keys_inside_lists_and_own_tools_are_checked_too() {
        let text = "[[ignore]]\nrule = \"x\"\nreasn = \"y\"\n[tool.x.run]\nprogam = \"x\"\n";
        let told = told(text);
        assert!(told[0].contains("assay.toml:3: there is no setting `ignore.reasn`"), "{told:?}");
        assert!(
            told[1].contains("assay.toml:5: there is no setting `tool.x.run.progam`"),
            "{told:?}"
        );
    }

    #[test]
    fn a_word_like_no_other_gets_the_list() {
        assert!(told("zzz = 1\n")[0].contains("known here: allow-incomplete"));
    }
}
