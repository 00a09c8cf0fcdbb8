//! An event is of one thread's tasks.

fn main() {
    let event = corio::ResetEvent::new();
    std::thread::scope(|threads| {
        threads.spawn(|| event.set());
    });
}
