//! What the header of a message points to: made for the OS, and read back.

use std::fmt;
use std::mem;

use crate::handle::{OwnedDescriptor, RawHandle, own_descriptor};
use crate::sys::net::{SockAddr, SockAddrStorage};
use crate::sys::{CONTROL_ALIGNMENT, CONTROL_HEADER, ControlLen, c};

/// The most descriptors that one message carries.
pub const MOST_DESCRIPTORS: usize = 253;

/// The kind of a control message that holds the pidfd of the sender: Linux 6.5.
const SCM_PIDFD: i32 = 4;

/// Data that goes with a message, beside its bytes: see cmsg(3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ControlMessage {
    /// Whose it is: `SOL_SOCKET`, `IPPROTO_IP`, …
    pub level: i32,
    /// What it is: `SCM_CREDENTIALS`, `IP_PKTINFO`, …
    pub kind: i32,
    /// The data.
    pub data: Vec<u8>,
}

/// A message that was received.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Received {
    /// How many bytes were received.
    pub len: usize,
    /// Who sent it; `None` where the socket is connected and does not say, or the sender has no
    /// address.
    pub address: Option<SockAddr>,
    /// Whether the datagram was longer than the buffers.
    pub is_truncated: bool,
    /// Whether there were more descriptors or control messages than there was room for, or than
    /// descriptors the process has left. Those that are missing are closed.
    pub is_control_truncated: bool,
    /// The descriptors that were sent with it, close-on-exec.
    pub descriptors: Vec<OwnedDescriptor>,
    /// The pidfd of the sender, where the socket was asked for it (`SO_PASSPIDFD`).
    pub sender: Option<OwnedDescriptor>,
    /// The control messages that hold no descriptors.
    pub control: Vec<ControlMessage>,
}

/// The bytes that control messages with `len` bytes of data take.
pub const fn space(len: usize) -> usize {
    CONTROL_HEADER + len.next_multiple_of(CONTROL_ALIGNMENT)
}

/// Control messages in the form that the OS reads.
pub fn encode(messages: &[ControlMessage], descriptors: &[RawHandle]) -> Vec<u8> {
    let mut control = Vec::new();
    for message in messages {
        put(&mut control, message.level, message.kind, &message.data);
    }
    if !descriptors.is_empty() {
        let data: Vec<u8> = descriptors.iter().flat_map(|fd| fd.to_ne_bytes()).collect();
        put(&mut control, c::SOL_SOCKET, c::SCM_RIGHTS, &data);
    }
    control
}

fn put(control: &mut Vec<u8>, level: i32, kind: i32, data: &[u8]) {
    let (start, end) = (control.len(), control.len() + space(data.len()));
    control.extend_from_slice(&((CONTROL_HEADER + data.len()) as ControlLen).to_ne_bytes());
    control.extend_from_slice(&level.to_ne_bytes());
    control.extend_from_slice(&kind.to_ne_bytes());
    control.resize(start + CONTROL_HEADER, 0);
    control.extend_from_slice(data);
    control.resize(end, 0);
}

fn header(control: &[u8]) -> Option<(usize, i32, i32)> {
    let control = control.get(..CONTROL_HEADER)?;
    let (len, rest) = control.split_first_chunk()?;
    let (level, rest) = rest.split_first_chunk()?;
    let (kind, _) = rest.split_first_chunk()?;
    let (level, kind) = (i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind));
    Some((ControlLen::from_ne_bytes(*len) as _, level, kind))
}

fn number(bytes: &[u8]) -> RawHandle {
    RawHandle::from_ne_bytes(bytes.try_into().expect("chunks of this size"))
}

/// `struct msghdr`, which points into the operation that holds it.
pub struct Header(pub c::msghdr);

impl Header {
    /// One that points to nothing.
    pub fn new() -> Header {
        // SAFETY: it is made of numbers and pointers, which may be zero.
        Header(unsafe { mem::zeroed() })
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").finish_non_exhaustive()
    }
}

impl Received {
    /// What the OS received: bytes into the buffers, and what the header points to.
    ///
    /// # Safety
    ///
    /// The OS received a message with this header, which points to the other two, and nobody else
    /// asks for what came.
    pub unsafe fn new(
        len: usize,
        header: &Header,
        control: &[u8],
        address: SockAddrStorage,
    ) -> Received {
        let (header, name_len) = (&header.0, header.0.msg_namelen.min(address.size_of()));
        let mut received = Received {
            len,
            // SAFETY: the OS wrote it, with this length.
            address: (name_len > 0).then(|| unsafe { SockAddr::new(address, name_len) }),
            is_truncated: header.msg_flags & c::MSG_TRUNC != 0,
            is_control_truncated: header.msg_flags & c::MSG_CTRUNC != 0,
            ..Received::default()
        };
        let used = control.len().min(header.msg_controllen as _);
        // SAFETY: so much of it was written by the OS; the caller promises the rest.
        unsafe { received.decode(&control[..used]) };
        received
    }

    /// Adds the control messages, and takes the descriptors in them.
    ///
    /// # Safety
    ///
    /// The OS wrote `control` for a message that was received, and nobody took descriptors of it.
    unsafe fn decode(&mut self, control: &[u8]) {
        let mut rest = control;
        while let Some((len, level, kind)) = header(rest) {
            let data = &rest[CONTROL_HEADER..len.clamp(CONTROL_HEADER, rest.len())];
            let numbers = data.chunks_exact(size_of::<RawHandle>()).map(number);
            let is_open = |fd: &RawHandle| *fd >= 0;
            // SAFETY: the OS made them for this message; the caller promises the rest.
            let owned = numbers.filter(is_open).map(|fd| unsafe { own_descriptor(fd) });
            match (level, kind) {
                (c::SOL_SOCKET, c::SCM_RIGHTS) => self.descriptors.extend(owned),
                (c::SOL_SOCKET, SCM_PIDFD) => {
                    owned.for_each(|fd| self.sender = Some(fd));
                }
                _ => self.control.push(ControlMessage { level, kind, data: data.to_vec() }),
            }
            let whole = len.max(CONTROL_HEADER).next_multiple_of(CONTROL_ALIGNMENT);
            rest = rest.get(whole..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_messages_come_back_as_they_went() {
        let one = ControlMessage { level: 1, kind: 77, data: b"odd".to_vec() };
        let two = ControlMessage { level: 0, kind: 8, data: vec![7; 12] };
        let control = encode(&[one.clone(), two.clone()], &[]);
        assert_eq!(control.len(), space(3) + space(12));
        let mut received = Received::default();
        // SAFETY: no descriptors are in it.
        unsafe { received.decode(&control) };
        assert_eq!(received.control, [one, two]);
    }

    #[test]
    fn control_messages_that_were_cut_off_are_read_as_far_as_they_go() {
        let one = ControlMessage { level: 1, kind: 77, data: vec![7; 12] };
        let control = encode(&[one], &[]);
        for len in 0..control.len() {
            let mut received = Received::default();
            // SAFETY: no descriptors are in it.
            unsafe { received.decode(&control[..len]) };
            let data = received.control.first().map_or(0, |message| message.data.len());
            assert_eq!(data, len.saturating_sub(CONTROL_HEADER).min(12));
        }
    }
}
