//! Whom the door lets in.
//!
//! Keeps: with tokens set up nobody gets in without one, not even from this machine; without any,
//! everybody of this machine does, and nobody else can reach us. What is compared are digests, in
//! the same time whatever they are. No secret is kept or shown.

use crate::failure::Failure;
use assay_config::{Serve, TokenEntry, TokenScope};
use assay_server::{Client, Scopes};
use assay_wire::{
    Limits, Origins, Token,
    answer::{self, Response},
};
use sha2::{Digest as _, Sha256};
use std::{env, ffi::OsString, fs, net::SocketAddr};

/// The variable that holds a secret: of a server one that is let in and shown to services, of a
/// client its own.
pub(crate) const TOKEN_VARIABLE: &str = "ASSAY_TOKEN";

/// The variable that names a file with the secret, which is read again with the configuration: the
/// environment of a process can be seen by more people than a file.
const TOKEN_FILE_VARIABLE: &str = "ASSAY_TOKEN_FILE";

/// Whom the door lets in, and how far.
#[derive(Debug)]
pub(super) struct Rules {
    tokens: Vec<TokenEntry>,
    pub(super) origins: Origins,
}

/// Somebody who is let in.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) client: Client,
    pub(super) limits: Limits,
}

/// The secret of this process: of the environment, else of the file that the environment names.
pub(crate) fn own_token() -> Result<Option<Token>, Failure> {
    if let Some(text) = variable(TOKEN_VARIABLE) {
        return token(text.to_str().unwrap_or_default(), TOKEN_VARIABLE).map(Some);
    }
    let Some(file) = variable(TOKEN_FILE_VARIABLE) else { return Ok(None) };
    let shown = format!("{TOKEN_FILE_VARIABLE} (`{}`)", file.display());
    let text = fs::read_to_string(&file).map_err(|error| {
        Failure::usage(format!("{shown} cannot be read"))
            .because(error)
            .hint("name a file with the secret that this user may read")
    })?;
    // An editor ends a file with a line feed.
    token(text.trim_end(), &shown).map(Some)
}

fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|text| !text.is_empty())
}

fn token(text: &str, from: &str) -> Result<Token, Failure> {
    Token::new(text).ok_or_else(|| {
        Failure::usage(format!("{from} holds no token"))
            .hint("a token is 1 to 1024 characters of ASCII without blanks")
    })
}

// === impl Rules ===

impl Rules {
    /// The rules of a configuration, with the secret of the environment beside its tokens.
    pub(super) fn of(serve: &Serve) -> Result<Self, Failure> {
        let mut tokens = serve.tokens.clone();
        if let Some(own) = own_token()? {
            tokens.push(TokenEntry {
                name: "environment".to_owned(),
                sha256: Sha256::digest(own.secret()).into(),
                scopes: vec![TokenScope::Read, TokenScope::Run, TokenScope::Admin],
            });
        }
        Ok(Self { tokens, origins: Origins::allow(&serve.origins) })
    }

    /// Refuses an address that other machines reach, where everybody would get in.
    pub(super) fn may_listen_on(&self, address: SocketAddr) -> Result<(), Failure> {
        if address.ip().to_canonical().is_loopback() || !self.tokens.is_empty() {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "`{address}` can be reached from other machines, and no token is set up: anybody could \
             run analyses here"
        ))
        .hint(
            "set ASSAY_TOKEN to a long random secret (`openssl rand -hex 32`), or put \
             [[serve.tokens]] into assay.toml; or listen on this machine alone: --listen \
             localhost:8765",
        ))
    }

    /// Finds out who asks, by the token that he shows.
    ///
    /// # Errors
    ///
    /// The answer to send: 401, in words.
    pub(super) fn guest(
        &self,
        token: Option<&Token>,
        peer: SocketAddr,
    ) -> Result<Guest, Box<Response>> {
        if self.tokens.is_empty() {
            let who = peer.ip().to_canonical().to_string().into();
            let client = Client { who, scopes: Scopes::ALL };
            return Ok(Guest { client, limits: Limits::new() });
        }
        let Some(token) = token else {
            return Err(refused(
                "this server wants a token: `Authorization: Bearer …`, or `?token=…`\n",
            ));
        };
        let shown: [u8; 32] = Sha256::digest(token.secret()).into();
        // All are compared, so that the time says nothing of which one came near.
        let found = self.tokens.iter().fold(None, |found, entry| {
            if are_equal(&entry.sha256, &shown) { Some(entry) } else { found }
        });
        let Some(entry) = found else {
            return Err(refused("the server does not know this token\n"));
        };
        let client = Client { who: entry.name.as_str().into(), scopes: scopes(&entry.scopes) };
        Ok(Guest { client, limits: Limits::trusted() })
    }
}

fn refused(words: &'static str) -> Box<Response> {
    let mut response = answer::text(http::StatusCode::UNAUTHORIZED, words);
    let challenge = http::HeaderValue::from_static("Bearer");
    response.headers_mut().insert(http::header::WWW_AUTHENTICATE, challenge);
    Box::new(response)
}

/// Compares without an early end.
fn are_equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let difference = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(difference) == 0
}

fn scopes(allowed: &[TokenScope]) -> Scopes {
    Scopes {
        read: allowed.contains(&TokenScope::Read),
        run: allowed.contains(&TokenScope::Run),
        admin: allowed.contains(&TokenScope::Admin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(secrets: &[(&str, &[TokenScope])]) -> Rules {
        let entry = |(secret, scopes): &(&str, &[TokenScope])| TokenEntry {
            name: format!("of-{secret}"),
            sha256: Sha256::digest(secret).into(),
            scopes: scopes.to_vec(),
        };
        Rules { tokens: secrets.iter().map(entry).collect(), origins: Origins::default() }
    }

    fn peer() -> SocketAddr {
        "127.0.0.1:4000".parse().unwrap()
    }

    #[test]
    fn with_tokens_nobody_gets_in_without_one() {
        let rules = rules(&[("abc", &[TokenScope::Read]), ("xyz", &[TokenScope::Run])]);
        let guest = |text: &str| rules.guest(Token::new(text).as_ref(), peer());
        assert_eq!(guest("").unwrap_err().status(), 401);
        assert_eq!(guest("abd").unwrap_err().status(), 401);
        let reader = guest("abc").unwrap();
        assert_eq!(&*reader.client.who, "of-abc");
        assert_eq!(reader.client.scopes, Scopes { read: true, ..Scopes::default() });
        assert_eq!(reader.limits, Limits::trusted());
        assert_eq!(&*guest("xyz").unwrap().client.who, "of-xyz");
    }

    #[test]
    fn without_tokens_a_client_is_its_address() {
        let guest = rules(&[]).guest(None, peer()).unwrap();
        assert_eq!((&*guest.client.who, guest.client.scopes), ("127.0.0.1", Scopes::ALL));
        assert_eq!(guest.limits, Limits::new());
    }

    #[test]
    fn other_machines_need_a_token() {
        let open = "0.0.0.0:1".parse().unwrap();
        let [none, some] = [rules(&[]), rules(&[("abc", &[])])];
        assert!(none.may_listen_on(open).is_err());
        assert!(some.may_listen_on(open).is_ok());
        for own in ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(none.may_listen_on(own.parse().unwrap()).is_ok(), "{own}");
        }
        for other in ["10.0.0.1:1", "[::]:1", "[fe80::1]:1", "[::ffff:10.0.0.1]:1"] {
            assert!(none.may_listen_on(other.parse().unwrap()).is_err(), "{other}");
        }
    }
}
