//! What TCP sockets promise, driven by hand where the order of events matters.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Write};
use std::net::Shutdown;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::executor::block_on;
use futures_io::AsyncRead;
use gopark_net::note::{self, WaitReason};
use gopark_net::{Interest, Reactor, TcpListener, TcpSocket, TcpStream};

mod common;
use common::{CountWakes, drive, pair, turn};

fn poll_read(stream: &TcpStream, waker: &Waker, buf: &mut [u8]) -> Poll<io::Result<usize>> {
    pin!(stream).poll_read(&mut Context::from_waker(waker), buf)
}

/// Turns until the waker has been woken once more.
fn turn_until_woken(reactor: &Reactor, wakes: &CountWakes) {
    let before = wakes.count();
    while wakes.count() == before {
        turn(reactor);
    }
}

/// A claimed reactor of its own, and a connection in it whose first reports have been consumed.
fn quiet_pair() -> (Reactor, gopark_net::Claim, TcpStream, TcpStream) {
    let reactor = Reactor::new().expect("a selector");
    let claim = reactor.claim();
    let (client, server) = drive(&reactor, pair()).expect("connected");
    let (wakes, waker) = CountWakes::new();
    let mut buf = [0; 8];
    // A round trip: after it, no report is outstanding for the server's side.
    assert!(poll_read(&server, &waker, &mut buf).is_pending());
    assert_eq!(client.try_write(b"x").expect("there is room"), 1);
    while poll_read(&server, &waker, &mut buf).is_pending() {
        turn_until_woken(&reactor, &wakes);
    }
    (reactor, claim, client, server)
}

#[test]
fn a_partial_read_waits_for_the_next_report_without_a_system_call() {
    let (reactor, _claim, client, server) = quiet_pair();
    let (wakes, waker) = CountWakes::new();
    // The byte of `quiet_pair` was read by a partial read. A system call would find these bytes, which
    // have not been reported yet.
    assert_eq!(client.try_write(b"ping").expect("there is room"), 4);
    let mut buf = [0; 8];
    assert!(poll_read(&server, &waker, &mut buf).is_pending());
    turn_until_woken(&reactor, &wakes);
    assert_eq!(wakes.count(), 1);
    let Poll::Ready(Ok(4)) = poll_read(&server, &waker, &mut buf) else {
        panic!("reported")
    };
    assert_eq!(&buf[..4], b"ping");
}

#[test]
fn a_full_read_tries_again_without_a_report() {
    let (reactor, _claim, client, server) = quiet_pair();
    let (wakes, waker) = CountWakes::new();
    let mut buf = [0; 8];
    assert!(poll_read(&server, &waker, &mut buf).is_pending());
    client.try_write(b"ping").expect("there is room");
    turn_until_woken(&reactor, &wakes);
    let Poll::Ready(Ok(4)) = poll_read(&server, &waker, &mut buf[..4]) else {
        panic!("reported")
    };
    client.try_write(b"pong").expect("there is room");
    let Poll::Ready(Ok(4)) = poll_read(&server, &waker, &mut buf) else {
        panic!("still ready")
    };
}

#[test]
fn a_partial_read_before_the_end_does_not_hide_the_end() {
    let (reactor, _claim, client, server) = quiet_pair();
    let (wakes, waker) = CountWakes::new();
    let mut buf = [0; 8];
    assert!(poll_read(&server, &waker, &mut buf).is_pending());
    client.try_write(b"bye").expect("there is room");
    client.shutdown(Shutdown::Write).expect("connected");
    turn_until_woken(&reactor, &wakes);
    let read = drive(&reactor, async {
        let mut out = Vec::new();
        server.read_to_end(&mut out).await.map(|_| out)
    });
    assert_eq!(read.expect("read"), b"bye");
    // And the end stays there.
    let Poll::Ready(Ok(0)) = poll_read(&server, &waker, &mut buf) else {
        panic!("the end")
    };
}

#[test]
#[cfg(target_os = "linux")]
fn urgent_data_in_between_does_not_hide_what_follows_it() {
    let (reactor, _claim, client, server) = quiet_pair();
    client.try_write(b"before").expect("there is room");
    socket2::SockRef::from(&client)
        .send_out_of_band(b"!")
        .expect("sent");
    client.try_write(b"after").expect("there is room");
    client.shutdown(Shutdown::Write).expect("connected");
    let read = drive(&reactor, async {
        let mut out = [0; 11];
        server.read_exact(&mut out[..6]).await?;
        let mut rest = vec![0; 64];
        let n = server.read(&mut rest).await?;
        out[6..].copy_from_slice(&rest[..n]);
        io::Result::Ok(out)
    });
    assert_eq!(&read.expect("read"), b"beforeafter");
}

#[test]
fn a_read_that_is_dropped_loses_no_data_and_leaves_no_waker() {
    let (reactor, _claim, client, server) = quiet_pair();
    let (wakes, waker) = CountWakes::new();
    let mut buf = [0; 8];
    {
        let mut read = pin!(server.read(&mut buf));
        assert!(
            read.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert_eq!(
            Arc::strong_count(&wakes),
            3,
            "the test's two and the one that waits"
        );
    }
    assert_eq!(Arc::strong_count(&wakes), 2, "withdrawn");
    client.try_write(b"kept").expect("there is room");
    let n = drive(&reactor, server.read(&mut buf)).expect("read");
    assert_eq!(&buf[..n], b"kept");
    assert_eq!(wakes.count(), 0);
}

#[test]
fn all_readers_of_one_socket_are_woken_and_one_of_them_gets_the_byte() {
    let (reactor, _claim, client, server) = quiet_pair();
    let counts: Vec<_> = (0..5).map(|_| CountWakes::new()).collect();
    let mut bufs = [[0; 1]; 5];
    {
        let mut reads: Vec<_> = bufs
            .iter_mut()
            .map(|buf| Box::pin(server.read(buf)))
            .collect();
        for (read, (_, waker)) in reads.iter_mut().zip(&counts) {
            assert!(
                read.as_mut()
                    .poll(&mut Context::from_waker(waker))
                    .is_pending()
            );
        }
        client.try_write(b"!").expect("there is room");
        turn_until_woken(&reactor, &counts[0].0);
        assert!(counts.iter().all(|(count, _)| count.count() == 1));
        let done = reads
            .iter_mut()
            .zip(&counts)
            .filter_map(|(read, (_, waker))| {
                match read.as_mut().poll(&mut Context::from_waker(waker)) {
                    Poll::Ready(outcome) => Some(outcome.expect("read")),
                    Poll::Pending => None,
                }
            })
            .collect::<Vec<_>>();
        assert_eq!(done, [1]);
    }
    assert_eq!(bufs.iter().filter(|buf| buf[0] == b'!').count(), 1);
}

#[test]
fn operations_leave_a_wait_reason_and_spend_the_budget() {
    let (_reactor, _claim, client, server) = quiet_pair();
    let (wakes, waker) = CountWakes::new();
    let mut buf = [0; 8];

    note::begin_poll(2);
    assert!(poll_read(&server, &waker, &mut buf).is_pending());
    assert_eq!(
        (note::wait_reason(), note::budget()),
        (WaitReason::IoRead, 2)
    );

    let mut cx = Context::from_waker(&waker);
    for left in [1, 0] {
        assert!(pin!(client.write(b"x")).poll(&mut cx).is_ready());
        assert_eq!(note::budget(), left);
    }
    assert!(pin!(client.write(b"x")).poll(&mut cx).is_pending());
    assert_eq!((note::wait_reason(), wakes.count()), (WaitReason::Yield, 1));

    note::begin_poll(5);
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    let _entered = reactor.enter();
    let listener = block_on(TcpListener::bind("127.0.0.1:0")).expect("bound");
    assert!(pin!(listener.accept()).poll(&mut cx).is_pending());
    assert_eq!(note::wait_reason(), WaitReason::Accept);
    note::begin_poll(note::UNLIMITED);
}

#[test]
fn a_reset_in_the_middle_of_a_write_is_an_error() {
    block_on(async {
        let (client, server) = pair().await.expect("connected");
        let data = vec![7; 64 << 20];
        let write = client.write_all(&data);
        let reset = async {
            server
                .read_exact(&mut [0; 1000])
                .await
                .expect("the first bytes");
            server.set_linger(Some(Duration::ZERO)).expect("connected");
            drop(server);
        };
        let (written, ()) = futures::join!(write, reset);
        let kind = written.expect_err("reset").kind();
        assert!(
            matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
            "{kind:?}"
        );
        assert!(client.write(b"x").await.is_err());
    });
}

#[test]
fn a_write_that_finds_no_room_goes_on_when_the_peer_reads() {
    block_on(async {
        let (client, server) = pair().await.expect("connected");
        let mut written = 0;
        loop {
            match client.try_write(&[1; 65536]) {
                Ok(n) => written += n,
                Err(e) => break assert_eq!(e.kind(), ErrorKind::WouldBlock),
            }
        }
        let drain = async {
            let mut left = written + 4;
            let mut buf = vec![0; 65536];
            while left > 0 {
                left -= server.read(&mut buf).await.expect("read");
            }
        };
        let (wrote, ()) = futures::join!(client.write_all(b"last"), drain);
        wrote.expect("written");
    });
}

#[test]
fn half_closed_connections_carry_the_other_direction() {
    block_on(async {
        let (client, server) = pair().await?;
        // What is assumed of a new socket is disproved first, so that the end comes by a report.
        let mut buf = [0; 8];
        assert_eq!(
            server.try_read(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        client.shutdown(Shutdown::Write)?;
        assert!(server.ready(Interest::READABLE).await?.is_read_closed());
        assert_eq!(server.read(&mut buf).await?, 0);
        server.write_all(b"still here").await?;
        drop(server);
        let mut out = Vec::new();
        assert_eq!(client.read_to_end(&mut out).await?, 10);
        assert_eq!(
            client.write(b"x").await.expect_err("closed").kind(),
            ErrorKind::BrokenPipe
        );
        io::Result::Ok(())
    })
    .expect("it works");
}

#[test]
fn peeking_takes_nothing_and_waits_for_the_first_byte() {
    block_on(async {
        let (client, server) = pair().await?;
        let (mut peeked, mut read) = ([0; 2], [0; 4]);
        let (n, wrote) = futures::join!(server.peek(&mut peeked), client.write_all(b"data"));
        wrote?;
        assert!(n? >= 1);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(
            server.poll_peek(&mut cx, &mut peeked),
            Poll::Ready(Ok(2))
        ));
        server.read_exact(&mut read).await?;
        assert_eq!((&peeked, &read), (b"da", b"data"));
        io::Result::Ok(())
    })
    .expect("it works");
}

#[test]
fn vectored_transfers_fill_and_drain_the_buffers_in_order() {
    block_on(async {
        let (client, server) = pair().await?;
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
        assert_eq!(client.try_write_vectored(&parts)?, 5);
        let (mut one, mut two) = ([0; 3], [0; 9]);
        let n = loop {
            server.readable().await?;
            let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
            match server.try_read_vectored(&mut bufs) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => continue,
                outcome => break outcome?,
            }
        };
        assert_eq!((n, &one, &two[..2]), (5, b"abc", &b"de"[..]));
        io::Result::Ok(())
    })
    .expect("it works");
}

#[test]
fn halves_come_together_only_with_their_own() {
    block_on(async {
        let (client, server) = pair().await?;
        let (client_read, client_write) = client.into_split();
        let (server_read, server_write) = server.into_split();
        let error = client_read
            .reunite(server_write)
            .expect_err("not the same stream");
        let (client_read, server_write) = (error.0, error.1);

        client_write.write_all(b"ping").await?;
        let mut buf = [0; 4];
        server_read.read_exact(&mut buf).await?;
        let client = client_write.reunite(client_read).expect("its own");
        client.write_all(b"more").await?;
        server_read.read_exact(&mut buf).await?;
        assert_eq!(
            &buf, b"more",
            "taking the halves apart has not closed anything"
        );

        drop(server_write);
        assert_eq!(
            client.read(&mut buf).await?,
            0,
            "dropping the write half ends that side"
        );
        client.write_all(b"last").await?;
        server_read.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"last");
        io::Result::Ok(())
    })
    .expect("it works");
}

#[test]
fn a_write_half_that_is_forgotten_ends_nothing() {
    block_on(async {
        let (client, server) = pair().await?;
        let (client_read, client_write) = client.into_split();
        client_write.forget();
        server.write_all(b"x").await?;
        assert_eq!(client_read.read(&mut [0; 8]).await?, 1);
        assert_eq!(
            server.try_read(&mut [0; 8]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        drop(client_read);
        assert_eq!(server.read(&mut [0; 8]).await?, 0);
        io::Result::Ok(())
    })
    .expect("it works");
}

#[test]
fn sockets_of_the_standard_library_come_and_go() {
    block_on(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let mut client = std::net::TcpStream::connect(listener.local_addr()?)?;
        let listener = TcpListener::from_std(listener)?;
        let (server, _) = listener.accept().await?;
        client.write_all(b"hello")?;
        let mut buf = [0; 5];
        server.read_exact(&mut buf).await?;

        // Out of the reactor and in again, several times: nothing stays registered.
        let mut server = server;
        for _ in 0..3 {
            server = TcpStream::from_std(server.into_std()?)?;
        }
        client.write_all(b"again")?;
        server.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"again");
        listener.into_std()?.set_nonblocking(false)
    })
    .expect("it works");
}

#[test]
fn connecting_tries_the_next_address_after_a_refusal() {
    block_on(async {
        let gone = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let here = listener.local_addr()?;
        assert_eq!(
            TcpStream::connect(&[gone, here][..]).await?.peer_addr()?,
            here
        );
        let error = TcpStream::connect([gone, gone])
            .await
            .expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        io::Result::Ok(())
    })
    .expect("it works");
}

#[test]
fn a_connect_that_is_dropped_leaves_nothing_in_the_reactor() {
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    let _entered = reactor.enter();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let addr = listener.local_addr().expect("bound");
    {
        let mut connect = pin!(TcpStream::connect(addr));
        assert!(
            connect
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert!(reactor.has_sources());
    }
    assert!(!reactor.has_sources());
}

#[test]
fn options_of_a_socket_reach_the_system() {
    block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.set_keepalive(true)?;
        socket.set_linger(Some(Duration::from_secs(3)))?;
        socket.set_send_buffer_size(32 * 1024)?;
        socket.set_recv_buffer_size(32 * 1024)?;
        assert!(socket.reuseaddr()? && socket.keepalive()?);
        assert_eq!(socket.linger()?, Some(Duration::from_secs(3)));
        for (asked, least) in [
            (Duration::from_millis(10), Duration::from_secs(1)),
            (
                Duration::from_secs(1 << 32),
                Duration::from_secs(u16::MAX.into()),
            ),
            (Duration::MAX, Duration::from_secs(u16::MAX.into())),
        ] {
            socket.set_linger(Some(asked))?;
            let linger = socket.linger()?.expect("it was set");
            assert!(linger >= least, "{asked:?} became {linger:?}");
        }
        socket.set_linger(Some(Duration::from_secs(3)))?;
        assert!(socket.send_buffer_size()? >= 32 * 1024);
        assert!(socket.recv_buffer_size()? >= 32 * 1024);
        #[cfg(target_os = "linux")]
        {
            socket.set_reuseport(true)?;
            assert!(socket.reuseport()?);
            socket.set_tos_v4(16)?;
            assert_eq!((socket.tos_v4()?, socket.device()?), (16, None));
        }
        socket.bind("127.0.0.1:0".parse().expect("literal"))?;
        let local = socket.local_addr()?;
        let listener = socket.listen(16)?;
        assert_eq!(listener.local_addr()?, local);
        listener.set_ttl(9)?;
        assert_eq!(listener.ttl()?, 9);

        let client = TcpSocket::new_v4()?.connect(local).await?;
        client.set_nodelay(true)?;
        client.set_ttl(7)?;
        client.set_linger(Some(Duration::ZERO))?;
        assert!(client.nodelay()? && client.take_error()?.is_none());
        assert_eq!((client.ttl()?, client.linger()?), (7, Some(Duration::ZERO)));

        let taken = TcpSocket::new_v4()?;
        let error = taken
            .bind(client.peer_addr()?)
            .expect_err("the listener has it");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        io::Result::Ok(())
    })
    .expect("it works");
}

#[test]
fn waiting_for_either_direction_says_which_it_was() {
    block_on(async {
        let (client, server) = pair().await?;
        let both = Interest::READABLE | Interest::WRITABLE;
        let mut buf = [0; 8];
        // What is assumed of a new socket is disproved by the first attempt.
        assert_eq!(
            server.try_read(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        let ready = server.ready(both).await?;
        assert!(ready.is_writable() && !ready.is_readable(), "{ready:?}");
        client.write_all(b"x").await?;
        server.readable().await?;
        let ready = server.ready(both).await?;
        assert!(ready.is_readable(), "{ready:?}");

        let n = server.try_io(Interest::READABLE, || {
            socket2::SockRef::from(&server).recv(&mut [std::mem::MaybeUninit::uninit(); 8])
        });
        assert_eq!(n?, 1);
        let again = server.try_io(Interest::READABLE, || {
            io::Result::<()>::Err(ErrorKind::WouldBlock.into())
        });
        assert_eq!(again.unwrap_err().kind(), ErrorKind::WouldBlock);
        let unready = server.try_io(Interest::READABLE, || -> io::Result<()> {
            panic!("it was cleared, so it must not be tried")
        });
        assert_eq!(unready.unwrap_err().kind(), ErrorKind::WouldBlock);
        io::Result::Ok(())
    })
    .expect("it works");
}
