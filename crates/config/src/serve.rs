//! What a server is told: where it listens, whom it lets in, how it meets services.

mod raw; // what may be written

pub use raw::{
    RawBreaker, RawPool, RawRetention, RawServe, RawServices, RawToken, Resume, TokenScope,
};

use crate::{check::parse_duration, problem::Problem};
use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

/// A valid description of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve {
    pub host: String,
    /// 0: one that is free.
    pub port: u16,
    pub service_host: String,
    /// `None`: the usual one of the service; 0: one that is free.
    pub service_port: Option<u16>,
    pub tokens: Vec<TokenEntry>,
    pub origins: Vec<String>,
    pub tls: Option<TlsFiles>,
    pub max_clients: usize,
    pub max_clients_per_address: usize,
    pub drain_timeout: Duration,
    pub analysis_timeout: Duration,
    pub lost_grace: Duration,
    /// `None`: by the number of processors.
    pub slots: Option<NonZeroU32>,
    pub queue: usize,
    /// `None`: under the state folder.
    pub book: Option<PathBuf>,
    pub resume: Resume,
    pub retention: RetentionSettings,
    pub services: ServiceUrls,
    pub pool: PoolSettings,
    pub breaker: BreakerSettings,
}

/// A token that is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEntry {
    pub name: String,
    /// The SHA-256 of the secret.
    pub sha256: [u8; 32],
    pub scopes: Vec<TokenScope>,
}

/// The PEM files of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// URLs of services that run elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceUrls {
    pub static_analyzer: Vec<String>,
    pub dynamic: Vec<String>,
    pub performance: Vec<String>,
    pub ai: Vec<String>,
}

/// What the book keeps of tasks that have ended. `None`: without a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// So long after their end.
    pub keep_for: Option<Duration>,
    pub tasks: Option<u64>,
    pub bytes: Option<u64>,
}

/// Connections to services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    pub max_connections: NonZeroU32,
    pub connect_timeout: Duration,
    pub idle_timeout: Duration,
}

/// When a service is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    pub failures: NonZeroU32,
    pub open_for: Duration,
    pub successes: NonZeroU32,
}

/// Reads one section, telling problems by the name of the key.
struct Section<'a> {
    name: &'static str,
    problems: &'a mut Vec<Problem>,
}

/// Turns the written words into a description. Problems are added to `problems`.
pub(crate) fn check(raw: RawServe, problems: &mut Vec<Problem>) -> Serve {
    let mut is = Section { name: "serve", problems };
    let host = raw.host.filter(|host| !host.is_empty()).unwrap_or_else(|| "127.0.0.1".to_owned());
    let tokens = raw.tokens.unwrap_or_default();
    let tokens: Vec<TokenEntry> = tokens.into_iter().filter_map(|raw| is.token(raw)).collect();
    is.names_differ(&tokens);
    let tls = is.tls(raw.tls_certificate, raw.tls_key);
    Serve {
        service_host: raw.service_host.filter(|it| !it.is_empty()).unwrap_or_else(|| host.clone()),
        host,
        port: raw.port.unwrap_or(8765),
        service_port: raw.service_port,
        tokens,
        origins: raw.origins.unwrap_or_default(),
        tls,
        max_clients: is.count("max-clients", raw.max_clients, 16_384),
        max_clients_per_address: is.count(
            "max-clients-per-address",
            raw.max_clients_per_address,
            256,
        ),
        drain_timeout: is.time("drain-timeout", raw.drain_timeout.as_deref(), 30),
        analysis_timeout: is.time("analysis-timeout", raw.analysis_timeout.as_deref(), 300),
        lost_grace: is.time("lost-grace", raw.lost_grace.as_deref(), 30),
        slots: raw.slots.and_then(NonZeroU32::new),
        queue: is.count("queue", raw.queue, 100),
        book: raw.book.filter(|path| !path.is_empty()).map(PathBuf::from),
        resume: raw.resume.unwrap_or_default(),
        retention: retention(&raw.retention),
        services: Section { name: "serve.services", problems: is.problems }.urls(raw.services),
        pool: Section { name: "serve.pool", problems: is.problems }.pool(&raw.pool),
        breaker: Section { name: "serve.breaker", problems: is.problems }.breaker(&raw.breaker),
    }
}

fn retention(raw: &RawRetention) -> RetentionSettings {
    let bound = |value: u64| (value > 0).then_some(value);
    let days = bound(u64::from(raw.days.unwrap_or(30)));
    let mib = bound(raw.mib.unwrap_or(10_240));
    RetentionSettings {
        keep_for: days.map(|days| Duration::from_secs(days * 24 * 60 * 60)),
        tasks: bound(raw.tasks.unwrap_or(100_000)),
        bytes: mib.map(|mib| mib.saturating_mul(1 << 20)),
    }
}

// === impl Section ===

impl Section<'_> {
    fn wrong(&mut self, key: &str, what: impl Into<String>, hint: &str) {
        let problem = Problem::new(format!("{}.{key}", self.name), what.into());
        self.problems.push(problem.hint(hint));
    }

    fn time(&mut self, key: &str, text: Option<&str>, default_s: u64) -> Duration {
        let default = Duration::from_secs(default_s);
        let Some(text) = text else { return default };
        parse_duration(text).unwrap_or_else(|what| {
            self.wrong(key, what, "write it as `30s` or `5m`");
            default
        })
    }

    fn count(&mut self, key: &str, value: Option<u32>, default: usize) -> usize {
        let value = value.map_or(default, |value| usize::try_from(value).unwrap_or(usize::MAX));
        NonZeroUsize::new(value).map_or_else(
            || {
                self.wrong(key, "is 0, which lets nothing happen", "write 1 or more");
                default
            },
            NonZeroUsize::get,
        )
    }

    fn number(&mut self, key: &str, value: Option<u32>, default: NonZeroU32) -> NonZeroU32 {
        let Some(value) = value else { return default };
        NonZeroU32::new(value).unwrap_or_else(|| {
            self.wrong(key, "is 0, which lets nothing happen", "write 1 or more");
            default
        })
    }

    fn token(&mut self, raw: RawToken) -> Option<TokenEntry> {
        let RawToken { name, secret_sha256, scopes } = raw;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c))
        {
            let what = format!("`{name}` is no name of a token");
            self.wrong("tokens", what, "use letters, digits and `-_.@`");
            return None;
        }
        let Some(sha256) = digest(&secret_sha256) else {
            let what = format!("the `secret-sha256` of `{name}` is no SHA-256 in hexadecimal");
            self.wrong("tokens", what, "make it with `printf %s \"$SECRET\" | sha256sum`");
            return None;
        };
        let scopes = scopes.unwrap_or_else(|| vec![TokenScope::Read, TokenScope::Run]);
        Some(TokenEntry { name, sha256, scopes })
    }

    fn names_differ(&mut self, tokens: &[TokenEntry]) {
        for (place, token) in tokens.iter().enumerate() {
            if tokens[..place].iter().any(|other| other.name == token.name) {
                let what = format!("two tokens are named `{}`", token.name);
                self.wrong("tokens", what, "give each a name of its own");
            }
        }
    }

    fn tls(&mut self, certificate: Option<String>, key: Option<String>) -> Option<TlsFiles> {
        let given = |path: Option<String>| path.filter(|path| !path.is_empty()).map(PathBuf::from);
        match (given(certificate), given(key)) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            (Some(_), None) => {
                self.wrong("tls-key", "is missing beside `tls-certificate`", "name both, or none");
                None
            }
            (None, Some(_)) => {
                self.wrong("tls-certificate", "is missing beside `tls-key`", "name both, or none");
                None
            }
        }
    }

    fn urls(&mut self, raw: RawServices) -> ServiceUrls {
        let mut of = |key: &str, urls: Option<Vec<String>>| {
            let urls = urls.unwrap_or_default();
            for url in &urls {
                if !url.starts_with("ws://") && !url.starts_with("wss://") {
                    let what = format!("`{url}` is no URL of a service");
                    self.wrong(key, what, "write it as `ws://host:port` or `wss://host:port`");
                }
            }
            urls
        };
        ServiceUrls {
            static_analyzer: of("static", raw.static_analyzer),
            dynamic: of("dynamic", raw.dynamic),
            performance: of("performance", raw.performance),
            ai: of("ai", raw.ai),
        }
    }

    fn pool(&mut self, raw: &RawPool) -> PoolSettings {
        const FIFTY: NonZeroU32 = NonZeroU32::new(50).expect("50 is not 0");
        PoolSettings {
            max_connections: self.number("max-connections", raw.max_connections, FIFTY),
            connect_timeout: self.time("connect-timeout", raw.connect_timeout.as_deref(), 10),
            idle_timeout: self.time("idle-timeout", raw.idle_timeout.as_deref(), 300),
        }
    }

    fn breaker(&mut self, raw: &RawBreaker) -> BreakerSettings {
        const FIVE: NonZeroU32 = NonZeroU32::new(5).expect("5 is not 0");
        const THREE: NonZeroU32 = NonZeroU32::new(3).expect("3 is not 0");
        BreakerSettings {
            failures: self.number("failures", raw.failures, FIVE),
            open_for: self.time("open-for", raw.open_for.as_deref(), 60),
            successes: self.number("successes", raw.successes, THREE),
        }
    }
}

/// Reads 32 bytes in hexadecimal.
fn digest(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> =
        text.trim().chars().map(|c| u8::try_from(c.to_digit(16)?).ok()).collect();
    let digits: [u8; 64] = digits?.try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> (Serve, Vec<String>) {
        let mut problems = Vec::new();
        let serve = check(toml::from_str(text).unwrap(), &mut problems);
        (serve, problems.into_iter().map(|problem| problem.place).collect())
    }

    #[test]
    fn a_server_is_this_machines_own_unless_told_otherwise() {
        let (serve, problems) = checked("");
        assert_eq!(problems, [""; 0]);
        assert_eq!((serve.host.as_str(), serve.port), ("127.0.0.1", 8765));
        assert_eq!(serve.service_host, "127.0.0.1");
        assert_eq!(serve.pool.max_connections.get(), 50);
        assert_eq!(serve.drain_timeout, Duration::from_secs(30));
        assert_eq!(serve.retention.keep_for, Some(Duration::from_hours(720)));
        assert_eq!(checked("[retention]\ndays = 0").0.retention.keep_for, None);
        let (serve, _) = checked("host = \"0.0.0.0\"");
        assert_eq!(serve.service_host, "0.0.0.0");
    }

    #[test]
    fn a_token_is_kept_by_its_digest() {
        // SHA-256 of `abc` (FIPS 180-4, example 1).
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let (serve, problems) =
            checked(&format!("[[tokens]]\nname = \"ci\"\nsecret-sha256 = \"{hex}\"\n"));
        assert_eq!(problems, [""; 0]);
        assert_eq!(serve.tokens[0].sha256[..3], [0xba, 0x78, 0x16]);
        assert_eq!(serve.tokens[0].scopes, [TokenScope::Read, TokenScope::Run]);
    }

    #[test]
    fn every_problem_is_told_by_its_key() {
        let (_, problems) = checked(
            "drain-timeout = \"soon\"\nqueue = 0\ntls-key = \"key.pem\"\n\
             [[tokens]]\nname = \"a b\"\nsecret-sha256 = \"\"\n\
             [[tokens]]\nname = \"ci\"\nsecret-sha256 = \"secret\"\n\
             [services]\nstatic = [\"http://x\"]\n\
             [pool]\nmax-connections = 0\n[breaker]\nopen-for = \"0s\"\n",
        );
        let mut expected = [
            "serve.tokens",
            "serve.tokens",
            "serve.tls-certificate",
            "serve.drain-timeout",
            "serve.queue",
            "serve.services.static",
            "serve.pool.max-connections",
            "serve.breaker.open-for",
        ];
        let mut problems: Vec<&str> = problems.iter().map(String::as_str).collect();
        problems.sort_unstable();
        expected.sort_unstable();
        assert_eq!(problems, expected);
    }
}
