//! What every operation promises, whatever it does: at each place of a chain, before its start and
//! while it waits. What other files keep for their own operations is kept here for the rest.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use corio_aio::op::{Any, Events, SocketOption, Value};
use corio_aio::{self as aio, Cause, Cwd, Domain, EventSource, SockAddr, Socket, Type, op};

use crate::positions::{self, contents};
use crate::scene::{Kept, Scene, code, give, promises, writer};

promises![
    files_succeed_at_each_place_of_a_chain,
    files_fail_at_each_place_of_a_chain,
    sockets_succeed_at_each_place_of_a_chain,
    sockets_fail_at_each_place_of_a_chain,
    transfers_succeed_at_each_place_of_a_chain,
    transfers_fail_at_each_place_of_a_chain,
    controls_and_event_sources_keep_their_place_in_a_chain,
    what_never_starts_happens_to_no_file,
    what_never_starts_happens_to_no_socket,
    what_waits_for_a_file_can_be_canceled,
    what_waits_for_a_socket_can_be_canceled,
    what_waits_for_a_connection_can_be_canceled,
    what_waits_for_an_event_can_be_canceled,
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

fn unix() -> Socket {
    Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket")
}

/// Writes to `socket` until it takes no more.
fn stuff(socket: &UnixStream) -> Kept {
    socket.set_nonblocking(true)?;
    while (&*socket).write(&[0; 4096]).is_ok() {}
    socket.set_nonblocking(false)?;
    Ok(())
}

fn files_succeed_at_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let file = scene.file(b"abc");
    positions::succeeds(scene, || Any::new(op::read(&file, vec![0; 3]).at(0)), is_three)?;
    positions::succeeds(scene, || Any::new(op::write(&file, "abc").at(0)), is_three)?;
    positions::succeeds(scene, || Any::new(op::fsync(&file)), is_done)?;
    let is_file = |value: &Value| matches!(value, Value::File(_));
    positions::succeeds(scene, || Any::new(op::open_at(Cwd, "/")), is_file)?;
    let copy = || file.try_clone().expect("a copy");
    positions::succeeds(scene, || Any::new(op::close(copy())), is_done)
}

fn files_fail_at_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (file, full, null) = (scene.file(b""), writer("/dev/full"), writer("/dev/null"));
    let (dir, closed, (pipe, gone)) = (File::open(scene.dir())?, scene.closed(), std::io::pipe()?);
    let (read_only, missing, new) = (File::open("/dev/null")?, scene.path(), scene.path());
    fs::write(&new, "")?;
    for (file, code) in [(&null, libc::EBADF), (&dir, libc::EISDIR)] {
        positions::fails(scene, || Any::new(op::read(file, vec![0; 4])), code)?;
    }
    positions::fails(scene, || Any::new(op::read(&closed, vec![0; 4])), libc::EBADF)?;
    for (file, code) in [(&full, libc::ENOSPC), (&read_only, libc::EBADF)] {
        positions::fails(scene, || Any::new(op::write(file, "a")), code)?;
    }
    positions::fails(scene, || Any::new(op::write(&closed, "a")), libc::EBADF)?;
    positions::fails(scene, || Any::new(op::fsync(&closed)), libc::EBADF)?;
    positions::fails(scene, || Any::new(op::fsync(&pipe)), libc::EINVAL)?;
    drop(pipe);
    positions::fails(scene, || Any::new(op::write(&gone, "a")), libc::EPIPE)?;
    positions::fails(scene, || Any::new(op::open_at(Cwd, &missing)), libc::ENOENT)?;
    positions::fails(scene, || Any::new(op::open_at(&file, "inside")), libc::ENOTDIR)?;
    positions::fails(scene, || Any::new(op::open_at(&closed, "inside")), libc::EBADF)?;
    let open = || Any::new(op::open_at(Cwd, &new).write_only().create_new());
    positions::fails(scene, open, libc::EEXIST)?;
    // What runs can't be written, not even by root.
    let open = || Any::new(op::open_at(Cwd, "/proc/self/exe").write_only());
    positions::fails(scene, open, libc::ETXTBSY)?;
    positions::fails(scene, || Any::new(op::close(&closed)), libc::EBADF)
}

fn sockets_succeed_at_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let is_socket = |value: &Value| matches!(value, Value::Socket(_));
    let socket = || Any::new(op::socket(Domain::IPV4, Type::STREAM, None));
    positions::succeeds(scene, socket, is_socket)?;
    positions::succeeds(scene, || Any::new(op::bind(stream(), ANY_PORT)), is_done)?;
    positions::succeeds(scene, || Any::new(op::listen(stream())), is_done)?;
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
    positions::fails(scene, socket, libc::EAFNOSUPPORT)?;
    positions::fails(scene, || Any::new(op::bind(stream(), taken)), libc::EADDRINUSE)?;
    positions::fails(scene, || Any::new(op::bind(&listener, ANY_PORT)), libc::EINVAL)?;
    positions::fails(scene, || Any::new(op::listen(&datagrams)), libc::EOPNOTSUPP)?;
    positions::fails(scene, || Any::new(op::accept(stream())), libc::EINVAL)?;
    positions::fails(scene, || Any::new(op::accept(&datagrams)), libc::EOPNOTSUPP)?;
    positions::fails(scene, || Any::new(op::connect(stream(), nobody)), libc::ECONNREFUSED)?;
    positions::fails(scene, || Any::new(op::connect(&client, taken)), libc::EISCONN)?;
    let missing = SockAddr::unix(scene.path())?;
    let connect = || Any::new(op::connect(unix(), missing.clone()));
    positions::fails(scene, connect, libc::ENOENT)?;
    positions::fails(scene, || Any::new(op::bind(&file, ANY_PORT)), libc::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::listen(&file)), libc::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::accept(&file)), libc::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::connect(&file, taken)), libc::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::bind(&closed, ANY_PORT)), libc::EBADF)?;
    positions::fails(scene, || Any::new(op::listen(&closed)), libc::EBADF)?;
    positions::fails(scene, || Any::new(op::accept(&closed)), libc::EBADF)?;
    positions::fails(scene, || Any::new(op::connect(&closed, taken)), libc::EBADF)
}

fn transfers_succeed_at_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
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

/// A connection that its peer has reset.
fn reset(scene: &Scene) -> TcpStream {
    let (ours, theirs) = scene.tcp();
    let linger = socket2::SockRef::from(&theirs).set_linger(Some(Duration::ZERO));
    linger.expect("an open socket");
    ours
}

fn transfers_fail_at_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (file, closed, (ours, theirs)) = (scene.file(b""), scene.closed(), scene.unix());
    drop(theirs);
    positions::fails(scene, || Any::new(op::send(&ours, "a")), libc::EPIPE)?;
    positions::fails(scene, || Any::new(op::send(&file, "a")), libc::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::send(&closed, "a")), libc::EBADF)?;
    positions::fails(scene, || Any::new(op::recv(stream(), vec![0; 4])), libc::ENOTCONN)?;
    positions::fails(scene, || Any::new(op::recv(&file, vec![0; 4])), libc::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::recv(&closed, vec![0; 4])), libc::EBADF)?;
    let shutdown = || Any::new(op::shutdown(stream(), Shutdown::Both));
    positions::fails(scene, shutdown, libc::ENOTCONN)?;
    let shutdown = || Any::new(op::shutdown(&file, Shutdown::Both));
    positions::fails(scene, shutdown, libc::ENOTSOCK)?;
    let shutdown = || Any::new(op::shutdown(&closed, Shutdown::Both));
    positions::fails(scene, shutdown, libc::EBADF)?;
    assert_eq!(code(aio::single(op::send(reset(scene), "a"))), libc::ECONNRESET);
    let resets: Vec<OwnedFd> = (0..12).map(|_| reset(scene).into()).collect();
    let mut next = resets.into_iter();
    let receive = || Any::new(op::recv(next.next().expect("one for each place"), vec![0; 4]));
    positions::fails(scene, receive, libc::ECONNRESET)
}

fn controls_and_event_sources_keep_their_place_in_a_chain(scene: &mut Scene) -> Kept {
    let (file, closed, source) = (scene.file(b""), scene.closed(), EventSource::new()?);
    positions::succeeds(scene, || Any::new(op::nop()), is_done)?;
    positions::succeeds(scene, || Any::new(op::timeout(Duration::from_micros(10))), is_done)?;
    let both = Events::READABLE | Events::WRITABLE;
    let is_ready = |value: &Value| matches!(value, Value::Events(events) if *events == both);
    // A file is always ready.
    positions::succeeds(scene, || Any::new(op::poll(&file, both)), is_ready)?;
    positions::fails(scene, || Any::new(op::poll(&closed, both)), libc::EBADF)?;
    positions::succeeds(scene, || Any::new(op::notify_event_source(&source)), is_done)?;
    positions::succeeds(scene, || Any::new(op::wait_event_source(&source)), is_done)?;
    let new = || EventSource::new().expect("a descriptor");
    positions::succeeds(scene, || Any::new(op::close_event_source(new())), is_done)?;
    let late = over(scene)?;
    positions::fails_with(scene, || Any::new(op::cancel(late)), Cause::NotFound)
}

fn what_never_starts_happens_to_no_file(scene: &mut Scene) -> Kept {
    let (file, mut buf, new) = (scene.file(b"abc"), [7; 4], scene.path());
    let copy = file.try_clone()?;
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

/// Connects a socket, whatever interrupts it.
fn connect(socket: &Socket, address: &SockAddr) -> std::io::Result<()> {
    loop {
        match socket.connect(address) {
            Err(error) if error.raw_os_error() == Some(libc::EISCONN) => return Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            result => return result,
        }
    }
}

fn what_never_starts_happens_to_no_socket(scene: &mut Scene) -> Kept {
    let late = over(scene)?;
    let ((ours, theirs), listener, client) = (scene.unix(), scene.listener(), stream());
    let (socket, source, address) = (stream(), EventSource::new()?, listener.local_addr()?);
    let (unheard, word) = (SockAddr::unix(scene.path())?, std::sync::atomic::AtomicU32::new(0));
    let bound = unix();
    bound.bind(&unheard)?;
    give(&ours, b"abc");
    let mut buf = [7; 4];
    let option = SocketOption::KEEP_ALIVE;
    let mut ops = vec![
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
        Any::new(op::nop()),
        Any::new(op::cancel(late)),
        Any::new(op::timeout(Duration::ZERO)),
        Any::new(op::poll(&ours, Events::WRITABLE)),
        Any::new(op::notify_event_source(&source)),
        Any::new(op::wait_event_source(&source)),
        Any::new(op::close_event_source(EventSource::new()?)),
    ];
    if aio::supports(&[aio::OpKind::FutexWake]) {
        ops.push(Any::new(op::futex_wake(&word, 1)));
    }
    for op in ops {
        positions::never_starts(scene, op)?;
    }
    assert_eq!(socket.local_addr()?.as_socket().map(|address| address.port()), Some(0));
    let refused = unix().connect(&unheard).map_err(|error| error.raw_os_error());
    assert_eq!(refused, Err(Some(libc::ECONNREFUSED)));
    connect(&client, &address.into())?;
    listener.accept()?;
    drop(ours);
    let mut rest = Vec::new();
    (&theirs).read_to_end(&mut rest)?;
    assert_eq!((buf, rest), ([7; 4], b"abc".to_vec()));
    Ok(())
}

fn what_waits_for_a_file_can_be_canceled(scene: &mut Scene) -> Kept {
    let (reader, mut end) = std::io::pipe()?;
    let mut read = positions::can_be_canceled(scene, op::read(reader, vec![7; 4]))?;
    assert_eq!(read.buf, [7; 4]);
    end.write_all(b"late")?;
    assert_eq!(aio::single(op::read(&read.file, &mut read.buf))?, 4);
    let (mut end, mut writer) = std::io::pipe()?;
    let room = rustix::pipe::fcntl_getpipe_size(&writer)?;
    writer.write_all(&vec![1; room])?;
    drop(positions::can_be_canceled(scene, op::write(writer, "never"))?);
    assert_eq!(end.read_to_end(&mut Vec::new())?, room);
    Ok(())
}

fn what_waits_for_a_socket_can_be_canceled(scene: &mut Scene) -> Kept {
    let (listener, (ours, theirs)) = (scene.listener(), scene.unix());
    let address = listener.local_addr()?;
    let accept = positions::can_be_canceled(scene, op::accept(listener))?;
    let _client = TcpStream::connect(address)?;
    aio::single(op::accept(&accept.listener))?;
    let mut recv = positions::can_be_canceled(scene, op::recv(ours, vec![7; 4]))?;
    assert_eq!(recv.buf, [7; 4]);
    give(&theirs, b"late");
    assert_eq!(aio::single(op::recv(&recv.socket, &mut recv.buf))?, 4);
    stuff(&theirs)?;
    positions::can_be_canceled(scene, op::send(theirs, "never"))?;
    Ok(())
}

/// A listener's queue with one connection in it is full if there is to be none, and the next one
/// waits.
fn what_waits_for_a_connection_can_be_canceled(scene: &mut Scene) -> Kept {
    let (listener, next) = (stream(), stream());
    listener.bind(&SockAddr::from(ANY_PORT))?;
    listener.listen(0)?;
    let (first, address) = (stream(), listener.local_addr()?);
    connect(&first, &address)?;
    positions::is_canceled_while_it_waits(scene, Any::new(op::connect(&next, address)))
}

fn what_waits_for_an_event_can_be_canceled(scene: &mut Scene) -> Kept {
    let ((ours, _theirs), source) = (scene.unix(), EventSource::new()?);
    positions::can_be_canceled(scene, op::poll(ours, Events::READABLE))?;
    positions::can_be_canceled(scene, op::timeout(Duration::MAX))?;
    positions::is_canceled_while_it_waits(scene, Any::new(op::wait_event_source(&source)))
}

/// The system gives memory to what is touched only. A length that is cut to 32 bits would be 8.
fn the_longest_buffers_are_taken(scene: &mut Scene) -> Kept {
    const MOST_AT_ONCE: usize = 0x7fff_f000;
    let mut longest = vec![0u8; (1 << 32) + 8];
    let (file, null, (ours, theirs)) = (scene.file(&[1; 16]), writer("/dev/null"), scene.unix());
    assert_eq!(aio::single(op::write(&null, &longest))?, MOST_AT_ONCE);
    assert!(aio::single(op::send(&ours, &longest))? > 8);
    assert_eq!(aio::single(op::read(&file, &mut longest))?, 16);
    drop(ours);
    assert!(aio::single(op::recv(&theirs, &mut longest))? > 8);
    Ok(())
}
