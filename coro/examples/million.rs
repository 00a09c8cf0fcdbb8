//! A million tasks at once on one thread, each with a stack and a guard page of its own: half of
//! them in timeouts, half in receives on a shared event. Prints what one costs.
//!
//! `cargo run --release --example million -- --tasks 1000000`

use std::cell::Cell;
use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use corio::aio::{EventSource, op};
use corio::{Options, Scheduler, SpawnOptions, io};

/// What each task's stack may take; a task that only waits touches a page of it.
const STACK: usize = 32 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let tasks = tasks_wanted()?;
    let before = Memory::now();
    let event = EventSource::new()?;
    let (waiting, ended) = (Cell::new(0), Cell::new(0));
    // All timeouts end at one moment. No task goes on before the scheduler's first turn.
    let start = Instant::now();
    let end = start + Duration::from_secs(1) + Duration::from_micros(4) * tasks;
    let receive = || io::single(op::wait_event_source(&event));
    let sleep = || io::single(op::timeout(end.saturating_duration_since(Instant::now())));
    Scheduler::with(Options::default(), |scheduler| -> Result<(), Box<dyn Error>> {
        for index in 0..tasks {
            let options = SpawnOptions::new().stack_size(STACK).detached();
            let (waiting, ended) = (&waiting, &ended);
            let task = scheduler.spawn_with(options, move || {
                waiting.set(waiting.get() + 1);
                if index % 2 == 0 { receive() } else { sleep() }.expect("nobody cancels it");
                waiting.set(waiting.get() - 1);
                ended.set(ended.get() + 1);
            })?;
            drop(task);
        }
        let spawned = start.elapsed();
        let memory = Memory::now();
        assert_eq!(waiting.get(), tasks, "all of them are suspended at once");
        let receives = u64::from(tasks).div_ceil(2);
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
        let finish = Instant::now();
        event.notify_many(receives)?;
        scheduler.run()?;
        let finished = finish.elapsed();
        let kib_each = |now: u64, before: u64| now.saturating_sub(before) as f64 / f64::from(tasks);
        print!("tasks={tasks} spawn_ns={}", spawned.as_nanos() / u128::from(tasks.max(1)));
        if let (Some(memory), Some(before)) = (memory, before) {
            print!(
                " rss_kib_per_task={:.3} page_table_kib_per_task={:.3} mappings={}",
                kib_each(memory.resident_kib, before.resident_kib),
                kib_each(memory.page_tables_kib, before.page_tables_kib),
                memory.mappings,
            );
        }
        println!(" finish_ms={}", finished.as_millis());
        Ok(())
    })??;
    if ended.get() != tasks {
        return Err(format!("{} of {tasks} tasks ended", ended.get()).into());
    }
    Ok(())
}

/// The number after `--tasks`, or a million.
fn tasks_wanted() -> Result<u32, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(1_000_000),
        ["--tasks", number] => Ok(number.parse()?),
        _ => Err("it takes --tasks and a number, and nothing else".into()),
    }
}

/// What the process takes, by the kernel's books, which Linux shows.
struct Memory {
    resident_kib: u64,
    page_tables_kib: u64,
    mappings: usize,
}

impl Memory {
    fn now() -> Option<Memory> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let kib = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Memory {
            resident_kib: kib("VmRSS:")?,
            page_tables_kib: kib("VmPTE:")?,
            mappings: fs::read_to_string("/proc/self/maps").ok()?.lines().count(),
        })
    }
}
