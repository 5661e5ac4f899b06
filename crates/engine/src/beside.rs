//! A socket on the port of another of ours, which is to leave it.
//!
//! The kernel lets two sockets have a port, though the addresses overlap, where both say `SO_REUSEPORT` and
//! belong to one user. Ours say so only while the second is being bound: who starts another server on the
//! port is told that it is taken, as ever.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::sockopt::set_socket_reuseport;

/// As long as it lives, another socket can be bound to this one's port.
#[derive(Debug)]
pub struct Ajar<'a>(BorrowedFd<'a>);

impl<'a> Ajar<'a> {
    pub fn of(socket: &'a impl AsFd) -> io::Result<Self> {
        set_socket_reuseport(socket, true)?;
        Ok(Self(socket.as_fd()))
    }
}

impl Drop for Ajar<'_> {
    fn drop(&mut self) {
        let _ = set_socket_reuseport(self.0, false); // it worked the other way
    }
}
