//! Where files are used: in tasks of every kind of runtime, outside of all, and who else runs meanwhile.

mod fs_support;

use std::sync::Arc;

use fs_support::{Counter, TempDir, alarm, count_polls, current, every_kind};
use gopark::fs::{self, File};
use gopark::task::unconstrained;

/// How many operations one poll may do.
const BUDGET: usize = 128;

#[test]
fn files_work_in_every_runtime_and_in_none() {
    let _alarm = alarm();
    let dir = TempDir::new();
    let path = dir.join("file");
    let story = || async {
        fs::write(&path, "1").await.unwrap();
        let file = File::options().append(true).open(&path).await.unwrap();
        for _ in 0..300 {
            file.write_all(b"2").await.unwrap();
        }
        assert_eq!(fs::read(&path).await.unwrap().len(), 301);
        fs::remove_file(&path).await.unwrap();
    };
    for runtime in every_kind() {
        runtime.block_on(story());
    }
    gopark::block_on(story());
    futures::executor::block_on(story());
}

/// Reads a file from memory `times` times.
async fn reads(file: Arc<File>, times: usize) {
    let mut buf = [0; 16];
    for _ in 0..times {
        assert_eq!(file.read_at(&mut buf, 0).await.unwrap(), 16);
    }
}

#[test]
fn a_loop_of_reads_lets_another_task_run_in_between() {
    let _alarm = alarm();
    let dir = TempDir::new();
    let path = dir.file("file", [7; 16]);
    current().block_on(async {
        let file = Arc::new(File::open(&path).await.unwrap());
        let turns = Counter::default();
        let other = gopark::spawn({
            let turns = turns.clone();
            async move {
                loop {
                    turns.add();
                    gopark::yield_now().await;
                }
            }
        });
        let reader = gopark::spawn(async move {
            let before = turns.get();
            let ((), polls) = count_polls(reads(file, 1000)).await;
            (polls, turns.get() - before)
        });
        let (polls, turns) = reader.await.unwrap();
        assert_eq!(polls, 1 + 1000 / BUDGET);
        assert!(turns >= polls - 1, "{turns} turns in {polls} polls");
        other.abort();
    });
}

#[test]
fn the_budget_is_only_that_of_our_tasks() {
    let _alarm = alarm();
    let dir = TempDir::new();
    let file = Arc::new(
        std::fs::File::open(dir.file("file", [7; 16]))
            .unwrap()
            .into(),
    );
    let reads = || count_polls(reads(Arc::clone(&file), 1000));
    assert_eq!(futures::executor::block_on(reads()).1, 1);
    assert_eq!(gopark::block_on(unconstrained(reads())).1, 1);
    assert_eq!(gopark::block_on(reads()).1, 1 + 1000 / BUDGET);
}

/// Every operation takes one unit, whatever it is.
#[test]
fn each_operation_is_charged_once() {
    use gopark::net::note;

    let dir = TempDir::new();
    let path = dir.file("file", "x");
    futures::executor::block_on(async {
        macro_rules! charges {
            ($operation:expr) => {{
                note::begin_poll(100);
                let outcome = $operation.await;
                let left = note::budget();
                note::begin_poll(note::UNLIMITED);
                assert_eq!(left, 99, "{}", stringify!($operation));
                outcome.unwrap()
            }};
        }
        let file = charges!(File::options().read(true).write(true).open(&path));
        charges!(file.write_all(b"0123456789"));
        charges!(file.write_all_at(b"ab", 3));
        charges!(file.rewind());
        charges!(file.read(&mut [0; 2]));
        charges!(file.read_exact(&mut [0; 2]));
        charges!(file.read_to_end(&mut Vec::new()));
        charges!(file.read_exact_at(&mut [0; 2], 0));
        charges!(file.stream_position());
        charges!(file.set_len(5));
        charges!(file.sync_data());
        charges!(file.metadata());
        charges!(file.try_clone());
        charges!(fs::read(&path));
        charges!(fs::copy(&path, dir.join("copy")));
        charges!(fs::create_dir_all(dir.join("a/b/c")));
        charges!(fs::remove_dir_all(dir.join("a")));
        let mut entries = charges!(fs::read_dir(dir.path()));
        let entry = charges!(entries.next_entry()).unwrap();
        charges!(entry.metadata());
        let mut lines = charges!(fs::lines(&path));
        charges!(lines.next_line());
        // A failure is an operation too.
        charges!(async { std::io::Result::Ok(fs::read(dir.join("no")).await.is_err()) });
    });
}

/// Many tasks on several processors, one file: each has its own part of it.
#[test]
fn tasks_share_a_file_by_positions() {
    const BLOCK: usize = 1000;
    let _alarm = alarm();
    for runtime in every_kind() {
        let dir = TempDir::new();
        let path = dir.file("file", "");
        let mut options = File::options();
        options.read(true).write(true);
        runtime.block_on(async {
            let file = Arc::new(options.open(&path).await.unwrap());
            let tasks: Vec<_> = (0..50_u8)
                .map(|number| {
                    let file = Arc::clone(&file);
                    gopark::spawn(async move {
                        let offset = (usize::from(number) * BLOCK) as u64;
                        file.write_all_at(&[number; BLOCK], offset).await.unwrap();
                        let mut read = [0; BLOCK];
                        file.read_exact_at(&mut read, offset).await.unwrap();
                        assert_eq!(read, [number; BLOCK]);
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        let all = std::fs::read(&path).unwrap();
        let expected = (0..50_u8).flat_map(|number| [number; BLOCK]);
        assert!(all.into_iter().eq(expected));
    }
}

/// Appending is one step of the system's, so lines of several tasks do not mix.
#[test]
fn tasks_append_to_one_log() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let dir = TempDir::new();
        let path = dir.join("log");
        runtime.block_on(async {
            let tasks: Vec<_> = (0..20)
                .map(|number| {
                    let path = path.clone();
                    gopark::spawn(async move {
                        let mut options = File::options();
                        let log = options.append(true).create(true).open(&path).await.unwrap();
                        for turn in 0..50 {
                            let line = format!("task {number}, turn {turn}\n");
                            log.write_all(line.as_bytes()).await.unwrap();
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let all = (0..20).flat_map(|task| (0..50).map(move |turn| (task, turn)));
        let mut expected: Vec<_> = all
            .map(|(task, turn)| format!("task {task}, turn {turn}"))
            .collect();
        lines.sort();
        expected.sort();
        assert_eq!(lines, expected);
    }
}

/// A named pipe in `dir`.
#[cfg(unix)]
fn fifo(dir: &TempDir) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let path = dir.join("fifo");
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: (1) a string that ends in zero.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    path
}

#[cfg(unix)]
#[test]
fn other_tasks_go_on_while_one_waits_at_a_fifo_on_every_flavour() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let dir = TempDir::new();
        let path = fifo(&dir);
        runtime.block_on(async {
            let reader = gopark::spawn({
                let path = path.clone();
                // Open and read both wait for the other task.
                async move { fs::read_to_string(path).await.unwrap() }
            });
            let writer = gopark::spawn(async move {
                gopark::yield_now().await;
                fs::write(path, "through a pipe").await.unwrap();
            });
            writer.await.unwrap();
            assert_eq!(reader.await.unwrap(), "through a pipe");
        });
    }
}

#[cfg(unix)]
#[test]
fn a_wait_at_a_fifo_that_is_not_blocking_can_be_given_up() {
    use std::io::{Read, Write};
    use std::os::unix::fs::OpenOptionsExt;
    use std::time::Duration;
    let _alarm = alarm();
    let dir = TempDir::new();
    let path = fifo(&dir);
    let mut options = std::fs::OpenOptions::new();
    options.custom_flags(libc::O_NONBLOCK);
    let reading = options.clone().read(true).open(&path).unwrap();
    let mut writing = options.clone().write(true).open(&path).unwrap();
    gopark::block_on(async {
        let reader = gopark::net::AsyncFd::new(reading).unwrap();
        let read = async || {
            let mut buf = [0; 8];
            loop {
                let mut ready = reader.readable().await.unwrap();
                if let Ok(outcome) = ready.try_io(|fd| fd.get_ref().read(&mut buf)) {
                    return buf[..outcome.unwrap()].to_vec();
                }
            }
        };
        let late = gopark::time::timeout(Duration::from_millis(1), read()).await;
        assert!(late.is_err());
        writing.write_all(b"now").unwrap();
        assert_eq!(read().await, b"now");
    });
}
