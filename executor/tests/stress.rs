//! Everything at once: runtimes of random shape are built, run a random mixture of scenes, and are
//! dropped, some of them in the middle of it. Nothing may be lost: every future that began is
//! dropped once, every message that was sent is received or still there, every handle resolves.
//!
//! `GOPARK_STRESS_SEED` repeats a run as far as threads allow; `GOPARK_STRESS_SECONDS` makes it
//! longer. `scripts/stress.sh` does so.

mod proof_support;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use gopark::net::{TcpListener, TcpStream};
use gopark::runtime::{Builder, Handle, Runtime};
use gopark::task::{JoinError, JoinHandle};
use gopark::time::{sleep, timeout};
use proof_support::Random;
use proof_support::storm::{Place, progress, storm};

/// The books of one runtime.
#[derive(Default)]
struct World {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Handles that were awaited, and those that resolved.
    awaited: AtomicU64,
    resolved: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    /// The runtime may end before its tasks do.
    cut_short: AtomicBool,
    foreign: Mutex<Vec<thread::JoinHandle<()>>>,
}

/// A future that has begun; dropped, it has ended.
struct Life(Arc<World>);

impl Drop for Life {
    fn drop(&mut self) {
        add(&self.0.ended, 1);
        progress();
    }
}

fn add(count: &AtomicU64, n: u64) {
    count.fetch_add(n, Ordering::SeqCst);
}

fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::SeqCst)
}

impl World {
    fn life(self: &Arc<Self>) -> Life {
        add(&self.begun, 1);
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

    async fn join<T>(&self, handle: JoinHandle<T>) -> Option<T> {
        add(&self.awaited, 1);
        let result = handle.await;
        add(&self.resolved, 1);
        self.unless_cut_short(result)
    }

    fn unless_cut_short<T>(&self, result: Result<T, JoinError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                assert!(self.cut_short.load(Ordering::SeqCst), "{error}");
                assert!(error.is_cancelled(), "{error}");
                None
            }
        }
    }

    /// Runs `f` on a thread that is in no runtime.
    fn abroad(&self, f: impl FnOnce() + Send + 'static) {
        self.foreign.lock().unwrap().push(thread::spawn(f));
    }
}

/// Producers and consumers over a channel, some of whom yield.
async fn channels(world: Arc<World>, mut random: Random) {
    let capacity = 1 + random.below(20);
    let (sender, receiver) = async_channel::bounded(capacity);
    let (producers, messages) = (1 + random.below(8), 1 + random.below(100));
    let mut tasks = Vec::new();
    for _ in 0..producers {
        let (world, sender, mut random) = (world.clone(), sender.clone(), random.fork());
        tasks.push(world.clone().spawn(async move {
            for n in 0..messages {
                // Counted before, so that a message is never received before it was sent.
                add(&world.sent, 1);
                if sender.send(n).await.is_err() {
                    // The receivers are gone already, cut short.
                    assert!(world.cut_short.load(Ordering::SeqCst));
                    return;
                }
                if random.below(10) == 0 {
                    gopark::yield_now().await;
                }
            }
        }));
    }
    drop(sender);
    for _ in 0..1 + random.below(8) {
        let (world, receiver) = (world.clone(), receiver.clone());
        tasks.push(world.clone().spawn(async move {
            while receiver.recv().await.is_ok() {
                add(&world.received, 1);
            }
        }));
    }
    for task in tasks {
        world.join(task).await;
    }
    // Consumers that were cut short leave messages behind.
    assert!(receiver.is_empty() || world.cut_short.load(Ordering::SeqCst));
}

/// A tree of tasks that yield.
async fn tree(world: Arc<World>, mut random: Random) {
    let size = 1 + random.below(300);
    let leaves: Vec<_> = (0..size)
        .map(|n| {
            let yields = random.below(5);
            world.spawn(async move {
                for _ in 0..yields {
                    gopark::yield_now().await;
                }
                n
            })
        })
        .collect();
    let mut sum = 0;
    for leaf in leaves {
        match world.join(leaf).await {
            Some(n) => sum += n,
            None => return,
        }
    }
    assert_eq!(sum, size * (size - 1) / 2);
}

/// Sleeps, time-outs that strike and time-outs that do not.
async fn timers(world: Arc<World>, mut random: Random) {
    let tasks: Vec<_> = (0..1 + random.below(50))
        .map(|_| {
            let short = Duration::from_micros(random.below(3000) as u64);
            let kind = random.below(3);
            world.spawn(async move {
                match kind {
                    0 => sleep(short).await,
                    1 => assert!(timeout(short, std::future::pending::<()>()).await.is_err()),
                    _ => {
                        let quick = timeout(Duration::from_secs(3600), gopark::yield_now());
                        assert!(quick.await.is_ok());
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        world.join(task).await;
    }
}

/// Tasks that are aborted at any time, by others.
async fn aborts(world: Arc<World>, mut random: Random) {
    for _ in 0..1 + random.below(50) {
        let kind = random.below(3);
        let victim = world.spawn(async move {
            match kind {
                0 => std::future::pending().await,
                1 => sleep(Duration::from_micros(50)).await,
                _ => gopark::yield_now().await,
            }
        });
        let abort = victim.abort_handle();
        let yields = random.below(3);
        let killer = world.spawn(async move {
            for _ in 0..yields {
                gopark::yield_now().await;
            }
            abort.abort();
        });
        add(&world.awaited, 1);
        if let Err(error) = victim.await {
            assert!(error.is_cancelled(), "{error}");
        }
        add(&world.resolved, 1);
        world.join(killer).await;
    }
}

/// Tasks that block on other tasks.
async fn nested(world: Arc<World>, mut random: Random) {
    let tasks: Vec<_> = (0..1 + random.below(4))
        .map(|_| {
            let (world, mut random) = (world.clone(), random.fork());
            world.clone().spawn(async move {
                gopark::block_on(async {
                    let inner = world.spawn(gopark::yield_now());
                    if random.coin() {
                        sleep(Duration::from_micros(300)).await;
                    }
                    world.join(inner).await;
                });
            })
        })
        .collect();
    for task in tasks {
        world.join(task).await;
    }
}

/// Tasks that wait for foreign threads.
async fn foreign(world: Arc<World>, mut random: Random) {
    let (ring, bells): (Vec<_>, Vec<_>) = (0..1 + random.below(100))
        .map(|_| oneshot::channel())
        .unzip();
    let tasks: Vec<_> = bells
        .into_iter()
        .map(|bell| world.spawn(async move { bell.await.unwrap() }))
        .collect();
    let (late, handle) = (world.clone(), Handle::current());
    world.abroad(move || {
        for (n, ring) in ring.into_iter().enumerate() {
            // A task that was cut short does not listen any more.
            let _ = ring.send(n);
        }
        let life = late.life();
        drop(handle.spawn(async move { drop(life) }));
    });
    for (n, task) in tasks.into_iter().enumerate() {
        if let Some(rung) = world.join(task).await {
            assert_eq!(rung, n);
        }
    }
}

/// Connections that echo random words.
async fn echo(world: Arc<World>, mut random: Random) {
    let outcome: io::Result<()> = async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let connections = 1 + random.below(8);
        let server = {
            let world = world.clone();
            world.clone().spawn(async move {
                let mut echoes = Vec::new();
                for _ in 0..connections {
                    let (stream, _) = listener.accept().await?;
                    stream.set_nodelay(true)?;
                    echoes.push(world.spawn(async move {
                        let mut buffer = [0; 512];
                        loop {
                            match stream.read(&mut buffer).await? {
                                0 => return io::Result::Ok(()),
                                n => stream.write_all(&buffer[..n]).await?,
                            }
                        }
                    }));
                }
                for echo in echoes {
                    world.join(echo).await.unwrap_or(Ok(()))?;
                }
                io::Result::Ok(())
            })
        };
        let clients: Vec<_> = (0..connections)
            .map(|_| {
                let mut random = random.fork();
                world.spawn(async move {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    for _ in 0..random.below(20) {
                        let byte = random.next() as u8;
                        let words = vec![byte; 1 + random.below(2000)];
                        stream.write_all(&words).await?;
                        let mut answer = vec![!byte; words.len()];
                        stream.read_exact(&mut answer).await?;
                        assert_eq!(answer, words);
                    }
                    io::Result::Ok(())
                })
            })
            .collect();
        for client in clients {
            world.join(client).await.unwrap_or(Ok(()))?;
        }
        world.join(server).await.unwrap_or(Ok(()))
    }
    .await;
    if let Err(error) = outcome {
        assert!(world.cut_short.load(Ordering::SeqCst), "{error}");
    }
}

/// Tasks bound to this thread, which share what is not `Send`.
async fn local(world: Arc<World>, mut random: Random) {
    let sum = Rc::new(Cell::new(0));
    let count = 1 + random.below(50);
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (life, sum, world) = (world.life(), sum.clone(), world.clone());
            let kind = random.below(3);
            gopark::spawn_local(async move {
                let _life = life;
                match kind {
                    0 => gopark::yield_now().await,
                    1 => sleep(Duration::from_micros(100)).await,
                    _ => {
                        let other = world.spawn(gopark::yield_now());
                        world.join(other).await;
                    }
                }
                sum.set(sum.get() + 1);
            })
        })
        .collect();
    for task in tasks {
        world.join(task).await;
    }
    assert_eq!(sum.get(), count);
}

fn build(random: &mut Random) -> Runtime {
    match random.below(4) {
        0 => Builder::new_current_thread().build(),
        _ => Builder::new_multi_thread()
            .procs(1 + random.below(4))
            .seed(random.next())
            .build(),
    }
    .unwrap()
}

/// The life of one runtime.
fn live(place: Place, mut random: Random) {
    let world = Arc::new(World::default());
    let runtime = build(&mut random);
    place.settle(runtime.handle());
    let cut_short = random.below(3) == 0;
    world.cut_short.store(cut_short, Ordering::SeqCst);
    runtime.block_on(async {
        let scenes: Vec<_> = (0..1 + random.below(12))
            .map(|_| {
                let (theirs, random, scene) = (world.clone(), random.fork(), random.below(7));
                world.spawn(async move {
                    match scene {
                        0 => channels(theirs, random).await,
                        1 => tree(theirs, random).await,
                        2 => timers(theirs, random).await,
                        3 => aborts(theirs, random).await,
                        4 => nested(theirs, random).await,
                        5 => foreign(theirs, random).await,
                        _ => echo(theirs, random).await,
                    }
                })
            })
            .collect();
        if cut_short {
            for _ in 0..random.below(100) {
                gopark::yield_now().await;
            }
            return;
        }
        if random.coin() {
            local(world.clone(), random.fork()).await;
        }
        for scene in scenes {
            world.join(scene).await;
        }
    });
    drop(runtime);
    drop(place);
    // A thread abroad may be about to spawn, in vain.
    let abroad = std::mem::take(&mut *world.foreign.lock().unwrap());
    for thread in abroad {
        thread.join().unwrap();
    }
    assert_eq!(get(&world.begun), get(&world.ended), "futures");
    if !cut_short {
        assert_eq!(get(&world.sent), get(&world.received), "messages");
        assert_eq!(get(&world.awaited), get(&world.resolved), "handles");
    }
    assert!(get(&world.received) <= get(&world.sent), "messages");
    assert_eq!(Arc::strong_count(&world), 1, "nothing keeps the world");
}

#[test]
fn nothing_is_lost_in_a_storm_of_everything() {
    storm(live);
}
