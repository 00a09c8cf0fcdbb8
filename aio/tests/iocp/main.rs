//! What is special about Windows: handles of all kinds, whoever else uses them, on any ring.

#![cfg(windows)]

#[expect(unsafe_code, reason = "types at a console")]
mod console;
mod files;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use corio_aio::op::{self, Events, Operation};
use corio_aio::{self as aio, Cause, Closing, Cwd, Dynamic, EventSource, Mode};

const SOON: Duration = Duration::from_millis(20);

/// Two ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
    let ours = TcpStream::connect(listener.local_addr().expect("its own")).expect("a peer");
    (ours, listener.accept().expect("a peer").0)
}

fn canceled<T>(result: Result<T, aio::Error>) -> bool {
    matches!(result.map_err(|error| error.cause()), Err(Cause::Canceled))
}

#[test]
fn bytes_go_to_and_fro_between_sockets() {
    let (ours, theirs) = pair();
    let mut buf = [0; 16];
    for round in 0..100_u8 {
        let (sent, n) = aio::multi((op::send(&ours, &[round; 5]), op::recv(&theirs, &mut buf)))
            .expect("a round");
        assert_eq!((sent, n, buf[4]), (5, 5, round));
    }
    drop(ours);
    assert_eq!(aio::single(op::recv(&theirs, &mut buf)).expect("the end"), 0);
}

#[test]
fn a_connection_is_made_by_operations_alone() {
    let address: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let (domain, kind) = (aio::Domain::IPV4, aio::Type::STREAM);
    let listener = aio::single(op::socket(domain, kind, None)).expect("a socket");
    aio::single(op::bind(&listener, address)).expect("bound");
    aio::single(op::listen(&listener)).expect("listening");
    let address = listener.local_addr().expect("its own");
    let client = aio::single(op::socket(domain, kind, None)).expect("a socket");
    let (accepted, ()) =
        aio::multi((op::accept(&listener), op::connect(&client, address))).expect("a connection");
    let mut buf = [0; 8];
    let (_, n) =
        aio::multi((op::send(&client, "hey"), op::recv(&accepted, &mut buf))).expect("hey");
    assert_eq!(&buf[..n], b"hey");
    let peer = accepted.peer_addr().expect("connected").as_socket();
    assert_eq!(peer, client.local_addr().expect("bound").as_socket());
}

#[test]
fn a_socket_is_used_by_the_rings_of_several_threads() {
    let (ours, theirs) = pair();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let mut buf = [0; 1];
                    let both = (op::send(&ours, b"x"), op::recv(&theirs, &mut buf));
                    aio::multi(both).expect("a byte for each");
                }
            });
        }
    });
}

#[test]
fn what_others_do_with_a_socket_between_operations_does_no_harm() {
    let (mut ours, mut theirs) = pair();
    let mut buf = [0; 8];
    aio::single(op::send(&ours, "one")).expect("sent");
    theirs.read_exact(&mut buf[..3]).expect("received");
    ours.write_all(b"two").expect("sent");
    assert_eq!(aio::single(op::recv(&theirs, &mut buf)).expect("received"), 3);
    assert_eq!(&buf[..3], b"two");
    // A number that comes again is another socket.
    for _ in 0..20 {
        let (ours, theirs) = pair();
        let both = (op::send(&ours, "again"), op::recv(&theirs, &mut buf));
        assert_eq!(aio::multi(both).expect("a pair"), (5, 5));
    }
}

#[test]
fn a_receive_ends_when_it_is_canceled_and_the_next_one_is_whole() {
    let (ours, theirs) = pair();
    let mut buf = [0; 8];
    for _ in 0..10 {
        let (received, limit) = aio::complete((
            op::recv(&theirs, &mut buf).soft(),
            op::link_timeout(Duration::from_millis(2)),
        ))
        .expect("a ring");
        assert!(canceled(received));
        assert_eq!(limit.map_err(|error| error.cause()), Err(Cause::Expired));
    }
    let both = (op::send(&ours, "whole"), op::recv(&theirs, &mut buf));
    assert_eq!(aio::multi(both).expect("a pair"), (5, 5));
}

#[test]
fn an_accept_ends_when_it_is_canceled_and_the_next_one_gets_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
    for _ in 0..5 {
        let (accepted, _) = aio::complete((
            op::accept(&listener).soft(),
            op::link_timeout(Duration::from_millis(2)),
        ))
        .expect("a ring");
        assert!(canceled(accepted));
    }
    let client = TcpStream::connect(listener.local_addr().expect("its own")).expect("a peer");
    let accepted = aio::single(op::accept(&listener)).expect("a connection");
    let peer = accepted.peer_addr().expect("connected").as_socket();
    assert_eq!(peer, Some(client.local_addr().expect("bound")));
}

#[test]
fn nobody_listens_is_an_error_of_connect() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
    let address = listener.local_addr().expect("its own");
    drop(listener);
    let socket = aio::Socket::new(aio::Domain::IPV4, aio::Type::STREAM, None).expect("a socket");
    let error = aio::single(op::connect(&socket, address)).expect_err("nobody listens");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn all_of_a_long_message_is_received_where_that_is_asked_for() {
    let (ours, theirs) = pair();
    let sent: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
    let mut buf = vec![0; sent.len()];
    let send = op::send(&ours, &sent).wait_all();
    let both = (send, op::recv(&theirs, &mut buf).wait_all());
    assert_eq!(aio::multi(both).expect("all of it"), (sent.len(), sent.len()));
    assert!(buf == sent);
}

#[test]
fn datagrams_have_senders_and_are_cut() {
    let ours = UdpSocket::bind("127.0.0.1:0").expect("an address");
    let theirs = UdpSocket::bind("127.0.0.1:0").expect("an address");
    let to = theirs.local_addr().expect("its own");
    let mut buf = [0; 4];
    let send = op::send_msg(&ours, ["long", "er"]).to(to);
    let (_, received) = aio::multi((send, op::recv_msg(&theirs, [&mut buf]))).expect("a datagram");
    assert_eq!((received.len, received.is_truncated), (4, true));
    let from = received.address.and_then(|address| address.as_socket());
    assert_eq!(from, Some(ours.local_addr().expect("its own")));
    assert_eq!(&buf, b"long");
    let both = (op::send_msg(&ours, ["longer"]).to(to), op::recv(&theirs, &mut buf));
    assert_eq!(aio::multi(both).expect("a datagram").1, 4);
}

#[test]
fn a_read_of_a_pipe_waits_ends_and_can_be_canceled() {
    let (reader, writer) = aio::single(op::pipe()).expect("a pipe");
    let mut buf = [0; 8];
    let (read, _) = aio::complete((
        op::read(&reader, &mut buf).soft(),
        op::link_timeout(Duration::from_millis(2)),
    ))
    .expect("a ring");
    assert!(canceled(read));
    let both = (op::write(&writer, "through"), op::read(&reader, &mut buf));
    assert_eq!(aio::multi(both).expect("a pipe"), (7, 7));
    drop(writer);
    assert_eq!(aio::single(op::read(&reader, &mut buf)).expect("the end"), 0);
    let (reader, writer) = aio::single(op::pipe()).expect("a pipe");
    drop(reader);
    let error = aio::single(op::write(&writer, "x")).expect_err("nobody reads");
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[test]
fn what_a_child_says_is_read_and_its_end_is_noticed() {
    let mut child = Command::new("cmd")
        .args(["/c", "echo hey& exit 3"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let output = child.stdout.take().expect("a pipe");
    let mut said = Vec::new();
    let mut buf = [0; 64];
    loop {
        match aio::single(op::read(&output, &mut buf)).expect("its output") {
            0 => break,
            n => said.extend_from_slice(&buf[..n]),
        }
    }
    assert_eq!(String::from_utf8_lossy(&said).trim(), "hey");
    let status = aio::single(op::child_exit(&mut child)).expect("its end");
    assert_eq!(status.code(), Some(3));
}

#[test]
fn a_child_that_is_waited_for_in_vain_can_be_waited_for_again() {
    let mut child = Command::new("cmd")
        .args(["/c", "pause"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("a child");
    let (exited, _) = aio::complete((
        op::child_exit(&mut child).soft(),
        op::link_timeout(Duration::from_millis(2)),
    ))
    .expect("a ring");
    assert!(canceled(exited));
    child.kill().expect("a child");
    assert!(!aio::single(op::child_exit(&mut child)).expect("its end").success());
}

#[test]
fn an_event_source_wakes_operations_and_threads_one_by_one() {
    let source = EventSource::new().expect("a source");
    let (waited, _) = aio::complete((
        op::wait_event_source(&source).soft(),
        op::link_timeout(Duration::from_millis(2)),
    ))
    .expect("a ring");
    assert!(canceled(waited));
    thread::scope(|scope| {
        let other = scope.spawn(|| aio::single(op::wait_event_source(&source)));
        thread::sleep(SOON);
        source.notify().expect("notified");
        other.join().expect("no panic").expect("woken");
        let other = scope.spawn(|| source.wait());
        aio::single(op::notify_event_source(&source)).expect("notified");
        other.join().expect("no panic").expect("woken");
    });
}

#[test]
fn a_socket_says_when_it_is_ready() {
    let (ours, theirs) = pair();
    let ready = aio::single(op::poll(&ours, Events::WRITABLE)).expect("ready");
    assert!(ready.contains(Events::WRITABLE));
    let (polled, _) = aio::complete((
        op::poll(&ours, Events::READABLE).soft(),
        op::link_timeout(Duration::from_millis(2)),
    ))
    .expect("a ring");
    assert!(canceled(polled));
    let (polled, _) =
        aio::complete((op::poll(&ours, Events::READABLE), op::send(&theirs, "x"))).expect("a ring");
    assert!(polled.expect("ready").contains(Events::READABLE));
    let file = tempfile::tempfile().expect("a file");
    assert_eq!(aio::single(op::poll(&file, Events::READABLE)), Ok(Events::READABLE));
    let (reader, _writer) = aio::single(op::pipe()).expect("a pipe");
    let error = aio::single(op::poll(&reader, Events::READABLE)).expect_err("not a socket");
    assert_eq!(error.cause(), Cause::Unsupported);
}

#[test]
fn timeouts_are_never_early() {
    for span in [1, 3, 20].map(Duration::from_millis) {
        let start = Instant::now();
        aio::single(op::timeout(span)).expect("a timeout");
        let took = start.elapsed();
        assert!(took >= span, "{took:?}");
        assert!(took < span + Duration::from_millis(200), "{took:?}");
    }
}

#[test]
fn closing_a_socket_ends_what_is_in_flight_on_it() {
    let (ours, theirs) = pair();
    let ours = Closing::new(ours);
    let mut buf = [0; 8];
    let (received, closed) =
        aio::complete((op::recv(&ours, &mut buf), op::close(&ours))).expect("a ring");
    assert!(canceled(received));
    assert_eq!(closed, Ok(()));
    drop(ours);
    assert_eq!(aio::single(op::recv(&theirs, &mut buf)).expect("the end"), 0);
}

#[test]
fn a_socket_that_is_shut_down_ends_a_receive_that_waits() {
    let (ours, _theirs) = pair();
    let mut buf = [0; 8];
    let both = (op::recv(&ours, &mut buf), op::shutdown(&ours, std::net::Shutdown::Read));
    assert_eq!(aio::multi(both).expect("an end"), (0, ()));
}

#[test]
fn a_ring_that_is_dropped_waits_for_what_it_has_stopped() {
    let (ours, theirs) = pair();
    let mut ring = Dynamic::new(8).expect("a ring");
    let _ticket =
        ring.queue(op::recv(theirs.try_clone().expect("a socket"), vec![0; 64])).expect("queued");
    ring.complete(Mode::NonBlocking).expect("nothing");
    drop(ring);
    let mut buf = [0; 8];
    let both = (op::send(&ours, "alive"), op::recv(&theirs, &mut buf));
    assert_eq!(aio::multi(both).expect("a pair"), (5, 5));
}

#[test]
fn what_one_ring_of_a_thread_has_started_may_be_told_while_another_one_waits() {
    let ((ours, theirs), (other, _silent)) = (pair(), pair());
    let mut buf = [0; 8];
    for _ in 0..100 {
        // Its end is told once more, by a routine that runs while the queue waits.
        assert_eq!(aio::single(op::send(&ours, b"x")).expect("sent"), 1);
        let mut queue = Dynamic::new(2).expect("a ring");
        let received = queue.queue(op::recv(theirs.try_clone().expect("a socket"), vec![0; 1]));
        received.expect("room").detach(&mut queue);
        let silent = queue.queue(op::recv(other.try_clone().expect("a socket"), vec![0; 1]));
        silent.expect("room").detach(&mut queue);
        assert_eq!(queue.complete(Mode::Blocking).expect("a ring").len(), 1);
        drop(queue);
    }
    // And the other way round.
    let mut queue = Dynamic::new(2).expect("a ring");
    let received = queue.queue(op::recv(theirs.try_clone().expect("a socket"), vec![0; 8]));
    received.expect("room").detach(&mut queue);
    queue.complete(Mode::NonBlocking).expect("a ring");
    let both = (op::send(&ours, b"late"), op::timeout(SOON));
    aio::multi(both).expect("sent");
    assert_eq!(queue.complete(Mode::Blocking).expect("a ring").len(), 1);
    let _ = aio::race((op::recv(&other, &mut buf), op::timeout(SOON)));
}

#[test]
fn a_great_many_operations_that_are_complete_at_once_take_no_more_memory_than_some() {
    let dir = tempfile::tempdir().expect("a directory");
    let open = op::open_at(Cwd, dir.path().join("file")).read_write().create().overlapped();
    let file = aio::single(open).expect("a file");
    let (ours, theirs) = pair();
    let mut buf = [0; 4];
    for round in 0..2_000_u32 {
        let bytes = round.to_ne_bytes();
        aio::single(op::write(&file, &bytes).at(0)).expect("written");
        aio::single(op::read(&file, &mut buf).at(0)).expect("read");
        assert_eq!(buf, bytes);
        aio::single(op::send(&ours, &bytes)).expect("sent");
        aio::single(op::recv(&theirs, &mut buf)).expect("received");
        assert_eq!(buf, bytes);
    }
}

#[test]
fn a_file_that_is_closed_is_no_file() {
    let file = Closing::new(tempfile::tempfile().expect("a file"));
    aio::single(op::close(&file)).expect("closed");
    let error = aio::single(op::read(&file, [0; 8].to_vec())).expect_err("closed");
    assert_eq!(error.cause(), Cause::Os(6));
}
