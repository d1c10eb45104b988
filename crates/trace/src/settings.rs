//! What the variables of OpenTelemetry say, as far as they are about traces.
//!
//! Keeps: what cannot be followed is told in words, and nothing is exported then; a header, which may
//! hold a token, is never shown.

use crate::sampler::Sampler;
use assay_model::TraceContext;
use std::{path::PathBuf, time::Duration};

/// Where spans go, and which.
#[derive(Clone, PartialEq)]
pub struct Settings {
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeout: Duration,
    /// Certificates of those who sign the collector's, beside what the system trusts.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) sampler: Sampler,
    /// `service.name` and what else is said of the process.
    pub(crate) resource: Vec<(String, String)>,
}

/// How long one request to the collector may take, where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The path below `OTEL_EXPORTER_OTLP_ENDPOINT`.
const PATH: &str = "v1/traces";

/// Returns the trace that this process was begun as a part of: `TRACEPARENT` and `TRACESTATE`.
pub fn given(variable: impl Fn(&str) -> Option<String>) -> Option<TraceContext> {
    TraceContext::parse(&variable("TRACEPARENT")?, variable("TRACESTATE").as_deref())
}

// === impl Settings ===

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the environment of a process of this name; `None` where it names no collector.
    ///
    /// # Errors
    ///
    /// In words, what is wrong or not spoken.
    pub fn read(
        service: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, String> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        // Of traces alone, else of all signals.
        let of_traces = |name: &str| {
            let own = variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"));
            own.or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|off| off.trim() == "true")
            || variable("OTEL_TRACES_EXPORTER").is_some_and(|name| name.trim() == "none");
        let whole = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let below = || {
            let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT")?;
            Some(format!("{}/{PATH}", base.trim().trim_end_matches('/')))
        };
        let Some(url) = whole.or_else(below).filter(|_| !is_off) else { return Ok(None) };
        let url = url.trim().to_owned();
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err("the endpoint of OTLP must begin with `http://` or `https://`".to_owned());
        }
        let protocol = of_traces("PROTOCOL").unwrap_or_else(|| "http/protobuf".to_owned());
        if protocol.trim() != "http/protobuf" {
            return Err(format!("OTLP is spoken as `http/protobuf`, not as `{}`", protocol.trim()));
        }
        let timeout = of_traces("TIMEOUT").and_then(|ms| ms.trim().parse().ok());
        let sampler = match variable("OTEL_TRACES_SAMPLER") {
            None => Sampler::default(),
            Some(name) => Sampler::of(name.trim(), variable("OTEL_TRACES_SAMPLER_ARG").as_deref())
                .ok_or_else(|| format!("there is no sampler `{}` here", name.trim()))?,
        };
        Ok(Some(Self {
            url,
            headers: of_traces("HEADERS").map(|list| pairs(&list)).unwrap_or_default(),
            timeout: timeout.map_or(TIMEOUT, Duration::from_millis),
            certificate: of_traces("CERTIFICATE").map(PathBuf::from),
            sampler,
            resource: resource(service, &variable),
        }))
    }
}

fn resource(service: &str, variable: &impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let mut resource: Vec<(String, String)> = [
        ("service.name", service.to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", crate::ids::fresh_trace().to_string()),
        ("process.pid", std::process::id().to_string()),
        ("telemetry.sdk.name", "assay".to_owned()),
        ("telemetry.sdk.language", "rust".to_owned()),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION").to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .to_vec();
    let listed = variable("OTEL_RESOURCE_ATTRIBUTES").map(|list| pairs(&list)).unwrap_or_default();
    // The name by itself beats the one in the list.
    let named = variable("OTEL_SERVICE_NAME").map(|name| ("service.name".to_owned(), name));
    for (key, value) in listed.into_iter().chain(named) {
        resource.retain(|(known, _)| *known != key);
        resource.push((key, value));
    }
    resource
}

/// Reads `key=value,key=value`, where values are escaped by percent signs. What is no pair is left
/// out.
fn pairs(list: &str) -> Vec<(String, String)> {
    let one = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let key = key.trim();
        (!key.is_empty()).then(|| (key.to_owned(), unescaped(value.trim())))
    };
    list.split(',').filter_map(one).collect()
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *first == b'%');
        let byte = escaped
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Settings>, String> {
        Settings::read("assay-test", |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const AT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

    #[test]
    fn without_a_collector_nothing_is_exported() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), Ok(None));
        assert_eq!(read(&[AT, ("OTEL_SDK_DISABLED", "true")]), Ok(None));
        assert_eq!(read(&[AT, ("OTEL_TRACES_EXPORTER", "none")]), Ok(None));
    }

    #[test]
    fn the_variables_of_traces_beat_those_of_all_signals() {
        let url = |variables: &[(&str, &str)]| read(variables).unwrap().unwrap().url;
        assert_eq!(url(&[AT]), "http://collector:4318/v1/traces");
        let with_path = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c/otlp/");
        assert_eq!(url(&[with_path]), "https://c/otlp/v1/traces");
        let whole = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:1/x");
        assert_eq!(url(&[AT, whole]), "http://t:1/x");
        let settings = read(&[
            AT,
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=0"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=Bearer%20x%2Cy, b = 2,=3,nothing"),
        ]);
        let settings = settings.unwrap().unwrap();
        assert_eq!(settings.timeout, Duration::from_millis(1500));
        let headers = [("authorization", "Bearer x,y"), ("b", "2")];
        assert_eq!(settings.headers, headers.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert!(!format!("{settings:?}").contains("Bearer"));
    }

    #[test]
    fn what_is_not_spoken_is_said() {
        for (name, value, word) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "`grpc`"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4317", "http://"),
            ("OTEL_TRACES_SAMPLER", "xray", "`xray`"),
        ] {
            let why = read(&[AT, (name, value)]).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn a_process_has_its_name_unless_it_is_given_another() {
        let name = |variables: &[(&str, &str)]| {
            let resource = read(variables).unwrap().unwrap().resource;
            let names: Vec<_> = resource.iter().filter(|(key, _)| key == "service.name").collect();
            assert_eq!(names.len(), 1);
            names[0].1.clone()
        };
        assert_eq!(name(&[AT]), "assay-test");
        let listed = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=mine,zone=a");
        assert_eq!(name(&[AT, listed]), "mine");
        assert_eq!(name(&[AT, listed, ("OTEL_SERVICE_NAME", "ours")]), "ours");
    }

    #[test]
    fn what_is_escaped_is_read_and_what_is_not_stays() {
        for (text, expected) in
            [("a%20b", "a b"), ("100%", "100%"), ("%zz%4", "%zz%4"), ("%+1", "%+1")]
        {
            assert_eq!(unescaped(text), expected);
        }
    }
}
