//! A place inside the analysed app.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// A file of the app: relative, `/`-separated, free of `.` and `..`, never empty.
///
/// The only constructor is [`SourcePath::new`], so a value of this type cannot leave the app's
/// root. Names that are not UTF-8 are shown with `%XX` in place of the bytes that are not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent)]
pub struct SourcePath(Arc<str>);

/// Text that names no place inside an app.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourcePathError {
    #[error("the path is empty")]
    Empty,
    #[error("`{path}` is absolute")]
    Absolute { path: String },
    #[error("`{path}` leaves the app's folder")]
    Leaves { path: String },
    #[error("the path holds a NUL byte")]
    Nul,
}

/// Gives the text of the analysed files: the snapshot does, and tests do from a map.
pub trait SourceText {
    /// Returns the file's text with whatever is not UTF-8 replaced; `None` where there is no such
    /// file or it is binary.
    fn text(&self, path: &SourcePath) -> Option<Arc<str>>;
}

// === impl SourcePath ===

impl SourcePath {
    /// Checks and normalises: `./a//b/../c` becomes `a/c`.
    pub fn new(text: &str) -> Result<Self, SourcePathError> {
        if text.contains('\0') {
            return Err(SourcePathError::Nul);
        }
        if text.starts_with('/') {
            return Err(SourcePathError::Absolute { path: text.to_owned() });
        }
        let mut parts = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop().ok_or_else(|| SourcePathError::Leaves { path: text.to_owned() })?;
                }
                name => parts.push(name),
            }
        }
        if parts.is_empty() {
            Err(SourcePathError::Empty)
        } else {
            Ok(Self(parts.join("/").into()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the part after the last `/`.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Returns the folder, without a trailing `/`; empty at the top.
    pub fn parent(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

impl fmt::Display for SourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl<'de> Deserialize<'de> for SourcePath {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let path = SourcePath::new(text).ok();
        assert_eq!(path.as_ref().map(SourcePath::as_str), expected, "{text:?}");
    }

    #[test]
    fn a_path_stays_inside_the_app() {
        check("a/b.py", Some("a/b.py"));
        check("./a//b/../c", Some("a/c"));
        check("a/..", None);
        check("../a", None);
        check("a/../../b", None);
        check("/etc/passwd", None);
        check("a\0b", None);
        check("", None);
        check("...", Some("..."));
    }

    #[test]
    fn name_and_folder_are_told_apart() {
        let path = SourcePath::new("a/b/c.py").unwrap();
        assert_eq!((path.parent(), path.file_name()), ("a/b", "c.py"));
        assert_eq!(SourcePath::new("c.py").unwrap().parent(), "");
    }
}
