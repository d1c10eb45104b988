//! TOML, YAML, JSON and INI, read into one kind of value.

use crate::problem::Problem;
use serde_json::{Map, Value};
use std::{fs, io::Read as _, path::Path};

/// A configuration that a person wrote is smaller; anything above is a mistake or an attack.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The endings of files that we read, in the order in which they are looked for.
pub(crate) const ENDINGS: [&str; 5] = ["toml", "yaml", "yml", "json", "ini"];

/// A file as read: its value, and its text for finding lines in it.
#[derive(Clone, Debug)]
pub(crate) struct ReadFile {
    pub(crate) value: Value,
    pub(crate) text: String,
    pub(crate) is_toml: bool,
}

/// Reads a file by its ending.
pub(crate) fn read(path: &Path) -> Result<ReadFile, Problem> {
    let place = path.display().to_string();
    let text = read_text(path).map_err(|error| {
        Problem::new(&place, format!("cannot be read: {error}"))
            .hint("check its name and that you may read it")
    })?;
    let ending = path.extension().and_then(|end| end.to_str()).unwrap_or("toml");
    let value = match ending {
        "json" => json(&text, &place)?,
        "yaml" | "yml" => yaml(&text, &place)?,
        "ini" => ini(&text, &place)?,
        _ => toml(&text, &place)?,
    };
    if !value.is_object() {
        return Err(Problem::new(place, "holds no table of settings at its top"));
    }
    Ok(ReadFile { value, text, is_toml: !matches!(ending, "json" | "yaml" | "yml" | "ini") })
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    // A byte order mark is not part of the first key.
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
}

fn toml(text: &str, place: &str) -> Result<Value, Problem> {
    let table = text.parse::<::toml::Table>().map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        Problem::new(format!("{place}:{line}"), format!("is not TOML: {}", error.message()))
    })?;
    Ok(from_toml(::toml::Value::Table(table)))
}

fn json(text: &str, place: &str) -> Result<Value, Problem> {
    serde_json::from_str(text).map_err(|error| {
        Problem::new(format!("{place}:{}", error.line()), format!("is not JSON: {error}"))
    })
}

fn yaml(text: &str, place: &str) -> Result<Value, Problem> {
    serde_saphyr::from_str(text)
        .map_err(|error| Problem::new(place, format!("is not YAML: {error}").trim_end()))
}

/// Sections are tables, `[a.b]` inside one another; values are read as booleans and numbers where
/// they look like them, since INI has no types.
fn ini(text: &str, place: &str) -> Result<Value, Problem> {
    let mut parser = configparser::ini::Ini::new_cs();
    let sections = parser
        .read(text.to_owned())
        .map_err(|error| Problem::new(place, format!("is not INI: {error}")))?;
    let mut top = Map::new();
    for (section, keys) in sections {
        let mut table = &mut top;
        if section != "default" {
            for part in section.split('.') {
                let inner = table.entry(part).or_insert_with(|| Value::Object(Map::new()));
                table = inner.as_object_mut().ok_or_else(|| {
                    Problem::new(place, format!("`{part}` is a value and a section"))
                })?;
            }
        }
        for (key, value) in keys {
            table.insert(key.clone(), of_ini(&key, value.as_deref().unwrap_or("true")));
        }
    }
    Ok(Value::Object(top))
}

fn of_ini(key: &str, text: &str) -> Value {
    // The one key that is a list, where INI has none.
    if key == "ignore-rules" {
        return text.split(',').map(|rule| Value::from(rule.trim())).collect();
    }
    match text {
        "true" => Value::from(true),
        "false" => Value::from(false),
        _ => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
    }
}

/// Dates become text: `until = 2027-01-31` and `until = "2027-01-31"` mean the same.
pub(crate) fn from_toml(value: ::toml::Value) -> Value {
    match value {
        ::toml::Value::String(text) => Value::from(text),
        ::toml::Value::Integer(number) => Value::from(number),
        ::toml::Value::Float(number) => Value::from(number),
        ::toml::Value::Boolean(yes) => Value::from(yes),
        ::toml::Value::Datetime(date) => Value::from(date.to_string()),
        ::toml::Value::Array(items) => items.into_iter().map(from_toml).collect(),
        ::toml::Value::Table(table) => {
            table.into_iter().map(|(key, value)| (key, from_toml(value))).collect()
        }
    }
}

/// Counts lines from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_formats_say_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let texts = [
            ("a.toml", "enabled = true\ntimeout = \"2m\"\n[options]\nwidth = 100\n"),
            ("a.yaml", "enabled: true\ntimeout: 2m\noptions:\n  width: 100\n"),
            ("a.json", r#"{"enabled": true, "timeout": "2m", "options": {"width": 100}}"#),
            ("a.ini", "enabled = true\ntimeout = 2m\n[options]\nwidth = 100\n"),
        ];
        let expected = serde_json::json!({
            "enabled": true, "timeout": "2m", "options": {"width": 100}
        });
        for (name, text) in texts {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            assert_eq!(read(&path).unwrap().value, expected, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("assay.toml");
        fs::write(&path, "a = 1\nb = = 2\n").unwrap();
        let problem = read(&path).unwrap_err();
        assert!(problem.place.ends_with("assay.toml:2"), "{problem}");
        assert!(problem.what.starts_with("is not TOML"), "{problem}");
    }

    /// The only reader of ours for a language in which a few lines can stand for billions.
    #[test]
    fn aliases_of_aliases_of_aliases_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("laughs.yaml");
        let list = |item: &str| format!("[{}]", [item; 10].join(", "));
        let lines = (1..10).map(|n| format!("a{n}: &a{n} {}\n", list(&format!("*a{}", n - 1))));
        let text = format!("a0: &a0 {}\n{}", list("lol"), lines.collect::<String>());
        fs::write(&path, text).unwrap();
        let problem = read(&path).unwrap_err();
        assert!(problem.what.starts_with("is not YAML"), "{problem}");
        fs::write(&path, "[".repeat(10_000) + &"]".repeat(10_000)).unwrap();
        assert!(read(&path).is_err());
    }

    #[test]
    fn a_list_at_the_top_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        fs::write(&path, "[1]").unwrap();
        assert!(read(&path).unwrap_err().what.contains("no table"));
    }
}
