//! A service whose handlers block now and then: every request is answered, and whoever does not block
//! is served meanwhile.

mod proof_support;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use gopark::net::{TcpListener, TcpStream};
use gopark::runtime::{Builder, Runtime, StallPolicy};
use proof_support::blocking::{Gate, Way};
use proof_support::{Counter, Random, alarm, multi, seed};

/// A byte that asks the handler to block at the gate before it answers.
const BLOCK: u8 = 0xff;

/// Answers each byte by the same; `handle` may do with it before what it likes.
fn serve(
    connections: usize,
    listener: TcpListener,
    handle: impl Fn(u8) + Clone + Send + 'static,
) -> gopark::task::JoinHandle<io::Result<()>> {
    gopark::spawn(async move {
        let mut handlers = Vec::new();
        for _ in 0..connections {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let handle = handle.clone();
            handlers.push(gopark::spawn(async move {
                let mut byte = [0];
                while stream.read(&mut byte).await? == 1 {
                    handle(byte[0]);
                    stream.write_all(&byte).await?;
                }
                io::Result::Ok(())
            }));
        }
        for handler in handlers {
            handler.await.unwrap()?;
        }
        Ok(())
    })
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

async fn ask(stream: &TcpStream, byte: u8) {
    stream.write_all(&[byte]).await.unwrap();
    let mut answer = [!byte];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [byte]);
}

/// The runtimes on which a handler may block in this way.
fn runtimes(way: Way) -> Vec<Runtime> {
    let alone = Builder::new_current_thread();
    let alone = if way == Way::Unmarked {
        alone.stall_policy(StallPolicy::HandOff)
    } else {
        alone
    };
    vec![multi(1), multi(2), multi(4), alone.build().unwrap()]
}

#[test]
fn every_request_is_answered_though_some_block_their_thread() {
    const CONNECTIONS: usize = 20;
    const REQUESTS: usize = 25;
    let _alarm = alarm();
    let mut random = Random::new(seed());
    for way in [Way::Unmarked, Way::Block, Way::Eager] {
        for runtime in runtimes(way) {
            let answered = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let served = Counter::default();
                let count = served.clone();
                let server = serve(CONNECTIONS, listener, move |_| {
                    if count.add() % 50 == 0 {
                        way.run(|| thread::sleep(Duration::from_millis(20)));
                    }
                });
                let clients: Vec<_> = (0..CONNECTIONS)
                    .map(|_| {
                        let mut random = random.fork();
                        gopark::spawn(async move {
                            let stream = connect(address).await;
                            for _ in 0..REQUESTS {
                                ask(&stream, random.next() as u8).await;
                            }
                        })
                    })
                    .collect();
                for client in clients {
                    client.await.unwrap();
                }
                server.await.unwrap().unwrap();
                served.get()
            });
            assert_eq!(answered, CONNECTIONS * REQUESTS);
        }
    }
}

#[test]
fn while_some_handlers_block_all_others_are_served() {
    const BLOCKED: usize = 10;
    const OTHERS: usize = 10;
    const ROUNDS: usize = 50;
    let _alarm = alarm();
    for way in Way::ALL {
        for runtime in runtimes(way) {
            let gate = Gate::default();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let theirs = gate.clone();
                let server = serve(BLOCKED + OTHERS, listener, move |byte| {
                    if byte == BLOCK {
                        way.run(|| theirs.pass());
                    }
                });
                let (released, answers) = (Arc::new(Counter::default()), Counter::default());
                let blocked: Vec<_> = (0..BLOCKED)
                    .map(|_| {
                        let released = released.clone();
                        gopark::spawn(async move {
                            let stream = connect(address).await;
                            ask(&stream, 1).await;
                            ask(&stream, BLOCK).await;
                            released.add();
                        })
                    })
                    .collect();
                let others: Vec<_> = (0..OTHERS)
                    .map(|_| {
                        let (gate, released) = (gate.clone(), released.clone());
                        let answers = answers.clone();
                        gopark::spawn(async move {
                            let stream = connect(address).await;
                            // So many answers after all of those have blocked, and before one of
                            // them goes on.
                            while gate.came() < BLOCKED {
                                ask(&stream, 1).await;
                            }
                            for round in 0..ROUNDS {
                                ask(&stream, round as u8).await;
                                assert_eq!(released.get(), 0);
                                if answers.add() == OTHERS * ROUNDS {
                                    gate.open();
                                }
                            }
                        })
                    })
                    .collect();
                for client in others.into_iter().chain(blocked) {
                    client.await.unwrap();
                }
                server.await.unwrap().unwrap();
                assert_eq!(released.get(), BLOCKED);
            });
        }
    }
}
