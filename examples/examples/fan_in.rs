//! Several sources into one by `select!`, until a channel says that it is enough.
//!
//!     cargo run -p gopark-examples --example fan_in
//!
//! Look at: the loop waits for three sources and for the channel `quit` at once, and exactly one of them
//! happens each time. A source that has ended would be ready for ever, with an error: its arm is turned
//! off by its condition. To quit, nothing is sent: a closed channel is ready for all who wait for it,
//! so one close tells every task. Their sends are in a `select!` too: without that a source would not
//! hear of it while it waits for room.

use gopark::chan::{self, Receiver};
use gopark::select;
use gopark::task::JoinSet;
use gopark::time::{Duration, sleep};

const WANTED: usize = 20;

#[gopark::main]
async fn main() {
    let (quit, quitting) = chan::bounded::<()>(0);
    let mut tasks = JoinSet::new();
    let ticks = source(&mut tasks, "tick", 2, usize::MAX, &quitting);
    let clicks = source(&mut tasks, "click", 3, usize::MAX, &quitting);
    let words = source(&mut tasks, "word", 1, 5, &quitting);
    let merged = merge(&mut tasks, ticks, clicks, words, quitting);

    let mut counts = [0; 3];
    for _ in 0..WANTED {
        let said = merged.recv().await.expect("two sources never end");
        let names = ["tick", "click", "word"];
        counts[names
            .iter()
            .position(|name| said.starts_with(name))
            .unwrap()] += 1;
    }
    println!("{WANTED} messages: {counts:?} ticks, clicks and words");
    drop(quit);
    let mut late = 0;
    while merged.recv().await.is_ok() {
        late += 1; // it was on its way
    }
    while tasks.join_next().await.is_some() {}
    println!("all have stopped; {late} messages came late");
}

/// Says its name and a number, again and again.
fn source(
    tasks: &mut JoinSet<()>,
    name: &'static str,
    millis: u64,
    count: usize,
    quitting: &Receiver<()>,
) -> Receiver<String> {
    let (says, said) = chan::bounded(1);
    let quitting = quitting.clone();
    tasks.spawn(async move {
        for number in 0..count {
            sleep(Duration::from_millis(millis)).await;
            select! {
                _ = quitting.recv() => break,
                sent = says.send(format!("{name} {number}")) => if sent.is_err() { break },
            }
        }
        println!("the source of {name}s stops");
    });
    said
}

/// What any of the three says.
fn merge(
    tasks: &mut JoinSet<()>,
    a: Receiver<String>,
    b: Receiver<String>,
    c: Receiver<String>,
    quitting: Receiver<()>,
) -> Receiver<String> {
    let (merged, out) = chan::bounded(1);
    tasks.spawn(async move {
        let mut open = [true; 3];
        while open.contains(&true) {
            let (from, said) = select! {
                said = a.recv(), if open[0] => (0, said),
                said = b.recv(), if open[1] => (1, said),
                said = c.recv(), if open[2] => (2, said),
                _ = quitting.recv() => break,
            };
            let Ok(said) = said else {
                open[from] = false;
                continue;
            };
            if merged.send(said).await.is_err() {
                break;
            }
        }
    });
    out
}
