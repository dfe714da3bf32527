//! The kernel forbids after the start what it granted at the start: a process that gives up the right to
//! `membarrier`, as services in a sandbox do, keeps all promises.
#![cfg(target_os = "linux")]

mod proof_support;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use gopark::chan;
use gopark::runtime::Runtime;
use proof_support::blocking::{Gate, Way, wait};
use proof_support::{alarm, child, multi};

/// From now on `membarrier` fails, on all threads of this process, with "not permitted".
fn forbid_membarrier() -> io::Result<()> {
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let jump_if_equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // The number of the system call is the first word of `seccomp_data`.
    let mut steps = [
        step(load, 0, 0, 0),
        step(jump_if_equal, 0, 1, libc::SYS_membarrier as u32),
        step(answer, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        step(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: the call takes integers.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the program and its steps outlive the call, which copies them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_TSYNC,
            &raw const filter,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A task that blocks is released by another of the same runtime, which has one processor.
fn a_blocked_thread_keeps_nobody_from_running(runtime: &Runtime, way: Way) {
    let gate = Gate::default();
    let theirs = gate.clone();
    let blocked = runtime.spawn(async move { way.run(|| theirs.pass()) });
    let opener = runtime.spawn(async move {
        gate.has_blocked(1).await;
        gate.open();
    });
    wait(blocked).unwrap();
    wait(opener).unwrap();
}

/// Threads that own the lock of a channel lose it to each other again and again.
fn locks_pass_from_thread_to_thread() {
    static TURNS: AtomicUsize = AtomicUsize::new(0);
    let (tx, rx) = chan::bounded::<usize>(128);
    let mut received = 0;
    for turn in 0..4 {
        let (sender, receiver) = (tx.clone(), rx.clone());
        let thread = thread::spawn(move || {
            for n in 0..20_000 {
                sender.send_blocking(n).unwrap();
                assert_eq!(receiver.recv_blocking().unwrap(), n);
            }
            TURNS.fetch_add(1, Ordering::Relaxed);
        });
        thread.join().unwrap();
        tx.send_blocking(turn).unwrap();
        received += rx.recv_blocking().unwrap();
    }
    assert_eq!(received, 6);
    assert_eq!(TURNS.load(Ordering::Relaxed), 4);
}

#[test]
fn a_process_that_may_use_membarrier_no_more_keeps_all_promises() {
    let _alarm = alarm();
    child::isolated(
        "a_process_that_may_use_membarrier_no_more_keeps_all_promises",
        || {
            let runtime = multi(1);
            a_blocked_thread_keeps_nobody_from_running(&runtime, Way::Unmarked);
            if let Err(error) = forbid_membarrier() {
                println!("there is no filter here to test with: {error}");
                return;
            }
            for way in Way::ALL {
                a_blocked_thread_keeps_nobody_from_running(&runtime, way);
            }
            locks_pass_from_thread_to_thread();
            let second = multi(1);
            for way in Way::ALL {
                a_blocked_thread_keeps_nobody_from_running(&second, way);
            }
            // Long enough idle for the monitor to lie down, and then anew.
            while runtime.handle().metrics().idle_procs < 1 {
                thread::sleep(Duration::from_millis(1));
            }
            a_blocked_thread_keeps_nobody_from_running(&runtime, Way::Unmarked);
        },
    );
}
