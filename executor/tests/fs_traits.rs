//! Files where others expect the traits of `futures`, descriptors, or files of std.

mod fs_support;

use std::io::{IoSlice, IoSliceMut, Read, SeekFrom};

use fs_support::{TempDir, alarm, current, run};
use futures::io::{AsyncBufReadExt, BufReader, BufWriter};
use futures::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt, TryStreamExt};
use gopark::fs::{self, File, OpenOptions};
use gopark::net::{TcpListener, TcpStream};

async fn open_both_ways(dir: &TempDir, contents: &str) -> File {
    let path = dir.file("file", contents);
    let mut options = OpenOptions::new();
    options.read(true).write(true).open(path).await.unwrap()
}

/// All that the traits can do, with whatever implements them.
async fn exercise(mut file: impl AsyncRead + AsyncWrite + futures::AsyncSeek + Unpin) {
    AsyncWriteExt::write_all(&mut file, b"hello").await.unwrap();
    let parts = [&b", "[..], b"world"].map(IoSlice::new);
    assert_eq!(
        AsyncWriteExt::write_vectored(&mut file, &parts)
            .await
            .unwrap(),
        7
    );
    AsyncWriteExt::flush(&mut file).await.unwrap();
    assert_eq!(
        AsyncSeekExt::seek(&mut file, SeekFrom::Start(3))
            .await
            .unwrap(),
        3
    );
    let mut lo = [0; 2];
    AsyncReadExt::read_exact(&mut file, &mut lo).await.unwrap();
    assert_eq!(&lo, b"lo");
    let (mut a, mut b) = ([0; 2], [0; 20]);
    let mut bufs = [&mut a[..], &mut b].map(IoSliceMut::new);
    assert_eq!(
        AsyncReadExt::read_vectored(&mut file, &mut bufs)
            .await
            .unwrap(),
        7
    );
    assert_eq!((&a, &b[..5]), (b", ", &b"world"[..]));
    assert!(
        AsyncSeekExt::seek(&mut file, SeekFrom::End(-99))
            .await
            .is_err()
    );
    file.close().await.unwrap();
}

#[test]
fn a_file_and_a_reference_to_it_have_the_traits() {
    let dir = TempDir::new();
    run(async {
        let file = open_both_ways(&dir, "").await;
        exercise(&file).await;
        // Closing by reference has closed nothing.
        assert_eq!(file.metadata().await.unwrap().len(), 12);
        let file = open_both_ways(&dir, "").await;
        exercise(file).await;
        assert_eq!(std::fs::read(dir.join("file")).unwrap(), b"hello, world");
    });
}

#[test]
fn bytes_are_copied_between_files() {
    let dir = TempDir::new();
    let text = "all that is in it\n".repeat(10_000);
    run(async {
        let from = open_both_ways(&dir, &text).await;
        let to = File::create(dir.join("copy")).await.unwrap();
        let copied = futures::io::copy(&from, &mut &to).await.unwrap();
        assert_eq!(copied, text.len() as u64);
        assert_eq!(fs::read_to_string(dir.join("copy")).await.unwrap(), text);
    });
}

#[test]
fn bytes_are_copied_between_a_file_and_a_socket() {
    let _alarm = alarm();
    let dir = TempDir::new();
    let text = "through the wire\n".repeat(10_000);
    current().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let file = open_both_ways(&dir, &text).await;
        let sends = gopark::spawn(async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            futures::io::copy(file, &mut socket).await.unwrap();
            socket.close().await.unwrap();
        });
        let (socket, _) = listener.accept().await.unwrap();
        let mut copy = File::create(dir.join("copy")).await.unwrap();
        futures::io::copy(socket, &mut copy).await.unwrap();
        sends.await.unwrap();
    });
    assert_eq!(std::fs::read_to_string(dir.join("copy")).unwrap(), text);
}

#[test]
fn buffers_of_futures_work_on_files() {
    let dir = TempDir::new();
    run(async {
        let mut writer = BufWriter::new(open_both_ways(&dir, "").await);
        for number in 0..1000 {
            let line = format!("{number}\n");
            writer.write_all(line.as_bytes()).await.unwrap();
        }
        writer.close().await.unwrap();
        let reader = BufReader::new(File::open(dir.join("file")).await.unwrap());
        let lines: Vec<_> = reader.lines().try_collect().await.unwrap();
        assert_eq!(lines, (0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
    });
}

#[test]
fn a_file_of_std_is_taken_over_and_given_back_with_its_cursor() {
    let dir = TempDir::new();
    let mut of_std = std::fs::File::open(dir.file("file", "0123456789")).unwrap();
    of_std.read_exact(&mut [0; 2]).unwrap();
    run(async {
        let file = File::from_std(of_std);
        file.read_exact(&mut [0; 2]).await.unwrap();
        let file = File::from(file.into_std().await);
        file.read_exact(&mut [0; 2]).await.unwrap();
        let file = File::from(file.try_into_std().unwrap());
        assert_eq!(file.as_ref().metadata().unwrap().len(), 10);
        let mut of_std = std::fs::File::from(file);
        let mut rest = String::new();
        of_std.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "6789");
    });
}

#[test]
#[cfg(unix)]
fn a_file_is_a_descriptor() {
    use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};

    let dir = TempDir::new();
    run(async {
        let file = open_both_ways(&dir, "x").await;
        let number = file.as_raw_fd();
        assert_eq!(file.as_fd().as_raw_fd(), number);
        assert!(
            format!("{file:?}").contains(&number.to_string()),
            "{file:?}"
        );
        let owned = OwnedFd::from(file);
        assert_eq!(owned.as_raw_fd(), number);
        let file = File::from(owned);
        assert_eq!(file.metadata().await.unwrap().len(), 1);
        assert_eq!(file.into_raw_fd(), number);
    });
}

#[test]
fn everything_can_be_sent_to_another_thread_and_shared() {
    fn shared<T: Send + Sync + Unpin + 'static>() {}
    fn sent<T: Send>(_: T) {}

    shared::<File>();
    shared::<OpenOptions>();
    shared::<fs::DirBuilder>();
    shared::<fs::ReadDir>();
    shared::<fs::DirEntry>();
    shared::<fs::Lines>();

    let dir = TempDir::new();
    run(async {
        let file = open_both_ways(&dir, "").await;
        let (mut buf, mut out) = ([0; 8], Vec::new());
        sent(file.read(&mut buf));
        sent(file.read_to_end(&mut out));
        sent(file.write_all_at(&buf, 0));
        sent(file.metadata());
        sent(fs::read_dir("a"));
        sent(fs::copy("a", String::from("b")));
        let mut lines = file.lines();
        sent(lines.next_line());
    });
}
