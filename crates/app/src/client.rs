//! A client of a running server: what the commands of the manager ask.
//!
//! Owns one connection and the way from a question to its answer. Keeps: every wait has an end; where
//! no server answers it is said which one was asked, why, and how to start one.
//!
//! Does not: print.

mod follow; // one task to its end
mod outcome; // what a reply says
mod traced; // a request as a part of a trace

pub(crate) use follow::{Ended, Follow, STOPPED_WITHIN};
pub(crate) use outcome::{Outcome, retry_after, status_of};
pub(crate) use traced::Traced;

use crate::{
    cli::{Global, Server},
    failure::Failure,
    serving::{TOKEN_VARIABLE, own_token},
    setup::loader,
};
use assay_config::{Config, Serve};
use assay_wire::{
    Analyzer, CloseCode, ConnectTerms, Connection, Fault, Limits, TlsClient, Token, Utf8Bytes,
    WireError, connect,
    gateway::{Frame, Reply, Request},
    service, without_query,
};
use std::{io, path::Path, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How long connecting may take: a server on the other side of the world accepts within that.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long a server may take to answer what it answers at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long the server may take to close as well.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// Where servers are, and how they are met.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    pub(crate) gateway: String,
    config: Config,
    terms: ConnectTerms,
}

/// A connection to the gateway.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Connection,
    url: String,
}

// === impl Addresses ===

impl Addresses {
    /// Finds the servers: by `--server`, by the configuration, else on this machine.
    pub(crate) fn of(words: &Server, global: &Global) -> Result<Self, Failure> {
        let mut loader = loader(global)?;
        if let Some(url) = &words.server {
            let value = serde_json::Value::from(url.as_str());
            loader.flags.push(("server".to_owned(), value, "--server".to_owned()));
        }
        let config = loader.check()?.config;
        let gateway = config.server.clone().unwrap_or_else(|| usual_gateway(&config.serve));
        let token = match words.token.as_deref().filter(|text| !text.is_empty()) {
            None => own_token()?,
            Some(text) => Some(Token::new(text).ok_or_else(|| {
                Failure::usage("the token cannot be sent").hint(format!(
                    "--token and {TOKEN_VARIABLE} take 1 to 1024 characters of ASCII without blanks"
                ))
            })?),
        };
        let tls = words.ca.as_deref().map(Path::new).map(TlsClient::from_pem).transpose()?;
        let terms = ConnectTerms {
            token,
            within: CONNECT_WITHIN,
            lasting: true,
            tls,
            limits: Limits::trusted(),
        };
        Ok(Self { gateway, config, terms })
    }

    /// The URL of a service, as the configuration and the environment have it.
    pub(crate) fn of_service(&self, analyzer: Analyzer) -> String {
        let urls = &self.config.serve.services;
        let named = match analyzer {
            Analyzer::Static => &urls.static_analyzer,
            Analyzer::Dynamic => &urls.dynamic,
            Analyzer::Performance => &urls.performance,
            Analyzer::Ai => &urls.ai,
        };
        named.first().cloned().unwrap_or_else(|| {
            let serve = &self.config.serve;
            format!("{}://localhost:{}", scheme(serve), analyzer.row().port)
        })
    }

    /// What a server of this configuration would be told.
    pub(crate) fn serve(&self) -> &Serve {
        &self.config.serve
    }

    /// Connects to the gateway.
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        let url = self.gateway.clone();
        let connection = connect(&url, &self.terms).await.map_err(|error| {
            absent(
                "gateway",
                &url,
                error,
                "start one with `assay start`, or name it with --server URL",
            )
        })?;
        Ok(Client { connection, url })
    }

    /// Asks a service one question.
    pub(crate) async fn ask_service(
        &self,
        analyzer: Analyzer,
        url: &str,
        request: service::Request,
    ) -> Result<service::Reply, Failure> {
        let mut connection = connect(url, &self.terms).await.map_err(|error| {
            let mend = format!(
                "start it with `assay service {}`, or name it with {}",
                analyzer.as_str().split('-').next().unwrap_or_default(),
                analyzer.row().url_env
            );
            absent(analyzer.as_str(), url, error, &mend)
        })?;
        let deadline = Instant::now() + ANSWER_WITHIN;
        let asking = async {
            connection.send(service::Frame::new(request).encode(analyzer)).await?;
            connection.next().await
        };
        let answer = timeout_at(deadline, asking).await.map_err(|_| late(url))?;
        let text = answer.map_err(|error| broken_off(url, error))?.ok_or_else(|| gone(url))?;
        let reply = service::Reply::decode(&text);
        goodbye(&mut connection).await;
        match reply {
            Ok(service::Reply::Error(error)) => Err(said_no(url, &error.fault)),
            Ok(reply) => Ok(reply),
            Err(error) => Err(Failure::usage(format!("`{url}` does not answer as a service does"))
                .because(error)
                .hint("check the port: is it that of a service?")),
        }
    }
}

/// The gateway that `assay serve` with this configuration would be.
fn usual_gateway(serve: &Serve) -> String {
    // One that listens on every address is reached on this machine by the one that always is.
    let host = match serve.host.as_str() {
        "0.0.0.0" | "::" | "127.0.0.1" | "[::]" => "localhost",
        host => host,
    };
    let port = if serve.port == 0 { assay_wire::routes::GATEWAY_PORT } else { serve.port };
    let scheme = scheme(serve);
    if host.contains(':') && !host.starts_with('[') {
        format!("{scheme}://[{host}]:{port}")
    } else {
        format!("{scheme}://{host}:{port}")
    }
}

fn scheme(serve: &Serve) -> &'static str {
    if serve.tls.is_some() { "wss" } else { "ws" }
}

fn absent(what: &str, url: &str, error: WireError, mend: &str) -> Failure {
    match error {
        // Somebody answers there, and TLS does not let us speak to him.
        WireError::Unreachable { source, .. } if source.kind() != io::ErrorKind::InvalidData => {
            Failure::usage(format!("no {what} answers at `{}`", without_query(url)))
                .because(source)
                .hint(mend)
        }
        WireError::Refused { status: 401, said } => Failure::usage(format!(
            "the {what} at `{}` lets nobody in without a token",
            without_query(url)
        ))
        .because(said)
        .hint(format!("set {TOKEN_VARIABLE}, or give --token")),
        other => Failure::from(other),
    }
}

fn late(url: &str) -> Failure {
    Failure::usage(format!(
        "`{}` does not answer within {} s",
        without_query(url),
        ANSWER_WITHIN.as_secs()
    ))
    .hint("is it overloaded, or stopped? see `assay logs`")
}

fn broken_off(url: &str, error: WireError) -> Failure {
    let failure = Failure::usage(format!("the connection to `{}` broke off", without_query(url)));
    let hint = error.hint();
    failure.because(error).maybe_hint(hint).or_hint("see `assay logs`, and try again")
}

fn gone(url: &str) -> Failure {
    Failure::usage(format!("`{}` closed the connection", without_query(url)))
        .hint("it is ending, or was stopped: try again when it is back")
}

/// What a server says where it does not do what it was asked.
pub(crate) fn said_no(url: &str, fault: &Fault) -> Failure {
    let what = format!("`{}` says {}: {}", without_query(url), fault.code, fault.message);
    let failure = Failure::usage(what).maybe_hint(fault.suggestion.clone());
    match fault.retry_after_ms {
        Some(ms) => failure.or_hint(&format!("try again in {} s", ms.div_ceil(1000))),
        None => failure,
    }
}

async fn goodbye(connection: &mut Connection) {
    let closing = async {
        if connection.close(CloseCode::NORMAL, "").await.is_ok() {
            while let Ok(Some(_)) = connection.next().await {}
        }
    };
    tokio::time::timeout(GOODBYE_WITHIN, closing).await.ok();
}

// === impl Client ===

impl Client {
    /// Asks, and waits for the answer to it. Whatever else comes meanwhile is dropped.
    pub(crate) async fn ask(&mut self, request: Request) -> Result<Reply, Failure> {
        self.ask_within(request, ANSWER_WITHIN).await
    }

    /// As [`ask`](Self::ask), where the answer takes longer.
    pub(crate) async fn ask_within(
        &mut self,
        request: Request,
        within: Duration,
    ) -> Result<Reply, Failure> {
        let deadline = Instant::now() + within;
        let id = self.send(request).await?;
        loop {
            let next = timeout_at(deadline, self.next()).await.map_err(|_| late(&self.url))?;
            let frame = next?;
            if frame.envelope.correlation_id.as_deref() != Some(&id) {
                continue;
            }
            return match frame.body {
                Reply::Error(fault) => Err(said_no(&self.url, &fault)),
                body => Ok(body),
            };
        }
    }

    /// Sends a request. Returns the `id` that answers carry.
    pub(crate) async fn send(&mut self, request: Request) -> Result<String, Failure> {
        let frame = Frame::new(request);
        let id = frame.envelope.id.clone();
        let sent = self.connection.send(frame.encode()).await;
        sent.map_err(|error| broken_off(&self.url, error))?;
        Ok(id)
    }

    /// Waits for the next frame.
    ///
    /// # Cancel safety
    ///
    /// Safe: a frame that was not read whole is read on by the next call.
    pub(crate) async fn next(&mut self) -> Result<Frame<Reply>, Failure> {
        let text: Option<Utf8Bytes> =
            self.connection.next().await.map_err(|error| broken_off(&self.url, error))?;
        let text = text.ok_or_else(|| gone(&self.url))?;
        Frame::<Reply>::decode(&text).map_err(|error| {
            Failure::usage(format!(
                "`{}` does not answer as a gateway does",
                without_query(&self.url)
            ))
            .because(error)
            .hint("check the port: is it that of the gateway?")
        })
    }

    /// Says goodbye.
    pub(crate) async fn leave(mut self) {
        goodbye(&mut self.connection).await;
    }

    /// Where the server is.
    pub(crate) fn url(&self) -> &str {
        without_query(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_config::Loader;

    #[track_caller]
    fn check(host: &str, port: u16, expected: &str) {
        let flags = [("serve.host", host.into()), ("serve.port", port.into())];
        let flags = flags.map(|(key, value)| (key.to_owned(), value, "test".to_owned()));
        let config = Loader { flags: flags.to_vec(), ..Loader::default() }.check().unwrap().config;
        assert_eq!(usual_gateway(&config.serve), expected);
    }

    #[test]
    fn the_usual_gateway_is_where_serve_would_listen() {
        check("127.0.0.1", 8765, "ws://localhost:8765");
        check("0.0.0.0", 9000, "ws://localhost:9000");
        check("::1", 9000, "ws://[::1]:9000");
        check("gateway.example", 0, "ws://gateway.example:8765");
    }
}
