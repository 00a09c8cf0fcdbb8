//! What only Linux has: descriptors of processes, credentials of a sender, programs that can't be
//! written while they run.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use corio_aio::op::{Any, ChildState, SocketOption, Value, WaitId};
use corio_aio::{self as aio, Cause, Cwd, op};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, getrlimit, kill_process, pidfd_open, setrlimit,
};

use crate::positions::{self, contents};
use crate::scene::{Kept, Scene, code, promises, writer};
use crate::system::Code;

promises![
    a_wait_tells_how_a_process_ended,
    a_wait_tells_that_a_process_stopped_and_goes_on,
    a_wait_that_keeps_the_process_leaves_it_to_be_waited_for,
    a_wait_for_what_is_no_child_is_an_error,
    a_wait_works_and_fails_in_each_place_of_a_chain,
    a_wait_can_be_canceled,
    credentials_come_as_a_control_message,
    an_option_can_be_a_name,
    a_program_that_runs_can_not_be_written,
    the_most_that_goes_at_once_is_two_gigabytes,
    a_write_to_a_full_device_is_enospc,
    room_within_the_limit_of_a_file_is_made,
    a_stat_of_a_device_tells_which,
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
    assert_eq!(code(aio::single(op::wait_id(&ourselves))), Code::ECHILD);
    let mut child = shell("exit 0");
    let pidfd = pidfd(&child);
    child.wait()?;
    assert_eq!(code(aio::single(op::wait_id(&pidfd))), Code::ECHILD);
    assert_eq!(code(aio::single(op::wait_id(scene.file(b"")))), Code::EBADF);
    assert_eq!(code(aio::single(op::wait_id(&scene.closed()))), Code::EBADF);
    Ok(())
}

fn a_wait_works_and_fails_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let has_exited = |value: &Value| match value {
        Value::Waited(waited) => matches!(waited.state, ChildState::Exited(_)),
        _ => false,
    };
    positions::succeeds(scene, || Any::new(op::wait_id(pidfd(&shell("exit 6")))), has_exited)?;
    let file = scene.file(b"");
    positions::fails(scene, || Any::new(op::wait_id(&file)), Code::EBADF)
}

fn a_wait_can_be_canceled(scene: &mut Scene) -> Kept {
    let mut child = shell("read line");
    positions::can_be_canceled(scene, op::wait_id(pidfd(&child)))?;
    child.stdin = None;
    let ended = aio::single(op::wait_id(pidfd(&child)))?;
    assert!(matches!(ended.state, ChildState::Exited(status) if status.code() == Some(1)));
    assert_eq!(code(aio::single(op::child_exit(child))), Code::ECHILD);
    Ok(())
}

fn credentials_come_as_a_control_message(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    aio::single(op::set_socket_option(&theirs, SocketOption::PASS_CREDENTIALS, true))?;
    let file = File::open("/dev/null")?;
    aio::single(op::send_msg(&ours, ["x"]).descriptors([&file]))?;
    let receive = op::recv_msg(&theirs, [vec![0; 4]]).control(size_of::<libc::ucred>());
    let received = aio::single(receive.descriptors(1))?;
    let [credentials] = &received.control[..] else { panic!("{received:?}") };
    let kind = (credentials.level, credentials.kind);
    assert_eq!(kind, (libc::SOL_SOCKET, libc::SCM_CREDENTIALS));
    assert_eq!(credentials.data[..4], std::process::id().to_ne_bytes());
    assert_eq!((received.descriptors.len(), received.is_control_truncated), (1, false));
    let back = op::send_msg(&ours, ["again"]).control(credentials.clone());
    aio::single(back)?;
    let receive = op::recv_msg(&theirs, [vec![0; 8]]).control(size_of::<libc::ucred>());
    assert_eq!(aio::single(receive)?.control, received.control);
    Ok(())
}

fn an_option_can_be_a_name(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.tcp();
    // SAFETY: it is the name of an algorithm.
    let congestion =
        unsafe { SocketOption::<[u8; 16]>::new(libc::IPPROTO_TCP, libc::TCP_CONGESTION) };
    let name = aio::single(op::get_socket_option(&ours, congestion))?;
    assert!(name[0].is_ascii_lowercase() && name[15] == 0, "{name:?}");
    aio::single(op::set_socket_option(&ours, congestion, name))?;
    Ok(())
}

/// Not even by root.
fn a_program_that_runs_can_not_be_written(scene: &mut Scene) -> Kept {
    let open = || Any::new(op::open_at(Cwd, "/proc/self/exe").write_only());
    positions::fails(scene, open, Code::ETXTBSY)
}

/// The system gives memory to what is touched only.
fn the_most_that_goes_at_once_is_two_gigabytes(_: &mut Scene) -> Kept {
    const MOST_AT_ONCE: usize = 0x7fff_f000;
    let longest = vec![0u8; (1 << 32) + 8];
    assert_eq!(aio::single(op::write(&writer("/dev/null"), &longest))?, MOST_AT_ONCE);
    Ok(())
}

fn a_write_to_a_full_device_is_enospc(_: &mut Scene) -> Kept {
    let file = writer("/dev/full");
    assert_eq!(code(aio::single(op::write(&file, b"a"))), Code::ENOSPC);
    Ok(())
}

fn room_within_the_limit_of_a_file_is_made(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abc");
    assert_eq!(code(aio::single(op::fallocate(&writer("/dev/null"), 0, 1))), Code::ENODEV);
    let limit = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(1 << 20), ..limit })?;
    let result = aio::single(op::fallocate(&file, 0, 1 << 19).keep_size());
    setrlimit(Resource::Fsize, limit)?;
    result?;
    assert_eq!(contents(&file), b"abc");
    Ok(())
}

fn a_stat_of_a_device_tells_which(_: &mut Scene) -> Kept {
    let null = aio::single(op::statx(Cwd, "/dev/null"))?;
    assert_eq!((null.special_device(), null.size()), ((1, 3), 0));
    assert!(!null.is_file());
    Ok(())
}
