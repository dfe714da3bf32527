//! Listing directories: every entry once, errors, and entries that are gone.

mod fs_support;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;

use fs_support::{TempDir, alarm, assert_same, count_polls, error_of, run};
use futures::{Stream, StreamExt, TryStreamExt};
use gopark::fs::{self, DirEntry};

/// The names in a directory; none may come twice.
fn names(path: &Path) -> BTreeSet<OsString> {
    run(async {
        let mut entries = fs::read_dir(path).await.unwrap();
        let mut names = BTreeSet::new();
        while let Some(entry) = entries.next_entry().await.unwrap() {
            assert_eq!(entry.path(), path.join(entry.file_name()));
            assert!(names.insert(entry.file_name()), "{entry:?} came twice");
        }
        assert!(entries.next_entry().await.unwrap().is_none());
        assert_eq!(entries.size_hint(), (0, Some(0)));
        names
    })
}

fn names_of_std(path: &Path) -> BTreeSet<OsString> {
    let entries = std::fs::read_dir(path).unwrap();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}

/// Around the size of a batch, and more than one page of the system's.
#[test]
fn every_entry_comes_once() {
    let _alarm = alarm();
    let dir = TempDir::new();
    let mut made = 0;
    for count in [0, 1, 31, 32, 33, 63, 64, 65, 1500] {
        while made < count {
            dir.file(&format!("file {made}"), "");
            made += 1;
        }
        let names = names(dir.path());
        assert_eq!(names.len(), count);
        assert_eq!(names, names_of_std(dir.path()));
    }
}

#[test]
fn a_stream_lists_the_same() {
    let dir = TempDir::new();
    for number in 0..100 {
        dir.file(&number.to_string(), "");
    }
    let names: BTreeSet<_> = run(async {
        let entries = fs::read_dir(dir.path()).await?;
        entries
            .map_ok(|entry| entry.file_name())
            .try_collect()
            .await
    })
    .unwrap();
    assert_eq!(names, names_of_std(dir.path()));
}

#[test]
fn what_is_no_directory_cannot_be_listed() {
    let dir = TempDir::new();
    let file = dir.file("file", "");
    assert_eq!(
        error_of(fs::read_dir(dir.join("no"))).kind(),
        ErrorKind::NotFound
    );
    assert_same(
        run(fs::read_dir(&file)).map(drop),
        std::fs::read_dir(&file).map(drop),
    );
    assert!(run(fs::read_dir(&file)).is_err());
}

/// The one entry of a directory.
fn only_entry(dir: &TempDir) -> DirEntry {
    let entries = run(async {
        fs::read_dir(dir.path())
            .await?
            .try_collect::<Vec<_>>()
            .await
    });
    let [entry] = <[_; 1]>::try_from(entries.unwrap()).unwrap();
    entry
}

#[test]
fn an_entry_knows_what_it_is() {
    let dir = TempDir::new();
    let file = dir.file("file", "seven b");
    let entry = only_entry(&dir);
    run(async {
        assert!(entry.file_type().await.unwrap().is_file());
        assert_eq!(entry.metadata().await.unwrap().len(), 7);
        assert!(format!("{entry:?}").contains("file"), "{entry:?}");
        std::fs::remove_file(&file).unwrap();
        let error = entry.metadata().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(entry.path(), file, "its name is known still");
    });
}

#[test]
#[cfg(unix)]
fn a_link_is_not_followed() {
    use std::os::unix::fs::MetadataExt;

    let dir = TempDir::new();
    std::os::unix::fs::symlink(std::env::temp_dir(), dir.join("link")).unwrap();
    let entry = only_entry(&dir);
    run(async {
        assert!(entry.file_type().await.unwrap().is_symlink());
        let metadata = entry.metadata().await.unwrap();
        assert!(metadata.is_symlink());
        assert_eq!(entry.ino(), metadata.ino());
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_name_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;

    let dir = TempDir::new();
    let name = std::ffi::OsStr::from_bytes(b"\xff\n\x01");
    run(fs::write(dir.join(name), "x")).unwrap();
    assert_eq!(names(dir.path()), BTreeSet::from([name.to_owned()]));
    run(fs::remove_file(dir.join(name))).unwrap();
}

/// What was read ahead is dropped with the list.
#[test]
fn a_listing_may_be_given_up() {
    let dir = TempDir::new();
    for number in 0..100 {
        dir.file(&number.to_string(), "");
    }
    run(async {
        let mut entries = fs::read_dir(dir.path()).await.unwrap();
        drop(entries.next_entry());
        entries.next_entry().await.unwrap().unwrap();
        assert_eq!(entries.size_hint(), (31, None));
        assert!(
            format!("{entries:?}").contains("read_ahead: 31"),
            "{entries:?}"
        );
        drop(entries);
        assert_eq!(fs::read_dir(dir.path()).await.unwrap().count().await, 100);
    });
}

#[test]
fn entries_that_were_read_ahead_are_charged_to_the_budget_too() {
    let dir = TempDir::new();
    for number in 0..300 {
        dir.file(&number.to_string(), "");
    }
    let (count, polls) = gopark::block_on(count_polls(async {
        fs::read_dir(dir.path()).await.unwrap().count().await
    }));
    assert_eq!(count, 300);
    // One unit to open, one for each entry, one for the end, 128 in a poll.
    assert_eq!(polls, 1 + 302 / 128);
}
