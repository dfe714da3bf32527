//! Operations of a user's that refuse after the other side has hung up.
#![cfg(target_os = "linux")]

use std::fs::{self, File, OpenOptions};
use std::future::Future;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::pin::pin;
use std::task::Context;
use std::time::Duration;

use gopark_net::{AsyncFd, Interest, Reactor, TcpStream};

mod common;
use common::{CountWakes, drive, pair};

/// An operation that would block, as it says, `times` times, and then gives 7.
fn refuses(times: usize) -> impl FnMut() -> io::Result<u32> {
    let mut left = times;
    move || {
        if left == 0 {
            return Ok(7);
        }
        left -= 1;
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// A connection whose other end has gone, as the reactor has reported.
fn hung_up(reactor: &Reactor) -> TcpStream {
    let (client, server) = drive(reactor, pair()).expect("connected");
    drop(client);
    while !drive(reactor, server.ready(Interest::READABLE))
        .expect("a live reactor")
        .is_read_closed()
    {
        let mut ready = Vec::new();
        reactor
            .try_poll(Some(Duration::ZERO), &mut ready)
            .expect("it polls");
    }
    server
}

#[test]
fn an_operation_that_refuses_after_a_hang_up_is_tried_again() {
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    let server = hung_up(&reactor);

    // Nothing more is reported, ever.
    let custom = server.async_io(Interest::READABLE, refuses(3));
    assert_eq!(drive(&reactor, custom).expect("it is tried again"), 7);
    let mut refuse = refuses(1);
    let refused = server.try_io(Interest::READABLE, &mut refuse);
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(
        server
            .try_io(Interest::READABLE, &mut refuse)
            .expect("ready still"),
        7
    );
    drive(&reactor, server.readable()).expect("the end can be read");
}

#[test]
fn an_operation_that_refuses_for_ever_lets_others_run() {
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    let server = hung_up(&reactor);
    let mut custom = pin!(server.async_io(Interest::READABLE, refuses(usize::MAX)));
    let (wakes, waker) = CountWakes::new();
    for polls in 1..10 {
        assert!(
            custom
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert_eq!(wakes.count(), polls, "it is to be polled again");
    }
}

#[test]
fn a_watched_stream_socket_stays_hung_up() {
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    ours.set_nonblocking(true).expect("it can");
    drop(theirs);
    drive(&reactor, async {
        let ours = AsyncFd::new(ours)?;
        let mut guard = ours.readable().await?;
        guard.clear_ready();
        assert!(ours.readable().await?.ready().is_read_closed());
        let mut refuse = refuses(2);
        let custom = ours.async_io(Interest::READABLE, |_| refuse());
        assert_eq!(custom.await?, 7);
        io::Result::Ok(())
    })
    .expect("nothing hangs");
}

struct Fifo(std::path::PathBuf);

impl Fifo {
    fn new() -> Self {
        let name = format!("gopark-hang-up-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let text = std::ffi::CString::new(path.as_os_str().as_bytes()).expect("no NUL in it");
        // SAFETY: the text ends in NUL and lives as long as the call.
        let made = unsafe { libc::mkfifo(text.as_ptr(), 0o600) };
        assert_eq!(made, 0, "{}", path.display());
        Self(path)
    }

    fn writer(&self) -> File {
        OpenOptions::new()
            .write(true)
            .open(&self.0)
            .expect("a reader is there")
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_fifo_waits_for_its_next_writer() {
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    let fifo = Fifo::new();
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    let reader = options.open(&fifo.0).expect("a FIFO opens to read");
    drive(&reactor, async {
        let reader = AsyncFd::with_interest(reader, Interest::READABLE)?;
        let mut byte = [0];
        for round in 0..3 {
            let mut writer = fifo.writer();
            writer.write_all(&[round])?;
            let read = reader.async_io(Interest::READABLE, |mut file| file.read(&mut byte));
            assert_eq!((read.await?, byte[0]), (1, round));
            drop(writer);
            // The hang-up is reported, and a read tells of it by the end of file.
            let mut guard = loop {
                let mut guard = reader.readable().await?;
                if guard.ready().is_read_closed() {
                    break guard;
                }
                guard.clear_ready();
            };
            // The next writer takes it back: now a read would block, and there is nothing to be ready for.
            let next = fifo.writer();
            let would_block = guard.try_io(|fd| fd.get_ref().read(&mut byte));
            assert!(would_block.is_err(), "{would_block:?}");
            let (wakes, waker) = CountWakes::new();
            let mut readable = pin!(reader.readable());
            assert!(
                readable
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            assert_eq!(wakes.count(), 0);
            drop(next);
            assert!(readable.await?.ready().is_read_closed());
            assert_eq!(
                reader.try_io(Interest::READABLE, |mut file| file.read(&mut byte))?,
                0
            );
        }
        io::Result::Ok(())
    })
    .expect("nothing hangs");
}
