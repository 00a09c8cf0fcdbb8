//! A task of the outermost scope borrows nothing.

fn main() -> std::io::Result<()> {
    corio::run(|| {
        let local = [0; 8];
        corio::spawn(|| local.len()).map(drop)
    })?
}
