//! A chat server: every line that one client sends goes to all the others.
//!
//!     cargo run --release -p gopark-examples --example chat [-- ADDR]
//!     nc 127.0.0.1 7778                       # in two more terminals
//!
//! Look at: a client that reads slowly slows down nobody. Each has a queue of bounded length, and
//! whoever lets it fill up is shown out. The lock is held to put lines into queues, never to wait.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{AsyncBufReadExt, StreamExt, TryStreamExt, channel::mpsc, future};
use gopark::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use gopark_examples::{Failure, arguments, end_with_stdin_if_smoke};

/// Lines that a client may be behind.
const QUEUE: usize = 64;

/// The queue of every client that is here.
#[derive(Default)]
struct Room(Mutex<HashMap<SocketAddr, mpsc::Sender<Arc<str>>>>);

#[gopark::main]
async fn main() -> Result<(), Failure> {
    end_with_stdin_if_smoke();
    let arguments = arguments();
    let address = arguments.first().map_or("127.0.0.1:7778", String::as_str);
    let cannot = |error| format!("cannot listen on {address:?} (HOST:PORT): {error}");
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    println!("listening on {}", listener.local_addr().map_err(cannot)?);

    let room = Arc::new(Room::default());
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let inbox = room.enter(peer); // here and not in the task: in the order of arrival
                let room = room.clone();
                gopark::spawn(async move {
                    let outcome = converse(&room, &stream, peer, inbox).await;
                    room.leave(peer);
                    if let Err(error) = outcome {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            Err(error) => {
                eprintln!("accept: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Hears `peer` and tells it what the others say, until it leaves or its queue is gone.
async fn converse(
    room: &Room,
    stream: &TcpStream,
    peer: SocketAddr,
    mut inbox: mpsc::Receiver<Arc<str>>,
) -> io::Result<()> {
    let hear = async {
        let mut lines = futures::io::BufReader::new(stream).lines();
        while let Some(line) = lines.try_next().await? {
            room.say(peer, &line);
        }
        Ok(())
    };
    let tell = async {
        while let Some(line) = inbox.next().await {
            stream.write_all(line.as_bytes()).await?;
        }
        Ok(())
    };
    future::select(pin!(hear), pin!(tell))
        .await
        .factor_first()
        .0
}

impl Room {
    fn enter(&self, peer: SocketAddr) -> mpsc::Receiver<Arc<str>> {
        let (sender, inbox) = mpsc::channel(QUEUE);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(peer, sender);
        self.say(peer, "is here");
        inbox
    }

    fn leave(&self, peer: SocketAddr) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&peer);
        self.say(peer, "has left");
    }

    fn say(&self, peer: SocketAddr, line: &str) {
        let line: Arc<str> = format!("{peer}: {line}\n").into();
        let mut room = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        room.retain(|other, queue| *other == peer || queue.try_send(line.clone()).is_ok());
    }
}
