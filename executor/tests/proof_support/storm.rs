//! A storm: runtimes come and go, some at a time, until the time is up. Where nothing happens any more, what
//! there was is told, and the process ended.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gopark::runtime::Handle;

use super::{Random, scale, seed};

/// Runtimes at the same time.
const WORLDS: usize = 2;

/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(30);

static PROGRESS: AtomicU64 = AtomicU64::new(0);
static PANICS: AtomicU64 = AtomicU64::new(0);
static LIVING: Mutex<[Option<Handle>; WORLDS]> = Mutex::new([const { None }; WORLDS]);

/// Calls `live`, with a place and its chances, again and again in each place, for `GOPARK_STRESS_SECONDS`.
///
/// # Panics
///
/// If a `live` panics, or any task does whose panic the hook hears of.
pub(crate) fn storm(live: impl Fn(Place, Random) + Sync) {
    let seconds = scale("GOPARK_STRESS_SECONDS", 3);
    let seed = seed();
    let mut random = Random::new(seed);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // Those that are planned, by `resume_unwind`, do not come here.
        PANICS.fetch_add(1, Ordering::SeqCst);
        hook(info);
    }));
    drop(thread::spawn(move || watch(seed)));
    let end = Instant::now() + Duration::from_secs(seconds);
    let lives: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..WORLDS)
            .map(|number| {
                let (mut random, live) = (random.fork(), &live);
                scope.spawn(move || {
                    let mut lives = 0;
                    while Instant::now() < end {
                        live(Place(number), random.fork());
                        lives += 1;
                    }
                    lives
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    let steps = PROGRESS.load(Ordering::SeqCst);
    println!("{lives} runtimes, {steps} steps");
    assert!(lives > 0 && steps > 0);
    let panics = PANICS.load(Ordering::SeqCst);
    assert_eq!(panics, 0, "a task has panicked");
}

/// Something has happened.
pub(crate) fn progress() {
    PROGRESS.fetch_add(1, Ordering::SeqCst);
}

/// Where one runtime lives at a time.
pub(crate) struct Place(usize);

impl Place {
    /// The runtime that is asked if nothing happens any more, until the place is dropped.
    pub(crate) fn settle(&self, handle: &Handle) {
        LIVING.lock().unwrap()[self.0] = Some(handle.clone());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        LIVING.lock().unwrap()[self.0] = None;
    }
}

/// Ends the process, and says what there was, if nothing happens any more.
fn watch(seed: u64) -> ! {
    let mut seen = PROGRESS.load(Ordering::SeqCst);
    let mut since = Instant::now();
    loop {
        thread::sleep(Duration::from_secs(1));
        let now = PROGRESS.load(Ordering::SeqCst);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() > PATIENCE {
            eprintln!("nothing has happened for {PATIENCE:?}; GOPARK_STRESS_SEED={seed}");
            for handle in LIVING.lock().unwrap().iter().flatten() {
                eprintln!("{handle:#?}\n{:#?}", handle.metrics());
                for task in handle.tasks() {
                    eprintln!("{task}");
                }
            }
            std::process::abort();
        }
    }
}
