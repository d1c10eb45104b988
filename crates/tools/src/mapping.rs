//! A mapping taken apart: every lookup parsed, every fault of it told.

use crate::{
    check::Problem,
    lookup::{Lookup, Route, Step, path},
};
use assay_model::{Format, Mapping};
use regex::Regex;

/// A mapping whose lookups are taken apart once, not once an item.
#[derive(Debug)]
pub(crate) struct CompiledMapping {
    pub items: Route,
    pub pattern: Option<Regex>,
    pub ignore_lines: regex::RegexSet,
    pub header: bool,
    pub only: Vec<(Lookup, Vec<String>)>,
    pub above: Vec<(Lookup, f64)>,
    pub rule: Lookup,
    pub aliases: Option<Lookup>,
    pub message: Lookup,
    pub path: Option<Lookup>,
    pub line: Option<Lookup>,
    pub column: Option<Lookup>,
    pub end_line: Option<Lookup>,
    pub end_column: Option<Lookup>,
    pub columns_from_zero: bool,
    pub severity: Option<Lookup>,
    pub security_severity: Option<Lookup>,
    pub kind: Option<Lookup>,
    pub confidence: Option<Lookup>,
    pub cwe: Option<Lookup>,
    pub help: Option<Lookup>,
    pub version: Option<Lookup>,
    pub files_scanned: Option<Route>,
    pub files_failed: Option<Route>,
    pub failure: Option<Lookup>,
    pub skipped: Option<Route>,
    pub notes: Option<Route>,
    pub required: Vec<Vec<String>>,
    /// Items that are no objects are asked for.
    pub takes_scalars: bool,
}

// === impl CompiledMapping ===

impl CompiledMapping {
    /// Takes the words apart, or tells every one that makes no sense.
    pub(crate) fn new(map: &Mapping, format: Format) -> Result<Self, Vec<Problem>> {
        let mut faults = Faults::default();
        faults.shape(map, format);
        let pattern = map.pattern.as_ref().and_then(|text| faults.regex("pattern", text));
        faults.groups(map, pattern.as_ref());
        let ignore_lines = regex::RegexSet::new(&map.ignore_lines).unwrap_or_else(|error| {
            faults.add("ignore-lines", error.to_string());
            regex::RegexSet::empty()
        });
        let only = map.only.iter().map(|(k, v)| (faults.lookup("only", k), v.clone())).collect();
        let above = map.above.iter().map(|(k, v)| (faults.lookup("above", k), *v)).collect();
        let mapping = Self {
            items: faults.route("items", &map.items),
            pattern,
            ignore_lines,
            header: map.header,
            only,
            above,
            rule: faults.lookup("rule", &map.rule),
            aliases: faults.optional("aliases", map.aliases.as_deref()),
            message: faults.lookup("message", &map.message),
            path: faults.optional("path", map.path.as_deref()),
            line: faults.optional("line", map.line.as_deref()),
            column: faults.optional("column", map.column.as_deref()),
            end_line: faults.optional("end-line", map.end_line.as_deref()),
            end_column: faults.optional("end-column", map.end_column.as_deref()),
            columns_from_zero: map.columns_from_zero,
            severity: faults.optional("severity", map.severity.as_deref()),
            security_severity: faults
                .optional("security-severity", map.security_severity.as_deref()),
            kind: faults.optional("kind", map.kind.as_deref()),
            confidence: faults.optional("confidence", map.confidence.as_deref()),
            cwe: faults.optional("cwe", map.cwe.as_deref()),
            help: faults.optional("help", map.help.as_deref()),
            version: faults.optional("version", map.version.as_deref()),
            files_scanned: map.files_scanned.as_ref().map(|s| faults.route("files-scanned", s)),
            files_failed: map.files_failed.as_ref().map(|s| faults.route("files-failed", s)),
            failure: faults.optional("failure", map.failure.as_deref()),
            skipped: faults.skipped(map, format),
            notes: map.notes.as_ref().map(|s| faults.route("notes", s)),
            required: map.required.iter().map(|s| faults.path("required", s)).collect(),
            takes_scalars: takes_scalars(map),
        };
        if faults.0.is_empty() { Ok(mapping) } else { Err(faults.0) }
    }

    /// Returns what follows the `*` of `items` in a route that goes through the same list.
    pub(crate) fn beyond_the_list<'r>(&self, route: Option<&'r Route>) -> Option<&'r [Step]> {
        self.items.beyond_first_each(route?)
    }
}

/// Faults of one mapping.
#[derive(Default)]
struct Faults(Vec<Problem>);

// === impl Faults ===

impl Faults {
    fn add(&mut self, key: &str, what: impl Into<String>) {
        let mend = "see `model::Mapping`".to_owned();
        self.0.push(Problem { key: format!("output.map.{key}"), what: what.into(), mend });
    }

    fn shape(&mut self, map: &Mapping, format: Format) {
        if (map.pattern.is_some()) != (format == Format::Text) {
            self.add("pattern", "`format = \"text\"` and a pattern belong together");
        }
        if map.header && format != Format::Csv {
            self.add("header", "only CSV has one");
        }
        if !map.items.is_empty() && matches!(format, Format::Csv | Format::Text) {
            self.add("items", "every line is an item");
        }
        if !map.ignore_lines.is_empty() && !matches!(format, Format::Text | Format::JsonLines) {
            self.add("ignore-lines", "this format is not read by lines");
        }
    }

    fn skipped(&mut self, map: &Mapping, format: Format) -> Option<Route> {
        let route = self.route("skipped", map.skipped.as_ref()?);
        let items = Route::parse(&map.items).unwrap_or_default();
        if format != Format::Json || items.beyond_first_each(&route).is_none() {
            self.add("skipped", "it does not pass through the list that `items` names");
        }
        Some(route)
    }

    /// A lookup into a pattern names one of its groups.
    fn groups(&mut self, map: &Mapping, pattern: Option<&Regex>) {
        let Some(pattern) = pattern else { return };
        let lookups = [Some(&map.rule), Some(&map.message), map.path.as_ref(), map.line.as_ref()];
        for text in lookups.into_iter().flatten() {
            for place in Lookup::parse(text).into_iter().flat_map(|lookup| lookup.first_names()) {
                if !pattern.capture_names().flatten().any(|name| *name == place) {
                    self.add("pattern", format!("it has no group `{place}`"));
                }
            }
        }
    }

    fn regex(&mut self, key: &str, text: &str) -> Option<Regex> {
        match Regex::new(text) {
            Ok(regex) => Some(regex),
            Err(error) => {
                self.add(key, error.to_string());
                None
            }
        }
    }

    fn lookup(&mut self, key: &str, text: &str) -> Lookup {
        Lookup::parse(text).unwrap_or_else(|what| {
            self.add(key, what);
            Lookup::nothing()
        })
    }

    fn optional(&mut self, key: &str, text: Option<&str>) -> Option<Lookup> {
        text.map(|text| self.lookup(key, text))
    }

    fn route(&mut self, key: &str, text: &str) -> Route {
        Route::parse(text).unwrap_or_else(|what| {
            self.add(key, what);
            Route::default()
        })
    }

    fn path(&mut self, key: &str, text: &str) -> Vec<String> {
        path(text).unwrap_or_else(|what| {
            self.add(key, what);
            Vec::new()
        })
    }
}

fn takes_scalars(map: &Mapping) -> bool {
    let all = [Some(&map.rule), Some(&map.message), map.path.as_ref(), map.line.as_ref()];
    all.into_iter().flatten().any(|text| Lookup::parse(text).is_ok_and(|l| l.asks_for_itself()))
}
