//! A TCP proxy: whatever arrives at LISTEN goes to TARGET, and back.
//!
//!     cargo run --release -p gopark-examples --example proxy -- LISTEN TARGET
//!     cargo run --release -p gopark-examples --example proxy -- 127.0.0.1:8888 127.0.0.1:7777
//!
//! Look at: the two directions are two futures in one task and end apart. When one side has said
//! all, only that direction is closed (a half-close), so the answer still comes through:
//! `echo question | nc -N 127.0.0.1 8888`.

use std::{io, sync::Arc, time::Duration};

use futures::{AsyncWriteExt, future::try_join};
use gopark::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use gopark_examples::{Failure, arguments, end_with_stdin_if_smoke};

#[gopark::main]
async fn main() -> Result<(), Failure> {
    end_with_stdin_if_smoke();
    let arguments = arguments();
    let [listen, target] = &arguments[..] else {
        return Err(
            format!("expected LISTEN and TARGET (HOST:PORT), and got {arguments:?}").into(),
        );
    };
    let target: Arc<str> = target.as_str().into();
    let cannot = |error| format!("cannot listen on {listen:?} (HOST:PORT): {error}");
    let listener = TcpListener::bind(listen.as_str()).await.map_err(cannot)?;
    println!(
        "listening on {}, passing on to {target}",
        listener.local_addr().map_err(cannot)?
    );

    loop {
        match listener.accept().await {
            Ok((client, peer)) => {
                let target = target.clone();
                gopark::spawn(async move {
                    match relay(client, &target).await {
                        Ok((up, down)) => println!("{peer}: {up} bytes there, {down} back"),
                        Err(error) => eprintln!("{peer}: {error}"),
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

/// Both directions until both are done, or until one fails, which closes both.
async fn relay(client: TcpStream, target: &str) -> io::Result<(u64, u64)> {
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    try_join(one_way(&client, &server), one_way(&server, &client)).await
}

/// Copies until `from` has no more, then tells `to` so.
async fn one_way(from: &TcpStream, mut to: &TcpStream) -> io::Result<u64> {
    let bytes = futures::io::copy(from, &mut to).await?;
    to.close().await?;
    Ok(bytes)
}
