//! How files are opened and directories made: every combination of options, against std's.

mod fs_support;

use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use fs_support::{TempDir, error_of, outcome, run};
use gopark::fs::{DirBuilder, OpenOptions};

/// read, write, append, truncate, create, create_new: one bit each.
fn is_set(bits: u32, option: u32) -> bool {
    bits & (1 << option) != 0
}

/// What opening comes to, and then writing and reading, each with its error.
type Story = Vec<Result<Vec<u8>, (ErrorKind, Option<i32>)>>;

fn ours(bits: u32, path: &Path) -> Story {
    let mut options = OpenOptions::new();
    options
        .read(is_set(bits, 0))
        .write(is_set(bits, 1))
        .append(is_set(bits, 2))
        .truncate(is_set(bits, 3))
        .create(is_set(bits, 4))
        .create_new(is_set(bits, 5));
    run(async {
        let file = match options.open(path).await {
            Ok(file) => file,
            Err(error) => return vec![outcome(Err(error))],
        };
        let mut read = Vec::new();
        vec![
            outcome(file.write_all(b"new").await.map(|()| Vec::new())),
            outcome(file.read_to_end(&mut read).await.map(|_| read)),
        ]
    })
}

fn of_std(bits: u32, path: &Path) -> Story {
    let mut options = std::fs::OpenOptions::new();
    options
        .read(is_set(bits, 0))
        .write(is_set(bits, 1))
        .append(is_set(bits, 2))
        .truncate(is_set(bits, 3))
        .create(is_set(bits, 4))
        .create_new(is_set(bits, 5));
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) => return vec![outcome(Err(error))],
    };
    let mut read = Vec::new();
    vec![
        outcome(file.write_all(b"new").map(|()| Vec::new())),
        outcome(file.read_to_end(&mut read).map(|_| read)),
    ]
}

#[test]
fn every_combination_does_as_with_std() {
    for bits in 0..64 {
        for before in [None, Some("what was there")] {
            let dir = TempDir::new();
            let [a, b] = ["ours", "std"].map(|name| dir.join(name));
            if let Some(before) = before {
                std::fs::write(&a, before).unwrap();
                std::fs::write(&b, before).unwrap();
            }
            let setting = format!("options {bits:06b}, with {before:?}");
            assert_eq!(ours(bits, &a), of_std(bits, &b), "{setting}");
            assert_eq!(std::fs::read(&a).ok(), std::fs::read(&b).ok(), "{setting}");
        }
    }
}

#[test]
fn no_options_open_nothing() {
    let dir = TempDir::new();
    let path = dir.file("file", "");
    assert_eq!(
        error_of(OpenOptions::new().open(&path)).kind(),
        ErrorKind::InvalidInput
    );
}

#[test]
fn options_can_be_kept_cloned_and_taken_over() {
    let dir = TempDir::new();
    let path = dir.file("file", "kept");
    let mut of_std = std::fs::OpenOptions::new();
    of_std.read(true);
    let reads = OpenOptions::from(of_std);
    let mut both = reads.clone();
    both.append(true);
    for _ in 0..2 {
        let file = run(reads.open(&path)).unwrap();
        assert!(run(file.write(b"x")).is_err());
        let file = run(both.open(&path)).unwrap();
        run(file.write_all(b"x")).unwrap();
    }
    assert_eq!(std::fs::read(&path).unwrap(), b"keptxx");
    assert!(format!("{both:?}").contains("append: true"), "{both:?}");
}

#[test]
#[cfg(unix)]
fn modes_and_flags_reach_the_system() {
    use std::os::unix::fs::PermissionsExt;

    let dir = TempDir::new();
    let file = dir.join("file");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o400);
    let opened = run(options.open(&file)).unwrap();
    let mode = run(opened.metadata()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o400);

    let link = dir.join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW);
    let error = error_of(options.open(&link));
    assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
}

#[test]
fn a_directory_is_made_alone_or_with_those_above() {
    let dir = TempDir::new();
    let deep = dir.join("a/b/c");
    let one = DirBuilder::new();
    let mut all = DirBuilder::default();
    all.recursive(true);
    assert_eq!(error_of(one.create(&deep)).kind(), ErrorKind::NotFound);
    run(all.create(&deep)).unwrap();
    run(all.create(&deep)).unwrap();
    assert!(deep.is_dir());
    assert_eq!(error_of(one.create(&deep)).kind(), ErrorKind::AlreadyExists);

    let file = dir.file("file", "");
    assert_eq!(error_of(all.create(&file)).kind(), ErrorKind::AlreadyExists);
}

#[test]
#[cfg(unix)]
fn a_directory_has_the_mode_that_was_asked_for() {
    use std::os::unix::fs::PermissionsExt;

    let dir = TempDir::new();
    let path = dir.join("private");
    run(DirBuilder::new().mode(0o700).create(&path)).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
