//! Who does what: one visible table of names, ports, environment variables and types of analysis.
//!
//! Keeps: every name of the protocol stands in exactly one row.

use crate::{
    fault::{ErrorCode, Unreadable},
    words::words,
};
use assay_model::{Kind, Language};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

words! {
    /// A service as the gateway's clients name it.
    ServiceName, "service" {
        /// Served by static-analyzer.
        SecurityAnalyzer = "security_analyzer",
        /// Served by static-analyzer.
        CodeQuality = "code_quality",
        /// Served by static-analyzer.
        DependencyScanner = "dependency_scanner",
        /// Served by dynamic-analyzer.
        DynamicAnalyzer = "dynamic_analyzer",
        /// Served by performance-tester.
        PerformanceTester = "performance_tester",
        /// Served by ai-analyzer.
        AiAnalyzer = "ai_analyzer",
        /// The gateway itself.
        Gateway = "gateway",
    }
}

words! {
    /// A service as it names itself: what really runs.
    Analyzer, "analyzer" {
        Static = "static-analyzer",
        Dynamic = "dynamic-analyzer",
        Performance = "performance-tester",
        Ai = "ai-analyzer",
    }
}

/// The port of the gateway.
pub const GATEWAY_PORT: u16 = 8765;

/// Where the gateway listens, as deployments of the first system set it.
pub const GATEWAY_HOST_ENV: &str = "GATEWAY_HOST";
/// The port on which the gateway listens, likewise.
pub const GATEWAY_PORT_ENV: &str = "GATEWAY_PORT";
/// Where a service listens, likewise.
pub const SERVICE_HOST_ENV: &str = "WEBSOCKET_HOST";
/// The port on which a service listens, likewise.
pub const SERVICE_PORT_ENV: &str = "WEBSOCKET_PORT";

/// One analyzer: where it is, and what it is asked by.
#[derive(Clone, Copy, Debug)]
pub struct AnalyzerRow {
    pub analyzer: Analyzer,
    pub port: u16,
    /// The variable that names its URL.
    pub url_env: &'static str,
    /// The variable that names several, with commas.
    pub urls_env: &'static str,
    /// Types of its requests, beside `analysis_request`. The first is the one that we send.
    pub requests: &'static [&'static str],
    /// The type of its reply.
    pub reply: &'static str,
    /// The names by which the gateway's clients ask for it.
    pub services: &'static [ServiceName],
}

/// All analyzers.
pub const ANALYZERS: &[AnalyzerRow] = &[
    AnalyzerRow {
        analyzer: Analyzer::Static,
        port: 2001,
        url_env: "STATIC_ANALYZER_URL",
        urls_env: "STATIC_ANALYZER_URLS",
        requests: &["static_analyze"],
        reply: "static_analysis_result",
        services: &[
            ServiceName::SecurityAnalyzer,
            ServiceName::CodeQuality,
            ServiceName::DependencyScanner,
        ],
    },
    AnalyzerRow {
        analyzer: Analyzer::Dynamic,
        port: 2002,
        url_env: "DYNAMIC_ANALYZER_URL",
        urls_env: "DYNAMIC_ANALYZER_URLS",
        requests: &["dynamic_analyze"],
        reply: "dynamic_analysis_result",
        services: &[ServiceName::DynamicAnalyzer],
    },
    AnalyzerRow {
        analyzer: Analyzer::Performance,
        port: 2003,
        url_env: "PERF_TESTER_URL",
        urls_env: "PERF_TESTER_URLS",
        requests: &["performance_test", "performance_analysis"],
        reply: "performance_analysis_result",
        services: &[ServiceName::PerformanceTester],
    },
    AnalyzerRow {
        analyzer: Analyzer::Ai,
        port: 2004,
        url_env: "AI_ANALYZER_URL",
        urls_env: "AI_ANALYZER_URLS",
        requests: &["ai_analyze", "ai_analysis"],
        reply: "ai_analysis_result",
        services: &[ServiceName::AiAnalyzer],
    },
];

/// What is analysed, as the gateway's clients name it. A name that we do not know is kept: it may
/// still route by its prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent)]
pub struct AnalysisType(String);

/// One known type of analysis.
#[derive(Clone, Copy, Debug)]
pub struct TypeRow {
    pub word: &'static str,
    pub service: ServiceName,
    pub reach: Reach,
    /// Kinds of findings that are looked for; empty where all are.
    pub kinds: &'static [Kind],
    /// Languages that are looked at; empty where all are.
    pub languages: &'static [Language],
}

/// Which analyzers a type of analysis needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    One(Analyzer),
    /// All that are built.
    All,
}

const SECURITY: &[Kind] = &[Kind::Security, Kind::Secret];
const STATIC_SECURITY: &[Kind] = &[Kind::Security, Kind::Secret, Kind::Dependency];
const DEPENDENCY: &[Kind] = &[Kind::Dependency];
const QUALITY: &[Kind] = &[
    Kind::Correctness,
    Kind::Types,
    Kind::Complexity,
    Kind::DeadCode,
    Kind::Duplication,
    Kind::Style,
];
const PYTHON: &[Language] = &[Language::Python];
const JAVASCRIPT: &[Language] = &[Language::JavaScript, Language::TypeScript];

const fn row(word: &'static str, service: ServiceName, analyzer: Analyzer) -> TypeRow {
    TypeRow { word, service, reach: Reach::One(analyzer), kinds: &[], languages: &[] }
}

const fn of_static(
    word: &'static str,
    service: ServiceName,
    kinds: &'static [Kind],
    languages: &'static [Language],
) -> TypeRow {
    TypeRow { word, service, reach: Reach::One(Analyzer::Static), kinds, languages }
}

/// All known types of analysis.
pub const TYPES: &[TypeRow] = &[
    of_static("security_python", ServiceName::SecurityAnalyzer, SECURITY, PYTHON),
    of_static("security_javascript", ServiceName::SecurityAnalyzer, SECURITY, JAVASCRIPT),
    of_static("dependency_python", ServiceName::DependencyScanner, DEPENDENCY, PYTHON),
    of_static("dependency_node", ServiceName::DependencyScanner, DEPENDENCY, JAVASCRIPT),
    of_static("code_quality_python", ServiceName::CodeQuality, QUALITY, PYTHON),
    of_static("code_quality_javascript", ServiceName::CodeQuality, QUALITY, JAVASCRIPT),
    row("performance_load", ServiceName::PerformanceTester, Analyzer::Performance),
    row("performance_stress", ServiceName::PerformanceTester, Analyzer::Performance),
    row("ai_requirements_check", ServiceName::AiAnalyzer, Analyzer::Ai),
    row("ai_code_review", ServiceName::AiAnalyzer, Analyzer::Ai),
    of_static("static", ServiceName::CodeQuality, &[], &[]),
    of_static("security", ServiceName::SecurityAnalyzer, STATIC_SECURITY, &[]),
    row("dynamic", ServiceName::DynamicAnalyzer, Analyzer::Dynamic),
    row("performance", ServiceName::PerformanceTester, Analyzer::Performance),
    row("ai", ServiceName::AiAnalyzer, Analyzer::Ai),
    TypeRow {
        word: "comprehensive",
        service: ServiceName::Gateway,
        reach: Reach::All,
        kinds: &[],
        languages: &[],
    },
];

/// Prefixes by which a type that is in no row finds its service.
const PREFIXES: &[(&str, ServiceName)] = &[
    ("security", ServiceName::SecurityAnalyzer),
    ("dependency", ServiceName::DependencyScanner),
    ("code_quality", ServiceName::CodeQuality),
    ("static", ServiceName::CodeQuality),
    ("dynamic", ServiceName::DynamicAnalyzer),
    ("performance", ServiceName::PerformanceTester),
    ("ai", ServiceName::AiAnalyzer),
];

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub service: ServiceName,
    pub reach: Reach,
    /// Kinds of findings that are looked for; empty where all are.
    pub kinds: &'static [Kind],
    /// Languages that are looked at; empty where all are.
    pub languages: &'static [Language],
}

// === impl Analyzer ===

impl Analyzer {
    /// Returns what the table says of it.
    pub fn row(self) -> &'static AnalyzerRow {
        let found = ANALYZERS.iter().find(|row| row.analyzer == self);
        found.expect("`every_analyzer_has_a_row` holds")
    }
}

// === impl ServiceName ===

impl ServiceName {
    /// Returns who serves it; `None` for the gateway itself.
    pub fn analyzer(self) -> Option<Analyzer> {
        ANALYZERS.iter().find(|row| row.services.contains(&self)).map(|row| row.analyzer)
    }

    /// What a request looks for that names the service and no type of analysis.
    fn kinds(self) -> &'static [Kind] {
        match self {
            Self::SecurityAnalyzer => SECURITY,
            Self::DependencyScanner => DEPENDENCY,
            Self::CodeQuality => QUALITY,
            Self::DynamicAnalyzer | Self::PerformanceTester | Self::AiAnalyzer | Self::Gateway => {
                &[]
            }
        }
    }
}

// === impl AnalysisType ===

impl AnalysisType {
    /// Takes a name, in lower case.
    pub fn new(word: &str) -> Self {
        Self(word.trim().to_lowercase())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what the table says of it, if it is known.
    pub fn row(&self) -> Option<&'static TypeRow> {
        TYPES.iter().find(|row| row.word == self.0)
    }
}

// === impl Route ===

impl Route {
    /// Finds where a request goes: by its service, else by its type of analysis, else by that
    /// type's prefix. With neither it is a static analysis.
    ///
    /// # Errors
    ///
    /// `invalid_message` where the type is not known and has no known prefix, `unsupported` where
    /// the service is none that analyses.
    pub fn of(
        service: Option<ServiceName>,
        kind: Option<&AnalysisType>,
    ) -> Result<Self, Unreadable> {
        let row = kind.and_then(AnalysisType::row);
        match (service, kind, row) {
            (None, None, _) => Ok(Self::of_row(&TYPES[STATIC])),
            (None | Some(ServiceName::Gateway), _, Some(row)) => Ok(Self::of_row(row)),
            (Some(service), _, Some(row)) if serves(service, row) => {
                Ok(Self { service, ..Self::of_row(row) })
            }
            (Some(service), _, _) => Self::of_service(service),
            (None, Some(kind), None) => {
                let prefix = PREFIXES.iter().find(|(prefix, _)| kind.0.starts_with(prefix));
                let (_, service) = prefix.ok_or_else(|| unknown(kind))?;
                Self::of_service(*service)
            }
        }
    }

    fn of_row(row: &TypeRow) -> Self {
        let TypeRow { service, reach, kinds, languages, .. } = *row;
        Self { service, reach, kinds, languages }
    }

    fn of_service(service: ServiceName) -> Result<Self, Unreadable> {
        let analyzer = service.analyzer().ok_or_else(|| {
            let message = format!("the service `{service}` makes no analyses");
            Unreadable::new(ErrorCode::Unsupported, message)
        })?;
        let reach = Reach::One(analyzer);
        Ok(Self { service, reach, kinds: service.kinds(), languages: &[] })
    }
}

/// The place of `static` in [`TYPES`].
const STATIC: usize = 10;

fn serves(service: ServiceName, row: &TypeRow) -> bool {
    match row.reach {
        Reach::One(analyzer) => service.analyzer() == Some(analyzer),
        Reach::All => false,
    }
}

fn unknown(kind: &AnalysisType) -> Unreadable {
    let known: Vec<&str> = TYPES.iter().map(|row| row.word).collect();
    let shown: String = kind.0.chars().take(60).collect();
    let mut unreadable = Unreadable::new(
        ErrorCode::InvalidMessage,
        format!("`analysis_type` is \"{shown}\", wanted is one of {}", known.join(", ")),
    );
    unreadable.suggestion = Some("name the `service`, or a type that is known".to_owned());
    unreadable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_analyzer_has_a_row() {
        let rows: Vec<Analyzer> = ANALYZERS.iter().map(|row| row.analyzer).collect();
        assert_eq!(rows, Analyzer::ALL);
        let ports: Vec<u16> = ANALYZERS.iter().map(|row| row.port).collect();
        assert_eq!(ports, [2001, 2002, 2003, 2004]);
        assert_eq!(TYPES[STATIC].word, "static");
    }

    #[test]
    fn every_service_is_served_by_one_analyzer() {
        for service in ServiceName::ALL {
            let rows = ANALYZERS.iter().filter(|row| row.services.contains(service)).count();
            assert_eq!(rows, usize::from(*service != ServiceName::Gateway), "{service}");
        }
        for row in TYPES {
            assert_eq!(serves(row.service, row), row.reach != Reach::All, "{}", row.word);
        }
    }

    #[track_caller]
    fn check(service: &str, kind: &str, expected: Option<(&str, Reach)>) {
        let kind = Some(kind).filter(|kind| !kind.is_empty()).map(AnalysisType::new);
        let route = Route::of(ServiceName::of_word(service), kind.as_ref()).ok();
        let found = route.map(|route| (route.service.as_str(), route.reach));
        assert_eq!(found, expected, "service `{service}`, type {kind:?}");
    }

    #[test]
    fn a_request_goes_where_its_names_say() {
        let one = |name, analyzer| Some((name, Reach::One(analyzer)));
        check("", "", one("code_quality", Analyzer::Static));
        check("", "security_python", one("security_analyzer", Analyzer::Static));
        check("", "security_rust", one("security_analyzer", Analyzer::Static));
        check("", "AI_code_review ", one("ai_analyzer", Analyzer::Ai));
        check("", "comprehensive", Some(("gateway", Reach::All)));
        check("gateway", "comprehensive", Some(("gateway", Reach::All)));
        check("code_quality", "security_python", one("code_quality", Analyzer::Static));
        check("performance_tester", "", one("performance_tester", Analyzer::Performance));
        check("performance_tester", "x", one("performance_tester", Analyzer::Performance));
        check("", "x", None);
        check("gateway", "", None);
    }

    #[test]
    fn the_service_wins_over_a_type_of_another_analyzer() {
        let kind = AnalysisType::new("ai_code_review");
        let route = Route::of(Some(ServiceName::DependencyScanner), Some(&kind)).unwrap();
        assert_eq!((route.reach, route.kinds), (Reach::One(Analyzer::Static), DEPENDENCY));
    }
}
