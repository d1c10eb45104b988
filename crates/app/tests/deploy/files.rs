//! `Dockerfile` and `compose.yaml`, read as far as the tests need: what a container engine would make of them.

use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// One instruction of a Dockerfile: `RUN`, `COPY` …, and what stands behind it, in one line.
#[derive(Clone, Debug)]
pub(crate) struct Instruction {
    pub(crate) word: String,
    pub(crate) rest: String,
}

/// What the image says of a container of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) user: String,
    pub(crate) working_dir: String,
    pub(crate) entrypoint: Vec<String>,
    pub(crate) volumes: Vec<String>,
}

/// One volume of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// A path of this machine, the name of a volume, or nothing: one of each replica alone.
    pub(crate) source: Option<String>,
    pub(crate) target: String,
    pub(crate) is_read_only: bool,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// `compose.yaml` with the defaults of its variables put in and its merge keys resolved.
pub(crate) fn compose() -> Value {
    yaml(&read("compose.yaml"))
}

pub(crate) fn yaml(text: &str) -> Value {
    let mut value: Value = serde_saphyr::from_str(&interpolated(text)).unwrap();
    merge(&mut value);
    value
}

/// Puts defaults in: `${NAME:-default}` becomes `default`.
fn interpolated(text: &str) -> String {
    let mut parts = text.split("${");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').expect("every `${` has its `}`");
        let (_, default) = variable.split_once(":-").expect("every variable has a default");
        whole.push_str(default);
        whole.push_str(rest);
    }
    whole
}

/// Resolves `<<: *anchor`, where the reader of YAML has left it.
fn merge(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Object(merged)) = map.remove("<<") {
                for (key, inner) in merged {
                    map.entry(key).or_insert(inner);
                }
            }
            map.values_mut().for_each(merge);
        }
        Value::Array(items) => items.iter_mut().for_each(merge),
        _ => {}
    }
}

/// All instructions of a Dockerfile.
pub(crate) fn instructions(text: &str) -> Vec<Instruction> {
    let mut all = Vec::new();
    let mut line = String::new();
    for part in text.lines().map(str::trim).filter(|part| !part.starts_with('#')) {
        if let Some(part) = part.strip_suffix('\\') {
            line.push_str(part);
            continue;
        }
        line.push_str(part);
        if let Some((word, rest)) = line.split_once(' ') {
            all.push(Instruction { word: word.to_owned(), rest: rest.trim().to_owned() });
        }
        line.clear();
    }
    all
}

/// The last stage: what a container is made of.
pub(crate) fn image(text: &str) -> Image {
    let all = instructions(text);
    let begun = all.iter().rposition(|one| one.word == "FROM").unwrap();
    let mut image = Image::default();
    for Instruction { word, rest } in &all[begun..] {
        match word.as_str() {
            "ENV" => image.environment.extend(rest.split_whitespace().map(|pair| {
                let (name, value) = pair.split_once('=').expect("ENV NAME=VALUE");
                (name.to_owned(), value.to_owned())
            })),
            "USER" => image.user.clone_from(rest),
            "WORKDIR" => image.working_dir.clone_from(rest),
            "ENTRYPOINT" => image.entrypoint = serde_json::from_str(rest).unwrap(),
            "VOLUME" => image.volumes = serde_json::from_str(rest).unwrap(),
            _ => {}
        }
    }
    image
}

/// The volumes of a service, in either form in which they may be written.
pub(crate) fn mounts(service: &Value) -> Vec<Mount> {
    let one = |volume: &Value| match volume {
        Value::String(text) => {
            let parts: Vec<&str> = text.split(':').collect();
            Mount {
                source: Some(parts[0].to_owned()),
                target: parts[1].to_owned(),
                is_read_only: parts.get(2) == Some(&"ro"),
            }
        }
        long => Mount {
            source: long["source"].as_str().map(str::to_owned),
            target: long["target"].as_str().unwrap().to_owned(),
            is_read_only: long["read_only"] == true,
        },
    };
    service["volumes"].as_array().into_iter().flatten().map(one).collect()
}

/// The words of a list of texts.
pub(crate) fn words(list: &Value) -> Vec<String> {
    let all = list.as_array().unwrap_or_else(|| panic!("{list} is no list"));
    all.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// A table of texts: `environment`.
pub(crate) fn pairs(table: &Value) -> Vec<(String, String)> {
    let all = table.as_object().unwrap_or_else(|| panic!("{table} is no table"));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    all.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// How many of a service there are.
pub(crate) fn replicas(service: &Value) -> usize {
    service["deploy"]["replicas"].as_u64().map_or(1, |count| usize::try_from(count).unwrap())
}
