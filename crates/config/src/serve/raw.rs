//! What may be written about a server: every key optional, nothing checked yet but its type.

use schemars::JsonSchema;
use serde::Deserialize;

/// Where a server listens, whom it lets in, and how it meets services.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RawServe {
    /// The address on which the gateway listens.
    pub host: Option<String>,
    /// The port of the gateway; 0: one that is free.
    pub port: Option<u16>,
    /// The address on which a service listens; empty: that of the gateway.
    pub service_host: Option<String>,
    /// The port of `assay service`; 0: one that is free. Absent: the usual one of that service.
    pub service_port: Option<u16>,
    /// Whom the server lets in. None: everybody on this machine.
    pub tokens: Option<Vec<RawToken>>,
    /// Origins from which pages in a browser may connect.
    pub origins: Option<Vec<String>>,
    /// A PEM file with the certificate and its chain; empty: no TLS.
    pub tls_certificate: Option<String>,
    /// A PEM file with the certificate's key.
    pub tls_key: Option<String>,
    /// Connections of clients at a time.
    pub max_clients: Option<u32>,
    /// Connections of clients at a time from one address of another machine.
    pub max_clients_per_address: Option<u32>,
    /// How long running work may go on when the server ends.
    pub drain_timeout: Option<String>,
    /// How long an analysis may take whose request does not say.
    pub analysis_timeout: Option<String>,
    /// How long the work of a client lives on whose connection broke.
    pub lost_grace: Option<String>,
    /// Analyses at once of a service; 0: half as many as there are processors, and two at least.
    pub slots: Option<u32>,
    /// Analyses that may wait at a service.
    pub queue: Option<u32>,
    /// Where the gateway remembers what it took on; empty: the state folder.
    pub book: Option<String>,
    /// What becomes of work that was open when a gateway was killed: `restart` or `lose`.
    pub resume: Option<Resume>,
    /// What the book keeps of tasks that have ended.
    pub retention: RawRetention,
    /// URLs of services that run elsewhere.
    pub services: RawServices,
    /// Connections to services.
    pub pool: RawPool,
    /// When a service is left alone.
    pub breaker: RawBreaker,
}

/// One client, or several that share a secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawToken {
    /// By which it is accounted and logged.
    pub name: String,
    /// The SHA-256 of the secret, in hexadecimal: `printf %s "$SECRET" | sha256sum`.
    pub secret_sha256: String,
    /// What it may do: `read`, `run`, `admin`. Absent: `read` and `run`.
    pub scopes: Option<Vec<TokenScope>>,
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenScope {
    /// See what there is.
    Read,
    /// Have work done, and cancel it.
    Run,
    /// Change which services there are.
    Admin,
}

/// What becomes of work that was open when a gateway was killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Resume {
    /// It is done anew, unless its deadline has passed.
    #[default]
    Restart,
    /// It is ended as lost.
    Lose,
}

/// What the book keeps of tasks that have ended; 0: without a bound.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RawRetention {
    /// Days after their end.
    pub days: Option<u32>,
    /// How many of them.
    pub tasks: Option<u64>,
    /// MiB of all of them together.
    pub mib: Option<u64>,
}

/// URLs of services that run elsewhere. Where there are none, the gateway's own process serves.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RawServices {
    /// Of the static analyzer and its replicas.
    #[serde(rename = "static")]
    pub static_analyzer: Option<Vec<String>>,
    /// Of the dynamic analyzer and its replicas.
    pub dynamic: Option<Vec<String>>,
    /// Of the performance tester and its replicas.
    pub performance: Option<Vec<String>>,
    /// Of the AI analyzer and its replicas.
    pub ai: Option<Vec<String>>,
}

/// Connections to services.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RawPool {
    /// Connections to all services together, idle ones too.
    pub max_connections: Option<u32>,
    /// How long a service may take to accept.
    pub connect_timeout: Option<String>,
    /// How long a connection may lie idle before it is closed.
    pub idle_timeout: Option<String>,
}

/// When a service is left alone.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RawBreaker {
    /// Failures in a row after which it is left alone.
    pub failures: Option<u32>,
    /// For how long.
    pub open_for: Option<String>,
    /// Successes in a row after which it is trusted again.
    pub successes: Option<u32>,
}
