//! Vectored transfers of more slices, and more bytes, than the system looks at.

use std::io::{IoSlice, IoSliceMut};
use std::task::Context;

use futures_io::{AsyncRead, AsyncWrite};
use gopark_net::{Reactor, TcpStream};

mod common;
use common::{CountWakes, drive, pair};

/// As many as the system takes, one more, and far more.
const SLICES: [usize; 4] = [1_023, 1_024, 1_025, 5_000];

#[test]
fn a_write_of_more_slices_than_the_system_takes_leaves_the_socket_writable() {
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    for slices in SLICES {
        let (client, _server) = drive(&reactor, pair()).expect("connected");
        let bytes: Vec<_> = (0..slices).map(|_| IoSlice::new(b"x")).collect();
        let written = client.try_write_vectored(&bytes).expect("there is room");
        assert_eq!(written, slices.min(1_024), "of {slices} slices");
        // The buffer of the kernel is nearly empty, so it takes more at once.
        assert_eq!(client.try_write(b"y").expect("there is room still"), 1);

        let written = drive(&reactor, client.write_vectored(&bytes)).expect("there is room");
        assert_eq!(written, slices.min(1_024), "of {slices} slices");
        assert_eq!(client.try_write(b"y").expect("there is room still"), 1);

        let (_, waker) = CountWakes::new();
        let mut cx = Context::from_waker(&waker);
        let mut stream = &client;
        let poll = std::pin::Pin::new(&mut stream).poll_write_vectored(&mut cx, &bytes);
        assert!(poll.is_ready());
        assert_eq!(client.try_write(b"y").expect("there is room still"), 1);
    }
}

#[test]
fn a_read_into_more_slices_than_the_system_takes_leaves_the_rest_to_be_read() {
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    for slices in SLICES {
        type Reads = fn(&Reactor, &TcpStream, &mut [IoSliceMut<'_>]) -> usize;
        let reads: [Reads; 3] = [
            |_, stream, slices| stream.try_read_vectored(slices).expect("bytes are there"),
            |reactor, stream, slices| {
                drive(reactor, stream.read_vectored(slices)).expect("bytes are there")
            },
            |_, mut stream, slices| {
                let (_, waker) = CountWakes::new();
                let mut cx = Context::from_waker(&waker);
                match std::pin::Pin::new(&mut stream).poll_read_vectored(&mut cx, slices) {
                    std::task::Poll::Ready(read) => read.expect("bytes are there"),
                    std::task::Poll::Pending => panic!("bytes are there"),
                }
            },
        ];
        for read in reads {
            let (client, server) = drive(&reactor, pair()).expect("connected");
            drive(&reactor, client.write_all(&vec![1; slices + 10])).expect("it takes all");
            drive(&reactor, server.readable()).expect("bytes are there");
            // The loopback interface has delivered them all when the last can be seen.
            let mut all = vec![0; slices + 10];
            while drive(&reactor, server.peek(&mut all)).expect("bytes are there") < slices + 10 {}

            let mut room = vec![[0_u8; 1]; slices];
            let mut bufs: Vec<_> = room.iter_mut().map(|b| IoSliceMut::new(b)).collect();
            let n = read(&reactor, &server, &mut bufs);
            assert_eq!(n, slices.min(1_024), "into {slices} slices");
            let rest = server.try_read(&mut all).expect("the rest is there");
            assert_eq!(rest, slices + 10 - n);
        }
    }
}
