//! Readiness of many sockets: a level-triggered epoll.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

pub struct Poll {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Poll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed; the result is checked before it is owned.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just opened and nobody else owns it.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { epoll, events: vec![libc::epoll_event { events: 0, u64: 0 }; 256] })
    }

    /// Report `socket` when it can be read or has hung up, until it is closed.
    pub fn watch(&self, socket: &impl AsRawFd, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, socket, (libc::EPOLLIN | libc::EPOLLRDHUP) as u32, token)
    }

    /// Report `socket` no more.
    pub fn forget(&self, socket: &impl AsRawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, socket, 0, 0)
    }

    /// The tokens of what is ready, after waiting at most `milliseconds`; an interrupted wait is an empty one.
    pub fn wait(&mut self, milliseconds: i32) -> io::Result<impl Iterator<Item = u64>> {
        // SAFETY: the kernel writes at most `len` events into the vector, which is that long.
        let count = unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                self.events.len() as i32,
                milliseconds,
            )
        };
        if count < 0 && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return Err(io::Error::last_os_error());
        }
        Ok(self.events[..count.max(0) as usize].iter().map(|event| event.u64))
    }

    fn control(&self, verb: i32, socket: &impl AsRawFd, events: u32, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: both descriptors are open (borrowed or owned) and `event` is valid.
        match unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), verb, socket.as_raw_fd(), &raw mut event) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
