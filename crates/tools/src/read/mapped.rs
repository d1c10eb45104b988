//! One JSON document, by a mapping.
//!
//! The list that `items` names is read element by element; everything before and after it is kept
//! whole, since lookups may ask for it.

use super::{
    OutputError,
    collector::{Collector, Place, cleaned},
    mapped_item::take_item,
    scanner::{Scanner, Shape},
};
use crate::{
    lookup::{Route, Scope, Step, at, walk},
    mapping::CompiledMapping,
};
use serde_json::{Map, Value};
use std::io::BufRead;

/// Reads `format = "json"`.
pub(super) fn read(
    input: &mut dyn BufRead,
    collector: &mut Collector<'_>,
) -> Result<(), OutputError> {
    let mapping = mapping(collector);
    let mut document = Document { mapping, collector, streamed: 0, outer: Vec::new() };
    let mut scanner = Scanner::new(input)?;
    let (names, rest) = mapping.items.around_first_each();
    let root = document.descend(&mut scanner, names, rest)?;
    scanner.end()?;
    document.close(&root)
}

/// Returns the tool's mapping.
pub(super) fn mapping<'a>(collector: &Collector<'a>) -> &'a CompiledMapping {
    let mapping = collector.tool.mapping.as_ref();
    mapping.expect("`check` makes one for every format that needs it")
}

/// A document while it is read.
struct Document<'d, 'c> {
    mapping: &'d CompiledMapping,
    collector: &'d mut Collector<'c>,
    /// Elements of the list that `items` names.
    streamed: u64,
    /// The objects around that list, outermost first, as far as they have been read.
    outer: Vec<Value>,
}

// === impl Document ===

impl Document<'_, '_> {
    /// Reads the next value, which the names lead into, and returns it without the list.
    fn descend(
        &mut self,
        scanner: &mut Scanner<'_>,
        names: &[Step],
        rest: Option<&[Step]>,
    ) -> Result<Value, OutputError> {
        let Some((Step::Name(name), names)) = names.split_first() else {
            return self.list(scanner, rest);
        };
        if scanner.shape()? != Shape::Object {
            return Err(not_its(&format!("`{name}`")));
        }
        scanner.enter();
        self.outer.push(Value::Object(Map::new()));
        let level = self.outer.len() - 1;
        let (mut count, mut found) = (0, false);
        while let Some(key) = scanner.key(count)? {
            count += 1;
            let value = if key == *name && !found {
                found = true;
                self.descend(scanner, names, rest)?
            } else {
                scanner.value()?
            };
            if let Value::Object(members) = &mut self.outer[level] {
                members.insert(key, value);
            }
        }
        let whole = self.outer.pop().ok_or_else(|| not_its("it"))?;
        match self.failure(&whole) {
            Some(why) => Err(OutputError::SaysFailed { why }),
            None if found => Ok(whole),
            None => Err(not_its(&format!("`{name}`"))),
        }
    }

    /// Returns why the tool failed, where an object around the list says that it did.
    fn failure(&self, around: &Value) -> Option<String> {
        let alone = Scope { value: around, key: None, outer: None };
        let why = self.mapping.failure.as_ref()?.text(&alone)?;
        (!why.trim().is_empty()).then(|| cleaned(&why, 500))
    }

    /// Reads the list of items. Without a `*`, an array is one and anything else is an item.
    fn list(
        &mut self,
        scanner: &mut Scanner<'_>,
        rest: Option<&[Step]>,
    ) -> Result<Value, OutputError> {
        let named = !self.mapping.items.0.is_empty();
        match (scanner.shape()?, rest) {
            (Shape::Array, rest) if rest.is_some() || named => {
                scanner.enter();
                while scanner.element(self.streamed)? {
                    self.streamed += 1;
                    let value: Value = scanner.value()?;
                    self.element(&value, None, rest.unwrap_or(&[]))?;
                }
                Ok(Value::Array(Vec::new()))
            }
            (Shape::Object, Some(rest)) => {
                scanner.enter();
                while let Some(key) = scanner.key(self.streamed)? {
                    self.streamed += 1;
                    let value: Value = scanner.value()?;
                    self.element(&value, Some(&key), rest)?;
                }
                Ok(Value::Object(Map::new()))
            }
            (Shape::Scalar, Some(_)) => match scanner.value()? {
                Value::Null if named => Ok(Value::Array(Vec::new())),
                _ => Err(not_its("the list of its findings")),
            },
            (_, rest) => {
                let value: Value = scanner.value()?;
                if !value.is_null() {
                    self.element(&value, None, rest.unwrap_or(&[]))?;
                }
                Ok(value)
            }
        }
    }

    /// Reads what lies below one element of the list.
    fn element(
        &mut self,
        value: &Value,
        key: Option<&str>,
        rest: &[Step],
    ) -> Result<(), OutputError> {
        let Self { mapping, collector, outer, .. } = self;
        // Where the list is the document itself nothing else tells it from another tool's: the
        // members of any object would pass for elements in which nothing was found.
        if let (Some(Step::Each), Some(Step::Name(name))) = (mapping.items.0.first(), rest.first())
            && value.get(name).is_none()
        {
            return Err(not_its(&format!("`{name}` in an element of its list")));
        }
        with_outer(outer, None, &mut |around| {
            let scope = Scope { value, key, outer: around };
            if let Some(rest) = mapping.beyond_the_list(mapping.skipped.as_ref()) {
                take_skipped(collector, &scope, rest);
            }
            if let Some(rest) = mapping.beyond_the_list(mapping.files_failed.as_ref()) {
                walk(&scope, rest, &mut |failed| {
                    take_failed(mapping, collector, failed);
                    Ok::<_, OutputError>(())
                })?;
            }
            walk(&scope, rest, &mut |item| take_items(mapping, collector, item))
        })
    }

    /// Reads what the whole document says, once it is known.
    fn close(self, root: &Value) -> Result<(), OutputError> {
        let Self { mapping, collector, streamed, .. } = self;
        let scope = Scope { value: root, key: None, outer: None };
        for required in &mapping.required {
            if at(root, required).is_none() {
                return Err(not_its(&format!("`{}`", required.join("."))));
            }
        }
        if mapping.skipped.is_some() {
            // A list without elements: it looked at none, which is right only if there was nothing.
            collector.reading.looked_at.get_or_insert(0);
        }
        let (names, _) = mapping.items.around_first_each();
        if let Some(scanned) = &mapping.files_scanned {
            let route: &[Step] = match scanned.0.split_last() {
                Some((Step::Each, names)) => names,
                _ => &scanned.0,
            };
            let mut count = (route == names).then_some(streamed);
            if count.is_none() {
                let sum = &mut |found: &Scope<'_>| {
                    let entries = entries(found.value)?;
                    count = Some(count.unwrap_or(0) + entries);
                    Some(())
                };
                let _ = walk(&scope, route, &mut |found| sum(found).ok_or(()));
            }
            collector.reading.files_scanned = count;
        }
        if let Some(failed) = &mapping.files_failed
            && mapping.beyond_the_list(Some(failed)).is_none()
        {
            each_value(&scope, failed, &mut |failed| take_failed(mapping, collector, failed));
        }
        if let Some(notes) = &mapping.notes {
            each_value(&scope, notes, &mut |note| {
                if let Value::String(note) = note.value {
                    collector.note(note);
                }
            });
        }
        let version = mapping.version.as_ref().and_then(|version| version.text(&scope));
        collector.reading.version = version.map(|version| cleaned(&version, 80));
        Ok(())
    }
}

/// Makes scopes of the objects around, outermost first.
fn with_outer<T>(
    outer: &[Value],
    around: Option<&Scope<'_>>,
    then: &mut dyn FnMut(Option<&Scope<'_>>) -> T,
) -> T {
    match outer.split_first() {
        None => then(around),
        Some((value, inner)) => {
            with_outer(inner, Some(&Scope { value, key: None, outer: around }), then)
        }
    }
}

/// Hands out what a route leads to; a list at its end is its elements.
fn each_value(scope: &Scope<'_>, route: &Route, found: &mut dyn FnMut(&Scope<'_>)) {
    let result: Result<(), std::convert::Infallible> = walk(scope, &route.0, &mut |end| {
        match end.value {
            Value::Array(values) => values
                .iter()
                .for_each(|value| found(&Scope { value, key: end.key, outer: Some(end) })),
            _ => found(end),
        }
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

/// A number stands for itself; a list or object for how many it holds.
fn entries(value: &Value) -> Option<u64> {
    match value {
        Value::Array(values) => Some(values.len() as u64),
        Value::Object(members) => Some(members.len() as u64),
        Value::Number(number) => number.as_u64(),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

/// Counts one element of the list as looked at, or takes the reason why it was not.
fn take_skipped(collector: &mut Collector<'_>, element: &Scope<'_>, rest: &[Step]) {
    let mut skipped = false;
    let result: Result<(), std::convert::Infallible> = walk(element, rest, &mut |reason| {
        skipped = true;
        let why = reason.value.as_str().map_or_else(|| reason.value.to_string(), str::to_owned);
        collector.complain(&why);
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(never) => match never {},
    }
    *collector.reading.looked_at.get_or_insert(0) += u64::from(!skipped);
}

fn take_failed(mapping: &CompiledMapping, collector: &mut Collector<'_>, failed: &Scope<'_>) {
    let path = match failed.value {
        Value::String(path) => Some(path.as_str().into()),
        _ => mapping.path.as_ref().and_then(|path| path.text(failed)),
    };
    let message = mapping.message.text(failed);
    let message = message.or_else(|| Some(failed.value.to_string().into()));
    let place = path.map_or(Place::None, |path| collector.place(&path));
    collector.file_failed(&place, &message.unwrap_or_default());
}

fn take_items(
    mapping: &CompiledMapping,
    collector: &mut Collector<'_>,
    end: &Scope<'_>,
) -> Result<(), OutputError> {
    let ends_in_list = !matches!(mapping.items.0.last(), Some(Step::Each));
    match end.value {
        Value::Array(values) if ends_in_list => values.iter().try_for_each(|value| {
            take_item(mapping, collector, &Scope { value, key: end.key, outer: Some(end) })
        }),
        _ => take_item(mapping, collector, end),
    }
}

pub(super) fn not_its(missing: &str) -> OutputError {
    OutputError::NotIts { missing: missing.to_owned() }
}
