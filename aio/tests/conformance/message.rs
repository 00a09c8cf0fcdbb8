//! send_msg, recv_msg and send_zc.

use std::fs::File;
use std::io::Read;
use std::net::{Shutdown, UdpSocket};
use std::thread;
use std::time::Duration;

use corio_aio::op::{Any, Operation, Value};
use corio_aio::{self as aio, Cause, Mode, OwnedDescriptor, op};

use crate::positions;
use crate::scene::{Kept, Scene, closes_on_exec, code, give, promises, stuff};
use crate::system::{Code, Stream, without_descriptors};

promises![
    a_message_goes_from_several_buffers_into_several,
    a_message_of_no_buffers_or_no_bytes_is_empty,
    the_address_of_the_sender_comes_with_a_datagram,
    a_datagram_goes_to_its_address,
    a_datagram_that_is_longer_than_its_buffers_is_truncated,
    a_truncated_message_tells_its_length,
    a_peek_leaves_the_message,
    a_peek_leaves_the_descriptors,
    a_recv_msg_of_all_waits_for_all,
    a_recv_msg_is_zero_once_the_peer_has_closed,
    out_of_band_data_comes_out_of_band_in_messages,
    a_linked_send_msg_sends_many_megabytes,
    a_linked_send_msg_sends_descriptors_with_many_megabytes,
    descriptors_come_with_their_message_and_close_on_exec,
    descriptors_that_nobody_takes_are_closed,
    descriptors_without_room_are_closed_and_missed,
    descriptors_that_the_process_has_no_room_for_are_missed,
    two_hundred_and_fifty_three_descriptors_go_and_one_more_is_einval,
    a_closed_descriptor_is_not_sent,
    more_than_1024_buffers_are_emsgsize_in_their_turn,
    messages_work_in_each_place_of_a_chain,
    descriptors_go_in_each_place_of_a_chain,
    messages_fail_in_each_place_of_a_chain,
    a_recv_msg_can_be_canceled_and_leaves_its_buffers_alone,
    a_recv_msg_that_is_canceled_late_loses_no_message,
    a_recv_msg_that_is_canceled_late_loses_no_descriptor,
    a_send_msg_to_a_full_socket_can_be_canceled,
    a_send_msg_of_descriptors_to_a_full_socket_can_be_canceled,
    a_recv_msg_from_a_peer_that_reset_is_econnreset,
    a_message_without_a_peer_is_enotconn_or_edestaddrreq,
    a_buffer_as_long_as_can_be_is_received_into,
];

fn a_message_goes_from_several_buffers_into_several(scene: &mut Scene) -> Kept {
    let (pair, tcp) = (scene.pair(), scene.tcp());
    let pairs: [(OwnedDescriptor, OwnedDescriptor); 2] =
        [(pair.0.into(), pair.1.into()), (tcp.0.into(), tcp.1.into())];
    for (ours, theirs) in pairs {
        let (mut one, mut two) = ([7; 3], [7; 6]);
        let sent = aio::single(op::send_msg(&ours, vec!["one", "", " two"]))?;
        let received = aio::single(op::recv_msg(&theirs, [&mut one[..], &mut [], &mut two]))?;
        assert_eq!((sent, received.len), (7, 7));
        assert_eq!((&one, &two), (b"one", b" two\x07\x07"));
        assert!(!received.is_truncated && !received.is_control_truncated);
        assert!(received.descriptors.is_empty() && received.control.is_empty());
    }
    Ok(())
}

fn a_message_of_no_buffers_or_no_bytes_is_empty(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    assert_eq!(aio::single(op::send_msg(&ours, [""; 0]))?, 0);
    assert_eq!(aio::single(op::send_msg(&ours, ["", ""]))?, 0);
    give(&ours, b"x");
    let nothing: [&mut [u8]; 0] = [];
    assert_eq!(aio::single(op::recv_msg(&theirs, nothing))?.len, 0);
    let (ours, theirs) = scene.datagrams();
    aio::single(op::send_msg(&ours, [""]))?;
    assert_eq!(aio::single(op::recv_msg(&theirs, [&mut [7; 4]]))?.len, 0);
    Ok(())
}

fn the_address_of_the_sender_comes_with_a_datagram(_: &mut Scene) -> Kept {
    let (ours, theirs) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("[::1]:0"));
    ours.send_to(b"hey", ours.local_addr()?)?;
    let received = aio::single(op::recv_msg(&ours, [&mut [0; 4]]))?;
    let address = received.address.and_then(|address| address.as_socket());
    assert_eq!((received.len, address), (3, Some(ours.local_addr()?)));
    if let Ok(six) = theirs {
        six.send_to(b"hey", six.local_addr()?)?;
        let received = aio::single(op::recv_msg(&six, [&mut [0; 4]]))?;
        let address = received.address.and_then(|address| address.as_socket());
        assert_eq!(address, Some(six.local_addr()?));
    }
    Ok(())
}

fn a_datagram_goes_to_its_address(_: &mut Scene) -> Kept {
    let (ours, theirs) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    aio::single(op::send_msg(&ours, ["hey"]).to(theirs.local_addr()?))?;
    assert_eq!(theirs.recv_from(&mut [0; 8])?, (3, ours.local_addr()?));
    Ok(())
}

fn a_datagram_that_is_longer_than_its_buffers_is_truncated(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.datagrams();
    theirs.send(b"contents")?;
    let mut bufs = [[0; 1], [0; 1], [0; 1], [0; 1]];
    let [one, two, three, four] = &mut bufs;
    let received = aio::single(op::recv_msg(&ours, [one, two, three, four]))?;
    assert_eq!((received.len, received.is_truncated), (4, true));
    assert_eq!(bufs.as_flattened(), b"cont");
    Ok(())
}

fn a_truncated_message_tells_its_length(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.datagrams();
    theirs.send(b"contents")?;
    let mut bufs = [[0; 2], [0; 2]];
    let [one, two] = &mut bufs;
    let received = aio::single(op::recv_msg(&ours, [one, two]).truncate())?;
    assert_eq!((received.len, received.is_truncated), (8, true));
    assert_eq!(bufs.as_flattened(), b"cont");
    Ok(())
}

fn a_peek_leaves_the_message(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    give(&theirs, b"bytes");
    for _ in 0..2 {
        assert_eq!(aio::single(op::recv_msg(&ours, [&mut [0; 8]]).peek())?.len, 5);
    }
    assert_eq!(aio::single(op::recv_msg(&ours, [&mut [0; 8]]))?.len, 5);
    Ok(())
}

fn a_peek_leaves_the_descriptors(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let file = scene.read_only();
    aio::single(op::send_msg(&theirs, ["bytes"]).descriptors([&file]))?;
    for _ in 0..2 {
        let peeked = aio::single(op::recv_msg(&ours, [&mut [0; 8]]).descriptors(1).peek())?;
        assert_eq!((peeked.len, peeked.descriptors.len()), (5, 1));
    }
    let received = aio::single(op::recv_msg(&ours, [&mut [0; 8]]).descriptors(1))?;
    assert_eq!((received.len, received.descriptors.len()), (5, 1));
    Ok(())
}

fn a_recv_msg_of_all_waits_for_all(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let (mut one, mut two) = ([0; 3], [0; 5]);
    let (received, ..) = aio::multi((
        op::recv_msg(&ours, [&mut one[..], &mut two]).wait_all(),
        op::send(&theirs, b"half").soft(),
        op::timeout(Duration::from_millis(5)).soft(),
        op::send(&theirs, b"full"),
    ))?;
    assert_eq!((received.len, &one, &two), (8, b"hal", b"ffull"));
    Ok(())
}

fn a_recv_msg_is_zero_once_the_peer_has_closed(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.tcp();
    drop(theirs);
    assert_eq!(aio::single(op::recv_msg(&ours, [&mut [0; 4]]))?.len, 0);
    Ok(())
}

fn out_of_band_data_comes_out_of_band_in_messages(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.tcp();
    let urgent = op::send_msg(&theirs, ["!"]).out_of_band();
    aio::multi((op::send_msg(&theirs, ["in ", "band"]).more().soft(), urgent))?;
    aio::single(op::poll(&ours, op::Events::PRIORITY))?;
    let mut byte = [0; 1];
    aio::single(op::recv_msg(&ours, [&mut byte]).out_of_band())?;
    assert_eq!(&byte, b"!");
    assert_eq!(aio::single(op::recv_msg(&ours, [&mut [0; 16]]))?.len, 7);
    Ok(())
}

fn a_linked_send_msg_sends_many_megabytes(scene: &mut Scene) -> Kept {
    sends_many_megabytes(scene, Vec::new())
}

fn a_linked_send_msg_sends_descriptors_with_many_megabytes(scene: &mut Scene) -> Kept {
    let file = scene.read_only();
    sends_many_megabytes(scene, vec![file])
}

/// A linked message sends all of its bytes, in as many pieces as it takes, and these files.
fn sends_many_megabytes(scene: &mut Scene, files: Vec<File>) -> Kept {
    let part: Vec<u8> = (0..1 << 20).map(|index| (index % 251) as u8).collect();
    let (ours, mut theirs) = scene.pair();
    let reader = thread::spawn(move || {
        let mut back = Vec::new();
        theirs.read_to_end(&mut back).map(|_| back)
    });
    let (sent, ()) = aio::multi((
        op::send_msg(&ours, [&part; 8]).descriptors(files).soft(),
        op::shutdown(&ours, Shutdown::Write),
    ))?;
    let back = reader.join().expect("no panic")?;
    assert_eq!((sent, back.len()), (8 << 20, 8 << 20));
    assert!(back.chunks(1 << 20).all(|chunk| chunk == part));
    Ok(())
}

fn descriptors_come_with_their_message_and_close_on_exec(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let (mut one, two) = (scene.file(b"one"), scene.file(b"two"));
    let owned = vec![OwnedDescriptor::from(two), one.try_clone()?.into()];
    aio::single(op::send_msg(&ours, ["x"]).descriptors(owned))?;
    let received = aio::single(op::recv_msg(&theirs, [&mut [0; 4]]).descriptors(2))?;
    assert!(received.descriptors.iter().all(closes_on_exec) && !received.is_control_truncated);
    let [two, other] = &received.descriptors[..] else { panic!("{received:?}") };
    let mut contents = [0; 6];
    let (head, tail) = contents.split_at_mut(3);
    aio::multi((op::read(two, head), op::read(other, tail)))?;
    assert_eq!((&contents, one.read(&mut [0; 4])?), (b"twoone", 0));
    Ok(())
}

/// The harness counts descriptors.
fn descriptors_that_nobody_takes_are_closed(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let file = scene.read_only();
    for _ in 0..4 {
        aio::single(op::send_msg(&ours, ["x"]).descriptors([&file, &file]))?;
    }
    let receive = || op::recv_msg(theirs.try_clone().expect("a copy"), [vec![0; 1]]).descriptors(2);
    let closed = scene.closed();
    let failed = aio::multi((receive(), op::recv(&closed, &mut [0; 1])));
    assert_eq!(code(failed.map(drop)), Code::EBADF);
    let mut queue = scene.queue(2);
    queue.queue(receive())?.detach(&mut queue);
    queue.complete_all()?;
    let mut dropped = aio::Dynamic::new(2)?;
    let _ = dropped.queue(receive())?;
    dropped.complete_all()?;
    drop(dropped);
    let mut dropped = aio::Dynamic::new(2)?;
    let _ = dropped.queue(receive())?;
    drop(dropped);
    Ok(())
}

fn descriptors_without_room_are_closed_and_missed(scene: &mut Scene) -> Kept {
    let file = scene.read_only();
    for (room, most) in [(0, 0), (2, 2)] {
        let (ours, theirs) = scene.pair();
        aio::single(op::send_msg(&ours, ["x"]).descriptors([&file; 9]))?;
        let received = aio::single(op::recv_msg(&theirs, [&mut [0; 4]]).descriptors(room))?;
        assert_eq!((received.len, received.is_control_truncated), (1, true));
        assert_eq!(received.descriptors.len(), most);
    }
    Ok(())
}

fn descriptors_that_the_process_has_no_room_for_are_missed(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let file = scene.read_only();
    aio::single(op::send_msg(&ours, ["x"]).descriptors([&file]))?;
    let receive = op::recv_msg(&theirs, [vec![0; 4]]).descriptors(1);
    let received = without_descriptors(|| aio::single(receive))?;
    assert_eq!((received.len, received.is_control_truncated), (1, true));
    assert!(received.descriptors.is_empty());
    Ok(())
}

fn two_hundred_and_fifty_three_descriptors_go_and_one_more_is_einval(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let file = scene.read_only();
    aio::single(op::send_msg(&ours, ["x"]).descriptors([&file; 253]))?;
    let received = aio::single(op::recv_msg(&theirs, [&mut [0; 4]]).descriptors(usize::MAX))?;
    assert_eq!((received.descriptors.len(), received.is_control_truncated), (253, false));
    positions::fails(
        scene,
        || Any::new(op::send_msg(&ours, ["x"]).descriptors([&file; 254])),
        Code::EINVAL,
    )
}

fn a_closed_descriptor_is_not_sent(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    positions::fails(
        scene,
        || Any::new(op::send_msg(&ours, ["x"]).descriptors([aio::Cwd])),
        Code::EBADF,
    )?;
    drop(ours);
    assert_eq!(aio::single(op::recv(&theirs, &mut [0; 4]))?, 0);
    Ok(())
}

fn more_than_1024_buffers_are_emsgsize_in_their_turn(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    assert_eq!(aio::single(op::send_msg(&ours, vec!["a"; 1024]))?, 1024);
    let received = aio::single(op::recv_msg(&theirs, vec![vec![0; 1]; 1024]))?;
    assert_eq!(received.len, 1024);
    positions::fails(scene, || Any::new(op::send_msg(&ours, vec!["a"; 1025])), Code::EMSGSIZE)?;
    positions::fails(
        scene,
        || Any::new(op::recv_msg(&theirs, vec![vec![0; 1]; 1025])),
        Code::EMSGSIZE,
    )
}

fn messages_work_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let send = || Any::new(op::send_msg(&ours, ["a", "b"]));
    positions::succeeds(scene, send, |sent| matches!(sent, Value::Count(2)))?;
    let receive = || Any::new(op::recv_msg(&theirs, [vec![0; 2]]));
    positions::succeeds(scene, receive, |value| match value {
        Value::Message(received) => received.len == 2,
        _ => false,
    })
}

fn descriptors_go_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let file = scene.read_only();
    let send = || op::send_msg(&ours, ["a", "b"]).descriptors([&file]);
    positions::succeeds(scene, || Any::new(send()), |sent| matches!(sent, Value::Count(2)))?;
    let receive = || Any::new(op::recv_msg(&theirs, [vec![0; 2]]).descriptors(1));
    positions::succeeds(scene, receive, |value| match value {
        Value::Message(received) => (received.len, received.descriptors.len()) == (2, 1),
        _ => false,
    })
}

fn messages_fail_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (file, closed) = (scene.file(b""), scene.closed());
    positions::fails(scene, || Any::new(op::send_msg(&file, ["x"])), Code::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::recv_msg(&file, [vec![0; 4]])), Code::ENOTSOCK)?;
    positions::fails(scene, || Any::new(op::send_msg(&closed, ["x"])), Code::EBADF)?;
    positions::fails(scene, || Any::new(op::recv_msg(&closed, [vec![0; 4]])), Code::EBADF)?;
    let ours = scene.alone();
    positions::fails(scene, || Any::new(op::send_msg(&ours, ["x"])), Code::EPIPE)
}

fn a_recv_msg_can_be_canceled_and_leaves_its_buffers_alone(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let receive = op::recv_msg(ours, [vec![7; 2], vec![7; 2]]).descriptors(2);
    let mut receive = positions::can_be_canceled(scene, receive)?;
    assert_eq!(receive.bufs, [[7; 2], [7; 2]]);
    give(&theirs, b"late");
    let received = aio::single(op::recv_msg(&receive.socket, receive.bufs.each_mut()))?;
    assert_eq!((received.len, receive.bufs.concat()), (4, b"late".to_vec()));
    Ok(())
}

fn a_recv_msg_that_is_canceled_late_loses_no_message(scene: &mut Scene) -> Kept {
    loses_no_message(scene, Vec::new())
}

fn a_recv_msg_that_is_canceled_late_loses_no_descriptor(scene: &mut Scene) -> Kept {
    let file = scene.read_only();
    loses_no_message(scene, vec![&file])
}

/// Each of many messages comes with these files, though the receives are canceled.
fn loses_no_message(scene: &mut Scene, files: Vec<&File>) -> Kept {
    let (ours, theirs) = scene.pair();
    let receive = || op::recv_msg(&ours, [vec![0; 4]]).descriptors(files.len());
    let mut queue = scene.queue(4);
    queue.scope(|queue| -> Kept {
        for round in 0..200 {
            let received = queue.queue(receive())?;
            queue.complete(Mode::NonBlocking)?;
            queue.queue(op::cancel(received.id()))?.detach(queue);
            if round % 2 == 0 {
                queue.complete(Mode::NonBlocking)?;
            }
            aio::single(op::send_msg(&theirs, ["x"]).descriptors(files.clone()))?;
            queue.complete_all()?;
            let received = match received.take(queue) {
                Ok(received) => received,
                Err(error) => {
                    assert_eq!(error.cause(), Cause::Canceled);
                    aio::single(receive())?
                }
            };
            assert_eq!((received.len, received.descriptors.len()), (1, files.len()));
        }
        Ok(())
    })
}

fn a_send_msg_to_a_full_socket_can_be_canceled(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    stuff(&ours, Stream::set_nonblocking)?;
    let send = positions::can_be_canceled(scene, op::send_msg(ours, ["x"]))?;
    // To close the other waits, on WASI, until what was sent is taken.
    drop(theirs);
    drop(send);
    Ok(())
}

fn a_send_msg_of_descriptors_to_a_full_socket_can_be_canceled(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    stuff(&ours, Stream::set_nonblocking)?;
    let file = scene.read_only();
    positions::can_be_canceled(scene, op::send_msg(ours, ["x"]).descriptors([file]))?;
    drop(theirs);
    Ok(())
}

fn a_recv_msg_from_a_peer_that_reset_is_econnreset(scene: &mut Scene) -> Kept {
    let received = aio::single(op::recv_msg(scene.reset(), [&mut [0; 4]]));
    assert_eq!(code(received), Code::ECONNRESET);
    Ok(())
}

fn a_message_without_a_peer_is_enotconn_or_edestaddrreq(_: &mut Scene) -> Kept {
    let udp = UdpSocket::bind("127.0.0.1:0")?;
    assert_eq!(code(aio::single(op::send_msg(&udp, ["x"]))), Code::EDESTADDRREQ);
    let too_long = op::send_msg(&udp, [vec![0; 70_000]]).to(udp.local_addr()?);
    assert_eq!(code(aio::single(too_long)), Code::EMSGSIZE);
    let socket = aio::single(op::socket(aio::Domain::IPV4, aio::Type::STREAM, None))?;
    assert_eq!(code(aio::single(op::recv_msg(&socket, [&mut [0; 4]]))), Code::ENOTCONN);
    Ok(())
}

/// The system gives memory to what is touched only.
fn a_buffer_as_long_as_can_be_is_received_into(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    give(&theirs, b"some");
    let mut longest = [vec![0u8; 3 << 30], vec![0; 1 << 30]];
    let received = aio::single(op::recv_msg(&ours, longest.each_mut()))?;
    assert_eq!((received.len, &longest[0][..5]), (4, &b"some\0"[..]));
    Ok(())
}
