//! Files: those of std, those of ours, and those that are for operations alone.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom};

use corio_aio::op::{self, Operation};
use corio_aio::{self as aio, Cwd};

#[test]
fn a_file_of_ours_and_one_of_std_are_read_and_written_alike() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file");
    let ours = op::open_at(Cwd, &path).read_write().create();
    let plain = aio::single(ours).expect("a file");
    let ours = op::open_at(Cwd, &path).read_write().overlapped();
    let alone = aio::single(ours).expect("the same");
    let theirs = OpenOptions::new().read(true).write(true).open(&path).expect("the same");
    let files = [(plain, "contents"), (alone, "CONTENTS"), (theirs, "Contents")];
    for (mut file, contents) in files {
        let mut buf = [0; 8];
        let (_, n) =
            aio::multi((op::write(&file, contents).soft(), op::read(&file, &mut buf).at(2)))
                .expect("a file");
        assert_eq!(&buf[..n], &contents.as_bytes()[2..]);
        assert_eq!(file.stream_position().expect("a position"), 8);
        assert_eq!(aio::single(op::read(&file, &mut buf)).expect("the end"), 0);
        file.seek(SeekFrom::Start(6)).expect("a position");
        assert_eq!(aio::single(op::read(&file, &mut buf)).expect("the rest"), 2);
        assert_eq!(&buf[..2], &contents.as_bytes()[6..]);
    }
}

#[test]
fn reads_of_a_files_own_position_come_one_after_the_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file");
    fs::write(&path, "abcdef").expect("a file");
    let file = aio::single(op::open_at(Cwd, &path).overlapped()).expect("a file");
    let (mut a, mut b, mut c) = ([0; 2], [0; 2], [0; 2]);
    aio::multi((op::read(&file, &mut a), op::read(&file, &mut b), op::read(&file, &mut c)))
        .expect("all of it");
    assert_eq!((&a, &b, &c), (b"ab", b"cd", b"ef"));
}

#[test]
fn what_is_appended_goes_to_the_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file");
    fs::write(&path, "start").expect("a file");
    let open = || op::open_at(Cwd, &path).write_only().append();
    for file in [open(), open().overlapped()] {
        let mut file = aio::single(file).expect("a file");
        aio::multi((op::write(&file, "+one").soft(), op::write(&file, "+two"))).expect("written");
        let contents = fs::read_to_string(&path).expect("a file");
        assert!(contents.starts_with("start+one+two"));
        assert_eq!(file.stream_position().expect("a position"), contents.len() as u64);
    }
    assert_eq!(fs::read_to_string(&path).expect("a file"), "start+one+two+one+two");
}

#[test]
fn several_buffers_are_one_transfer() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file");
    let open = || op::open_at(Cwd, &path).read_write().create();
    for file in [open(), open().overlapped()] {
        let file = aio::single(file).expect("a file");
        let (mut a, mut b) = ([0; 3], [0; 8]);
        let (_, n) = aio::multi((
            op::writev(&file, ["hello", " ", "you"]).soft(),
            op::readv(&file, [&mut a[..], &mut b[..]]).at(1),
        ))
        .expect("a file");
        assert_eq!((n, &a, &b[..5]), (8, b"ell", b"o you".as_slice()));
    }
}

#[test]
fn names_are_looked_up_from_a_directory_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = aio::single(op::open_at(Cwd, dir.path()).directory()).expect("the directory");
    aio::single(op::mkdir_at(&at, "sub")).expect("a directory");
    let file =
        aio::single(op::open_at(&at, "sub/../sub/file").write_only().create()).expect("a file");
    aio::single(op::write(&file, "hey")).expect("written");
    drop(file);
    aio::single(op::rename_at(&at, "sub/file", &at, "moved")).expect("renamed");
    assert_eq!(fs::read(dir.path().join("moved")).expect("a file"), b"hey");
    let stat = aio::single(op::statx(&at, "moved")).expect("a file");
    assert!(stat.is_file() && stat.size() == 3);
    aio::single(op::link_at(&at, "moved", &at, "linked")).expect("linked");
    assert_eq!(aio::single(op::statx(&at, "linked")).expect("a file").links(), 2);
    aio::single(op::unlink_at(&at, "moved")).expect("removed");
    aio::single(op::unlink_at(&at, "sub").directory()).expect("removed");
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1);
    let error = aio::single(op::unlink_at(&at, "moved")).expect_err("gone");
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}
