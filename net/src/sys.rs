//! What differs between operating systems, chosen here and nowhere else.

use std::io;

use mio::Interest;

/// Whether a transfer of fewer bytes than asked for proves that the kernel's buffer is empty (or full),
/// and that more will be reported by a new edge. True for epoll and kqueue on stream sockets; Windows
/// re-arms by the "would block" itself, and on other systems mio may use `poll`.
pub(crate) const PARTIAL_MEANS_DRAINED: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
    target_os = "illumos",
));

/// How many bytes of a transfer the system looks at: Linux's `MAX_RW_COUNT`, and less than the others' limits.
const MOST_BYTES: usize = 0x7fff_f000;

/// How many slices of a vectored transfer `std` hands to the system. illumos may take no more than 16.
const MOST_SLICES: usize = if cfg!(target_os = "illumos") {
    16
} else {
    1_024
};

/// How many bytes the system is offered by a transfer into, or out of, slices of these lengths: only a
/// transfer of fewer bytes than that shows that the kernel's buffer is used up.
pub(crate) fn offered(lengths: impl Iterator<Item = usize>) -> usize {
    lengths
        .take(MOST_SLICES)
        .fold(0, usize::saturating_add)
        .min(MOST_BYTES)
}

/// Whether a hang-up of this descriptor is the end of it. It is for stream sockets. FIFOs and terminals can be
/// opened again, and an error that was reported of a datagram socket is over once it has been collected.
#[cfg(unix)]
pub(crate) fn hang_up_is_final(fd: std::os::fd::RawFd) -> bool {
    // SAFETY: the descriptor is open, for it has just been registered, and it is borrowed for this call only.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    let kind = socket2::SockRef::from(&fd).r#type();
    kind.is_ok_and(|kind| kind == socket2::Type::STREAM || kind == socket2::Type::SEQPACKET)
}

/// What stream sockets and listeners are registered for. Urgent data is asked for where it can be,
/// because a read stops short in front of it, which must not be taken for an empty buffer.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const INTEREST: Interest = Interest::READABLE
    .add(Interest::WRITABLE)
    .add(Interest::PRIORITY);

/// What stream sockets and listeners are registered for.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// What a descriptor is registered for when the caller wants `interest`.
#[cfg(unix)]
pub(crate) fn interest(interest: crate::interest::Interest) -> Interest {
    match (interest.is_readable(), interest.is_writable()) {
        (true, true) => Interest::READABLE | Interest::WRITABLE,
        (true, false) => Interest::READABLE,
        _ => Interest::WRITABLE,
    }
}

/// Whether a non-blocking `connect` that returned this error goes on in the background.
#[cfg(unix)]
pub(crate) fn connect_goes_on(e: &io::Error) -> bool {
    e.raw_os_error() == Some(libc::EINPROGRESS)
}

/// Whether a non-blocking `connect` that returned this error goes on in the background.
#[cfg(not(unix))]
pub(crate) fn connect_goes_on(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::WouldBlock
}

/// Implements the traits of raw handles for a registered socket with a field `io`.
macro_rules! raw_socket {
    ($type:ty) => {
        #[cfg(unix)]
        const _: () = {
            use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

            impl AsFd for $type {
                fn as_fd(&self) -> BorrowedFd<'_> {
                    self.io.get().as_fd()
                }
            }

            impl AsRawFd for $type {
                fn as_raw_fd(&self) -> RawFd {
                    self.io.get().as_raw_fd()
                }
            }

            impl TryFrom<$type> for OwnedFd {
                type Error = io::Error;

                /// Takes the socket out of the reactor.
                fn try_from(socket: $type) -> io::Result<Self> {
                    socket.into_std().map(Into::into)
                }
            }

            impl $type {
                /// Takes the socket out of the reactor and gives its descriptor up, to be closed by the
                /// caller.
                ///
                /// # Errors
                /// When the socket cannot be taken out of the reactor.
                pub fn try_into_raw_fd(self) -> io::Result<RawFd> {
                    self.into_std().map(IntoRawFd::into_raw_fd)
                }
            }
        };

        #[cfg(windows)]
        const _: () = {
            use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, RawSocket};

            impl AsSocket for $type {
                fn as_socket(&self) -> BorrowedSocket<'_> {
                    self.io.get().as_socket()
                }
            }

            impl AsRawSocket for $type {
                fn as_raw_socket(&self) -> RawSocket {
                    self.io.get().as_raw_socket()
                }
            }
        };
    };
}

/// Implements the traits of raw handles for a socket of `socket2` in a field `inner`.
macro_rules! raw_inner {
    ($type:ty) => {
        #[cfg(unix)]
        const _: () = {
            use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, RawFd};

            impl AsFd for $type {
                fn as_fd(&self) -> BorrowedFd<'_> {
                    self.inner.as_fd()
                }
            }

            impl AsRawFd for $type {
                fn as_raw_fd(&self) -> RawFd {
                    self.inner.as_raw_fd()
                }
            }

            impl IntoRawFd for $type {
                fn into_raw_fd(self) -> RawFd {
                    self.inner.into_raw_fd()
                }
            }
        };

        #[cfg(windows)]
        const _: () = {
            use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, RawSocket};

            impl AsSocket for $type {
                fn as_socket(&self) -> BorrowedSocket<'_> {
                    self.inner.as_socket()
                }
            }

            impl AsRawSocket for $type {
                fn as_raw_socket(&self) -> RawSocket {
                    self.inner.as_raw_socket()
                }
            }
        };
    };
}

pub(crate) use {raw_inner, raw_socket};
