//! Ends the process when a round takes too long, and prints what is known: kind and seed, the state of every P
//! and M of each runtime, what it does in the next second, its tasks, and the state of every thread.

use std::fs;
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use gopark::runtime::Handle;

/// How many tasks of a runtime are listed.
const LISTED: usize = 40;

/// The round that runs.
struct Round {
    /// What repeats it.
    words: String,
    deadline: Instant,
    runtimes: Vec<(String, Handle)>,
}

static ROUND: Mutex<Option<Round>> = Mutex::new(None);

/// A round under watch, until it is dropped.
#[derive(Debug)]
#[must_use = "the round is watched until this is dropped"]
pub(crate) struct Watched(());

/// Watches a round; `words` repeat it.
pub(crate) fn watch(words: String, limit: Duration) -> Watched {
    static THREAD: Once = Once::new();
    THREAD.call_once(|| {
        std::thread::Builder::new()
            .name("watchdog".into())
            .spawn(keep_watch)
            .expect("chaos can start its watchdog");
    });
    *round() = Some(Round {
        words,
        deadline: Instant::now() + limit,
        runtimes: Vec::new(),
    });
    Watched(())
}

/// Adds a runtime to the dump of a round that hangs.
pub(crate) fn include(shape: String, handle: &Handle) {
    if let Some(round) = &mut *round() {
        round.runtimes.push((shape, handle.clone()));
    }
}

/// Forgets the runtimes of this round: handles keep what belongs to an ended runtime alive.
pub(crate) fn forget() {
    if let Some(round) = &mut *round() {
        round.runtimes.clear();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        *round() = None;
    }
}

fn round() -> std::sync::MutexGuard<'static, Option<Round>> {
    ROUND.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep_watch() {
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let late = round().take_if(|round| Instant::now() > round.deadline);
        if let Some(late) = late {
            report(&late);
            std::process::exit(1);
        }
    }
}

fn report(round: &Round) {
    eprintln!("{}: HANGS", round.words);
    threads();
    for (shape, handle) in &round.runtimes {
        eprintln!("runtime: {shape}\n{handle:#?}");
        let before = handle.metrics();
        std::thread::sleep(Duration::from_secs(1));
        let after = handle.metrics();
        eprintln!(
            "in the next second: {} polls, {} timers, {} parks, {} looks",
            after.polls - before.polls,
            after.timers_fired - before.timers_fired,
            after.parks - before.parks,
            after.looks - before.looks
        );
        let tasks = handle.tasks();
        eprintln!("{} tasks", tasks.len());
        for task in tasks.iter().take(LISTED) {
            eprintln!("  {task:?}");
        }
    }
}

/// The name of each thread, its state (R, S, D), and the system call that it is in with its arguments.
fn threads() {
    let Ok(folder) = fs::read_dir("/proc/self/task") else {
        return;
    };
    for entry in folder.flatten() {
        let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let (stat, call) = (read("stat"), read("syscall"));
        let state = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next());
        eprintln!(
            "thread {:>7} {:<16} {} {}",
            entry.file_name().to_string_lossy(),
            read("comm").trim(),
            state.unwrap_or('?'),
            call.trim()
        );
    }
}
