//! What goes over connections: send, recv and shutdown.

use std::io::Read;
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use corio_aio::{self as aio, Cause, Mode, OwnedDescriptor, op, op::Operation};

use crate::scene::{Kept, Scene, cause, code, give, promises};
use crate::system::Code;

promises![
    a_send_and_a_recv_meet_over_tcp_and_unix,
    a_recv_waits_for_bytes,
    a_recv_is_zero_once_the_peer_has_closed,
    a_recv_into_nothing_is_zero_once_something_is_there,
    a_send_of_nothing_is_zero,
    a_recv_leaves_the_rest_of_the_buffer_alone,
    a_canceled_recv_completes_as_canceled_and_leaves_the_buffer_alone,
    a_canceled_recv_of_all_reports_the_bytes_that_came,
    a_recv_that_is_canceled_late_loses_no_byte,
    a_recv_from_a_peer_that_reset_is_econnreset,
    a_send_to_a_peer_that_is_gone_is_epipe,
    a_peek_leaves_the_bytes,
    a_truncated_datagram_tells_its_length,
    a_datagram_that_is_longer_than_its_buffer_is_cut_off,
    a_recv_of_all_waits_for_all,
    a_recv_of_all_is_short_if_the_peer_closes,
    a_recv_of_all_that_waits_gets_bytes_and_the_end_that_come_together,
    a_send_of_all_sends_many_megabytes,
    a_linked_send_sends_many_megabytes,
    a_linked_send_that_ends_early_tells_how_far_it_came,
    a_canceled_linked_send_tells_how_far_it_came,
    out_of_band_data_comes_out_of_band,
    bytes_of_which_more_follow_arrive,
    a_shutdown_ends_one_direction,
    a_shutdown_ends_a_pending_recv,
    datagrams_keep_their_bounds,
];

const SHORT: Duration = Duration::from_millis(5);

fn a_send_and_a_recv_meet_over_tcp_and_unix(scene: &mut Scene) -> Kept {
    let (client, server) = scene.tcp();
    let mut buf = [0; 8];
    let (_, n) = aio::multi((op::send(&client, "hey"), op::recv(&server, &mut buf)))?;
    assert_eq!(&buf[..n], b"hey");
    let (client, server) = scene.pair();
    let (n, _) = aio::multi((op::recv(&server, &mut buf), op::send(&client, "there")))?;
    assert_eq!(&buf[..n], b"there");
    Ok(())
}

fn a_recv_waits_for_bytes(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
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

fn a_recv_into_nothing_is_zero_once_something_is_there(scene: &mut Scene) -> Kept {
    let ((tcp, peer), (unix, other)) = (scene.tcp(), scene.pair());
    aio::multi((op::send(&peer, b"x"), op::send(&other, b"x")))?;
    assert_eq!(aio::multi((op::recv(&tcp, &mut []), op::recv(&unix, &mut [])))?, (0, 0));
    Ok(())
}

fn a_send_of_nothing_is_zero(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.pair();
    assert_eq!(aio::single(op::send(&ours, b""))?, 0);
    Ok(())
}

fn a_recv_leaves_the_rest_of_the_buffer_alone(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    give(&theirs, b"abc");
    let mut buf = [7; 6];
    assert_eq!(aio::single(op::recv(&ours, &mut buf))?, 3);
    assert_eq!(&buf, b"abc\x07\x07\x07");
    Ok(())
}

fn a_canceled_recv_completes_as_canceled_and_leaves_the_buffer_alone(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
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
    let (ours, theirs) = scene.pair();
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
    let (ours, theirs) = scene.pair();
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
    assert_eq!(code(aio::single(op::recv(scene.reset(), &mut [0; 4]))), Code::ECONNRESET);
    Ok(())
}

fn a_send_to_a_peer_that_is_gone_is_epipe(scene: &mut Scene) -> Kept {
    let ours = scene.alone();
    assert_eq!(code(aio::single(op::send(&ours, b"a"))), Code::EPIPE);
    Ok(())
}

fn a_peek_leaves_the_bytes(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    give(&theirs, b"bytes");
    let (mut one, mut two) = ([0; 5], [0; 5]);
    aio::single(op::recv(&ours, &mut one).peek())?;
    aio::single(op::recv(&ours, &mut two))?;
    assert_eq!((&one, &two), (b"bytes", b"bytes"));
    Ok(())
}

fn a_truncated_datagram_tells_its_length(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.datagrams();
    let mut buf = [0; 3];
    theirs.send(b"contents")?;
    assert_eq!(aio::single(op::recv(&ours, &mut buf).truncate())?, 8);
    assert_eq!(&buf, b"con");
    Ok(())
}

fn a_datagram_that_is_longer_than_its_buffer_is_cut_off(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.datagrams();
    let mut buf = [0; 3];
    theirs.send(b"contents")?;
    assert_eq!(aio::single(op::recv(&ours, &mut buf))?, 3);
    assert_eq!(&buf, b"con");
    Ok(())
}

fn a_recv_of_all_waits_for_all(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
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
    let (ours, theirs) = scene.pair();
    give(&theirs, b"half");
    drop(theirs);
    let mut buf = [7; 8];
    let all = op::recv(&ours, &mut buf).wait_all().soft();
    let (received, nop) = aio::complete((all, op::nop()))?;
    assert_eq!((received?, cause(nop)), (4, Cause::Canceled));
    Ok(())
}

fn a_recv_of_all_that_waits_gets_bytes_and_the_end_that_come_together(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let mut queue = scene.queue(4);
    let received = queue.queue(op::recv(OwnedDescriptor::from(ours), vec![7; 8]).wait_all())?;
    assert!(queue.complete(Mode::NonBlocking)?.is_empty());
    give(&theirs, b"half");
    drop(theirs);
    queue.complete_all()?;
    assert_eq!(received.take(&mut queue), Ok(4));
    Ok(())
}

const MANY: usize = 8 << 20;

fn many_bytes() -> Vec<u8> {
    (0..MANY).map(|index| (index % 251) as u8).collect()
}

fn a_send_of_all_sends_many_megabytes(scene: &mut Scene) -> Kept {
    let bytes = many_bytes();
    let (pair, tcp) = (scene.pair(), scene.tcp());
    let pairs: [(OwnedDescriptor, OwnedDescriptor); 2] =
        [(pair.0.into(), pair.1.into()), (tcp.0.into(), tcp.1.into())];
    for (ours, theirs) in pairs {
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
    let (ours, mut theirs) = scene.pair();
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

fn a_linked_send_that_ends_early_tells_how_far_it_came(scene: &mut Scene) -> Kept {
    let bytes = many_bytes();
    let (ours, mut theirs) = scene.pair();
    let reader = thread::spawn(move || theirs.read_exact(&mut vec![0; 1 << 20]));
    let (first, sent, canceled, last) = aio::complete((
        op::nop().soft(),
        op::send(&ours, &bytes).soft(),
        op::nop().hard(),
        op::recv(&ours, &mut [0; 1]),
    ))?;
    reader.join().expect("no panic")?;
    assert!(first.is_ok() && sent.is_ok_and(|n| (1 << 20..MANY).contains(&n)), "{sent:?}");
    assert_eq!((cause(canceled), cause(last)), (Cause::Canceled, Cause::Canceled));
    Ok(())
}

fn a_canceled_linked_send_tells_how_far_it_came(scene: &mut Scene) -> Kept {
    let (ours, mut theirs) = scene.pair();
    let mut queue = scene.queue(4);
    let send = op::send(ours, many_bytes()).soft();
    let (first, sent, canceled) = queue.queue_all((op::nop().soft(), send, op::nop()))?;
    queue.complete(Mode::NonBlocking)?;
    queue.queue(op::cancel(sent.id()))?.detach(&mut queue);
    queue.complete_all()?;
    let (sent, send) = sent.recover(&mut queue)?;
    assert_eq!(
        (first.take(&mut queue), cause(canceled.take(&mut queue))),
        (Ok(()), Cause::Canceled)
    );
    drop(send);
    let mut back = Vec::new();
    theirs.read_to_end(&mut back)?;
    assert_eq!(sent?, back.len());
    assert!(!back.is_empty() && many_bytes().starts_with(&back));
    Ok(())
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
    assert_eq!(code(aio::single(op::send(&ours, b"more"))), Code::EPIPE);
    aio::single(op::send(&theirs, b"answer"))?;
    assert_eq!(aio::single(op::recv(&ours, &mut [0; 8]))?, 6);
    Ok(())
}

fn a_shutdown_ends_a_pending_recv(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.pair();
    let (n, ()) = aio::multi((op::recv(&ours, &mut [0; 8]), op::shutdown(&ours, Shutdown::Both)))?;
    assert_eq!(n, 0);
    Ok(())
}

fn datagrams_keep_their_bounds(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.datagrams();
    aio::multi((op::send(&theirs, b"one").soft(), op::send(&theirs, b"three")))?;
    let n = aio::multi((op::recv(&ours, &mut [0; 8]).soft(), op::recv(&ours, &mut [0; 8])))?;
    assert_eq!(n, (3, 5));
    Ok(())
}
