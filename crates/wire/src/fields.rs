//! Fields of a request, read tolerantly: a number may come as text, a list as one text with commas,
//! a switch as a word. What cannot be meant is refused with the field, what was found, and what is
//! wanted.

use crate::fault::{ErrorCode, Unreadable};
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

/// Fields that have not been read yet. `null` counts as absent.
#[derive(Debug)]
pub(crate) struct Fields {
    map: Map<String, Value>,
    /// Where they stand, as a prefix of their names: `requests[3].`.
    place: String,
}

// === impl Fields ===

impl Fields {
    /// Reads an object.
    pub(crate) fn parse(text: &str, place: &str) -> Result<Self, Unreadable> {
        match serde_json::from_str(text) {
            Ok(value) => Self::of(value, place),
            Err(why) => {
                let message = format!("the request cannot be read: {why}");
                Err(Unreadable::new(ErrorCode::InvalidMessage, message))
            }
        }
    }

    /// Takes an object.
    pub(crate) fn of(value: Value, place: &str) -> Result<Self, Unreadable> {
        match value {
            Value::Object(map) => Ok(Self { map, place: place.to_owned() }),
            Value::Null => Ok(Self { map: Map::new(), place: place.to_owned() }),
            other => Err(bad(place.trim_end_matches('.'), &other, "an object")),
        }
    }

    /// Takes in fields that are not there yet.
    pub(crate) fn fill_from(&mut self, map: &Map<String, Value>) {
        for (name, value) in map {
            if self.map.get(name).is_none_or(Value::is_null) {
                self.map.insert(name.clone(), value.clone());
            }
        }
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// Reads the first of these that is there: a field and its older names.
    pub(crate) fn text_of(&mut self, names: &[&str]) -> Result<Option<String>, Unreadable> {
        let mut first = None;
        for name in names {
            let text = self.text(name)?;
            first = first.or(text);
        }
        Ok(first)
    }

    /// Reads a text; a number is taken as it is written, and an empty one counts as absent.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Unreadable> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(self.bad(name, &other, "a text")),
        }
    }

    /// Reads a whole number within bounds.
    pub(crate) fn whole(
        &mut self,
        name: &str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Unreadable> {
        let Some(value) = self.take(name) else { return Ok(None) };
        if let Some(number) = whole(&value).filter(|number| bounds.contains(number)) {
            return Ok(Some(number));
        }
        let wanted = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        Err(self.bad(name, &value, &wanted))
    }

    /// Reads an amount above 0 and up to `most`, with or without a fraction.
    pub(crate) fn amount(&mut self, name: &str, most: f64) -> Result<Option<f64>, Unreadable> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = match &value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        match number.filter(|number| *number > 0.0 && *number <= most) {
            Some(number) => Ok(Some(number)),
            None => Err(self.bad(name, &value, &format!("a number above 0 and up to {most}"))),
        }
    }

    /// Reads a switch.
    pub(crate) fn switch(&mut self, name: &str) -> Result<Option<bool>, Unreadable> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let switch = match &value {
            Value::Bool(switch) => Some(*switch),
            Value::Number(number) if number.as_u64() == Some(1) => Some(true),
            Value::Number(number) if number.as_u64() == Some(0) => Some(false),
            Value::String(word) => switch_word(word),
            _ => None,
        };
        switch.map(Some).ok_or_else(|| self.bad(name, &value, "true or false"))
    }

    /// Reads a list of texts, or one text with commas. Blanks around them and empty ones are dropped.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<String>, Unreadable> {
        let Some(value) = self.take(name) else { return Ok(Vec::new()) };
        let trimmed = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        match &value {
            Value::String(text) => Ok(text.split(',').filter_map(trimmed).collect()),
            Value::Array(items) if items.iter().all(Value::is_string) => {
                Ok(items.iter().filter_map(Value::as_str).filter_map(trimmed).collect())
            }
            _ => Err(self.bad(name, &value, "a list of texts, or one text with commas")),
        }
    }

    /// Reads an object; an absent one is empty.
    pub(crate) fn object(&mut self, name: &str) -> Result<Map<String, Value>, Unreadable> {
        match self.take(name) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(other) => Err(self.bad(name, &other, "an object")),
        }
    }

    /// Says what is wrong with a field.
    pub(crate) fn bad(&self, name: &str, found: &Value, wanted: &str) -> Unreadable {
        bad(&format!("{}{name}", self.place), found, wanted)
    }

    /// Says that a field is missing.
    pub(crate) fn missing(&self, name: &str, wanted: &str) -> Unreadable {
        let field = format!("{}{name}", self.place);
        let mut unreadable = Unreadable::new(
            ErrorCode::InvalidMessage,
            format!("`{field}` is missing, wanted is {wanted}"),
        );
        unreadable.details = Some(json!({"field": field, "wanted": wanted}));
        unreadable
    }
}

/// Reads a whole number that may be written as text or with a fraction of zero.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| whole_of(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// `3.0` is 3; above 2^53 a float does not name one whole number.
fn whole_of(float: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let is_whole = float.fract() == 0.0 && (0.0..=EXACT).contains(&float);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    is_whole.then_some(float as u64)
}

/// The words by which clients say yes or no; `None` for any other.
pub(crate) fn switch_word(word: &str) -> Option<bool> {
    match word.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" | "" => Some(false),
        _ => None,
    }
}

fn bad(field: &str, found: &Value, wanted: &str) -> Unreadable {
    let shown: String = found.to_string().chars().take(60).collect();
    let field = if field.is_empty() { "data" } else { field };
    let message = format!("`{field}` is {shown}, wanted is {wanted}");
    let mut unreadable = Unreadable::new(ErrorCode::InvalidMessage, message);
    unreadable.details = Some(json!({"field": field, "found": shown, "wanted": wanted}));
    unreadable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(value: Value) -> Fields {
        Fields::of(value, "at[2].").unwrap()
    }

    #[test]
    fn numbers_come_as_text_and_text_as_numbers() {
        let mut all =
            fields(json!({"a": "7", "b": 7.0, "c": 12, "d": " 2.5 ", "e": "", "f": null}));
        assert_eq!(all.whole("a", 1..=9).unwrap(), Some(7));
        assert_eq!(all.whole("b", 1..=9).unwrap(), Some(7));
        assert_eq!(all.text("c").unwrap().as_deref(), Some("12"));
        assert_eq!(all.amount("d", 3.0).unwrap(), Some(2.5));
        assert_eq!((all.text("e").unwrap(), all.text("f").unwrap()), (None, None));
    }

    #[test]
    fn a_list_may_be_one_text() {
        let mut all = fields(json!({"a": "x, y,,", "b": ["x ", "", "y"]}));
        assert_eq!(all.list("a").unwrap(), ["x", "y"]);
        assert_eq!(all.list("b").unwrap(), ["x", "y"]);
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_place() {
        let mut all = fields(json!({
            "a": -1, "b": 1e300, "c": "x", "d": {"k": 1}, "e": 5, "f": "perhaps", "g": [1]
        }));
        let mut said = vec![
            all.whole("a", 1..=3).unwrap_err().message,
            all.amount("b", 9.0).unwrap_err().message,
            all.whole("c", 1..=3).unwrap_err().message,
            all.text("d").unwrap_err().message,
            all.list("e").unwrap_err().message,
            all.switch("f").unwrap_err().message,
            all.list("g").unwrap_err().message,
        ];
        said.push(all.missing("h", "a text").message);
        assert_eq!(
            said,
            [
                "`at[2].a` is -1, wanted is a whole number from 1 to 3",
                "`at[2].b` is 1e+300, wanted is a number above 0 and up to 9",
                "`at[2].c` is \"x\", wanted is a whole number from 1 to 3",
                "`at[2].d` is {\"k\":1}, wanted is a text",
                "`at[2].e` is 5, wanted is a list of texts, or one text with commas",
                "`at[2].f` is \"perhaps\", wanted is true or false",
                "`at[2].g` is [1], wanted is a list of texts, or one text with commas",
                "`at[2].h` is missing, wanted is a text",
            ]
        );
    }
}
