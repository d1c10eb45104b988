//! What a run amounts to, once the last process is gone.

use super::Why;
use crate::{
    job::{Ended, Job},
    order::Tally,
    stream::Copied,
};
use assay_model::{Limit, ToolEnd, Usage};
use std::{io, os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

/// `SIGXFSZ` and `SIGXCPU`, by which the kernel says that a limit was reached.
const FILE_SIZE_SIGNAL: i32 = libc::SIGXFSZ;
const CPU_SIGNAL: i32 = libc::SIGXCPU;

pub(super) fn hangs() -> ToolEnd {
    ToolEnd::Lost { why: "it was killed and has not died: it hangs in the kernel".to_owned() }
}

pub(super) fn end_of(why: Why, status: Option<ExitStatus>, job: &Job) -> ToolEnd {
    let reached = |limit, most| ToolEnd::LimitReached { limit, most };
    match (why, status) {
        (Why::TimedOut, _) => ToolEnd::TimedOut,
        (Why::Cancelled, _) => ToolEnd::Cancelled,
        (Why::Reached(limit, most), _) => reached(limit, most),
        (Why::NotStarted(why), _) => ToolEnd::NotStarted { why },
        (Why::Unwritten(error), _) => {
            ToolEnd::Lost { why: format!("its output could not be written: {error}") }
        }
        (Why::Lost, _) | (Why::Exited, None) => {
            ToolEnd::Lost { why: "the process that held it was killed".to_owned() }
        }
        (Why::Exited, Some(status)) => match (status.code(), status.signal()) {
            (Some(code), _) => ToolEnd::Exited { code },
            (None, Some(FILE_SIZE_SIGNAL)) => reached(Limit::FileSize, job.limits.file_bytes_max),
            (None, Some(CPU_SIGNAL)) => reached(Limit::Cpu, job.limits.cpu_s_max),
            (None, signal) => ToolEnd::Signalled { signal: signal.unwrap_or(0) },
        },
    }
}

pub(super) fn ended(end: ToolEnd, usage: Usage, streams: io::Result<(Copied, Copied)>) -> Ended {
    match streams {
        Ok((stdout, stderr)) => Ended {
            usage,
            stdout_bytes: stdout.bytes,
            stderr_bytes: stderr.bytes,
            stderr_omitted: stderr.omitted,
            stderr_tail: stderr.tail,
            ..Ended::without_process(end)
        },
        Err(error) => {
            let why = format!("its output could not be written: {error}");
            Ended { usage, ..Ended::without_process(ToolEnd::Lost { why }) }
        }
    }
}

pub(super) fn usage(tally: Tally) -> Usage {
    Usage {
        wall_ms: 0,
        user_ms: tally.user_us / 1000,
        system_ms: tally.system_us / 1000,
        peak_kib: tally.peak_kib,
        read_bytes: tally.read_bytes,
        written_bytes: tally.written_bytes,
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
