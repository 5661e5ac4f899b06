//! Socket options and calls: buffer sizes, segmentation, many datagrams in one call.

use std::io;
use std::os::fd::AsRawFd;

/// Datagrams taken from a socket by one `recvmmsg`.
const BATCH: usize = 32;
/// Larger than any datagram a relay may send (udpMaxPayloadSize is at most 1472).
const DATAGRAM: usize = 2048;

/// Ask for a receive buffer of `bytes` (the kernel doubles it and caps it at `net.core.rmem_max`).
pub fn set_receive_buffer(socket: &impl AsRawFd, bytes: i32) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, bytes)
}

/// Let the kernel cut what is sent into datagrams of `bytes` (UDP generic segmentation offload).
pub fn set_segment_size(socket: &impl AsRawFd, bytes: i32) -> io::Result<()> {
    set_option(socket, libc::SOL_UDP, libc::UDP_SEGMENT, bytes)
}

/// Read and drop what waits on a blocking socket, without blocking.
///
/// Returns false when the peer has closed.
pub fn discard_waiting(socket: &impl AsRawFd) -> io::Result<bool> {
    let mut bytes = [0_u8; 4096];
    loop {
        // SAFETY: the kernel writes at most `len` bytes into the array.
        let count = unsafe {
            libc::recv(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT)
        };
        match count {
            0 => return Ok(false),
            1.. => {}
            _ => {
                let error = io::Error::last_os_error();
                return match error.kind() {
                    io::ErrorKind::WouldBlock => Ok(true),
                    _ => Err(error),
                };
            }
        }
    }
}

/// Room for one batch of datagrams, used again for every socket of a thread.
pub struct Datagrams {
    bytes: Box<[[u8; DATAGRAM]]>,
    lengths: [usize; BATCH],
    count: usize,
}

impl Datagrams {
    pub fn new() -> Self {
        Self { bytes: vec![[0; DATAGRAM]; BATCH].into_boxed_slice(), lengths: [0; BATCH], count: 0 }
    }

    /// Take what waits on `socket`, at most one batch. Returns whether more may be waiting.
    pub fn receive(&mut self, socket: &impl AsRawFd) -> io::Result<bool> {
        let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: DATAGRAM }; BATCH];
        // SAFETY: all zeroes is a valid msghdr: no name, no control data, no flags.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        for ((header, vector), datagram) in headers.iter_mut().zip(&mut vectors).zip(&mut self.bytes) {
            vector.iov_base = datagram.as_mut_ptr().cast();
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: each header names one vector and each vector one buffer of `self`; all outlive the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        self.count = count.max(0) as usize;
        for (length, header) in self.lengths.iter_mut().zip(&headers[..self.count]) {
            *length = header.msg_len as usize;
        }
        if count < 0 && io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock {
            return Err(io::Error::last_os_error());
        }
        Ok(self.count == BATCH)
    }

    /// The datagrams of the last `receive`.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.iter().zip(self.lengths).take(self.count).map(|(bytes, length)| &bytes[..length])
    }
}

fn set_option(socket: &impl AsRawFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: the value is one int and its size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
