//! Known vulnerabilities of Python packages, by the data that safety gave away until 2021.
//!
//! `assay __native safety-db --data DIR_OR_FILE FILE…` writes one JSON document. Its data is old,
//! so the document says how old, every time.
//!
//! Does not: resolve dependencies. A package without an exact version is counted as open, never
//! as harmless.

use super::manifests::{self, Pin, Pins};
use jiff::Timestamp;
use pep440_rs::{Version, VersionSpecifiers};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    io::Write,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Files that are larger are no list of dependencies.
const MANIFEST_BYTES_MAX: u64 = 5 << 20;

/// One known vulnerability.
#[derive(Clone, Debug, Deserialize)]
struct Advisory {
    #[serde(rename = "advisory")]
    text: String,
    #[serde(default)]
    cve: Option<String>,
    id: String,
    #[serde(default)]
    specs: Vec<String>,
}

/// The data: package names as the index compares them, and when it was made.
#[derive(Debug, Default)]
struct Database {
    advisories: HashMap<String, Vec<Advisory>>,
    made: Option<Timestamp>,
}

/// One pin that is known to be vulnerable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Match {
    file: String,
    line: u32,
    package: String,
    version: String,
    affected: String,
    id: String,
    cve: Option<String>,
    message: String,
}

/// The whole answer.
#[derive(Debug, Serialize)]
struct Answer {
    analyzer: &'static str,
    data_date: Option<String>,
    scanned: Vec<String>,
    failed: Vec<Failed>,
    findings: Vec<Match>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Failed {
    file: String,
    message: String,
}

/// Reads the arguments, matches, writes. Exit code 1 says that something was found.
pub(super) fn run(args: &[OsString], out: &mut dyn Write) -> Result<u8, String> {
    let (data, files) = match args {
        [flag, data, files @ ..] if flag == "--data" => (PathBuf::from(data), files),
        _ => return Err("usage: safety-db --data DIR_OR_FILE FILE…".to_owned()),
    };
    let data = find_data(&data)?;
    let text = fs::read_to_string(&data).map_err(|error| format!("{}: {error}", data.display()))?;
    let database = Database::parse(&text).map_err(|why| format!("{}: {why}", data.display()))?;
    let mut answer = Answer::new(&database);
    for file in files {
        let name = file.to_string_lossy().into_owned();
        match read_manifest(Path::new(file)) {
            Ok(text) => answer.add(&database, &name, &text),
            Err(message) => answer.failed.push(Failed { file: name, message }),
        }
    }
    let text = serde_json::to_string(&answer).map_err(|error| error.to_string())?;
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    Ok(u8::from(!answer.findings.is_empty()))
}

/// Finds the data in an installation of the `safety-db` package.
fn find_data(place: &Path) -> Result<PathBuf, String> {
    const NAME: &str = "insecure_full.json";
    if place.is_file() {
        return Ok(place.to_owned());
    }
    let mut folders = vec![place.to_owned(), place.join("safety_db")];
    let lib = place.join("lib");
    for entry in fs::read_dir(&lib).into_iter().flatten().flatten() {
        folders.push(entry.path().join("site-packages/safety_db"));
    }
    let found = folders.into_iter().map(|folder| folder.join(NAME)).find(|file| file.is_file());
    found.ok_or_else(|| format!("there is no `{NAME}` in `{}`", place.display()))
}

fn read_manifest(file: &Path) -> Result<String, String> {
    let size = fs::metadata(file).map_err(|error| error.to_string())?.len();
    if size > MANIFEST_BYTES_MAX {
        return Err(format!("it has {size} bytes"));
    }
    let bytes = fs::read(file).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

// === impl Database ===

impl Database {
    fn parse(text: &str) -> Result<Self, String> {
        let raw: HashMap<String, Value> =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut database = Self::default();
        for (name, value) in raw {
            if name == "$meta" {
                let second = value.get("timestamp").and_then(Value::as_i64);
                database.made = second.and_then(|second| Timestamp::from_second(second).ok());
                continue;
            }
            let advisories: Vec<Advisory> =
                serde_json::from_value(value).map_err(|error| format!("`{name}`: {error}"))?;
            database
                .advisories
                .entry(manifests::normal_name(&name))
                .or_default()
                .extend(advisories);
        }
        if database.advisories.is_empty() {
            return Err("it holds no advisory".to_owned());
        }
        Ok(database)
    }

    fn date(&self) -> Option<String> {
        self.made.map(|made| made.strftime("%Y-%m-%d").to_string())
    }

    /// Returns what is known about one pin, with the range that it falls into.
    fn affecting(&self, pin: &Pin, version: &Version) -> Vec<(&Advisory, String)> {
        let advisories = self.advisories.get(&pin.name).into_iter().flatten();
        let affected = advisories.filter_map(|advisory| {
            let spec = advisory.specs.iter().find(|spec| contains(spec, version))?;
            Some((advisory, spec.clone()))
        });
        let mut found: Vec<_> = affected.collect();
        found.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        found
    }
}

// === impl Answer ===

impl Answer {
    fn new(database: &Database) -> Self {
        let date = database.date();
        let known = date.as_deref().map_or("at an unknown time".to_owned(), |d| format!("on {d}"));
        let note = format!("its data was made {known}; nothing published later is known to it");
        Self {
            analyzer: "safety-db",
            data_date: date,
            scanned: Vec::new(),
            failed: Vec::new(),
            findings: Vec::new(),
            notes: vec![note],
        }
    }

    fn add(&mut self, database: &Database, file: &str, text: &str) {
        let Pins { pins, open } = match file.rsplit_once('.') {
            Some((_, "lock")) => manifests::toml_lock(text),
            _ => manifests::requirements(text),
        };
        let mut open = open.len();
        self.scanned.push(file.to_owned());
        for pin in &pins {
            let Ok(version) = Version::from_str(&pin.version) else {
                open += 1;
                continue;
            };
            for (advisory, affected) in database.affecting(pin, &version) {
                self.findings.push(Match {
                    file: file.to_owned(),
                    line: pin.line,
                    package: pin.name.clone(),
                    version: pin.version.clone(),
                    affected,
                    id: advisory.id.clone(),
                    cve: advisory.cve.clone(),
                    message: advisory.text.clone(),
                });
            }
        }
        if open > 0 {
            self.notes
                .push(format!("{file}: {open} packages without an exact version were not matched"));
        }
    }
}

/// A range that cannot be read matches nothing: the data holds a handful of them.
fn contains(spec: &str, version: &Version) -> bool {
    VersionSpecifiers::from_str(spec).is_ok_and(|range| range.contains(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = r#"{
        "$meta": {"advisory": "x", "timestamp": 1625119202},
        "Flask": [
            {"advisory": "old", "cve": "CVE-2018-1000656", "id": "pyup.io-36388",
             "specs": ["<0.12.3"], "v": "<0.12.3"},
            {"advisory": "broken range", "cve": null, "id": "z", "specs": ["what?"], "v": ""}
        ],
        "django": [{"advisory": "two ranges", "id": "d",
                    "specs": [">=1.0,<1.5", ">=2.0a1,<2.0.2"]}]
    }"#;

    fn ids(requirements: &str) -> Vec<String> {
        let database = Database::parse(DATA).unwrap();
        let mut answer = Answer::new(&database);
        answer.add(&database, "requirements.txt", requirements);
        answer.findings.into_iter().map(|found| format!("{}:{}", found.line, found.id)).collect()
    }

    #[test]
    fn versions_are_compared_as_versions_and_not_as_text() {
        assert_eq!(ids("flask==0.12.2\n"), ["1:pyup.io-36388"]);
        assert_eq!(ids("flask==0.12.10\n"), Vec::<String>::new());
        assert_eq!(ids("FLASK==0.9\ndjango==2.0.1\n"), ["1:pyup.io-36388", "2:d"]);
        assert_eq!(ids("django==1.11\n"), Vec::<String>::new());
    }

    #[test]
    fn every_answer_says_how_old_its_data_is() {
        let database = Database::parse(DATA).unwrap();
        let answer = Answer::new(&database);
        assert_eq!(answer.data_date.as_deref(), Some("2021-07-01"));
        assert!(answer.notes[0].contains("2021-07-01"));
    }

    #[test]
    fn an_open_version_is_told_and_never_taken_for_harmless() {
        let database = Database::parse(DATA).unwrap();
        let mut answer = Answer::new(&database);
        answer.add(&database, "requirements.txt", "flask>=0.1\n");
        assert!(answer.findings.is_empty());
        assert!(answer.notes[1].contains("1 packages without an exact version"));
    }

    #[test]
    fn what_it_prints_is_what_files_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("lib/python3.11/site-packages/safety_db")).unwrap();
        fs::write(path("lib/python3.11/site-packages/safety_db/insecure_full.json"), DATA).unwrap();
        fs::write(path("requirements.txt"), "flask==0.1\n").unwrap();
        let args = [
            "--data".into(),
            folder.path().into(),
            path("requirements.txt").into(),
            path("none.txt").into(),
        ];
        let mut out = Vec::new();
        assert_eq!(super::super::run("safety-db", &args, &mut out, &mut Vec::new()), 1);
        let answer: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(answer["findings"][0]["cve"], "CVE-2018-1000656");
        assert_eq!(answer["scanned"].as_array().unwrap().len(), 1);
        assert_eq!(answer["failed"].as_array().unwrap().len(), 1);
        assert_eq!(super::super::run("nobody", &[], &mut Vec::new(), &mut Vec::new()), 2);
    }
}
