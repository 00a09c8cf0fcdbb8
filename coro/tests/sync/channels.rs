//! `Queue` and `oneshot`.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use corio::sync::{Queue, RecvError, SendError, TryRecvError, TrySendError, oneshot};

use crate::{SOON, beside, on_each_kind};

#[test]
fn values_come_out_in_the_order_they_were_sent() {
    on_each_kind(|| {
        let queue = Queue::unbounded();
        (0..100).for_each(|n| queue.send(n).unwrap());
        assert_eq!((queue.len(), queue.capacity()), (100, None));
        queue.close();
        assert_eq!(queue.iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        assert_eq!(queue.recv(), Err(RecvError::Closed));
    });
}

#[test]
fn a_bounded_queue_holds_no_more_than_its_bound() {
    on_each_kind(|| {
        let (queue, start) = (Queue::bounded(2), Instant::now());
        assert_eq!((queue.try_send(1), queue.try_send(2)), (Ok(()), Ok(())));
        assert_eq!(queue.try_send(3), Err(TrySendError::Full(3)));
        assert_eq!(queue.send_timeout(3, SOON), Err(SendError::Expired(3)));
        assert_eq!(queue.send_until(3, start + 2 * SOON), Err(SendError::Expired(3)));
        assert!(start.elapsed() >= 2 * SOON);
        assert_eq!((queue.try_recv(), queue.recv()), (Ok(1), Ok(2)));
        assert_eq!(queue.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(queue.recv_timeout(SOON), Err(RecvError::Expired));
        assert_eq!(queue.recv_until(start), Err(RecvError::Expired));
        assert!(queue.is_empty() && queue.capacity() == Some(2));
    });
}

#[test]
fn a_queue_without_room_leads_from_hand_to_hand() {
    let queue = Queue::bounded(0);
    corio::scope(|s| {
        assert_eq!(queue.try_send(0), Err(TrySendError::Full(0)));
        let senders = [1, 2].map(|n| {
            let queue = &queue;
            s.spawn(move || queue.send(n))
        });
        assert_eq!((queue.len(), queue.recv(), queue.try_recv()), (0, Ok(1), Ok(2)));
        assert_eq!(senders.map(|task| task.join().unwrap()), [Ok(()), Ok(())]);
        let receiver = s.spawn(|| queue.recv());
        assert_eq!(queue.try_send(3), Ok(()));
        assert_eq!(receiver.join().unwrap(), Ok(3));
    })
    .unwrap();
}

#[test]
fn receivers_are_served_in_the_order_of_arrival() {
    let queue = Queue::bounded(1);
    corio::scope(|s| {
        let receivers = [(); 3].map(|()| s.spawn(|| queue.recv()));
        (1..=3).for_each(|n| queue.send(n).unwrap());
        assert_eq!(queue.try_recv(), Err(TryRecvError::Empty), "all are promised");
        assert!(queue.is_empty());
        assert_eq!(receivers.map(|task| task.join().unwrap()), [Ok(1), Ok(2), Ok(3)]);
    })
    .unwrap();
}

#[test]
fn senders_are_let_in_in_the_order_of_arrival() {
    let queue = Queue::bounded(1);
    corio::scope(|s| {
        for n in 0..5 {
            let queue = &queue;
            s.spawn(move || queue.send(n).unwrap()).detach();
        }
        assert_eq!(queue.recv(), Ok(0));
        assert_eq!(queue.try_send(9), Err(TrySendError::Full(9)), "there is no room for others");
        assert_eq!(queue.iter().take(4).collect::<Vec<_>>(), [1, 2, 3, 4]);
    })
    .unwrap();
}

#[test]
fn a_canceled_receiver_leaves_the_value_to_the_next() {
    let queue = Queue::bounded(1);
    corio::scope(|s| {
        let canceled = s.spawn(|| queue.recv());
        let other = s.spawn(|| queue.recv());
        canceled.cancel();
        corio::yield_now();
        queue.send(1).unwrap();
        assert_eq!(canceled.join().unwrap(), Err(RecvError::Canceled));
        assert_eq!(other.join().unwrap(), Ok(1));
    })
    .unwrap();
}

#[test]
fn a_value_that_was_promised_is_not_lost_on_who_is_canceled_after_that() {
    let queue = Queue::bounded(1);
    corio::scope(|s| {
        let receiver = s.spawn(|| queue.recv());
        queue.send(1).unwrap();
        receiver.cancel();
        assert_eq!(receiver.join().unwrap(), Ok(1));
    })
    .unwrap();
}

#[test]
fn a_canceled_sender_has_its_value_back() {
    let queue = Queue::bounded(1);
    queue.send(1).unwrap();
    corio::scope(|s| {
        let canceled = s.spawn(|| queue.send(2));
        let other = s.spawn(|| queue.send(3));
        canceled.cancel();
        assert_eq!(canceled.join().unwrap(), Err(SendError::Canceled(2)));
        assert_eq!((queue.recv(), other.join().unwrap()), (Ok(1), Ok(())));
        assert_eq!(queue.recv(), Ok(3));
    })
    .unwrap();
}

#[test]
fn a_close_gives_back_what_was_not_sent_and_delivers_what_was() {
    let queue = Queue::bounded(1);
    queue.send(1).unwrap();
    corio::scope(|s| {
        let sender = s.spawn(|| queue.send(2));
        queue.close();
        assert_eq!(sender.join().unwrap(), Err(SendError::Closed(2)));
        assert_eq!(queue.try_send(3), Err(TrySendError::Closed(3)));
        assert_eq!((queue.recv(), queue.recv()), (Ok(1), Err(RecvError::Closed)));
        assert_eq!(queue.try_recv(), Err(TryRecvError::Closed));
    })
    .unwrap();
    let queue = Queue::<i32>::bounded(1);
    corio::scope(|s| {
        let receiver = s.spawn(|| queue.recv());
        queue.close();
        assert!(queue.is_closed());
        assert_eq!(receiver.join().unwrap(), Err(RecvError::Closed));
    })
    .unwrap();
}

#[test]
fn a_close_that_comes_after_a_promise_keeps_it() {
    let queue = Queue::bounded(1);
    corio::scope(|s| {
        let receiver = s.spawn(|| queue.recv());
        queue.send(1).unwrap();
        queue.close();
        assert_eq!(receiver.join().unwrap(), Ok(1));
    })
    .unwrap();
}

#[test]
fn a_queue_leads_from_tasks_to_threads_and_back() {
    let (there, back) = (Queue::bounded(3), Queue::bounded(3));
    let sum = beside(
        |sender| {
            sender.send(()).unwrap();
            for n in &there {
                back.send(2 * n).unwrap();
            }
            back.close();
        },
        || {
            thread::scope(|threads| {
                threads.spawn(|| {
                    (1..=1000).for_each(|n| there.send(n).unwrap());
                    there.close();
                });
                back.iter().sum::<i32>()
            })
        },
    );
    assert_eq!(sum, 1000 * 1001);
}

#[test]
fn what_is_left_in_a_queue_is_dropped_with_it() {
    let value = Arc::new(());
    let queue = Queue::unbounded();
    queue.send(value.clone()).unwrap();
    drop(queue);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn a_oneshot_delivers_across_threads_and_tasks() {
    let (sender, receiver) = oneshot::channel();
    beside(
        |word| {
            word.send(()).unwrap();
            assert_eq!(receiver.recv(), Ok(1));
        },
        || sender.send(1).unwrap(),
    );
}

#[test]
fn a_oneshot_says_when_the_other_end_is_gone() {
    on_each_kind(|| {
        let (sender, mut receiver) = oneshot::channel::<i32>();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(receiver.recv_timeout(SOON), Err(RecvError::Expired));
        drop(sender);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(receiver.recv(), Err(RecvError::Closed));
        let (sender, receiver) = oneshot::channel();
        assert!(!sender.is_closed());
        drop(receiver);
        assert!(sender.is_closed());
        assert_eq!(sender.send(1), Err(1));
    });
}

#[test]
fn a_oneshot_that_was_received_once_is_closed() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(1).unwrap();
    assert_eq!(receiver.recv_timeout(SOON), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_oneshot_whose_receiver_was_canceled_gives_the_value_back() {
    let (sender, receiver) = oneshot::channel();
    corio::scope(|s| {
        let task = s.spawn(|| receiver.recv());
        task.cancel();
        assert_eq!(task.join().unwrap(), Err(RecvError::Canceled));
        assert_eq!(sender.send(1), Err(1));
    })
    .unwrap();
}

#[test]
fn a_oneshot_is_a_future() {
    let (sender, receiver) = oneshot::channel();
    corio::scope(|s| {
        let task = s.spawn(|| corio::block_on(receiver));
        assert!(!task.is_complete());
        thread::scope(|threads| {
            threads.spawn(|| sender.send(1).unwrap());
        });
        assert_eq!(task.join().unwrap().unwrap(), Ok(1));
    })
    .unwrap();
}

#[test]
fn a_value_that_nobody_received_is_dropped_with_the_receiver() {
    let value = Arc::new(());
    let (sender, receiver) = oneshot::channel();
    sender.send(value.clone()).unwrap();
    drop(receiver);
    assert_eq!(Arc::strong_count(&value), 1);
}
