//! What only Unix has: children that others wait for, sockets with paths, descriptors that go along
//! with messages, event sources that are descriptors.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::process::Child;

use corio_aio::op::{Any, ControlMessage, Operation};
use corio_aio::{self as aio, Cwd, Domain, EventSource, SockAddr, Socket, Type, op};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::positions;
use crate::scene::{Kept, Scene, closes_on_exec, code, promises, raw};
use crate::system::{self, Code};

promises![
    a_child_that_somebody_else_waited_for_is_echild,
    unix_sockets_connect_by_path,
    a_connect_to_a_missing_path_is_enoent,
    the_path_of_the_sender_comes_with_a_datagram,
    a_datagram_goes_to_its_path,
    a_datagram_without_a_peer_is_enotconn,
    descriptors_do_not_go_as_control_messages,
    connects_to_missing_paths_keep_their_place_in_a_chain,
    a_listen_that_never_starts_is_not_heard,
    a_stat_tells_whose_a_file_is,
    an_unlinked_file_that_is_open_has_no_name,
    a_closed_event_source_is_gone,
    an_event_source_closes_on_exec,
];

/// A child that somebody else has waited for.
fn gone() -> Child {
    let child = system::child(7).spawn().expect("a program");
    let pid = Pid::from_raw(child.id() as i32).expect("a number");
    retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty())).expect("it ends");
    child
}

fn a_child_that_somebody_else_waited_for_is_echild(scene: &mut Scene) -> Kept {
    assert_eq!(code(aio::single(op::child_exit(&mut gone()))), Code::ECHILD);
    positions::fails(scene, || Any::new(op::child_exit(gone())), Code::ECHILD)
}

fn unix_sockets_connect_by_path(scene: &mut Scene) -> Kept {
    let address = SockAddr::unix(scene.path())?;
    let socket = || aio::single(op::socket(Domain::UNIX, Type::STREAM, None));
    let (listener, client) = (socket()?, socket()?);
    let (.., server) = aio::multi((
        op::bind(&listener, address.clone()).soft(),
        op::listen(&listener).backlog(4).soft(),
        op::connect(&client, address).soft(),
        op::accept(&listener),
    ))?;
    aio::single(op::send(&server, b"hey"))?;
    assert_eq!(aio::single(op::recv(&client, &mut [0; 8]))?, 3);
    Ok(())
}

fn a_connect_to_a_missing_path_is_enoent(scene: &mut Scene) -> Kept {
    let address = SockAddr::unix(scene.path())?;
    let socket = aio::single(op::socket(Domain::UNIX, Type::STREAM, None))?;
    assert_eq!(code(aio::single(op::connect(&socket, address))), Code::ENOENT);
    Ok(())
}

fn the_path_of_the_sender_comes_with_a_datagram(scene: &mut Scene) -> Kept {
    let (path, other) = (scene.path(), scene.path());
    let (ours, theirs) = (UnixDatagram::bind(&path)?, UnixDatagram::bind(&other)?);
    ours.send_to(b"hey", &other)?;
    let received = aio::single(op::recv_msg(&theirs, [&mut [0; 4]]))?;
    let address = received.address.expect("the sender is bound");
    assert_eq!(address.as_pathname(), Some(&*path));
    UnixDatagram::unbound()?.send_to(b"hey", &other)?;
    let received = aio::single(op::recv_msg(&theirs, [&mut [0; 4]]))?;
    assert!(received.address.is_none_or(|address| address.as_pathname().is_none()));
    Ok(())
}

fn a_datagram_goes_to_its_path(scene: &mut Scene) -> Kept {
    let path = scene.path();
    let theirs = UnixDatagram::bind(&path)?;
    let ours = UnixDatagram::unbound()?;
    aio::single(op::send_msg(&ours, ["hey"]).to(SockAddr::unix(&path)?))?;
    assert_eq!(theirs.recv(&mut [0; 8])?, 3);
    let missing = op::send_msg(&ours, ["hey"]).to(SockAddr::unix(scene.path())?);
    assert_eq!(code(aio::single(missing)), Code::ENOENT);
    Ok(())
}

fn a_datagram_without_a_peer_is_enotconn(_: &mut Scene) -> Kept {
    let datagrams = UnixDatagram::unbound()?;
    assert_eq!(code(aio::single(op::send_msg(&datagrams, ["x"]))), Code::ENOTCONN);
    Ok(())
}

fn descriptors_do_not_go_as_control_messages(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.pair();
    let data = 0i32.to_ne_bytes().to_vec();
    positions::fails(
        scene,
        || {
            let (level, kind) = (libc::SOL_SOCKET, libc::SCM_RIGHTS);
            let message = ControlMessage { level, kind, data: data.clone() };
            Any::new(op::send_msg(&ours, ["x"]).control(message))
        },
        Code::EINVAL,
    )
}

fn connects_to_missing_paths_keep_their_place_in_a_chain(scene: &mut Scene) -> Kept {
    let missing = SockAddr::unix(scene.path())?;
    let connect = || Any::new(op::connect(unix(), missing.clone()));
    positions::fails(scene, connect, Code::ENOENT)
}

fn a_listen_that_never_starts_is_not_heard(scene: &mut Scene) -> Kept {
    let (bound, unheard) = (unix(), SockAddr::unix(scene.path())?);
    bound.bind(&unheard)?;
    positions::never_starts(scene, Any::new(op::listen(&bound)))?;
    let refused = unix().connect(&unheard).map_err(|error| error.raw_os_error());
    assert_eq!(refused, Err(Some(libc::ECONNREFUSED)));
    Ok(())
}

fn unix() -> Socket {
    Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket")
}

fn a_stat_tells_whose_a_file_is(scene: &mut Scene) -> Kept {
    let path = scene.path();
    fs::write(&path, vec![1; 100_000])?;
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640))?;
    std::os::unix::fs::chown(&path, Some(1), Some(2))?;
    let (stat, metadata) = (aio::single(op::statx(Cwd, &path))?, path.metadata()?);
    assert_eq!((stat.uid(), stat.gid()), (1, 2));
    assert_eq!(stat.mode(), metadata.mode());
    assert_eq!((stat.inode(), stat.blocks()), (metadata.ino(), metadata.blocks()));
    assert_eq!(u64::from(stat.block_size()), metadata.blksize());
    let (major, minor) = stat.device();
    assert_eq!(libc::makedev(major as _, minor as _), metadata.dev() as libc::dev_t);
    Ok(())
}

fn an_unlinked_file_that_is_open_has_no_name(scene: &mut Scene) -> Kept {
    let path = scene.path();
    fs::write(&path, "contents")?;
    let file = File::open(&path)?;
    aio::single(op::unlink_at(Cwd, &path))?;
    assert_eq!(file.metadata()?.nlink(), 0);
    Ok(())
}

fn a_closed_event_source_is_gone(_: &mut Scene) -> Kept {
    let source = EventSource::new()?;
    let number = raw(&source.as_fd());
    aio::single(op::close_event_source(source))?;
    assert!(!system::is_open(number));
    Ok(())
}

fn an_event_source_closes_on_exec(_: &mut Scene) -> Kept {
    let source = EventSource::new()?;
    assert!(closes_on_exec(source.as_fd()));
    Ok(())
}
