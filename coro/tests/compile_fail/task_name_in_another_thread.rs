//! The name of a task is one in its thread only.

fn main() {
    let name = corio::run(corio::current).unwrap().unwrap();
    std::thread::spawn(move || name.wakeup());
}
