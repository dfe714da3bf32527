//! Functions on paths: each does what std's does, and fails as std's does.

mod fs_support;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fs_support::{TempDir, alarm, assert_same, error_of, multi, run};
use gopark::fs;

#[test]
fn whole_files_are_read_written_and_copied() {
    let dir = TempDir::new();
    let [a, b] = ["a", "b"].map(|name| dir.join(name));
    run(async {
        fs::write(&a, "first, and longer").await.unwrap();
        fs::write(&a, b"second").await.unwrap();
        assert_eq!(fs::read(&a).await.unwrap(), b"second");
        assert_eq!(fs::read_to_string(&a).await.unwrap(), "second");
        fs::write(&b, "is replaced by the copy").await.unwrap();
        assert_eq!(fs::copy(&a, &b).await.unwrap(), 6);
        assert_eq!(std::fs::read(&b).unwrap(), b"second");
        fs::write(&a, []).await.unwrap();
        assert_eq!(fs::read(&a).await.unwrap(), []);

        let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n >> 7) as u8).collect();
        fs::write(&a, &large).await.unwrap();
        assert!(fs::read(&a).await.unwrap() == large);
        assert_eq!(fs::copy(&a, &b).await.unwrap(), 3_000_000);
        assert!(std::fs::read(&b).unwrap() == large);
    });
    std::fs::write(&a, b"\xff").unwrap();
    let error = error_of(fs::read_to_string(&a));
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[test]
fn names_are_changed_added_and_removed() {
    let dir = TempDir::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| dir.join(name));
    run(async {
        fs::write(&a, "of a").await.unwrap();
        fs::write(&b, "of b").await.unwrap();
        fs::rename(&a, &b).await.unwrap();
        assert!(!a.exists());
        assert_eq!(std::fs::read(&b).unwrap(), b"of a");
        fs::hard_link(&b, &c).await.unwrap();
        fs::write(&c, "of both").await.unwrap();
        assert_eq!(std::fs::read(&b).unwrap(), b"of both");
        fs::remove_file(&b).await.unwrap();
        assert_eq!(std::fs::read(&c).unwrap(), b"of both");
        let error = fs::hard_link(&c, &c).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    });
}

#[test]
fn directories_are_made_and_removed() {
    let dir = TempDir::new();
    let [one, deep] = ["one", "a/b/c"].map(|name| dir.join(name));
    run(async {
        fs::create_dir(&one).await.unwrap();
        fs::create_dir_all(&deep).await.unwrap();
        fs::create_dir_all(&deep).await.unwrap();
        assert!(one.is_dir() && deep.is_dir());
        fs::remove_dir(&one).await.unwrap();
        assert!(!one.exists());
        let top = dir.join("a");
        let error = fs::remove_dir(&top).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
        fs::write(deep.join("file"), "x").await.unwrap();
        fs::remove_dir_all(&top).await.unwrap();
        assert!(!top.exists());
    });
}

#[test]
fn what_the_system_knows_is_what_it_tells_std() {
    let dir = TempDir::new();
    let file = dir.file("file", "four");
    run(async {
        let metadata = fs::metadata(&file).await.unwrap();
        assert_eq!((metadata.len(), metadata.is_file()), (4, true));
        assert!(fs::metadata(dir.path()).await.unwrap().is_dir());
        assert!(fs::try_exists(&file).await.unwrap());
        assert!(!fs::try_exists(dir.join("no")).await.unwrap());
        assert_same(
            fs::try_exists(file.join("below a file")).await,
            std::fs::exists(file.join("below a file")),
        );

        let mut permissions = metadata.permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&file, permissions.clone())
            .await
            .unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions(), permissions);
        fs::set_permissions(&file, metadata.permissions())
            .await
            .unwrap();

        let roundabout = dir.join("./file/../file");
        assert_same(
            fs::canonicalize(&roundabout).await,
            std::fs::canonicalize(&roundabout),
        );
        let roundabout = dir.join("./././file");
        assert_eq!(fs::canonicalize(&roundabout).await.unwrap(), file);
    });
}

#[test]
#[cfg(unix)]
fn symbolic_links_are_made_read_and_followed() {
    let dir = TempDir::new();
    let [target, link, broken] = ["target", "link", "broken"].map(|name| dir.join(name));
    run(async {
        fs::write(&target, "found").await.unwrap();
        fs::symlink("target", &link).await.unwrap();
        fs::symlink("nowhere", &broken).await.unwrap();
        assert_eq!(fs::read(&link).await.unwrap(), b"found");
        assert_eq!(fs::read_link(&link).await.unwrap(), Path::new("target"));
        assert_eq!(fs::canonicalize(&link).await.unwrap(), target);
        assert!(fs::metadata(&link).await.unwrap().is_file());
        assert!(fs::symlink_metadata(&link).await.unwrap().is_symlink());
        assert!(!fs::try_exists(&broken).await.unwrap());
        assert!(fs::symlink_metadata(&broken).await.is_ok());
        fs::remove_file(&link).await.unwrap();
        assert!(target.exists());
        let error = fs::read_link(&target).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
#[cfg(unix)]
fn removing_a_tree_does_not_follow_links_out_of_it() {
    let (dir, outside) = (TempDir::new(), TempDir::new());
    let kept = outside.file("kept", "x");
    let tree = dir.join("tree");
    run(async {
        fs::create_dir(&tree).await.unwrap();
        fs::symlink(outside.path(), tree.join("link"))
            .await
            .unwrap();
        fs::remove_dir_all(&tree).await.unwrap();
    });
    assert!(kept.exists() && !tree.exists());
}

/// For each function a path, or two, for which it cannot succeed.
#[test]
fn failures_are_those_of_std() {
    let dir = TempDir::new();
    let file = dir.file("file", "x");
    let missing = dir.join("missing");
    let below_missing = missing.join("below");
    let below_file = file.join("below");
    let nul = PathBuf::from("a\0b");
    let permissions = std::fs::metadata(&file).unwrap().permissions();

    for path in [&missing, &below_missing, &below_file, &nul] {
        assert_same(run(fs::read(path)), std::fs::read(path));
        assert_same(run(fs::read_to_string(path)), std::fs::read_to_string(path));
        assert_same(run(fs::remove_file(path)), std::fs::remove_file(path));
        assert_same(run(fs::remove_dir(path)), std::fs::remove_dir(path));
        assert_same(run(fs::remove_dir_all(path)), std::fs::remove_dir_all(path));
        assert_same(run(fs::canonicalize(path)), std::fs::canonicalize(path));
        assert_same(run(fs::read_link(path)), std::fs::read_link(path));
        assert_same(run(fs::rename(path, &file)), std::fs::rename(path, &file));
        assert_same(run(fs::copy(path, &file)), std::fs::copy(path, &file));
        assert_same(
            run(fs::hard_link(path, dir.join("link"))),
            std::fs::hard_link(path, dir.join("link")),
        );
        assert_same(
            run(fs::metadata(path)).map(drop),
            std::fs::metadata(path).map(drop),
        );
        assert_same(
            run(fs::symlink_metadata(path)).map(drop),
            std::fs::symlink_metadata(path).map(drop),
        );
        assert_same(
            run(fs::set_permissions(path, permissions.clone())),
            std::fs::set_permissions(path, permissions.clone()),
        );
        assert_same(run(fs::try_exists(path)), std::fs::exists(path));
    }
    for path in [&below_missing, &below_file, &nul, &dir.path().into()] {
        assert_same(run(fs::write(path, "x")), std::fs::write(path, "x"));
        assert_same(run(fs::create_dir(path)), std::fs::create_dir(path));
        assert_same(run(fs::copy(&file, path)), std::fs::copy(&file, path));
    }
    for path in [&below_file, &nul, &file] {
        assert_same(run(fs::create_dir_all(path)), std::fs::create_dir_all(path));
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"x", "nothing touched it");
}

/// Paths and contents may be borrowed, and may be of any kind that std takes.
#[test]
fn functions_run_in_tasks_with_owned_arguments_too() {
    let _alarm = alarm();
    let dir = TempDir::new();
    let path = dir.join("file").to_str().unwrap().to_owned();
    multi(2).block_on(async {
        let written = gopark::spawn(fs::write(path.clone(), vec![b'x'; 3]));
        written.await.unwrap().unwrap();
        let read = gopark::spawn(fs::read_to_string(path.clone()));
        assert_eq!(read.await.unwrap().unwrap(), "xxx");
        fs::remove_file(path.as_str()).await.unwrap();
    });
}
