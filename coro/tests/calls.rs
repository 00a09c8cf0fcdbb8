//! How many calls of the OS operations take, where that is none.

use corio::aio::backend::Kind;
use corio::aio::op::{self, Operation};
use corio::{Options, Scheduler, aio, io};

#[test]
fn nops_make_no_call_on_other_backends_than_uring() {
    for &kind in Kind::CANDIDATES.iter().filter(|kind| kind.name() != Kind::Uring.name()) {
        let ring = aio::Options { backend: Some(kind), ..aio::Options::DEFAULT };
        let calls = Scheduler::with(Options { ring, ..Options::default() }, |scheduler| {
            let tasks: Vec<_> = (0..100)
                .map(|_| {
                    let nops = || {
                        for _ in 0..100 {
                            io::single(op::nop()).unwrap();
                            io::multi((op::nop().soft(), op::nop().hard(), op::nop())).unwrap();
                            io::multi(vec![op::nop(); 20]).unwrap();
                        }
                    };
                    scheduler.spawn(nops).unwrap()
                })
                .collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
            scheduler.traffic().calls
        });
        assert_eq!(calls.unwrap(), 0, "{kind}");
    }
}
