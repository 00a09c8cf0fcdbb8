//! Where handles are file descriptors: handles of the program's own, and sockets that are files.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use corio_aio::op::{self, Any, Operation, Value};
use corio_aio::{self as aio, Closing};

use crate::positions;
use crate::scene::{Kept, Scene, code, give, promises, stuff};
use crate::system::{Code, Stream};

promises![
    an_immediate_call_inside_a_call_works,
    a_close_closes_no_descriptor_but_that_of_its_handle,
    a_shared_close_closes_no_descriptor_but_that_of_its_handle,
    reads_of_a_socket_can_be_canceled,
    writes_to_a_full_socket_can_be_canceled,
    what_is_typed_is_read_like_a_file,
];

/// A handle whose descriptor is asked for by a call of its own.
struct Nested(File);

impl AsFd for Nested {
    fn as_fd(&self) -> BorrowedFd<'_> {
        aio::multi((op::nop().soft(), op::timeout(Duration::ZERO))).expect("a call inside a call");
        self.0.as_fd()
    }
}

fn an_immediate_call_inside_a_call_works(scene: &mut Scene) -> Kept {
    let file = Nested(scene.file(b""));
    let written = aio::multi((
        op::write(&file, b"one").soft(),
        op::write(&file, b"two").soft(),
        op::write(&file, b"three"),
    ))?;
    assert_eq!(written, (3, 3, 5));
    let closed = scene.closed();
    assert_eq!(code(aio::single(op::recv(&closed, &mut [0; 1]))), Code::EBADF);
    Ok(())
}

/// A handle that shares its descriptor, and gives away another one.
struct Shared(Rc<File>);

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Shared> for OwnedFd {
    fn from(_: Shared) -> OwnedFd {
        File::open(".").expect("a directory").into()
    }
}

/// Whether a file is still open after `close` was given a handle that shares it.
fn survives(
    scene: &mut Scene,
    close: impl FnOnce(Shared) -> Result<(), aio::Error>,
) -> Result<bool, std::io::Error> {
    // If it was closed behind our back, it must not be closed again.
    let file = ManuallyDrop::new(Rc::new(scene.file(b"one of a kind")));
    let length = file.metadata()?.len();
    let _ = close(Shared(Rc::clone(&file)));
    let is_open = file.metadata().is_ok_and(|found| found.is_file() && found.len() == length);
    if is_open {
        drop(ManuallyDrop::into_inner(file));
    }
    Ok(is_open)
}

fn a_close_closes_no_descriptor_but_that_of_its_handle(scene: &mut Scene) -> Kept {
    assert!(survives(scene, |shared| aio::single(op::close(shared)))?);
    Ok(())
}

fn a_shared_close_closes_no_descriptor_but_that_of_its_handle(scene: &mut Scene) -> Kept {
    assert!(survives(scene, |shared| aio::single(op::close(&Closing::new(shared))))?);
    Ok(())
}

fn reads_of_a_socket_can_be_canceled(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let read = positions::can_be_canceled(scene, op::read(ours, vec![7; 4]))?;
    assert_eq!(read.buf, [7; 4]);
    let read = positions::can_be_canceled(scene, op::read_tty(read.file, read.buf))?;
    assert_eq!(read.buf, [7; 4]);
    let read = op::readv(read.tty, [vec![7; 2], vec![7; 2]]);
    let mut read = positions::can_be_canceled(scene, read)?;
    assert_eq!(read.bufs, [[7; 2], [7; 2]]);
    give(&theirs, b"late");
    assert_eq!(aio::single(op::readv(&read.file, read.bufs.each_mut()))?, 4);
    assert_eq!(read.bufs.concat(), b"late");
    Ok(())
}

fn writes_to_a_full_socket_can_be_canceled(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    stuff(&ours, Stream::set_nonblocking)?;
    let write = positions::can_be_canceled(scene, op::write(ours, "never"))?;
    let write = op::writev(write.file, ["never", "written"]);
    let write = positions::can_be_canceled(scene, write)?;
    // To close the other waits, on WASI, until what was sent is taken.
    drop(theirs);
    drop(write);
    Ok(())
}

fn what_is_typed_is_read_like_a_file(scene: &mut Scene) -> Kept {
    let (file, closed) = (scene.file(b""), scene.closed());
    let is_end = |value: &Value| matches!(value, Value::Count(0));
    let read = || Any::new(op::read_tty(&file, Vec::new()));
    positions::succeeds(scene, read, is_end)?;
    let read = || Any::new(op::read_tty(&closed, vec![0; 4]));
    positions::fails(scene, read, Code::EBADF)
}
