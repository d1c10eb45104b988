//! What the supervisor and the shim say to each other, over one stream socket.
//!
//! Down goes one [`Order`], then single bytes ([`Push`]); the end of the stream means stop. Up come
//! [`Word`]s, the last of them [`Word::Gone`]. Each is preceded by its length.

use crate::{
    job::{Access, Limits, Room},
    sys::Spaces,
};
use assay_model::Limit;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    ffi::OsString,
    io::{self, Read, Write},
};

/// Longer than any command line that the kernel takes (a quarter of the stack, 6 MiB at the most),
/// with its environment. More is a bug of ours, not a wish.
const MESSAGE_BYTES_MAX: u32 = 16 << 20;

/// What is to be run, and how it is held.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Empty: nothing is started, but everything before it is done. So a cage is tried.
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) cwd: OsString,
    pub(crate) limits: Limits,
    pub(crate) fence: Fence,
}

/// The layers of one cage, as far as they are in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fence {
    pub(crate) spaces: Spaces,
    /// What it sees of the file system. Mounted, where there is a namespace for it.
    pub(crate) room: Vec<Seat>,
    /// The ordinary user that it becomes.
    pub(crate) user: Option<u32>,
    /// Whether all capabilities are given up.
    pub(crate) powerless: bool,
    pub(crate) landlock: bool,
    pub(crate) seccomp: bool,
    pub(crate) reach: Reach,
    /// Control groups, each made before the start and removed after the end.
    pub(crate) groups: Vec<Group>,
}

/// One place that the tool sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    pub(crate) from: OsString,
    pub(crate) to: OsString,
    pub(crate) access: Access,
}

/// Where it may connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reach {
    #[default]
    Nowhere,
    /// These TCP ports of any host.
    Ports(Vec<u16>),
    Anywhere,
}

/// One control group of our own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) dir: OsString,
    pub(crate) sort: GroupSort,
}

/// What a control group can do for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum GroupSort {
    /// The first generation: one hierarchy for each controller.
    MemoryV1,
    ProcessesV1,
    /// The second, which can kill all of its processes at once, with the controllers that were
    /// delegated to us.
    Unified {
        memory: bool,
        processes: bool,
    },
}

/// What the shim is told after its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Push {
    Ask,
    Force,
}

/// What the shim says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Word {
    /// The first process of the cage, by its number outside. When it is gone, all are.
    Held {
        init: i32,
    },
    NotStarted {
        stage: Stage,
        why: String,
    },
    /// The tool itself has exited. What it started may go on.
    Exited {
        status: i32,
    },
    /// A limit was reached, and all is being stopped because of it.
    Stopped {
        limit: Limit,
        most: u64,
    },
    /// The last process is gone.
    Gone {
        tally: Tally,
    },
}

/// Where starting a tool failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    Groups,
    Spaces,
    Room,
    User,
    Landlock,
    Seccomp,
    Limits,
    Program,
}

/// What all processes of a run took together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) user_us: u64,
    pub(crate) system_us: u64,
    /// Of all processes together where they lived long enough to be looked at, else of the largest.
    pub(crate) peak_kib: u64,
    pub(crate) read_bytes: Option<u64>,
    pub(crate) written_bytes: Option<u64>,
}

// === impl Fence ===

impl Fence {
    /// Lists what is seen, from where it lies to where it is seen.
    pub(crate) fn seats(room: &Room) -> Vec<Seat> {
        let readable = room.readable.iter().map(|path| (path, path, Access::Read));
        let shown = room.shown.iter().map(|shown| (&shown.from, &shown.to, shown.access));
        let all = readable.chain(shown);
        all.map(|(from, to, access)| Seat { from: from.into(), to: to.into(), access }).collect()
    }
}

// === impl Push ===

impl Push {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Ask => b'a',
            Self::Force => b'f',
        }
    }

    /// Takes every byte but the one for a question as the order to stop.
    pub(crate) const fn of(byte: u8) -> Self {
        match byte {
            b'a' => Self::Ask,
            _ => Self::Force,
        }
    }
}

/// Returns `message` with its length before it.
pub(crate) fn framed(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let bytes = postcard::to_stdvec(message).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= MESSAGE_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::from(io::ErrorKind::ArgumentListTooLong))?;
    Ok([&length.to_le_bytes(), bytes.as_slice()].concat())
}

/// Takes one message off the front of `bytes`, if it is there whole.
pub(crate) fn unframe<T: DeserializeOwned>(bytes: &mut Vec<u8>) -> io::Result<Option<T>> {
    let Some(length) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length);
    if length > MESSAGE_BYTES_MAX {
        return Err(io::Error::other("a message of the shim is too long"));
    }
    let end = 4 + length as usize;
    let Some(message) = bytes.get(4..end) else { return Ok(None) };
    let message = postcard::from_bytes(message).map_err(io::Error::other)?;
    bytes.drain(..end);
    Ok(Some(message))
}

pub(crate) fn send(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&framed(message)?)
}

pub(crate) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > MESSAGE_BYTES_MAX {
        return Err(io::Error::other("a message to the shim is too long"));
    }
    let mut message = vec![0; length as usize];
    from.read_exact(&mut message)?;
    postcard::from_bytes(&message).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_whole_or_not_at_all() {
        let word = Word::NotStarted { stage: Stage::Room, why: "no place".to_owned() };
        let bytes = framed(&word).unwrap();
        for cut in 0..bytes.len() {
            let mut part = bytes[..cut].to_vec();
            assert_eq!(unframe::<Word>(&mut part).unwrap(), None, "cut at {cut}");
            assert_eq!(part.len(), cut, "nothing is lost");
        }
        let mut twice = [bytes.clone(), bytes].concat();
        assert_eq!(unframe(&mut twice).unwrap(), Some(word.clone()));
        assert_eq!(unframe(&mut twice).unwrap(), Some(word));
        assert!(twice.is_empty());
    }

    #[test]
    fn a_length_that_no_message_has_is_refused_before_anything_is_allocated() {
        assert!(unframe::<Word>(&mut vec![0xff; 8]).is_err());
        assert!(receive::<Word>(&mut [0xff; 8].as_slice()).is_err());
    }

    #[test]
    fn a_byte_that_nobody_sends_means_stop() {
        assert_eq!(Push::of(Push::Ask.byte()), Push::Ask);
        assert_eq!(Push::of(Push::Force.byte()), Push::Force);
        assert_eq!(Push::of(0), Push::Force);
    }
}
