//! Limits of the addresses of a process, which Unixes have, but for OpenBSD.

use std::hint::black_box;

use corio::{Options, Scheduler, with_stack};

use crate::scene::succeeds_alone;

#[test]
fn where_addresses_are_scarce_stacks_leave_the_rest_of_the_program_some() {
    let name = "limits::where_addresses_are_scarce_stacks_leave_the_rest_of_the_program_some";
    succeeds_alone(name, || {
        const LIMIT: libc::rlim_t = 1 << 30;
        let limit = libc::rlimit { rlim_cur: LIMIT, rlim_max: LIMIT };
        // SAFETY: the call reads `limit` only.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
        Scheduler::with(Options::default(), |scheduler| {
            let tasks: Vec<_> = (0..500)
                .map(|number: usize| {
                    let task = scheduler.spawn(move || {
                        corio::yield_now();
                        with_stack(1 << 20, || number)
                    });
                    task.unwrap()
                })
                .collect();
            let rest = vec![1_u8; LIMIT as usize / 4];
            let sum: usize = tasks.into_iter().map(|task| task.join().unwrap()).sum();
            assert_eq!((sum, black_box(rest)[7]), (500 * 499 / 2, 1));
            assert!(scheduler.spawn(|| with_stack(LIMIT as usize, || ())).unwrap().join().is_err());
        })
        .unwrap();
    });
}
