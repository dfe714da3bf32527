//! Load for an echo server: how many messages a second go there and back, and how long one takes.
//!
//!     cargo run --release -p gopark-examples --example echo            # in another terminal
//!     cargo run --release -p gopark-examples --example echo_load [-- ADDR CONNECTIONS MESSAGES SIZE]
//!
//! sends MESSAGES (10000) of SIZE bytes (64) over each of CONNECTIONS (100) to ADDR
//! (127.0.0.1:7777), each when the one before it has come back, and compares what comes back.
//!
//! Look at: p99 and max beside p50. A fair scheduler keeps them close although all connections are
//! always ready.

use std::{io, time::Duration};

use futures::future::{try_join, try_join_all};
use gopark::{net::TcpStream, time::Instant};
use gopark_examples::{Failure, arguments};

#[gopark::main]
async fn main() -> Result<(), Failure> {
    let arguments = arguments();
    if arguments.len() > 4 {
        return Err("expected at most four arguments: ADDR CONNECTIONS MESSAGES SIZE".into());
    }
    let address = arguments
        .first()
        .map_or("127.0.0.1:7777", String::as_str)
        .to_owned();
    let connections = number(&arguments, 1, "CONNECTIONS", 100)?;
    let messages = number(&arguments, 2, "MESSAGES", 10_000)?;
    let size = number(&arguments, 3, "SIZE", 64)?;

    let connect = |number| {
        let address = address.clone();
        async move {
            let stream = TcpStream::connect(&address).await.map_err(|error| {
                format!("cannot open connection {number} to {address:?} (HOST:PORT): {error}")
            })?;
            Ok::<_, Failure>(stream)
        }
    };
    let streams = try_join_all((1..=connections).map(connect)).await?;

    let began = Instant::now();
    let tasks: Vec<_> = streams
        .into_iter()
        .map(|stream| gopark::spawn(converse(stream, messages, size)))
        .collect();
    let mut round_trips = Vec::with_capacity(connections * messages);
    for task in tasks {
        let of_one = task
            .await
            .map_err(|error| format!("a connection's task: {error}"))?;
        round_trips.extend(of_one.map_err(|error| format!("a connection to {address}: {error}"))?);
    }
    let took = began.elapsed();

    round_trips.sort_unstable();
    let at = |permille: usize| round_trips[(round_trips.len() - 1) * permille / 1000];
    let rate = round_trips.len() as f64 / took.as_secs_f64();
    println!("{connections} connections, {messages} messages each, {size} bytes each: {took:.2?}");
    println!(
        "{rate:.0} messages/s, {:.1} MB/s each way",
        rate * size as f64 / 1e6
    );
    println!(
        "round trip: p50 {:?}, p99 {:?}, max {:?}",
        at(500),
        at(990),
        at(1000)
    );
    Ok(())
}

/// The round trips of one connection.
async fn converse(stream: TcpStream, messages: usize, size: usize) -> io::Result<Vec<Duration>> {
    stream.set_nodelay(true)?;
    let mut round_trips = Vec::with_capacity(messages);
    let mut sent = vec![0; size];
    let mut received = vec![0; size];
    for number in 0..messages {
        sent.fill(number as u8);
        let began = Instant::now();
        // Both at once: a message larger than the sockets' buffers comes back before it has left.
        try_join(stream.write_all(&sent), stream.read_exact(&mut received)).await?;
        round_trips.push(began.elapsed());
        if sent != received {
            return Err(io::Error::other(format!(
                "message {number} came back changed"
            )));
        }
    }
    Ok(round_trips)
}

/// The argument at `index`, which is a positive number.
fn number(
    arguments: &[String],
    index: usize,
    name: &str,
    otherwise: usize,
) -> Result<usize, Failure> {
    let Some(text) = arguments.get(index) else {
        return Ok(otherwise);
    };
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{name} must be a positive number, and is {text:?}").into()),
    }
}
