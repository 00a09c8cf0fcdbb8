//! Models of `Queue` and `oneshot`.

use std::sync::Arc;

use corio::model::Task;
use corio::sync::{Queue, RecvError, SendError, oneshot};

use crate::SOON;

#[test]
fn each_value_of_a_queue_is_received_once_and_in_order() {
    for capacity in [0, 1] {
        loom::model(move || {
            let queue = Arc::new(Queue::bounded(capacity));
            let sender = {
                let queue = queue.clone();
                Task::spawn(move || {
                    (1..=3).for_each(|n| queue.send(n).unwrap());
                    queue.close();
                })
            };
            assert_eq!(queue.iter().collect::<Vec<_>>(), [1, 2, 3]);
            sender.join();
        });
    }
}

#[test]
fn two_receivers_share_what_two_senders_send() {
    loom::model(|| {
        let queue = Arc::new(Queue::unbounded());
        let receiver = {
            let queue = queue.clone();
            Task::spawn(move || queue.recv().unwrap())
        };
        let sender = {
            let queue = queue.clone();
            Task::spawn(move || queue.send(1).unwrap())
        };
        queue.send(2).unwrap();
        let own = queue.recv().unwrap();
        sender.join();
        assert_eq!(own + receiver.join(), 3);
    });
}

#[test]
fn a_receiver_that_leaves_a_queue_loses_no_value() {
    for is_hasty in [false, true] {
        loom::model(move || {
            let queue = Arc::new(Queue::bounded(1));
            let first = {
                let queue = queue.clone();
                Task::spawn(move || match is_hasty {
                    true => queue.recv_timeout(SOON),
                    false => queue.recv(),
                })
            };
            let second = {
                let queue = queue.clone();
                Task::spawn(move || queue.recv())
            };
            if !is_hasty {
                first.cancel();
            }
            queue.send(1).unwrap();
            match first.join() {
                Ok(value) => {
                    assert_eq!(value, 1);
                    queue.close();
                    assert_eq!(second.join(), Err(RecvError::Closed));
                }
                Err(_) => assert_eq!(second.join(), Ok(1)),
            }
        });
    }
}

#[test]
fn a_sender_that_leaves_a_queue_has_its_value_back_or_has_sent_it() {
    for is_hasty in [false, true] {
        loom::model(move || {
            let queue = Arc::new(Queue::bounded(1));
            queue.send(1).unwrap();
            let sender = {
                let queue = queue.clone();
                Task::spawn(move || match is_hasty {
                    true => queue.send_timeout(2, SOON),
                    false => queue.send(2),
                })
            };
            if !is_hasty {
                sender.cancel();
            }
            assert_eq!(queue.recv(), Ok(1));
            match sender.join() {
                Ok(()) => assert_eq!(queue.try_recv(), Ok(2)),
                Err(error) => assert_eq!(error.into_inner(), 2),
            }
            assert!(queue.is_empty());
        });
    }
}

#[test]
fn a_close_delivers_what_was_sent_and_gives_back_what_was_not() {
    loom::model(|| {
        let queue = Arc::new(Queue::bounded(1));
        let sender = {
            let queue = queue.clone();
            Task::spawn(move || {
                let sent = [queue.send(1), queue.send(2)];
                sent.iter().filter(|sent| sent.is_ok()).count()
            })
        };
        let receiver = {
            let queue = queue.clone();
            Task::spawn(move || queue.iter().count())
        };
        queue.close();
        assert_eq!(queue.send(3), Err(SendError::Closed(3)));
        assert_eq!(sender.join(), receiver.join());
    });
}

#[test]
fn a_oneshot_delivers_or_says_that_it_is_closed() {
    for sends in [false, true] {
        loom::model(move || {
            let (sender, receiver) = oneshot::channel();
            let task = Task::spawn(move || receiver.recv());
            if sends {
                sender.send(1).unwrap();
                assert_eq!(task.join(), Ok(1));
            } else {
                drop(sender);
                assert_eq!(task.join(), Err(RecvError::Closed));
            }
        });
    }
}

#[test]
fn a_receiver_that_leaves_a_oneshot_gives_the_value_back_or_has_it() {
    for is_hasty in [false, true] {
        loom::model(move || {
            let (sender, mut receiver) = oneshot::channel();
            let task = Task::spawn(move || match is_hasty {
                true => receiver.recv_timeout(SOON),
                false => receiver.recv(),
            });
            if !is_hasty {
                task.cancel();
            }
            let sent = sender.send(Arc::new(()));
            match (task.join(), sent) {
                (Ok(value), Ok(())) => assert_eq!(Arc::strong_count(&value), 1),
                (Err(_), Err(value)) => assert_eq!(Arc::strong_count(&value), 1),
                // It left after the value had come, as any receiver may that is dropped.
                (Err(error), Ok(())) => assert_ne!(error, RecvError::Closed),
                (Ok(_), Err(_)) => panic!("a value is on one side only"),
            }
        });
    }
}

#[test]
fn a_oneshot_as_a_future_is_woken() {
    loom::model(|| {
        let (sender, receiver) = oneshot::channel();
        let sender = Task::spawn(move || sender.send(1).unwrap());
        assert_eq!(loom::future::block_on(receiver), Ok(1));
        sender.join();
    });
}
