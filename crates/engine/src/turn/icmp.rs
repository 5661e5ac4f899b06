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

/// The system's `errno` for what ICMP and ICMPv6 say, as the next call on the socket fails with it.
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
        allocation.inward(icmp.peer, now)?;
        if !allocation.errors.admits(now) {
            return Err(Dropped::OverRate);
        }
        let indication = stun::icmp_indication(icmp, self.transaction());
        self.frame(i, [indication.as_slice(), &[], &[]])
    }
}
