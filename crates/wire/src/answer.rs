//! HTTP around the WebSocket: the types of requests and answers, and answers in words.

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, HeaderName},
};
use http_body_util::Full;

/// A request whose head was read.
pub type Request = http::Request<hyper::body::Incoming>;

/// An answer that is there as a whole.
pub type Response = http::Response<Full<Bytes>>;

/// Makes an answer of plain text.
pub fn text(status: StatusCode, words: impl Into<Bytes>) -> Response {
    of_type(status, "text/plain; charset=utf-8", words)
}

/// Makes an answer of JSON.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    of_type(status, "application/json", body)
}

/// Makes an answer of any type.
pub fn of_type(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    with(response, CONTENT_TYPE, HeaderValue::from_static(kind))
}

pub(crate) fn with(mut response: Response, name: HeaderName, value: HeaderValue) -> Response {
    response.headers_mut().insert(name, value);
    response
}
