//! One allocation: what it lets through, and to whom. It touches no socket, and takes time as an argument.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::addresses::Ours;
use super::bucket::Bucket;
use super::channels::Channels;
use super::five_tuple::FiveTuple;
use super::icmp::Pace;
use super::permissions::{Permission, Permissions};
use super::reach::Reach;
use crate::Handle;
use crate::counters::Counters;
use crate::event::Unanswered;

/// Why a packet goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    Malformed,
    NoAllocation,
    NoChannel,
    NoPermission,
    /// More than the permission's reach, port 0, or a family that there is no relay of.
    Denied,
    OverRate,
    QueueFull,
}

/// Where a packet for a peer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub address: SocketAddr,
    pub reach: Reach,
}

/// One relayed address.
#[derive(Debug, Clone, Copy)]
pub struct Relay {
    /// Where the wing keeps its socket.
    pub source: usize,
    pub local: SocketAddr,
    /// As peers see it.
    pub external: SocketAddr,
}

#[derive(Debug)]
pub struct Allocation {
    pub handle: Handle,
    pub five_tuple: FiveTuple,
    /// Where its client was, and hears as long as it has done nothing where it is (RFC 8016).
    pub former: Option<FiveTuple>,
    /// IPv4's and IPv6's.
    pub relays: [Option<Relay>; 2],
    /// Where the wing keeps a TCP allocation's relayed address (RFC 6062), and its connections with peers.
    pub inviting: Option<usize>,
    pub pipes: Vec<usize>,
    pub counters: Arc<Counters>,
    pub expires: Instant,
    /// When its expiry is looked at next.
    pub deadline: Instant,
    /// Requests of its client that Python has not taken yet.
    pub unanswered: Arc<Unanswered>,
    /// Whether its client may take it along, and so may lose its connection (RFC 8016).
    pub movable: bool,
    /// The connection that has ended; its own: it waits for its client. 0: none has.
    pub left: Handle,
    /// Whether its relayed addresses' sockets are prepared: only who has had a peer needs that.
    pub is_prepared: bool,
    /// Of what its client is told that ICMP says.
    pub errors: Pace,
    permissions: Permissions,
    channels: Channels,
    bucket: Bucket,
}

impl Allocation {
    pub fn new(
        handle: Handle,
        five_tuple: FiveTuple,
        counters: Arc<Counters>,
        bytes_per_second: u64,
        expires: Instant,
        now: Instant,
    ) -> Self {
        Self {
            handle,
            five_tuple,
            former: None,
            relays: [None; 2],
            inviting: None,
            pipes: Vec::new(),
            counters,
            expires,
            deadline: expires,
            unanswered: Arc::default(),
            movable: false,
            left: 0,
            is_prepared: false,
            errors: Pace::new(now),
            permissions: Permissions::default(),
            channels: Channels::default(),
            bucket: Bucket::new(bytes_per_second, now),
        }
    }

    /// What its client is heard through: a listener over UDP, or a connection.
    pub fn client(&self) -> Handle {
        match self.five_tuple.connection {
            0 => self.five_tuple.listener,
            connection => connection,
        }
    }

    /// Whether its client's connection has ended, and the client has not come back yet.
    pub fn waits(&self) -> bool {
        self.left != 0 && self.left == self.ear().connection
    }

    /// The relayed address that peers of a host's family deal with.
    pub fn relay(&self, host: IpAddr) -> Option<Relay> {
        self.relays[usize::from(host.is_ipv6())]
    }

    pub fn permit(&mut self, host: IpAddr, reach: Reach, expires: Instant, now: Instant) {
        self.permissions.install(host, reach, expires, now);
    }

    pub fn bind_channel(&mut self, number: u16, peer: Peer, expires: Instant, now: Instant) {
        self.channels.bind(number, peer, expires, now);
    }

    /// Data of a channel, from the client (RFC 8656 12.6: its binding is all it needs).
    pub fn by_channel(&mut self, number: u16, size: usize, now: Instant) -> Result<Peer, Dropped> {
        let peer = self.channels.peer(number, now).ok_or(Dropped::NoChannel)?;
        self.outward(peer, size, now)
    }

    /// Data of a Send indication (RFC 8656 11.3).
    pub fn by_send(&mut self, address: SocketAddr, size: usize, now: Instant) -> Result<Peer, Dropped> {
        let permission = self.permissions.get(address.ip(), now).ok_or(Dropped::NoPermission)?;
        self.outward(Peer { address, reach: permission.reach }, size, now)
    }

    fn outward(&mut self, peer: Peer, size: usize, now: Instant) -> Result<Peer, Dropped> {
        if peer.address.port() == 0 || self.relay(peer.address.ip()).is_none() {
            return Err(Dropped::Denied);
        }
        if self.bucket.take(size, now) { Ok(peer) } else { Err(Dropped::OverRate) }
    }

    /// Data of a peer: the channel to pass it on in; `None`: in a Data indication (RFC 8656 11.4, 12.7).
    pub fn inward(&self, peer: SocketAddr, ours: &Ours, now: Instant) -> Result<Option<u16>, Dropped> {
        if self.permitted(peer, now)?.reach == Reach::Relayed && ours.relayed(peer).is_none() {
            return Err(Dropped::Denied);
        }
        Ok(self.channels.number(peer, now))
    }

    pub fn permitted(&self, peer: SocketAddr, now: Instant) -> Result<Permission, Dropped> {
        self.permissions.get(peer.ip(), now).ok_or(Dropped::NoPermission)
    }

    /// How many bytes of a stream are within the rate; `admits` is told how many there were.
    pub fn allowance(&mut self, now: Instant) -> usize {
        self.bucket.left(now)
    }

    /// Whether so many bytes of a peer are within the rate.
    pub fn admits(&mut self, size: usize, now: Instant) -> bool {
        self.bucket.take(size, now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::five_tuple::Transport;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn allocation(rate: u64, now: Instant) -> Allocation {
        let any = SocketAddr::from(([127, 0, 0, 1], 1));
        let five_tuple = FiveTuple {
            transport: Transport::Udp,
            listener: 1,
            connection: 0,
            client: any,
            server: any,
            worker: 0,
        };
        let mut new = Allocation::new(1, five_tuple, Arc::default(), rate, now + 600 * SECOND, now);
        new.relays[0] = Some(Relay { source: 0, local: any, external: any });
        new
    }

    #[test]
    fn only_who_is_permitted_in_both_directions() {
        let now = Instant::now();
        let mut allocation = allocation(0, now);
        let peer = SocketAddr::from(([192, 0, 2, 1], 5000));
        assert_eq!(allocation.by_send(peer, 1, now), Err(Dropped::NoPermission));
        assert_eq!(allocation.inward(peer, &Ours::default(), now), Err(Dropped::NoPermission));
        allocation.permit(peer.ip(), Reach::All, now + 300 * SECOND, now);
        assert_eq!(allocation.by_send(peer, 1, now), Ok(Peer { address: peer, reach: Reach::All }));
        assert_eq!(allocation.inward(peer, &Ours::default(), now), Ok(None));
        let later = now + 300 * SECOND;
        assert_eq!(allocation.by_send(peer, 1, later), Err(Dropped::NoPermission));
        assert_eq!(allocation.inward(peer, &Ours::default(), later), Err(Dropped::NoPermission));
    }

    #[test]
    fn a_channel_outlives_its_permission_outwards_only() {
        let now = Instant::now();
        let mut allocation = allocation(0, now);
        let address = SocketAddr::from(([192, 0, 2, 1], 5000));
        let peer = Peer { address, reach: Reach::All };
        allocation.permit(address.ip(), Reach::All, now + 300 * SECOND, now);
        allocation.bind_channel(0x4000, peer, now + 600 * SECOND, now);
        assert_eq!(allocation.inward(address, &Ours::default(), now), Ok(Some(0x4000)));
        let other = SocketAddr::from(([192, 0, 2, 1], 5001));
        assert_eq!(allocation.inward(other, &Ours::default(), now), Ok(None));
        let later = now + 400 * SECOND;
        assert_eq!(allocation.by_channel(0x4000, 1, later), Ok(peer));
        assert_eq!(allocation.inward(address, &Ours::default(), later), Err(Dropped::NoPermission));
        assert_eq!(allocation.by_channel(0x4000, 1, now + 600 * SECOND), Err(Dropped::NoChannel));
        assert_eq!(allocation.by_channel(0x4001, 1, now), Err(Dropped::NoChannel));
    }

    #[test]
    fn nothing_goes_to_port_0_or_to_a_family_without_a_relay() {
        let now = Instant::now();
        let mut allocation = allocation(0, now);
        for peer in
            [SocketAddr::from(([192, 0, 2, 1], 0)), SocketAddr::from(([0x2001, 0, 0, 0, 0, 0, 0, 1], 5))]
        {
            allocation.permit(peer.ip(), Reach::All, now + SECOND, now);
            assert_eq!(allocation.by_send(peer, 1, now), Err(Dropped::Denied));
        }
    }

    #[test]
    fn both_directions_share_one_rate() {
        let now = Instant::now();
        let mut allocation = allocation(100_000, now);
        let peer = SocketAddr::from(([192, 0, 2, 1], 5000));
        allocation.permit(peer.ip(), Reach::All, now + SECOND, now);
        assert!(allocation.by_send(peer, 60_000, now).is_ok());
        assert!(allocation.admits(40_000, now));
        assert_eq!(allocation.by_send(peer, 1, now), Err(Dropped::OverRate));
        assert!(!allocation.admits(1, now));
    }
}
