//! Servers whose process runs out of descriptors, whose peers go away, and who have many of them.
#![cfg(target_os = "linux")]

mod proof_support;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use gopark::net::{TcpListener, TcpSocket, TcpStream};
use gopark::task::JoinSet;
use proof_support::{Counter, alarm, child, multi, proc};

/// Echoes until the peer has said all.
async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n]).await?,
        }
    }
}

/// Serves all who come; `errors` counts the failures of accept.
async fn serve(listener: TcpListener, errors: Counter) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(gopark::spawn(echo(stream))),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
                errors.add();
                gopark::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}

async fn ask(stream: &TcpStream, words: &[u8]) -> io::Result<()> {
    stream.write_all(words).await?;
    let mut answer = vec![0; words.len()];
    stream.read_exact(&mut answer).await?;
    assert_eq!(answer, words);
    Ok(())
}

#[test]
fn a_server_out_of_descriptors_lives_on_and_serves_when_there_are_some_again() {
    const NAME: &str = "a_server_out_of_descriptors_lives_on_and_serves_when_there_are_some_again";
    child::isolated(NAME, || {
        let _alarm = alarm();
        let runtime = multi(2);
        let errors = Counter::default();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            gopark::spawn(async {}).await.unwrap();
            drop(gopark::spawn(serve(listener, errors.clone())));
            let clients: Vec<_> = (0..8).map(|_| TcpSocket::new_v4().unwrap()).collect();

            proc::limit(libc::RLIMIT_NOFILE, proc::descriptors() as u64 + 20);
            let mut hoard = Vec::new();
            while let Ok(file) = std::fs::File::open("/dev/null") {
                hoard.push(file);
            }
            let mut asking = JoinSet::new();
            for client in clients {
                asking.spawn(async move {
                    let stream = client.connect(address).await?;
                    ask(&stream, b"are you alive?").await
                });
            }
            // Meanwhile everything else goes on.
            while errors.get() < 5 {
                gopark::spawn(gopark::time::sleep(Duration::from_millis(1)))
                    .await
                    .unwrap();
            }
            assert_eq!(asking.len(), 8);
            assert!(asking.try_join_next().is_none(), "nobody was served");
            drop(hoard);
            for outcome in asking.join_all().await {
                outcome.unwrap();
            }
        });
    });
}

#[test]
fn writers_whose_peers_reset_fail_and_others_are_served() {
    let _alarm = alarm();
    let runtime = multi(2);
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut writers = JoinSet::new();
        let mut peers = Vec::new();
        for _ in 0..8 {
            let (peer, accepted) =
                futures::future::try_join(TcpStream::connect(address), listener.accept())
                    .await
                    .unwrap();
            peers.push(peer);
            writers.spawn(async move {
                let block = vec![0; 1 << 16];
                loop {
                    // More than any buffer holds, so that it waits in the middle of it.
                    if let Err(error) = accepted.0.write_all(&block).await {
                        return error;
                    }
                }
            });
        }
        let echoing = gopark::spawn(async move { echo(listener.accept().await?.0).await });
        let other = TcpStream::connect(address).await.unwrap();
        for peer in peers {
            ask(&other, b"before").await.unwrap();
            peer.read_exact(&mut [0; 4096]).await.unwrap();
            peer.set_linger(Some(Duration::ZERO)).unwrap();
            drop(peer);
            let error = writers.join_next().await.unwrap().unwrap();
            assert!(
                matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
                ),
                "{error}"
            );
        }
        ask(&other, b"after").await.unwrap();
        drop(other);
        echoing.await.unwrap().unwrap();
    });
}

/// Opens `count` connections that are all open at the same time. Each is asked once, so that at most
/// `AT_ONCE` of them wait in the listener's backlog: what exceeds that is dropped by the system, and
/// comes again after seconds.
async fn open(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    const AT_ONCE: usize = 64;
    let opening: Vec<_> = (0..AT_ONCE)
        .map(|n| {
            let share = count / AT_ONCE + usize::from(n < count % AT_ONCE);
            gopark::spawn(async move {
                let mut clients = Vec::with_capacity(share);
                for _ in 0..share {
                    let client = TcpStream::connect(address).await.unwrap();
                    ask(&client, b"x").await.unwrap();
                    clients.push(client);
                }
                clients
            })
        })
        .collect();
    let mut clients = Vec::with_capacity(count);
    for opened in opening {
        clients.extend(opened.await.unwrap());
    }
    clients
}

#[test]
fn ten_thousand_connections_are_open_at_once_and_closed() {
    const NAME: &str = "ten_thousand_connections_are_open_at_once_and_closed";
    child::isolated(NAME, || {
        let _alarm = alarm();
        let hard = proc::limits(libc::RLIMIT_NOFILE).1;
        proc::limit(libc::RLIMIT_NOFILE, hard);
        // Both ends are in this process, and some descriptors are needed otherwise.
        let count = 10_000.min((hard as usize).saturating_sub(200) / 2);
        println!("{count} connections; the limit of descriptors is {hard}");
        let runtime = multi(2);
        let errors = Counter::default();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let before = proc::descriptors();
            let server = gopark::spawn(serve(listener, errors.clone()));
            let clients = open(address, count).await;
            // All have been served, and all are open still.
            assert_eq!(proc::descriptors(), before + 2 * count);
            drop(clients);
            while runtime.handle().tasks().len() > 1 {
                gopark::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(proc::descriptors(), before);
            server.abort();
            assert!(server.await.unwrap_err().is_cancelled());
        });
        assert_eq!(errors.get(), 0);
    });
}
