//! Reads into the spare room of buffers.

use std::future::Future;
use std::pin::pin;
use std::task::Context;

use bytes::{BufMut, BytesMut};
use gopark_net::Reactor;

mod common;
use common::{CountWakes, drive, pair};

#[test]
fn an_empty_vector_gets_bytes_and_zero_is_the_end() {
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    let (client, server) = drive(&reactor, pair()).expect("connected");
    drive(&reactor, client.write_all(&[7; 1_000])).expect("there is room");
    drop(client);
    let mut all = Vec::new();
    while drive(&reactor, server.read_buf(&mut all)).expect("it reads") > 0 {}
    assert_eq!(all, [7; 1_000]);
    // The end stays the end, and changes nothing.
    assert_eq!(
        drive(&reactor, server.read_buf(&mut all)).expect("the end"),
        0
    );
    assert_eq!(all.len(), 1_000);
}

#[test]
fn a_buffer_that_is_full_takes_nothing_and_loses_nothing() {
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    let (client, server) = drive(&reactor, pair()).expect("connected");
    drive(&reactor, client.write_all(b"abc")).expect("there is room");
    let mut room = [0_u8; 2];
    let mut full = &mut room[..];
    assert_eq!(
        drive(&reactor, server.read_buf(&mut full)).expect("it reads"),
        2
    );
    assert_eq!(
        drive(&reactor, server.read_buf(&mut full)).expect("no room"),
        0
    );
    assert_eq!(server.try_read_buf(&mut full).expect("no room"), 0);
    assert_eq!(&room, b"ab");
    let mut rest = BytesMut::new();
    assert_eq!(server.try_read_buf(&mut rest).expect("a byte is left"), 1);
    assert_eq!(&rest[..], b"c");
}

#[test]
fn a_limited_buffer_and_one_in_pieces_are_filled_to_their_limits() {
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    let (client, server) = drive(&reactor, pair()).expect("connected");
    drive(&reactor, client.write_all(b"0123456789")).expect("there is room");
    let mut limited = Vec::with_capacity(64).limit(4);
    assert_eq!(
        drive(&reactor, server.read_buf(&mut limited)).expect("it reads"),
        4
    );
    let (mut first, mut second) = ([0_u8; 2], [0_u8; 3]);
    let mut pieces = (&mut first[..]).chain_mut(&mut second[..]);
    while pieces.has_remaining_mut() {
        assert!(drive(&reactor, server.read_buf(&mut pieces)).expect("it reads") > 0);
    }
    assert_eq!(
        (&limited.into_inner()[..], &first, &second),
        (&b"0123"[..], b"45", b"678")
    );
}

#[test]
fn a_read_that_is_given_up_leaves_the_buffer_as_it_was() {
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    let (client, server) = drive(&reactor, pair()).expect("connected");
    let (_, waker) = CountWakes::new();
    let mut buf = b"before".to_vec();
    {
        let mut read = pin!(server.read_buf(&mut buf));
        assert!(
            read.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    assert_eq!(buf, b"before");
    drive(&reactor, client.write_all(b" and after")).expect("there is room");
    assert_eq!(
        drive(&reactor, server.read_buf(&mut buf)).expect("it reads"),
        10
    );
    assert_eq!(buf, b"before and after");
}
