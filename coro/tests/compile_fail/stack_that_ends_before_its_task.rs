//! A stack of the user's that does not last as long as the scope of the task that runs on it.

use corio::{SpawnOptions, Stack};

fn main() -> std::io::Result<()> {
    corio::scope(|s| {
        let mut stack = Stack::new(1 << 16)?;
        let options = SpawnOptions::new().stack(&mut stack);
        s.spawn_with(options, corio::yield_now)?.detach();
        std::io::Result::Ok(())
    })?
}
