//! The processes of one round, and the network between them.
//!
//! Keeps: clients and gateway meet their peers at addresses that stay, behind a proxy each, however
//! often a process begins anew.

use crate::{diary::Diary, stage::Stage};
use rustix::process::Signal;
use std::{fs, mem, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use testkit::{Daemon, Proxy, wait_until};

/// Services behind the gateway.
pub(crate) const REPLICAS: usize = 3;

/// A process of the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Gateway,
    Replica(usize),
}

pub(crate) struct House {
    pub(crate) stage: Arc<Stage>,
    pub(crate) diary: Arc<Diary>,
    gateway: Server,
    replicas: [Server; REPLICAS],
    pub(crate) front: Proxy,
    /// Between the gateway and each service.
    pub(crate) links: [Proxy; REPLICAS],
    /// Every process that there ever was.
    pub(crate) pids: Vec<u32>,
}

#[derive(Default)]
struct Server {
    daemon: Option<Daemon>,
    starts: u32,
    /// Seconds by which its clock is off.
    clock: i64,
}

/// Where nobody listens, until it is known who does.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

/// A start takes a second, on a busy machine some more.
const STARTED_WITHIN: Duration = Duration::from_secs(90);

// === impl Who ===

impl Who {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..REPLICAS).map(Self::Replica).chain([Self::Gateway])
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Gateway => "gateway".to_owned(),
            Self::Replica(number) => format!("replica-{number}"),
        }
    }
}

// === impl House ===

impl House {
    /// Starts everything.
    pub(crate) fn new(stage: Arc<Stage>, diary: Arc<Diary>, seed: u64) -> Self {
        let proxy = |number: u64| Proxy::start(NOWHERE, seed.wrapping_mul(31) + number).unwrap();
        let mut house = Self {
            stage,
            diary,
            gateway: Server::default(),
            replicas: [(); REPLICAS].map(|()| Server::default()),
            front: proxy(1),
            links: [2, 3, 4].map(proxy),
            pids: Vec::new(),
        };
        for who in Who::all() {
            if house.stage.can_move_clocks() {
                house.stage.set_clock(&who.name(), 0);
            }
            assert!(house.start(who), "{} does not start", who.name());
        }
        house
    }

    fn server(&mut self, who: Who) -> &mut Server {
        match who {
            Who::Gateway => &mut self.gateway,
            Who::Replica(number) => &mut self.replicas[number],
        }
    }

    pub(crate) fn daemon(&mut self, who: Who) -> Option<&mut Daemon> {
        self.server(who).daemon.as_mut()
    }

    fn proxy(&self, who: Who) -> &Proxy {
        match who {
            Who::Gateway => &self.front,
            Who::Replica(number) => &self.links[number],
        }
    }

    /// Where clients connect.
    pub(crate) fn front_url(&self) -> String {
        format!("ws://{}", self.front.address())
    }

    /// Starts who is not there. Returns whether it serves now.
    pub(crate) fn start(&mut self, who: Who) -> bool {
        if self.server(who).daemon.is_some() {
            return true;
        }
        let name = who.name();
        let mut command = match who {
            Who::Gateway => {
                self.stage.assay(&name, &["serve", "--listen", "127.0.0.1:0", "--no-service-ports"])
            }
            Who::Replica(_) => {
                self.stage.assay(&name, &["service", "static", "--listen", "127.0.0.1:0"])
            }
        };
        if who == Who::Gateway {
            let urls: Vec<String> =
                self.links.iter().map(|link| format!("ws://{}", link.address())).collect();
            command.env("STATIC_ANALYZER_URLS", urls.join(","));
        }
        let mut daemon = Daemon::starting(command);
        self.pids.push(daemon.pid());
        let is_settled = wait_until(STARTED_WITHIN, || daemon.is_ready() || daemon.has_ended());
        let serves = is_settled && daemon.is_ready();
        if serves {
            self.proxy(who).lead_to(daemon.address.parse().unwrap());
            self.diary.note(format!("{name} serves as process {}", daemon.pid()));
        } else {
            self.diary.note(format!("{name} does not start:\n{}", daemon.said()));
        }
        let server = self.server(who);
        server.starts += 1;
        server.daemon = Some(daemon);
        if !serves {
            self.bury(who);
        }
        serves
    }

    /// Kills who is there, at once.
    pub(crate) fn kill(&mut self, who: Who) {
        if let Some(daemon) = self.daemon(who) {
            daemon.signal(Signal::KILL);
            daemon.ends();
            self.bury(who);
        }
    }

    /// Asks who is there to end, and waits until it has.
    pub(crate) fn term(&mut self, who: Who) {
        if let Some(daemon) = self.daemon(who) {
            daemon.signal(Signal::TERM);
            let status = daemon.ends();
            if status.code() != Some(0) {
                self.diary.fault(format!("{} ended by {status} after SIGTERM", who.name()));
            }
            self.bury(who);
        }
    }

    pub(crate) fn signal(&mut self, who: Who, signal: Signal) {
        if let Some(daemon) = self.daemon(who) {
            daemon.signal(signal);
        }
    }

    /// Writes down what a process said that is no more.
    fn bury(&mut self, who: Who) {
        let (log, starts) = (self.stage.at("logs"), self.server(who).starts);
        if let Some(daemon) = self.server(who).daemon.take() {
            let said = daemon.said();
            let file = log.join(format!("{}-{starts}.log", who.name()));
            fs::write(file, &said).unwrap();
            self.read(who, &said);
        }
    }

    /// Looks for what no server ever says while all is well with us.
    fn read(&self, who: Who, said: &str) {
        for bad in ["panicked at", "a bug in Assay"] {
            if let Some(line) = said.lines().find(|line| line.contains(bad)) {
                self.diary.fault(format!("{} said: {line}", who.name()));
            }
        }
    }

    /// Moves the clock of a process by so many seconds.
    pub(crate) fn jump(&mut self, who: Who, seconds: i64) {
        let server = self.server(who);
        server.clock += seconds;
        let clock = server.clock;
        self.stage.set_clock(&who.name(), clock);
    }

    pub(crate) fn fill(&self, disk: usize) {
        if let Some(disks) = &self.stage.disks {
            disks[disk].fill().unwrap();
        }
    }

    pub(crate) fn free(&self, disk: usize) {
        if let Some(disks) = &self.stage.disks {
            disks[disk].free();
        }
    }

    /// Undoes all that was done to it.
    pub(crate) fn repair(&mut self) {
        for disk in [0, 1] {
            self.free(disk);
        }
        self.front.heal();
        self.links.iter().for_each(Proxy::heal);
        for who in Who::all() {
            self.signal(who, Signal::CONT);
            // A process must not end by itself, however badly it is treated.
            if self.daemon(who).is_some_and(Daemon::has_ended) {
                self.diary.fault(format!("{} has ended by itself", who.name()));
                self.bury(who);
            }
            if !self.start(who) {
                self.diary.fault(format!("{} does not start, with all repaired", who.name()));
            }
        }
    }

    /// Ends everything in order.
    pub(crate) fn end(&mut self) {
        self.term(Who::Gateway);
        for number in 0..REPLICAS {
            self.term(Who::Replica(number));
        }
    }

    pub(crate) fn book(&self) -> PathBuf {
        self.stage.at("disk/state/assay/book")
    }

    /// Keeps everything that may say what went wrong. Returns where.
    pub(crate) fn keep(&mut self) -> PathBuf {
        for who in Who::all() {
            self.bury(who);
        }
        fs::write(self.stage.at("logs/monkey.log"), self.diary.text()).unwrap();
        self.stage.keep()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        drop((mem::take(&mut self.gateway), mem::take(&mut self.replicas)));
        // What libfaketime shares between processes outlives those that were killed.
        for pid in &self.pids {
            for name in ["faketime_shm", "sem.faketime_sem"] {
                fs::remove_file(format!("/dev/shm/{name}_{pid}")).ok();
            }
        }
    }
}
