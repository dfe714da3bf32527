//! What Linux says about a process: its threads, descriptors, memory and limits.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

/// The number of threads of this process.
pub(crate) fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// The number of open descriptors of this process.
pub(crate) fn descriptors() -> usize {
    // Without the one that reads the directory.
    fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// Resident memory of this process, in bytes.
pub(crate) fn resident() -> usize {
    statm(1)
}

/// Virtual memory of this process, in bytes.
pub(crate) fn virtual_memory() -> usize {
    statm(0)
}

fn statm(field: usize) -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(field).unwrap().parse().unwrap();
    // SAFETY: sysconf reads no memory of ours.
    pages * usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap()
}

/// For each thread of a process: how often it gave up the CPU to wait, and its CPU time in ticks of
/// the system's clock.
pub(crate) fn activity(process: u32) -> BTreeMap<u32, (u64, u64)> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    tasks
        .map(|task| {
            let task = task.unwrap().path();
            let id = task.file_name().unwrap().to_str().unwrap().parse().unwrap();
            let status = fs::read_to_string(task.join("status")).unwrap();
            let switches = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
                .unwrap();
            let stat = fs::read_to_string(task.join("stat")).unwrap();
            // The name may hold anything, so count from behind it: utime and stime are the 14th and
            // 15th fields.
            let after_name = stat.rsplit_once(')').unwrap().1;
            let ticks = after_name
                .split_whitespace()
                .skip(11)
                .take(2)
                .map(|ticks| ticks.parse::<u64>().unwrap())
                .sum();
            (id, (switches.trim().parse().unwrap(), ticks))
        })
        .collect()
}

/// Waits until `count` gives `expected`: the system lists a thread that was joined for a moment
/// longer.
pub(crate) fn becomes(expected: usize, count: impl Fn() -> usize) {
    let start = Instant::now();
    while count() != expected {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{} instead of {expected}",
            count()
        );
        std::thread::yield_now();
    }
}

/// A limit of this process as it is, the soft one and the hard one.
pub(crate) fn limits(resource: libc::__rlimit_resource_t) -> (u64, u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid place for the answer.
    let got = unsafe { libc::getrlimit(resource, &mut limit) };
    assert_eq!(got, 0, "{}", io::Error::last_os_error());
    (limit.rlim_cur, limit.rlim_max)
}

/// Sets the soft limit, to at most the hard one.
pub(crate) fn limit(resource: libc::__rlimit_resource_t, soft: u64) {
    let hard = limits(resource).1;
    let limit = libc::rlimit {
        rlim_cur: soft.min(hard),
        rlim_max: hard,
    };
    // SAFETY: `limit` is a valid value.
    let set = unsafe { libc::setrlimit(resource, &limit) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}
