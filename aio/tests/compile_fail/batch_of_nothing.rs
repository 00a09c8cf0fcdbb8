//! A batch of nothing, as a tuple.

fn main() {
    let _ = corio_aio::multi(());
}
