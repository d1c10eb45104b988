//! A server that knows a few vulnerabilities, in the words of those that the real tools ask:
//! the PyPI JSON API and OSV's `/v1/query` (pip-audit), npm's bulk and quick audit (npm audit).
//!
//! The packages and advisories are real and old, so that a test reads like a report.

use crate::http::{Answer, Question, Server};
use serde_json::{Value, json};
use std::io;

/// A version below `fixed` has the vulnerability.
struct Advisory {
    ecosystem: Ecosystem,
    package: &'static str,
    id: &'static str,
    alias: &'static str,
    summary: &'static str,
    severity: &'static str,
    cwe: &'static str,
    fixed: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ecosystem {
    PyPi,
    Npm,
}

const KNOWN: &[Advisory] = &[
    Advisory {
        ecosystem: Ecosystem::PyPi,
        package: "flask",
        id: "GHSA-m2qf-hxjv-5gpq",
        alias: "CVE-2023-30861",
        summary: "Flask vulnerable to possible disclosure of permanent session cookie",
        severity: "high",
        cwe: "CWE-539",
        fixed: "2.2.5",
    },
    Advisory {
        ecosystem: Ecosystem::PyPi,
        package: "requests",
        id: "GHSA-j8r2-6x86-q33q",
        alias: "CVE-2023-32681",
        summary: "Unintended leak of Proxy-Authorization header in requests",
        severity: "moderate",
        cwe: "CWE-200",
        fixed: "2.31.0",
    },
    Advisory {
        ecosystem: Ecosystem::PyPi,
        package: "jinja2",
        id: "GHSA-h5c8-rqwp-cp95",
        alias: "CVE-2024-22195",
        summary: "Jinja vulnerable to HTML attribute injection",
        severity: "moderate",
        cwe: "CWE-79",
        fixed: "3.1.3",
    },
    Advisory {
        ecosystem: Ecosystem::Npm,
        package: "lodash",
        id: "GHSA-35jh-r3h4-6jhm",
        alias: "CVE-2021-23337",
        summary: "Command Injection in lodash",
        severity: "high",
        cwe: "CWE-77",
        fixed: "4.17.21",
    },
    Advisory {
        ecosystem: Ecosystem::Npm,
        package: "minimist",
        id: "GHSA-xvch-5gv4-984h",
        alias: "CVE-2021-44906",
        summary: "Prototype Pollution in minimist",
        severity: "critical",
        cwe: "CWE-1321",
        fixed: "1.2.6",
    },
];

/// The running server.
#[derive(Debug)]
pub struct Advisories(Server);

// === impl Advisories ===

impl Advisories {
    pub fn start() -> io::Result<Self> {
        Server::start(answer).map(Self)
    }

    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// The address without a slash at its end; also what `npm --registry` takes.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// For `pip-audit --vulnerability-service osv --osv-url`.
    pub fn osv_url(&self) -> String {
        format!("{}/v1/query", self.0.url())
    }

    /// Every question so far.
    pub fn asked(&self) -> Vec<String> {
        self.0.asked()
    }
}

fn answer(question: &Question) -> Answer {
    let path = question.path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (question.method.as_str(), parts.as_slice()) {
        ("GET", ["pypi", package, version, "json"]) => pypi(package, version),
        ("POST", ["v1", "query"]) => json_body(question).map_or(Answer::status(400), |q| osv(&q)),
        ("POST", ["-", "npm", "v1", "security", "advisories", "bulk"]) => {
            json_body(question).map_or(Answer::status(400), |q| npm_bulk(&q))
        }
        ("POST", ["-", "npm", "v1", "security", "audits" | "audits/quick", ..]) => {
            json_body(question).map_or(Answer::status(400), |q| npm_quick(&q))
        }
        ("GET", [package]) => packument(package),
        _ => Answer::status(404),
    }
}

fn json_body(question: &Question) -> Option<Value> {
    serde_json::from_slice(&question.body).ok()
}

fn hits(ecosystem: Ecosystem, package: &str, version: &str) -> Vec<&'static Advisory> {
    KNOWN
        .iter()
        .filter(|known| known.ecosystem == ecosystem && known.package == package)
        .filter(|known| numbers(version) < numbers(known.fixed))
        .collect()
}

fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

fn pypi(package: &str, version: &str) -> Answer {
    let package = package.to_ascii_lowercase().replace(['_', '.'], "-");
    let vulnerabilities: Vec<Value> = hits(Ecosystem::PyPi, &package, version)
        .into_iter()
        .map(|known| {
            json!({
                "id": known.id, "aliases": [known.alias], "details": known.summary,
                "summary": known.summary, "fixed_in": [known.fixed], "source": "osv",
                "link": format!("https://osv.dev/vulnerability/{}", known.id), "withdrawn": null,
            })
        })
        .collect();
    Answer::json(&json!({
        "info": { "name": package, "version": version },
        "urls": [],
        "vulnerabilities": vulnerabilities,
    }))
}

fn osv(query: &Value) -> Answer {
    let package = query["package"]["name"].as_str().unwrap_or_default();
    let version = query["version"].as_str().unwrap_or_default();
    let found: Vec<Value> = hits(Ecosystem::PyPi, package, version)
        .into_iter()
        .map(|known| {
            json!({
                "id": known.id, "aliases": [known.alias], "summary": known.summary,
                "details": known.summary, "modified": "2024-01-01T00:00:00Z",
                "published": "2024-01-01T00:00:00Z",
                "affected": [{
                    "package": { "name": package, "ecosystem": "PyPI" },
                    "ranges": [{
                        "type": "ECOSYSTEM",
                        "events": [{ "introduced": "0" }, { "fixed": known.fixed }],
                    }],
                }],
            })
        })
        .collect();
    // OSV leaves the key out where it knows nothing.
    Answer::json(&if found.is_empty() { json!({}) } else { json!({ "vulns": found }) })
}

fn npm_advisory(known: &Advisory) -> Value {
    json!({
        "id": 1_000_000 + KNOWN.iter().position(|k| k.id == known.id).unwrap_or(0),
        "url": format!("https://github.com/advisories/{}", known.id),
        "title": known.summary, "severity": known.severity,
        "vulnerable_versions": format!("<{}", known.fixed), "cwe": [known.cwe],
        "cvss": { "score": 7.2, "vectorString": "CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:H/A:H" },
    })
}

fn npm_bulk(asked: &Value) -> Answer {
    let mut found = serde_json::Map::new();
    for (package, versions) in asked.as_object().into_iter().flatten() {
        let advisories: Vec<Value> = KNOWN
            .iter()
            .filter(|known| known.ecosystem == Ecosystem::Npm && known.package == package)
            .filter(|known| {
                let versions = versions.as_array().into_iter().flatten().filter_map(Value::as_str);
                versions.into_iter().any(|version| numbers(version) < numbers(known.fixed))
            })
            .map(npm_advisory)
            .collect();
        if !advisories.is_empty() {
            found.insert(package.clone(), advisories.into());
        }
    }
    Answer::json(&Value::Object(found))
}

/// The older protocol, which npm 6 speaks and newer ones fall back to.
fn npm_quick(asked: &Value) -> Answer {
    let mut advisories = serde_json::Map::new();
    for (package, wanted) in asked["dependencies"].as_object().into_iter().flatten() {
        let version = wanted["version"].as_str().unwrap_or_default();
        for known in hits(Ecosystem::Npm, package, version) {
            let mut advisory = npm_advisory(known);
            advisory["module_name"] = json!(package);
            advisory["findings"] = json!([{ "version": version, "paths": [package] }]);
            advisories.insert(advisory["id"].to_string(), advisory);
        }
    }
    let total = advisories.len();
    Answer::json(&json!({
        "actions": [], "advisories": advisories, "muted": [],
        "metadata": { "vulnerabilities": { "high": total }, "totalDependencies": total },
    }))
}

/// What npm asks of a vulnerable package, to learn which versions of others need it.
fn packument(package: &str) -> Answer {
    let versions: serde_json::Map<String, Value> = KNOWN
        .iter()
        .filter(|known| known.ecosystem == Ecosystem::Npm && known.package == package)
        .flat_map(|known| [known.fixed, "0.0.1"])
        .map(|version| (version.to_owned(), json!({ "name": package, "version": version })))
        .collect();
    if versions.is_empty() {
        return Answer::status(404);
    }
    let latest = versions.keys().next_back().cloned().unwrap_or_default();
    Answer::json(
        &json!({ "name": package, "dist-tags": { "latest": latest }, "versions": versions }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &str, path: &str, body: &Value) -> Value {
        let question = Question {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: std::collections::BTreeMap::new(),
            body: body.to_string().into_bytes(),
        };
        serde_json::from_slice(&answer(&question).body).unwrap()
    }

    #[test]
    fn an_old_flask_is_known_to_both_python_services_and_a_new_one_is_not() {
        let query = |version| json!({ "package": { "name": "flask" }, "version": version });
        assert_eq!(ask("POST", "/v1/query", &query("2.0.1"))["vulns"][0]["id"], KNOWN[0].id);
        assert_eq!(ask("POST", "/v1/query", &query("3.0.0")), json!({}));
        let page = ask("GET", "/pypi/Flask/2.0.1/json", &Value::Null);
        assert_eq!(page["vulnerabilities"][0]["fixed_in"][0], "2.2.5");
        let page = ask("GET", "/pypi/Flask/2.2.5/json", &Value::Null);
        assert_eq!(page["vulnerabilities"], json!([]));
    }

    #[test]
    fn an_old_lodash_is_known_to_both_npm_protocols() {
        let bulk = "/-/npm/v1/security/advisories/bulk";
        let found = ask("POST", bulk, &json!({ "lodash": ["4.17.20"], "semver": ["1.0.0"] }));
        assert_eq!(found["lodash"][0]["vulnerable_versions"], "<4.17.21");
        assert!(found.get("semver").is_none());
        let tree = json!({ "dependencies": { "lodash": { "version": "4.17.20" } } });
        let found = ask("POST", "/-/npm/v1/security/audits/quick", &tree);
        assert_eq!(found["advisories"].as_object().unwrap().len(), 1);
    }
}
