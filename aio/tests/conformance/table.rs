//! What every operation promises, whatever it does: at each place of a chain, before its start and
//! while it waits. What other files keep for their own operations is kept here for the rest.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use corio_aio::op::{Any, Events, Operation, SocketOption, Value};
use corio_aio::{self as aio, Cause, Cwd, Domain, EventSource, Socket, Type, op};

use crate::positions::{self, contents};
use crate::scene::{Kept, Scene, code, give, promises, stuff};
use crate::system::{self, Code, Stream};

promises![
    files_succeed_at_each_place_of_a_chain,
    files_fail_at_each_place_of_a_chain,
    sockets_succeed_at_each_place_of_a_chain,
    sockets_fail_at_each_place_of_a_chain,
    transfers_succeed_at_each_place_of_a_chain,
    transfers_fail_at_each_place_of_a_chain,
    a_reset_fails_at_each_place_of_a_chain,
    controls_and_event_sources_keep_their_place_in_a_chain,
    a_poll_keeps_its_place_in_a_chain,
    what_never_starts_happens_to_no_file,
    what_never_starts_happens_to_no_socket,
    what_never_starts_tells_nobody,
    what_waits_for_a_file_can_be_canceled,
    what_waits_for_a_socket_can_be_canceled,
    what_waits_for_a_connection_can_be_canceled,
    what_waits_for_an_event_can_be_canceled,
    what_is_polled_can_be_canceled,
    the_longest_buffers_are_taken,
];

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn is_done(value: &Value) -> bool {
    matches!(value, Value::Done)
}

fn is_three(value: &Value) -> bool {
    matches!(value, Value::Count(3))
}

fn stream() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket")
}

fn files_succeed_at_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (file, path) = (scene.file(b"abc"), scene.path());
    fs::write(&path, "")?;
    positions::succeeds(scene, || Any::new(op::read(&file, vec![0; 3]).at(0)), is_three)?;
    positions::succeeds(scene, || Any::new(op::write(&file, "abc").at(0)), is_three)?;
    positions::succeeds(scene, || Any::new(op::fsync(&file)), is_done)?;
    let is_file = |value: &Value| matches!(value, Value::File(_));
    positions::succeeds(scene, || Any::new(op::open_at(Cwd, &path)), is_file)?;
    let copy = || fs::File::open(&path).expect("a file of ours");
    positions::succeeds(scene, || Any::new(op::close(copy())), is_done)
}

fn files_fail_at_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (file, full, write_only) = (scene.file(b""), system::full(), scene.write_only());
    let (dir, closed) = (scene.open_dir(), scene.closed());
    let (read_only, missing, new) = (scene.read_only(), scene.path(), scene.path());
    fs::write(&new, "")?;
    for (file, code) in [(&write_only, Code::EBADF), (&dir, Code::EISDIR)] {
        positions::fails(scene, || Any::new(op::read(file, vec![0; 4])), code)?;
    }
    positions::fails(scene, || Any::new(op::read(&closed, vec![0; 4])), Code::EBADF)?;
    for (file, code) in [(&full, Code::FULL), (&read_only, Code::EBADF)] {
        positions::fails(scene, || Any::new(op::write(file, "a")), code)?;
    }
    positions::fails(scene, || Any::new(op::write(&closed, "a")), Code::EBADF)?;
    positions::fails(scene, || Any::new(op::fsync(&closed)), Code::EBADF)?;
    if let Some((pipe, gone)) = system::pipe() {
        positions::fails(scene, || Any::new(op::fsync(&pipe)), Code::EINVAL)?;
        drop(pipe);
        positions::fails(scene, || Any::new(op::write(&gone, "a")), Code::EPIPE)?;
    }
    positions::fails(scene, || Any::new(op::open_at(Cwd, &missing)), Code::ENOENT)?;
    positions::fails(scene, || Any::new(op::open_at(&file, "inside")), Code::ENOTDIR)?;
    positions::fails(scene, || Any::new(op::open_at(&closed, "inside")), Code::EBADF)?;
    let open = || Any::new(op::open_at(Cwd, &new).write_only().create_new());
    positions::fails(scene, open, Code::EEXIST)?;
    positions::fails(scene, || Any::new(op::close(&closed)), Code::EBADF)
}

fn sockets_succeed_at_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let is_socket = |value: &Value| matches!(value, Value::Socket(_));
    let socket = || Any::new(op::socket(Domain::IPV4, Type::STREAM, None));
    positions::succeeds(scene, socket, is_socket)?;
    positions::succeeds(scene, || Any::new(op::bind(stream(), ANY_PORT)), is_done)?;
    positions::succeeds(scene, || Any::new(op::listen(system::bound().0)), is_done)?;
    let listener = scene.listener();
    let address = listener.local_addr()?;
    positions::succeeds(scene, || Any::new(op::connect(stream(), address)), is_done)?;
    positions::succeeds(scene, || Any::new(op::accept(&listener)), is_socket)
}

fn sockets_fail_at_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (file, closed, (client, _server)) = (scene.file(b""), scene.closed(), scene.tcp());
    let (listener, datagrams) = (scene.listener(), UdpSocket::bind(ANY_PORT)?);
    let (taken, nobody) = (listener.local_addr()?, scene.listener().local_addr()?);
    let socket = || Any::new(op::socket(Domain::from(9_999), Type::STREAM, None));
    positions::fails(scene, socket, Code::EAFNOSUPPORT)?;
    positions::fails(scene, || Any::new(op::bind(stream(), taken)), Code::EADDRINUSE)?;
    positions::fails(scene, || Any::new(op::bind(&listener, ANY_PORT)), Code::EINVAL)?;
    positions::fails(scene, || Any::new(op::listen(&datagrams)), Code::EOPNOTSUPP)?;
    positions::fails(scene, || Any::new(op::accept(stream())), Code::EINVAL)?;
    positions::fails(scene, || Any::new(op::accept(&datagrams)), Code::EOPNOTSUPP)?;
    positions::fails(scene, || Any::new(op::connect(stream(), nobody)), Code::ECONNREFUSED)?;
    positions::fails(scene, || Any::new(op::connect(&client, taken)), Code::EISCONN)?;
    positions::fails(scene, || Any::new(op::bind(&file, ANY_PORT)), Code::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::listen(&file)), Code::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::accept(&file)), Code::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::connect(&file, taken)), Code::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::bind(&closed, ANY_PORT)), Code::EBADF)?;
    positions::fails(scene, || Any::new(op::listen(&closed)), Code::EBADF)?;
    positions::fails(scene, || Any::new(op::accept(&closed)), Code::EBADF)?;
    positions::fails(scene, || Any::new(op::connect(&closed, taken)), Code::EBADF)
}

fn transfers_succeed_at_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    positions::succeeds(scene, || Any::new(op::send(&ours, "abc")), is_three)?;
    positions::succeeds(scene, || Any::new(op::recv(&theirs, vec![0; 3])), is_three)?;
    let is_empty = |value: &Value| matches!(value, Value::Count(0));
    positions::succeeds(scene, || Any::new(op::send(&ours, "")), is_empty)?;
    positions::succeeds(scene, || Any::new(op::shutdown(&ours, Shutdown::Write)), is_done)?;
    positions::succeeds(scene, || Any::new(op::recv(&theirs, vec![0; 3])), is_empty)
}

/// The name of an operation that is over.
fn over(scene: &Scene) -> Result<aio::Id, aio::Error> {
    let mut queue = scene.queue(1);
    let nop = queue.queue(op::nop())?;
    queue.complete_all()?;
    let id = nop.id();
    nop.take(&mut queue).map(|()| id)
}

fn transfers_fail_at_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (file, closed, ours) = (scene.file(b""), scene.closed(), scene.alone());
    positions::fails(scene, || Any::new(op::send(&ours, "a")), Code::EPIPE)?;
    positions::fails(scene, || Any::new(op::send(&file, "a")), Code::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::send(&closed, "a")), Code::EBADF)?;
    positions::fails(scene, || Any::new(op::recv(stream(), vec![0; 4])), Code::ENOTCONN)?;
    positions::fails(scene, || Any::new(op::recv(&file, vec![0; 4])), Code::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::recv(&closed, vec![0; 4])), Code::EBADF)?;
    let shutdown = || Any::new(op::shutdown(stream(), Shutdown::Both));
    positions::fails(scene, shutdown, Code::ENOTCONN)?;
    let shutdown = || Any::new(op::shutdown(&file, Shutdown::Both));
    positions::fails(scene, shutdown, Code::ENOTSOCK)?;
    let shutdown = || Any::new(op::shutdown(&closed, Shutdown::Both));
    positions::fails(scene, shutdown, Code::EBADF)
}

fn a_reset_fails_at_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    assert_eq!(code(aio::single(op::send(scene.reset(), "a"))), Code::ECONNRESET);
    let resets: Vec<TcpStream> = (0..12).map(|_| scene.reset()).collect();
    let mut next = resets.into_iter();
    let receive = || Any::new(op::recv(next.next().expect("one for each place"), vec![0; 4]));
    positions::fails(scene, receive, Code::ECONNRESET)
}

fn controls_and_event_sources_keep_their_place_in_a_chain(scene: &mut Scene) -> Kept {
    let source = EventSource::new()?;
    positions::succeeds(scene, || Any::new(op::nop()), is_done)?;
    positions::succeeds(scene, || Any::new(op::timeout(Duration::from_micros(10))), is_done)?;
    positions::succeeds(scene, || Any::new(op::notify_event_source(&source)), is_done)?;
    positions::succeeds(scene, || Any::new(op::wait_event_source(&source)), is_done)?;
    let new = || EventSource::new().expect("a descriptor");
    positions::succeeds(scene, || Any::new(op::close_event_source(new())), is_done)?;
    let late = over(scene)?;
    positions::fails_with(scene, || Any::new(op::cancel(late)), Cause::NotFound)
}

fn a_poll_keeps_its_place_in_a_chain(scene: &mut Scene) -> Kept {
    let (closed, (ours, theirs)) = (scene.closed(), scene.pair());
    let both = Events::READABLE | Events::WRITABLE;
    let is_ready = |value: &Value| matches!(value, Value::Events(events) if *events == both);
    give(&theirs, b"x");
    positions::succeeds(scene, || Any::new(op::poll(&ours, both)), is_ready)?;
    positions::fails(scene, || Any::new(op::poll(&closed, both)), Code::EBADF)
}

fn what_never_starts_happens_to_no_file(scene: &mut Scene) -> Kept {
    let (file, mut buf, new) = (scene.file(b"abc"), [7; 4], scene.path());
    let copy = scene.read_only();
    for op in [
        Any::new(op::read(&file, &mut buf)),
        Any::new(op::write(&file, "never")),
        Any::new(op::fsync(&file)),
        Any::new(op::open_at(Cwd, &new).write_only().create_new()),
        Any::new(op::close(copy)),
    ] {
        positions::never_starts(scene, op)?;
    }
    assert_eq!((buf, contents(&file), fs::exists(new)?), ([7; 4], b"abc".to_vec(), false));
    Ok(())
}

fn what_never_starts_happens_to_no_socket(scene: &mut Scene) -> Kept {
    let ((ours, theirs), listener, client) = (scene.pair(), scene.listener(), stream());
    let (socket, bound, address) = (stream(), stream(), listener.local_addr()?);
    aio::single(op::bind(&bound, ANY_PORT))?;
    let unheard = bound.local_addr()?;
    give(&ours, b"abc");
    let mut buf = [7; 4];
    let option = SocketOption::KEEP_ALIVE;
    for op in [
        Any::new(op::socket(Domain::IPV4, Type::STREAM, None)),
        Any::new(op::bind(&socket, ANY_PORT)),
        Any::new(op::listen(&bound)),
        Any::new(op::accept(&listener)),
        Any::new(op::connect(&client, address)),
        Any::new(op::send(&ours, "never")),
        Any::new(op::recv(&theirs, &mut buf)),
        Any::new(op::shutdown(&ours, Shutdown::Both)),
        Any::new(op::set_socket_option(&ours, option, true)),
        Any::new(op::get_socket_option(&ours, option)),
        Any::new(op::poll(&ours, Events::WRITABLE)),
    ] {
        positions::never_starts(scene, op)?;
    }
    // Some systems know of no address then.
    let own = socket.local_addr().ok().and_then(|address| address.as_socket());
    assert!(own.is_none_or(|own| own.port() == 0));
    assert_eq!(code(aio::single(op::connect(stream(), unheard))), Code::ECONNREFUSED);
    aio::single(op::connect(&client, address))?;
    listener.accept()?;
    drop(ours);
    let mut rest = Vec::new();
    (&theirs).read_to_end(&mut rest)?;
    assert_eq!((buf, rest), ([7; 4], b"abc".to_vec()));
    Ok(())
}

fn what_never_starts_tells_nobody(scene: &mut Scene) -> Kept {
    let (late, source, word) = (over(scene)?, EventSource::new()?, AtomicU32::new(0));
    let (file, mut buf) = (scene.file(b"abc"), [7; 4]);
    let mut ops = vec![
        Any::new(op::nop()),
        Any::new(op::cancel(late)),
        Any::new(op::timeout(Duration::ZERO)),
        Any::new(op::read_tty(&file, &mut buf)),
        Any::new(op::wait_event_source(&source)),
        Any::new(op::notify_event_source(&source)),
        Any::new(op::close_event_source(EventSource::new()?)),
    ];
    if aio::supports(&[aio::OpKind::FutexWake]) {
        ops.push(Any::new(op::futex_wake(&word, 1)));
    }
    for op in ops {
        positions::never_starts(scene, op)?;
    }
    assert_eq!(buf, [7; 4]);
    source.notify()?;
    aio::single(op::wait_event_source(&source))?;
    let late = aio::race((op::wait_event_source(&source), op::timeout(Duration::ZERO)))?;
    assert!(late.0.is_err(), "nobody but this has notified it");
    Ok(())
}

fn what_waits_for_a_file_can_be_canceled(scene: &mut Scene) -> Kept {
    let (reader, mut end) = std::io::pipe()?;
    let mut read = positions::can_be_canceled(scene, op::read(reader, vec![7; 4]))?;
    assert_eq!(read.buf, [7; 4]);
    end.write_all(b"late")?;
    assert_eq!(aio::single(op::read(&read.file, &mut read.buf))?, 4);
    let (mut end, mut writer) = std::io::pipe()?;
    let room = system::pipe_room(&writer);
    writer.write_all(&vec![1; room])?;
    drop(positions::can_be_canceled(scene, op::write(writer, "never"))?);
    assert_eq!(end.read_to_end(&mut Vec::new())?, room);
    Ok(())
}

fn what_waits_for_a_socket_can_be_canceled(scene: &mut Scene) -> Kept {
    let (listener, (ours, theirs)) = (scene.listener(), scene.pair());
    let address = listener.local_addr()?;
    let accept = positions::can_be_canceled(scene, op::accept(listener))?;
    let _client = TcpStream::connect(address)?;
    aio::single(op::accept(&accept.listener))?;
    let mut recv = positions::can_be_canceled(scene, op::recv(ours, vec![7; 4]))?;
    assert_eq!(recv.buf, [7; 4]);
    give(&theirs, b"late");
    assert_eq!(aio::single(op::recv(&recv.socket, &mut recv.buf))?, 4);
    stuff(&theirs, Stream::set_nonblocking)?;
    let send = positions::can_be_canceled(scene, op::send(theirs, "never"))?;
    // To close the other waits, on WASI, until what was sent is taken.
    drop(recv);
    drop(send);
    Ok(())
}

/// A listener's queue with one connection in it is full if there is to be none, and the next one
/// waits.
fn what_waits_for_a_connection_can_be_canceled(scene: &mut Scene) -> Kept {
    let (listener, next) = (stream(), stream());
    aio::multi((op::bind(&listener, ANY_PORT).soft(), op::listen(&listener).backlog(0)))?;
    let (first, address) = (stream(), listener.local_addr()?);
    aio::single(op::connect(&first, address.clone()))?;
    positions::is_canceled_while_it_waits(scene, Any::new(op::connect(&next, address)))
}

fn what_waits_for_an_event_can_be_canceled(scene: &mut Scene) -> Kept {
    let source = EventSource::new()?;
    positions::can_be_canceled(scene, op::timeout(Duration::MAX))?;
    positions::is_canceled_while_it_waits(scene, Any::new(op::wait_event_source(&source)))
}

fn what_is_polled_can_be_canceled(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.pair();
    positions::can_be_canceled(scene, op::poll(ours, Events::READABLE))?;
    Ok(())
}

/// The system gives memory to what is touched only. A length that is cut to 32 bits would be 8.
fn the_longest_buffers_are_taken(scene: &mut Scene) -> Kept {
    let len = usize::try_from((1u64 << 32) + 8)?;
    let (mut longest, file, (ours, theirs)) = (vec![0u8; len], scene.file(&[1; 16]), scene.pair());
    assert!(aio::single(op::send(&ours, &longest))? > 8);
    assert_eq!(aio::single(op::read(&file, &mut longest))?, 16);
    drop(ours);
    assert!(aio::single(op::recv(&theirs, &mut longest))? > 8);
    Ok(())
}
