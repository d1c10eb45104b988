//! What the system's manager is told, and what it gives: `sd_notify(3)` and `sd_listen_fds(3)`.
//!
//! Keeps: where there is no such manager, nothing happens.

use crate::failure::Failure;
use std::{
    env, io,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process,
};

/// The first descriptor that is given.
const FIRST: i32 = 3;

/// More sockets than one process of ours has use for.
const SOCKETS_MAX: i32 = 16;

/// Tells the manager how we are: lines such as `READY=1`. One that does not hear it is no error.
pub(super) fn tell(state: &str) {
    let Some(path) = env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else { return };
    let path = path.to_string_lossy();
    let told = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&*path),
    }
    .and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = told {
        tracing::warn!(%error, "the system's manager does not hear us");
    }
}

/// Returns the listening sockets that were opened for us, in their order.
///
/// # Errors
///
/// Where something is given that is no socket of TCP that listens.
pub(super) fn sockets() -> Result<Vec<TcpListener>, Failure> {
    let number = |name: &str| env::var(name).ok()?.parse::<u32>().ok();
    if number("LISTEN_PID") != Some(process::id()) {
        return Ok(Vec::new());
    }
    let count = number("LISTEN_FDS").and_then(|count| i32::try_from(count).ok()).unwrap_or(0);
    (FIRST..FIRST + count.min(SOCKETS_MAX)).map(socket).collect()
}

fn socket(number: i32) -> Result<TcpListener, Failure> {
    let found = assay_exec::inherited(number).and_then(|descriptor| {
        if !rustix::net::sockopt::socket_acceptconn(&descriptor)? {
            return Err(io::Error::other("it does not listen"));
        }
        let socket = TcpListener::from(descriptor);
        socket.local_addr()?;
        Ok(socket)
    });
    found.map_err(|error| {
        Failure::usage(format!("descriptor {number}, given by LISTEN_FDS, cannot be served on"))
            .because(error)
            .hint("give a socket of TCP that listens: `ListenStream=127.0.0.1:8765`")
    })
}
