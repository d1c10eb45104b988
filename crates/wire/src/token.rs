//! The secret by which a client is known: how it is found in a request, and that it is not shown.
//!
//! Does not: know which tokens are good.

use http::{HeaderMap, Uri, header::AUTHORIZATION};
use std::fmt;

/// A secret that came with a request, or that we send. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

/// Bytes that a token may have.
pub const TOKEN_MAX: usize = 1024;

// === impl Token ===

impl Token {
    /// Takes a token; `None` where it is empty, longer than [`TOKEN_MAX`], or has what cannot stand
    /// in a header: blanks, control characters, anything beyond ASCII.
    pub fn new(text: &str) -> Option<Self> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        (is_plain && (1..=TOKEN_MAX).contains(&text.len())).then(|| Self(text.into()))
    }

    /// Finds the token of a request: `Authorization: Bearer …`, else `?token=…` for clients that
    /// can set nothing but the URL.
    pub fn of_request(headers: &HeaderMap, uri: &Uri) -> Option<Self> {
        if let Some(header) = headers.get(AUTHORIZATION) {
            let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
            return if scheme.eq_ignore_ascii_case("bearer") {
                Self::new(token.trim())
            } else {
                None
            };
        }
        let mut pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == "token")?;
        Self::new(&unescaped(value)?)
    }

    /// Returns the secret itself.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Undoes percent-encoding (RFC 3986, section 2.1).
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (code, after) = rest.split_at_checked(2)?;
        let [high, low] = [code[0], code[1]].map(|digit| char::from(digit).to_digit(16));
        bytes.push(u8::try_from(high? * 16 + low?).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: Option<&str>, uri: &str, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        let found = Token::of_request(&headers, &uri.parse().unwrap());
        assert_eq!(found.as_ref().map(Token::secret), expected, "{header:?} {uri}");
    }

    #[test]
    fn a_token_is_found_in_the_header_or_in_the_url() {
        check(Some("Bearer abc"), "/", Some("abc"));
        check(Some("bearer  abc "), "/?token=other", Some("abc"));
        check(None, "/?a=1&token=a%2Bb%3d&b", Some("a+b="));
        check(None, "/", None);
        check(None, "/?token=", None);
        check(None, "/?token=%zz", None);
        check(None, "/?token=%2", None);
        check(None, "/?token=%0a", None);
        check(Some("Basic abc"), "/?token=x", None);
        check(None, &format!("/?token={}", "x".repeat(TOKEN_MAX + 1)), None);
    }

    #[test]
    fn a_token_is_not_shown() {
        assert_eq!(format!("{:?}", Token::new("secret")), "Some(Token(…))");
    }
}
