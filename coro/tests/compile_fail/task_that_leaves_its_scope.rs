//! A task is of no use outside of its scope.

fn main() -> std::io::Result<()> {
    let mut kept = None;
    corio::scope(|s| kept = Some(s.spawn(|| 5)))?;
    assert_eq!(kept.unwrap().join().unwrap(), 5);
    Ok(())
}
