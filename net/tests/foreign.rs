//! Sockets under executors that know nothing of the reactor: the background thread serves them.

use std::io;
use std::net::Shutdown;
use std::thread;

use futures::future::{join_all, try_join_all};
use futures::io::{AsyncReadExt, AsyncWriteExt};
use futures::{AsyncBufReadExt, StreamExt};
use gopark_net::{TcpListener, TcpStream};

mod common;
use common::pair;

async fn echo(stream: TcpStream) -> io::Result<u64> {
    let mut total = 0;
    let mut buf = [0; 1024];
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok(total),
            n => stream.write_all(&buf[..n]).await?,
        }
        total += 1;
    }
}

async fn ping_pong(rounds: usize) -> io::Result<()> {
    let (client, server) = pair().await?;
    let pings = async {
        let mut buf = [0; 8];
        for i in 0..rounds {
            let ping = i.to_le_bytes();
            client.write_all(&ping).await?;
            client.read_exact(&mut buf).await?;
            assert_eq!(buf, ping);
        }
        client.shutdown(Shutdown::Write)
    };
    let (pings, echoed) = futures::join!(pings, echo(server));
    pings?;
    assert!(echoed? >= rounds as u64);
    Ok(())
}

#[test]
fn ping_pong_under_the_executor_of_futures() {
    futures::executor::block_on(ping_pong(200)).expect("it echoes");
}

#[test]
fn ping_pong_under_smol() {
    smol::block_on(async {
        let tasks: Vec<_> = (0..8).map(|_| smol::spawn(ping_pong(50))).collect();
        try_join_all(tasks).await.expect("they echo");
    });
}

#[test]
fn a_socket_moves_between_executors_on_different_threads() {
    let (client, server) = futures::executor::block_on(pair()).expect("connected");
    let echo = thread::spawn(move || smol::block_on(echo(server)).expect("it echoes"));
    futures::executor::block_on(async {
        let mut buf = [0; 5];
        client.write_all(b"hello").await?;
        client.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"hello");
        drop(client);
        io::Result::Ok(())
    })
    .expect("it works");
    assert!(echo.join().expect("no panic") >= 1);
}

#[test]
fn the_traits_of_futures_io_work_by_value_and_by_reference() {
    futures::executor::block_on(async {
        let (mut client, server) = pair().await?;
        AsyncWriteExt::write_all(&mut client, b"one\ntwo\n").await?;
        AsyncWriteExt::flush(&mut client).await?;
        AsyncWriteExt::close(&mut &client).await?;
        let lines: Vec<_> = futures::io::BufReader::new(&server)
            .lines()
            .map(|line| line.expect("read"))
            .collect()
            .await;
        assert_eq!(lines, ["one", "two"]);
        // The other direction is still open.
        AsyncWriteExt::write_all(&mut &server, b"three").await?;
        drop(server);
        let mut rest = String::new();
        AsyncReadExt::read_to_string(&mut client, &mut rest).await?;
        assert_eq!(rest, "three");
        io::Result::Ok(())
    })
    .expect("it works");
}

#[test]
fn a_thousand_connections_open_and_close() {
    let done: usize = smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let server = smol::spawn(async move {
            let mut incoming = listener.incoming().take(1200);
            let mut sessions = Vec::new();
            while let Some(stream) = incoming.next().await {
                sessions.push(smol::spawn(echo(stream.expect("accepted"))));
            }
            join_all(sessions)
                .await
                .into_iter()
                .filter(Result::is_ok)
                .count()
        });
        for _ in 0..12 {
            let batch = (0..100u8).map(|i| async move {
                let stream = TcpStream::connect(addr).await?;
                stream.write_all(&[i; 64]).await?;
                let mut back = [0; 64];
                stream.read_exact(&mut back).await?;
                assert_eq!(back, [i; 64]);
                io::Result::Ok(())
            });
            try_join_all(batch).await?;
        }
        io::Result::Ok(server.await)
    })
    .expect("all connect");
    assert_eq!(done, 1200);
}

#[test]
fn several_tasks_accept_and_each_connection_goes_to_one() {
    smol::block_on(async {
        let listener = std::sync::Arc::new(TcpListener::bind("127.0.0.1:0").await?);
        let addr = listener.local_addr()?;
        let acceptors: Vec<_> = (0..10)
            .map(|_| {
                let listener = listener.clone();
                smol::spawn(async move { listener.accept().await.map(|(_, peer)| peer) })
            })
            .collect();
        let clients = try_join_all((0..10).map(|_| TcpStream::connect(addr))).await?;
        let mut expected: Vec<_> = clients
            .iter()
            .map(|c| c.local_addr().expect("connected"))
            .collect();
        let mut peers = try_join_all(acceptors).await?;
        expected.sort();
        peers.sort();
        assert_eq!(peers, expected);
        io::Result::Ok(())
    })
    .expect("it works");
}

#[test]
fn a_megabyte_through_small_buffers_arrives_in_order() {
    smol::block_on(async {
        let (client, server) = pair().await?;
        let data: Vec<u8> = (0..1 << 20).map(|i: u32| (i % 251) as u8).collect();
        let copy = data.clone();
        let writer = smol::spawn(async move {
            client.write_all(&copy).await?;
            client.shutdown(Shutdown::Write)
        });
        let mut received = Vec::new();
        let mut buf = [0; 700];
        loop {
            match server.read(&mut buf).await? {
                0 => break,
                n => received.extend_from_slice(&buf[..n]),
            }
        }
        writer.await?;
        assert!(received == data);
        io::Result::Ok(())
    })
    .expect("it works");
}
