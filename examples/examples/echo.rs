//! A TCP echo server: one task per connection, as one writes it in Go.
//!
//!     cargo run --release -p gopark-examples --example echo [-- ADDR]
//!
//! listens on ADDR, or on 127.0.0.1:7777, and prints how to try it. Port 0 lets the system choose.
//!
//! Look at: `serve` reads like blocking code, and ten thousand of them share a few threads. The
//! accept loop survives what goes wrong with one connection and waits out a lack of file
//! descriptors (try it under `ulimit -n 20`): a server that stops accepting then never starts again.

use std::{io, time::Duration};

use gopark::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use gopark_examples::{Failure, arguments, end_with_stdin_if_smoke};

#[gopark::main]
async fn main() -> Result<(), Failure> {
    end_with_stdin_if_smoke();
    let arguments = arguments();
    let address = match &arguments[..] {
        [] => "127.0.0.1:7777",
        [address] => address,
        more => return Err(format!("expected one argument, ADDR, and got {more:?}").into()),
    };
    let cannot = |error| format!("cannot listen on {address:?} (HOST:PORT): {error}");
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let bound = listener.local_addr().map_err(cannot)?;
    println!("listening on {bound}");
    println!("try it:  nc {} {}", bound.ip(), bound.port());
    println!("load it: cargo run --release -p gopark-examples --example echo_load -- {bound}");

    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                gopark::spawn(async move {
                    if let Err(error) = serve(stream).await {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            Err(error) if is_over_with_that_connection(&error) => eprintln!("accept: {error}"),
            Err(error) => {
                eprintln!("accept: {error}; the next try is in 100 ms");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Sends back what arrives until the peer has no more.
async fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
    }
}

/// Whether an error of `accept` tells of a connection that died while it waited. Any other, such as
/// `EMFILE`, leaves the connection waiting, so that the next `accept` would fail at once as well.
fn is_over_with_that_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
