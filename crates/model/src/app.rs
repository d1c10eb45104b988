//! Whose code it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is analysed: a plain path, or app `number` of a model under the source roots.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "by")]
pub enum AppRef {
    /// A folder or a single file. `path` is as the user gave it, made displayable.
    Path { path: String },
    /// An app that a model wrote.
    ModelApp { model: ModelSlug, number: u32 },
}

/// The name of a model, safe as a folder's name: no `/`, no `..`, no control character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent)]
pub struct ModelSlug(String);

/// Words that name no app.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAppError {
    #[error(
        "`{text}` is no model slug: it must be 1 to 128 characters and free of `..`, control characters and a leading `.` or `-`"
    )]
    Model { text: String },
    #[error("`{text}` is no app number: write `1` or `app1`")]
    Number { text: String },
}

// === impl AppRef ===

impl AppRef {
    /// Reads `MODEL APP` from the command line; `APP` is `1` or `app1`.
    pub fn model_app(model: &str, app: &str) -> Result<Self, ParseAppError> {
        let digits = app.strip_prefix("app").unwrap_or(app);
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let number = digits
            .parse()
            .ok()
            .filter(|_| is_number)
            .ok_or_else(|| ParseAppError::Number { text: app.to_owned() })?;
        Ok(Self::ModelApp { model: ModelSlug::new(model)?, number })
    }
}

impl fmt::Display for AppRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { path } => f.pad(path),
            Self::ModelApp { model, number } => write!(f, "{}/app{number}", model.as_str()),
        }
    }
}

// === impl ModelSlug ===

impl ModelSlug {
    /// Normalises as the wire protocol says (section 3): trimmed, lower case, `/` to `_`, space to `-`.
    pub fn new(text: &str) -> Result<Self, ParseAppError> {
        let slug = text.trim().to_lowercase().replace('/', "_").replace(' ', "-");
        let tame = (1..=128).contains(&slug.len())
            && !slug.contains("..")
            && !slug.starts_with(['.', '-'])
            && !slug.chars().any(|c| c.is_control() || c == '\\');
        if tame { Ok(Self(slug)) } else { Err(ParseAppError::Model { text: text.to_owned() }) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for ModelSlug {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_named_by_number_or_folder() {
        let by_number = AppRef::model_app("openai/gpt 4", "7").unwrap();
        assert_eq!(by_number, AppRef::model_app("openai_gpt-4", "app7").unwrap());
        assert_eq!(by_number.to_string(), "openai_gpt-4/app7");
    }

    #[test]
    fn a_name_cannot_climb_out() {
        for bad in ["../../etc", "..", "", " ", ".hidden", "-rf", "a\nb", "a\\b"] {
            assert!(ModelSlug::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "app", "-1", "1x", "+1", "99999999999"] {
            assert!(AppRef::model_app("m", bad).is_err(), "{bad:?}");
        }
    }
}
