//! Two tasks and a ball, and how long each waits for it.
//!
//!     cargo run -p gopark-examples --example ping_pong
//!
//! Look at: the channels hold nothing, so the tasks take turns: who sends waits for the other to take it.
//! Each waits for the ball and for `chan::after` at once, whichever is first. So when ping holds the
//! ball for too long, pong leaves; and ping, which strikes it at last, learns that nobody is there.

use gopark::chan::{self, Receiver, Sender};
use gopark::select;
use gopark::time::{Duration, Instant, sleep};

/// How long a player waits for the ball: far longer than a stroke takes.
const PATIENCE: Duration = Duration::from_millis(250);

/// The stroke for which ping takes too long.
const SLOW: u32 = 1_000;

#[gopark::main]
async fn main() {
    let (to_pong, from_ping) = chan::rendezvous();
    let (to_ping, from_pong) = chan::rendezvous();
    let began = Instant::now();
    let ping = gopark::spawn(play("ping", from_pong, to_pong.clone()));
    let pong = gopark::spawn(play("pong", from_ping, to_ping));
    to_pong.send(1).await.expect("pong waits for the ball");
    drop(to_pong);

    let strokes = pong.await.expect("pong does not panic");
    println!("pong has made {strokes} strokes");
    let strokes = ping.await.expect("ping does not panic");
    println!(
        "ping has made {strokes}, and all that took {:.0?}",
        began.elapsed()
    );
}

/// Strikes the ball back, and counts the strokes, until it comes no more.
async fn play(name: &str, comes: Receiver<u32>, goes: Sender<u32>) -> u32 {
    let mut strokes = 0;
    loop {
        select! {
            ball = comes.recv() => {
                let Ok(ball) = ball else {
                    println!("{name}: the other has left");
                    return strokes;
                };
                strokes += 1;
                if ball <= 4 {
                    println!("{name}: stroke {ball}");
                }
                if ball == SLOW {
                    println!("{name}: wait, my shoe");
                    sleep(2 * PATIENCE).await;
                }
                if goes.send(ball + 1).await.is_err() {
                    println!("{name}: nobody takes ball {}", ball + 1);
                    return strokes;
                }
            }
            _ = chan::after(PATIENCE) => {
                println!("{name}: no ball for {PATIENCE:?}");
                return strokes;
            }
        }
    }
}
