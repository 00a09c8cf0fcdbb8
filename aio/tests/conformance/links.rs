//! Chains: soft, hard, limited.

use std::rc::Rc;
use std::time::{Duration, Instant};

use corio_aio::{self as aio, Cause, Cwd, Mode, op, op::Operation};

use crate::scene::{Kept, Scene, cause, code, give, promises};
use crate::system::{self, Code};

promises![
    a_soft_chain_runs_in_order,
    a_soft_chain_ends_with_its_first_failure,
    a_hard_chain_goes_on_after_a_failure,
    a_failure_cancels_the_hard_links_behind_a_soft_one_too,
    a_short_read_breaks_a_soft_chain_and_no_hard_one,
    a_short_recv_breaks_no_chain,
    a_failure_before_the_queue_cancels_what_follows,
    a_sync_that_fails_ends_a_soft_chain_and_no_hard_one,
    a_shutdown_that_fails_ends_a_soft_chain_and_no_hard_one,
    a_sync_with_a_time_limit_keeps_its_chain,
    what_waits_for_a_sync_can_be_canceled,
    a_queue_that_is_dropped_ends_what_waits_for_a_directory,
    a_chain_waits_for_each_of_its_operations,
    a_linked_success_is_reported_when_its_chain_ends_at_the_latest,
    two_chains_of_one_batch_are_independent,
    a_chain_of_sixteen_runs,
    a_timeout_in_a_chain_does_not_break_it,
    a_time_limit_in_the_middle_of_a_chain_that_expires_ends_a_soft_one,
    a_time_limit_in_the_middle_of_a_chain_that_expires_lets_a_hard_one_go_on,
    a_time_limit_in_the_middle_of_a_chain_that_does_not_expire_lets_it_go_on,
    a_time_limit_starts_with_what_it_limits,
    a_time_limit_on_what_never_starts_succeeds,
    a_time_limit_on_a_new_socket_succeeds,
    a_mistake_in_a_path_never_lets_what_it_breaks_happen,
];

const SHORT: Duration = Duration::from_millis(5);

fn a_soft_chain_runs_in_order(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    let mut buf = [0; 8];
    let (.., n) = aio::multi((
        op::write(&file, b"one").soft(),
        op::write(&file, b"two").soft(),
        op::read(&file, &mut buf).at(0),
    ))?;
    assert_eq!(&buf[..n], b"onetwo");
    Ok(())
}

fn a_soft_chain_ends_with_its_first_failure(scene: &mut Scene) -> Kept {
    let (full, file) = (system::full(), scene.file(b""));
    let (nop, failed, canceled, last) = aio::complete((
        op::nop().soft(),
        op::write(&full, b"a").soft(),
        op::write(&file, b"never").soft(),
        op::nop(),
    ))?;
    assert_eq!((nop, code(failed)), (Ok(()), Code::FULL));
    assert_eq!((cause(canceled), cause(last)), (Cause::Canceled, Cause::Canceled));
    assert_eq!(file.metadata()?.len(), 0);
    Ok(())
}

fn a_hard_chain_goes_on_after_a_failure(_: &mut Scene) -> Kept {
    let full = system::full();
    let (one, two, last) =
        aio::complete((op::write(&full, b"a").hard(), op::write(&full, b"a").hard(), op::nop()))?;
    assert_eq!((code(one), code(two), last), (Code::FULL, Code::FULL, Ok(())));
    Ok(())
}

fn a_failure_cancels_the_hard_links_behind_a_soft_one_too(_: &mut Scene) -> Kept {
    let full = system::full();
    let (failed, hard, last) =
        aio::complete((op::write(&full, b"a").soft(), op::nop().hard(), op::nop()))?;
    assert_eq!(code(failed), Code::FULL);
    assert_eq!((cause(hard), cause(last)), (Cause::Canceled, Cause::Canceled));
    Ok(())
}

fn a_short_read_breaks_a_soft_chain_and_no_hard_one(scene: &mut Scene) -> Kept {
    let file = scene.file(b"short");
    let mut buf = [0; 8];
    let (read, nop) = aio::complete((op::read(&file, &mut buf).at(0).soft(), op::nop()))?;
    assert_eq!((read, cause(nop)), (Ok(5), Cause::Canceled));
    let (read, nop) = aio::complete((op::read(&file, &mut buf).at(0).hard(), op::nop()))?;
    assert_eq!((read, nop), (Ok(5), Ok(())));
    Ok(())
}

fn a_short_recv_breaks_no_chain(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    give(&theirs, b"short");
    let (n, ()) = aio::multi((op::recv(&ours, &mut [0; 8]).soft(), op::nop()))?;
    assert_eq!(n, 5);
    Ok(())
}

/// `bind` is answered before the kernel's queue sees it; that must not show.
fn a_failure_before_the_queue_cancels_what_follows(scene: &mut Scene) -> Kept {
    let closed = scene.closed();
    let address = scene.listener().local_addr()?;
    let (bound, nop, last, other) =
        aio::complete((op::bind(&closed, address).soft(), op::nop().hard(), op::nop(), op::nop()))?;
    assert_eq!((code(bound), other), (Code::EBADF, Ok(())));
    assert_eq!((cause(nop), cause(last)), (Cause::Canceled, Cause::Canceled));
    let (bound, nop, last) =
        aio::complete((op::bind(&closed, address).hard(), op::nop().soft(), op::nop()))?;
    assert_eq!((code(bound), nop, last), (Code::EBADF, Ok(()), Ok(())));
    Ok(())
}

fn a_sync_that_fails_ends_a_soft_chain_and_no_hard_one(scene: &mut Scene) -> Kept {
    let (_reader, pipe) = std::io::pipe()?;
    let (file, sync) = (scene.file(b""), || op::fsync(&pipe).data_only());
    let (failed, written, last) =
        aio::complete((sync().soft(), op::write(&file, b"never").hard(), op::nop()))?;
    assert_eq!(code(failed), Code::EINVAL);
    assert_eq!((cause(written), cause(last)), (Cause::Canceled, Cause::Canceled));
    assert_eq!(file.metadata()?.len(), 0);
    let (failed, written) = aio::complete((sync().hard(), op::write(&file, b"now")))?;
    assert_eq!((code(failed), written), (Code::EINVAL, Ok(3)));
    Ok(())
}

fn a_shutdown_that_fails_ends_a_soft_chain_and_no_hard_one(scene: &mut Scene) -> Kept {
    let (listener, shutdown) = (scene.closed(), std::net::Shutdown::Both);
    let (failed, last) = aio::complete((op::shutdown(&listener, shutdown).soft(), op::nop()))?;
    assert_eq!((code(failed), cause(last)), (Code::EBADF, Cause::Canceled));
    let socket = aio::Socket::new(aio::Domain::IPV4, aio::Type::STREAM, None)?;
    let (first, failed, last) =
        aio::complete((op::nop().soft(), op::shutdown(&socket, shutdown).soft(), op::nop()))?;
    assert_eq!((first, code(failed), cause(last)), (Ok(()), Code::ENOTCONN, Cause::Canceled));
    let (failed, last) = aio::complete((op::shutdown(&socket, shutdown).hard(), op::nop()))?;
    assert_eq!((code(failed), last), (Code::ENOTCONN, Ok(())));
    Ok(())
}

fn a_sync_with_a_time_limit_keeps_its_chain(scene: &mut Scene) -> Kept {
    let ((_reader, pipe), file) = (std::io::pipe()?, scene.file(b""));
    let limit = op::link_timeout(Duration::from_secs(60));
    aio::multi((op::fsync(&file).soft(), limit.soft(), op::nop().soft(), op::nop()))?;
    aio::multi((op::fsync(&file).soft(), limit.hard(), op::nop()))?;
    aio::multi((op::nop().soft(), op::fsync(&file).soft(), limit))?;
    let (failed, limited, last) =
        aio::complete((op::fsync(&pipe).soft(), limit.soft(), op::nop()))?;
    assert_eq!((code(failed), limited), (Code::EINVAL, Ok(())));
    assert_eq!(cause(last), Cause::Canceled);
    let (failed, canceled, limited) =
        aio::complete((op::fsync(&pipe).soft(), op::timeout(Duration::MAX).soft(), limit))?;
    assert_eq!((code(failed), cause(canceled), limited), (Code::EINVAL, Cause::Canceled, Ok(())));
    Ok(())
}

fn what_waits_for_a_sync_can_be_canceled(scene: &mut Scene) -> Kept {
    let ((ours, _theirs), file) = (scene.pair(), scene.file(b""));
    let mut queue = scene.queue(8);
    let (first, received, last) =
        queue.queue_all((op::fsync(file).soft(), op::recv(ours, vec![0; 4]).soft(), op::nop()))?;
    let mut asked = Err(Cause::NotFound);
    while asked == Err(Cause::NotFound) {
        let cancel = queue.queue(op::cancel(received.id()))?;
        while !queue.complete(Mode::Blocking)?.iter().any(|done| done.id == cancel.id()) {}
        asked = cancel.take(&mut queue).map_err(|error| error.cause());
    }
    assert_eq!(asked, Ok(()));
    queue.complete_all()?;
    assert_eq!(first.take(&mut queue), Ok(()));
    assert_eq!(cause(received.take(&mut queue)), Cause::Canceled);
    assert_eq!(cause(last.take(&mut queue)), Cause::Canceled);
    Ok(())
}

fn a_queue_that_is_dropped_ends_what_waits_for_a_directory(scene: &mut Scene) -> Kept {
    for is_made in [false, true] {
        let ((ours, _theirs), dir) = (scene.pair(), scene.path());
        let mut queue = aio::Dynamic::new(8)?;
        let _ = queue.queue_all((
            op::mkdir_at(Cwd, &dir).soft(),
            op::nop().soft(),
            op::recv(ours, vec![0; 4]),
        ))?;
        if is_made {
            queue.complete(Mode::NonBlocking)?;
            while !dir.exists() {
                std::thread::yield_now();
            }
        }
    }
    Ok(())
}

fn a_chain_waits_for_each_of_its_operations(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let mut queue = scene.queue(4);
    let (wait, write) =
        queue.queue_all((op::recv(ours, vec![0; 4]).soft(), op::write(scene.file(b""), b"a")))?;
    assert_eq!(queue.complete(Mode::NonBlocking)?, []);
    queue.queue(op::timeout(SHORT))?.detach(&mut queue);
    assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
    give(&theirs, b"go");
    queue.complete_all()?;
    assert_eq!((wait.take(&mut queue)?, write.take(&mut queue)?), (2, 1));
    Ok(())
}

fn a_linked_success_is_reported_when_its_chain_ends_at_the_latest(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    let (ours, mut queue) = (Rc::new(ours), scene.queue(4));
    let (sent, received) = queue
        .queue_all((op::send(Rc::clone(&ours), b"ping").soft(), op::recv(ours, vec![0; 4])))?;
    let mut done = queue.complete(Mode::NonBlocking)?;
    assert_eq!(aio::single(op::recv(&theirs, &mut [0; 8]))?, 4);
    give(&theirs, b"pong");
    done.extend(queue.complete_all()?);
    assert_eq!(done.iter().map(|done| done.id).collect::<Vec<_>>(), [sent.id(), received.id()]);
    assert_eq!((sent.take(&mut queue)?, received.take(&mut queue)?), (4, 4));
    Ok(())
}

fn two_chains_of_one_batch_are_independent(scene: &mut Scene) -> Kept {
    let full = system::full();
    let (ours, theirs) = scene.pair();
    let (failed, canceled, received, sent, last) = aio::complete((
        op::write(&full, b"a").soft(),
        op::nop(),
        op::recv(&ours, &mut [0; 4]),
        op::send(&theirs, b"go").soft(),
        op::nop(),
    ))?;
    assert_eq!((code(failed), cause(canceled)), (Code::FULL, Cause::Canceled));
    assert_eq!((received, sent, last), (Ok(2), Ok(2), Ok(())));
    Ok(())
}

fn a_chain_of_sixteen_runs(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    let step = || op::write(&file, b"x").soft();
    aio::multi((
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        step(),
        op::write(&file, b"."),
    ))?;
    assert_eq!(file.metadata()?.len(), 16);
    Ok(())
}

fn a_timeout_in_a_chain_does_not_break_it(_: &mut Scene) -> Kept {
    let start = Instant::now();
    aio::multi((
        op::nop().soft(),
        op::timeout(SHORT).soft(),
        op::timeout(SHORT).soft(),
        op::nop(),
    ))?;
    assert!(start.elapsed() >= 2 * SHORT);
    Ok(())
}

fn a_time_limit_in_the_middle_of_a_chain_that_expires_ends_a_soft_one(scene: &mut Scene) -> Kept {
    let (ours, _theirs) = scene.pair();
    let (nop, received, limit, rest) = aio::complete((
        op::nop().soft(),
        op::recv(&ours, &mut [0; 4]).soft(),
        op::link_timeout(SHORT).soft(),
        op::nop(),
    ))?;
    assert_eq!((nop, cause(received)), (Ok(()), Cause::Canceled));
    assert_eq!((cause(limit), cause(rest)), (Cause::Expired, Cause::Canceled));
    Ok(())
}

fn a_time_limit_in_the_middle_of_a_chain_that_expires_lets_a_hard_one_go_on(
    scene: &mut Scene,
) -> Kept {
    let (ours, _theirs) = scene.pair();
    let (received, limit, rest) = aio::complete((
        op::recv(&ours, &mut [0; 4]).hard(),
        op::link_timeout(SHORT).hard(),
        op::nop(),
    ))?;
    assert_eq!((cause(received), cause(limit)), (Cause::Canceled, Cause::Expired));
    assert_eq!(rest, Ok(()));
    Ok(())
}

fn a_time_limit_in_the_middle_of_a_chain_that_does_not_expire_lets_it_go_on(
    scene: &mut Scene,
) -> Kept {
    let (ours, theirs) = scene.pair();
    give(&theirs, b"now");
    let long = Duration::from_secs(60);
    let (n, ..) = aio::multi((
        op::recv(&ours, &mut [0; 4]).soft(),
        op::link_timeout(long).soft(),
        op::timeout(SHORT).soft(),
        op::link_timeout(long).soft(),
        op::nop(),
    ))?;
    assert_eq!(n, 3);
    Ok(())
}

fn a_time_limit_starts_with_what_it_limits(scene: &mut Scene) -> Kept {
    let (ours, theirs) = scene.pair();
    give(&theirs, b"now");
    aio::multi((
        op::timeout(4 * SHORT).soft(),
        op::recv(&ours, &mut [0; 4]).soft(),
        op::link_timeout(SHORT),
    ))?;
    Ok(())
}

fn a_time_limit_on_what_never_starts_succeeds(_: &mut Scene) -> Kept {
    let full = system::full();
    let (failed, canceled, limit) = aio::complete((
        op::write(&full, b"a").soft(),
        op::timeout(Duration::MAX).soft(),
        op::link_timeout(Duration::ZERO),
    ))?;
    assert_eq!((code(failed), cause(canceled), limit), (Code::FULL, Cause::Canceled, Ok(())));
    Ok(())
}

fn a_time_limit_on_a_new_socket_succeeds(_: &mut Scene) -> Kept {
    let (_, (), ()) = aio::multi((
        op::socket(aio::Domain::IPV4, aio::Type::STREAM, None).soft(),
        op::link_timeout(Duration::ZERO).soft(),
        op::nop(),
    ))?;
    Ok(())
}

fn a_mistake_in_a_path_never_lets_what_it_breaks_happen(scene: &mut Scene) -> Kept {
    let file = scene.file(b"");
    let (first, opened, last) = aio::complete((
        op::write(&file, b"first").soft(),
        op::open_at(Cwd, "a\0b").soft(),
        op::write(&file, b"last"),
    ))?;
    assert_eq!((cause(opened), cause(last)), (Cause::InvalidPath, Cause::Canceled));
    let written = first.map_or(0, |n| n as u64);
    assert_eq!(file.metadata()?.len(), written, "what is canceled has not happened");
    Ok(())
}
