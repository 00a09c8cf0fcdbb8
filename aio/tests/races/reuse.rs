//! Descriptors that are closed, and whose numbers come to name other things, while a queue that
//! knew them goes on.

use std::collections::HashMap;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use corio_aio::op::Any;
use corio_aio::{Dynamic, Id, Mode, Ticket};

use crate::load::on_each_backend;
use crate::random::Random;
use crate::scenes::{Scene, What};

/// How many scenes there are at a time.
const SCENES: usize = 12;

/// A scene, and the operations that wait in it.
struct Place {
    scene: Scene,
    waiting: Vec<Ticket<Any<'static>>>,
    /// Whether they can complete.
    is_ready: bool,
}

/// What goes on in one queue.
struct Stage<'a> {
    ring: &'a mut Dynamic,
    random: Random,
    /// What there can be.
    kinds: Vec<What>,
    places: Vec<Place>,
    /// Where each operation waits.
    waits: HashMap<Id, usize>,
    /// Operations that can complete and have not.
    outstanding: usize,
    helper: Sender<Box<dyn FnOnce() + Send>>,
}

impl Stage<'_> {
    /// Puts something else to a place, or the same under another number: what was there is closed.
    fn replace(&mut self, index: usize) {
        let place = &mut self.places[index];
        let random = &mut self.random;
        if !place.scene.is_spent() && random.below(4) == 0 {
            place.scene.move_to_another_number();
            return;
        }
        let what = self.kinds[random.below(self.kinds.len())];
        // The number is free before something new takes one, or after.
        if random.below(2) == 0 {
            place.scene.close();
        }
        place.scene = Scene::new(what);
    }

    /// Starts operations at a place where none wait.
    fn start(&mut self, index: usize) {
        let place = &mut self.places[index];
        let is_ready = place.scene.is_always_ready() || self.random.below(3) == 0;
        let ops = place.scene.choose(&mut self.random);
        if is_ready {
            for step in place.scene.make_ready() {
                step();
            }
        }
        for op in ops {
            let ticket = self.ring.queue(op).unwrap();
            self.waits.insert(ticket.id(), index);
            place.waiting.push(ticket);
        }
        place.is_ready = is_ready;
        self.outstanding += if is_ready { place.waiting.len() } else { 0 };
    }

    /// Lets what waits at a place complete: in this thread, or in another one.
    fn make_ready(&mut self, index: usize) {
        let place = &mut self.places[index];
        place.is_ready = true;
        self.outstanding += place.waiting.len();
        let mut steps = place.scene.make_ready();
        while !steps.is_empty() {
            let step = steps.swap_remove(self.random.below(steps.len()));
            match self.random.below(2) {
                0 => step(),
                _ => self.helper.send(step).unwrap(),
            }
        }
    }

    /// Collects what is complete; it must be what can be.
    fn collect(&mut self, mode: Mode) {
        for done in self.ring.complete(mode).unwrap() {
            let index = self.waits.remove(&done.id).unwrap();
            let place = &mut self.places[index];
            assert!(place.is_ready, "{:?} was not ready", place.scene);
            let at = place.waiting.iter().position(|ticket| ticket.id() == done.id).unwrap();
            let value = place.waiting.swap_remove(at).take(self.ring);
            place.scene.check(&value.unwrap());
            self.outstanding -= 1;
            if place.waiting.is_empty() {
                place.is_ready = false;
                place.scene.clean_up();
            }
        }
    }

    fn round(&mut self) {
        let index = self.random.below(SCENES);
        let place = &self.places[index];
        match (place.waiting.is_empty(), place.is_ready) {
            (true, _) if place.scene.is_spent() || self.random.below(3) == 0 => self.replace(index),
            (true, _) => self.start(index),
            // Some wait long.
            (false, false) if self.random.below(4) > 0 => self.make_ready(index),
            _ => {}
        }
        match self.random.below(4) {
            0 | 1 => self.collect(Mode::NonBlocking),
            2 if self.outstanding > 0 => self.collect(Mode::Blocking),
            3 => {
                while self.outstanding > 0 {
                    self.collect(Mode::Blocking);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn no_wakeup_is_lost_when_numbers_come_to_name_other_things() {
    on_each_backend("reuse of descriptors", |ring, rounds| {
        let (helper, jobs) = channel::<Box<dyn FnOnce() + Send>>();
        let helping = thread::spawn(move || jobs.into_iter().for_each(|job| job()));
        let random = Random::new();
        let kinds = What::all();
        let places = kinds.iter().copied().cycle().take(SCENES).map(|what| Place {
            scene: Scene::new(what),
            waiting: Vec::new(),
            is_ready: false,
        });
        let places: Vec<Place> = places.collect();
        let (waits, outstanding) = (HashMap::new(), 0);
        let mut stage = Stage { ring, random, kinds, places, waits, outstanding, helper };
        rounds.for_each(|_| stage.round());
        for index in 0..SCENES {
            if !stage.places[index].is_ready && !stage.places[index].waiting.is_empty() {
                stage.make_ready(index);
            }
        }
        while stage.outstanding > 0 {
            stage.collect(Mode::Blocking);
        }
        assert!(stage.ring.is_empty());
        drop(stage);
        helping.join().unwrap();
        String::new()
    });
}
