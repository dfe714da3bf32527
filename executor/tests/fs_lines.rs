//! The lines of a file: where they end, what is refused, and what goes on after an error.

mod fs_support;

use std::io::{BufRead, ErrorKind, Write};

use fs_support::{Random, TempDir, alarm, count_polls, run, seed};
use futures::{StreamExt, TryStreamExt};
use gopark::fs::{self, File};

/// All lines of a file with these contents.
fn lines_of(contents: &[u8]) -> Vec<String> {
    let dir = TempDir::new();
    let path = dir.file("text", contents);
    run(async { fs::lines(&path).await?.try_collect().await }).unwrap()
}

#[test]
fn lines_end_where_std_says() {
    for text in [
        "",
        "\n",
        "\r\n",
        "\r",
        "\n\n",
        "a",
        "a\n",
        "a\r\n",
        "a\nb",
        "a\r\nb\r\n",
        "a\n\n\nb",
        "a\rb\n",
        "a\r\r\n",
        "\u{feff}a\n",
        "ä\nö\r\nü",
        " a \n",
        "a\0b\n",
    ] {
        let expected: Vec<_> = text.as_bytes().lines().map(Result::unwrap).collect();
        assert_eq!(lines_of(text.as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn a_line_may_be_longer_than_any_buffer() {
    for length in [8190, 8191, 8192, 8193, 16383, 16384, 1_000_000] {
        let long = "x".repeat(length);
        for end in ["", "\n", "\r\n", "\nlast", "\r\nlast\r\n"] {
            let text = format!("{long}{end}");
            let expected: Vec<_> = text.lines().collect();
            assert_eq!(lines_of(text.as_bytes()), expected, "{length} and {end:?}");
        }
    }
}

#[test]
fn random_bytes_have_the_lines_that_std_finds() {
    let _alarm = alarm();
    let mut random = Random::new(seed());
    let dir = TempDir::new();
    for _ in 0..50 {
        let alphabet = [b'\n', b'\r', b'a', 0xc3, 0xa4, b'\n', b'b', b'c'];
        let bytes: Vec<u8> = (0..random.below(20_000))
            .map(|_| alphabet[random.below(alphabet.len())])
            .collect();
        let path = dir.file("random", &bytes);
        let expected: Vec<_> = bytes.lines().map(Result::ok).collect();
        let ours: Vec<_> = run(async {
            let lines = fs::lines(&path).await.unwrap();
            lines.map(Result::ok).collect().await
        });
        assert_eq!(ours, expected);
    }
}

#[test]
fn a_line_that_is_not_utf8_is_named_and_skipped() {
    let dir = TempDir::new();
    let path = dir.file("text", b"good\nbad \xff line\nmore\nend \xe2\x82");
    run(async {
        let mut lines = fs::lines(&path).await.unwrap();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "good");
        let error = lines.next_line().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(
            error.to_string(),
            "line 2 is not UTF-8: invalid utf-8 sequence of 1 bytes from index 4"
        );
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "more");
        let error = lines.next().await.unwrap().unwrap_err();
        assert!(error.to_string().starts_with("line 4 is"), "{error}");
        assert!(lines.next().await.is_none());
        assert_eq!(lines.next_line().await.unwrap(), None);
    });
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let dir = TempDir::new();
    let missing = run(fs::lines(dir.join("missing"))).map(drop);
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    let path = dir.file("write-only", "");
    let file = run(File::create(&path)).unwrap();
    let mut lines = file.lines();
    for _ in 0..2 {
        assert!(run(lines.next_line()).is_err());
    }
}

#[test]
fn lines_begin_at_the_cursor_and_go_on_when_the_file_grows() {
    let dir = TempDir::new();
    let path = dir.file("log", "skipped one\ntwo\n");
    let mut log = std::fs::File::options().append(true).open(&path).unwrap();
    run(async {
        let file = File::open(&path).await.unwrap();
        file.read_exact(&mut [0; 8]).await.unwrap();
        let mut lines = file.lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "one");
        drop(lines.next_line());
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "two");
        assert_eq!(lines.next_line().await.unwrap(), None);
        log.write_all(b"three\n").unwrap();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "three");
        assert!(format!("{lines:?}").contains("number: 3"), "{lines:?}");
    });
}

#[test]
fn lines_in_the_buffer_are_charged_to_the_budget_too() {
    let dir = TempDir::new();
    let path = dir.file("short", "x\n".repeat(1000));
    let (count, polls) = gopark::block_on(count_polls(async {
        fs::lines(&path).await.unwrap().count().await
    }));
    assert_eq!(count, 1000);
    // One unit to open, one for each line, one for the end, 128 in a poll.
    assert_eq!(polls, 1 + 1002 / 128);
}
