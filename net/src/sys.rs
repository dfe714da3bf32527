//! What differs between operating systems, chosen here and nowhere else.

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

/// What stream sockets and listeners are registered for. Urgent data is asked for where it can be,
/// because a read stops short in front of it, which must not be taken for an empty buffer.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const INTEREST: Interest = Interest::READABLE
    .add(Interest::WRITABLE)
    .add(Interest::PRIORITY);

/// What stream sockets and listeners are registered for.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);
