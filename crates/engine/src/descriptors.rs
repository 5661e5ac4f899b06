//! How many of the process's descriptors strangers may have, so that no flood of them locks anybody else out.
//!
//! The system hands out the lowest number that is free: a socket's own number says how many are left.

use std::io;
use std::os::fd::AsRawFd;

use rustix::process::{Resource, getrlimit};

/// What nobody but the operator has: 512 for its listener, the rest for files and sockets of ours.
const OPERATORS: u64 = 640;
/// What relays leave besides, for players: one of so many.
const PLAYERS_SHARE: u64 = 8;

/// How many of so many descriptors players leave.
pub fn left_by_players(limit: u64) -> u64 {
    OPERATORS.min(limit / 2)
}

/// How many of so many descriptors relays leave.
pub fn left_by_relays(limit: u64) -> u64 {
    left_by_players(limit) + limit / PLAYERS_SHARE
}

/// Numbers below are for strangers. Asked for anew each turn, as the limit may be changed from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound(u64);

impl Bound {
    /// Of connections to our listeners that are not TURN's.
    pub fn of_players() -> Self {
        Self::of(left_by_players)
    }

    /// Of everything that TURN's clients and their peers open.
    pub fn of_relays() -> Self {
        Self::of(left_by_relays)
    }

    fn of(left: fn(u64) -> u64) -> Self {
        Self(getrlimit(Resource::Nofile).current.map_or(u64::MAX, |limit| limit - left(limit)))
    }

    /// Whether a socket may stay open.
    pub fn admits(self, socket: &impl AsRawFd) -> bool {
        u64::try_from(socket.as_raw_fd()).is_ok_and(|number| number < self.0)
    }

    /// As the system refuses where there is none at all: EMFILE.
    pub fn check(self, socket: &impl AsRawFd) -> io::Result<()> {
        if self.admits(socket) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EMFILE)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_how_many() {
        let left = |limit| (left_by_players(limit), left_by_relays(limit));
        assert_eq!(left(0), (0, 0));
        assert_eq!(left(1), (0, 0));
        assert_eq!(left(256), (128, 160));
        assert_eq!(left(1024), (512, 640));
        assert_eq!(left(4096), (640, 1152));
        assert_eq!(left(1 << 20), (640, 131_712));
        // Nobody leaves more than there are.
        assert!((0..5000).all(|limit| left_by_relays(limit) <= limit));
    }

    #[test]
    fn the_number_says_it() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let number = u64::try_from(socket.as_raw_fd()).unwrap();
        assert!(!Bound(number).admits(&socket) && Bound(number + 1).admits(&socket));
        assert_eq!(Bound(number).check(&socket).unwrap_err().raw_os_error(), Some(libc::EMFILE));
        assert!(Bound(u64::MAX).check(&socket).is_ok());
    }
}
