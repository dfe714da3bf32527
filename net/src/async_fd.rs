//! Readiness for any file descriptor that the selector takes.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll, ready};

use mio::unix::SourceFd;
use mio::{Registry, Token};

use crate::interest::Interest;
use crate::readiness::{Direction, Ready, Refused, Snapshot};
use crate::source::Evented;
use crate::sys;

/// A file descriptor that is watched by the reactor: pipes, eventfds, sockets of other crates, devices.
///
/// The descriptor must be in non-blocking mode if the operations on it are to be non-blocking; this type
/// does not change it. It must stay open while it is in here, and is taken out of the reactor when this
/// is dropped, before the inner value is.
///
/// Readiness works by edges: it is remembered until an operation finds that it would block. So after
/// [`readable`](Self::readable), either use [`try_io`](AsyncFdReadyGuard::try_io), or read until
/// "would block" and then call [`clear_ready`](AsyncFdReadyGuard::clear_ready).
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use gopark_net::AsyncFd;
/// # futures::executor::block_on(async {
///
/// let (reader, mut writer) = UnixStream::pair()?;
/// reader.set_nonblocking(true)?;
/// let reader = AsyncFd::new(reader)?;
/// writer.write_all(b"ping")?;
///
/// let mut buf = [0; 64];
/// let n = loop {
///     let mut guard = reader.readable().await?;
///     match guard.try_io(|fd| fd.get_ref().read(&mut buf)) {
///         Ok(outcome) => break outcome?,
///         Err(_would_block) => continue,
///     }
/// };
/// assert_eq!(&buf[..n], b"ping");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
///
/// # Hang-ups
/// On a stream socket a hang-up ([`Ready::is_read_closed`], [`Ready::is_write_closed`]) is final: clearing the
/// readiness does not clear it, so an operation that refuses after it is tried again rather than waiting for
/// a report that will not come. A FIFO, a terminal or a datagram socket can be opened again or go on, and the
/// system takes the hang-up back without a report: there, clearing the readiness clears it too.
pub struct AsyncFd<T: AsRawFd> {
    io: Evented<Watched<T>>,
    /// Whose word a "would block" of an operation on this descriptor counts as.
    refused: Refused,
}

/// The descriptor's number is kept, so that it is deregistered under the number it was registered by.
struct Watched<T> {
    inner: T,
    fd: RawFd,
}

impl<T> mio::event::Source for Watched<T> {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: mio::Interest,
    ) -> io::Result<()> {
        SourceFd(&self.fd).register(registry, token, interests)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: mio::Interest,
    ) -> io::Result<()> {
        SourceFd(&self.fd).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.fd).deregister(registry)
    }
}

impl<T: AsRawFd> AsyncFd<T> {
    /// Watches a descriptor in both directions.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when the descriptor is watched already
    /// (with kqueue, the second registration takes the place of the first instead),
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) on Linux when it is of a kind that is always
    /// ready (a regular file), and whatever else the system says. The inner value is dropped then; see
    /// [`try_new`](Self::try_new).
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// let (reader, _writer) = std::os::unix::net::UnixStream::pair()?;
    /// let first = gopark_net::AsyncFd::new(reader.as_raw_fd())?;
    /// let error = gopark_net::AsyncFd::new(reader.as_raw_fd()).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new(inner: T) -> io::Result<Self> {
        Self::with_interest(inner, Interest::READABLE | Interest::WRITABLE)
    }

    /// Watches a descriptor for what `interest` names; waiting for anything else then never ends.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_interest(inner: T, interest: Interest) -> io::Result<Self> {
        Self::try_with_interest(inner, interest).map_err(|(_, e)| e)
    }

    /// As [`new`](Self::new), but gives the inner value back when it fails.
    ///
    /// # Errors
    /// As [`new`](Self::new), with the inner value.
    pub fn try_new(inner: T) -> Result<Self, (T, io::Error)> {
        Self::try_with_interest(inner, Interest::READABLE | Interest::WRITABLE)
    }

    /// As [`with_interest`](Self::with_interest), but gives the inner value back when it fails.
    ///
    /// # Errors
    /// As [`new`](Self::new), with the inner value.
    pub fn try_with_interest(inner: T, interest: Interest) -> Result<Self, (T, io::Error)> {
        let fd = inner.as_raw_fd();
        let watched = Watched { inner, fd };
        // Nothing is assumed: the descriptor may be in blocking mode, where an attempt would hang.
        match Evented::with(watched, sys::interest(interest), Ready::EMPTY) {
            Ok(io) => Ok(Self {
                io,
                refused: if sys::hang_up_is_final(fd) {
                    Refused::ByUser
                } else {
                    Refused::ByKernel
                },
            }),
            Err((watched, e)) => Err((watched.inner, explain(fd, e))),
        }
    }

    /// Waits until the descriptor is readable.
    ///
    /// # Cancel safety
    /// Cancel safe: readiness is not used up by waiting for it.
    ///
    /// # Errors
    /// When the runtime that the descriptor is registered with has been shut down.
    ///
    /// # Examples
    /// See [`AsyncFd`].
    pub async fn readable(&self) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        self.ready(Interest::READABLE).await
    }

    /// Waits until the descriptor is writable.
    ///
    /// # Cancel safety
    /// Cancel safe: readiness is not used up by waiting for it.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    ///
    /// # Examples
    /// ```
    /// # futures::executor::block_on(async {
    /// let (_reader, writer) = std::os::unix::net::UnixStream::pair()?;
    /// let writer = gopark_net::AsyncFd::new(writer)?;
    /// assert!(writer.writable().await?.ready().is_writable());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn writable(&self) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        self.ready(Interest::WRITABLE).await
    }

    /// Waits until something of what `interest` names is ready.
    ///
    /// # Cancel safety
    /// Cancel safe: readiness is not used up by waiting for it.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    ///
    /// # Examples
    /// ```
    /// use gopark_net::{AsyncFd, Interest};
    /// # futures::executor::block_on(async {
    /// let (_reader, writer) = std::os::unix::net::UnixStream::pair()?;
    /// let writer = AsyncFd::new(writer)?;
    /// let guard = writer.ready(Interest::READABLE | Interest::WRITABLE).await?;
    /// assert!(guard.ready().is_writable());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn ready(&self, interest: Interest) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        let seen = self.io.wait_for(interest).await?;
        Ok(AsyncFdReadyGuard {
            fd: self,
            seen,
            interest,
        })
    }

    /// As [`readable`](Self::readable), for hand-written futures.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    pub fn poll_read_ready(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'_, T>>> {
        let seen = ready!(self.io.poll_ready(cx, Direction::Read))?;
        Poll::Ready(Ok(AsyncFdReadyGuard {
            fd: self,
            seen,
            interest: Interest::READABLE,
        }))
    }

    /// As [`writable`](Self::writable), for hand-written futures.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    pub fn poll_write_ready(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'_, T>>> {
        let seen = ready!(self.io.poll_ready(cx, Direction::Write))?;
        Poll::Ready(Ok(AsyncFdReadyGuard {
            fd: self,
            seen,
            interest: Interest::WRITABLE,
        }))
    }

    /// Runs a non-blocking operation if `interest` is ready; "would block" forgets the readiness.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when it is not ready, else what `op` returns.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        op: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.io
            .try_custom(interest, self.refused, |watched| op(&watched.inner))
    }

    /// Runs a non-blocking operation as often as it takes until it does not return
    /// [`WouldBlock`](io::ErrorKind::WouldBlock), waiting for `interest` in between.
    ///
    /// # Cancel safety
    /// As far as `op` is: the future is dropped between calls of it, never inside one.
    ///
    /// # Errors
    /// What `op` returns, or that the runtime has been shut down.
    ///
    /// # Examples
    /// ```
    /// use std::io::Write;
    /// use gopark_net::{AsyncFd, Interest};
    /// # futures::executor::block_on(async {
    /// let (_reader, writer) = std::os::unix::net::UnixStream::pair()?;
    /// let writer = AsyncFd::new(writer)?;
    /// let n = writer.async_io(Interest::WRITABLE, |mut socket| socket.write(b"ping")).await?;
    /// assert_eq!(n, 4);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.io
            .custom(interest, self.refused, |watched| op(&watched.inner))
            .await
    }

    /// The inner value.
    pub fn get_ref(&self) -> &T {
        &self.io.get().inner
    }

    /// The inner value. Do not replace its descriptor by another: the old one stays watched.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.io.get_mut().inner
    }

    /// Takes the descriptor out of the reactor.
    ///
    /// The inner value comes back in any case; if the system refuses (because the descriptor has been
    /// closed meanwhile), it is watched no more either.
    pub fn into_inner(self) -> T {
        self.io.release().inner
    }
}

/// `EEXIST` says nothing about what exists.
fn explain(fd: RawFd, e: io::Error) -> io::Error {
    if e.kind() != io::ErrorKind::AlreadyExists {
        return e;
    }
    let message = format!(
        "file descriptor {fd} is registered with this gopark reactor already: \
         share the one `AsyncFd` or socket, or duplicate the descriptor"
    );
    io::Error::new(io::ErrorKind::AlreadyExists, message)
}

impl<T: AsRawFd> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.get_ref().as_raw_fd()
    }
}

impl<T: AsRawFd + AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd")
            .field("inner", self.get_ref())
            .finish_non_exhaustive()
    }
}

/// The descriptor was ready a moment ago: what to do with that.
#[must_use = "perform the operation through `try_io`, or clear the readiness after \"would block\""]
pub struct AsyncFdReadyGuard<'a, T: AsRawFd> {
    fd: &'a AsyncFd<T>,
    seen: Snapshot,
    interest: Interest,
}

/// The operation would block after all; the readiness has been cleared. See
/// [`AsyncFdReadyGuard::try_io`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryIoError(());

impl<'a, T: AsRawFd> AsyncFdReadyGuard<'a, T> {
    /// What the descriptor was ready for.
    pub fn ready(&self) -> Ready {
        self.interest.of(self.seen.ready())
    }

    /// Forgets the readiness that this guard was given for, so that waiting for it waits again. What was
    /// reported since the guard was made is kept, and so is a hang-up that is final: see [`AsyncFd`].
    ///
    /// Call it only after an operation said "would block": otherwise there may be no further report.
    pub fn clear_ready(&mut self) {
        let AsyncFd { io, refused } = self.fd;
        io.clear_all(self.interest, self.seen, *refused);
    }

    /// Keeps the readiness. This does nothing; it says that it is meant.
    pub fn retain_ready(&mut self) {}

    /// Runs a non-blocking operation, and clears the readiness if it would block.
    ///
    /// # Errors
    /// [`TryIoError`] when `op` returned [`WouldBlock`](io::ErrorKind::WouldBlock). Other errors of `op` are
    /// in the inner result.
    pub fn try_io<R>(
        &mut self,
        op: impl FnOnce(&'a AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        match op(self.fd) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                self.clear_ready();
                Err(TryIoError(()))
            }
            outcome => Ok(outcome),
        }
    }

    /// The descriptor that this guard is about.
    pub fn get_ref(&self) -> &'a AsyncFd<T> {
        self.fd
    }

    /// The inner value of the descriptor that this guard is about.
    pub fn get_inner(&self) -> &'a T {
        self.fd.get_ref()
    }
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFdReadyGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFdReadyGuard")
            .field("fd", self.fd)
            .field("ready", &self.ready())
            .finish()
    }
}

impl fmt::Display for TryIoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operation would block")
    }
}

impl std::error::Error for TryIoError {}
