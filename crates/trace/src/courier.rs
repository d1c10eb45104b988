//! One request to a collector.
//!
//! Keeps: every wait has a limit; a header is never shown.

use crate::settings::Settings;
use reqwest::{
    Certificate, Client, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use std::{error::Error, fmt::Write as _, fs};
use tokio::runtime::{Builder, Runtime};

/// Brings what was written to the collector.
pub(crate) struct Courier {
    client: Client,
    url: String,
    runtime: Runtime,
}

/// Why a collector did not take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) why: String,
    /// Whether it may take it later.
    pub(crate) for_now: bool,
}

// === impl Courier ===

impl Courier {
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        // An error means that it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let bad = || format!("`{name}` is no header that can be sent");
            let key = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
            let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let mut builder = Client::builder()
            .timeout(settings.timeout)
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            // Spans and tokens go where they were sent, and nowhere else.
            .redirect(redirect::Policy::none());
        if let Some(path) = &settings.certificate {
            let shown = path.display();
            let pem = fs::read(path).map_err(|error| format!("`{shown}`: {error}"))?;
            let bundle = Certificate::from_pem_bundle(&pem)
                .map_err(|error| format!("`{shown}`: {}", words(&error)))?;
            builder = builder.tls_certs_merge(bundle);
        }
        let client = builder.build().map_err(|error| words(&error))?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, url: settings.url.clone(), runtime })
    }

    /// Sends a request. Blocks.
    pub(crate) fn bring(&self, body: Vec<u8>) -> Result<(), Refused> {
        // Timers begin as the request is made, which has to be on the runtime.
        let sending = async { self.client.post(&self.url).body(body).send().await };
        match self.runtime.block_on(sending) {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                let status = answer.status();
                Err(Refused { why: format!("it answers {status}"), for_now: is_for_now(status) })
            }
            Err(error) => Err(Refused { why: words(&error.without_url()), for_now: true }),
        }
    }
}

/// The statuses after which OTLP allows another try.
fn is_for_now(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// An error with its causes.
fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        // Text takes all.
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}
