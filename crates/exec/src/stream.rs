//! One pipe, copied to disk within its limit.
//!
//! Keeps: never more than one block and the kept ends in memory; what was read is counted even if
//! the copying is given up half-way.
//!
//! Does not: decide what happens to a tool that writes too much.

use std::{collections::VecDeque, fs::File, io, io::Write, os::fd::OwnedFd, path::Path};
use tokio::net::unix::pipe::Receiver;

/// As much as is read at once; the pipe holds [`PIPE`], so that a tool can go on while we write.
const BLOCK: usize = 64 << 10;
const PIPE: usize = 256 << 10;

/// The end of standard error that is kept beside its beginning, once it is too long.
const END_KEPT: usize = 256 << 10;

/// What a report shows of standard error.
const TAIL_SHOWN: usize = 8 << 10;

/// What happens above the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Above {
    Stop,
    KeepEnds,
}

/// Why copying stopped.
#[derive(Debug)]
pub(crate) enum CopyEnd {
    /// All writers are gone and all is read.
    Closed,
    /// More came than may, under [`Above::Stop`].
    OverLimit,
    /// The disk does not take it.
    Unwritten(io::Error),
}

/// A stream of a running tool.
#[derive(Debug)]
pub(crate) struct Stream {
    pipe: Receiver,
    sink: Sink,
    block: Box<[u8]>,
}

/// The part that knows no pipe: bytes go in, a file and two short ends come out.
#[derive(Debug)]
struct Sink {
    file: File,
    above: Above,
    bytes_max: u64,
    /// Bytes that came.
    seen: u64,
    /// Bytes in the file.
    written: u64,
    /// Bytes that came after the file had its share.
    end: VecDeque<u8>,
    /// The last bytes that came, for a report.
    tail: VecDeque<u8>,
}

/// What a stream amounted to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) bytes: u64,
    pub(crate) omitted: u64,
    pub(crate) tail: String,
}

// === impl Stream ===

impl Stream {
    pub(crate) fn new(pipe: OwnedFd, file: File, above: Above, bytes_max: u64) -> io::Result<Self> {
        // Only a kindness to the tool: refused when the user's share of pipe memory is used up.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE);
        Ok(Self {
            pipe: Receiver::from_owned_fd(pipe)?,
            sink: Sink::new(file, above, bytes_max),
            block: vec![0; BLOCK].into_boxed_slice(),
        })
    }

    /// Copies until the pipe is closed, the limit is passed or the disk fails.
    ///
    /// # Cancel safety
    ///
    /// Safe: what was read is written before the next wait.
    pub(crate) async fn copy(&mut self) -> CopyEnd {
        loop {
            // A broken pipe tells what a closed one does: nothing more will come.
            if self.pipe.readable().await.is_err() {
                return CopyEnd::Closed;
            }
            match self.pipe.try_read(&mut self.block) {
                Ok(0) => return CopyEnd::Closed,
                Ok(count) => {
                    if let Some(end) = self.sink.take(&self.block[..count]) {
                        return end;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return CopyEnd::Closed,
            }
        }
    }

    pub(crate) fn finish(self) -> io::Result<Copied> {
        self.sink.finish()
    }
}

// === impl Sink ===

impl Sink {
    fn new(file: File, above: Above, bytes_max: u64) -> Self {
        let (end, tail) = (VecDeque::new(), VecDeque::new());
        Self { file, above, bytes_max, seen: 0, written: 0, end, tail }
    }

    fn take(&mut self, bytes: &[u8]) -> Option<CopyEnd> {
        self.seen += bytes.len() as u64;
        if self.above == Above::KeepEnds {
            push(&mut self.tail, bytes, TAIL_SHOWN);
        }
        let room = usize::try_from(self.share() - self.written).unwrap_or(usize::MAX);
        let (fits, rest) = bytes.split_at(room.min(bytes.len()));
        // A write to the page cache: shorter than handing it to another thread would be.
        if let Err(error) = self.file.write_all(fits) {
            return Some(CopyEnd::Unwritten(error));
        }
        self.written += fits.len() as u64;
        match (self.above, rest.is_empty()) {
            (_, true) => None,
            (Above::Stop, false) => Some(CopyEnd::OverLimit),
            (Above::KeepEnds, false) => {
                push(&mut self.end, rest, END_KEPT);
                None
            }
        }
    }

    /// The part of the limit that goes straight to the file.
    fn share(&self) -> u64 {
        match self.above {
            Above::Stop => self.bytes_max,
            Above::KeepEnds => self.bytes_max.saturating_sub(END_KEPT as u64),
        }
    }

    fn finish(mut self) -> io::Result<Copied> {
        let kept = self.written + self.end.len() as u64;
        let omitted = match self.above {
            Above::Stop => 0,
            Above::KeepEnds => self.seen - kept,
        };
        if omitted > 0 {
            writeln!(self.file, "\n[assay: {omitted} bytes are left out here]")?;
        }
        let (front, back) = self.end.as_slices();
        self.file.write_all(front)?;
        self.file.write_all(back)?;
        let bytes = match self.above {
            Above::Stop => self.written,
            Above::KeepEnds => self.seen,
        };
        Ok(Copied { bytes, omitted, tail: words(self.tail.make_contiguous(), self.seen) })
    }
}

fn push(end: &mut VecDeque<u8>, bytes: &[u8], bytes_max: usize) {
    let bytes = &bytes[bytes.len().saturating_sub(bytes_max)..];
    let surplus = (end.len() + bytes.len()).saturating_sub(bytes_max);
    end.drain(..surplus);
    end.extend(bytes);
}

/// Whole lines, where the beginning of the first was lost.
fn words(tail: &[u8], seen: u64) -> String {
    let lost = seen > tail.len() as u64;
    let line_start = tail.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let start = if lost && line_start < tail.len() { line_start } else { 0 };
    String::from_utf8_lossy(&tail[start..]).trim_end().to_owned()
}

/// Makes the file that a stream is written to.
pub(crate) fn create(path: &Path) -> Result<File, String> {
    File::create(path).map_err(|error| format!("`{}` cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink(above: Above, bytes_max: u64) -> (testkit::TempDir, Sink) {
        let dir = testkit::tempdir().unwrap();
        let file = create(&dir.path().join("out")).unwrap();
        (dir, Sink::new(file, above, bytes_max))
    }

    #[test]
    fn exactly_the_limit_is_not_above_it() {
        let (_dir, mut sink) = sink(Above::Stop, 4);
        assert!(sink.take(b"1234").is_none());
        assert!(matches!(sink.take(b"5"), Some(CopyEnd::OverLimit)));
        assert_eq!(sink.finish().unwrap().bytes, 4);
    }

    #[test]
    fn a_long_standard_error_keeps_both_ends() {
        let limit = END_KEPT as u64 + 10;
        let (dir, mut sink) = sink(Above::KeepEnds, limit);
        assert!(sink.take(b"beginning\n").is_none());
        for _ in 0..10 {
            assert!(sink.take(&vec![b'x'; BLOCK]).is_none());
        }
        assert!(sink.take(b"\nthe end\n").is_none());
        let copied = sink.finish().unwrap();
        assert_eq!(copied.omitted, 10 * BLOCK as u64 + 9 - END_KEPT as u64);
        assert_eq!(copied.tail, "the end");
        let text = std::fs::read_to_string(dir.path().join("out")).unwrap();
        assert!(text.starts_with("beginning\n") && text.ends_with("\nthe end\n"));
        assert!(text.contains("bytes are left out here]"));
    }

    #[test]
    fn a_standard_error_within_its_limit_is_whole() {
        let (dir, mut sink) = sink(Above::KeepEnds, END_KEPT as u64 + 4);
        assert!(sink.take(b"123456789").is_none());
        let copied = sink.finish().unwrap();
        assert_eq!((copied.bytes, copied.omitted, copied.tail.as_str()), (9, 0, "123456789"));
        assert_eq!(std::fs::read_to_string(dir.path().join("out")).unwrap(), "123456789");
    }
}
