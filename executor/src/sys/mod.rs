//! What only an operating system can say or do: a fence for the whole process, another thread's clock
//! and state, exact naps, a standard error that is not waited for.
//!
//! Each has an answer where the system has no word for it: then fences are paid by both sides, and a
//! thread that is stuck is taken to compute, which costs it its P later rather than never.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(unix)]
mod stderr;

#[cfg(target_os = "linux")]
pub(crate) use linux::{ThreadProbe, nap_exactly, process_fence, register_process_fence};
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{ThreadProbe, nap_exactly, process_fence, register_process_fence};

#[cfg(unix)]
pub(crate) use stderr::{write_if_room, write_stderr};

/// Writes a line to the standard error. Whether that blocks nobody can say here.
#[cfg(not(unix))]
pub(crate) fn write_if_room(line: &[u8]) -> bool {
    write_stderr(line);
    true
}

/// See `stderr.rs`.
#[cfg(not(unix))]
pub(crate) fn write_stderr(line: &[u8]) {
    use std::io::Write;
    // What cannot be written is lost.
    let _ = std::io::stderr().write_all(line);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_clock_of_a_thread_runs_while_it_computes() {
        let probe = ThreadProbe::of_this_thread();
        let start = Instant::now();
        let before = probe.cpu_time().unwrap();
        while probe.cpu_time().unwrap() - before < Duration::from_millis(5) {
            std::hint::black_box(start.elapsed());
        }
        assert!(start.elapsed() >= Duration::from_millis(5));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_that_waits_is_asleep_and_its_clock_stands() {
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(ThreadProbe::of_this_thread()).unwrap();
            let _ = ended.recv();
        });
        let probe = told.recv().unwrap();
        while probe.is_runnable() != Some(false) {
            std::thread::yield_now();
        }
        let before = probe.cpu_time().unwrap();
        assert_eq!(probe.cpu_time().unwrap(), before);
        assert_eq!(ThreadProbe::of_this_thread().is_runnable(), Some(true));
        drop(end);
        thread.join().unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_that_is_kept_from_its_processor_is_said_to_have_waited() {
        // Two threads that compute on one processor.
        let keep_to_one = || {
            // SAFETY: (1) all zeroes is an empty set.
            let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
            // SAFETY: (1) the pointer is to a set of that size.
            let result = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
            assert_eq!(result, 0);
            // SAFETY: (1) the set is ours, and the number is below its size.
            let has = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };
            let cpu = (0..1024).find(has).unwrap();
            // SAFETY: as above.
            let mut one: libc::cpu_set_t = unsafe { std::mem::zeroed() };
            // SAFETY: as above.
            unsafe { libc::CPU_SET(cpu, &mut one) };
            // SAFETY: (1) the pointer is to a set of that size.
            let result = unsafe { libc::sched_setaffinity(0, size_of_val(&one), &raw const one) };
            assert_eq!(result, 0);
        };
        let compute = move || {
            keep_to_one();
            let probe = ThreadProbe::of_this_thread();
            let before = probe.waited()?;
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(100) {
                std::hint::black_box(&start);
            }
            Some(probe.waited()? - before)
        };
        let threads = [(); 2].map(|()| std::thread::spawn(compute));
        let waited = threads.map(|thread| thread.join().unwrap());
        let [Some(one), Some(other)] = waited else {
            println!("this system does not say: {waited:?}");
            return;
        };
        assert!(
            one + other >= Duration::from_millis(50),
            "{one:?} and {other:?}"
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_that_has_ended_has_no_clock() {
        let probe = std::thread::spawn(ThreadProbe::of_this_thread)
            .join()
            .unwrap();
        // Its number may have gone to another thread already, or the kernel is not done with it.
        let start = Instant::now();
        while probe.cpu_time().is_some() && start.elapsed() < Duration::from_secs(5) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_fence_that_was_registered_can_be_used() {
        if register_process_fence() {
            assert!(process_fence());
        }
    }
}
