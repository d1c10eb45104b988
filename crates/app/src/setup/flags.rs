//! What the options of the command line say, in the words of `assay.toml`.

use crate::{cli, failure::Failure};
use serde_json::Value;

/// A dotted key, its value, and the option that sets it.
pub(super) type Flag = (String, Value, String);

pub(super) fn flags_of(analyze: &cli::Analyze) -> Result<Vec<Flag>, Failure> {
    let output = analyze.output.as_ref().map(|dir| {
        dir.to_str().map(Value::from).ok_or_else(|| {
            Failure::usage(format!("`--output {}` is not UTF-8", dir.display()))
                .hint("name a folder whose name is")
        })
    });
    let own = [
        ("no-ignore", switch(analyze.no_ignore), "--no-ignore"),
        ("output", output.transpose()?, "--output"),
    ];
    let shared = shared_flags(&analyze.what, &analyze.worth);
    Ok(shared.into_iter().chain(given(own)).collect())
}

/// The flags that every way to analyse has.
pub(super) fn shared_flags(what: &cli::What, worth: &cli::Worth) -> Vec<Flag> {
    let text = |value: &Option<String>| value.clone().map(Value::from);
    let list = |values: &[String]| (!values.is_empty()).then(|| Value::from(values.to_vec()));
    given([
        ("kinds", list(&what.kind), "--kind"),
        ("profile", text(&what.profile), "--profile"),
        ("tools", list(&what.tools), "--tools"),
        ("timeout", text(&what.timeout), "--timeout"),
        ("jobs", what.jobs.map(Value::from), "--jobs"),
        ("offline", switch(what.offline), "--offline"),
        ("sandbox", text(&what.sandbox), "--sandbox"),
        ("fail-on", text(&worth.fail_on), "--fail-on"),
        ("allow-incomplete", switch(worth.allow_incomplete), "--allow-incomplete"),
        ("require-all", switch(worth.require_all), "--require-all"),
        ("exit-zero", switch(worth.exit_zero), "--exit-zero"),
        ("ignore-suppressions", switch(worth.ignore_suppressions), "--ignore-suppressions"),
    ])
}

fn switch(on: bool) -> Option<Value> {
    on.then(|| Value::from(true))
}

fn given<const N: usize>(flags: [(&str, Option<Value>, &str); N]) -> Vec<Flag> {
    let set = flags.into_iter().filter_map(|(key, value, flag)| Some((key, value?, flag)));
    set.map(|(key, value, flag)| (key.to_owned(), value, flag.to_owned())).collect()
}
