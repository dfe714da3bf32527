//! The standard error of a Unix, written past the lock that `std` has for it.

use std::io;

/// So many bytes go into a pipe as a whole or not at all, and without blocking if it is writable.
const WHOLE: usize = libc::PIPE_BUF;

/// Writes all of `line` if that does not block. True, too, if it can never be written: nobody reads, the disk is
/// full, the standard error is closed.
pub(crate) fn write_if_room(line: &[u8]) -> bool {
    line.len() <= WHOLE && has_room() && write(line)
}

/// Writes all of `line`, however long that takes. What cannot be written is lost.
pub(crate) fn write_stderr(line: &[u8]) {
    for part in line.chunks(WHOLE) {
        while !write(part) {
            // It does not block where it is to, for it was opened so: then we wait until there is room.
            poll(-1);
        }
    }
}

fn has_room() -> bool {
    poll(0) != 0
}

/// How many of the one descriptor have room, or an error, which is no reason to wait either.
fn poll(timeout: libc::c_int) -> libc::c_int {
    let mut stderr = libc::pollfd {
        fd: libc::STDERR_FILENO,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: (1) the pointer is to one pollfd of ours.
    unsafe { libc::poll(&raw mut stderr, 1, timeout) }
}

/// Writes `bytes`; false if it would block.
fn write(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        // SAFETY: (1) the pointer and the length are those of a slice.
        let result =
            unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(result) {
            Ok(0) => return true,
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(_) => match io::Error::last_os_error().kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => return false,
                // It is lost.
                _ => return true,
            },
        }
    }
    true
}
