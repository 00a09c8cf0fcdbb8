//! ftruncate, fallocate, sync_file_range, fadvise, madvise and statx.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use corio_aio::op::{Any, FileAdvice, MemoryAdvice, Operation, Stat, Value};
use corio_aio::{self as aio, Cause, Closing, Cwd, op};

use crate::positions::{self, contents};
use crate::scene::{Kept, Scene, cause, code, code_in, promises};
use crate::system::{self, Code};

promises![
    a_truncated_file_is_as_long_as_asked_for,
    a_truncate_to_the_longest_length_is_the_business_of_the_os,
    a_truncate_of_what_can_not_be_cut_tells_why,
    a_fallocate_makes_room,
    a_fallocate_can_keep_the_size,
    a_punched_hole_and_a_zeroed_range_read_as_zeros,
    a_range_is_taken_out_and_put_in,
    a_fallocate_that_can_not_be_tells_why,
    a_range_is_synced,
    a_sync_of_what_has_no_device_is_espipe,
    advice_on_a_file_changes_nothing,
    advice_on_what_takes_none_tells_why,
    advice_on_memory_changes_nothing,
    advice_on_a_part_of_a_page_is_einval,
    a_stat_tells_what_the_file_is,
    a_stat_follows_a_symlink_unless_it_is_told_not_to,
    a_stat_tells_the_times,
    a_stat_of_an_open_file_needs_no_path,
    a_stat_of_a_circle_of_symlinks_is_eloop,
    a_stat_of_a_name_that_is_too_long_is_enametoolong,
    a_stat_of_what_can_not_be_found_tells_why,
    what_never_starts_changes_nothing,
    each_keeps_its_place_in_a_chain,
];

fn a_truncated_file_is_as_long_as_asked_for(scene: &mut Scene) -> Kept {
    let file = scene.file(b"hello world");
    aio::single(op::ftruncate(&file, 5))?;
    assert_eq!(contents(&file), b"hello");
    aio::single(op::ftruncate(&file, 7))?;
    assert_eq!(contents(&file), b"hello\0\0");
    aio::single(op::ftruncate(&file, 0))?;
    assert_eq!(contents(&file), b"");
    Ok(())
}

fn a_truncate_to_the_longest_length_is_the_business_of_the_os(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abc");
    for len in [i64::MAX as u64 + 1, u64::MAX] {
        assert_eq!(code(aio::single(op::ftruncate(&file, len))), Code::EINVAL);
    }
    match aio::single(op::ftruncate(&file, i64::MAX as u64)) {
        Ok(()) => assert_eq!(file.metadata()?.len(), i64::MAX as u64),
        result => assert_eq!(code(result), Code::EFBIG),
    }
    Ok(())
}

fn a_truncate_of_what_can_not_be_cut_tells_why(scene: &mut Scene) -> Kept {
    let (path, closed, (_reader, pipe)) = (scene.path(), scene.closed(), std::io::pipe()?);
    fs::write(&path, "contents")?;
    assert_eq!(code(aio::single(op::ftruncate(&File::open(&path)?, 0))), Code::EINVAL);
    assert_eq!(code(aio::single(op::ftruncate(&pipe, 0))), Code::EINVAL);
    assert_eq!(code(aio::single(op::ftruncate(scene.open_dir(), 0))), Code::EINVAL);
    assert_eq!(code(aio::single(op::ftruncate(&closed, 0))), Code::EBADF);
    assert_eq!(fs::read_to_string(&path)?, "contents");
    Ok(())
}

fn a_fallocate_makes_room(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abc");
    aio::single(op::fallocate(&file, 0, 1 << 20))?;
    assert_eq!(file.metadata()?.len(), 1 << 20);
    assert!(system::allocated(&file.metadata()?).is_none_or(|len| len >= 1 << 20));
    assert_eq!(&contents(&file)[..4], b"abc\0");
    Ok(())
}

fn a_fallocate_can_keep_the_size(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abc");
    aio::single(op::fallocate(&file, 0, 1 << 20).keep_size())?;
    assert_eq!(contents(&file), b"abc");
    assert!(system::allocated(&file.metadata()?).is_none_or(|len| len >= 1 << 20));
    Ok(())
}

/// Not every file system can do all of it; but then it says so.
fn unless_it_can_not(result: Result<(), aio::Error>) -> Result<bool, aio::Error> {
    match result {
        Err(error) if code_in(error.cause()) == Code::EOPNOTSUPP => Ok(false),
        result => result.map(|()| true),
    }
}

fn a_punched_hole_and_a_zeroed_range_read_as_zeros(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abcdefgh");
    let mut expected = b"abcdefgh".to_vec();
    if unless_it_can_not(aio::single(op::fallocate(&file, 1, 2).punch_hole()))? {
        expected[1..3].fill(0);
    }
    assert_eq!(contents(&file), expected);
    if unless_it_can_not(aio::single(op::fallocate(&file, 6, 4).zero_range().keep_size()))? {
        expected[6..].fill(0);
    }
    assert_eq!(contents(&file), expected);
    if unless_it_can_not(aio::single(op::fallocate(&file, 6, 4).zero_range()))? {
        expected = [&expected[..6], &[0; 4]].concat();
    }
    assert_eq!(contents(&file), expected);
    Ok(())
}

fn a_range_is_taken_out_and_put_in(scene: &mut Scene) -> Kept {
    const BLOCK: usize = 1 << 16;
    let whole = [vec![1; BLOCK], vec![2; BLOCK], vec![3; BLOCK]];
    let (file, len) = (scene.file(&whole.concat()), BLOCK as u64);
    if unless_it_can_not(aio::single(op::fallocate(&file, len, len).collapse_range()))? {
        assert!(contents(&file) == [&whole[0][..], &whole[2]].concat());
        aio::single(op::fallocate(&file, len, len).insert_range())?;
        assert!(contents(&file) == [&whole[0][..], &[0; BLOCK], &whole[2]].concat());
    } else {
        assert!(contents(&file) == whole.concat());
    }
    Ok(())
}

fn a_fallocate_that_can_not_be_tells_why(scene: &mut Scene) -> Kept {
    let (file, closed, (_reader, pipe)) = (scene.file(b"abc"), scene.closed(), std::io::pipe()?);
    assert_eq!(code(aio::single(op::fallocate(&file, 0, 0))), Code::EINVAL);
    assert_eq!(code(aio::single(op::fallocate(&file, u64::MAX, 1))), Code::EINVAL);
    assert_eq!(code(aio::single(op::fallocate(&file, 0, u64::MAX))), Code::EINVAL);
    assert_eq!(code(aio::single(op::fallocate(&file, 1, i64::MAX as u64))), Code::EFBIG);
    assert_eq!(code(aio::single(op::fallocate(&closed, 0, 1))), Code::EBADF);
    assert_eq!(code(aio::single(op::fallocate(scene.read_only(), 0, 100))), Code::EBADF);
    assert_eq!(code(aio::single(op::fallocate(&pipe, 0, 1))), Code::ESPIPE);
    Ok(())
}

fn a_range_is_synced(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    aio::multi((
        op::write(&file, &[1; 1 << 16]).soft(),
        op::sync_file_range(&file).soft(),
        op::sync_file_range(&file).range(1 << 12, 1 << 12).wait_before().wait_after().soft(),
        op::sync_file_range(&file).range(0, u32::MAX).wait_after().soft(),
        op::sync_file_range(&file).range(1 << 40, 1),
    ))?;
    assert_eq!(code(aio::single(op::sync_file_range(&file).range(1 << 63, 1))), Code::EINVAL);
    Ok(())
}

fn a_sync_of_what_has_no_device_is_espipe(scene: &mut Scene) -> Kept {
    let (closed, (_reader, pipe)) = (scene.closed(), std::io::pipe()?);
    assert_eq!(code(aio::single(op::sync_file_range(&pipe))), Code::ESPIPE);
    assert_eq!(code(aio::single(op::sync_file_range(&closed))), Code::EBADF);
    Ok(())
}

const FILE_ADVICE: [FileAdvice; 6] = [
    FileAdvice::Normal,
    FileAdvice::Sequential,
    FileAdvice::Random,
    FileAdvice::NoReuse,
    FileAdvice::WillNeed,
    FileAdvice::DontNeed,
];

fn advice_on_a_file_changes_nothing(scene: &mut Scene) -> Kept {
    let file = scene.file(b"hello world");
    for advice in FILE_ADVICE {
        aio::multi((
            op::fadvise(&file, advice).soft(),
            op::fadvise(&file, advice).range(3, 5).soft(),
            op::fadvise(&file, advice).range(1 << 40, u32::MAX),
        ))?;
        assert_eq!(contents(&file), b"hello world", "{advice:?}");
    }
    Ok(())
}

fn advice_on_what_takes_none_tells_why(scene: &mut Scene) -> Kept {
    let (closed, (reader, _writer)) = (scene.closed(), std::io::pipe()?);
    for advice in FILE_ADVICE {
        assert_eq!(code(aio::single(op::fadvise(&reader, advice))), Code::ESPIPE);
        assert_eq!(code(aio::single(op::fadvise(&closed, advice))), Code::EBADF);
    }
    Ok(())
}

const PAGE: usize = 1 << 16;

/// Memory, and where in it a page starts, however large the pages are.
fn pages() -> (Vec<u8>, usize) {
    let memory = vec![7; 4 * PAGE];
    let start = memory.as_ptr().align_offset(PAGE);
    (memory, start)
}

fn advice_on_memory_changes_nothing(_: &mut Scene) -> Kept {
    let (memory, start) = pages();
    for advice in [
        MemoryAdvice::Normal,
        MemoryAdvice::Sequential,
        MemoryAdvice::Random,
        MemoryAdvice::WillNeed,
        MemoryAdvice::Cold,
        MemoryAdvice::PageOut,
        MemoryAdvice::HugePage,
        MemoryAdvice::NoHugePage,
    ] {
        for len in [0, 1, PAGE, PAGE + 1] {
            match aio::single(op::madvise(&memory[start..start + len], advice)) {
                Ok(()) => {}
                // A kernel may be built without large pages.
                result => assert_eq!(code(result), Code::EINVAL, "{advice:?}, {len}"),
            }
        }
        assert!(memory.iter().all(|byte| *byte == 7), "{advice:?}");
    }
    aio::single(op::madvise(&memory[start..start + PAGE], MemoryAdvice::WillNeed))?;
    Ok(())
}

fn advice_on_a_part_of_a_page_is_einval(_: &mut Scene) -> Kept {
    let (memory, start) = pages();
    let part = &memory[start + 1..start + PAGE];
    assert_eq!(code(aio::single(op::madvise(part, MemoryAdvice::Normal))), Code::EINVAL);
    Ok(())
}

fn stat(path: impl AsRef<std::path::Path>) -> Result<Stat, aio::Error> {
    aio::single(op::statx(Cwd, path))
}

fn a_stat_tells_what_the_file_is(scene: &mut Scene) -> Kept {
    let (path, other) = (scene.path(), scene.path());
    fs::write(&path, vec![1; 100_000])?;
    fs::hard_link(&path, other)?;
    let stat = stat(&path)?;
    assert!(stat.is_file() && !stat.is_dir() && !stat.is_symlink());
    let (inode, links) = system::inode_and_links(&path)?;
    assert_eq!((stat.size(), stat.inode()), (100_000, inode));
    assert_eq!((u64::from(stat.links()), links), (2, 2));
    let dir = aio::single(op::statx(Cwd, scene.dir()))?;
    assert!(dir.is_dir() && !dir.is_file());
    Ok(())
}

fn a_stat_follows_a_symlink_unless_it_is_told_not_to(scene: &mut Scene) -> Kept {
    let (path, link) = (scene.path(), scene.path());
    fs::write(&path, "contents")?;
    system::symlink(&path, &link)?;
    let followed = stat(&link)?;
    assert!(followed.is_file() && followed.size() == 8);
    let itself = aio::single(op::statx(Cwd, &link).no_follow())?;
    assert!(itself.is_symlink() && !itself.is_file());
    assert_eq!(itself.size(), path.as_os_str().len() as u64);
    Ok(())
}

fn a_stat_tells_the_times(scene: &mut Scene) -> Kept {
    let (path, file) = (scene.path(), scene.file(b""));
    fs::write(&path, "contents")?;
    let times = [
        SystemTime::UNIX_EPOCH - Duration::new(86_400, 500_000_000),
        SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_000),
    ];
    for (accessed, modified) in [(times[0], times[1]), (times[1], times[0])] {
        let set = fs::FileTimes::new().set_accessed(accessed).set_modified(modified);
        File::options().write(true).open(&path)?.set_times(set)?;
        let (stat, metadata) = (stat(&path)?, path.metadata()?);
        assert_eq!((stat.accessed(), stat.modified()), (accessed, modified));
        // On musl the standard library does not ask for it.
        if let Ok(created) = metadata.created() {
            assert_eq!(stat.created(), Some(created));
        }
        let changed = stat.changed().duration_since(SystemTime::UNIX_EPOCH)?;
        assert!(system::changed(&metadata).is_none_or(|expected| changed == expected));
    }
    drop(file);
    Ok(())
}

fn a_stat_of_an_open_file_needs_no_path(scene: &mut Scene) -> Kept {
    let file = scene.file(b"contents");
    assert_eq!(aio::single(op::statx(&file, "").empty_path())?.size(), 8);
    assert_eq!(code(aio::single(op::statx(&file, ""))), Code::ENOENT);
    let dir = scene.open_dir();
    assert!(aio::single(op::statx(&dir, "").empty_path())?.is_dir());
    assert!(aio::single(op::statx(&dir, "file-1"))?.is_file());
    Ok(())
}

fn a_stat_of_a_circle_of_symlinks_is_eloop(scene: &mut Scene) -> Kept {
    let circle = scene.path();
    system::symlink(&circle, &circle)?;
    assert_eq!(code(stat(&circle)), Code::ELOOP);
    Ok(())
}

fn a_stat_of_a_name_that_is_too_long_is_enametoolong(_: &mut Scene) -> Kept {
    assert_eq!(code(stat("n".repeat(256))), Code::ENAMETOOLONG);
    Ok(())
}

fn a_stat_of_what_can_not_be_found_tells_why(scene: &mut Scene) -> Kept {
    let (path, file) = (scene.path(), Closing::new(scene.file(b"")));
    assert_eq!(code(stat(&path)), Code::ENOENT);
    assert_eq!(code(stat("")), Code::ENOENT);
    assert_eq!(code(aio::single(op::statx(&file, "inside"))), Code::ENOTDIR);
    assert_eq!(cause(stat("a\0b")), Cause::InvalidPath);
    let nowhere = op::statx(&file, "a\0b").empty_path();
    assert_eq!(cause(aio::single(nowhere)), Cause::InvalidPath);
    aio::single(op::close(&file))?;
    assert_eq!(code(aio::single(op::statx(&file, "inside"))), Code::EBADF);
    assert_eq!(code(aio::single(op::statx(&file, "").empty_path())), Code::EBADF);
    Ok(())
}

fn what_never_starts_changes_nothing(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abc");
    for op in [
        Any::new(op::ftruncate(&file, 0)),
        Any::new(op::fallocate(&file, 0, 8)),
        Any::new(op::sync_file_range(&file)),
        Any::new(op::fadvise(&file, FileAdvice::WillNeed)),
        Any::new(op::madvise(Vec::new(), MemoryAdvice::Normal)),
        Any::new(op::statx(Cwd, ".")),
    ] {
        positions::never_starts(scene, op)?;
        assert_eq!(contents(&file), b"abc");
    }
    Ok(())
}

fn each_keeps_its_place_in_a_chain(scene: &mut Scene) -> Kept {
    let (file, closed, (memory, start)) = (scene.file(b"abc"), scene.closed(), pages());
    let (page, part) = (&memory[start..start + PAGE], &memory[start + 1..start + PAGE]);
    let done = |value: &Value| matches!(value, Value::Done);
    positions::succeeds(scene, || Any::new(op::ftruncate(&file, 3)), done)?;
    positions::fails(scene, || Any::new(op::ftruncate(&closed, 3)), Code::EBADF)?;
    positions::succeeds(scene, || Any::new(op::fallocate(&file, 0, 3)), done)?;
    positions::fails(scene, || Any::new(op::fallocate(&file, 0, 0)), Code::EINVAL)?;
    positions::succeeds(scene, || Any::new(op::sync_file_range(&file)), done)?;
    positions::fails(scene, || Any::new(op::sync_file_range(&closed)), Code::EBADF)?;
    let advise = |advice| Any::new(op::fadvise(&file, advice));
    positions::succeeds(scene, || advise(FileAdvice::Normal), done)?;
    positions::succeeds(scene, || advise(FileAdvice::WillNeed), done)?;
    let advise = || Any::new(op::fadvise(&closed, FileAdvice::Normal));
    positions::fails(scene, advise, Code::EBADF)?;
    let advise = |memory| Any::new(op::madvise(memory, MemoryAdvice::WillNeed));
    positions::succeeds(scene, || advise(page), done)?;
    positions::fails(scene, || advise(part), Code::EINVAL)?;
    let is_dir = |value: &Value| matches!(value, Value::Stat(stat) if stat.is_dir());
    positions::succeeds(scene, || Any::new(op::statx(Cwd, ".")), is_dir)?;
    positions::fails(scene, || Any::new(op::statx(Cwd, "missing")), Code::ENOENT)
}
