//! Runtimes that come and go leave nothing behind.
#![cfg(target_os = "linux")]

mod proof_support;

use std::time::Duration;

use gopark::net::{TcpListener, TcpStream};
use gopark::runtime::{Builder, Runtime};
use proof_support::{alarm, child, current, multi, proc};

/// What a small service does: tasks on several threads, a blocking one, timers, a TCP round trip, and
/// things that are never done.
fn use_it(runtime: &Runtime, n: u64) {
    let echoed = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        drop(gopark::spawn(async move {
            let (stream, _) = listener.accept().await?;
            let mut word = [0; 8];
            stream.read_exact(&mut word).await?;
            stream.write_all(&word).await?;
            // Still waiting when the runtime ends.
            listener.accept().await.map(drop)
        }));
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                gopark::spawn(async move {
                    gopark::yield_now().await;
                    if n == 7 {
                        gopark::block_on(gopark::yield_now());
                    }
                    n
                })
            })
            .collect();
        drop(gopark::spawn(gopark::time::sleep(Duration::from_secs(
            3600,
        ))));
        let stream = TcpStream::connect(address).await?;
        stream.write_all(&n.to_le_bytes()).await?;
        for task in tasks {
            task.await?;
        }
        gopark::time::sleep(Duration::from_millis(n % 2)).await;
        let mut word = [0; 8];
        stream.read_exact(&mut word).await?;
        std::io::Result::Ok(u64::from_le_bytes(word))
    });
    assert_eq!(echoed.unwrap(), n);
}

#[test]
fn a_thousand_runtimes_leave_no_thread_no_descriptor_and_no_memory() {
    const NAME: &str = "a_thousand_runtimes_leave_no_thread_no_descriptor_and_no_memory";
    child::isolated(NAME, || {
        let _alarm = alarm();
        let round = |n: u64| {
            let runtime = match n % 4 {
                0 => current(),
                1 => multi(1),
                2 => multi(2),
                _ => Builder::new_multi_thread().procs(4).build().unwrap(),
            };
            use_it(&runtime, n);
            match n % 5 {
                0 => assert!(runtime.shutdown_timeout(Duration::from_secs(60)).is_ok()),
                _ => drop(runtime),
            }
        };
        (0..200).for_each(round);
        let threads = 3; // The harness's, this test's, and the alarm.
        proc::becomes(threads, proc::threads);
        let descriptors = proc::descriptors();
        let before = proc::resident();
        (200..1000).for_each(round);
        proc::becomes(threads, proc::threads);
        assert_eq!(proc::descriptors(), descriptors);
        let grown = proc::resident().saturating_sub(before);
        println!("{} bytes a runtime", grown / 800);
        // A runtime of two processors takes more than 16 KB for its rings alone, so one leaked in
        // each round would show as 13 MB; the heap of a process that starts threads all the time
        // wanders by some 100 KB.
        assert!(grown < 2 << 20, "{grown} bytes in 800 rounds");
    });
}
