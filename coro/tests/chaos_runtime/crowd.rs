//! Who starts the tasks, replaces those that have ended, and cancels some of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use corio::aio::op;
use corio::io;

use super::books::Dice;
use super::world::{Child, World};

/// How many tasks are there at a time, beside those that they start themselves; and how many share
/// in starting them.
pub const TASKS: usize = 10_000;
const DRIVERS: usize = 4;

/// How many tasks are looked at before the others have a turn.
const LOOKS: usize = 64;

/// Who drives the tasks: plain threads, a task elsewhere, and one in their midst.
pub struct Crowd {
    is_over: Arc<AtomicBool>,
    /// Ends when all have ended.
    ended: Receiver<()>,
}

/// One of those who start tasks.
struct Driver {
    world: Arc<World>,
    is_over: Arc<AtomicBool>,
    dice: Dice,
    _sender: Sender<()>,
}

impl Crowd {
    pub fn start(world: &Arc<World>, dice: &Dice) -> Crowd {
        let (sender, ended) = mpsc::channel();
        let crowd = Crowd { is_over: Arc::default(), ended };
        for number in 0..DRIVERS {
            let driver = Driver {
                world: world.clone(),
                is_over: crowd.is_over.clone(),
                dice: Dice::new(dice.next()),
                _sender: sender.clone(),
            };
            match number {
                0 => world.runtime.spawn(move || driver.drive()).detach(),
                1 => drop(thread::spawn(move || corio::run(|| driver.drive()).unwrap())),
                _ => drop(thread::spawn(move || driver.drive())),
            }
        }
        crowd
    }

    /// Lets no more tasks be started, and those who wait for messages go.
    pub fn stop(&self, world: &World) {
        self.is_over.store(true, Relaxed);
        world.queues.iter().for_each(|queue| queue.close());
    }

    /// Waits until all tasks have been joined; says whether that came.
    pub fn wait(&self, patience: Duration) -> bool {
        self.ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Disconnected)
    }
}

impl Driver {
    fn drive(self) {
        let dice = &self.dice;
        let mut children: Vec<_> = (0..TASKS / DRIVERS).map(|_| self.child()).collect();
        while !self.is_over.load(Relaxed) && !self.world.runtime.is_closed() {
            for _ in 0..LOOKS {
                self.look_at(&mut children[dice.throw(TASKS / DRIVERS)]);
            }
            _ = io::single(op::timeout(dice.instant()));
        }
        for mut child in children {
            if dice.once_in(4) {
                child.cancel();
            }
            child.join(&self.world, dice);
        }
    }

    fn child(&self) -> Child {
        self.world.start(&self.dice, 0)
    }

    fn look_at(&self, child: &mut Child) {
        match self.dice.throw(16) {
            0 => child.cancel(),
            1 => {
                child.cancel();
                std::mem::replace(child, self.child()).join(&self.world, &self.dice);
            }
            2 => std::mem::replace(child, self.child()).detach(),
            _ if child.is_complete() => {
                std::mem::replace(child, self.child()).join(&self.world, &self.dice);
            }
            _ => {}
        }
    }
}
