//! What this kernel's io_uring can do: found out once per process.

use std::env;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use io_uring::{Builder, IoUring, Probe};

use super::entry;
use crate::backend::syscall;
use crate::error::{Cause, Error};
use crate::handle::RawHandle;
use crate::kind::{Kinds, OpKind};
use crate::op::RawOp;
use crate::sys::c;

/// A way to set a ring up, and the name under which it can be [masked](is_masked).
type Way = (&'static str, fn(&mut Builder));

/// The ways there are, the best one first, each with the version of Linux that it needs.
const WAYS: [Way; 4] = [
    // 6.6: no array of indices between the queue and its entries.
    ("no_sqarray", |builder| {
        defer(builder);
        builder.setup_no_sqarray();
    }),
    // 6.1: completions are worked off when the owner asks, and interrupt it at no other time.
    ("defer_taskrun", defer),
    // 5.19: completions are worked off when the owner enters the kernel.
    ("coop_taskrun", |builder| {
        builder.setup_clamp().setup_submit_all().setup_coop_taskrun().setup_taskrun_flag();
    }),
    // 5.17: as it comes.
    ("clamp", |builder| {
        builder.setup_clamp();
    }),
];

fn defer(builder: &mut Builder) {
    builder.setup_clamp().setup_submit_all();
    builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
}

/// Whether what `socket` sends need not be copied: TCP and UDP over IP.
pub fn sends_without_copy(socket: RawHandle) -> bool {
    let option = |name| {
        let mut value = 0i32;
        let bytes = (&raw mut value).cast();
        let op = RawOp::GetOption { fd: socket, level: c::SOL_SOCKET, name, value: bytes, len: 4 };
        // SAFETY: the value is as long as said, and outlives the call.
        let result = unsafe { syscall::call(&op) };
        (result == Some(Ok(4))).then_some(value)
    };
    matches!(option(c::SO_DOMAIN), Some(c::AF_INET | c::AF_INET6))
        && matches!(option(c::SO_PROTOCOL), Some(c::IPPROTO_TCP | c::IPPROTO_UDP))
}

/// Sets a ring up in the best way that the kernel knows; also says whether that is new enough to
/// cancel by descriptor.
///
/// # Errors
///
/// - [`Cause::Unsupported`]: there is no io_uring, or it is older than 5.17.
/// - [`Cause::Os`]: the system refused: it is forbidden (`EPERM`), or there is a limit (`ENOMEM`).
pub fn build(entries: u32) -> Result<(IoUring, bool), Error> {
    let needed = |kind: &OpKind| !syscall::HAS_CALL.and(RECENT).contains(*kind);
    if let Some(kind) = OpKind::ALL.into_iter().filter(needed).find(|kind| masked().contains(*kind))
    {
        return Err(Error::new(kind, Cause::Unsupported));
    }
    static BEST: AtomicUsize = AtomicUsize::new(0);
    for (way, (name, set_up)) in WAYS.iter().enumerate().skip(BEST.load(Ordering::Relaxed)) {
        if is_masked(name) {
            continue;
        }
        let mut builder = IoUring::builder();
        set_up(&mut builder);
        match builder.build(entries) {
            Ok(ring) => {
                BEST.store(way, Ordering::Relaxed);
                // Older ones break chains at timeouts, and say more than is asked.
                if !ring.params().is_feature_skip_cqe_on_success() {
                    break;
                }
                return Ok((ring, way < 2));
            }
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            Err(error) => return Err(Error::of_ring(cause(&error))),
        }
    }
    Err(Error::of_ring(Cause::Unsupported))
}

fn cause(error: &io::Error) -> Cause {
    match error.raw_os_error() {
        Some(libc::ENOSYS) | None => Cause::Unsupported,
        Some(code) => Cause::Os(code),
    }
}

/// Kinds whose opcodes some kernels lack on which rings can be set up.
pub const RECENT: Kinds = Kinds::NONE
    .with(OpKind::WaitId)
    .with(OpKind::FutexWait)
    .with(OpKind::FutexWake)
    .with(OpKind::Ftruncate);

/// Whether operations of this kind can be done: by the kernel, by a plain call, or as another one.
pub fn supports(ring: &IoUring, kind: OpKind) -> bool {
    knows(ring, kind)
        || syscall::HAS_CALL.contains(kind)
        || matches!(kind, OpKind::SendZc | OpKind::WaitId)
}

/// Those of [`RECENT`] that this kernel lacks.
pub fn missing(ring: &IoUring) -> Kinds {
    let recent = OpKind::ALL.into_iter().filter(|kind| RECENT.contains(*kind));
    recent.filter(|kind| !knows(ring, *kind)).fold(Kinds::NONE, Kinds::with)
}

/// Whether the kernel knows the opcode of `kind`.
pub fn knows(ring: &IoUring, kind: OpKind) -> bool {
    static PROBE: OnceLock<Option<Probe>> = OnceLock::new();
    let probe = PROBE.get_or_init(|| {
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe).ok().map(|()| probe)
    });
    let known = |code| probe.as_ref().is_some_and(|probe| probe.is_supported(code));
    !masked().contains(kind) && entry::opcode(kind).is_some_and(known)
}

/// Kinds that the kernel is taken to lack, for tests.
pub fn masked() -> Kinds {
    static MASKED: OnceLock<Kinds> = OnceLock::new();
    *MASKED.get_or_init(|| {
        let masked = OpKind::ALL.into_iter().filter(|kind| is_masked(kind.name()));
        masked.fold(Kinds::NONE, Kinds::with)
    })
}

/// Whether the environment variable `CORIO_URING_WITHOUT` names it, with commas between the names.
fn is_masked(name: &str) -> bool {
    let names = env::var("CORIO_URING_WITHOUT").unwrap_or_default();
    names.split(',').any(|masked| masked == name)
}
