//! A task stays in its thread.

fn main() {
    let task = corio::run(|| corio::spawn(|| 5)).unwrap().unwrap();
    std::thread::spawn(move || task.join().unwrap());
}
