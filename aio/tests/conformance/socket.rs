//! socket, bind, listen, accept, connect, send, recv and shutdown.

use std::io::Read;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::Duration;

use corio_aio::{self as aio, Cause, Domain, Mode, SockAddr, Type, op, op::Operation};
use rustix::io::FdFlags;

use crate::file::without_descriptors;
use crate::scene::{Kept, Scene, cause, code, give, promises};

promises![
    sockets_are_made_bound_listening_connected_and_accepted,
    a_new_socket_closes_on_exec,
    an_accepted_socket_closes_on_exec,
    unix_sockets_connect_by_path,
    a_socket_of_no_family_is_eafnosupport,
    a_bind_to_a_taken_address_is_eaddrinuse,
    a_listen_on_a_datagram_socket_is_eopnotsupp,
    an_accept_on_what_does_not_listen_is_einval,
    an_accept_without_descriptors_left_is_emfile_and_keeps_the_connection,
    an_accept_waits_for_a_connection,
    an_accept_that_is_canceled_late_gives_the_socket_or_leaves_it,
    an_accept_whose_result_is_dropped_leaks_nothing,
    a_connect_to_nobody_is_refused,
    a_connect_to_a_missing_path_is_enoent,
    operations_on_a_file_are_enotsock,
    operations_on_a_closed_handle_are_ebadf,
    operations_on_an_unconnected_socket_are_enotconn_or_epipe,
    a_send_and_a_recv_meet_over_tcp_and_unix,
    a_recv_waits_for_bytes,
    a_recv_is_zero_once_the_peer_has_closed,
    a_recv_into_nothing_is_zero,
    a_send_of_nothing_is_zero,
    a_recv_leaves_the_rest_of_the_buffer_alone,
    a_canceled_recv_completes_as_canceled_and_leaves_the_buffer_alone,
    a_canceled_recv_of_all_reports_the_bytes_that_came,
    a_recv_that_is_canceled_late_loses_no_byte,
    a_recv_from_a_peer_that_reset_is_econnreset,
    a_send_to_a_peer_that_is_gone_is_epipe,
    a_peek_leaves_the_bytes,
    a_truncated_datagram_tells_its_length,
    a_recv_of_all_waits_for_all,
    a_recv_of_all_is_short_if_the_peer_closes,
    a_send_of_all_sends_many_megabytes,
    a_linked_send_sends_many_megabytes,
    out_of_band_data_comes_out_of_band,
    bytes_of_which_more_follow_arrive,
    a_shutdown_ends_one_direction,
    a_shutdown_ends_a_pending_recv,
    datagrams_keep_their_bounds,
];

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const SHORT: Duration = Duration::from_millis(5);

fn stream() -> Result<aio::Socket, aio::Error> {
    aio::single(op::socket(Domain::IPV4, Type::STREAM, None))
}

fn closes_on_exec(fd: impl AsFd) -> bool {
    rustix::io::fcntl_getfd(fd).is_ok_and(|flags| flags.contains(FdFlags::CLOEXEC))
}

fn sockets_are_made_bound_listening_connected_and_accepted(_: &mut Scene) -> Kept {
    let (listener, client) = (stream()?, stream()?);
    aio::multi((op::bind(&listener, ANY_PORT).soft(), op::listen(&listener)))?;
    let address = listener.local_addr()?;
    let (server, ()) = aio::multi((op::accept(&listener), op::connect(&client, address)))?;
    let mut buf = [0; 8];
    let (_, n) = aio::multi((op::send(&client, b"hey").soft(), op::recv(&server, &mut buf)))?;
    assert_eq!(&buf[..n], b"hey");
    Ok(())
}

fn a_new_socket_closes_on_exec(_: &mut Scene) -> Kept {
    assert!(closes_on_exec(stream()?));
    let nop = op::nop().soft();
    let (_, socket) = aio::multi((nop, op::socket(Domain::IPV4, Type::STREAM, None)))?;
    assert!(closes_on_exec(socket));
    Ok(())
}

fn an_accepted_socket_closes_on_exec(scene: &mut Scene) -> Kept {
    let listener = scene.listener();
    let _client = TcpStream::connect(listener.local_addr()?)?;
    assert!(closes_on_exec(aio::single(op::accept(&listener))?));
    Ok(())
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

fn a_socket_of_no_family_is_eafnosupport(_: &mut Scene) -> Kept {
    let result = aio::single(op::socket(Domain::from(9_999), Type::STREAM, None));
    assert_eq!(code(result), libc::EAFNOSUPPORT);
    Ok(())
}

fn a_bind_to_a_taken_address_is_eaddrinuse(scene: &mut Scene) -> Kept {
    let address = scene.listener().local_addr()?;
    let _taken = TcpListener::bind(address)?;
    let (at_once, later) = (stream()?, stream()?);
    assert_eq!(code(aio::single(op::bind(&at_once, address))), libc::EADDRINUSE);
    let (_, bound) = aio::complete((op::nop().soft(), op::bind(&later, address)))?;
    assert_eq!(code(bound), libc::EADDRINUSE);
    Ok(())
}

fn a_listen_on_a_datagram_socket_is_eopnotsupp(_: &mut Scene) -> Kept {
    let socket = UdpSocket::bind(ANY_PORT)?;
    assert_eq!(code(aio::single(op::listen(&socket))), libc::EOPNOTSUPP);
    Ok(())
}

fn an_accept_on_what_does_not_listen_is_einval(_: &mut Scene) -> Kept {
    assert_eq!(code(aio::single(op::accept(&stream()?))), libc::EINVAL);
    Ok(())
}

fn an_accept_without_descriptors_left_is_emfile_and_keeps_the_connection(
    scene: &mut Scene,
) -> Kept {
    let listener = scene.listener();
    let client = TcpStream::connect(listener.local_addr()?)?;
    let accepted = without_descriptors(|| aio::single(op::accept(&listener)));
    assert_eq!(code(accepted), libc::EMFILE);
    let server = aio::single(op::accept(&listener))?;
    assert_eq!(server.peer_addr()?.as_socket(), Some(client.local_addr()?));
    Ok(())
}

fn an_accept_waits_for_a_connection(scene: &mut Scene) -> Kept {
    let listener = scene.listener();
    let address = listener.local_addr()?;
    let mut queue = scene.queue(2);
    let accepted = queue.queue(op::accept(listener))?;
    assert_eq!(queue.complete(Mode::NonBlocking)?, []);
    let client = TcpStream::connect(address)?;
    assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
    let server = accepted.take(&mut queue)?;
    assert_eq!(server.peer_addr()?.as_socket(), Some(client.local_addr()?));
    Ok(())
}

fn an_accept_that_is_canceled_late_gives_the_socket_or_leaves_it(scene: &mut Scene) -> Kept {
    let listener = scene.listener();
    let address = listener.local_addr()?;
    let mut queue = scene.queue(4);
    let (mut given, mut left) = (0, 0);
    queue.scope(|queue| -> Kept {
        for round in 0..200 {
            let accepted = queue.queue(op::accept(&listener))?;
            queue.complete(Mode::NonBlocking)?;
            let early = (round % 2 == 0).then(|| TcpStream::connect(address));
            queue.queue(op::cancel(accepted.id()))?.detach(queue);
            let _client = early.unwrap_or_else(|| TcpStream::connect(address))?;
            queue.complete_all()?;
            match accepted.take(queue) {
                Ok(_socket) => given += 1,
                Err(error) => {
                    assert_eq!(error.cause(), Cause::Canceled);
                    aio::single(op::accept(&listener))?;
                    left += 1;
                }
            }
        }
        Ok(())
    })?;
    assert_eq!(given + left, 200);
    Ok(())
}

fn an_accept_whose_result_is_dropped_leaks_nothing(scene: &mut Scene) -> Kept {
    let listener = scene.listener();
    let _clients = [
        TcpStream::connect(listener.local_addr()?)?,
        TcpStream::connect(listener.local_addr()?)?,
        TcpStream::connect(listener.local_addr()?)?,
    ];
    let closed = scene.closed();
    let failed = aio::multi((op::accept(&listener), op::recv(&closed, &mut [0; 1])));
    assert_eq!(code(failed.map(drop)), libc::EBADF);
    let mut queue = scene.queue(2);
    queue.queue(op::accept(listener.try_clone()?))?.detach(&mut queue);
    queue.complete_all()?;
    let dropped = aio::Dynamic::with_options(2, scene.options())?;
    let mut dropped = dropped;
    std::mem::forget(dropped.queue(op::accept(listener.try_clone()?))?);
    dropped.complete_all()?;
    Ok(())
}

fn a_connect_to_nobody_is_refused(scene: &mut Scene) -> Kept {
    let address = scene.listener().local_addr()?;
    assert_eq!(code(aio::single(op::connect(&stream()?, address))), libc::ECONNREFUSED);
    Ok(())
}

fn a_connect_to_a_missing_path_is_enoent(scene: &mut Scene) -> Kept {
    let address = SockAddr::unix(scene.path())?;
    let socket = aio::single(op::socket(Domain::UNIX, Type::STREAM, None))?;
    assert_eq!(code(aio::single(op::connect(&socket, address))), libc::ENOENT);
    Ok(())
}

fn operations_on_a_file_are_enotsock(scene: &mut Scene) -> Kept {
    let file = scene.file(b"contents");
    let (sent, received, accepted, connected, shut, bound, listens) = aio::complete((
        op::send(&file, b"a"),
        op::recv(&file, &mut [0; 4]),
        op::accept(&file),
        op::connect(&file, ANY_PORT),
        op::shutdown(&file, Shutdown::Both),
        op::bind(&file, ANY_PORT),
        op::listen(&file),
    ))?;
    assert_eq!([code(sent), code(received)], [libc::ENOTSOCK; 2]);
    assert_eq!(code(accepted), libc::ENOTSOCK);
    let rest = [connected, shut, bound, listens];
    assert_eq!(rest.map(code), [libc::ENOTSOCK; 4]);
    Ok(())
}

fn operations_on_a_closed_handle_are_ebadf(scene: &mut Scene) -> Kept {
    let closed = scene.closed();
    let (sent, received, accepted, connected, shut, bound, listens) = aio::complete((
        op::send(&closed, b"a"),
        op::recv(&closed, &mut [0; 4]),
        op::accept(&closed),
        op::connect(&closed, ANY_PORT),
        op::shutdown(&closed, Shutdown::Both),
        op::bind(&closed, ANY_PORT),
        op::listen(&closed),
    ))?;
    assert_eq!([code(sent), code(received)], [libc::EBADF; 2]);
    assert_eq!(code(accepted), libc::EBADF);
    let rest = [connected, shut, bound, listens];
    assert_eq!(rest.map(code), [libc::EBADF; 4]);
    Ok(())
}

fn operations_on_an_unconnected_socket_are_enotconn_or_epipe(_: &mut Scene) -> Kept {
    let socket = stream()?;
    assert_eq!(code(aio::single(op::recv(&socket, &mut [0; 4]))), libc::ENOTCONN);
    assert_eq!(code(aio::single(op::shutdown(&socket, Shutdown::Both))), libc::ENOTCONN);
    assert_eq!(code(aio::single(op::send(&socket, b"a"))), libc::EPIPE);
    Ok(())
}

fn a_send_and_a_recv_meet_over_tcp_and_unix(scene: &mut Scene) -> Kept {
    let (client, server) = scene.tcp();
    let mut buf = [0; 8];
    let (_, n) = aio::multi((op::send(&client, "hey"), op::recv(&server, &mut buf)))?;
    assert_eq!(&buf[..n], b"hey");
    let (client, server) = scene.unix();
    let (n, _) = aio::multi((op::recv(&server, &mut buf), op::send(&client, "there")))?;
    assert_eq!(&buf[..n], b"there");
    Ok(())
}

fn a_recv_waits_for_bytes(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    let mut queue = scene.queue(2);
    let received = queue.queue(op::recv(ours, vec![0; 8]))?;
    assert_eq!(queue.complete(Mode::NonBlocking)?, []);
    give(&theirs, b"now");
    assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
    assert_eq!(received.take(&mut queue)?, 3);
    Ok(())
}

fn a_recv_is_zero_once_the_peer_has_closed(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.tcp();
    drop(theirs);
    assert_eq!(aio::single(op::recv(&ours, &mut [0; 4]))?, 0);
    Ok(())
}

fn a_recv_into_nothing_is_zero(scene: &mut Scene) -> Kept {
    let ((tcp, _peer), (unix, _other)) = (scene.tcp(), scene.unix());
    let limit = || op::link_timeout(Duration::from_millis(200));
    let ours = aio::multi((op::recv(&tcp, &mut []).soft(), limit()));
    let others = aio::multi((op::recv(&unix, &mut []).soft(), limit()));
    assert_eq!((ours, others), (Ok((0, ())), Ok((0, ()))), "over TCP, over Unix");
    Ok(())
}

fn a_send_of_nothing_is_zero(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.unix();
    assert_eq!(aio::single(op::send(&ours, b""))?, 0);
    Ok(())
}

fn a_recv_leaves_the_rest_of_the_buffer_alone(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    give(&theirs, b"abc");
    let mut buf = [7; 6];
    assert_eq!(aio::single(op::recv(&ours, &mut buf))?, 3);
    assert_eq!(&buf, b"abc\x07\x07\x07");
    Ok(())
}

fn a_canceled_recv_completes_as_canceled_and_leaves_the_buffer_alone(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    let mut buf = [7; 4];
    let mut queue = scene.queue(2);
    queue.scope(|queue| -> Kept {
        let received = queue.queue(op::recv(&ours, &mut buf))?;
        queue.complete(Mode::NonBlocking)?;
        let canceled = queue.queue(op::cancel(received.id()))?;
        queue.complete_all()?;
        assert_eq!(canceled.take(queue), Ok(()));
        assert_eq!(cause(received.take(queue)), Cause::Canceled);
        give(&theirs, b"late");
        Ok(())
    })?;
    assert_eq!(aio::single(op::recv(&ours, &mut [0; 8]))?, 4);
    assert_eq!(buf, [7; 4]);
    Ok(())
}

fn a_canceled_recv_of_all_reports_the_bytes_that_came(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    let mut queue = scene.queue(2);
    let received = queue.queue(op::recv(ours, vec![7; 8]).wait_all())?;
    give(&theirs, b"some");
    queue.complete(Mode::NonBlocking)?;
    queue.queue(op::cancel(received.id()))?.detach(&mut queue);
    queue.complete_all()?;
    let (result, recv) = received.recover(&mut queue)?;
    assert_eq!((result?, &recv.buf[..]), (4, &b"some\x07\x07\x07\x07"[..]));
    Ok(())
}

fn a_recv_that_is_canceled_late_loses_no_byte(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    let mut queue = scene.queue(4);
    queue.scope(|queue| -> Kept {
        for round in 0..500u32 {
            let received = queue.queue(op::recv(&ours, vec![0; 4]))?;
            queue.complete(Mode::NonBlocking)?;
            queue.queue(op::cancel(received.id()))?.detach(queue);
            give(&theirs, &round.to_ne_bytes());
            queue.complete_all()?;
            let (result, mut recv) = received.recover(queue)?;
            match result {
                Ok(n) => assert_eq!(n, 4),
                Err(error) => {
                    assert_eq!((error.cause(), &recv.buf[..]), (Cause::Canceled, &[0; 4][..]));
                    assert_eq!(aio::single(op::recv(&ours, &mut recv.buf))?, 4);
                }
            }
            assert_eq!(recv.buf, round.to_ne_bytes());
        }
        Ok(())
    })
}

fn a_recv_from_a_peer_that_reset_is_econnreset(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.tcp();
    socket2::SockRef::from(&theirs).set_linger(Some(Duration::ZERO))?;
    drop(theirs);
    assert_eq!(code(aio::single(op::recv(&ours, &mut [0; 4]))), libc::ECONNRESET);
    Ok(())
}

fn a_send_to_a_peer_that_is_gone_is_epipe(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    drop(theirs);
    assert_eq!(code(aio::single(op::send(&ours, b"a"))), libc::EPIPE);
    Ok(())
}

fn a_peek_leaves_the_bytes(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    give(&theirs, b"bytes");
    let (mut one, mut two) = ([0; 5], [0; 5]);
    aio::single(op::recv(&ours, &mut one).peek())?;
    aio::single(op::recv(&ours, &mut two))?;
    assert_eq!((&one, &two), (b"bytes", b"bytes"));
    Ok(())
}

fn a_truncated_datagram_tells_its_length(_: &mut Scene) -> Kept {
    let (ours, theirs) = UnixDatagram::pair()?;
    let mut buf = [0; 3];
    theirs.send(b"contents")?;
    assert_eq!(aio::single(op::recv(&ours, &mut buf).truncate())?, 8);
    assert_eq!(&buf, b"con");
    theirs.send(b"contents")?;
    assert_eq!(aio::single(op::recv(&ours, &mut buf))?, 3);
    Ok(())
}

fn a_recv_of_all_waits_for_all(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    let mut buf = [0; 8];
    let (n, ..) = aio::multi((
        op::recv(&ours, &mut buf).wait_all(),
        op::send(&theirs, b"half").soft(),
        op::timeout(SHORT).soft(),
        op::send(&theirs, b"full"),
    ))?;
    assert_eq!((n, &buf), (8, b"halffull"));
    Ok(())
}

fn a_recv_of_all_is_short_if_the_peer_closes(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.unix();
    give(&theirs, b"half");
    drop(theirs);
    let mut buf = [7; 8];
    let all = op::recv(&ours, &mut buf).wait_all().soft();
    let (received, nop) = aio::complete((all, op::nop()))?;
    assert_eq!((received?, cause(nop)), (4, Cause::Canceled));
    Ok(())
}

const MANY: usize = 8 << 20;

fn many_bytes() -> Vec<u8> {
    (0..MANY).map(|index| (index % 251) as u8).collect()
}

fn a_send_of_all_sends_many_megabytes(scene: &mut Scene) -> Kept {
    let bytes = many_bytes();
    for (ours, theirs) in [scene.unix().into_fds(), scene.tcp().into_fds()] {
        let mut back = vec![0; MANY];
        let (sent, received) = aio::multi((
            op::send(&ours, &bytes).wait_all(),
            op::recv(&theirs, &mut back).wait_all(),
        ))?;
        assert_eq!((sent, received), (MANY, MANY));
        assert!(back == bytes);
    }
    Ok(())
}

fn a_linked_send_sends_many_megabytes(scene: &mut Scene) -> Kept {
    let bytes = many_bytes();
    let (ours, mut theirs) = scene.unix();
    let reader = thread::spawn(move || {
        let mut back = Vec::new();
        theirs.read_to_end(&mut back).map(|_| back)
    });
    let (sent, last) = aio::multi((
        op::send(&ours, &bytes).soft(),
        op::send(&ours, b"the end").soft(),
        op::close(ours.try_clone()?),
    ))
    .map(|(sent, last, ())| (sent, last))?;
    drop(ours);
    let back = reader.join().expect("no panic")?;
    assert_eq!((sent, last, back.len()), (MANY, 7, MANY + 7));
    assert!(back.starts_with(&bytes) && back.ends_with(b"the end"));
    Ok(())
}

trait IntoFds {
    fn into_fds(self) -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd);
}

impl<S: Into<std::os::fd::OwnedFd>> IntoFds for (S, S) {
    fn into_fds(self) -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
        (self.0.into(), self.1.into())
    }
}

fn out_of_band_data_comes_out_of_band(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.tcp();
    aio::multi((op::send(&theirs, b"in band").soft(), op::send(&theirs, b"!").out_of_band()))?;
    let mut urgent = [0; 1];
    aio::multi((
        op::poll(&ours, op::Events::PRIORITY).soft(),
        op::recv(&ours, &mut urgent).out_of_band(),
    ))?;
    assert_eq!(&urgent, b"!");
    assert_eq!(aio::single(op::recv(&ours, &mut [0; 16]))?, 7);
    Ok(())
}

fn bytes_of_which_more_follow_arrive(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.tcp();
    aio::multi((op::send(&theirs, b"one ").more().soft(), op::send(&theirs, b"packet")))?;
    let mut buf = [0; 10];
    aio::single(op::recv(&ours, &mut buf).wait_all())?;
    assert_eq!(&buf, b"one packet");
    Ok(())
}

fn a_shutdown_ends_one_direction(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.tcp();
    aio::multi((op::send(&ours, b"last").soft(), op::shutdown(&ours, Shutdown::Write)))?;
    assert_eq!(aio::single(op::recv(&theirs, &mut [0; 8]))?, 4);
    assert_eq!(aio::single(op::recv(&theirs, &mut [0; 8]))?, 0);
    assert_eq!(code(aio::single(op::send(&ours, b"more"))), libc::EPIPE);
    aio::single(op::send(&theirs, b"answer"))?;
    assert_eq!(aio::single(op::recv(&ours, &mut [0; 8]))?, 6);
    Ok(())
}

fn a_shutdown_ends_a_pending_recv(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.unix();
    let (n, ()) = aio::multi((op::recv(&ours, &mut [0; 8]), op::shutdown(&ours, Shutdown::Both)))?;
    assert_eq!(n, 0);
    Ok(())
}

fn datagrams_keep_their_bounds(_: &mut Scene) -> Kept {
    let (ours, theirs) = UnixDatagram::pair()?;
    aio::multi((op::send(&theirs, b"one").soft(), op::send(&theirs, b"three")))?;
    let n = aio::multi((op::recv(&ours, &mut [0; 8]).soft(), op::recv(&ours, &mut [0; 8])))?;
    assert_eq!(n, (3, 5));
    Ok(())
}
