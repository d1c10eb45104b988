//! A network that is not to be relied on: a TCP proxy whose connections are poisoned at run time.
//!
//! Owns the sockets between both ends. Keeps: without a toxin every byte passes, in order, and an
//! end of one side becomes an end of the other; a connection that has lost bytes never passes any
//! again, so that what it shows is always a network's fault and never a message of our making.
//!
//! Does not: know what passes, or when to poison. Its chance is drawn from the seed that it is given.

use rustix::net::sockopt::set_socket_linger;
use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// What a connection does to the bytes that pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Toxin {
    #[default]
    Pass,
    /// It is reset with the next byte.
    Reset,
    /// Each piece comes later by this, and by up to as much again.
    Delay(Duration),
    /// Bytes that go this way vanish, and so does the end: nobody is told anything.
    HalfOpen(Way),
    /// Bytes come one by one, with this pause behind each.
    Drip(Duration),
    /// Bytes that nobody sent come between the others, once. One of them is 0xFF, which is in no text.
    Garbage,
    /// Half of the next piece passes, then the connection is reset.
    Cut,
}

/// A direction, as the one who connected sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Up,
    Down,
}

/// A running proxy. It takes no more connections when it is dropped, and resets those that are left.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    far: Mutex<SocketAddr>,
    /// What new connections begin with.
    toxin: Mutex<Toxin>,
    lines: Mutex<Vec<Weak<Line>>>,
    chance: Chance,
    is_over: AtomicBool,
}

/// One connection with both its sockets. They are closed when the last pump lets go of it.
#[derive(Debug)]
struct Line {
    near: TcpStream,
    far: TcpStream,
    toxin: Mutex<Toxin>,
    is_over: AtomicBool,
    /// Bytes were lost on the way up, and down.
    lost: [AtomicBool; 2],
}

/// Random numbers that several threads draw from (xorshift).
#[derive(Debug)]
struct Chance(AtomicU64);

/// After so long a pump looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Bytes of garbage that come at once.
const GARBAGE: usize = 48;

// === impl Proxy ===

impl Proxy {
    /// Listens on a free port of loopback, and leads to `far`.
    pub fn start(far: SocketAddr, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            far: Mutex::new(far),
            toxin: Mutex::default(),
            lines: Mutex::default(),
            chance: Chance(AtomicU64::new(seed | 1)),
            is_over: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { address, shared })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections elsewhere.
    pub fn lead_to(&self, far: SocketAddr) {
        *locked(&self.shared.far) = far;
    }

    /// Poisons all connections, and those to come.
    pub fn poison(&self, toxin: Toxin) {
        *locked(&self.shared.toxin) = toxin;
        self.shared.lines().iter().for_each(|line| line.take(toxin));
    }

    /// Poisons one connection, chosen by chance. Returns whether there is one.
    pub fn poison_one(&self, toxin: Toxin) -> bool {
        let lines = self.shared.lines();
        let at = self.shared.chance.below(lines.len().max(1) as u64);
        let line = usize::try_from(at).ok().and_then(|at| lines.get(at));
        if let Some(line) = line {
            line.take(toxin);
        }
        line.is_some()
    }

    /// Takes all toxins away. Connections that have lost bytes are reset.
    pub fn heal(&self) {
        self.poison(Toxin::Pass);
        for line in self.shared.lines() {
            if line.has_lost(Way::Up) || line.has_lost(Way::Down) {
                line.reset();
            }
        }
    }

    /// Resets all connections.
    pub fn sever(&self) {
        self.shared.lines().iter().for_each(|line| line.reset());
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.shared.lines().len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.sever();
        // The thread waits for a connection: this one lets it see the flag.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for near in listener.incoming().filter_map(Result::ok) {
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        let far = *locked(&shared.far);
        let toxin = *locked(&shared.toxin);
        // Whom nobody takes is reset, as where nobody listens.
        let Ok(far) = TcpStream::connect_timeout(&far, Duration::from_secs(1)) else {
            set_socket_linger(&near, Some(Duration::ZERO)).ok();
            continue;
        };
        let line = Arc::new(Line {
            near,
            far,
            toxin: Mutex::new(toxin),
            is_over: AtomicBool::new(false),
            lost: [AtomicBool::new(false), AtomicBool::new(false)],
        });
        locked(&shared.lines).push(Arc::downgrade(&line));
        for way in [Way::Up, Way::Down] {
            let (line, shared) = (Arc::clone(&line), Arc::clone(shared));
            thread::spawn(move || {
                if line.pump(way, &shared.chance).is_err() {
                    line.reset();
                }
            });
        }
    }
}

// === impl Shared ===

impl Shared {
    /// The connections that there are, and forgets the others.
    fn lines(&self) -> Vec<Arc<Line>> {
        let mut lines = locked(&self.lines);
        lines.retain(|line| line.strong_count() > 0);
        lines.iter().filter_map(Weak::upgrade).collect()
    }
}

// === impl Line ===

impl Line {
    fn take(&self, toxin: Toxin) {
        *locked(&self.toxin) = toxin;
    }

    fn has_lost(&self, way: Way) -> bool {
        self.lost[usize::from(way == Way::Down)].load(Ordering::SeqCst)
    }

    /// Has both sockets closed by a reset as soon as both pumps have let go.
    fn reset(&self) {
        for socket in [&self.near, &self.far] {
            set_socket_linger(socket, Some(Duration::ZERO)).ok();
        }
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// Passes on what goes one way, until there is no more.
    fn pump(&self, way: Way, chance: &Chance) -> io::Result<()> {
        let (mut from, to) = match way {
            Way::Up => (&self.near, &self.far),
            Way::Down => (&self.far, &self.near),
        };
        from.set_read_timeout(Some(LOOK_EVERY))?;
        to.set_write_timeout(Some(LOOK_EVERY))?;
        let mut piece = vec![0; 16 << 10];
        let mut has_spoilt = false;
        loop {
            let read = match from.read(&mut piece) {
                Ok(read) => read,
                Err(error) if is_slow(&error) => {
                    self.goes_on()?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.goes_on()?;
            let toxin = *locked(&self.toxin);
            if toxin == Toxin::HalfOpen(way) || self.has_lost(way) {
                self.lost[usize::from(way == Way::Down)].store(true, Ordering::SeqCst);
                if read == 0 {
                    return self.wait_for_the_end();
                }
                continue;
            }
            if read == 0 {
                to.shutdown(Shutdown::Write).ok();
                return Ok(());
            }
            self.pass(to, &piece[..read], (toxin, &mut has_spoilt), chance)?;
        }
    }

    fn pass(
        &self,
        to: &TcpStream,
        piece: &[u8],
        (toxin, has_spoilt): (Toxin, &mut bool),
        chance: &Chance,
    ) -> io::Result<()> {
        match toxin {
            Toxin::Pass | Toxin::HalfOpen(_) => self.write(to, piece),
            Toxin::Reset => Err(io::ErrorKind::ConnectionReset.into()),
            Toxin::Delay(by) => {
                let more = chance.below(u64::try_from(by.as_micros()).unwrap_or(u64::MAX));
                thread::sleep(by + Duration::from_micros(more));
                self.write(to, piece)
            }
            Toxin::Drip(pause) => {
                for (at, byte) in piece.chunks(1).enumerate() {
                    // Whoever was healed meanwhile passes the rest at once.
                    if !matches!(*locked(&self.toxin), Toxin::Drip(_)) {
                        return self.write(to, &piece[at..]);
                    }
                    self.write(to, byte)?;
                    thread::sleep(pause);
                }
                Ok(())
            }
            Toxin::Garbage if *has_spoilt => self.write(to, piece),
            Toxin::Garbage => {
                *has_spoilt = true;
                let at = usize::try_from(chance.below(piece.len() as u64)).unwrap_or(0);
                let mut garbage = [0_u8; GARBAGE];
                for byte in &mut garbage {
                    *byte = chance.next().to_le_bytes()[3];
                }
                garbage[usize::try_from(chance.below(GARBAGE as u64)).unwrap_or(0)] = 0xFF;
                self.write(to, &[&piece[..at], &garbage, &piece[at..]].concat())
            }
            Toxin::Cut => {
                self.write(to, &piece[..piece.len() / 2])?;
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
    }

    /// Writes all, however slowly the other side takes it.
    fn write(&self, mut to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match to.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if is_slow(&error) => {}
                Err(error) => return Err(error),
            }
            self.goes_on()?;
        }
        Ok(())
    }

    fn goes_on(&self) -> io::Result<()> {
        if self.is_over.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }

    /// Keeps a socket open whose other end is gone: nobody is told.
    fn wait_for_the_end(&self) -> io::Result<()> {
        loop {
            self.goes_on()?;
            thread::sleep(LOOK_EVERY);
        }
    }
}

fn is_slow(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Chance ===

impl Chance {
    fn next(&self) -> u64 {
        let mut drawn = 0;
        let step = |mut x: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            drawn = x;
            Some(x)
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).ok();
        drawn
    }

    fn below(&self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait_until;

    const LONG: Duration = Duration::from_secs(30);

    /// A server that takes one connection, and a client of it with a proxy in between.
    fn joined() -> (Proxy, TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap(), 7).unwrap();
        let client = TcpStream::connect(proxy.address()).unwrap();
        let (server, _) = listener.accept().unwrap();
        for socket in [&client, &server] {
            socket.set_read_timeout(Some(LONG)).unwrap();
        }
        assert!(wait_until(LONG, || proxy.connections() == 1));
        (proxy, client, server)
    }

    fn heard(mut socket: &TcpStream, bytes: usize) -> io::Result<Vec<u8>> {
        let mut heard = vec![0; bytes];
        socket.read_exact(&mut heard)?;
        Ok(heard)
    }

    #[test]
    fn bytes_and_ends_pass_both_ways() {
        let (proxy, mut client, mut server) = joined();
        client.write_all(b"up").unwrap();
        assert_eq!(heard(&server, 2).unwrap(), b"up");
        server.write_all(b"down").unwrap();
        assert_eq!(heard(&client, 4).unwrap(), b"down");
        for slow in [Toxin::Delay(Duration::from_millis(1)), Toxin::Drip(Duration::from_micros(9))]
        {
            proxy.poison(slow);
            client.write_all(&[b'x'; 999]).unwrap();
            assert_eq!(heard(&server, 999).unwrap(), [b'x'; 999]);
        }
        drop(client);
        assert_eq!(server.read(&mut [0; 9]).unwrap(), 0);
        drop(server);
        assert!(wait_until(LONG, || proxy.connections() == 0));
    }

    #[test]
    fn what_vanishes_one_way_is_told_to_nobody_and_never_comes_back() {
        let (proxy, mut client, mut server) = joined();
        assert!(proxy.poison_one(Toxin::HalfOpen(Way::Up)));
        client.write_all(b"lost").unwrap();
        assert!(wait_until(LONG, || proxy.shared.lines()[0].has_lost(Way::Up)));
        server.write_all(b"down").unwrap();
        assert_eq!(heard(&client, 4).unwrap(), b"down");
        proxy.poison(Toxin::Pass);
        client.write_all(b"lost too").unwrap();
        drop(client);
        server.set_read_timeout(Some(Duration::from_millis(60))).unwrap();
        assert!(is_slow(&server.read(&mut [0; 9]).unwrap_err()));
        proxy.heal();
        server.set_read_timeout(Some(LONG)).unwrap();
        assert_eq!(server.read(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn garbage_comes_once_and_is_in_no_text() {
        let (proxy, mut client, server) = joined();
        proxy.poison(Toxin::Garbage);
        client.write_all(b"one").unwrap();
        let first = heard(&server, 3 + GARBAGE).unwrap();
        assert!(std::str::from_utf8(&first).is_err());
        client.write_all(b"two").unwrap();
        assert_eq!(heard(&server, 3).unwrap(), b"two");
    }

    #[test]
    fn a_cut_and_a_reset_end_both_sides() {
        for (toxin, passes) in [(Toxin::Cut, 2), (Toxin::Reset, 0)] {
            let (proxy, mut client, server) = joined();
            proxy.poison(toxin);
            client.write_all(b"text").unwrap();
            assert_eq!(heard(&server, passes).unwrap().len(), passes);
            for socket in [&server, &client] {
                assert!(heard(socket, 1).is_err(), "{toxin:?}");
            }
            assert!(wait_until(LONG, || proxy.connections() == 0));
        }
    }
}
