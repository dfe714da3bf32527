//! Reading into the spare room of a growing buffer, without filling that with zeroes first.

use std::io;

use bytes::BufMut;
use socket2::SockRef;

use crate::note::WaitReason::IoRead;
use crate::readiness::Direction;
use crate::source::Evented;
use crate::sys;

impl<E> Evented<E>
where
    E: mio::event::Source,
    for<'a> SockRef<'a>: From<&'a E>,
{
    pub(crate) async fn read_buf(&self, buf: &mut (impl BufMut + ?Sized)) -> io::Result<usize> {
        let Some(room) = room(buf) else { return Ok(0) };
        let op = |io: &E| receive(io, buf);
        let n = self
            .transfer(Direction::Read, IoRead, op, |&n| 0 < n && n < room)
            .await?;
        // SAFETY: (1) `receive` has written `n` bytes at the start of this very chunk.
        unsafe { buf.advance_mut(n) };
        Ok(n)
    }

    pub(crate) fn try_read_buf(&self, buf: &mut (impl BufMut + ?Sized)) -> io::Result<usize> {
        let Some(room) = room(buf) else { return Ok(0) };
        let op = |io: &E| receive(io, buf);
        let n = self.try_transfer(Direction::Read, op, |&n| 0 < n && n < room)?;
        // SAFETY: (1) `receive` has written `n` bytes at the start of this very chunk.
        unsafe { buf.advance_mut(n) };
        Ok(n)
    }
}

/// How many bytes the system is offered by a read into the next chunk; `None` if there is no room at all.
fn room(buf: &mut (impl BufMut + ?Sized)) -> Option<usize> {
    buf.has_remaining_mut()
        .then(|| sys::offered(std::iter::once(buf.chunk_mut().len())))
}

/// Reads into the next chunk of `buf`, and leaves it to the caller to advance.
fn receive<E>(io: &E, buf: &mut (impl BufMut + ?Sized)) -> io::Result<usize>
where
    for<'a> SockRef<'a>: From<&'a E>,
{
    // SAFETY: (2) `recv` writes initialised bytes to the slice and takes none away.
    let chunk = unsafe { buf.chunk_mut().as_uninit_slice_mut() };
    SockRef::from(io).recv(chunk)
}
