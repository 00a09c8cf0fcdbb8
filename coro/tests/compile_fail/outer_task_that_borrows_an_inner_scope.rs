//! A task of an outer scope may outlive an inner one, and so may not spawn on it.

fn main() -> std::io::Result<()> {
    corio::scope(|outer| {
        corio::scope(|inner| {
            outer.spawn(move || inner.spawn(|| ()).detach()).detach();
        })
    })?
}
