//! send_zc.

use std::io::Read;
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use corio_aio::op::{Any, Operation, Value};
use corio_aio::{self as aio, Cause, Mode, OwnedDescriptor, op};

use crate::positions;
use crate::scene::{Kept, Scene, cause, code, promises, stuff};
use crate::system::Code;

promises![
    a_send_zc_arrives_over_tcp_udp_and_unix,
    a_send_zc_of_nothing_is_zero,
    a_send_zc_has_let_go_of_its_buffer_when_it_is_complete,
    a_linked_send_zc_sends_many_megabytes,
    a_send_zc_is_answered_once_also_where_its_chain_ends_before,
    a_send_zc_works_in_each_place_of_a_chain,
    a_send_zc_fails_in_each_place_of_a_chain,
    a_send_zc_without_a_connection_is_epipe,
    a_send_zc_to_a_full_socket_can_be_canceled,
    a_send_zc_that_never_starts_is_answered_once,
    a_send_zc_that_nobody_reads_keeps_its_success_through_a_cancel,
    a_send_zc_is_supported,
];

fn a_send_zc_arrives_over_tcp_udp_and_unix(scene: &mut Scene) -> Kept {
    let ((tcp, peer), (unix, other)) = (scene.tcp(), scene.pair());
    let mut buf = [0; 8];
    let (n, m) = aio::multi((op::send_zc(&tcp, "hey"), op::recv(&peer, &mut buf)))?;
    assert_eq!((n, &buf[..m]), (3, &b"hey"[..]));
    let (n, m) = aio::multi((op::send_zc(&unix, "there"), op::recv(&other, &mut buf)))?;
    assert_eq!((n, &buf[..m]), (5, &b"there"[..]));
    let (ours, theirs) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    ours.connect(theirs.local_addr()?)?;
    let (n, m) = aio::multi((op::send_zc(&ours, "you"), op::recv(&theirs, &mut buf)))?;
    assert_eq!((n, &buf[..m]), (3, &b"you"[..]));
    let (ours, theirs) = scene.datagrams();
    let (n, m) = aio::multi((op::send_zc(&ours, "all"), op::recv(&theirs, &mut buf)))?;
    assert_eq!((n, &buf[..m]), (3, &b"all"[..]));
    Ok(())
}

fn a_send_zc_of_nothing_is_zero(scene: &mut Scene) -> Kept {
    let ((tcp, _peer), (unix, _other)) = (scene.tcp(), scene.pair());
    assert_eq!(aio::multi((op::send_zc(&tcp, ""), op::send_zc(&unix, "")))?, (0, 0));
    Ok(())
}

fn a_send_zc_has_let_go_of_its_buffer_when_it_is_complete(scene: &mut Scene) -> Kept {
    let (ours, mut theirs) = scene.tcp();
    let rounds = 64;
    let reader = thread::spawn(move || -> std::io::Result<bool> {
        let (mut buf, mut is_whole) = (vec![0; 1 << 16], true);
        for round in 0..rounds {
            theirs.read_exact(&mut buf)?;
            is_whole &= buf.iter().all(|byte| *byte == round as u8);
        }
        Ok(is_whole)
    });
    let mut buf = vec![0; 1 << 16];
    for round in 0..rounds {
        buf.fill(round as u8);
        assert_eq!(aio::single(op::send_zc(&ours, &buf).wait_all())?, buf.len());
        buf.fill(0xff);
    }
    assert!(reader.join().expect("no panic")?, "what was sent was changed afterwards");
    Ok(())
}

fn a_linked_send_zc_sends_many_megabytes(scene: &mut Scene) -> Kept {
    let bytes: Vec<u8> = (0..6 << 20).map(|index| (index % 251) as u8).collect();
    let (pair, tcp) = (scene.pair(), scene.tcp());
    let pairs: [(OwnedDescriptor, Box<dyn Read + Send>); 2] =
        [(pair.0.into(), Box::new(pair.1)), (tcp.0.into(), Box::new(tcp.1))];
    for (ours, mut theirs) in pairs {
        let reader = thread::spawn(move || {
            let mut back = Vec::new();
            theirs.read_to_end(&mut back).map(|_| back)
        });
        let (sent, last, ()) = aio::multi((
            op::send_zc(&ours, &bytes).soft(),
            op::send_zc(&ours, "the end").soft(),
            op::shutdown(&ours, Shutdown::Write),
        ))?;
        let back = reader.join().expect("no panic")?;
        assert_eq!((sent, last, back.len()), (bytes.len(), 7, bytes.len() + 7));
        assert!(back.starts_with(&bytes) && back.ends_with(b"the end"));
    }
    Ok(())
}

fn a_send_zc_is_answered_once_also_where_its_chain_ends_before(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(8);
    for _ in 0..50 {
        let (ours, mut theirs) = scene.tcp();
        let ours = Rc::new(ours);
        let batch = (
            op::send_zc(Rc::clone(&ours), vec![1; 20_000]).soft(),
            op::link_timeout(Duration::from_secs(60)).soft(),
            op::send(ours, b"!"),
        );
        let (sent, limit, last) = queue.queue_all(batch)?;
        let reader = thread::spawn(move || theirs.read_to_end(&mut Vec::new()));
        let mut done = Vec::new();
        while done.len() < 3 {
            done.extend(queue.complete(Mode::Blocking)?);
        }
        assert_eq!(queue.complete(Mode::NonBlocking)?, []);
        assert_eq!((sent.take(&mut queue)?, limit.take(&mut queue)), (20_000, Ok(())));
        assert_eq!(last.take(&mut queue)?, 1);
        assert_eq!(reader.join().expect("no panic")?, 20_001);
    }
    Ok(())
}

fn a_send_zc_works_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let ((tcp, _peer), (unix, _other)) = (scene.tcp(), scene.pair());
    let is_sent = |sent: &Value| matches!(sent, Value::Count(3));
    positions::succeeds(scene, || Any::new(op::send_zc(&tcp, "hey")), is_sent)?;
    positions::succeeds(scene, || Any::new(op::send_zc(&unix, "hey")), is_sent)
}

fn a_send_zc_fails_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (file, closed) = (scene.file(b""), scene.closed());
    positions::fails(scene, || Any::new(op::send_zc(&file, "x")), Code::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::send_zc(&closed, "x")), Code::EBADF)?;
    let ours = scene.alone();
    positions::fails(scene, || Any::new(op::send_zc(&ours, "x")), Code::EPIPE)?;
    let (ours, _theirs) = scene.tcp();
    ours.shutdown(Shutdown::Write)?;
    positions::fails(scene, || Any::new(op::send_zc(&ours, "x")), Code::EPIPE)?;
    Ok(())
}

fn a_send_zc_without_a_connection_is_epipe(_: &mut Scene) -> Kept {
    let socket = aio::single(op::socket(aio::Domain::IPV4, aio::Type::STREAM, None))?;
    assert_eq!(code(aio::single(op::send_zc(&socket, "x"))), Code::EPIPE);
    Ok(())
}

fn a_send_zc_to_a_full_socket_can_be_canceled(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.tcp();
    stuff(&ours, TcpStream::set_nonblocking)?;
    // The system looks again 200 ms later whether the receiver has room, and finds some, once.
    thread::sleep(Duration::from_millis(400));
    stuff(&ours, TcpStream::set_nonblocking)?;
    let send = positions::can_be_canceled(scene, op::send_zc(ours, vec![1; 1 << 16]))?;
    // To close the other waits, on WASI, until what was sent is taken.
    drop(theirs);
    drop(send);
    Ok(())
}

fn a_send_zc_that_never_starts_is_answered_once(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.tcp();
    let closed = scene.closed();
    let mut queue = scene.queue(8);
    queue.scope(|queue| -> Kept {
        for _ in 0..200 {
            let (failed, sent, nop) = queue.queue_all((
                op::recv(&closed, vec![0; 4]).soft(),
                op::send_zc(&ours, "never"),
                op::nop(),
            ))?;
            assert_eq!(queue.complete_all()?.len(), 3);
            assert_eq!(code(failed.take(queue)), Code::EBADF);
            assert_eq!((cause(sent.take(queue)), nop.take(queue)), (Cause::Canceled, Ok(())));
        }
        Ok(())
    })
}

fn a_send_zc_that_nobody_reads_keeps_its_success_through_a_cancel(scene: &mut Scene) -> Kept {
    let (ours, mut theirs) = scene.tcp();
    let mut queue = scene.queue(4);
    let bytes: Vec<u8> = (0..8 << 20).map(|index| (index % 251) as u8).collect();
    let sent = queue.queue(op::send_zc(ours, bytes.clone()))?;
    queue.complete(Mode::NonBlocking)?;
    queue.queue(op::cancel(sent.id()))?.detach(&mut queue);
    queue.complete(Mode::NonBlocking)?;
    let reader = thread::spawn(move || {
        let mut back = Vec::new();
        theirs.read_to_end(&mut back).map(|_| back)
    });
    queue.complete_all()?;
    let n = sent.take(&mut queue)?;
    let back = reader.join().expect("no panic")?;
    assert!(n > 0 && back == bytes[..n], "{n} were sent, {} came", back.len());
    Ok(())
}

fn a_send_zc_is_supported(scene: &mut Scene) -> Kept {
    let required = &[aio::OpKind::SendZc];
    scene.queue_with(1, aio::Options { required, ..aio::Options::default() });
    Ok(())
}
