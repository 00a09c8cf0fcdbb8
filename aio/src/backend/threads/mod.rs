//! Calls that can only block, on threads that all rings of the process share.

mod pool;

use std::collections::VecDeque;
use std::sync::Arc;

use super::Answered;
use crate::fork;
use crate::key::Key;
use crate::op::RawOp;
use crate::waker::Waker;
use pool::{Job, Outbox, Pool};

/// One ring's side of the threads.
///
/// It is used in the process that made it, and may be dropped in a forked child of it.
pub struct Threads {
    pool: &'static Pool,
    most: usize,
    outbox: Arc<Outbox>,
    /// How many jobs were started, and neither stopped nor collected.
    in_flight: usize,
}

impl Threads {
    /// Jobs of this ring may have up to `most` threads in the process; with 0 they are run by who
    /// starts them. `waker` is used when there is something to collect.
    pub fn new(most: usize, waker: Waker) -> Threads {
        Threads::of(Pool::of_this_process(), most, waker)
    }

    fn of(pool: &'static Pool, most: usize, waker: Waker) -> Threads {
        Threads { pool, most, outbox: Arc::new(Outbox::new(waker)), in_flight: 0 }
    }

    /// Runs `op` as its plain call on a thread, after what was started before; where there are no
    /// threads to be had, in this one.
    ///
    /// # Safety
    ///
    /// The memory that `op` names stays valid and in place and, where it is written to, unused,
    /// until `key` has been collected, [`stop`](Threads::stop) has said true, or `self` has been
    /// dropped.
    pub unsafe fn start(&mut self, key: Key, op: &RawOp) {
        self.in_flight += 1;
        let job = Job { key, op: *op, outbox: Arc::clone(&self.outbox) };
        if let Some(job) = self.pool.accept(job, self.most) {
            job.run();
        }
    }

    /// Stops a job that has not started yet: true says that it never will, and is not going to be
    /// collected. False: it runs, is done, or is unknown.
    pub fn stop(&mut self, key: Key) -> bool {
        let mut state = self.pool.lock();
        let is_it = |job: &Job| job.key == key && self.has(job);
        let found = state.queue.iter().position(is_it);
        let stopped = found.and_then(|position| state.queue.remove(position));
        self.in_flight -= usize::from(stopped.is_some());
        stopped.is_some()
    }

    /// Collects what is done.
    pub fn collect(&mut self, done: &mut VecDeque<Answered>) {
        if self.in_flight > 0 {
            self.in_flight -= self.outbox.take(done);
        }
    }

    /// How many jobs are to be collected, now or later.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn has(&self, job: &Job) -> bool {
        Arc::ptr_eq(&job.outbox, &self.outbox)
    }
}

impl Drop for Threads {
    /// Waits for what runs, and drops what is queued. What is not collected by then is lost.
    fn drop(&mut self) {
        // In a forked child the threads are gone, and the locks may be held for ever.
        if self.pool.generation != fork::generation() {
            return;
        }
        let mut state = self.pool.lock();
        let queued = state.queue.len();
        state.queue.retain(|job| !self.has(job));
        self.in_flight -= queued - state.queue.len();
        drop(state);
        self.outbox.await_all(self.in_flight);
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::{self, Write};
    use std::os::fd::{AsRawFd, RawFd};
    use std::os::unix::fs::FileExt;
    use std::process::Command;
    use std::sync::atomic::{AtomicU8, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, poll};

    use super::pool::{PATIENCE, STACK_BYTES};
    use super::*;
    use crate::error::Cause;
    use crate::key::Slots;

    fn waker() -> Waker {
        Waker::new().unwrap()
    }

    /// A pool that no other test disturbs.
    fn own_pool(patience: Duration, stack_bytes: usize) -> &'static Pool {
        Box::leak(Box::new(Pool::new(fork::generation(), patience, stack_bytes)))
    }

    fn own_threads(most: usize) -> Threads {
        Threads::of(own_pool(PATIENCE, STACK_BYTES), most, waker())
    }

    fn keys<const N: usize>() -> [Key; N] {
        let mut slots = Slots::new();
        [(); N].map(|()| slots.insert(()))
    }

    /// Collects `count` answers, woken up for each batch of them.
    fn collect(threads: &mut Threads, count: usize) -> Vec<Answered> {
        let mut done = VecDeque::new();
        while done.len() < count {
            let waker = threads.outbox.lock().waker.clone().unwrap();
            let mut watched = [PollFd::new(waker.signal(), PollFlags::IN)];
            poll(&mut watched, None).unwrap();
            assert!(waker.clear());
            threads.collect(&mut done);
        }
        done.into()
    }

    /// A pipe, and a byte that is read from it: never freed, so that a test that fails while a
    /// read is at work just fails.
    struct Source {
        reader: io::PipeReader,
        writer: io::PipeWriter,
        byte: &'static AtomicU8,
    }

    impl Source {
        fn new() -> Source {
            let (reader, writer) = io::pipe().unwrap();
            Source { reader, writer, byte: Box::leak(Box::default()) }
        }

        fn read(&self) -> RawOp {
            let (fd, buf) = (self.reader.as_raw_fd(), self.byte.as_ptr());
            RawOp::Read { fd, buf, len: 1, offset: RawOp::OWN_POSITION }
        }

        fn write(&mut self, byte: u8) {
            self.writer.write_all(&[byte]).unwrap();
        }

        fn byte(&self) -> u8 {
            self.byte.load(Ordering::Relaxed)
        }

        /// How many bytes nobody has read.
        fn left(&self) -> u64 {
            rustix::io::ioctl_fionread(&self.reader).unwrap()
        }
    }

    /// A read that runs, and one that waits for the only thread.
    fn busy() -> (Threads, [Source; 2], [Key; 2]) {
        let (mut threads, sources) = (own_threads(1), [Source::new(), Source::new()]);
        let keys = keys();
        for (key, source) in keys.iter().zip(&sources) {
            // SAFETY: the byte is never freed, and is read only when it is answered.
            unsafe { threads.start(*key, &source.read()) };
        }
        while threads.pool.lock().queue.len() > 1 {
            thread::yield_now();
        }
        (threads, sources, keys)
    }

    #[test]
    fn each_of_many_calls_is_answered_once_and_rightly() {
        const COUNT: usize = 200;
        let file = tempfile::tempfile().unwrap();
        let (mut threads, keys) = (own_threads(4), keys::<COUNT>());
        let written: Vec<[u8; 64]> = (0..COUNT).map(|index| [index as u8; 64]).collect();
        let mut read = vec![[0xff; 64]; COUNT];
        let start = |threads: &mut Threads, op: &dyn Fn(RawFd, usize, u64) -> RawOp| {
            for (index, key) in keys.iter().enumerate() {
                // SAFETY: all are collected before the buffers go.
                unsafe {
                    threads.start(*key, &op(file.as_raw_fd(), index, 64 * index as u64));
                }
            }
            assert_eq!(threads.in_flight(), COUNT);
            let mut done = collect(threads, COUNT);
            done.sort_unstable_by_key(|(key, _)| key.slot());
            assert_eq!(done, keys.map(|key| (key, Ok(64))));
            assert_eq!(threads.in_flight(), 0);
        };
        start(&mut threads, &|fd, index, offset| RawOp::Write {
            fd,
            buf: written[index].as_ptr(),
            len: 64,
            offset,
        });
        let to = read.as_mut_ptr();
        start(&mut threads, &|fd, index, offset| RawOp::Read {
            fd,
            buf: to.wrapping_add(index).cast(),
            len: 64,
            offset,
        });
        assert_eq!(read, written);
        let mut last = [0; 64];
        file.read_exact_at(&mut last, 64 * (COUNT as u64 - 1)).unwrap();
        assert_eq!(last, written[COUNT - 1]);
        assert!(threads.pool.lock().threads <= 4);
    }

    #[test]
    fn failures_are_answers_too() {
        let (mut threads, keys) = (own_threads(2), keys::<2>());
        // SAFETY: the calls use no memory.
        unsafe { threads.start(keys[0], &RawOp::Fsync { fd: -1, data_only: false }) };
        // SAFETY: as before.
        unsafe { threads.start(keys[1], &RawOp::Accept { fd: -1 }) };
        let mut done = collect(&mut threads, 2);
        done.sort_unstable_by_key(|(key, _)| key.slot());
        let expected = [Err(Cause::Os(libc::EBADF)), Err(Cause::Unsupported)];
        assert_eq!(done, [(keys[0], expected[0]), (keys[1], expected[1])]);
    }

    #[test]
    fn one_thread_does_one_thing_at_a_time() {
        let (mut threads, mut sources, keys) = busy();
        sources[1].write(2);
        thread::sleep(Duration::from_millis(20));
        assert_eq!((sources[1].left(), threads.pool.lock().threads), (1, 1));
        sources[0].write(1);
        assert_eq!(collect(&mut threads, 2), [(keys[0], Ok(1)), (keys[1], Ok(1))]);
        assert_eq!((sources[0].byte(), sources[1].byte()), (1, 2));
    }

    #[test]
    fn what_is_stopped_never_runs_and_what_runs_is_not_stopped() {
        let (mut threads, mut sources, keys) = busy();
        sources[1].write(2);
        assert!(!threads.stop(keys[0]));
        assert!(threads.stop(keys[1]));
        assert!(!threads.stop(keys[1]));
        assert_eq!(threads.in_flight(), 1);
        sources[0].write(1);
        assert_eq!(collect(&mut threads, 1), [(keys[0], Ok(1))]);
        assert!(!threads.stop(keys[0]));
        drop(threads);
        assert_eq!((sources[1].byte(), sources[1].left()), (0, 1));
    }

    #[test]
    fn the_jobs_of_another_ring_are_not_stopped() {
        let (threads, mut sources, keys) = busy();
        let mut other = Threads::of(threads.pool, 1, waker());
        assert!(!other.stop(keys[1]));
        drop(other);
        assert_eq!(threads.pool.lock().queue.len(), 1);
        sources.iter_mut().for_each(|source| source.write(1));
        // It waits for the read, which needs the descriptor.
        drop(threads);
    }

    #[test]
    fn dropping_waits_for_what_runs_and_for_nothing_else() {
        let (threads, mut sources, _) = busy();
        let (pool, mut writer) = (threads.pool, sources[0].writer.try_clone().unwrap());
        sources[1].write(2);
        let later = thread::spawn(move || {
            while !pool.lock().queue.is_empty() {
                thread::yield_now();
            }
            writer.write_all(&[1]).expect("a reader");
        });
        drop(threads);
        assert_eq!((sources[0].byte(), sources[1].byte(), sources[1].left()), (1, 0, 1));
        later.join().unwrap();
    }

    #[test]
    fn a_thread_that_is_not_quite_done_keeps_no_descriptor() {
        let threads = own_threads(1);
        let of_a_thread = Arc::clone(&threads.outbox);
        drop(threads);
        assert_eq!(Arc::strong_count(&of_a_thread), 1);
        assert!(of_a_thread.lock().waker.is_none());
    }

    #[test]
    fn threads_without_work_end_and_come_back() {
        let pool = own_pool(Duration::from_millis(5), STACK_BYTES);
        let (mut threads, [key]) = (Threads::of(pool, 2, waker()), keys());
        for _ in 0..2 {
            // SAFETY: the call uses no memory.
            unsafe { threads.start(key, &RawOp::Nop) };
            assert_eq!(collect(&mut threads, 1), [(key, Ok(0))]);
            let start = Instant::now();
            while pool.lock().threads > 0 {
                assert!(start.elapsed() < Duration::from_secs(60), "a thread stays");
                thread::yield_now();
            }
            assert_eq!(pool.lock().idle, 0);
        }
    }

    #[test]
    fn without_a_thread_to_be_had_a_job_is_done_at_once() {
        let too_much = 1 << 50;
        for (most, stack_bytes) in [(0, STACK_BYTES), (4, too_much)] {
            let pool = own_pool(PATIENCE, stack_bytes);
            let (mut threads, [key]) = (Threads::of(pool, most, waker()), keys());
            // SAFETY: the call uses no memory.
            unsafe { threads.start(key, &RawOp::Nop) };
            assert_eq!(pool.lock().threads, 0);
            assert!(pool.lock().queue.is_empty());
            assert!(!threads.stop(key));
            assert_eq!(collect(&mut threads, 1), [(key, Ok(0))]);
        }
    }

    /// The signals that a thread of this process blocks, if it is still there.
    fn blocked(thread: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:"))?;
        u64::from_str_radix(line.trim(), 16).ok()
    }

    #[test]
    fn signals_are_blocked_on_the_threads_and_nowhere_else() {
        let before = blocked("thread-self").unwrap();
        let (threads, mut sources, _) = busy();
        assert_eq!(blocked("thread-self"), Some(before));
        let signals = [libc::SIGHUP, libc::SIGINT, libc::SIGALRM, libc::SIGTERM, libc::SIGUSR1];
        let expected = signals.iter().fold(0, |set, signal| set | 1 << (signal - 1));
        let mut found = 0;
        for task in fs::read_dir("/proc/self/task").unwrap() {
            let task = format!("self/task/{}", task.unwrap().file_name().to_str().unwrap());
            // The threads of other tests may end meanwhile.
            let name = fs::read_to_string(format!("/proc/{task}/comm"));
            if let Some(blocked) = blocked(&task).filter(|_| name.is_ok_and(|n| n == "corio-io\n"))
            {
                assert_eq!(blocked & expected, expected, "{blocked:x}");
                found += 1;
            }
        }
        assert!(found > 0);
        sources.iter_mut().for_each(|source| source.write(1));
        drop(threads);
    }

    /// What a forked child does, whose parent held the lock and had a read at work.
    fn as_child(taken_along: Threads) {
        drop(taken_along);
        let (mut file, mut buf) = (tempfile::tempfile().unwrap(), [0; 5]);
        file.write_all(b"child").unwrap();
        let (mut threads, [key]) = (Threads::new(2, waker()), keys());
        let (fd, buf_at) = (File::as_raw_fd(&file), buf.as_mut_ptr());
        // SAFETY: it is collected before the buffer goes.
        unsafe { threads.start(key, &RawOp::Read { fd, buf: buf_at, len: 5, offset: 0 }) };
        assert_eq!(collect(&mut threads, 1), [(key, Ok(5))]);
        assert_eq!(&buf, b"child");
    }

    #[test]
    fn a_forked_child_has_threads_of_its_own() {
        let name = "backend::threads::tests::a_forked_child_has_threads_of_its_own";
        if std::env::var_os("CORIO_TEST_IS_ALONE").is_none() {
            let mut test = Command::new(std::env::current_exe().unwrap());
            test.args([name, "--exact", "--test-threads=1", "--nocapture"]);
            let output = test.env("CORIO_TEST_IS_ALONE", "1").output().unwrap();
            let words = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && words.contains("1 passed"), "{output:?}");
            return;
        }
        fork::watch();
        let (mut threads, mut source, [key]) = (Threads::new(1, waker()), Source::new(), keys());
        // SAFETY: as for those that are busy.
        unsafe { threads.start(key, &source.read()) };
        let locks = (threads.pool.lock(), threads.outbox.lock());
        // SAFETY: the other threads wait and hold no lock that the child takes; the child ends by
        // `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            std::mem::forget(locks);
            let child = std::panic::AssertUnwindSafe(|| as_child(threads));
            let seen = std::panic::catch_unwind(child);
            // SAFETY: nothing of the parent's is to be run.
            unsafe { libc::_exit(i32::from(seen.is_err())) };
        }
        drop(locks);
        let mut status = -1;
        // SAFETY: the status is written to a local.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the child has failed");
        source.write(9);
        assert_eq!(collect(&mut threads, 1), [(key, Ok(1))]);
        assert_eq!(source.byte(), 9);
    }
}
