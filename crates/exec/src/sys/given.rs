//! Descriptors that whoever started us has opened.

use rustix::{
    fd::BorrowedFd,
    io::{FdFlags, fcntl_getfd, fcntl_setfd},
};
use std::{
    collections::BTreeSet,
    io,
    os::fd::{FromRawFd as _, OwnedFd},
    sync::Mutex,
};

/// Descriptors that were taken over.
static TAKEN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Takes over a descriptor by its number, once: programs that we start do not get it.
///
/// # Errors
///
/// `EBADF` where nothing is open under that number, `InvalidInput` for the standard streams and for
/// what was taken over before.
pub fn inherited(number: i32) -> io::Result<OwnedFd> {
    let is_first = number > 2
        && TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(number);
    if !is_first {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: it is only asked about, before anything else is done; a number that is not open is
    // answered by an error.
    let seen = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl_getfd(seen)?;
    fcntl_setfd(seen, flags | FdFlags::CLOEXEC)?;
    // SAFETY: it is open, and `TAKEN` has no two owners come out of here. It is the caller's part to
    // ask before this process has opened anything, so that the number is not one of ours.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read as _, Write as _},
        os::fd::IntoRawFd as _,
    };

    #[test]
    fn a_descriptor_is_taken_over_once() {
        let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let number = theirs.into_raw_fd();
        let mut taken = std::os::unix::net::UnixStream::from(inherited(number).unwrap());
        ours.write_all(b"x").unwrap();
        let mut read = [0];
        taken.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"x");
        for number in [number, 0, 1, 2, -1] {
            assert_eq!(inherited(number).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        assert_eq!(inherited(100_000).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
