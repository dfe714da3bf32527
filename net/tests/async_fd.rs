//! `AsyncFd` with descriptors that are not sockets of this crate.
#![cfg(unix)]

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;

use futures::executor::block_on;
use gopark_net::{AsyncFd, Interest};

mod common;
use common::{CountWakes, poll_once};

fn unix_pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    ours.set_nonblocking(true).expect("open");
    (ours, theirs)
}

#[test]
fn a_guard_clears_what_it_saw_and_waits_again() {
    block_on(async {
        let (ours, mut theirs) = unix_pair();
        let fd = AsyncFd::new(ours)?;
        theirs.write_all(b"ab")?;
        let mut byte = [0; 1];
        for expected in *b"ab" {
            let mut guard = fd.readable().await?;
            assert!(guard.ready().is_readable());
            guard
                .try_io(|fd| fd.get_ref().read_exact(&mut byte))
                .expect("there is one")?;
            assert_eq!(byte[0], expected);
        }
        let mut guard = fd.readable().await?;
        assert!(
            guard.try_io(|fd| fd.get_ref().read(&mut byte)).is_err(),
            "it would block"
        );
        {
            let (_, waker) = CountWakes::new();
            let mut readable = Box::pin(fd.readable());
            assert!(poll_once(&mut readable, &waker).is_pending());
        }
        theirs.write_all(b"c")?;
        let n = fd
            .async_io(Interest::READABLE, |mut fd| fd.read(&mut byte))
            .await?;
        assert_eq!((n, &byte), (1, b"c"));
        io::Result::Ok(())
    })
    .expect("it works");
}

#[test]
fn clearing_with_an_old_guard_keeps_a_newer_report() {
    block_on(async {
        let (ours, mut theirs) = unix_pair();
        let fd = AsyncFd::with_interest(ours, Interest::READABLE)?;
        theirs.write_all(b"a")?;
        let mut old = fd.readable().await?;
        fd.get_ref().read_exact(&mut [0; 1])?;
        fd.readable().await?.clear_ready();
        theirs.write_all(b"b")?;
        let newer = fd.readable().await?;
        old.clear_ready();
        assert!(newer.ready().is_readable());
        fd.try_io(Interest::READABLE, |mut fd| fd.read_exact(&mut [0; 1]))
    })
    .expect("still ready");
}

#[test]
fn a_descriptor_that_is_registered_already_is_refused_by_name() {
    let (ours, _theirs) = unix_pair();
    let number = ours.as_raw_fd();
    let first = AsyncFd::new(ours).expect("the first time");
    let (again, error) = AsyncFd::try_new(number).expect_err("the second time");
    assert_eq!((again, error.kind()), (number, ErrorKind::AlreadyExists));
    assert!(
        error.to_string().contains(&format!("descriptor {number} ")),
        "{error}"
    );

    // The failure has not disturbed the first, and taking that out makes room.
    drop(block_on(first.writable()).expect("it works"));
    let ours = first.into_inner();
    let second = AsyncFd::new(ours.as_fd().as_raw_fd()).expect("free again");
    drop(second);
    drop(AsyncFd::new(ours).expect("free again"));
}

#[test]
fn the_inner_value_is_reachable_and_comes_back() {
    let (ours, mut theirs) = unix_pair();
    let mut fd = AsyncFd::new(ours).expect("registered");
    assert_eq!(fd.as_raw_fd(), fd.get_ref().as_raw_fd());
    fd.get_mut().write_all(b"x").expect("there is room");
    let ours = fd.into_inner();
    (&ours).write_all(b"y").expect("still open");
    let mut buf = [0; 2];
    theirs.read_exact(&mut buf).expect("both came");
    assert_eq!(&buf, b"xy");
}

#[test]
#[cfg(target_os = "linux")]
fn a_regular_file_is_refused() {
    let file = std::fs::File::open("/proc/self/exe").expect("this program");
    let error = AsyncFd::new(file).expect_err("always ready");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}
