//! Options of sockets.

use std::rc::Rc;

use corio_aio::op::{Any, Operation, SocketOption, Value};
use corio_aio::{self as aio, Cause, Mode, op};

use crate::positions;
use crate::scene::{Kept, Scene, cause, code, give, promises};
use crate::system::{self, Code};

promises![
    an_option_that_is_set_is_set,
    an_option_can_be_any_bytes,
    options_work_in_each_place_of_a_chain,
    options_fail_in_each_place_of_a_chain,
    an_option_that_can_not_be_set_fails_in_each_place_of_a_chain,
    an_option_of_tcp_fails_elsewhere_in_each_place_of_a_chain,
    an_option_waits_for_its_turn,
    what_follows_an_option_can_be_canceled_while_the_option_waits,
    an_option_after_a_failure_is_canceled_and_not_set,
    a_time_limit_on_an_option_succeeds,
    two_options_in_a_chain_are_set_one_after_the_other,
    an_option_is_set_before_its_socket_is_closed,
    options_are_supported,
];

fn an_option_that_is_set_is_set(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.tcp();
    for option in [SocketOption::NO_DELAY, SocketOption::KEEP_ALIVE, SocketOption::REUSE_ADDRESS] {
        for value in [true, false] {
            aio::single(op::set_socket_option(&ours, option, value))?;
            assert_eq!(aio::single(op::get_socket_option(&ours, option))?, value);
        }
    }
    aio::single(op::set_socket_option(&ours, SocketOption::SEND_BUFFER, 20_000))?;
    assert!(aio::single(op::get_socket_option(&ours, SocketOption::SEND_BUFFER))? >= 20_000);
    let listens = |socket: aio::OwnedDescriptor| {
        aio::single(op::get_socket_option(socket, SocketOption::IS_LISTENING))
    };
    assert!(!listens(ours.into())?);
    assert!(listens(scene.listener().into())?);
    let error = aio::single(op::get_socket_option(&scene.pair().0, SocketOption::ERROR))?;
    assert_eq!(error, 0);
    Ok(())
}

fn an_option_can_be_any_bytes(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.tcp();
    let (level, name) = system::SEND_BUFFER;
    // SAFETY: it is a number of four bytes.
    let size = unsafe { SocketOption::<[u8; 4]>::new(level, name) };
    let bytes = aio::single(op::get_socket_option(&ours, size))?;
    assert_ne!(bytes, [0; 4]);
    aio::single(op::set_socket_option(&ours, size, bytes))?;
    Ok(())
}

fn options_work_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.tcp();
    let mut value = false;
    let set = || {
        value = !value;
        Any::new(op::set_socket_option(&ours, SocketOption::NO_DELAY, value))
    };
    positions::succeeds(scene, set, |done| matches!(done, Value::Done))?;
    let get = || Any::new(op::get_socket_option(&ours, SocketOption::NO_DELAY));
    positions::succeeds(scene, get, |found| matches!(found, Value::Flag(on) if *on == value))
}

fn options_fail_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let (file, closed) = (scene.file(b""), scene.closed());
    let get = |socket| op::get_socket_option(socket, SocketOption::ERROR);
    positions::fails(scene, || Any::new(get(&file)), Code::ENOTSOCK)?;
    positions::fails(
        scene,
        || Any::new(op::get_socket_option(&closed, SocketOption::ERROR)),
        Code::EBADF,
    )?;
    positions::fails(
        scene,
        || Any::new(op::set_socket_option(&closed, SocketOption::KEEP_ALIVE, true)),
        Code::EBADF,
    )?;
    positions::fails(
        scene,
        || Any::new(op::set_socket_option(&file, SocketOption::KEEP_ALIVE, true)),
        Code::ENOTSOCK,
    )
}

fn an_option_that_can_not_be_set_fails_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let datagrams = scene.datagrams().0;
    let set = || Any::new(op::set_socket_option(&datagrams, SocketOption::ERROR, 1));
    positions::fails(scene, set, Code::ENOPROTOOPT)
}

fn an_option_of_tcp_fails_elsewhere_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let datagrams = scene.datagrams().0;
    let get = || Any::new(op::get_socket_option(&datagrams, SocketOption::NO_DELAY));
    positions::fails(scene, get, Code::EOPNOTSUPP)
}

fn an_option_waits_for_its_turn(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let (ours, option) = (Rc::new(ours), SocketOption::KEEP_ALIVE);
    let mut queue = scene.queue(4);
    let (received, set, sent) = queue.queue_all((
        op::recv(Rc::clone(&ours), vec![0; 4]).soft(),
        op::set_socket_option(Rc::clone(&ours), option, true).soft(),
        op::send(Rc::clone(&ours), b"set"),
    ))?;
    assert_eq!(queue.complete(Mode::NonBlocking)?, []);
    assert!(!aio::single(op::get_socket_option(&ours, option))?);
    give(&theirs, b"go");
    queue.complete_all()?;
    assert_eq!((received.take(&mut queue)?, set.take(&mut queue)), (2, Ok(())));
    assert_eq!(sent.take(&mut queue)?, 3);
    assert!(aio::single(op::get_socket_option(&ours, option))?);
    Ok(())
}

fn what_follows_an_option_can_be_canceled_while_the_option_waits(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.pair();
    let ours = Rc::new(ours);
    for place in 0..3 {
        let mut queue = scene.queue(8);
        queue.scope(|queue| -> Kept {
            let (first, set, last) = queue.queue_all((
                op::recv(&ours, vec![0; 4]).hard(),
                op::set_socket_option(&ours, SocketOption::KEEP_ALIVE, true).hard(),
                op::recv(&ours, vec![0; 4]),
            ))?;
            queue.complete(Mode::NonBlocking)?;
            let late = if place == 2 { last.id() } else { set.id() };
            let found = queue.queue(op::cancel(late))?;
            queue.complete(Mode::NonBlocking)?;
            assert_eq!(cause(found.take(queue)), Cause::NotFound);
            queue.queue(op::cancel(first.id()))?.detach(queue);
            queue.complete(Mode::Blocking)?;
            while !queue.complete(Mode::NonBlocking)?.is_empty() {}
            queue.queue(op::cancel(last.id()))?.detach(queue);
            queue.complete_all()?;
            assert_eq!(cause(first.take(queue)), Cause::Canceled);
            assert_eq!(set.take(queue), Ok(()));
            assert_eq!(cause(last.take(queue)), Cause::Canceled);
            Ok(())
        })?;
    }
    // What is dropped is canceled in every place, also where it has not started.
    let mut dropped = aio::Dynamic::new(8)?;
    let _ = dropped.queue_all((
        op::recv(Rc::clone(&ours), vec![0; 4]).hard(),
        op::set_socket_option(Rc::clone(&ours), SocketOption::KEEP_ALIVE, true).hard(),
        op::recv(Rc::clone(&ours), vec![0; 4]).hard(),
        op::get_socket_option(Rc::clone(&ours), SocketOption::KEEP_ALIVE).hard(),
        op::recv(Rc::clone(&ours), vec![0; 4]),
    ))?;
    dropped.complete(Mode::NonBlocking)?;
    drop(dropped);
    Ok(())
}

fn an_option_after_a_failure_is_canceled_and_not_set(scene: &mut Scene) -> Kept {
    let (ours, closed) = (scene.pair().0, scene.closed());
    let option = SocketOption::KEEP_ALIVE;
    let (sent, set, hard, last) = aio::complete((
        op::send(&closed, b"a").soft(),
        op::set_socket_option(&ours, option, true).hard(),
        op::nop().hard(),
        op::set_socket_option(&ours, option, true),
    ))?;
    assert_eq!(code(sent), Code::EBADF);
    assert_eq!([set, hard, last].map(cause), [Cause::Canceled; 3]);
    assert!(!aio::single(op::get_socket_option(&ours, option))?);
    Ok(())
}

fn a_time_limit_on_an_option_succeeds(scene: &mut Scene) -> Kept {
    let ours = scene.pair().0;
    aio::multi((
        op::nop().soft(),
        op::set_socket_option(&ours, SocketOption::KEEP_ALIVE, true).soft(),
        op::link_timeout(std::time::Duration::ZERO).soft(),
        op::nop(),
    ))?;
    Ok(())
}

fn two_options_in_a_chain_are_set_one_after_the_other(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let option = SocketOption::KEEP_ALIVE;
    let (_, (), before, n, (), after) = aio::multi((
        op::send(&theirs, b"go").soft(),
        op::set_socket_option(&ours, option, true).soft(),
        op::get_socket_option(&ours, option).soft(),
        op::recv(&ours, &mut [0; 4]).soft(),
        op::set_socket_option(&ours, option, false).soft(),
        op::get_socket_option(&ours, option),
    ))?;
    assert_eq!((before, n, after), (true, 2, false));
    Ok(())
}

fn an_option_is_set_before_its_socket_is_closed(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let ours = aio::Closing::new(ours);
    let option = SocketOption::KEEP_ALIVE;
    let (_, (), is_set, ()) = aio::multi((
        op::send(&ours, b"bye").soft(),
        op::set_socket_option(&ours, option, true).soft(),
        op::get_socket_option(&ours, option).soft(),
        op::close(&ours),
    ))?;
    assert!(is_set && ours.into_inner().is_none());
    assert_eq!(aio::single(op::recv(&theirs, &mut [0; 4]).wait_all())?, 3);
    Ok(())
}

fn options_are_supported(scene: &mut Scene) -> Kept {
    let required = &[aio::OpKind::GetSocketOption, aio::OpKind::SetSocketOption];
    scene.queue_with(1, aio::Options { required, ..aio::Options::default() });
    Ok(())
}
