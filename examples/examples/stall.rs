//! A broken program: tasks that hold their thread, beside a clock that should tick each millisecond.
//!
//!     cargo run --release -p gopark-examples --example stall
//!
//! Two tasks call `std::thread::sleep`, two compute and never yield. Each takes the processor that
//! it runs on away from all others, and there are two of them. The same program runs for a second
//! in each of two runtimes: one where nothing is done about that, as in every executor whose tasks
//! must give way by themselves; and one as gopark comes, which notices and hands the processor over
//! to another thread.
//!
//! Look at: the two columns of the table. Each counts how many of the clock's 1,000 ticks were how
//! late. On the left whole runs of ticks wait until a task lets go; on the right they need not.
//! What mends the tasks themselves is `gopark::block(|| ...)` around a call that blocks, and
//! `gopark::yield_now()` now and then in a long loop.

use std::{fmt::Write, hint::black_box, io, thread};

use gopark::{
    runtime::{Builder, Runtime, StallPolicy},
    time::{Duration, Instant, sleep, sleep_until},
};

const TICKS: u32 = 1_000;
const TICK: Duration = Duration::from_millis(1);

/// How long a broken task holds its thread at a time, and how long it lets go in between.
const HELD: Duration = Duration::from_millis(60);
const FREE: Duration = Duration::from_millis(40);

/// Each bucket has a name and ends before so many milliseconds.
const BUCKETS: [(&str, u64); 7] = [
    ("under 1 ms", 1),
    ("1 to 2 ms", 2),
    ("2 to 5 ms", 5),
    ("5 to 10 ms", 10),
    ("10 to 50 ms", 50),
    ("50 to 200 ms", 200),
    ("200 ms and more", u64::MAX),
];

fn main() -> io::Result<()> {
    let two_procs = || Builder::new_multi_thread().procs(2);
    println!(
        "A clock ticks each millisecond for a second. Beside it, on two processors, two tasks\n\
         block their thread and two compute, each for {HELD:?} at a time. How late is each tick?\n"
    );
    let off = run(&two_procs().stall_policy(StallPolicy::Off).build()?);
    let on = run(&two_procs().build()?);
    print!("{}", side_by_side(&off, &on));
    println!(
        "\nThe worst tick is {:.1} ms late if nothing is done, {:.1} ms late if the processor is \
         handed off.",
        off.worst.as_secs_f64() * 1e3,
        on.worst.as_secs_f64() * 1e3,
    );
    Ok(())
}

/// How many ticks were how late.
#[derive(Default)]
struct Lateness {
    counts: [u32; BUCKETS.len()],
    worst: Duration,
}

impl Lateness {
    fn add(&mut self, late: Duration) {
        let millis = late.as_millis() as u64;
        let in_bucket = |&(_, end): &(&str, u64)| millis < end;
        let bucket = BUCKETS.iter().position(in_bucket);
        self.counts[bucket.unwrap_or(BUCKETS.len() - 1)] += 1;
        self.worst = self.worst.max(late);
    }
}

fn run(runtime: &Runtime) -> Lateness {
    runtime.block_on(async {
        let clock = gopark::spawn(clock());
        for _ in 0..2 {
            gopark::spawn(blocks());
            gopark::spawn(computes());
        }
        clock.await.expect("the clock runs to its end")
    })
}

/// Due times are counted from the start, so a tick that was kept waiting does not excuse the next.
async fn clock() -> Lateness {
    let began = Instant::now();
    let mut lateness = Lateness::default();
    for tick in 1..=TICKS {
        let due = began + TICK * tick;
        sleep_until(due).await;
        lateness.add(due.elapsed());
    }
    lateness
}

async fn blocks() {
    loop {
        thread::sleep(HELD); // broken: `gopark::block(|| thread::sleep(HELD))` says what it does
        sleep(FREE).await;
    }
}

async fn computes() {
    loop {
        let began = Instant::now();
        let mut sum = 0_u64;
        while began.elapsed() < HELD {
            sum = black_box(sum + 1); // broken: no `gopark::yield_now().await` now and then
        }
        sleep(FREE).await;
    }
}

fn side_by_side(off: &Lateness, on: &Lateness) -> String {
    let mut text = format!(
        "{:>15}   {:38}   {}\n",
        "late by", "ticks, nothing done (StallPolicy::Off)", "ticks, handed off (the default)"
    );
    for (number, (name, _)) in BUCKETS.iter().enumerate() {
        let (off, on) = (bar(off.counts[number]), bar(on.counts[number]));
        let line = format!("{name:>15}   {off:38}   {on}");
        // Writing into a `String` cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// A count, and a bar that is full at all ticks; who has any has at least one mark.
fn bar(count: u32) -> String {
    const FULL: u32 = 30;
    let length = (count * FULL).div_ceil(TICKS);
    format!("{count:4} {}", "#".repeat(length as usize))
}
