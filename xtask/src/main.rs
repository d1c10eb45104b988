//! `cargo xtask`: the chores, for a person and for CI.

#![forbid(unsafe_code)]

use std::{env, process::ExitCode};
use xtask::{Fault, Repo, docs, licences, tidy};

const USAGE: &str = "\
usage: cargo xtask CHORE

  tidy          checks what must hold of the files: arrows, sizes, words, links, documents
  licences      checks licences, sources and duplicates of all dependencies against deny.toml
  docs          writes the generated parts of documents
  docs --check  says which are not current, and writes nothing
";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

fn run(words: &[&str]) -> Result<ExitCode, String> {
    match words {
        ["tidy"] => {
            let faults = tidy::faults(&Repo::here()?);
            Ok(tell("tidy", &faults, &format!("{} rules hold", tidy::RULES.len())))
        }
        ["licences"] => {
            let answer = licences::check(&Repo::here()?)?;
            for warning in &answer.warnings {
                eprintln!("warning: {warning}");
            }
            let said = format!("{} dependencies may be given away", answer.dependencies);
            Ok(tell("licences", &answer.faults, &said))
        }
        ["docs"] => {
            let written = docs::write(&Repo::here()?)?;
            for path in &written {
                println!("wrote {path}");
            }
            println!("docs: {} of the documents were not current", written.len());
            Ok(ExitCode::SUCCESS)
        }
        ["docs", "--check"] => {
            let faults = docs::faults(&Repo::here()?);
            Ok(tell("docs", &faults, "all generated parts are current"))
        }
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(format!("there is no chore `{}`\n\n{USAGE}", other.join(" "))),
    }
}

fn tell(chore: &str, faults: &[Fault], well: &str) -> ExitCode {
    if faults.is_empty() {
        println!("{chore}: {well}");
        return ExitCode::SUCCESS;
    }
    for fault in faults {
        eprintln!("{fault}");
    }
    eprintln!("{chore}: {} to mend", faults.len());
    ExitCode::FAILURE
}
