//! What ICMP says of datagrams that a relayed address sent (RFC 8656 11.5): read from the system's error
//! queue, and told the client.
//!
//! Nobody looks into the queue unless a call has failed because of it, so that a packet costs no call more.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use socket2::SockAddr;

use super::allocation::Dropped;
use super::{Source, Wing, stun};
use crate::sys::{ERROR_CONTROL, receive_error};

/// Errors read of one socket before others have their turn; the system announces those that are left.
const SHARE: usize = 64;
/// Indications that a client may be sent at once, and how long each of them counts: anybody may claim, in
/// the name of any router, that a datagram did not arrive.
const BURST: u32 = 10;
const INTERVAL: Duration = Duration::from_millis(100);

/// The system's `errno` for what ICMP says of either family, as the next call on the socket fails with it.
const ERRORS: [i32; 10] = [
    libc::ECONNREFUSED,
    libc::EHOSTUNREACH,
    libc::ENETUNREACH,
    libc::EMSGSIZE,
    libc::EACCES,
    libc::EPROTO,
    libc::ENOPROTOOPT,
    libc::EOPNOTSUPP,
    libc::EHOSTDOWN,
    libc::ENONET,
];

/// Whether a call has failed because of what ICMP said of an earlier one; or, for the same reason, of its own.
pub fn is_of_icmp(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|errno| ERRORS.contains(&errno))
}

/// That a datagram did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmp {
    /// Whom it was for.
    pub peer: SocketAddr,
    pub kind: u8,
    pub code: u8,
    /// The MTU of the hop that it was too large for; else 0 (RFC 8656 18.13).
    pub data: u32,
}

impl Icmp {
    /// The next that the system has of a socket; `Ok(None)`: one that a client is not told of.
    fn next(socket: &UdpSocket, local: SocketAddr) -> io::Result<Option<Self>> {
        let any: IpAddr = match local {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let mut peer = SockAddr::from(SocketAddr::new(any, 0));
        let mut control = [0; ERROR_CONTROL];
        let size = receive_error(socket, &mut peer, &mut control)?;
        let peer = peer.as_socket().map(|peer| SocketAddr::new(peer.ip().to_canonical(), peer.port()));
        Ok(peer.zip(control.get(..size)).and_then(|(peer, control)| Self::parse(peer, control)))
    }

    /// Of control messages (cmsg(3)), as the kernel writes them.
    fn parse(peer: SocketAddr, control: &[u8]) -> Option<Self> {
        const WORD: usize = size_of::<usize>();
        let mut rest = control;
        loop {
            let size = usize::from_ne_bytes(*rest.first_chunk::<WORD>()?);
            let (level, kind) = (number(rest, WORD)?, number(rest, WORD + 4)?);
            let data = rest.get(WORD + 8..size)?;
            if matches!(
                (level as i32, kind as i32),
                (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
            ) {
                return Self::extended(peer, data);
            }
            rest = rest.get(size.next_multiple_of(WORD)..)?;
        }
    }

    /// Of a `sock_extended_err`. RFC 8656 11.5 names the types; that a datagram is too large for our own way
    /// out the system says by itself, and is told as the first router would.
    fn extended(peer: SocketAddr, error: &[u8]) -> Option<Self> {
        let (errno, info) = (number(error, 0)?, number(error, 8)?);
        let [origin, kind, code] = *error.get(4..)?.first_chunk()?;
        let (kind, code) = match (origin, kind) {
            (libc::SO_EE_ORIGIN_ICMP, 3 | 11) | (libc::SO_EE_ORIGIN_ICMP6, 1..=3) => (kind, code),
            (libc::SO_EE_ORIGIN_LOCAL, _) if errno as i32 == libc::EMSGSIZE => {
                if peer.is_ipv4() {
                    (3, 4)
                } else {
                    (2, 0)
                }
            }
            _ => return None,
        };
        let too_big = if peer.is_ipv4() { (kind, code) == (3, 4) } else { kind == 2 };
        Some(Self { peer, kind, code, data: if too_big { info } else { 0 } })
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// How many indications a client is sent.
#[derive(Debug)]
pub struct Pace {
    /// When all of them will have counted.
    until: Instant,
}

impl Pace {
    pub fn new(now: Instant) -> Self {
        Self { until: now }
    }

    fn admits(&mut self, now: Instant) -> bool {
        let until = self.until.max(now) + INTERVAL;
        let admitted = until <= now + INTERVAL * BURST;
        if admitted {
            self.until = until;
        }
        admitted
    }
}

impl Wing {
    /// Tell a client what its socket's error queue has. `to`: of a datagram that was refused, whom it was for; of
    /// such the system does not always keep the port.
    pub(super) fn hear_errors(&mut self, i: usize, to: Option<SocketAddr>, now: Instant) {
        let mut last = None;
        for _ in 0..SHARE {
            let Some(Source::Relaying { socket, allocation }) = self.sources.get(i) else { return };
            let allocation = *allocation;
            let Some(its) = self.allocations.get(allocation) else { return };
            let Some(relay) = its.relays.into_iter().flatten().find(|relay| relay.source == i) else {
                return;
            };
            let Ok(icmp) = Icmp::next(socket, relay.local) else { return };
            let Some(mut icmp) = icmp else { continue };
            if let Some(to) = to.filter(|to| icmp.peer.port() == 0 && to.ip() == icmp.peer.ip()) {
                icmp.peer = to;
            }
            // A call that is made once more fails once more.
            if last.replace(icmp) == Some(icmp) {
                continue;
            }
            if let Err(dropped) = self.tell_error(allocation, &icmp, now) {
                self.dropped(dropped, None, 1);
            }
        }
    }

    /// RFC 8656 11.5. The address that counts is the peer's, whoever sent the ICMP packet.
    fn tell_error(&mut self, i: usize, icmp: &Icmp, now: Instant) -> Result<(), Dropped> {
        let allocation = &mut self.allocations[i];
        allocation.permitted(icmp.peer, now)?;
        if !allocation.errors.admits(now) {
            return Err(Dropped::OverRate);
        }
        let indication = stun::icmp_indication(icmp, self.transaction());
        self.frame(i, [indication.as_slice(), &[], &[]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5000);
    const V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 5000);

    /// A control message as the kernel writes them; `size` is what it says of itself.
    fn message(size: usize, level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut message = size.to_ne_bytes().to_vec();
        message.extend_from_slice(&level.to_ne_bytes());
        message.extend_from_slice(&kind.to_ne_bytes());
        message.extend_from_slice(data);
        message.resize(message.len().next_multiple_of(size_of::<usize>()), 0);
        message
    }

    fn error(errno: i32, origin: u8, kind: u8, code: u8, info: u32) -> Vec<u8> {
        let mut error = errno.to_ne_bytes().to_vec();
        error.extend_from_slice(&[origin, kind, code, 0]);
        error.extend_from_slice(&info.to_ne_bytes());
        error.resize(16 + 16, 0); // and who said so
        error
    }

    fn parsed(peer: SocketAddr, error: &[u8]) -> Option<(u8, u8, u32)> {
        let kind = if peer.is_ipv4() { libc::IP_RECVERR } else { libc::IPV6_RECVERR };
        let level = if peer.is_ipv4() { libc::IPPROTO_IP } else { libc::IPPROTO_IPV6 };
        let mut control = message(20, libc::SOL_SOCKET, libc::SCM_TIMESTAMP, &[1; 4]);
        control.extend_from_slice(&message(size_of::<usize>() + 8 + error.len(), level, kind, error));
        let icmp = Icmp::parse(peer, &control)?;
        assert_eq!(icmp.peer, peer);
        Some((icmp.kind, icmp.code, icmp.data))
    }

    #[test]
    fn the_types_of_the_section_and_no_others() {
        for kind in 0..=255 {
            let said = error(0, libc::SO_EE_ORIGIN_ICMP, kind, 1, 1400);
            assert_eq!(parsed(V4, &said), matches!(kind, 3 | 11).then_some((kind, 1, 0)));
            let said = error(0, libc::SO_EE_ORIGIN_ICMP6, kind, 0, 1400);
            let data = if kind == 2 { 1400 } else { 0 };
            assert_eq!(parsed(V6, &said), matches!(kind, 1..=3).then_some((kind, 0, data)));
        }
        assert_eq!(parsed(V4, &error(0, libc::SO_EE_ORIGIN_ICMP, 3, 4, 576)), Some((3, 4, 576)));
        let local = |peer, errno| parsed(peer, &error(errno, libc::SO_EE_ORIGIN_LOCAL, 0, 0, 1400));
        assert_eq!(local(V4, libc::EMSGSIZE), Some((3, 4, 1400)));
        assert_eq!(local(V6, libc::EMSGSIZE), Some((2, 0, 1400)));
        assert_eq!(local(V4, libc::ECONNREFUSED), None);
    }

    #[test]
    fn nothing_is_read_that_is_not_there() {
        let said = error(0, libc::SO_EE_ORIGIN_ICMP, 3, 3, 0);
        let whole = message(size_of::<usize>() + 8 + said.len(), libc::IPPROTO_IP, libc::IP_RECVERR, &said);
        assert!(Icmp::parse(V4, &whole).is_some());
        for size in 0..whole.len() {
            assert_eq!(Icmp::parse(V4, &whole[..size]), None, "{size}");
        }
        for size in [0, 1, 15, 17, 24, whole.len() + 1, usize::MAX - 7, usize::MAX] {
            let wrong = message(size, libc::IPPROTO_IP, libc::IP_RECVERR, &said);
            assert_eq!(Icmp::parse(V4, &wrong), None, "{size}");
        }
    }

    #[test]
    fn ten_at_once_and_ten_a_second() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut admitted = |now| (0..100).filter(|_| pace.admits(now)).count();
        assert_eq!(admitted(start), 10);
        assert_eq!((1..=20).map(|n| admitted(start + INTERVAL * n)).sum::<usize>(), 20);
        assert_eq!(admitted(start + Duration::from_secs(60)), 10);
    }
}
