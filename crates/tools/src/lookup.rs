//! Where a field of an item is. `model::Mapping` says what the words mean.

use serde_json::Value;
use std::borrow::Cow;

/// The way to many values: `results.*.messages.*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Route(pub Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    Each,
    Has(String),
}

/// The way to one value: alternatives, the first that is found counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lookup(Vec<Alternative>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Alternative {
    Literal(String),
    Place(Place),
    Template(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Key,
    Itself,
    Path(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Place(Place),
}

/// A value and what is around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub value: &'a Value,
    /// The key that the innermost `*` passed.
    pub key: Option<&'a str>,
    pub outer: Option<&'a Scope<'a>>,
}

// === impl Route ===

impl Route {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let steps = text.split('.').map(|step| match step {
            "" => Err(format!("`{text}` has an empty step")),
            "*" => Ok(Step::Each),
            name => Ok(match name.strip_suffix('?') {
                Some(name) => Step::Has(name.to_owned()),
                None => Step::Name(name.to_owned()),
            }),
        });
        steps.collect::<Result<_, _>>().map(Self)
    }

    /// Splits at the first `*`: the names before it, and what follows it.
    pub(crate) fn around_first_each(&self) -> (&[Step], Option<&[Step]>) {
        match self.0.iter().position(|step| *step == Step::Each) {
            Some(at) => (&self.0[..at], Some(&self.0[at + 1..])),
            None => (&self.0, None),
        }
    }

    /// Returns what follows this route's first `*` in another one that goes through the same list.
    pub(crate) fn beyond_first_each<'r>(&self, other: &'r Self) -> Option<&'r [Step]> {
        let rest = other.0.strip_prefix(self.around_first_each().0)?;
        rest.split_first().filter(|(step, _)| **step == Step::Each).map(|(_, rest)| rest)
    }
}

// === impl Lookup ===

impl Lookup {
    /// Returns one that finds nothing: what stands for a lookup that made no sense.
    pub(crate) fn nothing() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        if let Some(literal) = text.strip_prefix('=') {
            return Ok(Self(vec![Alternative::Literal(literal.to_owned())]));
        }
        if text.contains('{') {
            return Ok(Self(vec![Alternative::Template(pieces(text)?)]));
        }
        let alternatives = text.split('|').map(|part| {
            let part = part.trim();
            match part.strip_prefix('=') {
                Some(literal) => Ok(Alternative::Literal(literal.to_owned())),
                None => place(part).map(Alternative::Place),
            }
        });
        alternatives.collect::<Result<_, _>>().map(Self)
    }

    /// Returns the first names of all places that it looks at.
    pub(crate) fn first_names(&self) -> Vec<String> {
        let mut found = Vec::new();
        for alternative in &self.0 {
            match alternative {
                Alternative::Literal(_) => {}
                Alternative::Place(place) => found.extend(place.first()),
                Alternative::Template(pieces) => {
                    found.extend(pieces.iter().filter_map(|piece| match piece {
                        Piece::Place(place) => place.first(),
                        Piece::Text(_) => None,
                    }));
                }
            }
        }
        found
    }

    pub(crate) fn asks_for_itself(&self) -> bool {
        let itself = |place: &Place| *place == Place::Itself;
        self.0.iter().any(|alternative| match alternative {
            Alternative::Literal(_) => false,
            Alternative::Place(place) => itself(place),
            Alternative::Template(pieces) => {
                pieces.iter().any(|piece| matches!(piece, Piece::Place(place) if itself(place)))
            }
        })
    }

    /// Returns the value as it stands. Templates and literals have none.
    pub(crate) fn value<'a>(&self, scope: &Scope<'a>) -> Option<&'a Value> {
        self.0.iter().find_map(|alternative| match alternative {
            Alternative::Place(place) => place.value(scope),
            Alternative::Literal(_) | Alternative::Template(_) => None,
        })
    }

    /// Returns the value as text.
    pub(crate) fn text<'a>(&'a self, scope: &Scope<'a>) -> Option<Cow<'a, str>> {
        self.0.iter().find_map(|alternative| match alternative {
            Alternative::Literal(text) => Some(Cow::Borrowed(text.as_str())),
            Alternative::Place(place) => place.text(scope),
            Alternative::Template(pieces) => template(pieces, scope).map(Cow::Owned),
        })
    }

    /// Returns the value as a number, also where it stands as text.
    pub(crate) fn number(&self, scope: &Scope<'_>) -> Option<f64> {
        if let Some(number) = self.value(scope).and_then(Value::as_f64) {
            return Some(number);
        }
        self.text(scope)?.trim().parse().ok().filter(|number: &f64| number.is_finite())
    }
}

// === impl Place ===

impl Place {
    fn first(&self) -> Option<String> {
        match self {
            Self::Key | Self::Itself => None,
            Self::Path(names) => names.first().cloned(),
        }
    }

    fn value<'a>(&self, scope: &Scope<'a>) -> Option<&'a Value> {
        match self {
            Self::Key => None,
            Self::Itself => Some(scope.value),
            Self::Path(names) => {
                let mut around = Some(scope);
                while let Some(scope) = around {
                    if let Some(found) = at(scope.value, names) {
                        return Some(found);
                    }
                    around = scope.outer;
                }
                None
            }
        }
    }

    fn text<'a>(&self, scope: &Scope<'a>) -> Option<Cow<'a, str>> {
        match self {
            Self::Key => scope.key.map(Cow::Borrowed),
            Self::Itself | Self::Path(_) => self.value(scope).and_then(as_text),
        }
    }
}

/// Walks a route below a scope and hands out what lies at its end.
pub(crate) fn walk<E>(
    scope: &Scope<'_>,
    steps: &[Step],
    found: &mut dyn FnMut(&Scope<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let Some((step, rest)) = steps.split_first() else { return found(scope) };
    let below = |value, key| Scope { value, key, outer: Some(scope) };
    match (step, scope.value) {
        (Step::Name(name), value) => match member(value, name) {
            Some(value) => walk(&below(value, scope.key), rest, found),
            None => Ok(()),
        },
        (Step::Has(name), value) => match member(value, name) {
            Some(_) => walk(scope, rest, found),
            None => Ok(()),
        },
        (Step::Each, Value::Array(values)) => {
            values.iter().try_for_each(|value| walk(&below(value, scope.key), rest, found))
        }
        (Step::Each, Value::Object(members)) => {
            members.iter().try_for_each(|(key, value)| walk(&below(value, Some(key)), rest, found))
        }
        (Step::Each, _) => Ok(()),
    }
}

/// Returns the value at a dotted path; `null` is not there.
pub(crate) fn at<'a>(value: &'a Value, names: &[String]) -> Option<&'a Value> {
    names.iter().try_fold(value, |value, name| member(value, name))
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let found = match value {
        Value::Object(members) => members.get(name),
        Value::Array(values) => name.parse::<usize>().ok().and_then(|at| values.get(at)),
        _ => None,
    };
    found.filter(|value| !value.is_null())
}

fn as_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Array(values) => {
            let texts: Vec<_> = values.iter().filter_map(as_text).collect();
            (!texts.is_empty()).then(|| Cow::Owned(texts.join(", ")))
        }
        Value::Null | Value::Object(_) => None,
    }
}

fn template(pieces: &[Piece], scope: &Scope<'_>) -> Option<String> {
    let mut out = String::new();
    let mut found = false;
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Place(place) => {
                if let Some(text) = place.text(scope) {
                    found = true;
                    out.push_str(&text);
                }
            }
        }
    }
    found.then_some(out)
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) =
            after.split_once('}').ok_or_else(|| format!("`{text}` has a `{{` without a `}}`"))?;
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        pieces.push(Piece::Place(place(name)?));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

fn place(text: &str) -> Result<Place, String> {
    match text {
        "$key" => Ok(Place::Key),
        "$value" => Ok(Place::Itself),
        text if text.starts_with('$') => Err(format!("`{text}` is neither `$key` nor `$value`")),
        text => path(text).map(Place::Path),
    }
}

pub(crate) fn path(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<_> = text.split('.').map(str::to_owned).collect();
    if names.iter().any(String::is_empty) {
        return Err(format!("`{text}` is no dotted path"));
    }
    Ok(names)
}
