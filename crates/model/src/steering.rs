//! Files by which an app could steer a tool, as the tool's row says it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Files of the app that could steer this tool or hide code from it, and what the tool sees instead.
/// Where one is there, the tool gets a copy of the app of its own. The first entry that matches a
/// file wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SteeredBy {
    /// Globs over relative paths, letter case ignored. One without a `/` matches a name in any
    /// folder, one that begins with `/` only in the app's own folder; one that ends with `/` is a
    /// folder with all that it holds.
    pub files: Vec<String>,
    #[serde(default)]
    pub how: Treatment,
    /// With `how = "sections"`: what the copy lacks. Globs over the names of sections in INI files
    /// and of keys in JSON; dotted keys in TOML (`tool.ruff`).
    #[serde(default)]
    pub sections: Vec<String>,
}

/// What a tool sees of a file that could steer it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Treatment {
    /// Nothing.
    #[default]
    Hide,
    /// All of it under a name that means nothing to it. What it finds there is reported under the
    /// file's own name.
    Rename,
    /// Its lines without those of some sections, which stay empty. A file that cannot be taken apart
    /// is hidden. TOML, JSON and INI are told by the ending of the name.
    Sections,
}
