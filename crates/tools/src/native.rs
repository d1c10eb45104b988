//! Analyzers that are part of the binary: what `assay __native NAME …` runs.

mod manifests; // pinned dependencies in the files that projects keep them in
mod safety_db; // known vulnerabilities of Python packages, from data that is given away

pub(crate) use manifests::{exact_requirements, own_requirements};
use std::{ffi::OsString, io::Write};

/// Runs a built-in analyzer and returns its exit code. Its report goes to `out`, its complaints to
/// `complaints`.
pub fn run(name: &str, args: &[OsString], out: &mut dyn Write, complaints: &mut dyn Write) -> u8 {
    let result = match name {
        "safety-db" => safety_db::run(args, out),
        _ => Err(format!("no analyzer called `{name}` is built in")),
    };
    match result {
        Ok(code) => code,
        Err(why) => {
            // Nobody is left to be told if this fails too.
            let _ = writeln!(complaints, "{name}: {why}");
            2
        }
    }
}
