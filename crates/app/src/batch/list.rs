//! The file of a batch: `[["model", 1], …]`.
//!
//! Keeps: every entry that is wrong is told, by its number and with what was found there.

use crate::failure::Failure;
use serde_json::Value;
use std::{fs::File, io::Read as _, path::Path};

/// Bytes of a list. A hundred thousand apps take a few MiB.
const LIST_BYTES_MAX: u64 = 64 << 20;

/// One app, as named in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Counted from 1, as people do.
    pub(crate) number: usize,
    pub(crate) model: String,
    /// `1` or `app1`.
    pub(crate) app: String,
}

/// What a file holds: entries, and those that are none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) entries: Vec<Entry>,
    pub(crate) problems: Vec<String>,
}

/// Reads a file, or standard input where it is called `-`.
pub(crate) fn read(path: &Path) -> Result<List, Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage(format!("`{}` cannot be read", path.display()))
            .because(error)
            .hint("name a JSON file like [[\"openai/gpt-4\", 1]], or use --apps or --models")
    };
    let mut text = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LIST_BYTES_MAX + 1).read_to_end(&mut text)
    } else {
        let file = File::open(path).map_err(failed)?;
        file.take(LIST_BYTES_MAX + 1).read_to_end(&mut text)
    };
    read.map_err(failed)?;
    if text.len() as u64 > LIST_BYTES_MAX {
        return Err(failed(std::io::Error::other(format!(
            "it is longer than {} MiB",
            LIST_BYTES_MAX >> 20
        ))));
    }
    parse(&text).map_err(|why| {
        Failure::usage(format!("`{}` is no list of apps: {why}", path.display()))
            .hint("write [[\"openai/gpt-4\", 1], [\"openai/gpt-4\", 2]]")
    })
}

/// Says what is wrong with the whole; single entries that are wrong are among the problems.
fn parse(text: &[u8]) -> Result<List, String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let value: Value = serde_json::from_slice(text).map_err(|error| format!("no JSON: {error}"))?;
    let Value::Array(all) = value else {
        return Err(format!("a list was expected, and there is {}", shown(&value)));
    };
    if all.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut list = List::default();
    for (index, value) in all.iter().enumerate() {
        match entry(index + 1, value) {
            Ok(entry) => list.entries.push(entry),
            Err(why) => list.problems.push(format!("entry {}: {why}", index + 1)),
        }
    }
    Ok(list)
}

fn entry(number: usize, value: &Value) -> Result<Entry, String> {
    let Some([model, app]) = value.as_array().map(Vec::as_slice) else {
        return Err(format!("`[\"model\", 1]` was expected, and there is {}", shown(value)));
    };
    let Some(model) = model.as_str() else {
        return Err(format!("a model's name was expected, and there is {}", shown(model)));
    };
    let app = match app {
        Value::Number(_) if app.as_u64().is_some() => app.to_string(),
        Value::String(text) => text.clone(),
        _ => return Err(format!("an app's number was expected, and there is {}", shown(app))),
    };
    Ok(Entry { number, model: model.to_owned(), app })
}

/// Says what a value is, in a few words.
fn shown(value: &Value) -> String {
    /// More of a wrong value does not help to find it.
    const SHOWN_CHARS: usize = 40;
    let text: String = value.to_string().chars().take(SHOWN_CHARS).collect();
    match value {
        Value::Null => "`null`".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::String(_) | Value::Number(_) | Value::Bool(_) => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, entries: &[(usize, &str, &str)], problems: &[&str]) {
        let list = parse(text.as_bytes()).unwrap();
        let read: Vec<_> =
            list.entries.iter().map(|e| (e.number, e.model.as_str(), e.app.as_str())).collect();
        assert_eq!(read, entries);
        assert_eq!(list.problems, problems);
    }

    #[test]
    fn a_list_names_models_and_numbers() {
        check(
            r#"[["openai/gpt-4", 1], ["m", "app2"], ["m", "3"]]"#,
            &[(1, "openai/gpt-4", "1"), (2, "m", "app2"), (3, "m", "3")],
            &[],
        );
        check("\u{feff}[[\"m\", 1]]", &[(1, "m", "1")], &[]);
    }

    #[test]
    fn every_wrong_entry_is_told_with_what_was_found() {
        check(
            r#"[["m", 1], ["m"], "m/1", [1, "m"], ["m", -1], ["m", 1.5], ["m", null], {"model": "m"}]"#,
            &[(1, "m", "1")],
            &[
                "entry 2: `[\"model\", 1]` was expected, and there is a list of 1",
                "entry 3: `[\"model\", 1]` was expected, and there is `\"m/1\"`",
                "entry 4: a model's name was expected, and there is `1`",
                "entry 5: an app's number was expected, and there is `-1`",
                "entry 6: an app's number was expected, and there is `1.5`",
                "entry 7: an app's number was expected, and there is `null`",
                "entry 8: `[\"model\", 1]` was expected, and there is an object",
            ],
        );
    }

    #[test]
    fn what_is_no_list_is_said_in_words() {
        for (text, expected) in [
            ("", "no JSON: EOF"),
            ("[[\"m\", 1]", "no JSON: EOF while parsing a list at line 1"),
            ("{}", "a list was expected, and there is an object"),
            ("[]", "it is empty"),
        ] {
            let why = parse(text.as_bytes()).unwrap_err();
            assert!(why.starts_with(expected), "{why}");
        }
    }
}
