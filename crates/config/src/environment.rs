//! `ASSAY_…` and the old names.

use crate::{
    known::nearest,
    layers::{Layers, Origin},
    problem::Problem,
};
use serde_json::Value;

/// Variables and the keys that they set.
const VARIABLES: &[(&str, &str, Shape)] = &[
    ("ASSAY_KINDS", "kinds", Shape::List),
    ("ASSAY_PROFILE", "profile", Shape::Text),
    ("ASSAY_TOOLS", "tools", Shape::List),
    ("ASSAY_FAIL_ON", "fail-on", Shape::Text),
    ("ASSAY_TIMEOUT", "timeout", Shape::Text),
    ("ASSAY_JOBS", "jobs", Shape::Number),
    ("ASSAY_OFFLINE", "offline", Shape::Switch),
    ("ASSAY_ALLOW_INCOMPLETE", "allow-incomplete", Shape::Switch),
    ("ASSAY_REQUIRE_ALL", "require-all", Shape::Switch),
    ("ASSAY_EXIT_ZERO", "exit-zero", Shape::Switch),
    ("ASSAY_IGNORE_SUPPRESSIONS", "ignore-suppressions", Shape::Switch),
    ("ASSAY_NO_IGNORE", "no-ignore", Shape::Switch),
    ("ASSAY_SANDBOX", "sandbox", Shape::Text),
    ("ASSAY_SOURCE_ROOTS", "source-roots", Shape::List),
    ("ASSAY_OUTPUT", "output", Shape::Text),
    ("ASSAY_SERVER", "server", Shape::Text),
    ("ASSAY_HOST", "serve.host", Shape::Text),
    ("ASSAY_PORT", "serve.port", Shape::Number),
    ("ASSAY_SERVICE_HOST", "serve.service-host", Shape::Text),
    ("ASSAY_SERVICE_PORT", "serve.service-port", Shape::Number),
    ("ASSAY_ORIGINS", "serve.origins", Shape::List),
    ("ASSAY_TLS_CERTIFICATE", "serve.tls-certificate", Shape::Text),
    ("ASSAY_TLS_KEY", "serve.tls-key", Shape::Text),
    ("ASSAY_MAX_CLIENTS", "serve.max-clients", Shape::Number),
    ("ASSAY_DRAIN_TIMEOUT", "serve.drain-timeout", Shape::Text),
    ("ASSAY_ANALYSIS_TIMEOUT", "serve.analysis-timeout", Shape::Text),
    ("ASSAY_SLOTS", "serve.slots", Shape::Number),
    ("ASSAY_QUEUE", "serve.queue", Shape::Number),
    ("ASSAY_BOOK", "serve.book", Shape::Text),
    ("ASSAY_RESUME", "serve.resume", Shape::Text),
    ("ASSAY_STATIC_URLS", "serve.services.static", Shape::List),
    ("ASSAY_DYNAMIC_URLS", "serve.services.dynamic", Shape::List),
    ("ASSAY_PERFORMANCE_URLS", "serve.services.performance", Shape::List),
    ("ASSAY_AI_URLS", "serve.services.ai", Shape::List),
    ("ASSAY_MAX_CONNECTIONS", "serve.pool.max-connections", Shape::Number),
    ("ASSAY_CONNECT_TIMEOUT", "serve.pool.connect-timeout", Shape::Text),
    ("ASSAY_IDLE_TIMEOUT", "serve.pool.idle-timeout", Shape::Text),
    ("ASSAY_BREAKER_FAILURES", "serve.breaker.failures", Shape::Number),
    ("ASSAY_BREAKER_OPEN_FOR", "serve.breaker.open-for", Shape::Text),
    ("ASSAY_BREAKER_SUCCESSES", "serve.breaker.successes", Shape::Number),
];

/// Names that deployments of the Python system set. `ASSAY_…` beats them. Of two about one key the
/// later wins.
const OLD: &[(&str, &str, Shape)] = &[
    ("STATIC_ANALYSIS_TIMEOUT", "timeout", Shape::Seconds),
    ("GATEWAY_HOST", "serve.host", Shape::Text),
    ("GATEWAY_PORT", "serve.port", Shape::Number),
    ("WEBSOCKET_HOST", "serve.service-host", Shape::Text),
    ("WEBSOCKET_PORT", "serve.service-port", Shape::Number),
    ("STATIC_ANALYZER_URL", "serve.services.static", Shape::List),
    ("STATIC_ANALYZER_URLS", "serve.services.static", Shape::List),
    ("DYNAMIC_ANALYZER_URL", "serve.services.dynamic", Shape::List),
    ("DYNAMIC_ANALYZER_URLS", "serve.services.dynamic", Shape::List),
    ("PERF_TESTER_URL", "serve.services.performance", Shape::List),
    ("PERF_TESTER_URLS", "serve.services.performance", Shape::List),
    ("AI_ANALYZER_URL", "serve.services.ai", Shape::List),
    ("AI_ANALYZER_URLS", "serve.services.ai", Shape::List),
    ("ANALYZER_MAX_CONNECTIONS", "serve.pool.max-connections", Shape::Number),
    ("ANALYZER_CONNECTION_TIMEOUT", "serve.pool.connect-timeout", Shape::Seconds),
    ("ANALYZER_IDLE_TIMEOUT", "serve.pool.idle-timeout", Shape::Seconds),
    ("ANALYZER_CIRCUIT_THRESHOLD", "serve.breaker.failures", Shape::Number),
    ("ANALYZER_CIRCUIT_TIMEOUT", "serve.breaker.open-for", Shape::Seconds),
    ("ANALYZER_CIRCUIT_HALF_OPEN_CALLS", "serve.breaker.successes", Shape::Number),
];

/// Variables that are read elsewhere.
const ELSEWHERE: &[&str] = &[
    "ASSAY_CONFIG",
    "ASSAY_LOG",
    "ASSAY_LOG_FORMAT",
    "ASSAY_COLOR",
    "ASSAY_CACHE",
    "ASSAY_TOKEN",
    "ASSAY_TOKEN_FILE",
    "ASSAY_LISTEN",
];

/// Variables of our own tests, which a program started by one of them may see.
const FOR_TESTS: &str = "ASSAY_TEST_";

#[derive(Clone, Copy, Debug)]
enum Shape {
    Text,
    List,
    Number,
    Switch,
    Seconds,
}

/// Lays what the environment says over the files.
pub(crate) fn lay(
    layers: &mut Layers,
    variables: &[(String, String)],
    problems: &mut Vec<Problem>,
) {
    for (name, key, shape) in OLD.iter().chain(VARIABLES) {
        let Some((_, text)) = variables.iter().find(|(known, _)| known == name) else { continue };
        match shape.read(text) {
            Ok(value) => {
                let key: Vec<&str> = key.split('.').collect();
                layers.lay_at(&key, value, &Origin::Environment((*name).to_owned()));
            }
            Err(what) => problems.push(Problem::new(*name, format!("`{text}` is no {what}"))),
        }
    }
    let names = || VARIABLES.iter().map(|(name, ..)| *name);
    let ours = |name: &str| name.starts_with("ASSAY_") && !name.starts_with(FOR_TESTS);
    for (name, _) in variables.iter().filter(|(name, _)| ours(name)) {
        if !names().chain(ELSEWHERE.iter().copied()).any(|known| known == name) {
            let problem = Problem::new(name, "there is no such setting");
            problems.push(match nearest(name, names()) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
    }
}

// === impl Shape ===

impl Shape {
    fn read(self, text: &str) -> Result<Value, &'static str> {
        match self {
            Self::Text => Ok(Value::from(text)),
            Self::List => Ok(text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(Value::from)
                .collect()),
            Self::Number => text.parse::<u32>().map(Value::from).map_err(|_| "number"),
            Self::Seconds => match text.trim().parse::<f64>() {
                // The Python system took fractions too.
                Ok(seconds) if seconds > 0.0 => Ok(Value::from(format!("{:.0}s", seconds.ceil()))),
                _ => Err("number of seconds"),
            },
            Self::Switch => match text.to_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => Ok(Value::from(true)),
                "0" | "false" | "no" | "off" | "" => Ok(Value::from(false)),
                _ => Err("switch (write 1 or 0)"),
            },
        }
    }
}
