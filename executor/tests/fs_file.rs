//! An open file: its bytes, its cursor, its length, what the system knows of it, and what goes wrong.

mod fs_support;

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::time::{Duration, SystemTime};

use fs_support::{Random, TempDir, alarm, assert_same, error_of, outcome, run, seed};
use gopark::fs::{File, FileTimes};

/// A file that is open for everything, with std's handle to another one of the same contents.
fn pair(dir: &TempDir, contents: &[u8]) -> (File, std::fs::File) {
    let open = |name| {
        let path = dir.file(name, contents);
        let mut options = std::fs::File::options();
        options.read(true).write(true).open(path).unwrap()
    };
    (File::from_std(open("ours")), open("std"))
}

#[test]
fn what_is_written_can_be_read_by_us_and_by_std() {
    let dir = TempDir::new();
    let path = dir.join("file");
    run(async {
        let file = File::create(&path).await.unwrap();
        file.write_all(b"Hello, ").await.unwrap();
        assert_eq!(file.write(b"world").await.unwrap(), 5);
        file.flush().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"Hello, world");

        let file = File::open(&path).await.unwrap();
        let mut hello = [0; 5];
        file.read_exact(&mut hello).await.unwrap();
        assert_eq!(&hello, b"Hello");
        let mut rest = b"kept ".to_vec();
        assert_eq!(file.read_to_end(&mut rest).await.unwrap(), 7);
        assert_eq!(rest, b"kept , world");
        assert_eq!(file.read(&mut hello).await.unwrap(), 0, "at the end");
    });
}

#[test]
fn an_empty_file_is_at_its_end() {
    let dir = TempDir::new();
    let path = dir.file("empty", "");
    run(async {
        let file = File::open(&path).await.unwrap();
        let (mut bytes, mut text) = (Vec::new(), String::new());
        assert_eq!(file.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(file.read_to_end(&mut bytes).await.unwrap(), 0);
        assert_eq!(file.read_to_string(&mut text).await.unwrap(), 0);
        file.read_exact(&mut []).await.unwrap();
        assert_eq!(file.read_at(&mut [0; 8], 0).await.unwrap(), 0);
        assert_eq!(file.read_at(&mut [0; 8], 100).await.unwrap(), 0);
        assert_eq!(file.metadata().await.unwrap().len(), 0);
        let error = file.read_exact(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn errors_are_those_of_the_system() {
    let dir = TempDir::new();
    let missing = dir.join("missing");
    let exists = dir.file("exists", "x");
    let below_a_file = exists.join("below");

    let error = error_of(File::open(&missing));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let of_std = std::fs::File::open(&missing).unwrap_err();
    assert_eq!(error.raw_os_error(), of_std.raw_os_error());
    assert_eq!(error.to_string(), of_std.to_string());

    let error = error_of(File::create_new(&exists));
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&exists).unwrap(), b"x", "it was not emptied");

    for path in [&below_a_file, &dir.path().to_path_buf()] {
        assert_same(
            run(File::create(path)).map(drop),
            std::fs::File::create(path).map(drop),
        );
    }
    // Whether a directory can be opened differs between systems; to read it as a file cannot succeed.
    assert_same(
        run(async {
            let file = File::open(dir.path()).await?;
            file.read(&mut [0; 8]).await
        }),
        std::fs::File::open(dir.path()).and_then(|mut file| file.read(&mut [0; 8])),
    );
}

#[test]
fn a_file_is_read_or_written_only_if_it_was_opened_for_that() {
    let dir = TempDir::new();
    let path = dir.file("file", "x");
    let reads = run(File::open(&path)).unwrap();
    let of_std = std::fs::File::open(&path).unwrap();
    assert_same(run(reads.write(b"y")), (&of_std).write(b"y"));
    assert_same(run(reads.set_len(0)), of_std.set_len(0));
    let writes = run(File::create(&path)).unwrap();
    let of_std = std::fs::File::create(&path).unwrap();
    assert_same(run(writes.read(&mut [0; 1])), (&of_std).read(&mut [0; 1]));
    assert!(run(writes.read(&mut [0; 1])).is_err());
}

/// As root everything is permitted, and then to std too.
#[test]
#[cfg(unix)]
fn permissions_are_obeyed_and_can_be_changed() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    let dir = TempDir::new();
    let path = dir.file("file", "secret");
    run(async {
        let file = File::open(&path).await.unwrap();
        file.set_permissions(Permissions::from_mode(0o000))
            .await
            .unwrap();
        let mode = file.metadata().await.unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o000);
    });
    assert_same(
        run(File::open(&path)).map(drop),
        std::fs::File::open(&path).map(drop),
    );
}

#[test]
fn positioned_operations_leave_the_cursor_alone() {
    let dir = TempDir::new();
    let (file, _) = pair(&dir, b"0123456789");
    run(async {
        file.seek(SeekFrom::Start(4)).await.unwrap();
        let mut buf = [0; 3];
        assert_eq!(file.read_at(&mut buf, 8).await.unwrap(), 2);
        assert_eq!(&buf[..2], b"89");
        file.read_exact_at(&mut buf, 1).await.unwrap();
        assert_eq!(&buf, b"123");
        assert_eq!(file.write_at(b"AB", 0).await.unwrap(), 2);
        file.write_all_at(b"YZ", 12).await.unwrap();
        if cfg!(unix) {
            assert_eq!(file.stream_position().await.unwrap(), 4);
        }
        file.rewind().await.unwrap();
        let mut all = Vec::new();
        file.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"AB23456789\0\0YZ");

        let error = file.read_exact_at(&mut [0; 10], 8).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(
            error.to_string(),
            "the file ends 4 bytes before the end of the buffer"
        );
        file.read_exact_at(&mut [], 1000).await.unwrap();
        file.write_all_at(&[], 1000).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 14);
    });
}

#[test]
fn several_buffers_are_filled_and_written_in_order() {
    let dir = TempDir::new();
    let (file, _) = pair(&dir, b"");
    run(async {
        let parts = [&b"one"[..], b"", b"two", b"three"].map(IoSlice::new);
        assert_eq!(file.write_vectored(&parts).await.unwrap(), 11);
        file.rewind().await.unwrap();
        let (mut a, mut b, mut c) = ([0; 4], [0; 0], [0; 20]);
        let mut bufs = [&mut a[..], &mut b, &mut c].map(IoSliceMut::new);
        assert_eq!(file.read_vectored(&mut bufs).await.unwrap(), 11);
        assert_eq!((&a, &c[..7]), (b"onet", &b"wothree"[..]));
        assert_eq!(file.write_vectored(&[]).await.unwrap(), 0);
        assert_eq!(file.read_vectored(&mut []).await.unwrap(), 0);
    });
}

/// Sparse: it takes a few blocks of the disk.
#[test]
fn a_file_may_be_longer_than_four_gibibytes() {
    const END: u64 = (5 << 30) + 3;
    let dir = TempDir::new();
    let (file, _) = pair(&dir, b"");
    run(async {
        file.set_len(END).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), END);
        file.write_all_at(b"far", 1 << 32).await.unwrap();
        let mut far = [7; 5];
        file.read_exact_at(&mut far, (1 << 32) - 1).await.unwrap();
        assert_eq!(&far, b"\0far\0");
        assert_eq!(file.seek(SeekFrom::End(-3)).await.unwrap(), END - 3);
        assert_eq!(file.read(&mut [0; 8]).await.unwrap(), 3);
        assert_eq!(file.stream_position().await.unwrap(), END);
        file.write_all(b"x").await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), END + 1);
    });
}

#[test]
fn the_cursor_stays_when_the_length_changes() {
    let dir = TempDir::new();
    let (file, _) = pair(&dir, b"0123456789");
    run(async {
        file.seek(SeekFrom::End(0)).await.unwrap();
        file.set_len(2).await.unwrap();
        assert_eq!(file.stream_position().await.unwrap(), 10);
        file.write_all(b"x").await.unwrap();
        let mut all = Vec::new();
        file.rewind().await.unwrap();
        file.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"01\0\0\0\0\0\0\0\0x");
        let error = file.seek(SeekFrom::Current(-12)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(file.stream_position().await.unwrap(), 11);
    });
}

#[test]
fn text_that_is_not_utf8_is_refused_and_changes_nothing() {
    let dir = TempDir::new();
    let (file, _) = pair(&dir, b"good \xff bad");
    let mut text = String::from("before");
    let error = error_of(file.read_to_string(&mut text));
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("UTF-8"), "{error}");
    assert_eq!(text, "before");
}

#[test]
fn times_and_syncs_reach_the_system() {
    let dir = TempDir::new();
    let (file, _) = pair(&dir, b"x");
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    run(async {
        let times = FileTimes::new().set_accessed(at(1)).set_modified(at(2));
        file.set_times(times).await.unwrap();
        let metadata = file.metadata().await.unwrap();
        assert_eq!(metadata.accessed().unwrap(), at(1));
        assert_eq!(metadata.modified().unwrap(), at(2));
        file.set_modified(at(3)).await.unwrap();
        let modified = std::fs::metadata(dir.join("ours")).unwrap().modified();
        assert_eq!(modified.unwrap(), at(3));
        file.sync_data().await.unwrap();
        file.sync_all().await.unwrap();
    });
}

#[test]
fn a_clone_shares_the_cursor_and_another_opening_does_not() {
    let dir = TempDir::new();
    let (file, _) = pair(&dir, b"0123456789");
    run(async {
        let clone = file.try_clone().await.unwrap();
        let other = File::open(dir.join("ours")).await.unwrap();
        file.read_exact(&mut [0; 3]).await.unwrap();
        drop(file);
        assert_eq!(clone.stream_position().await.unwrap(), 3);
        assert_eq!(other.stream_position().await.unwrap(), 0);
    });
}

#[test]
fn a_future_that_is_dropped_unpolled_has_done_nothing() {
    let dir = TempDir::new();
    let (file, _) = pair(&dir, b"0123456789");
    let new = dir.join("new");
    drop(File::create(&new));
    drop(file.write_all(b"xxx"));
    drop(file.set_len(0));
    drop(file.seek(SeekFrom::End(0)));
    assert!(!new.exists());
    assert_eq!(run(file.stream_position()).unwrap(), 0);
    assert_eq!(std::fs::read(dir.join("ours")).unwrap(), b"0123456789");
}

/// Any descriptor can be a file, also of what has no cursor; that of a socket, say, which `std` can make.
#[test]
#[cfg(unix)]
fn what_has_no_positions_says_so_and_ends_with_its_writer() {
    let _alarm = alarm();
    let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
    let reader = File::from(std::os::fd::OwnedFd::from(reader));
    let writer = File::from(std::os::fd::OwnedFd::from(writer));
    run(async {
        writer.write_all(b"through").await.unwrap();
        for error in [
            reader.seek(SeekFrom::Start(0)).await.unwrap_err(),
            reader.read_at(&mut [0; 1], 0).await.unwrap_err(),
            writer.write_at(b"x", 0).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotSeekable);
        }
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "through");
    });
}

/// The same operations on our file, on std's, and on a vector.
#[test]
fn random_operations_do_as_std_and_as_a_vector() {
    let _alarm = alarm();
    let mut random = Random::new(seed());
    for _ in 0..20 {
        let dir = TempDir::new();
        let (ours, mut std) = pair(&dir, b"");
        let (mut model, mut cursor) = (Vec::<u8>::new(), 0);
        for _ in 0..200 {
            let length = random.below(300);
            let offset = random.below(2000);
            let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            let mut buf = vec![0; length];
            match random.below(8) {
                0 | 1 => {
                    assert_eq!(run(ours.write(&bytes)).unwrap(), length);
                    std.write_all(&bytes).unwrap();
                    put(&mut model, cursor, &bytes);
                    cursor += length;
                }
                2 => {
                    run(ours.write_all_at(&bytes, offset as u64)).unwrap();
                    std.seek(SeekFrom::Start(offset as u64)).unwrap();
                    std.write_all(&bytes).unwrap();
                    std.seek(SeekFrom::Start(cursor as u64)).unwrap();
                    put(&mut model, offset, &bytes);
                }
                3 | 4 => {
                    let n = run(ours.read(&mut buf)).unwrap();
                    assert_eq!(buf[..n], *get(&model, cursor, length));
                    assert_same(Ok(n), std.read(&mut buf));
                    cursor += n;
                }
                5 => {
                    let expected = get(&model, offset, length);
                    let outcome = outcome(run(ours.read_exact_at(&mut buf, offset as u64)));
                    assert_eq!(outcome.is_ok(), expected.len() == length);
                    assert_eq!(buf[..expected.len()], *expected);
                }
                6 => {
                    cursor = offset;
                    let to = SeekFrom::End(offset as i64 - model.len() as i64);
                    assert_same(run(ours.seek(to)), std.seek(to));
                }
                _ => {
                    run(ours.set_len(offset as u64)).unwrap();
                    std.set_len(offset as u64).unwrap();
                    model.resize(offset, 0);
                }
            }
            assert_same(run(ours.stream_position()), Ok(cursor as u64));
        }
        assert_eq!(std::fs::read(dir.join("ours")).unwrap(), model);
        assert_eq!(std::fs::read(dir.join("std")).unwrap(), model);
    }
}

/// Writes as a file does: a gap is filled with zeros, and no bytes fill no gap.
fn put(model: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if !bytes.is_empty() {
        model.resize(model.len().max(at + bytes.len()), 0);
        model[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// At most `length` bytes from `at` on.
fn get(model: &[u8], at: usize, length: usize) -> &[u8] {
    let rest = model.get(at..).unwrap_or_default();
    &rest[..rest.len().min(length)]
}
