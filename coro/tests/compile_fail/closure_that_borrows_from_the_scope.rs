//! A task may outlive the closure of its scope, and so may not borrow from it.

fn main() -> std::io::Result<()> {
    corio::scope(|s| {
        let local = [0; 8];
        s.spawn(|| local.len()).detach();
    })
}
