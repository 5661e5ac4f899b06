//! Datagrams that wait for the end of a turn, so that those to one address go out in one call.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::icmp::is_of_icmp;
use super::socket::{self, Via};

/// Addresses that are collected for at a time. One more sends what the first of them has.
const SLOTS: usize = 16;
/// The kernel's bounds of one call: segments, and bytes of all of them.
const MOST_SEGMENTS: usize = 64;
const MOST_BYTES: usize = 65_000;

/// Where a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct To {
    /// Whose socket.
    pub source: usize,
    /// As that socket takes it: on one of IPv6 also IPv4's addresses are.
    pub address: SocketAddr,
    pub via: Option<Via>,
    /// Whose packets are lost if it fails.
    pub allocation: usize,
}

#[derive(Debug)]
struct Slot {
    to: To,
    bytes: Vec<u8>,
    segment: usize,
    segments: usize,
    /// A shorter one is the last.
    ended: bool,
}

/// What did not go out: so many packets of an allocation.
pub type Lost = (usize, usize);

#[derive(Debug, Default)]
pub struct Bursts {
    slots: Vec<Slot>,
    used: usize,
    next: usize,
    pub lost: Vec<Lost>,
    /// Sockets whose error queue has something, and whom a datagram was for that was refused meanwhile.
    pub troubled: Vec<(usize, SocketAddr)>,
}

impl Bursts {
    /// Add a datagram made of parts.
    pub fn push<'s>(&mut self, to: To, parts: [&[u8]; 3], socket: impl Fn(usize) -> Option<&'s UdpSocket>) {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        let known = self.slots[..self.used].iter().position(|slot| slot.to == to);
        let i = known.unwrap_or_else(|| self.slot(to, &socket));
        let slot = &mut self.slots[i];
        let fits = !slot.ended
            && slot.segments < MOST_SEGMENTS
            && slot.bytes.len() + size <= MOST_BYTES
            && (1..=slot.segment).contains(&size);
        if slot.segments > 0 && !fits {
            slot.send(&socket, &mut self.lost, &mut self.troubled);
        }
        if slot.segments == 0 {
            slot.segment = size;
        }
        slot.segments += 1;
        slot.ended = size < slot.segment;
        for part in parts {
            slot.bytes.extend_from_slice(part);
        }
    }

    /// One that is free, or freed.
    fn slot<'s>(&mut self, to: To, socket: &impl Fn(usize) -> Option<&'s UdpSocket>) -> usize {
        let i = if self.used < SLOTS {
            self.used += 1;
            self.used - 1
        } else {
            self.next = (self.next + 1) % SLOTS;
            self.slots[self.next].send(socket, &mut self.lost, &mut self.troubled);
            self.next
        };
        match self.slots.get_mut(i) {
            Some(slot) => slot.to = to,
            None => self.slots.push(Slot { to, bytes: Vec::new(), segment: 0, segments: 0, ended: false }),
        }
        i
    }

    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Send everything.
    pub fn flush<'s>(&mut self, socket: impl Fn(usize) -> Option<&'s UdpSocket>) {
        for slot in &mut self.slots[..self.used] {
            slot.send(&socket, &mut self.lost, &mut self.troubled);
        }
        self.used = 0;
    }
}

impl Slot {
    fn send<'s>(
        &mut self,
        socket: &impl Fn(usize) -> Option<&'s UdpSocket>,
        lost: &mut Vec<Lost>,
        troubled: &mut Vec<(usize, SocketAddr)>,
    ) {
        let mut trouble = false;
        let failed = match socket(self.to.source) {
            Some(socket) => send(socket, self.to, &self.bytes, self.segment, &mut trouble),
            None => self.segments,
        };
        if failed > 0 {
            lost.push((self.to.allocation, failed));
        }
        if trouble && !troubled.iter().any(|(source, _)| *source == self.to.source) {
            troubled.push((self.to.source, self.to.address));
        }
        self.bytes.clear();
        self.segments = 0;
        self.ended = false;
    }
}

/// Returns how many datagrams the socket did not take; `trouble`: ICMP has said something.
fn send(socket: &UdpSocket, to: To, bytes: &[u8], segment: usize, trouble: &mut bool) -> usize {
    match send_or_again(socket, to, bytes, segment, trouble) {
        Ok(()) => 0,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            bytes.len().div_ceil(segment.max(1)).max(1)
        }
        // This way out cannot segment, or its packets are smaller: one at a time, the kernel may cut them.
        Err(_) if segment < bytes.len() => {
            let mut one = |datagram: &[u8]| send_or_again(socket, to, datagram, datagram.len(), trouble);
            bytes.chunks(segment.max(1)).filter(|datagram| one(datagram).is_err()).count()
        }
        Err(_) => 1,
    }
}

/// What ICMP says of a datagram, whomever it was for, the system answers the next call with instead of doing
/// it. So it is made once more, and nobody's datagrams are lost because of another peer.
fn send_or_again(
    socket: &UdpSocket,
    to: To,
    bytes: &[u8],
    segment: usize,
    trouble: &mut bool,
) -> io::Result<()> {
    match socket::send(socket, to.address, to.via, bytes, segment) {
        Err(error) if is_of_icmp(&error) => {
            *trouble = true;
            socket::send(socket, to.address, to.via, bytes, segment)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_pushed_arrives_as_it_was_and_in_order() {
        let receive = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        receive.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = receive.local_addr().expect("bound");
        let to = To { source: 0, address, via: None, allocation: 0 };
        let sizes = [4, 4, 4, 2, 4, 5, 0, 0, 5, 1, 1, 1472, 1472, 0, 7];
        let mut bursts = Bursts::default();
        for (n, size) in sizes.iter().enumerate() {
            bursts.push(to, [&vec![n as u8; size / 2], &vec![n as u8; size - size / 2], &[]], |_| {
                Some(&sender)
            });
        }
        bursts.flush(|_| Some(&sender));
        assert!(bursts.is_empty() && bursts.lost.is_empty());
        let mut buffer = [0; 2000];
        for (n, size) in sizes.iter().enumerate() {
            let received = receive.recv(&mut buffer).expect("a datagram");
            assert_eq!(buffer[..received], vec![n as u8; *size]);
        }
    }

    #[test]
    fn more_addresses_than_slots() {
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let receivers: Vec<_> = (0..=SLOTS * 2)
            .map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"))
            .collect();
        let mut bursts = Bursts::default();
        for round in 0..3 {
            for receiver in &receivers {
                let address = receiver.local_addr().expect("bound");
                let to = To { source: 0, address, via: None, allocation: 0 };
                bursts.push(to, [&[round], &[], &[]], |_| Some(&sender));
            }
        }
        bursts.flush(|_| Some(&sender));
        for receiver in receivers {
            receiver.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
            for round in 0..3 {
                let mut byte = [9];
                assert_eq!((receiver.recv(&mut byte).expect("a datagram"), byte), (1, [round]));
            }
        }
    }
}
