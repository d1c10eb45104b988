//! The variables that a tool may see.
//!
//! Keeps: an allow-list. A token or key in our own environment can only reach a tool if a line in
//! here names it; the name and password of a proxy reach none.

use assay_model::TraceContext;
use std::{collections::BTreeMap, env, ffi::OsString, path::Path, path::PathBuf};

/// Whether a tool declares that it has to reach the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    None,
    Declared,
}

/// What a program needs to trust what it finds in the network, and where it needs no proxy.
const NETWORK_VARIABLES: &[&str] = &[
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "no_proxy",
];

/// The address of a proxy, which may hold a name and a password.
const PROXY_VARIABLES: &[&str] =
    &["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy", "https_proxy"];

/// The whole environment of a tool: its own program folders, a private home and temporary folder,
/// one language and one time zone, so that the same code gives the same report everywhere.
pub fn clean_environment(
    path_dirs: &[PathBuf],
    home: &Path,
    tmp: &Path,
    network: Network,
) -> BTreeMap<OsString, OsString> {
    let mut clean: BTreeMap<OsString, OsString> = BTreeMap::new();
    clean.insert("PATH".into(), join(path_dirs));
    clean.insert("HOME".into(), home.into());
    clean.insert("TMPDIR".into(), tmp.into());
    for (name, value) in [("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")] {
        clean.insert(name.into(), value.into());
    }
    if network == Network::Declared {
        let ours = NETWORK_VARIABLES.iter().filter_map(|name| Some((name, env::var_os(name)?)));
        clean.extend(ours.map(|(name, value)| (OsString::from(name), value)));
        // One that is not text is no address.
        let proxies = PROXY_VARIABLES.iter().filter_map(|name| Some((name, env::var(name).ok()?)));
        let bare = |(name, value): (&&str, String)| (name.into(), without_login(&value).into());
        clean.extend(proxies.map(bare));
    }
    clean
}

/// The variables that make what a program records a part of a trace.
pub fn trace_environment(trace: &TraceContext) -> impl Iterator<Item = (OsString, OsString)> {
    let state = trace.state.as_deref().map(|state| ("TRACESTATE".into(), state.into()));
    [("TRACEPARENT".into(), trace.traceparent().into())].into_iter().chain(state)
}

/// The address without the name and the password in it: `http://user:password@proxy:3128`. What a
/// program is given, code that it runs by mistake can read.
pub fn without_login(address: &str) -> String {
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (&address[..scheme.len() + "://".len()], rest),
        None => ("", address),
    };
    // The last one: a password may hold the sign too, and a slash, where nobody has escaped them.
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}{host}")
}

/// Whether the user's proxy asks for a password, which no tool is given.
pub fn proxy_has_a_login() -> bool {
    let proxies = PROXY_VARIABLES.iter().filter_map(|name| env::var(name).ok());
    proxies.into_iter().any(|value| without_login(&value) != value)
}

/// A folder with a colon in its name cannot be on `PATH`; it is left out rather than split.
fn join(dirs: &[PathBuf]) -> OsString {
    let sound = dirs.iter().filter(|dir| !dir.as_os_str().as_encoded_bytes().contains(&b':'));
    env::join_paths(sound).expect("no folder with a colon is left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_our_own_environment_is_in_a_clean_one() {
        let clean = clean_environment(
            &["/usr/bin".into(), "/odd:dir".into(), "/bin".into()],
            Path::new("/h"),
            Path::new("/t"),
            Network::None,
        );
        let names: Vec<_> = clean.keys().map(|name| name.to_str().unwrap()).collect();
        assert_eq!(names, ["HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ"]);
        assert_eq!(clean[&OsString::from("PATH")], "/usr/bin:/bin");
    }

    #[test]
    fn a_trace_is_told_in_the_variables_that_others_read() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let check = |state: Option<&str>, expected: &[(&str, &str)]| {
            let trace = TraceContext::parse(parent, state).unwrap();
            let told: Vec<_> = trace_environment(&trace).collect();
            let expected = expected.iter().map(|(name, value)| (name.into(), value.into()));
            assert_eq!(told, expected.collect::<Vec<(OsString, OsString)>>());
        };
        check(None, &[("TRACEPARENT", parent)]);
        check(Some("a=1"), &[("TRACEPARENT", parent), ("TRACESTATE", "a=1")]);
    }

    #[test]
    fn the_list_for_the_network_holds_no_name_of_a_secret() {
        for name in NETWORK_VARIABLES.iter().chain(PROXY_VARIABLES) {
            let name = name.to_ascii_uppercase();
            assert!(!name.contains("TOKEN") && !name.contains("KEY") && !name.contains("SECRET"));
        }
    }

    #[test]
    fn an_address_loses_its_login_and_nothing_else() {
        let check = |address: &str, expected: &str| {
            assert_eq!(without_login(address), expected, "{address}");
        };
        check("http://proxy.example:3128", "http://proxy.example:3128");
        check("http://me:pw@proxy.example:3128/", "http://proxy.example:3128/");
        check("socks5h://me@[::1]:1080", "socks5h://[::1]:1080");
        check("me:pw@proxy.example:3128", "proxy.example:3128");
        check("http://me:p@ss/w://d@proxy.example", "http://proxy.example");
        check("", "");
    }
}
