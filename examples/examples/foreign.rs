//! gopark's sockets under other people's executors, with no runtime of ours.
//!
//!     cargo run -p gopark-examples --example foreign
//!
//! Look at: nothing is installed or entered before the sockets are used. A socket holds wakers and
//! knows no executor; while no gopark runtime polls the reactor, a background thread does.

use std::{io, net::SocketAddr};

use futures::future::try_join;
use gopark::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    println!("smol:    {}", smol::block_on(conversation())?);
    println!("futures: {}", futures::executor::block_on(conversation())?);
    Ok(())
}

/// What the client hears from the server, both in one future.
async fn conversation() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (reply, ()) = try_join(client(address), server(listener)).await?;
    Ok(reply)
}

async fn client(address: SocketAddr) -> io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    stream.write_all(b"who runs you?").await?;
    let mut reply = [0; 24];
    stream.read_exact(&mut reply).await?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

async fn server(listener: TcpListener) -> io::Result<()> {
    let (stream, _) = listener.accept().await?;
    let mut question = [0; 13];
    stream.read_exact(&mut question).await?;
    stream.write_all(b"whoever polls the future").await
}
