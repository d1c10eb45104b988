//! A program that behaves as told. Its arguments are steps, taken in their order:
//!
//! | step | does |
//! |---|---|
//! | `lines=N` | writes N lines to standard output |
//! | `say=TEXT`, `complain=TEXT` | writes a line to standard output, to standard error |
//! | `complain-env=NAME` | writes a variable of its environment to standard error, if it is set |
//! | `stdout-mib=N`, `stderr-mib=N` | writes N MiB of short lines |
//! | `long-lines=N`, `stderr-long-lines=N` | writes 1 MiB N times, without a line end |
//! | `stdout-file=PATH`, `stderr-file=PATH` | writes what is in the file |
//! | `write-file=PATH:TEXT`, `fill-file=PATH:MIB` | writes a file |
//! | `copy-file=FROM:TO` | writes what is in the file to another one, and makes its folder |
//! | `break-utf8` | every U+FFFD of a file that is written from here on becomes the byte FF |
//! | `make-dir=PATH`, `make-fifo=PATH`, `make-link=TO:PATH` | makes what is no file |
//! | `if-same=PATH:PATH` | takes the next step only if both files hold the same |
//! | `pid-file=PATH` | appends its process id; so do the children that it starts |
//! | `until-noted=N` | waits until N processes have appended theirs |
//! | `print-env`, `print-cwd` | writes its environment, its working directory |
//! | `read-stdin` | reads to the end and says how much there was |
//! | `ignore-term` | is deaf to TERM from here on |
//! | `spawn-child`, `deaf-child` | leaves a child in its group that holds its output |
//! | `late-child=MS` | leaves a child that writes `late` after so long |
//! | `setsid-child`, `daemon` | leaves a child that has left the group |
//! | `close-stdout` | closes standard output |
//! | `sleep-ms=N`, `burn-ms=N`, `grow-mib=N` | takes time, CPU time, memory |
//! | `hold-unlinked-mib=N`, `hold-memory-mib=N` | holds a file without a name, on disk or in memory |
//! | `call-tcp=PORT`, `call-mptcp=PORT`, `call-fast=PORT` | connects to this machine, and says so |
//! | `exit=N`, `signal=N`, `hang` | ends so, or never |

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "it burns real time, as told")]

use rustix::process::{Signal, getpid, kill_process, setsid};
use std::{
    env, fs,
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

const MIB: usize = 1 << 20;

/// What is known when a step is taken.
#[derive(Default)]
struct Told {
    pid_file: Option<String>,
    grown: Vec<u8>,
    held: Vec<fs::File>,
    breaks_utf8: bool,
    /// The next step is not taken.
    passes: bool,
}

fn main() -> ExitCode {
    let steps: Vec<String> = env::args().skip(1).collect();
    let mut told = Told::default();
    for (index, step) in steps.iter().enumerate() {
        let (verb, value) = step.split_once('=').unwrap_or((step, ""));
        if std::mem::take(&mut told.passes) {
            continue;
        }
        if verb == "exit" {
            return ExitCode::from(value.parse::<u8>().unwrap_or(99));
        }
        if let Err(error) = told.take(verb, value, &steps[index + 1..]) {
            let _ = writeln!(io::stderr(), "fake-tool: `{step}`: {error}");
            return ExitCode::from(98);
        }
    }
    ExitCode::SUCCESS
}

// === impl Told ===

impl Told {
    fn take(&mut self, verb: &str, value: &str, rest: &[String]) -> io::Result<()> {
        match verb {
            "lines" => (1..=number(value)?).try_for_each(|n| say(&format!("line {n}"))),
            "say" => say(value),
            "complain" => writeln!(io::stderr(), "{value}"),
            "complain-env" => {
                env::var(value).map_or(Ok(()), |held| writeln!(io::stderr(), "{value}={held}"))
            }
            "stdout-mib" => flood(&mut io::stdout().lock(), number(value)?),
            "stderr-mib" => flood(&mut io::stderr().lock(), number(value)?),
            "long-lines" => long_lines(&mut io::stdout().lock(), number(value)?),
            "stderr-long-lines" => long_lines(&mut io::stderr().lock(), number(value)?),
            "pid-file" => self.note_pid(value),
            "print-env" => env::vars_os()
                .try_for_each(|(name, value)| say(&format!("{}={}", lossy(name), lossy(value)))),
            "print-cwd" => say(&env::current_dir()?.display().to_string()),
            "read-stdin" => {
                let read = io::stdin().read_to_end(&mut Vec::new())?;
                say(&format!("stdin {read} bytes"))
            }
            "ignore-term" => Err(deaf(rest)),
            "spawn-child" => self.spawn(&["hang"]),
            "deaf-child" => self.spawn(&["ignore-term", "hang"]),
            "late-child" => self.spawn(&[&format!("sleep-ms={value}"), "say=late"]),
            "setsid-child" => self.spawn(&["setsid", "hang"]),
            "daemon" => self.spawn(&["setsid", "spawn-child"]),
            "setsid" => setsid().map(drop).map_err(io::Error::from),
            "close-stdout" => {
                io::stdout().flush()?;
                rustix::stdio::dup2_stdout(fs::File::open("/dev/null")?).map_err(io::Error::from)
            }
            _ if verb.contains("-file") => self.take_file(verb, value),
            _ => self.take_time(verb, value),
        }
    }

    fn take_file(&self, verb: &str, value: &str) -> io::Result<()> {
        let (path, rest) = value.split_once(':').unwrap_or((value, ""));
        match verb {
            "stdout-file" => io::stdout().write_all(&self.content(value)?),
            "stderr-file" => io::stderr().write_all(&self.content(value)?),
            "write-file" => fs::write(path, rest),
            "copy-file" => {
                fs::create_dir_all(Path::new(rest).parent().ok_or(io::ErrorKind::InvalidInput)?)?;
                fs::write(rest, self.content(path)?)
            }
            "fill-file" => flood(&mut fs::File::create(path)?, number(rest)?),
            _ => Err(io::Error::other("no such step")),
        }
    }

    fn content(&self, path: &str) -> io::Result<Vec<u8>> {
        let text = fs::read(path)?;
        if !self.breaks_utf8 {
            return Ok(text);
        }
        let mut broken = Vec::new();
        for (number, part) in String::from_utf8_lossy(&text).split('\u{fffd}').enumerate() {
            broken.extend((number > 0).then_some(0xff));
            broken.extend(part.as_bytes());
        }
        Ok(broken)
    }

    fn take_time(&mut self, verb: &str, value: &str) -> io::Result<()> {
        match verb {
            "sleep-ms" => thread::sleep(Duration::from_millis(number(value)?)),
            "until-noted" => {
                let path = self.pid_file.as_ref().ok_or(io::ErrorKind::NotFound)?;
                let wanted = usize::try_from(number(value)?).map_err(io::Error::other)?;
                while fs::read_to_string(path)?.lines().count() < wanted {
                    thread::sleep(Duration::from_millis(2));
                }
            }
            "burn-ms" => {
                let end = Instant::now() + Duration::from_millis(number(value)?);
                while Instant::now() < end {}
            }
            "grow-mib" => {
                let mib = usize::try_from(number(value)?).map_err(io::Error::other)?;
                self.grown.resize(mib * MIB, 1);
            }
            "signal" => {
                let number = i32::try_from(number(value)?).map_err(io::Error::other)?;
                let signal = Signal::from_named_raw(number).ok_or(io::ErrorKind::InvalidInput)?;
                kill_process(getpid(), signal)?;
            }
            "break-utf8" => self.breaks_utf8 = true,
            "if-same" => {
                let (one, other) = value.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
                self.passes = fs::read(one)? != fs::read(other).unwrap_or_default();
            }
            "make-dir" => fs::create_dir_all(value)?,
            "make-fifo" => rustix::fs::mknodat(
                rustix::fs::CWD,
                value,
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::from_raw_mode(0o644),
                0,
            )?,
            "make-link" => {
                let (to, path) = value.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
                std::os::unix::fs::symlink(to, path)?;
            }
            "hang" => loop {
                thread::park();
            },
            _ => self.take_aside(verb, value)?,
        }
        Ok(())
    }

    /// Ways around those who look.
    fn take_aside(&mut self, verb: &str, value: &str) -> io::Result<()> {
        match verb {
            "hold-unlinked-mib" => {
                let name = format!("unlinked-{}", std::process::id());
                self.hold(fs::File::create(&name)?, value)?;
                fs::remove_file(name)
            }
            "hold-memory-mib" => {
                let file = rustix::fs::memfd_create("held", rustix::fs::MemfdFlags::CLOEXEC)?;
                self.hold(file.into(), value)
            }
            "call-tcp" | "call-mptcp" | "call-fast" => {
                let port = value.parse().map_err(io::Error::other)?;
                let said = if call(verb, port).is_ok() { "CONNECTED" } else { "REFUSED" };
                say(&format!("{verb} {said}"))
            }
            _ => Err(io::Error::other("no such step")),
        }
    }

    fn hold(&mut self, mut file: fs::File, mib: &str) -> io::Result<()> {
        flood(&mut file, number(mib)?)?;
        self.held.push(file);
        Ok(())
    }

    fn note_pid(&mut self, path: &str) -> io::Result<()> {
        self.pid_file = Some(path.to_owned());
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path)?;
        file.write_all(format!("{}\n", std::process::id()).as_bytes())
    }

    fn spawn(&self, steps: &[&str]) -> io::Result<()> {
        let mut command = Command::new(env::current_exe()?);
        // A child that never speaks up would make a test wait for nothing: it is noted once it
        // has become what it was told to become.
        let (last, first) = steps.split_last().ok_or(io::ErrorKind::InvalidInput)?;
        command.args(first);
        if let Some(path) = &self.pid_file {
            command.arg(format!("pid-file={path}"));
        }
        command.arg(last).spawn().map(drop)
    }
}

/// Goes on with the rest in a program that has inherited the deafness. A shell does the ignoring,
/// since no safe function of ours can.
fn deaf(rest: &[String]) -> io::Error {
    match env::current_exe() {
        Ok(own) => Command::new("/bin/sh")
            .args(["-c", r#"trap '' TERM; exec "$0" "$@""#])
            .arg(own)
            .args(rest)
            .exec(),
        Err(error) => error,
    }
}

/// Connects to a port of this machine as few programs do.
fn call(how: &str, port: u16) -> io::Result<()> {
    use rustix::net::{AddressFamily, SendFlags, SocketType, connect, ipproto, sendto, socket};
    /// `MSG_FASTOPEN` of `sendto(2)`.
    const FAST_OPEN: u32 = 0x2000_0000;
    let protocol = if how == "call-mptcp" { ipproto::MPTCP } else { ipproto::TCP };
    let socket = socket(AddressFamily::INET, SocketType::STREAM, Some(protocol))?;
    let there = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, port));
    if how == "call-fast" {
        sendto(&socket, b"fast", SendFlags::from_bits_retain(FAST_OPEN), &there)?;
    } else {
        connect(&socket, &there)?;
    }
    Ok(())
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(io::Error::other)
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn lossy(text: std::ffi::OsString) -> String {
    text.to_string_lossy().into_owned()
}

fn flood(out: &mut impl Write, mib: u64) -> io::Result<()> {
    let block = "0123456789abcdef0123456789abcde\n".repeat(MIB / 32);
    (0..mib).try_for_each(|_| out.write_all(block.as_bytes()))
}

fn long_lines(out: &mut impl Write, count: u64) -> io::Result<()> {
    let block = vec![b'x'; MIB];
    (0..count).try_for_each(|_| out.write_all(&block))?;
    out.flush()
}
