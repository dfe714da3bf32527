//! An echo server that stops in good order.
//!
//!     cargo run --release -p gopark-examples --example graceful [-- ADDR [GRACE_MS]]
//!
//! listens on ADDR, or on 127.0.0.1:7777. A line `stop` on its standard input, or the end of that, makes
//! it accept no more; who is connected then has GRACE_MS milliseconds, 5000 if not said, to finish.
//!
//! Look at: one context ends the accept loop, whatever that waits for, and a second one, made when the
//! first is done, limits the wait for the connections. `Group` knows when the last of them is gone,
//! and dropping it cuts off those that are left.

use std::{
    convert::Infallible,
    io::{self, BufRead},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use gopark::{
    context::{Cancel, Context},
    group::Group,
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};
use gopark_examples::{Failure, arguments};

#[gopark::main]
async fn main() -> Result<(), Failure> {
    let arguments = arguments();
    let (address, grace) = match &arguments[..] {
        [] => ("127.0.0.1:7777", "5000"),
        [address] => (&**address, "5000"),
        [address, grace] => (&**address, &**grace),
        more => return Err(format!("expected [ADDR [GRACE_MS]], and got {more:?}").into()),
    };
    let milliseconds = grace.parse();
    let grace = milliseconds.map(Duration::from_millis).map_err(|error| {
        format!("GRACE_MS must be a number of milliseconds, and is {grace:?}: {error}")
    })?;
    let cannot = |error| format!("cannot listen on {address:?} (HOST:PORT): {error}");
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    println!("listening on {}", listener.local_addr().map_err(cannot)?);

    let (asked_to_stop, stop) = Context::background().with_cancel();
    // A thread and not a blocking task, for the process need not wait for a line that never comes.
    thread::spawn(move || read_until_stop(&stop));

    // Should a connection panic, this context is done as well: the server stops in good order then, too.
    let (mut connections, serving) = Group::<Infallible>::with_context(&asked_to_stop);
    let finished = Arc::new(AtomicUsize::new(0));
    accept(&listener, &serving, &connections, &finished).await;
    drop(listener); // who comes now is refused

    let cause = serving
        .cause()
        .map_or(String::new(), |cause| cause.to_string());
    let (before, open) = (finished.load(Ordering::Relaxed), connections.len());
    println!("stopping: {cause}; {open} connections are open, and have {grace:?} to finish");
    let began = Instant::now();
    let (patience, _) = Context::background().with_timeout(grace);
    match patience.run(connections.wait()).await {
        Ok(Ok(())) => println!("all have finished after {:?}", began.elapsed()),
        Ok(Err(never)) => match never {},
        Err(error) => println!("{error}: {} are cut off", connections.len()),
    }
    let late = finished.load(Ordering::Relaxed) - before;
    println!("served {before} connections before the stop, and {late} to their end after it");
    Ok(())
}

/// Ends `serving` when there is a reason to.
fn read_until_stop(stop: &Cancel) {
    for line in io::stdin().lock().lines() {
        match line {
            Ok(line) if line.trim() == "stop" => return stop.cancel_with("told to stop"),
            Ok(line) => println!("to stop say \"stop\", not {:?}", line.trim()),
            Err(error) => return stop.cancel_with(error),
        }
    }
    stop.cancel_with("the standard input has ended");
}

async fn accept(
    listener: &TcpListener,
    serving: &Context,
    connections: &Group<Infallible>,
    finished: &Arc<AtomicUsize>,
) {
    while let Ok(accepted) = serving.run(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                let finished = finished.clone();
                let connection = async move {
                    if let Err(error) = serve(stream).await {
                        eprintln!("{peer}: {error}");
                    }
                    finished.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                };
                connections.go(connection).await;
            }
            // Wrong with one connection, or for lack of descriptors; the latter takes a while to mend.
            Err(error) => {
                eprintln!("accept: {error}; the next try is in 100 ms");
                let _ = serving.run(sleep(Duration::from_millis(100))).await;
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
