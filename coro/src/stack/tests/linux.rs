//! What holds of stacks on Linux, which tells of mappings, and can be kept from being called.

use std::fs;

use super::*;

/// Where a mapping begins and ends, if that is what a line of `maps` or `smaps` says.
fn range(line: &str) -> Option<(usize, usize)> {
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    Some((number(start)?, number(end)?))
}

/// How many mappings the system has between the lowest and the highest of some stacks.
fn mappings(stacks: &[Stack]) -> usize {
    let bottoms = || stacks.iter().map(|stack| stack.bottom.addr().get());
    let (lowest, highest) = (bottoms().min().unwrap(), bottoms().max().unwrap());
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let ranges = maps.lines().filter_map(range);
    ranges.filter(|(start, end)| *end > lowest && *start <= highest).count()
}

#[test]
fn hundreds_of_thousands_of_stacks_are_a_few_mappings() {
    let mut pool = pool(64 * 1024);
    let few: Vec<Stack> = (0..100).map(|_| pool.take().unwrap()).collect();
    if mappings(&few) >= few.len() {
        // Before Linux 6.13 each guard is a mapping, and so is what lies between two.
        assert!(mappings(&few) < 2 * few.len() + 10);
        return;
    }
    // So many that the first reservation does not hold them.
    let stacks: Vec<Stack> = (0..300_000).map(|_| pool.take().unwrap()).collect();
    let count = mappings(&stacks);
    // Other threads of the harness may have theirs in between.
    assert!(count < 10, "{count} mappings");
    assert!(stacks.iter().step_by(1000).all(has_guard));
}

#[test]
fn no_huge_page_backs_a_stack() {
    let mut pool = pool(4 << 20);
    let stack = pool.take().unwrap();
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let middle = stack.bottom.addr().get() + stack.size / 2;
    let is_its = |line| range(line).is_some_and(|(start, end)| (start..end).contains(&middle));
    let flags = maps
        .lines()
        .skip_while(|line| !is_its(line))
        .find(|line| line.starts_with("VmFlags:"))
        .unwrap();
    assert!(flags.split(' ').any(|flag| flag == "nh"), "{flags}");
}

#[test]
fn taking_a_warm_stack_and_giving_it_back_makes_no_system_call() {
    let mut pool = pool(0);
    let stacks: Vec<Stack> = (0..64).map(|_| pool.take().unwrap()).collect();
    stacks.into_iter().for_each(|stack| pool.give(stack));
    // SAFETY: the child makes no call but the two below.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: from here on the process is killed if it calls the system for more than `exit`.
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) };
        for _ in 0..1000 {
            let [Ok(first), Ok(second)] = [pool.take(), pool.take()] else { break };
            touch(&first);
            pool.give(first);
            pool.give(second);
        }
        // SAFETY: the call ends the process.
        unsafe { libc::syscall(libc::SYS_exit, 7) };
    }
    let mut status = 0;
    // SAFETY: the call writes to `status` only.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7, "{status:#x}");
}
