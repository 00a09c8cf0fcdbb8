//! Tasks are spawned in the thread of their scope.

fn main() -> std::io::Result<()> {
    corio::scope(|s| {
        std::thread::scope(|threads| {
            threads.spawn(|| s.spawn(|| ()).detach());
        });
    })
}
