//! Keeps a thread on one processor.

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
mod sets;
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(super) use sets::to_processor;
#[cfg(windows)]
#[expect(unsafe_code, reason = "asks for a thread's processors, and sets them")]
mod windows;
#[cfg(windows)]
pub(super) use windows::to_processor;

/// Says that this system lets no thread choose.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", windows)))]
pub(super) fn to_processor(_number: usize) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
