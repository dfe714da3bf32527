//! Linux: `membarrier`, thread clocks, `/proc`.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

/// `MEMBARRIER_CMD_PRIVATE_EXPEDITED` and its registration (linux/membarrier.h); libc lacks the names.
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: (1) the call takes two integers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Tells the kernel that this process will use [`process_fence`]; false if it has none (older than
/// 4.14, or forbidden by a sandbox).
pub(crate) fn register_process_fence() -> bool {
    // The kernel that registers may still refuse the call itself, so it is tried.
    membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED)
}

/// A full fence on every running thread of the process. False if the kernel, which has registered it, refuses it
/// now: a filter of system calls came since.
#[must_use = "a fence that was refused orders nothing"]
pub(crate) fn process_fence() -> bool {
    membarrier(PRIVATE_EXPEDITED)
}

/// Looks at a thread from others: how much it has computed, and whether it would if it could.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadProbe {
    tid: libc::pid_t,
}

impl ThreadProbe {
    pub(crate) fn of_this_thread() -> Self {
        // SAFETY: (1) the call takes nothing and touches no memory of ours.
        let tid = unsafe { libc::syscall(libc::SYS_gettid) };
        Self {
            tid: tid as libc::pid_t,
        }
    }

    /// The processor time that the thread has used. None if the thread is no more. A third of a
    /// microsecond.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        // The kernel's encoding (`CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED`, linux/posix-timers.h), which
        // `pthread_getcpuclockid` uses too.
        let clock = (!self.tid << 3) | 6;
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: (1) the pointer is to a timespec of ours.
        let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
        (result == 0).then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }

    /// How long the thread has waited for a processor in all, while it would have computed: without the wait that it may
    /// be in. None if the system does not say. Some microseconds.
    pub(crate) fn waited(&self) -> Option<Duration> {
        let mut text = [0; 64];
        let length = File::open(format!("/proc/self/task/{}/schedstat", self.tid))
            .and_then(|mut file| file.read(&mut text))
            .ok()?;
        // Nanoseconds on a processor, nanoseconds waited, slices.
        let text = std::str::from_utf8(&text[..length]).ok()?;
        let waited = text.split(' ').nth(1)?.parse().ok()?;
        Some(Duration::from_nanos(waited))
    }

    /// Whether the thread computes, or would if a processor were free; false if it waits for
    /// something. None if the system does not say. Some microseconds.
    pub(crate) fn is_runnable(&self) -> Option<bool> {
        let mut stat = [0; 128];
        let length = File::open(format!("/proc/self/task/{}/stat", self.tid))
            .and_then(|mut file| file.read(&mut stat))
            .ok()?;
        // "1234 (name) S …": the name may hold anything, also parentheses, and 16 bytes at the most.
        let stat = &stat[..length];
        let name_end = stat.iter().rposition(|&byte| byte == b')')?;
        stat.get(name_end + 2).map(|&state| state == b'R')
    }
}

/// Lets this thread's naps end when they should instead of up to 50 us later.
pub(crate) fn nap_exactly() {
    // SAFETY: (1) the call takes two integers and touches no memory of ours.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_000) };
}
