//! Many tasks that wait for one socket, and what they are woken for.

use std::pin::pin;
use std::task::Context;

use futures::Stream;
use futures_io::AsyncRead;
use gopark_net::{Reactor, TcpListener};

mod common;
use common::{CountWakes, drive, pair, turn};

/// More than any bound that a small table of waiters could have.
const TASKS: usize = 500;

#[test]
fn tasks_that_poll_one_socket_are_not_woken_without_a_report() {
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    let (client, server) = drive(&reactor, pair()).expect("connected");
    let tasks: Vec<_> = (0..TASKS).map(|_| CountWakes::new()).collect();
    let poll_all = || {
        for (_, waker) in &tasks {
            let (mut stream, mut byte) = (&server, [0]);
            let read = pin!(&mut stream).poll_read(&mut Context::from_waker(waker), &mut byte);
            assert!(read.is_pending());
        }
    };
    let woken = || tasks.iter().map(|(count, _)| count.count()).sum::<usize>();
    poll_all();
    // What was reported of the connection's beginning is through.
    reactor
        .try_poll(Some(std::time::Duration::ZERO), &mut Vec::new())
        .expect("it polls");
    poll_all();
    let before = woken();
    (0..5).for_each(|_| poll_all());
    assert_eq!(
        woken(),
        before,
        "a task was woken, and nothing had happened"
    );
    // And when something happens all are woken, once each.
    assert_eq!(client.try_write(b"x").expect("there is room"), 1);
    while woken() == before {
        turn(&reactor);
    }
    assert_eq!(woken(), before + TASKS);
}

#[test]
fn tasks_that_accept_from_one_listener_are_not_woken_without_a_connection() {
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    let listener = drive(&reactor, TcpListener::bind("127.0.0.1:0")).expect("a port");
    let tasks: Vec<_> = (0..TASKS).map(|_| CountWakes::new()).collect();
    let mut streams: Vec<_> = tasks
        .iter()
        .map(|_| Box::pin(listener.incoming()))
        .collect();
    for _ in 0..5 {
        for (stream, (_, waker)) in streams.iter_mut().zip(&tasks) {
            let next = stream.as_mut().poll_next(&mut Context::from_waker(waker));
            assert!(next.is_pending());
        }
    }
    let woken = tasks.iter().map(|(count, _)| count.count()).sum::<usize>();
    assert_eq!(woken, 0);
}
