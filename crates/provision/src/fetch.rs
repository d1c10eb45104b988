//! One file over HTTP, checked.
//!
//! Keeps: every wait has a limit; a file is used only if its SHA-256 is the pinned one; a user's
//! name and password in an address are never shown.
//!
//! Does not: follow what the user did not configure, or try more than twice.

use crate::error::ProvisionError;
use reqwest::{Certificate, Client, Response, StatusCode, Url, header};
use sha2::{Digest as _, Sha256};
use std::{
    error::Error,
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    path::Path,
    time::Duration,
};
use tokio::time::sleep;

const CONNECT_MAX: Duration = Duration::from_secs(15);
/// A server that has sent nothing for so long will send nothing more.
const SILENCE_MAX: Duration = Duration::from_secs(30);
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A page of an index lists every file of one package: a few MiB where there are many.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// The kinds of page that an index may answer with.
const PAGE_KINDS: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// A file that is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) sha256: &'a str,
    pub(crate) bytes: u64,
}

/// What an index says about one package.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) is_json: bool,
    pub(crate) text: String,
}

/// The way to one package index.
#[derive(Debug)]
pub(crate) struct Web(Client);

/// A try that failed, and whether another could do better.
struct Failed {
    why: String,
    again: bool,
}

// === impl Web ===

impl Web {
    /// Trusts what the system trusts, and `certificates` beside it.
    pub(crate) fn new(certificates: Option<&Path>) -> Result<Self, ProvisionError> {
        // An error means that it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_MAX)
            .read_timeout(SILENCE_MAX)
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = certificates {
            let pem = fs::read(path).map_err(|error| ProvisionError::io(path, error))?;
            let bundle = Certificate::from_pem_bundle(&pem)
                .map_err(|error| ProvisionError::io(path, std::io::Error::other(words(&error))))?;
            builder = builder.tls_certs_merge(bundle);
        }
        let client = builder.build().map_err(|error| ProvisionError::Download {
            file: "uv".to_owned(),
            host: "any host".to_owned(),
            why: format!("{} (are the system's certificates installed?)", words(&error)),
        })?;
        Ok(Self(client))
    }

    /// The page of one package.
    pub(crate) async fn page(&self, url: &Url) -> Result<Page, ProvisionError> {
        let mut tries = 0;
        loop {
            match self.try_page(url).await {
                Ok(page) => return Ok(page),
                Err(failed) if failed.again && tries == 0 => sleep(RETRY_AFTER).await,
                Err(failed) => return Err(failed.of(url)),
            }
            tries += 1;
        }
    }

    async fn try_page(&self, url: &Url) -> Result<Page, Failed> {
        let mut answer = self.ask(url).await?;
        let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_json = kind.is_some_and(|kind| kind.contains("json"));
        // Links are relative to where we ended up, which a redirect may have changed.
        let url = answer.url().clone();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > PAGE_BYTES_MAX {
                return Err(Failed::for_good("its page is too large"));
            }
        }
        Ok(Page { url, is_json, text: String::from_utf8_lossy(&bytes).into_owned() })
    }

    /// Fetches `wanted` to `path`. `progress` hears how many bytes are there.
    pub(crate) async fn download(
        &self,
        url: &Url,
        wanted: Wanted<'_>,
        path: &Path,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), ProvisionError> {
        let mut tries = 0;
        let found = loop {
            match self.try_download(url, wanted, path, progress).await? {
                Ok(found) => break found,
                Err(failed) if failed.again && tries == 0 => sleep(RETRY_AFTER).await,
                Err(failed) => return Err(failed.of(url)),
            }
            tries += 1;
        };
        if found == wanted.sha256 {
            return Ok(());
        }
        let (file, expected) = (wanted.name.to_owned(), wanted.sha256.to_owned());
        Err(ProvisionError::HashMismatch { file, expected, found })
    }

    /// The outer error is ours (the disk), the inner one theirs.
    async fn try_download(
        &self,
        url: &Url,
        wanted: Wanted<'_>,
        path: &Path,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Result<String, Failed>, ProvisionError> {
        let ours = |error| ProvisionError::io(path, error);
        let mut file = File::create(path).map_err(ours)?;
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let mut answer = match self.ask(url).await {
            Ok(answer) => answer,
            Err(failed) => return Ok(Err(failed)),
        };
        loop {
            let chunk = match answer.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return Ok(Err(error.into())),
            };
            bytes += chunk.len() as u64;
            if bytes > wanted.bytes {
                return Ok(Err(Failed::for_good("it is larger than the pinned file")));
            }
            hash.update(&chunk);
            file.write_all(&chunk).map_err(ours)?;
            progress(bytes);
        }
        let mut found = String::with_capacity(64);
        for byte in hash.finalize() {
            write!(found, "{byte:02x}").expect("a String takes everything");
        }
        Ok(Ok(found))
    }

    async fn ask(&self, url: &Url) -> Result<Response, Failed> {
        let answer = self.0.get(url.clone()).header(header::ACCEPT, PAGE_KINDS).send().await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let again = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        Err(Failed { why: format!("it answered {status}"), again })
    }
}

// === impl Page ===

impl Page {
    /// The address of `file`, if the page lists it.
    pub(crate) fn link(&self, file: &str) -> Option<Url> {
        let link = if self.is_json { self.json_link(file) } else { self.html_link(file) };
        self.url.join(&link?).ok()
    }

    fn json_link(&self, file: &str) -> Option<String> {
        let page: serde_json::Value = serde_json::from_str(&self.text).ok()?;
        let files = page["files"].as_array()?;
        let found = files.iter().find(|entry| entry["filename"] == file)?;
        found["url"].as_str().map(str::to_owned)
    }

    /// The simple API's older form: links whose address ends in the file's name.
    fn html_link(&self, file: &str) -> Option<String> {
        let links = self.text.split("href=").skip(1).filter_map(|rest| {
            let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            rest[1..].split(quote).next()
        });
        links.map(|link| link.replace("&amp;", "&")).find(|link| {
            let path = link.split(['#', '?']).next().unwrap_or_default();
            path.rsplit('/').next().is_some_and(|name| name.replace("%2B", "+") == file)
        })
    }
}

// === impl Failed ===

impl Failed {
    fn for_good(why: &str) -> Self {
        Self { why: why.to_owned(), again: false }
    }

    fn of(self, url: &Url) -> ProvisionError {
        let file = url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        ProvisionError::Download {
            file: file.to_owned(),
            host: url.host_str().unwrap_or("no host").to_owned(),
            why: self.why,
        }
    }
}

impl From<reqwest::Error> for Failed {
    fn from(error: reqwest::Error) -> Self {
        Self { why: words(&error.without_url()), again: true }
    }
}

/// An error with its causes: the outermost one alone says only "error sending request".
fn words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(is_json: bool, text: &str) -> Page {
        Page { url: "http://h/simple/uv/".parse().unwrap(), is_json, text: text.to_owned() }
    }

    #[test]
    fn a_file_is_found_on_both_kinds_of_page() {
        let json = page(true, r#"{"files":[{"filename":"a.whl","url":"../../f/a.whl"}]}"#);
        assert_eq!(json.link("a.whl").unwrap().as_str(), "http://h/f/a.whl");
        let html =
            page(false, r#"<a href="x-a.whl">x</a> <a href='../f/a.whl#sha256=1'>a.whl</a>"#);
        assert_eq!(html.link("a.whl").unwrap().path(), "/simple/f/a.whl");
        assert_eq!(html.link("b.whl"), None);
    }
}
