//! Clocks, memory and context switches, as the kernel tells them.
//!
//! Linux only: the figures come from `getrusage` and `/proc`.

use std::mem::MaybeUninit;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

/// What a run cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Time spent: wall-clock time, or CPU time where the workload says so.
    pub spent: Duration,
    /// Operations done in it.
    pub ops: u64,
}

impl Cost {
    /// The wall-clock time since `start`, for `ops` operations.
    #[must_use]
    pub fn since(start: Instant, ops: usize) -> Self {
        Self {
            spent: start.elapsed(),
            ops: ops as u64,
        }
    }

    /// Nanoseconds per operation.
    #[must_use]
    pub fn ns_per_op(self) -> f64 {
        self.spent.as_nanos() as f64 / self.ops as f64
    }
}

/// CPU time that this process has used so far, in user mode and in the kernel.
///
/// # Panics
///
/// Panics if `getrusage` fails, which it cannot for valid arguments.
#[must_use]
pub fn cpu_time() -> Duration {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: `usage` is writable and as large as the kernel's answer.
    let answer = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    assert_eq!(
        answer,
        0,
        "getrusage(RUSAGE_SELF): {}",
        io::Error::last_os_error()
    );
    // SAFETY: `getrusage` succeeded, so it has filled `usage`.
    let usage = unsafe { usage.assume_init() };
    let duration = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs())
            + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    duration(usage.ru_utime) + duration(usage.ru_stime)
}

/// Bytes of this process that are in memory.
///
/// # Errors
///
/// Fails where `/proc/self/smaps_rollup` cannot be read or has no `Rss` line.
pub fn resident_bytes() -> io::Result<u64> {
    // Not statm: the kernel keeps that one per CPU and sums it up late.
    let path = "/proc/self/smaps_rollup";
    Ok(field(path, &fs::read_to_string(path)?, "Rss:")? * 1024)
}

/// Voluntary context switches of all threads of this process.
///
/// # Errors
///
/// Fails where `/proc/self/task` cannot be read.
pub fn voluntary_switches() -> io::Result<u64> {
    let mut total = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let path = task?.path().join("status");
        let status = fs::read_to_string(&path)?;
        total += field(&path.to_string_lossy(), &status, "voluntary_ctxt_switches:")?;
    }
    Ok(total)
}

/// Lets this process have as many open files as the hard limit allows: the echo workload with 1,000
/// connections is beyond the usual soft limit of 1,024.
///
/// # Errors
///
/// Fails where the limit can be neither read nor set.
pub fn raise_open_files() -> io::Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is writable and of the type that the call asks for.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is initialised; the call only reads it.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// What the process does while nothing is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Idleness {
    /// CPU time used.
    pub cpu: Duration,
    /// How often threads of the process went to sleep: the price of being woken in between.
    pub switches: u64,
}

impl Idleness {
    /// Watches the process for `window`, from a thread that sleeps meanwhile.
    ///
    /// # Errors
    ///
    /// Fails as [`voluntary_switches`] does.
    pub fn watch(window: Duration) -> io::Result<Self> {
        let switches = voluntary_switches()?;
        let cpu = cpu_time();
        thread::sleep(window);
        let cpu = cpu_time() - cpu;
        let switches = voluntary_switches()? - switches;
        // One of the switches is this thread's own sleep.
        Ok(Self {
            cpu,
            switches: switches.saturating_sub(1),
        })
    }
}

/// The number after `name` in a file of `/proc`.
fn field(path: &str, text: &str, name: &str) -> io::Result<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| io::Error::other(format!("{path}: no line `{name}` with a number")))
}
