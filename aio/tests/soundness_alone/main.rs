//! The soundness contract, attacked in processes of their own.

#[path = "../system/mod.rs"]
#[allow(unsafe_code, reason = "asks the system")]
mod system;
#[cfg(unix)]
#[expect(unsafe_code, reason = "forks, and blocks signals")]
mod unix;

#[cfg(not(unix))]
#[test]
#[ignore = "no process is forked here and no signal sent; and the handles are the library's own"]
fn what_forks_and_signals_are_to_leave_alone() {}
