//! Sockets and connections: socket, bind, listen, accept, connect; and their errors.

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::rc::Rc;

use crate::scene::{Kept, Scene, closes_on_exec, code, promises};
use crate::system::{Code, without_descriptors};
use corio_aio::{self as aio, Cause, Domain, Mode, Type, op, op::Operation};

promises![
    sockets_are_made_bound_listening_connected_and_accepted,
    a_new_socket_closes_on_exec,
    an_accepted_socket_closes_on_exec,
    a_socket_of_no_family_is_eafnosupport,
    a_bind_to_a_taken_address_is_eaddrinuse,
    a_listen_on_a_datagram_socket_is_eopnotsupp,
    an_accept_on_what_does_not_listen_is_einval,
    an_accept_without_descriptors_left_is_emfile_and_keeps_the_connection,
    an_accept_waits_for_a_connection,
    an_accept_that_is_canceled_late_gives_the_socket_or_leaves_it,
    an_accept_whose_result_is_dropped_leaks_nothing,
    a_connect_to_nobody_is_refused,
    operations_on_a_file_are_enotsock,
    operations_on_a_closed_handle_are_ebadf,
    operations_on_an_unconnected_socket_are_enotconn_or_epipe,
];

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn stream() -> Result<aio::Socket, aio::Error> {
    aio::single(op::socket(Domain::IPV4, Type::STREAM, None))
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
    assert!(closes_on_exec(&stream()?));
    let nop = op::nop().soft();
    let (_, socket) = aio::multi((nop, op::socket(Domain::IPV4, Type::STREAM, None)))?;
    assert!(closes_on_exec(socket));
    Ok(())
}

fn an_accepted_socket_closes_on_exec(scene: &mut Scene) -> Kept {
    let listener = scene.listener();
    let _client = TcpStream::connect(listener.local_addr()?)?;
    assert!(closes_on_exec(&aio::single(op::accept(&listener))?));
    Ok(())
}

fn a_socket_of_no_family_is_eafnosupport(_: &mut Scene) -> Kept {
    let result = aio::single(op::socket(Domain::from(9_999), Type::STREAM, None));
    assert_eq!(code(result), Code::EAFNOSUPPORT);
    Ok(())
}

fn a_bind_to_a_taken_address_is_eaddrinuse(scene: &mut Scene) -> Kept {
    let address = scene.listener().local_addr()?;
    let _taken = TcpListener::bind(address)?;
    let (at_once, later) = (stream()?, stream()?);
    assert_eq!(code(aio::single(op::bind(&at_once, address))), Code::EADDRINUSE);
    let (_, bound) = aio::complete((op::nop().soft(), op::bind(&later, address)))?;
    assert_eq!(code(bound), Code::EADDRINUSE);
    Ok(())
}

fn a_listen_on_a_datagram_socket_is_eopnotsupp(_: &mut Scene) -> Kept {
    let socket = UdpSocket::bind(ANY_PORT)?;
    assert_eq!(code(aio::single(op::listen(&socket))), Code::EOPNOTSUPP);
    Ok(())
}

fn an_accept_on_what_does_not_listen_is_einval(_: &mut Scene) -> Kept {
    assert_eq!(code(aio::single(op::accept(&stream()?))), Code::EINVAL);
    Ok(())
}

fn an_accept_without_descriptors_left_is_emfile_and_keeps_the_connection(
    scene: &mut Scene,
) -> Kept {
    let listener = scene.listener();
    let client = TcpStream::connect(listener.local_addr()?)?;
    let accepted = without_descriptors(|| aio::single(op::accept(&listener)));
    assert_eq!(code(accepted), Code::EMFILE);
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
    let listener = Rc::new(scene.listener());
    let _clients = [
        TcpStream::connect(listener.local_addr()?)?,
        TcpStream::connect(listener.local_addr()?)?,
        TcpStream::connect(listener.local_addr()?)?,
    ];
    let closed = scene.closed();
    let failed = aio::multi((op::accept(&listener), op::recv(&closed, &mut [0; 1])));
    assert_eq!(code(failed.map(drop)), Code::EBADF);
    let mut queue = scene.queue(2);
    queue.queue(op::accept(Rc::clone(&listener)))?.detach(&mut queue);
    queue.complete_all()?;
    let mut dropped = aio::Dynamic::new(2)?;
    let _ = dropped.queue(op::accept(Rc::clone(&listener)))?;
    dropped.complete_all()?;
    Ok(())
}

fn a_connect_to_nobody_is_refused(scene: &mut Scene) -> Kept {
    let address = scene.listener().local_addr()?;
    assert_eq!(code(aio::single(op::connect(&stream()?, address))), Code::ECONNREFUSED);
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
    assert_eq!([code(sent), code(received)], [Code::ENOTSOCK; 2]);
    assert_eq!(code(accepted), Code::ENOTSOCK);
    let rest = [connected, shut, bound, listens];
    assert_eq!(rest.map(code), [Code::ENOTSOCK; 4]);
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
    assert_eq!([code(sent), code(received)], [Code::EBADF; 2]);
    assert_eq!(code(accepted), Code::EBADF);
    let rest = [connected, shut, bound, listens];
    assert_eq!(rest.map(code), [Code::EBADF; 4]);
    Ok(())
}

fn operations_on_an_unconnected_socket_are_enotconn_or_epipe(_: &mut Scene) -> Kept {
    let socket = stream()?;
    assert_eq!(code(aio::single(op::recv(&socket, &mut [0; 4]))), Code::ENOTCONN);
    assert_eq!(code(aio::single(op::shutdown(&socket, Shutdown::Both))), Code::ENOTCONN);
    assert_eq!(code(aio::single(op::send(&socket, b"a"))), Code::EPIPE);
    Ok(())
}
