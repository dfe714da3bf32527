//! Random programs: trees of tasks whose steps use everything that a task can do.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use gopark::chan;
use gopark::context::Context;
use gopark::group::Group;
use gopark::net::{TcpListener, TcpStream};
use gopark::runtime::{Builder, Flavor, Handle};
use gopark::sync::{Mutex, Notify, Semaphore};
use gopark::task::{JoinHandle, JoinSet};
use gopark::time::{sleep, timeout};

use crate::ledger::{Ledger, Life};
use crate::random::Random;

/// How deep tasks, nested runtimes and nested `block_on`s go.
const DEPTH: usize = 4;

/// How much later than asked a sleep may end on a clock that runs: the machine may be busy, and the least that
/// a timer loses when it misses its slot is 4 s.
pub(crate) const LATE: Duration = Duration::from_millis(3_000);

/// The payload of panics that are meant.
#[derive(Debug)]
pub(crate) struct Planned;

/// Keeps panics that are meant off the standard error.
pub(crate) fn quiet_planned_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Planned>() {
            usual(info);
        }
    }));
}

/// What the tasks of one runtime share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) ledger: Arc<Ledger>,
    /// The runtime may end before its tasks do, so a handle may say "cancelled".
    pub(crate) cut_short: AtomicBool,
    /// Sleeps may be long, for the clock stands still.
    pub(crate) paused: bool,
    /// The first violation that a task has seen.
    failure: std::sync::Mutex<Option<String>>,
    mutex: Mutex<u64>,
    permits: Semaphore,
    bell: Notify,
}

impl World {
    pub(crate) fn new(paused: bool) -> Arc<Self> {
        Arc::new(Self {
            ledger: Arc::default(),
            cut_short: AtomicBool::new(false),
            paused,
            failure: std::sync::Mutex::default(),
            mutex: Mutex::new(0),
            permits: Semaphore::new(2),
            bell: Notify::new(),
        })
    }

    pub(crate) fn life(&self) -> Life {
        self.ledger.life()
    }

    fn is_cut_short(&self) -> bool {
        self.cut_short.load(Ordering::SeqCst)
    }

    /// Notes a violation, unless the runtime has ended meanwhile.
    pub(crate) fn fail(&self, what: impl Into<String>) {
        if !self.is_cut_short() {
            let mut failure = self.failure.lock().expect("nobody panics with it held");
            failure.get_or_insert(what.into());
        }
    }

    pub(crate) fn verdict(&self) -> Result<(), String> {
        let failure = self.failure.lock().expect("nobody panics with it held");
        failure.clone().map_or(Ok(()), Err)
    }

    fn check(&self, holds: bool, what: &str) {
        if !holds {
            self.fail(what);
        }
    }

    /// A sleep, after which it is known whether it was late.
    async fn nap(&self, random: &mut Random) {
        let time = if self.paused && random.one_in(3) {
            Duration::from_secs(random.below(10_000) as u64)
        } else {
            random.micros(4_000)
        };
        let began = Instant::now();
        sleep(time).await;
        let spent = began.elapsed();
        let late = if self.paused {
            spent
        } else {
            self.check(spent >= time, "a sleep ended too early");
            spent.saturating_sub(time)
        };
        if late > LATE {
            self.fail(format!("a sleep of {time:?} was {late:?} late"));
        }
    }

    /// Awaits a task. None if its runtime ended first.
    async fn join<T>(&self, handle: JoinHandle<T>) -> Option<T> {
        match handle.await {
            Ok(value) => Some(value),
            Err(error) => {
                self.fail(format!("a task was lost: {error}"));
                None
            }
        }
    }
}

/// A task that does some random steps, one after the other.
pub(crate) fn story(world: Arc<World>, mut random: Random, depth: usize) -> BoxFuture<'static, ()> {
    let life = world.life();
    Box::pin(async move {
        let _life = life;
        for _ in 0..random.within(1..7) {
            step(&world, &mut random, depth).await;
        }
    })
}

async fn step(world: &Arc<World>, random: &mut Random, depth: usize) {
    let deeper = depth < DEPTH;
    match random.below(20) {
        0 => gopark::yield_now().await,
        1 | 2 => world.nap(random).await,
        3 => compute(random),
        4 => section(random),
        5 => job(world, random).await,
        6 | 7 if deeper => children(world, random, depth).await,
        8 if deeper => {
            let child = gopark::spawn(story(world.clone(), random.fork(), depth + 1));
            if random.one_in(2) {
                gopark::yield_now().await;
            }
            child.abort();
            // Cancelled, or done before.
            _ = child.await;
        }
        9 if deeper => {
            let limit = random.micros(3_000);
            _ = timeout(limit, story(world.clone(), random.fork(), depth + 1)).await;
        }
        10 => messages(world, random).await,
        11 => locks(world, random).await,
        12 if deeper => nested(world, random, depth),
        13 => panics(world, random).await,
        14 => echo(world, random).await,
        15 => outside(world, random).await,
        16 if deeper => set(world, random, depth).await,
        17 => contexts(world, random).await,
        18 => receive_on_the_spot(world, random).await,
        19 if deeper => {
            let child = story(world.clone(), random.fork(), depth + 1);
            world.join(gopark::spawn(child)).await;
        }
        // Whatever has no children may be done at the end of a branch, so that each program ends.
        _ => gopark::yield_now().await,
    }
}

pub(crate) fn compute(random: &mut Random) {
    let most = if random.one_in(10) { 15_000 } else { 300 };
    let time = random.micros(most);
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Blocks the thread, with or without saying so.
pub(crate) fn section(random: &mut Random) {
    let time = random.micros(1_500);
    let nap = || thread::sleep(time);
    match random.below(3) {
        0 => gopark::block(nap),
        1 => gopark::block_eager(nap),
        _ => nap(),
    }
}

async fn job(world: &Arc<World>, random: &mut Random) {
    let (time, life) = (random.micros(800), world.life());
    let job = gopark::spawn_blocking(move || {
        let _life = life;
        thread::sleep(time);
        7
    });
    let value = world.join(job).await;
    world.check(
        value.is_none_or(|value| value == 7),
        "a job gave another value",
    );
}

async fn children(world: &Arc<World>, random: &mut Random, depth: usize) {
    let children: Vec<_> = (0..random.within(1..5))
        .map(|_| gopark::spawn(story(world.clone(), random.fork(), depth + 1)))
        .collect();
    for child in children {
        world.join(child).await;
    }
}

/// Some tasks send numbered messages to one, through a channel of random capacity.
async fn messages(world: &Arc<World>, random: &mut Random) {
    let (sender, receiver) = match random.below(4) {
        3 => chan::unbounded(),
        capacity => chan::bounded(capacity),
    };
    let (senders, each) = (random.within(1..4), random.within(1..40));
    let mut tasks = Vec::new();
    for me in 0..senders {
        let (sender, life, mut random) = (sender.clone(), world.life(), random.fork());
        tasks.push(gopark::spawn(async move {
            let _life = life;
            for number in 0..each {
                if random.one_in(8) {
                    gopark::yield_now().await;
                }
                if sender.send((me, number)).await.is_err() {
                    return;
                }
            }
        }));
    }
    drop(sender);
    let mut next = vec![0; senders];
    loop {
        let received = if random.one_in(4) {
            // A receive that is given up takes no message along.
            match timeout(random.micros(300), receiver.recv()).await {
                Ok(received) => received,
                Err(_) => continue,
            }
        } else {
            receiver.recv().await
        };
        let Ok((from, number)) = received else { break };
        if next[from] != number {
            world.fail(format!(
                "message {number} of sender {from} came where {} was due",
                next[from]
            ));
        }
        next[from] += 1;
    }
    for task in tasks {
        world.join(task).await;
    }
    world.check(
        next.iter().all(|&count| count == each),
        "messages were lost before the end of a channel",
    );
}

async fn locks(world: &Arc<World>, random: &mut Random) {
    match random.below(3) {
        0 => {
            let mut value = world.mutex.lock().await;
            let before = *value;
            gopark::yield_now().await;
            world.check(*value == before, "two held a mutex");
            *value += 1;
        }
        1 => {
            let permit = timeout(random.micros(2_000), world.permits.acquire()).await;
            gopark::yield_now().await;
            drop(permit);
        }
        _ => {
            // Given up or told: a permit that is left over harms nobody.
            _ = timeout(random.micros(500), world.bell.notified()).await;
            world.bell.notify_one();
        }
    }
}

/// A `block_on` within the task, on this runtime or on one of its own.
fn nested(world: &Arc<World>, random: &mut Random, depth: usize) {
    let inner = story(world.clone(), random.fork(), depth + 1);
    match random.below(4) {
        0 => gopark::block_on(inner),
        1 => gopark::block(|| gopark::block_on(inner)),
        // A foreign executor keeps a clock that stands still from moving, for nobody knows what it waits for.
        2 if world.paused => gopark::block_on(inner),
        2 => match Handle::current().flavor() {
            // A root that is alone there has no monitor: it must say that it blocks.
            Flavor::CurrentThread => gopark::block(|| foreign(inner)),
            _ => foreign(inner),
        },
        _ => {
            let builder = if world.paused || random.one_in(2) {
                Builder::new_current_thread()
            } else {
                Builder::new_multi_thread().procs(random.within(1..3))
            };
            match builder.pause_time(world.paused).build() {
                Ok(runtime) => runtime.block_on(inner),
                Err(error) => world.fail(format!("no runtime: {error}")),
            }
        }
    }
}

async fn panics(world: &Arc<World>, random: &mut Random) {
    let (life, first) = (world.life(), random.one_in(2));
    let task = gopark::spawn(async move {
        let _life = life;
        if first {
            gopark::yield_now().await;
        }
        std::panic::panic_any(Planned);
    });
    match task.await {
        Ok(()) => world.fail("a panic was lost"),
        Err(error) if error.is_panic() => {
            let payload: Box<dyn Any + Send> = error.into_panic();
            world.check(payload.is::<Planned>(), "a panic came with another payload");
        }
        Err(error) => world.fail(format!("a task that panics was lost: {error}")),
    }
}

/// A few bytes or many, to and fro over the loopback interface.
async fn echo(world: &Arc<World>, random: &mut Random) {
    let length = if random.one_in(6) {
        random.within(1..300_000)
    } else {
        random.within(1..200)
    };
    let life = world.life();
    let talk = async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = gopark::spawn(async move {
            let _life = life;
            let (stream, _) = listener.accept().await?;
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).await?;
            stream.write_all(&bytes).await
        });
        let stream = TcpStream::connect(address).await?;
        let sent: Vec<u8> = (0..length).map(|at| at as u8).collect();
        stream.write_all(&sent).await?;
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).await?;
        world.check(bytes == sent, "an echo was another");
        if let Some(served) = world.join(server).await {
            served?;
        }
        std::io::Result::Ok(())
    };
    if let Err(error) = talk.await {
        world.fail(format!("echo: {error}"));
    }
}

/// A plain thread answers after a while.
async fn outside(world: &Arc<World>, random: &mut Random) {
    let (answer, answers) = chan::bounded(random.below(2));
    let (time, life) = (random.micros(2_000), world.life());
    let thread = thread::spawn(move || {
        let _life = life;
        thread::sleep(time);
        _ = answer.send_blocking(3);
    });
    let value = answers.recv().await;
    world.check(value == Ok(3), "the answer of a thread was lost");
    gopark::block(|| thread.join().expect("the thread panics nowhere"));
}

async fn set(world: &Arc<World>, random: &mut Random, depth: usize) {
    if random.one_in(2) {
        let mut set = JoinSet::new();
        let members = random.within(1..5);
        for _ in 0..members {
            set.spawn(story(world.clone(), random.fork(), depth + 1));
        }
        let mut joined = 0;
        while let Some(outcome) = set.join_next().await {
            match outcome {
                Ok(()) => joined += 1,
                Err(error) => return world.fail(format!("a member was lost: {error}")),
            }
        }
        world.check(
            joined == members,
            "a set gave back another number of members",
        );
    } else {
        let mut group = Group::<std::convert::Infallible>::new();
        for _ in 0..random.within(1..5) {
            let member = story(world.clone(), random.fork(), depth + 1);
            group
                .go(async move {
                    member.await;
                    Ok(())
                })
                .await;
        }
        world.check(group.wait().await.is_ok(), "a group without errors failed");
    }
}

async fn contexts(world: &Arc<World>, random: &mut Random) {
    let (context, cancel) = Context::background().with_timeout(random.micros(2_000));
    if random.one_in(2) {
        let (time, life) = (random.micros(2_000), world.life());
        drop(gopark::spawn(async move {
            let _life = life;
            sleep(time).await;
            cancel.cancel();
        }));
        context.done().await;
    } else {
        context.done().await;
        drop(cancel);
    }
    world.check(
        context.is_done(),
        "a context that is done says that it is not",
    );
}

/// A receive that blocks its thread, answered by another task of the same runtime.
async fn receive_on_the_spot(world: &Arc<World>, random: &mut Random) {
    let (sender, receiver) = chan::bounded(random.below(3));
    let (mut inner, life) = (random.fork(), world.life());
    let task = gopark::spawn(async move {
        let _life = life;
        if inner.one_in(2) {
            gopark::yield_now().await;
        }
        _ = sender.send(5).await;
    });
    let value = receiver.recv_blocking();
    world.check(value == Ok(5), "a message to a thread was lost");
    world.join(task).await;
}

/// A foreign `block_on`. That of `futures` refuses to be called inside of itself, which stories may do.
fn foreign(future: impl Future<Output = ()>) {
    _ = resolves(future, Duration::from_secs(3_600));
}

/// Drives `future` on this thread by none of gopark's executors, and says whether it was done in time.
pub(crate) fn resolves(future: impl Future<Output = ()>, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let mut future = std::pin::pin!(future);
    let waker = futures::task::waker(Arc::new(Unparker(thread::current())));
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        if future.as_mut().poll(&mut context).is_ready() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a plain thread of a test that gives up after a while"
        )]
        thread::park_timeout(Duration::from_millis(50));
    }
}

struct Unparker(thread::Thread);

impl futures::task::ArcWake for Unparker {
    fn wake_by_ref(arc_self: &Arc<Self>) {
        arc_self.0.unpark();
    }
}
