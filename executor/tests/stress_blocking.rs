//! Everything that blocks at once: runtimes of random shape run tasks that block, stall, compute, panic,
//! wait for each other and hand in jobs, while their number of processors changes; some runtimes are
//! dropped in the middle of it. Every task and every job is accounted for at the end.
//!
//! `GOPARK_STRESS_SEED` and `GOPARK_STRESS_SECONDS` as in `stress.rs`.

mod proof_support;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use gopark::net::{TcpListener, TcpStream};
use gopark::runtime::{Builder, Flavor, Runtime, StallPolicy};
use gopark::task::JoinHandle;
use gopark::time::{sleep, timeout};
use proof_support::blocking::{Gate, Way, compute};
use proof_support::storm::{Place, progress, storm};
use proof_support::{Random, on_drop};

/// The payload of panics that are meant.
struct Planned;

/// The books of one runtime.
#[derive(Default)]
struct World {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Jobs whose closure ran, and those that were handed in and resolved with a value.
    ran: AtomicU64,
    valued: AtomicU64,
    /// The runtime may end before its tasks do.
    cut_short: AtomicBool,
    /// Nobody takes the processor from a poll that does not say that it blocks.
    unwatched: bool,
    /// So few may block that those which wait for each other could be too many.
    narrow: bool,
}

/// A future or closure that has begun; dropped, it has ended.
struct Life(Arc<World>);

impl Drop for Life {
    fn drop(&mut self) {
        add(&self.0.ended);
        progress();
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::SeqCst);
}

fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::SeqCst)
}

impl World {
    fn life(self: &Arc<Self>) -> Life {
        add(&self.begun);
        Life(self.clone())
    }

    fn spawn<F>(self: &Arc<Self>, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let life = self.life();
        gopark::spawn(async move {
            let _life = life;
            future.await
        })
    }

    /// Waits for a task or a job; None if it was cancelled with its runtime.
    async fn join<T>(&self, handle: JoinHandle<T>) -> Option<T> {
        match handle.await {
            Ok(value) => Some(value),
            Err(error) => {
                assert!(self.cut_short.load(Ordering::SeqCst), "{error}");
                assert!(error.is_cancelled(), "{error}");
                None
            }
        }
    }
}

fn short(random: &mut Random) -> Duration {
    Duration::from_micros(random.below(3000) as u64)
}

fn way(random: &mut Random) -> Way {
    Way::ALL[random.below(Way::ALL.len())]
}

/// One task's story: some steps, one after the other.
fn story(
    world: Arc<World>,
    mut random: Random,
    depth: usize,
) -> futures::future::BoxFuture<'static, ()> {
    Box::pin(async move {
        for _ in 0..1 + random.below(6) {
            step(&world, &mut random, depth).await;
            progress();
        }
    })
}

async fn step(world: &Arc<World>, random: &mut Random, depth: usize) {
    match random.below(13) {
        0 | 1 => {
            let time = short(random);
            way(random).run(|| thread::sleep(time));
        }
        2 => way(random).run(|| ()),
        3 => {
            let most = if random.below(8) == 0 { 15_000 } else { 1000 };
            compute(Duration::from_micros(random.below(most) as u64));
        }
        4 => panics(world, random).await,
        5 if depth < 3 => {
            let inner = story(world.clone(), random.fork(), depth + 1);
            let section = random.coin();
            let block_on = || gopark::block_on(inner);
            if section {
                gopark::block(block_on);
            } else {
                block_on();
            }
        }
        6 => job(world, random).await,
        7 => channel(world, random).await,
        8 => {
            let (long, time) = (random.coin(), short(random));
            if long {
                assert!(timeout(time, std::future::pending::<()>()).await.is_err());
            } else {
                sleep(time).await;
            }
        }
        9 => echo(world, random).await,
        10 => gate(world, random).await,
        11 if depth < 3 => {
            let children: Vec<_> = (0..random.below(6))
                .map(|_| {
                    let inner = story(world.clone(), random.fork(), depth + 1);
                    world.spawn(inner)
                })
                .collect();
            for child in children {
                world.join(child).await;
            }
        }
        _ => gopark::yield_now().await,
    }
}

/// Panics in and out of sections, caught on the spot or by the handle of a task.
async fn panics(world: &Arc<World>, random: &mut Random) {
    let (way, time, caught) = (way(random), short(random), random.coin());
    let mut panicking = move || {
        way.run(|| {
            thread::sleep(time / 4);
            resume_unwind(Box::new(Planned))
        })
    };
    if caught {
        let result: Result<(), _> = catch_unwind(AssertUnwindSafe(&mut panicking));
        assert!(result.unwrap_err().is::<Planned>());
        return;
    }
    let task = if random.coin() {
        world.spawn(async move { panicking() })
    } else {
        let life = world.life();
        gopark::spawn_blocking(move || {
            let _life = life;
            panicking();
        })
    };
    match task.await.unwrap_err().try_into_panic() {
        Ok(payload) => assert!(payload.is::<Planned>()),
        Err(error) => {
            assert!(error.is_cancelled());
            assert!(world.cut_short.load(Ordering::SeqCst));
        }
    }
}

/// A closure on another thread, which may be aborted.
async fn job(world: &Arc<World>, random: &mut Random) {
    let (life, time) = (world.life(), short(random));
    let (theirs, kind) = (world.clone(), random.below(4));
    let job = gopark::spawn_blocking(move || {
        let _life = life;
        add(&theirs.ran);
        match kind {
            0 => thread::sleep(time),
            1 => compute(time / 4),
            2 => gopark::block_on(async {
                let task = theirs.spawn(gopark::yield_now());
                theirs.join(task).await;
            }),
            _ => (),
        }
    });
    match random.below(5) {
        0 => {
            job.abort();
            match job.await {
                Ok(()) => add(&world.valued),
                Err(error) => assert!(error.is_cancelled(), "{error}"),
            }
        }
        _ => {
            if world.join(job).await.is_some() {
                add(&world.valued);
            }
        }
    }
}

/// Two tasks and a channel, and one of them blocks now and then.
async fn channel(world: &Arc<World>, random: &mut Random) {
    let (sender, receiver) = async_channel::bounded(1 + random.below(3));
    let mut theirs = random.fork();
    let messages = random.below(20);
    let producer = world.spawn(async move {
        for n in 0..messages {
            if theirs.below(8) == 0 {
                let time = short(&mut theirs);
                way(&mut theirs).run(|| thread::sleep(time));
            }
            if sender.send(n).await.is_err() {
                return;
            }
        }
    });
    let mut received = 0;
    while let Ok(n) = receiver.recv().await {
        assert_eq!(n, received);
        received += 1;
    }
    if world.join(producer).await.is_some() {
        assert_eq!(received, messages);
    }
}

/// A connection whose server blocks now and then.
async fn echo(world: &Arc<World>, random: &mut Random) {
    let outcome: std::io::Result<()> = async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut theirs = random.fork();
        let server = world.spawn(async move {
            let (stream, _) = listener.accept().await?;
            let mut byte = [0];
            while stream.read(&mut byte).await? == 1 {
                if theirs.below(4) == 0 {
                    let time = short(&mut theirs);
                    way(&mut theirs).run(|| thread::sleep(time));
                }
                stream.write_all(&byte).await?;
            }
            std::io::Result::Ok(())
        });
        let stream = TcpStream::connect(address).await?;
        for _ in 0..random.below(10) {
            let byte = [random.next() as u8];
            stream.write_all(&byte).await?;
            let mut answer = [!byte[0]];
            stream.read_exact(&mut answer).await?;
            assert_eq!(answer, byte);
        }
        drop(stream);
        world.join(server).await.unwrap_or(Ok(()))
    }
    .await;
    if let Err(error) = outcome {
        assert!(world.cut_short.load(Ordering::SeqCst), "{error}");
    }
}

/// Blocks until a task or a job that was handed in just before comes by.
async fn gate(world: &Arc<World>, random: &mut Random) {
    let way = way(random);
    if world.narrow || (world.unwatched && way == Way::Unmarked) {
        return;
    }
    let gate = Gate::default();
    let theirs = gate.clone();
    let opener = on_drop(move || theirs.open());
    let life = world.life();
    let opens = move || {
        let _life = life;
        drop(opener);
    };
    let (by_job, yields) = (random.coin(), random.below(3));
    let task = if by_job {
        gopark::spawn_blocking(opens)
    } else {
        gopark::spawn(async move {
            for _ in 0..yields {
                gopark::yield_now().await;
            }
            opens();
        })
    };
    way.run(|| gate.pass());
    world.join(task).await;
}

fn build(world: &mut World, random: &mut Random) -> Runtime {
    let policy = [
        StallPolicy::HandOff,
        StallPolicy::HandOff,
        StallPolicy::Warn,
        StallPolicy::Off,
    ][random.below(4)];
    world.unwatched = policy != StallPolicy::HandOff;
    world.narrow = random.below(4) == 0;
    let builder = match random.below(4) {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread().procs(1 + random.below(6)),
    };
    builder
        .seed(random.next())
        .stall_policy(policy)
        .strict_procs(random.below(3) == 0)
        .max_blocking(if world.narrow {
            1 + random.below(4)
        } else {
            512
        })
        .max_blocked_threads(if world.narrow {
            1 + random.below(4)
        } else {
            10_000
        })
        .thread_keep_alive(Duration::from_millis(random.below(20) as u64))
        .build()
        .unwrap()
}

/// The life of one runtime.
fn live(place: Place, mut random: Random) {
    let mut world = World::default();
    let runtime = build(&mut world, &mut random);
    let world = Arc::new(world);
    place.settle(runtime.handle());
    let cut_short = random.below(3) == 0;
    world.cut_short.store(cut_short, Ordering::SeqCst);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        if runtime.handle().flavor() == Flavor::MultiThread {
            let (handle, mut random, over) = (runtime.handle().clone(), random.fork(), &over);
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    handle.set_procs(1 + random.below(6)).unwrap();
                    thread::sleep(short(&mut random));
                }
            });
        }
        runtime.block_on(async {
            let stories: Vec<_> = (0..1 + random.below(30))
                .map(|_| {
                    let inner = story(world.clone(), random.fork(), 0);
                    world.spawn(inner)
                })
                .collect();
            let locals: Vec<_> = (0..random.below(4))
                .map(|_| {
                    let life = world.life();
                    let inner = story(world.clone(), random.fork(), 2);
                    gopark::spawn_local(async move {
                        let _life = life;
                        inner.await;
                    })
                })
                .collect();
            if cut_short {
                for _ in 0..random.below(30) {
                    gopark::yield_now().await;
                }
                return;
            }
            story(world.clone(), random.fork(), 1).await;
            for task in stories.into_iter().chain(locals) {
                world.join(task).await;
            }
        });
        drop(runtime);
        over.store(true, Ordering::SeqCst);
    });
    drop(place);
    assert_eq!(get(&world.begun), get(&world.ended), "futures and closures");
    if !cut_short {
        assert_eq!(get(&world.ran), get(&world.valued), "jobs");
    }
    assert_eq!(Arc::strong_count(&world), 1, "nothing keeps the world");
}

#[test]
fn nothing_is_lost_in_a_storm_of_all_that_blocks() {
    storm(live);
}
