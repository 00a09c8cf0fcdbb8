//! A queue that is swapped out of its scope.

use corio_aio::Dynamic;

fn main() {
    let mut one = Dynamic::new(1).unwrap();
    let mut other = Dynamic::new(1).unwrap();
    one.scope(|one| {
        other.scope(|other| std::mem::swap(one, other));
    });
    one.scope(|one| std::mem::swap(one, &mut other));
}
