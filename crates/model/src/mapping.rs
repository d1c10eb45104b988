//! How the items of JSON, CSV and text become findings, in the words of a declaration.
//!
//! Does not: read anything; `tools` checks these words and looks things up by them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How an item becomes a finding.
///
/// A *lookup* is a dotted path into the item: `location.line`; a number passes into an array.
/// What is not found there (or is `null`) is looked for in the objects around it, innermost first;
/// of the objects around the list that `items` names, only what stands *before* that list is
/// seen. `$key` is the key that the innermost `*` passed in an object, `$value` is the item itself
/// where it is a text or a number. `a | b | =text` takes the first that is found. A text with
/// `{lookup}` in it is a template; one that starts with `=` is meant literally.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mapping {
    /// Where the items are: `results.*`, `*.messages.*`; `*` passes every element of an array and
    /// every value of an object, `name?` stays where it is if there is a `name`. A list at the
    /// end is its elements: `results` says the same as `results.*`. Empty: the document itself. Names before the first `*` have to be there, and after it where it comes first; `null` is an
    /// empty list.
    /// What is no object is passed over unless the mapping asks for `$value` or for numbers.
    #[serde(default)]
    pub items: String,
    /// For text: a regular expression whose named groups are the item's fields.
    #[serde(default)]
    pub pattern: Option<String>,
    /// For text: lines that are known and say nothing.
    #[serde(default)]
    pub ignore_lines: Vec<String>,
    /// For CSV: the first line names the columns.
    #[serde(default)]
    pub header: bool,
    /// Items are taken only if each lookup holds one of the texts. Not found: not taken.
    #[serde(default)]
    pub only: BTreeMap<String, Vec<String>>,
    /// Items are taken only if the number found by the lookup is above this. Not found, or no
    /// number: the output is not this tool's.
    #[serde(default)]
    pub above: BTreeMap<String, f64>,
    pub rule: String,
    /// A text or a list of texts in which other names of the rule stand: a CVE among them, else a
    /// GHSA, is the rule, so that all tools call a published vulnerability the same.
    #[serde(default)]
    pub aliases: Option<String>,
    pub message: String,
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default)]
    pub line: Option<String>,
    #[serde(default)]
    pub column: Option<String>,
    #[serde(default)]
    pub end_line: Option<String>,
    #[serde(default)]
    pub end_column: Option<String>,
    /// Columns count from 0.
    #[serde(default)]
    pub columns_from_zero: bool,
    #[serde(default)]
    pub severity: Option<String>,
    /// A CVSS-like number, 0.0 to 10.0, also as a text.
    #[serde(default)]
    pub security_severity: Option<String>,
    /// One of our kinds; any other word leaves the tool's own.
    #[serde(default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub confidence: Option<String>,
    /// `CWE-79`, `79`, or a list of these.
    #[serde(default)]
    pub cwe: Option<String>,
    #[serde(default)]
    pub help: Option<String>,
    /// A number, or an array or object whose entries are counted: files that were read.
    #[serde(default)]
    pub files_scanned: Option<String>,
    /// Like `items`: paths of files that it could not read, or objects in which `path` names one
    /// (`*.error?`). One that names no file of the app is told as a complaint.
    #[serde(default)]
    pub files_failed: Option<String>,
    /// A text by which the document says that the tool failed, and why.
    #[serde(default)]
    pub failure: Option<String>,
    /// Like `items`, through the same list: reasons for not looking at an element of it. With any,
    /// nothing is clean; where every element has one, the tool did nothing.
    #[serde(default)]
    pub skipped: Option<String>,
    /// Like `items`: texts that every reader of the result must know.
    #[serde(default)]
    pub notes: Option<String>,
    /// The tool's own version, where its report tells it.
    #[serde(default)]
    pub version: Option<String>,
    /// These must be there, or the document is not this tool's.
    #[serde(default)]
    pub required: Vec<String>,
}

/// What a column counts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnUnit {
    #[default]
    Characters,
    /// UTF-16 code units, as JavaScript does.
    Utf16,
    /// Bytes of UTF-8, as Python's syntax tree does.
    Bytes,
}
