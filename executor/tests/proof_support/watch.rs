//! The watch over a storm: who does nothing any more is told of, and ended.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gopark::runtime::Handle;

/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends the process, and says what there was, if nothing happens any more.
pub(crate) fn watch<const WORLDS: usize>(
    seed: u64,
    progress: &AtomicU64,
    living: &Mutex<[Option<Handle>; WORLDS]>,
) -> ! {
    let mut seen = progress.load(Ordering::SeqCst);
    let mut since = Instant::now();
    loop {
        thread::sleep(Duration::from_secs(1));
        let now = progress.load(Ordering::SeqCst);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() > PATIENCE {
            eprintln!("nothing has happened for {PATIENCE:?}; GOPARK_STRESS_SEED={seed}");
            for handle in living.lock().unwrap().iter().flatten() {
                eprintln!("{:#?}", handle.metrics());
                for task in handle.tasks() {
                    eprintln!("{task}");
                }
            }
            std::process::abort();
        }
    }
}
