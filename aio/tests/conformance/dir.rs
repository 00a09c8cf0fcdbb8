//! rename_at, unlink_at, mkdir_at, symlink_at and link_at.

use std::fs;
use std::path::{Path, PathBuf};

use corio_aio::op::{Any, Operation, Value};
use corio_aio::{self as aio, Cause, Closing, Cwd, op};

use crate::positions;
use crate::scene::{Kept, Scene, cause, code, promises};
use crate::system::{self, Code};

promises![
    a_renamed_file_has_its_new_name_only,
    a_rename_moves_from_one_directory_to_the_other,
    a_rename_replaces_what_has_the_name,
    a_rename_that_must_not_replace_is_eexist,
    two_files_exchange_their_names,
    an_exchange_with_what_is_missing_is_enoent,
    a_rename_that_does_not_fit_tells_why,
    an_unlinked_file_is_gone,
    an_unlink_removes_directories_if_it_is_told_to,
    an_unlink_of_what_does_not_fit_tells_why,
    a_directory_is_made_with_the_mode_asked_for,
    a_mkdir_of_what_exists_is_eexist,
    a_mkdir_where_nothing_can_be_tells_why,
    a_symlink_says_its_target,
    a_symlink_that_can_not_be_tells_why,
    a_link_is_one_more_name_of_the_file,
    a_link_to_a_symlink_follows_it_if_it_is_told_to,
    a_link_that_can_not_be_tells_why,
    names_in_a_closed_directory_are_ebadf,
    names_in_what_is_no_directory_are_enotdir,
    empty_names_are_enoent,
    names_that_are_too_long_are_enametoolong,
    a_name_that_is_too_long_fails_in_its_turn,
    names_with_a_nul_are_invalid_paths_and_nothing_happens,
    an_invalid_path_fails_in_its_turn,
    what_never_starts_leaves_the_names_alone,
    names_change_in_the_order_of_their_chain,
    each_keeps_its_place_in_a_chain,
    symlinks_keep_their_place_in_a_chain,
];

/// A new file that holds its own name.
fn named(scene: &mut Scene) -> PathBuf {
    let path = scene.path();
    fs::write(&path, path.as_os_str().as_encoded_bytes()).expect("room for a file");
    path
}

fn holds(path: &Path, name: &Path) -> bool {
    fs::read(path).is_ok_and(|contents| contents == name.as_os_str().as_encoded_bytes())
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn a_renamed_file_has_its_new_name_only(scene: &mut Scene) -> Kept {
    let (old, new) = (named(scene), scene.path());
    aio::single(op::rename_at(Cwd, &old, Cwd, &new))?;
    assert!(!exists(&old) && holds(&new, &old));
    Ok(())
}

fn a_rename_moves_from_one_directory_to_the_other(scene: &mut Scene) -> Kept {
    let (one, two) = (scene.path(), scene.path());
    for dir in [&one, &two] {
        fs::create_dir(dir)?;
    }
    fs::write(one.join("old"), "contents")?;
    aio::single(op::rename_at(system::open_dir(&one), "old", &system::open_dir(&two), "new"))?;
    assert!(!exists(&one.join("old")));
    assert_eq!(fs::read_to_string(two.join("new"))?, "contents");
    Ok(())
}

fn a_rename_replaces_what_has_the_name(scene: &mut Scene) -> Kept {
    let (old, new) = (named(scene), named(scene));
    aio::single(op::rename_at(Cwd, &old, Cwd, &new))?;
    assert!(!exists(&old) && holds(&new, &old));
    Ok(())
}

fn a_rename_that_must_not_replace_is_eexist(scene: &mut Scene) -> Kept {
    let (old, new, free) = (named(scene), named(scene), scene.path());
    let rename = |to| op::rename_at(Cwd, &old, Cwd, to).no_replace();
    assert_eq!(code(aio::single(rename(&new))), Code::EEXIST);
    assert!(holds(&old, &old) && holds(&new, &new));
    aio::single(rename(&free))?;
    assert!(!exists(&old) && holds(&free, &old));
    Ok(())
}

fn two_files_exchange_their_names(scene: &mut Scene) -> Kept {
    let (one, two) = (named(scene), named(scene));
    aio::single(op::rename_at(Cwd, &one, Cwd, &two).exchange())?;
    assert!(holds(&one, &two) && holds(&two, &one));
    Ok(())
}

fn an_exchange_with_what_is_missing_is_enoent(scene: &mut Scene) -> Kept {
    let (one, missing) = (named(scene), scene.path());
    let exchange = op::rename_at(Cwd, &one, Cwd, &missing).exchange();
    assert_eq!(code(aio::single(exchange)), Code::ENOENT);
    assert!(holds(&one, &one) && !exists(&missing));
    Ok(())
}

fn a_rename_that_does_not_fit_tells_why(scene: &mut Scene) -> Kept {
    let (file, dir, full, missing) = (named(scene), scene.path(), scene.path(), scene.path());
    fs::create_dir(&dir)?;
    fs::create_dir_all(full.join("inside"))?;
    let rename = |old: &Path, new: &Path| code(aio::single(op::rename_at(Cwd, old, Cwd, new)));
    assert_eq!(rename(&missing, &file), Code::ENOENT);
    assert_eq!(rename(&file, &missing.join("inside")), Code::ENOENT);
    assert_eq!(rename(&file, &dir), Code::EISDIR);
    assert_eq!(rename(&dir, &file), Code::ENOTDIR);
    assert_eq!(rename(&dir, &full), Code::ENOTEMPTY);
    assert_eq!(rename(&full, &full.join("inside").join("itself")), Code::EINVAL);
    assert_eq!(rename(&file, Path::new("/proc/file")), Code::EXDEV);
    Ok(())
}

fn an_unlinked_file_is_gone(scene: &mut Scene) -> Kept {
    let path = named(scene);
    aio::single(op::unlink_at(Cwd, &path))?;
    assert!(!exists(&path));
    assert_eq!(fs::read_dir(scene.dir())?.count(), 0);
    Ok(())
}

fn an_unlink_removes_directories_if_it_is_told_to(scene: &mut Scene) -> Kept {
    let (path, dir) = (scene.path(), scene.open_dir());
    fs::create_dir(&path)?;
    let name = path.file_name().ok_or("a name")?;
    aio::single(op::unlink_at(&dir, name).directory())?;
    assert!(!exists(&path));
    Ok(())
}

fn an_unlink_of_what_does_not_fit_tells_why(scene: &mut Scene) -> Kept {
    let (file, full, missing) = (named(scene), scene.path(), scene.path());
    fs::create_dir_all(full.join("inside"))?;
    assert_eq!(code(aio::single(op::unlink_at(Cwd, &missing))), Code::ENOENT);
    assert_eq!(code(aio::single(op::unlink_at(Cwd, &full))), Code::EISDIR);
    assert_eq!(code(aio::single(op::unlink_at(Cwd, &file).directory())), Code::ENOTDIR);
    assert_eq!(code(aio::single(op::unlink_at(Cwd, &full).directory())), Code::ENOTEMPTY);
    assert!(exists(&file) && exists(&full));
    Ok(())
}

fn a_directory_is_made_with_the_mode_asked_for(scene: &mut Scene) -> Kept {
    let (path, dir) = (scene.path(), scene.open_dir());
    let name = path.file_name().ok_or("a name")?;
    aio::single(op::mkdir_at(&dir, name).mode(0o700))?;
    assert!(path.is_dir());
    assert_eq!(system::mode(&path.metadata()?), Some(0o700));
    Ok(())
}

fn a_mkdir_of_what_exists_is_eexist(scene: &mut Scene) -> Kept {
    let file = named(scene);
    assert_eq!(code(aio::single(op::mkdir_at(Cwd, &file))), Code::EEXIST);
    assert_eq!(code(aio::single(op::mkdir_at(Cwd, scene.dir()))), Code::EEXIST);
    Ok(())
}

fn a_mkdir_where_nothing_can_be_tells_why(scene: &mut Scene) -> Kept {
    let (file, missing) = (named(scene), scene.path());
    assert_eq!(code(aio::single(op::mkdir_at(Cwd, missing.join("inside")))), Code::ENOENT);
    assert_eq!(code(aio::single(op::mkdir_at(Cwd, file.join("inside")))), Code::ENOTDIR);
    Ok(())
}

fn a_symlink_says_its_target(scene: &mut Scene) -> Kept {
    let (file, one, two) = (named(scene), scene.path(), scene.path());
    aio::single(op::symlink_at(&file, Cwd, &one))?;
    assert!(fs::read_link(&one)? == file && holds(&one, &file));
    let (dir, name) = (scene.open_dir(), two.file_name().ok_or("a name")?);
    aio::single(op::symlink_at("what is missing", &dir, name))?;
    assert_eq!(fs::read_link(&two)?, PathBuf::from("what is missing"));
    Ok(())
}

fn a_symlink_that_can_not_be_tells_why(scene: &mut Scene) -> Kept {
    let (file, missing) = (named(scene), scene.path());
    let symlink = |target: &str, path: &Path| code(aio::single(op::symlink_at(target, Cwd, path)));
    assert_eq!(symlink("target", &file), Code::EEXIST);
    assert_eq!(symlink("target", &missing.join("inside")), Code::ENOENT);
    assert_eq!(symlink("", &missing), Code::ENOENT);
    assert!(holds(&file, &file) && !exists(&missing));
    Ok(())
}

fn a_link_is_one_more_name_of_the_file(scene: &mut Scene) -> Kept {
    let (file, one) = (named(scene), scene.path());
    aio::single(op::link_at(Cwd, &file, Cwd, &one))?;
    assert_eq!(system::inode_and_links(&one)?, (system::inode_and_links(&file)?.0, 2));
    Ok(())
}

fn a_link_to_a_symlink_follows_it_if_it_is_told_to(scene: &mut Scene) -> Kept {
    let (file, symlink) = (named(scene), scene.path());
    let (one, two) = (scene.path(), scene.path());
    system::symlink(&file, &symlink)?;
    aio::multi((
        op::link_at(Cwd, &symlink, Cwd, &one),
        op::link_at(Cwd, &symlink, Cwd, &two).follow(),
    ))?;
    let inode = |path: &Path| system::inode_and_links(path).map(|(inode, _)| inode);
    assert_eq!(inode(&one)?, inode(&symlink)?);
    assert_eq!(inode(&two)?, inode(&file)?);
    Ok(())
}

fn a_link_that_can_not_be_tells_why(scene: &mut Scene) -> Kept {
    let (file, dir, missing) = (named(scene), scene.path(), scene.path());
    fs::create_dir(&dir)?;
    let link = |old: &Path, new: &Path| code(aio::single(op::link_at(Cwd, old, Cwd, new)));
    assert_eq!(link(&missing, &dir.join("new")), Code::ENOENT);
    assert_eq!(link(&file, &dir), Code::EEXIST);
    assert_eq!(link(&dir, &missing), Code::EPERM);
    assert_eq!(link(Path::new("/proc/version"), &missing), Code::EXDEV);
    Ok(())
}

/// Each operation, on `old` and `new` in a directory.
fn each<'a>(dir: &'a Closing, old: &str, new: &str) -> [Any<'a>; 6] {
    [
        Any::new(op::rename_at(dir, old, Cwd, "/proc/new")),
        Any::new(op::rename_at(Cwd, "/proc/self/status", dir, new)),
        Any::new(op::unlink_at(dir, old)),
        Any::new(op::mkdir_at(dir, new)),
        Any::new(op::symlink_at("target", dir, new)),
        Any::new(op::link_at(dir, old, Cwd, "/proc/new")),
    ]
}

fn all_fail(ops: impl IntoIterator<Item = Any<'static>>, cause: Cause) {
    for op in ops {
        let what = format!("{op:?}");
        assert_eq!(aio::single(op).expect_err("it fails").cause(), cause, "{what}");
    }
}

fn names_in_a_closed_directory_are_ebadf(scene: &mut Scene) -> Kept {
    let dir = Closing::new(scene.open_dir());
    aio::single(op::close(&dir))?;
    for op in each(&dir, "old", "new") {
        let what = format!("{op:?}");
        assert_eq!(code(aio::single(op)), Code::EBADF, "{what}");
    }
    Ok(())
}

fn names_in_what_is_no_directory_are_enotdir(scene: &mut Scene) -> Kept {
    let file = Closing::new(scene.file(b""));
    for op in each(&file, "old", "new") {
        let what = format!("{op:?}");
        assert_eq!(code(aio::single(op)), Code::ENOTDIR, "{what}");
    }
    Ok(())
}

fn empty_names_are_enoent(scene: &mut Scene) -> Kept {
    let dir = Closing::new(scene.open_dir());
    for op in each(&dir, "", "") {
        let what = format!("{op:?}");
        assert_eq!(code(aio::single(op)), Code::ENOENT, "{what}");
    }
    Ok(())
}

fn names_that_are_too_long_are_enametoolong(scene: &mut Scene) -> Kept {
    let dir = Closing::new(scene.open_dir());
    for length in [256, 5_000] {
        let long = "n".repeat(length);
        for op in each(&dir, &long, &long).into_iter().skip(2).take(3) {
            let what = format!("{op:?}, {length}");
            assert_eq!(code(aio::single(op)), Code::ENAMETOOLONG, "{what}");
        }
    }
    Ok(())
}

fn a_name_that_is_too_long_fails_in_its_turn(scene: &mut Scene) -> Kept {
    let long = "long/".repeat(1_000);
    positions::fails(scene, || Any::new(op::mkdir_at(Cwd, &long)), Code::ENAMETOOLONG)
}

/// Each operation, with a path that is none in each of its places.
fn with_a_nul(good: &Path, free: &Path) -> [Any<'static>; 8] {
    let bad = || "a\0b";
    [
        Any::new(op::rename_at(Cwd, bad(), Cwd, free)),
        Any::new(op::rename_at(Cwd, good, Cwd, bad())),
        Any::new(op::unlink_at(Cwd, bad())),
        Any::new(op::mkdir_at(Cwd, bad())),
        Any::new(op::symlink_at(bad(), Cwd, free)),
        Any::new(op::symlink_at("target", Cwd, bad())),
        Any::new(op::link_at(Cwd, bad(), Cwd, free)),
        Any::new(op::link_at(Cwd, good, Cwd, bad())),
    ]
}

fn names_with_a_nul_are_invalid_paths_and_nothing_happens(scene: &mut Scene) -> Kept {
    let (good, free) = (named(scene), scene.path());
    all_fail(with_a_nul(&good, &free), Cause::InvalidPath);
    assert!(holds(&good, &good) && !exists(&free));
    assert_eq!(fs::read_dir(scene.dir())?.count(), 1);
    Ok(())
}

fn an_invalid_path_fails_in_its_turn(scene: &mut Scene) -> Kept {
    let bad = || Any::new(op::open_at(Cwd, "a\0b").create().write_only());
    positions::fails_with(scene, bad, Cause::InvalidPath)?;
    positions::fails(scene, || Any::new(op::open_at(Cwd, "")), Code::ENOENT)?;
    positions::fails(scene, || Any::new(op::statx(Cwd, "")), Code::ENOENT)?;
    let (good, free) = (named(scene), scene.path());
    for place in 0..with_a_nul(&good, &free).len() {
        let bad = || with_a_nul(&good, &free).into_iter().nth(place).expect("there is one");
        positions::fails_with(scene, bad, Cause::InvalidPath)?;
    }
    Ok(())
}

fn what_never_starts_leaves_the_names_alone(scene: &mut Scene) -> Kept {
    let (file, free) = (named(scene), scene.path());
    for op in [
        Any::new(op::rename_at(Cwd, &file, Cwd, &free)),
        Any::new(op::unlink_at(Cwd, &file)),
        Any::new(op::mkdir_at(Cwd, &free)),
        Any::new(op::symlink_at("target", Cwd, &free)),
        Any::new(op::link_at(Cwd, &file, Cwd, &free)),
    ] {
        positions::never_starts(scene, op)?;
        assert!(holds(&file, &file) && !exists(&free));
    }
    Ok(())
}

fn names_change_in_the_order_of_their_chain(scene: &mut Scene) -> Kept {
    let (file, dir) = (named(scene), scene.path());
    let [one, two, three] = ["one", "two", "three"].map(|name| dir.join(name));
    let (made, again, last) = aio::complete((
        op::mkdir_at(Cwd, &dir).soft(),
        op::mkdir_at(Cwd, &dir).soft(),
        op::unlink_at(Cwd, &dir).directory(),
    ))?;
    assert_eq!((made, code(again), cause(last)), (Ok(()), Code::EEXIST, Cause::Canceled));
    aio::multi((
        op::link_at(Cwd, &file, Cwd, &one).soft(),
        op::rename_at(Cwd, &one, Cwd, &two).soft(),
        op::link_at(Cwd, &two, Cwd, &three).soft(),
        op::unlink_at(Cwd, &two).soft(),
        op::unlink_at(Cwd, &three).soft(),
        op::unlink_at(Cwd, &dir).directory(),
    ))?;
    assert!(!exists(&dir));
    Ok(())
}

fn each_keeps_its_place_in_a_chain(scene: &mut Scene) -> Kept {
    let (file, base) = (named(scene), scene.path());
    fs::create_dir(&base)?;
    let mut names = (0..).map(|number| base.join(format!("{number}")));
    let mut new = || names.next().expect("they never end");
    let is_done = |value: &Value| matches!(value, Value::Done);
    positions::succeeds(scene, || Any::new(op::mkdir_at(Cwd, new())), is_done)?;
    positions::succeeds(scene, || Any::new(op::link_at(Cwd, &file, Cwd, new())), is_done)?;
    let mut made = || {
        let path = new();
        fs::write(&path, "").expect("room for a file");
        path
    };
    positions::succeeds(scene, || Any::new(op::unlink_at(Cwd, made())), is_done)?;
    let rename = || Any::new(op::rename_at(Cwd, made(), Cwd, &file));
    positions::succeeds(scene, rename, is_done)?;
    let missing = base.join("missing");
    positions::fails(scene, || Any::new(op::mkdir_at(Cwd, &file)), Code::EEXIST)?;
    positions::fails(scene, || Any::new(op::link_at(Cwd, &file, Cwd, &file)), Code::EEXIST)?;
    positions::fails(scene, || Any::new(op::unlink_at(Cwd, &missing)), Code::ENOENT)?;
    let rename = || Any::new(op::rename_at(Cwd, &missing, Cwd, &file));
    positions::fails(scene, rename, Code::ENOENT)
}

fn symlinks_keep_their_place_in_a_chain(scene: &mut Scene) -> Kept {
    let (file, base) = (named(scene), scene.path());
    fs::create_dir(&base)?;
    let mut names = (0..).map(|number| base.join(format!("{number}")));
    let mut new = || names.next().expect("they never end");
    let is_done = |value: &Value| matches!(value, Value::Done);
    positions::succeeds(scene, || Any::new(op::symlink_at("target", Cwd, new())), is_done)?;
    positions::fails(scene, || Any::new(op::symlink_at("target", Cwd, &file)), Code::EEXIST)
}
