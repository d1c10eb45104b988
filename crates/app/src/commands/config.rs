//! `assay config`: the configuration in force, and where it comes from.

use crate::{
    cli::{Config as Command, Global},
    exit::Exit,
    failure::{Failure, Outcome},
    session,
    setup::{catalogue, loader},
};
use assay_config::{DEFAULTS, Loaded};
use serde_json::{Value, json};
use std::{fs, io::Write as _, path::Path};

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    match command {
        Command::Show { json } => show(&loader(global)?.check()?, json),
        Command::Check => check(global),
        Command::Init { file } => init(&file),
    }
}

fn show(loaded: &Loaded, as_json: bool) -> Outcome {
    let rows = rows(loaded);
    if as_json {
        let values: Vec<Value> = rows
            .iter()
            .map(|(key, value, origin)| json!({"key": key, "value": value, "origin": origin}))
            .collect();
        session::print_json(&values)?;
        return Ok(Exit::Done);
    }
    let cells: Vec<Vec<String>> =
        rows.into_iter().map(|(key, value, origin)| vec![key, value.to_string(), origin]).collect();
    session::print(&assay_term::table(
        &["setting", "value", "from"],
        &cells,
        assay_term::stdout_width(),
    ))?;
    Ok(Exit::Done)
}

/// One row for every value that is set somewhere, in the order of the keys.
fn rows(loaded: &Loaded) -> Vec<(String, Value, String)> {
    let row = |(key, origin): (&str, &assay_config::Origin)| {
        let mut value = loaded.values.get(key.split('.').next()?)?;
        let rest = key.split_once('.').map_or("", |(_, rest)| rest);
        // A key may hold dots itself (`severity."ruff:S1.2"`), so what is left is tried whole.
        let mut rest = rest;
        while !rest.is_empty() {
            if let Some(inner) = value.get(rest) {
                value = inner;
                break;
            }
            let (part, more) = rest.split_once('.').unwrap_or((rest, ""));
            value = value.get(part)?;
            rest = more;
        }
        Some((key.to_owned(), value.clone(), origin.to_string()))
    };
    loaded.origins.iter().filter_map(row).collect()
}

fn check(global: &Global) -> Outcome {
    let loaded = loader(global)?.check()?;
    let catalogue = catalogue(&loaded.config)?;
    for (tool, set) in &loaded.config.settings {
        let resolved = catalogue.resolve(tool).map_err(|error| {
            Failure::usage(format!("`settings.{tool}`: {error}")).maybe_hint(error.hint())
        })?;
        resolved.tool.settings(&set.options).map_err(|error| Failure::usage(error.to_string()))?;
    }
    let files: Vec<String> =
        loaded.files.iter().map(|file| format!("{}\n", file.display())).collect();
    let read = if files.is_empty() { "no file was found\n".to_owned() } else { files.concat() };
    session::print(&format!("the configuration is valid\n{read}"))?;
    Ok(Exit::Done)
}

fn init(file: &Path) -> Outcome {
    let failed = |error: std::io::Error| {
        let exists = error.kind() == std::io::ErrorKind::AlreadyExists;
        let hint = if exists {
            "name another file, or remove this one first"
        } else {
            "check that its folder exists and that you may write there"
        };
        Failure::usage(format!("`{}` was not written", file.display())).because(error).hint(hint)
    };
    let mut made =
        fs::OpenOptions::new().write(true).create_new(true).open(file).map_err(failed)?;
    made.write_all(DEFAULTS.as_bytes()).map_err(failed)?;
    session::print(&format!("wrote {}\n", file.display()))?;
    Ok(Exit::Done)
}
