//! A server in a process of its own, which is stopped when the test ends.
//!
//! Keeps: what it writes to standard error is read all the time, so that it never waits for us.

use crate::processes::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// No condition of a test takes so long on any machine that is worth testing on.
const LONG: Duration = Duration::from_mins(1);

/// A server that says `ready: … ws://ADDRESS` to standard error once it serves.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    said: Arc<Mutex<String>>,
    /// Ends when the server has nothing more to say.
    hearing: Option<thread::JoinHandle<()>>,
    /// Where clients connect: `127.0.0.1:40000`.
    pub address: String,
}

// === impl Daemon ===

impl Daemon {
    /// The server that a command becomes. Returns when it says that it is ready.
    ///
    /// # Panics
    ///
    /// If it ends before, or says nothing for a minute.
    #[track_caller]
    pub fn of(command: Command) -> Self {
        let mut daemon = Self::starting(command);
        daemon.until_said("ready: ");
        daemon.is_ready();
        daemon
    }

    /// A server that has just been started. [`is_ready`](Self::is_ready) says when it serves.
    ///
    /// # Panics
    ///
    /// If the program cannot be started.
    #[track_caller]
    pub fn starting(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("the program is there");
        let said = Arc::<Mutex<String>>::default();
        let heard = Arc::clone(&said);
        let stderr = child.stderr.take().expect("it is piped");
        let hearing = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        Self { child, said, hearing: Some(hearing), address: String::new() }
    }

    /// Whether it serves by now; its address is known then.
    pub fn is_ready(&mut self) -> bool {
        if self.address.is_empty() {
            let said = self.said();
            let ready = said.split_once("ready: ").and_then(|(_, rest)| rest.split_once("://"));
            let end = |c: char| matches!(c, ',' | ';' | '"') || c.is_whitespace();
            // The line is whole, or its end is not there yet.
            let line = ready.filter(|(_, rest)| rest.contains('\n'));
            let address = line.and_then(|(_, rest)| rest.split(end).next());
            address.unwrap_or_default().clone_into(&mut self.address);
        }
        !self.address.is_empty()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// What it has written to standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for words of it.
    ///
    /// # Panics
    ///
    /// If it ends without them, or they do not come within a minute.
    #[track_caller]
    pub fn until_said(&mut self, words: &str) {
        let said = Arc::clone(&self.said);
        let is_said = move || said.lock().unwrap_or_else(PoisonError::into_inner).contains(words);
        let mut has_ended = false;
        wait_until(LONG, || {
            has_ended = self.has_ended();
            is_said() || has_ended
        });
        if let (true, Some(hearing)) = (has_ended, self.hearing.take()) {
            hearing.join().ok();
        }
        assert!(is_said(), "it does not say `{words}`:\n{}", self.said());
    }

    /// # Panics
    ///
    /// If it is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.expect("a child has a number");
        kill_process(pid, signal).expect("a child that was not waited for is there");
    }

    /// Whether the process is still there.
    pub fn lives(&mut self) -> bool {
        !self.has_ended()
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    ///
    /// If it does not within a minute.
    #[track_caller]
    pub fn ends(&mut self) -> ExitStatus {
        assert!(wait_until(LONG, || self.has_ended()), "it does not end:\n{}", self.said());
        if let Some(hearing) = self.hearing.take() {
            hearing.join().ok();
        }
        self.child.wait().expect("it has ended")
    }

    /// The status and the body of a page.
    ///
    /// # Panics
    ///
    /// If it does not answer within a minute.
    pub fn page(&self, path: &str, headers: &str) -> (u16, String) {
        self.try_page(path, headers).expect("it answers")
    }

    fn try_page(&self, path: &str, headers: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(LONG)).ok()?;
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let status = text.split(' ').nth(1)?.parse().ok()?;
        Some((status, text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
