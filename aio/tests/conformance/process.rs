//! child_exit and wait_id.

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use corio_aio::op::{Any, ChildState, Value, WaitId};
use corio_aio::{self as aio, Cause, Mode, OpKind, op};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::file::without_descriptors;
use crate::positions;
use crate::scene::{Kept, Scene, cause, code, promises};

promises![
    a_child_tells_how_it_ended,
    a_child_that_is_owned_is_waited_for,
    a_child_exit_waits_for_the_end,
    a_child_that_was_waited_for_tells_its_status_again,
    a_child_exit_works_in_each_place_of_a_chain,
    a_child_exit_without_descriptors_left_is_emfile,
    a_child_that_somebody_else_waited_for_is_echild,
    a_child_exit_that_is_canceled_leaves_the_child_to_be_waited_for,
    many_children_are_waited_for_at_once,
    a_wait_tells_how_a_process_ended,
    a_wait_tells_that_a_process_stopped_and_goes_on,
    a_wait_that_keeps_the_process_leaves_it_to_be_waited_for,
    a_wait_for_what_is_no_child_is_an_error,
    a_wait_works_and_fails_in_each_place_of_a_chain,
    a_wait_can_be_canceled,
];

fn shell(script: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::piped()).spawn().expect("a shell")
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id() as i32).expect("a number")
}

fn pidfd(child: &Child) -> OwnedFd {
    pidfd_open(pid(child), PidfdFlags::empty()).expect("a child that was not waited for")
}

fn is_gone(pid: Pid) -> bool {
    rustix::process::test_kill_process(pid).is_err()
}

fn a_child_tells_how_it_ended(_: &mut Scene) -> Kept {
    let mut child = shell("exit 7");
    let pid = pid(&child);
    assert_eq!(aio::single(op::child_exit(&mut child))?.code(), Some(7));
    assert!(is_gone(pid), "it is no zombie");
    assert_eq!(child.wait()?.code(), Some(7));
    let mut child = shell("kill -9 $$");
    assert_eq!(aio::single(op::child_exit(&mut child))?.signal(), Some(9));
    Ok(())
}

fn a_child_that_is_owned_is_waited_for(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(2);
    let ended = queue.queue(op::child_exit(shell("exit 3")))?;
    queue.complete_all()?;
    let (status, mut exit) = ended.recover(&mut queue)?;
    assert_eq!((status?.code(), exit.child.wait()?.code()), (Some(3), Some(3)));
    let boxed = op::child_exit(Box::new(shell("exit 4")));
    assert_eq!(aio::single(boxed)?.code(), Some(4));
    Ok(())
}

fn a_child_exit_waits_for_the_end(scene: &mut Scene) -> Kept {
    let mut child = shell("read line");
    let input = child.stdin.take();
    let mut queue = scene.queue(2);
    let ended = queue.queue(op::child_exit(child))?;
    assert_eq!(queue.complete(Mode::NonBlocking)?, []);
    drop(input);
    assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
    assert_eq!(ended.take(&mut queue)?.code(), Some(1));
    Ok(())
}

fn a_child_that_was_waited_for_tells_its_status_again(_: &mut Scene) -> Kept {
    let mut child = shell("exit 5");
    child.wait()?;
    for _ in 0..2 {
        assert_eq!(aio::single(op::child_exit(&mut child))?.code(), Some(5));
    }
    Ok(())
}

fn a_child_exit_works_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let is_six = |exit: &Value| matches!(exit, Value::Exit(status) if status.code() == Some(6));
    positions::succeeds(scene, || Any::new(op::child_exit(shell("exit 6"))), is_six)
}

fn a_child_exit_without_descriptors_left_is_emfile(_: &mut Scene) -> Kept {
    let mut child = shell("read line");
    let ended = without_descriptors(|| aio::single(op::child_exit(&mut child)));
    assert_eq!(ended.map_err(|error| error.op()), Err(Some(OpKind::ChildExit)));
    assert_eq!(code(ended), libc::EMFILE);
    child.stdin = None;
    assert_eq!(aio::single(op::child_exit(&mut child))?.code(), Some(1));
    Ok(())
}

fn a_child_that_somebody_else_waited_for_is_echild(scene: &mut Scene) -> Kept {
    let child = shell("exit 7");
    aio::single(op::wait_id(pidfd(&child)))?;
    let mut child = Some(child);
    let gone = aio::single(op::child_exit(child.as_mut().expect("a child")));
    assert_eq!(code(gone), libc::ECHILD);
    let exit = || {
        let child = shell("exit 7");
        aio::single(op::wait_id(pidfd(&child))).expect("it ends");
        Any::new(op::child_exit(child))
    };
    positions::fails(scene, exit, libc::ECHILD)
}

fn a_child_exit_that_is_canceled_leaves_the_child_to_be_waited_for(scene: &mut Scene) -> Kept {
    let mut child = shell("read line");
    let input = child.stdin.take();
    let mut exit = positions::can_be_canceled(scene, op::child_exit(child))?;
    assert!(exit.child.try_wait()?.is_none());
    drop(input);
    assert_eq!(aio::single(op::child_exit(&mut exit.child))?.code(), Some(1));
    Ok(())
}

fn many_children_are_waited_for_at_once(_: &mut Scene) -> Kept {
    let mut children: Vec<Child> = (0..20).map(|code| shell(&format!("exit {code}"))).collect();
    let exits: Vec<_> = children.iter_mut().map(op::child_exit).collect();
    let codes: Vec<_> = aio::multi(exits)?.iter().map(|status| status.code()).collect();
    assert_eq!(codes, (0..20).map(Some).collect::<Vec<_>>());
    Ok(())
}

fn a_wait_tells_how_a_process_ended(_: &mut Scene) -> Kept {
    for (script, raw) in [("exit 7", 7 << 8), ("kill -9 $$", 9), ("kill -15 $$", 15)] {
        let child = shell(script);
        let waited = aio::single(op::wait_id(pidfd(&child)))?;
        assert_eq!(waited.pid, child.id());
        let ChildState::Exited(status) = waited.state else { panic!("{waited:?}") };
        assert_eq!(status.into_raw(), raw);
        assert!(is_gone(pid(&child)));
    }
    Ok(())
}

fn a_wait_tells_that_a_process_stopped_and_goes_on(_: &mut Scene) -> Kept {
    let child = shell("read line");
    let pidfd = pidfd(&child);
    // Where a backend can't wait for it, it says so, and can be asked again.
    let wait = |until: fn(WaitId<&OwnedFd>) -> WaitId<&OwnedFd>| loop {
        match aio::single(until(op::wait_id(&pidfd))) {
            Err(error) if error.cause() == Cause::Unsupported => thread::yield_now(),
            waited => break waited,
        }
    };
    kill_process(pid(&child), Signal::STOP)?;
    let waited = wait(|op| op.or_stopped())?;
    assert_eq!(waited.state, ChildState::Stopped(libc::SIGSTOP));
    kill_process(pid(&child), Signal::CONT)?;
    let waited = wait(|op| op.or_continued())?;
    assert_eq!((waited.pid, waited.state), (child.id(), ChildState::Continued));
    drop(child);
    let waited = wait(|op| op.or_stopped())?;
    assert!(matches!(waited.state, ChildState::Exited(_)));
    Ok(())
}

fn a_wait_that_keeps_the_process_leaves_it_to_be_waited_for(_: &mut Scene) -> Kept {
    let mut child = shell("exit 7");
    let kept = aio::single(op::wait_id(pidfd(&child)).keep())?;
    assert_eq!(kept, aio::single(op::wait_id(pidfd(&child)).keep())?);
    assert_eq!(child.wait()?.code(), Some(7));
    Ok(())
}

fn a_wait_for_what_is_no_child_is_an_error(scene: &mut Scene) -> Kept {
    let ourselves = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    assert_eq!(code(aio::single(op::wait_id(&ourselves))), libc::ECHILD);
    let mut child = shell("exit 0");
    let pidfd = pidfd(&child);
    child.wait()?;
    assert_eq!(code(aio::single(op::wait_id(&pidfd))), libc::ECHILD);
    assert_eq!(code(aio::single(op::wait_id(scene.file(b"")))), libc::EBADF);
    assert_eq!(code(aio::single(op::wait_id(&scene.closed()))), libc::EBADF);
    Ok(())
}

fn a_wait_works_and_fails_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let has_exited = |value: &Value| match value {
        Value::Waited(waited) => matches!(waited.state, ChildState::Exited(_)),
        _ => false,
    };
    positions::succeeds(scene, || Any::new(op::wait_id(pidfd(&shell("exit 6")))), has_exited)?;
    let file = scene.file(b"");
    positions::fails(scene, || Any::new(op::wait_id(&file)), libc::EBADF)
}

fn a_wait_can_be_canceled(scene: &mut Scene) -> Kept {
    let mut child = shell("read line");
    positions::can_be_canceled(scene, op::wait_id(pidfd(&child)))?;
    child.stdin = None;
    let ended = aio::single(op::wait_id(pidfd(&child)))?;
    assert!(matches!(ended.state, ChildState::Exited(status) if status.code() == Some(1)));
    assert_eq!(cause(aio::single(op::child_exit(child))), Cause::Os(libc::ECHILD));
    Ok(())
}
