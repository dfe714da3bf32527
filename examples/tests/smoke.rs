//! Every example runs, says what it should, and ends.
//!
//! The programs are those that `cargo test -p gopark-examples` has just built. Servers choose port 0
//! and print what they got; they end when this test closes their standard input, even by dying.
//! Nothing here sleeps, and nothing waits longer than `PATIENCE`.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

/// How long one line, one read or one end may take on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running example.
struct Example {
    name: String,
    child: Child,
    lines: Receiver<String>,
}

impl Example {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let program = directory().join(format!("{name}{}", env::consts::EXE_SUFFIX));
        assert!(
            program.is_file(),
            "{} is missing: run `cargo build -p gopark-examples --examples` first",
            program.display()
        );
        let mut child = Command::new(program)
            .args(arguments)
            .arg("--smoke")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let (line, lines) = mpsc::channel();
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for output in outputs {
            let line = line.clone();
            thread::spawn(move || {
                for read in BufReader::new(output).lines().map_while(Result::ok) {
                    if is_stall(&read) {
                        continue;
                    }
                    let _ = line.send(read); // nobody listens to what comes after the test
                }
            });
        }
        Self {
            name: name.to_owned(),
            child,
            lines,
        }
    }

    /// The next line of output with `part` in it.
    fn line_with(&self, part: &str) -> String {
        let mut before = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => before.push(line),
                Err(error) => panic!("{}: no {part:?}: {error}; it said {before:#?}", self.name),
            }
        }
    }

    /// The address that a server printed.
    fn address(&self) -> SocketAddr {
        let line = self.line_with("listening on ");
        let word = line
            .trim_start_matches("listening on ")
            .split([',', ' '])
            .next()
            .unwrap();
        word.parse()
            .unwrap_or_else(|error| panic!("{}: {line:?}: {error}", self.name))
    }

    /// Waits for the end; whether it was a good one, and all that was said and not yet read.
    fn end(mut self) -> (bool, String) {
        let mut said = String::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => said = said + &line + "\n",
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(error) => panic!("{} does not end: {error}; it said\n{said}", self.name),
            }
        }
        // It has closed its output, so it is about to end, if it has not.
        let status = self.child.wait().unwrap();
        (status.success(), said)
    }

    /// What an example that should succeed says, a server until it is told to end.
    fn says(mut self) -> String {
        drop(self.child.stdin.take());
        let name = self.name.clone();
        let (succeeded, said) = self.end();
        assert!(succeeded, "{name} failed; it said\n{said}");
        said
    }

    /// What an example that should fail, without being told to end, says.
    fn complains(self) -> String {
        let name = self.name.clone();
        let (succeeded, said) = self.end();
        assert!(!succeeded, "{name} succeeded; it said\n{said}");
        said
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // Fails if it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether gopark reports a poll that took long. A busy machine keeps any thread off its processors
/// for a while, so such a line may come from every example.
fn is_stall(line: &str) -> bool {
    line.starts_with("gopark: ") && line.contains(" its P for ")
}

/// Where cargo puts examples: beside the directory of the test that is running.
fn directory() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.parent()
        .and_then(|deps| deps.parent())
        .unwrap()
        .join("examples")
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Says `text` and then that it was all, and hears the answer to its end.
fn ask(address: SocketAddr, text: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    stream.write_all(text).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn hello_prints_what_its_task_returned() {
    assert_eq!(Example::start("hello", &[]).says(), "hello from a task\n");
}

#[test]
fn timers_beat_and_cut_off() {
    let said = Example::start("timers", &[]).says();
    let mut lines = said.lines();
    for part in [
        "side by side",
        "tick 1",
        "tick 2",
        "tick 3",
        "in time: Ok(42)",
        "is dropped",
        "too late",
    ] {
        let line = lines.next().unwrap_or_default();
        assert!(
            line.contains(part),
            "expected {part:?} in {line:?} of\n{said}"
        );
    }
}

#[test]
fn stall_prints_how_late_the_ticks_were_both_ways() {
    let said = Example::start("stall", &[]).says();
    // The two histograms stand side by side: each line of the table has a count of either.
    let counts = |line: &str| -> Vec<u32> {
        let words = line.split_whitespace().skip_while(|word| *word != "ms");
        words.filter_map(|word| word.parse().ok()).collect()
    };
    let table: Vec<_> = said
        .lines()
        .skip_while(|line| !line.contains("StallPolicy::Off"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(counts)
        .collect();
    assert_eq!(table.len(), 7, "{said}");
    for column in 0..2 {
        let ticks: u32 = table.iter().map(|counts| counts[column]).sum();
        assert_eq!(ticks, 1_000, "in column {column} of\n{said}");
    }
    assert!(said.contains("The worst tick is"), "{said}");
}

#[test]
fn sieve_finds_the_primes() {
    let said = Example::start("sieve", &["100"]).says();
    assert!(
        said.contains("up to 100: [73, 79, 83, 89, 97]\n25 primes, as many tasks, "),
        "{said}"
    );
    let said = Example::start("sieve", &["1"]).says();
    assert!(said.contains("up to 1: []\n0 primes, "), "{said}");
}

/// The numbers between the brackets that follow `before`.
fn list(said: &str, before: &str) -> Vec<usize> {
    let (_, rest) = (said.split_once(&format!("{before}[")))
        .unwrap_or_else(|| panic!("no {before:?} and a list in\n{said}"));
    let (inside, _) = rest.split_once(']').unwrap();
    (inside.split(", "))
        .map(|number| number.parse().unwrap())
        .collect()
}

#[test]
fn pipeline_keeps_its_queues_short() {
    let said = Example::start("pipeline", &[]).says();
    assert!(
        said.contains("50 numbers, the sum of their squares is 42925\n"),
        "{said}"
    );
    let longest = list(&said, "longest queues ");
    assert!(longest.iter().all(|&length| length <= 4), "{said}");
    // Two full queues, and one number in the hands of each of the two stages.
    let furthest: usize = (said.split("furthest ahead ").nth(1))
        .and_then(|rest| rest.split(' ').next()?.parse().ok())
        .unwrap();
    assert!((1..=10).contains(&furthest), "{said}");
}

#[test]
fn worker_pool_does_each_job_once_and_stops() {
    let said = Example::start("worker_pool", &[]).says();
    assert!(said.contains("too late: job 10\n"), "{said}");
    let mut order = list(&said, "order of completion: ");
    assert_ne!(order[0], 1, "the longest job is not the first done\n{said}");
    order.sort_unstable();
    assert_eq!(order, (1..=9).collect::<Vec<_>>());
    let done: usize = (said.split("stops after ").skip(1))
        .filter_map(|rest| rest.split(' ').next()?.parse::<usize>().ok())
        .sum();
    assert_eq!(done, 9, "{said}");
    assert_eq!(said.matches("stops after").count(), 3, "{said}");
}

#[test]
fn fan_in_merges_until_it_quits() {
    let said = Example::start("fan_in", &[]).says();
    let counts = list(&said, "20 messages: ");
    assert_eq!(counts.iter().sum::<usize>(), 20, "{said}");
    assert!(counts[2] <= 5, "{said}");
    assert!(said.contains("all have stopped; "), "{said}");
    assert!(said.contains("the source of words stops\n"), "{said}");
}

#[test]
fn pub_sub_tells_the_slow_what_they_missed() {
    let said = Example::start("pub_sub", &[]).says();
    for expected in [
        "tennis: each message reached [2, 2, 3, 3, 2, 2, 2, 2, 2, 2]\n",
        "quick:   read [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], missed 0\n",
        "visitor: read [3, 4], missed 0\n",
        "slow:    read [7, 8, 9, 10], missed 6\n",
        "orders: 4 at once, and the others as the shop takes them\n",
        "shop:    read [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], missed 0\n",
    ] {
        assert!(said.contains(expected), "no {expected:?} in\n{said}");
    }
}

#[test]
fn ping_pong_loses_patience() {
    let said = Example::start("ping_pong", &[]).says();
    let mut lines = said.lines();
    for expected in [
        "pong: stroke 1",
        "ping: stroke 2",
        "pong: stroke 3",
        "ping: stroke 4",
        "ping: wait, my shoe",
        "pong: no ball for 250ms",
        "pong has made 500 strokes",
        "ping: nobody takes ball 1001",
        "ping has made 500, and all that took ",
    ] {
        let line = lines.next().unwrap_or_default();
        assert!(
            line.starts_with(expected),
            "expected {expected:?} in {line:?} of\n{said}"
        );
    }
}

#[test]
fn files_counts_a_tree() {
    let top = env::temp_dir().join(format!("gopark-examples-files-{}", std::process::id()));
    fs::create_dir_all(top.join("deep/deeper")).unwrap();
    for (name, contents) in [
        ("one", "The cat, the dog.\n"),
        ("deep/two", "the\nDOG\n"),
        ("deep/deeper/three", "a1 \u{e4}pfel"),
        ("empty", ""),
    ] {
        fs::write(top.join(name), contents).unwrap();
    }
    fs::write(top.join("deep/binary"), b"\xff\0").unwrap();
    let directory = top.to_str().unwrap();
    for in_flight in [&["1"][..], &["64"], &[]] {
        let said = Example::start("files", &[&[directory], in_flight].concat()).says();
        assert!(
            said.contains("4 files, 4 lines, 8 words, 35 bytes\n"),
            "{said}"
        );
        // The commonest first, and of those that are as common the first in the alphabet.
        let words = ["3 the", "2 dog", "1 a1", "1 cat", "1 \u{e4}pfel"];
        let lines = said.lines().map(str::trim);
        let counts: Vec<_> = lines.filter(|line| words.contains(line)).collect();
        assert_eq!(counts, words, "{said}");
        assert!(said.contains("binary: "), "{said}");
        assert!(said.contains("took "), "{said}");
    }
    fs::remove_dir_all(top).unwrap();
}

#[test]
fn foreign_executors_drive_our_sockets() {
    let said = Example::start("foreign", &[]).says();
    assert_eq!(
        said.matches("whoever polls the future").count(),
        2,
        "{said}"
    );
}

#[test]
fn echo_returns_what_the_load_client_sends() {
    let echo = Example::start("echo", &["127.0.0.1:0"]);
    let address = echo.address().to_string();
    let said = Example::start("echo_load", &[&address, "20", "50", "1000"]).says();
    assert!(
        said.contains("20 connections, 50 messages each, 1000 bytes each"),
        "{said}"
    );
    assert!(
        said.contains("messages/s") && said.contains("p99"),
        "{said}"
    );

    // One message larger than the buffers of four sockets together.
    let said = Example::start("echo_load", &[&address, "2", "2", "20000000"]).says();
    assert!(said.contains("2 connections"), "{said}");
    echo.says();
}

#[test]
fn graceful_lets_who_is_connected_finish() {
    let mut server = Example::start("graceful", &["127.0.0.1:0", "60000"]);
    let address = server.address();
    assert_eq!(ask(address, b"before"), b"before");
    let (mut one, mut two) = (connect(address), connect(address));
    let mut echoed = [0; 3];
    for stream in [&mut one, &mut two] {
        stream.write_all(b"one").unwrap();
        stream.read_exact(&mut echoed).unwrap();
    }
    let stdin = server.child.stdin.as_mut().unwrap();
    stdin.write_all(b"halt\nstop\n").unwrap();
    server.line_with("not \"halt\"");
    server.line_with("stopping: told to stop; 2 connections are open");
    // It has stopped listening, and goes on serving.
    assert!(TcpStream::connect_timeout(&address, PATIENCE).is_err());
    one.write_all(b"two").unwrap();
    one.read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"two");
    drop((one, two));
    let (succeeded, said) = server.end();
    assert!(succeeded && said.contains("all have finished"), "{said}");
    assert!(said.contains("and 2 to their end after it"), "{said}");
}

#[test]
fn graceful_cuts_off_who_does_not_finish() {
    let server = Example::start("graceful", &["127.0.0.1:0", "20"]);
    let mut idle = connect(server.address());
    idle.write_all(b"!").unwrap();
    idle.read_exact(&mut [0]).unwrap();
    // Its standard input ends, which stops it too.
    let said = server.says();
    assert!(said.contains("the standard input has ended"), "{said}");
    assert!(said.contains("exceeded: 1 are cut off"), "{said}");
    assert!(
        !matches!(idle.read(&mut [0]), Ok(1..)),
        "the connection is over"
    );
}

#[test]
fn rate_limit_makes_all_calls_few_at_a_time() {
    let said = Example::start("rate_limit", &["12", "1000", "3"]).says();
    for number in 1..=12 {
        let square = format!("{number} squared is {}\n", number * number);
        assert!(said.contains(&square), "no {square:?} in\n{said}");
    }
    assert!(said.contains("12 calls in"), "{said}");
    assert!(said.contains("never more than 3 at a time"), "{said}");
}

#[test]
fn proxy_passes_on_both_ways_and_closes_one_at_a_time() {
    let echo = Example::start("echo", &["127.0.0.1:0"]);
    let proxy = Example::start("proxy", &["127.0.0.1:0", &echo.address().to_string()]);
    let address = proxy.address();
    // The answer comes after the question has ended, which only a half-close lets through.
    let question = vec![b'?'; 300_000];
    assert!(
        ask(address, &question) == question,
        "the answer is not the question"
    );
    proxy.line_with("300000 bytes there, 300000 back");

    let said = Example::start("echo_load", &[&address.to_string(), "5", "50", "100"]).says();
    assert!(said.contains("messages/s"), "{said}");
    proxy.says();
    echo.says();
}

#[test]
fn chat_tells_everybody_else() {
    let chat = Example::start("chat", &["127.0.0.1:0"]);
    let address = chat.address();
    let ann = connect(address);
    let ann_is = ann.local_addr().unwrap();
    let mut hears_ann = BufReader::new(ann.try_clone().unwrap())
        .lines()
        .map(Result::unwrap);
    let bob = connect(address);
    let bob_is = bob.local_addr().unwrap();
    let mut hears_bob = BufReader::new(bob.try_clone().unwrap())
        .lines()
        .map(Result::unwrap);
    (&bob).write_all(b"anybody there?\n").unwrap();
    assert_eq!(hears_ann.next().unwrap(), format!("{bob_is}: is here"));
    assert_eq!(
        hears_ann.next().unwrap(),
        format!("{bob_is}: anybody there?")
    );
    (&ann).write_all(b"welcome\n").unwrap();
    assert_eq!(hears_bob.next().unwrap(), format!("{ann_is}: welcome"));

    drop(bob);
    drop(hears_bob);
    assert_eq!(hears_ann.next().unwrap(), format!("{bob_is}: has left"));
    drop((ann, hears_ann));
    chat.says();
}

#[test]
fn a_bad_argument_is_named() {
    for (name, arguments, named) in [
        ("echo", &["nowhere"][..], "\"nowhere\""),
        ("echo", &["127.0.0.1:0", "8"], "\"8\""),
        ("proxy", &["127.0.0.1:0"], "LISTEN and TARGET"),
        (
            "proxy",
            &["127.0.0.1:port", "127.0.0.1:1"],
            "\"127.0.0.1:port\"",
        ),
        ("chat", &["127.0.0.1:99999"], "\"127.0.0.1:99999\""),
        (
            "echo_load",
            &["127.0.0.1:1", "none"],
            "CONNECTIONS must be a positive number",
        ),
        (
            "echo_load",
            &["127.0.0.1:1", "1", "0"],
            "MESSAGES must be a positive number",
        ),
        (
            "echo_load",
            &["127.0.0.1:1", "1", "1", "-1"],
            "SIZE must be a positive number",
        ),
        ("echo_load", &["127.0.0.1", "1", "1", "1"], "\"127.0.0.1\""),
        ("graceful", &["127.0.0.1:0", "soon"], "\"soon\""),
        (
            "rate_limit",
            &["1", "0"],
            "PER_SECOND must be a positive number",
        ),
        ("files", &["no/such/directory"], "\"no/such/directory\""),
        ("sieve", &["many"], "UP_TO must be a whole number"),
        ("files", &[".", "0"], "IN_FLIGHT must be a positive number"),
        ("files", &[".", "1", "2"], "[DIRECTORY [IN_FLIGHT]]"),
    ] {
        let said = Example::start(name, arguments).complains();
        assert!(
            said.contains(named),
            "{name} {arguments:?}: no {named:?} in\n{said}"
        );
    }
}

/// Linux only: where the limit can be set for one process without a word of C.
#[test]
#[cfg(target_os = "linux")]
fn echo_outlives_a_lack_of_file_descriptors() {
    let echo = Example::start("echo", &["127.0.0.1:0"]);
    let address = echo.address();
    let descriptors = fs::read_dir(format!("/proc/{}/fd", echo.child.id()))
        .unwrap()
        .count();
    let limit = format!("--nofile={}", descriptors + 4);
    let limited = Command::new("prlimit")
        .args(["--pid", &echo.child.id().to_string(), &limit])
        .status()
        .expect("prlimit, of util-linux, is installed");
    assert!(limited.success());

    let crowd: Vec<_> = (0..8).map(|_| connect(address)).collect();
    echo.line_with("the next try is in 100 ms");
    drop(crowd);
    assert_eq!(ask(address, b"still there?"), b"still there?");
    echo.says();
}
