//! Models of the mailbox through which threads wake a scheduler.

use std::sync::Arc;

use corio::model::{Mailbox, Task};

#[test]
fn a_scheduler_that_goes_to_sleep_misses_no_wake() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new());
        let senders = [1, 2].map(|who| {
            let mailbox = mailbox.clone();
            Task::spawn(move || mailbox.wake(who))
        });
        let mut woken = Vec::new();
        while woken.len() < 2 {
            woken.extend(mailbox.turn());
        }
        woken.sort_unstable();
        assert_eq!(woken, [1, 2]);
        senders.into_iter().for_each(Task::join);
    });
}

#[test]
fn a_scheduler_that_wakes_twice_misses_no_wake() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new());
        let sender = {
            let mailbox = mailbox.clone();
            Task::spawn(move || (1..=3).for_each(|who| mailbox.wake(who)))
        };
        let mut woken = Vec::new();
        while woken.len() < 3 {
            woken.extend(mailbox.turn());
        }
        assert_eq!(woken, [1, 2, 3]);
        sender.join();
    });
}

#[test]
fn a_mailbox_whose_scheduler_ends_can_still_be_written_to() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new());
        let sender = {
            let mailbox = mailbox.clone();
            Task::spawn(move || mailbox.wake(1))
        };
        mailbox.close();
        sender.join();
        assert_eq!(mailbox.turn_awake(), []);
    });
}
